"""One token through a mixture of experts: router, the two best of `e` experts, SwiGLU.

    logits = WR X;   p = softmax of the two largest logits, which name experts E0 and E1
    H_j = silu(W1[E_j, 0] X) * (W1[E_j, 1] X);   Y = p_0 * W2[E_0] H_0 + p_1 * W2[E_1] H_1

Decoding one token reads the weights of two experts once and does little else, so the aim is to keep
HBM busy from the moment that the experts are known.

Route. X and the router's weights are broadcast to all tiles (CLD), and *every* tile computes all
logits, the two best (VTOPK) and their weights: work is cheaper than a join. Each control processor
then loads (`sld`) the number of the expert into a register, which is part of the address of all
weights. A tile reads its own TSRAM, so nothing is exchanged.

Up. A tile owns `ru` of the f hidden units of both experts. Gate rows arrive over LD0, up rows
over LD1, a slice of K at a time, in rings of `slots`; accumulators hold all rows at once. The
vector unit makes H of them, the store queue sends it to the CSRAM of all clusters, all tiles join.

Down. A tile owns `rd` of the d outputs. CLD broadcasts both H to the tiles. Since the rings serve
both phases, the weights of this phase are already on their way while tiles wait for the join.

maia200: two experts of 3 x 4096 x 14336 in bf16 are 704 MB, 201,300 cycles of HBM. Routing exposes
about 2,000, the end 1,500; rows are dealt to within 0.2 %.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, align, cdiv, machine, main

SIZES: Sizes = {
    "maia200": {"e": 8, "d": 4096, "f": 14336, "word": 65536, "slots": 8},
    "mini": {"e": 5, "d": 43, "f": 38, "word": 256, "slots": 3},
}

TEXT = Template("""\
mist 1.0
target $target

# $e experts of $d -> $f -> $d; W1[e, 0] is the gate, W1[e, 1] the up projection.
input  X  : bf16[$d] @ $at_x
input  WR : bf16[$e, $d] @ $at_r
input  W1 : bf16[$e, 2, $f, $d] @ $at_1
input  W2 : bf16[$e, $d, $f] @ $at_2
output Y  : bf16[$d] @ $at_y

block main {
  reg e    = s1
  reg slot = s2
  buffer tx    : bf16[$dpad]       @tsram $tx
  buffer twr   : bf16[$e, $dpad]   @tsram $twr
  buffer logit : fp32[$e]          @tsram $logit
  buffer best  : fp32[2]           @tsram $best
  buffer who   : int32[2]          @tsram $who
  buffer sum   : fp32[1]           @tsram $sum
  buffer p     : fp32[2]           @tsram $p
  buffer u0    : bf16[$ru, $ku]    @tsram $ring0 slots $slots pitch $pitch
  buffer u1    : bf16[$ru, $ku]    @tsram $ring1 slots $slots pitch $pitch
  buffer d0    : bf16[$rd, $kd]    @tsram $ring0 slots $slots pitch $pitch
  buffer d1    : bf16[$rd, $kd]    @tsram $ring1 slots $slots pitch $pitch
  buffer part  : bf16[2, $ru]      @tsram $part
  buffer th    : bf16[2, $fpad]    @tsram $th
  buffer y0    : fp32[$rd]         @tsram $y0
  buffer y     : bf16[$rd]         @tsram $y
  buffer arout : fp32[1, $eb]      @acc $a0
  buffer aup   : fp32[2, 2, $rub]  @acc $a1
  buffer adown : fp32[2, $rdb]     @acc $a2
  buffer hall  : bf16[2, $f]       @csram 0x0

  sem staged : CLD -> TTU cluster
  sem scored : TTU -> TVP tile
  sem routed : TVP -> TCP tile
  sem full0  : LD0 -> TTU tile
  sem full1  : LD1 -> TTU tile
  sem free0  : TTU -> LD0 tile = $slots
  sem free1  : TTU -> LD1 tile = $slots
  sem upped  : TTU -> TVP tile
  sem hidden : TVP -> ST tile
  sem joined : ST -> CLD chip
  sem heard  : CLD -> TTU cluster
  sem downed : TTU -> TVP tile
  sem done   : TVP -> ST tile

  chain copy   : fp32 = mov(a)
  chain expsum : fp32 = sub(a, b); exp(r0) stat sum
  chain over   : fp32 = div(a, b)
  chain swiglu : fp32 = silu(a); mul(r0, b)
  chain mul    : fp32 = mul(a, b)
  chain madd   : fp32 = madd(a, b, c)

  # every tile scores all experts and finds the two best, with softmax over the two
  at "route"
  CLD bcast tx@[all]{x:$dpad}[x], X{x:$dpad}[x]
  CLD bcast twr@[all]{n:$e, x:$dpad}[n, x], WR{n:$e, x:$dpad}[n, x] post(staged)
  TTU mm arout{ | n:$e}[0, n], tx{ | x:$dpad}[x], twr{n:$e | x:$dpad}[n, x] mode=over wait(staged) \
post(scored)
  TVP vmap logit{n:$e}[n], arout{n:$e}[0, n] chain=copy wait(scored)
  TVP vtopk best{ | j:2}[j], who{ | j:2}[j], logit{ | n:$e}[n] k=2
  TVP vmapr p{ | j:2}[j], sum{}[0], best{ | j:2}[j], best{ | j:2}[0] chain=expsum
  TVP vmap p{j:2}[j], p{j:2}[j], sum{j:2}[0] chain=over post(routed:2)

  # $ru hidden units of both experts
  at "gate and up projections"
  slot = 0 on tile
  loop j < 2 on tile {
    e = sld who{}[j] wait(routed) in 0..$elast
    loop k < $nu {
      LD0 copy u0(slot){n:$ru, x:$ku}[n, x], W1{n:$ru, x:$ku}[e, 0, $ru*gtile + n, $ku*k + x] \
wait(free0) post(full0)
      LD1 copy u1(slot){n:$ru, x:$ku}[n, x], W1{n:$ru, x:$ku}[e, 1, $ru*gtile + n, $ku*k + x] \
wait(free1) post(full1)
      TTU mm aup{ | n:$ru}[j, 0, n], tx{ | x:$ku}[$ku*k + x], u0(slot){n:$ru | x:$ku}[n, x] \
mode=first level=k wait(full0) post(free0)
      TTU mm aup{ | n:$ru}[j, 1, n], tx{ | x:$ku}[$ku*k + x], u1(slot){n:$ru | x:$ku}[n, x] \
mode=first level=k wait(full1) post(free1)
      slot = (slot + 1) mod $slots
    }
    TTU sync post(upped)
    TVP vmap part{n:$ru}[j, n], aup{n:$ru}[j, 0, n], aup{n:$ru}[j, 1, n] chain=swiglu wait(upped) \
post(hidden)
    ST copy hall@[all]{n:$ru}[j, $ru*gtile + n] drop, part{n:$ru}[j, n] wait(hidden)
  }
  ST sync post(joined)

  # $rd outputs; even slices of the hidden units by LD0, odd ones by LD1
  at "down projection"
  CLD bcast th@[all]{j:2, x:$fpad}[j, x], hall{j:2, x:$fpad}[j, x] wait(joined) post(heard)
  TTU sync wait(heard)
  loop j < 2 on tile {
    e = sld who{}[j] in 0..$elast
    loop k < $nd {
      LD0 copy d0(slot){n:$rd, x:$kd}[n, x], W2{n:$rd, x:$kd}[e, $rd*gtile + n, $kd2*k + x] \
wait(free0) post(full0)
      LD1 copy d1(slot){n:$rd, x:$kd}[n, x], W2{n:$rd, x:$kd}[e, $rd*gtile + n, $kd2*k + $kd + x] \
wait(free1) post(full1)
      TTU mm adown{ | n:$rd}[j, n], th{ | x:$kd}[j, $kd2*k + x], d0(slot){n:$rd | x:$kd}[n, x] \
mode=first level=k wait(full0) post(free0)
      TTU mm adown{ | n:$rd}[j, n], th{ | x:$kd}[j, $kd2*k + $kd + x], \
d1(slot){n:$rd | x:$kd}[n, x] mode=acc wait(full1) post(free1)
      slot = (slot + 1) mod $slots
    }
  }
  TTU sync post(downed)

  at "weighted sum"
  TVP vmap y0{n:$rd}[n], adown{n:$rd}[0, n], p{n:$rd}[0] chain=mul wait(downed)
  TVP vmap y{n:$rd}[n], adown{n:$rd}[1, n], p{n:$rd}[1], y0{n:$rd}[n] chain=madd post(done)
  ST copy Y{n:$rd}[$rd*gtile + n] drop, y{n:$rd}[n] wait(done)
}
""")


def _slice(rows: int, word: int, columns: int) -> int:
    """Columns of a slice of `rows` rows: a power of two, about `word` bytes together."""
    width = 16
    while width * 2 * 2 * rows <= word and width < columns:
        width *= 2
    return width


def source(target: str, **sizes: int) -> str:
    """The program; a load word moves about `word` bytes of weights."""
    size = {**SIZES[target], **sizes}
    e, d, f, slots = size["e"], size["d"], size["f"], size["slots"]
    mc = machine(target)
    everyone = mc.clusters * mc.tiles
    block = mc.int("ttu.block")
    ru, rd = cdiv(f, everyone), cdiv(d, everyone)
    ku, kd = _slice(ru, size["word"], d), _slice(rd, size["word"], f)
    nu, nd = cdiv(d, ku), cdiv(f, 2 * kd)
    dpad, fpad = nu * ku, nd * 2 * kd
    pitch = align(max(ru * ku, rd * kd) * 2, 64)
    eb, rub, rdb = align(e, block), align(ru, block), align(rd, block)
    hbm, tsram, acc = Space(), Space(), Space()
    parts = {
        "tx": dpad * 2,
        "twr": e * dpad * 2,
        "logit": e * 4,
        "best": 8,
        "who": 8,
        "sum": 4,
        "p": 8,
        "ring0": slots * pitch,
        "ring1": slots * pitch,
        "part": ru * 4,
        "th": fpad * 4,
        "y0": rd * 4,
        "y": rd * 2,
    }
    addresses = {name: tsram.take(bytes_) for name, bytes_ in parts.items()}
    return TEXT.substitute(
        target=target,
        e=e,
        d=d,
        f=f,
        slots=slots,
        elast=e - 1,
        ru=ru,
        rd=rd,
        ku=ku,
        kd=kd,
        kd2=2 * kd,
        nu=nu,
        nd=nd,
        dpad=dpad,
        fpad=fpad,
        pitch=pitch,
        eb=eb,
        rub=rub,
        rdb=rdb,
        at_x=hbm.take(d * 2),
        at_r=hbm.take(e * d * 2),
        at_1=hbm.take(e * 2 * f * d * 2),
        at_2=hbm.take(e * d * f * 2),
        at_y=hbm.take(d * 2),
        a0=acc.take(eb * 4),
        a1=acc.take(4 * rub * 4),
        a2=acc.take(2 * rdb * 4),
        **addresses,
    )


if __name__ == "__main__":
    main(source, SIZES)
