"""Mixture of experts for a whole prompt: `t` tokens, the two best of `e` experts each, SwiGLU.

Only the data say which tokens an expert gets. Every expert has a bucket of fixed capacity, enough
for all tokens; places in it are given out by a scan, rows are gathered into it, and loops run as
often as the number of tokens says, which control processors load (`sld`). Four blocks; between
blocks all queues are idle, so everything a block writes may be read by the next.

route. A tile scores its own `nt` tokens (the router's weights are broadcast), takes the two best
(VTOPK) and sends their numbers to the CSRAM of all clusters; all tiles join. From here every tile
computes the same tables, which is cheaper than another join: one-hot (tile, expert, token), its
running sums (VSCAN) and the sums over earlier tiles give each token its place; VSCATTER makes the
inverse table: which token stands in a place. Counts stand behind it; the tiles of a cluster store
a share each to CSRAM.

up. For every expert CLD gathers the rows of X into CSRAM, by the inverse table, into two buckets
in turn; LD1 loads the tile's `nu` hidden units, gate and up rows, into two sets in turn; LD0
streams the bucket past them in blocks of two halves, so that the vector unit reads one half of
the accumulators while the other is multiplied. H goes to HBM.

down. The same with H, `nd` outputs a tile, and DRN. combine. Each tile gathers the two results of
its tokens and adds them with the router's weights.

What a loop of unknown length writes nothing may rely on, so buckets and the results of `up` and
`down` are filled with zeros while there is time. Behind a loop of unknown length nobody knows which
slot of a ring comes next: slots are therefore in pairs, one pair for each parity of the expert, and
the `idle` semaphores let a pair be used again when the expert before the last is through. For the
same reason control processors themselves wait for buckets and weights: no word may wait in a queue
when such a loop starts. Only as many rows are multiplied as an expert has tokens
(`m:rows of 64`), so the accumulators get some numbers at the start: what stands behind the tokens
is drained with them, and never read.

maia200: 2048 tokens, 8 experts of 4096 x 2048: 349,500 cycles of the tensor units for the pairs of
token and expert alone. Edges of 32 rows and columns make 406,000 of them; routing takes 33,000 (of
which filling 67 MB is most), the first weights and rows of two blocks 25,000, combining 15,000.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, align, cdiv, machine, main
from moe_experts import DOWN, UP
from moe_tokens import COMBINE, ROUTE

SIZES: Sizes = {
    "maia200": {"t": 2048, "e": 8, "d": 4096, "f": 2048, "half": 64, "k": 1024},
    "mini": {"t": 29, "e": 3, "d": 24, "f": 18, "half": 8, "k": 6},
}

HEAD = Template("""\
mist 1.0
target $target

# $t tokens of $d, $e experts of $f hidden units; W1[e, 0] is the gate, W1[e, 1] the up projection.
input  X  : bf16[$t, $d] @ $at_x
input  WR : bf16[$e, $d] @ $at_r
input  W1 : bf16[$e, 2, $f, $d] @ $at_1
input  W2 : bf16[$e, $d, $f] @ $at_2
output Y  : bf16[$t, $d] @ $at_y

control {
  call route
  call up
  call down
  call combine
}
""")

#: The most bytes that a DMA word moves.
WORD = 1 << 18


def _divisor(total: int, unit_bytes: int, limit: int) -> int:
    """The largest divisor of `total` that makes at most `limit` bytes, at least 1."""
    fits = (n for n in range(1, total + 1) if total % n == 0 and n * unit_bytes <= limit)
    return max(fits, default=1)


def _clearing(elements: int, clusters: int, e: int) -> dict[str, int]:
    """How the results are cleared: elements of a word, and words for each cluster and expert."""
    part = min(WORD // 2, align(cdiv(elements, clusters * e), 32))
    words = cdiv(elements, part * clusters * e)
    return {
        "hy_all": elements,
        "hy_fill": part,
        "hy_row": part * clusters,
        "hy_part": part * clusters * words,
        "hy_words": words,
    }


def _shapes(size: dict[str, int], clusters: int, tiles: int, block: int) -> dict[str, int]:
    """Everything that follows from sizes and machine, by the names of the text."""
    t, e, d, f, half, k = (size[name] for name in ("t", "e", "d", "f", "half", "k"))
    everyone = clusters * tiles
    nt, nu, nd = cdiv(t, everyone), cdiv(f, everyone), cdiv(d, everyone)
    cap = align(t, 2 * half)
    places, fill = e * cap, WORD // 2
    grows = _divisor(2 * half, d * 2, WORD)
    hrows = _divisor(2 * half, f * 2, WORD)
    dc = _divisor(d, nt * 2, WORD // 2)
    return {
        **size,
        "t2": 2 * t,
        "elast": e - 1,
        "none": e + 1,
        "all": everyone,
        "all1": everyone + 1,
        "half4": 4 * half,
        "rows2": 2 * half,
        "rows2last": 2 * half - 1,
        "halflast": half - 1,
        "kd": d // k,
        "kf": f // k,
        "nt": nt,
        "nt2": 2 * nt,
        "nt2last": 2 * nt - 1,
        "seats": everyone * 2 * nt,
        "nu": nu,
        "nu2": 2 * nu,
        "nd": nd,
        "cap": cap,
        "places": places,
        "route": places + e,
        "share": cdiv(places + e, tiles),
        "eb": align(e, block),
        "nub": align(2 * nu, block),
        "ndb": align(nd, block),
        "grows": grows,
        "gwords": 2 * half // grows,
        "hrows": hrows,
        "hwords": 2 * half // hrows,
        "dc": dc,
        "cwords": d // dc,
        "fill": fill,
        "fill_all": fill * clusters,
        "ca_all": cap * d * 2,
        "ca_words": cdiv(cap * d * 2, fill),
        "hh_all": places * f,
        "hh_words": cdiv(places * f, fill * clusters),
        **_clearing(places * d, clusters, e),
        "ca_pitch": cap * d * 2,
        "w_pitch": align(max(2 * nu * d, nd * f) * 2, 64),
        "ta_pitch": align(half * k * 2, 64),
        "th_pitch": align(half * nu * 2, 64),
        "ty_pitch": align(half * nd * 2, 64),
        "g_pitch": align(nt * dc * 2, 64),
    }


def _addresses(n: dict[str, int], tsram_bytes: int) -> dict[str, int]:
    """Addresses: `p`, `pos` and `inv` keep theirs, each block lays out the rest anew."""
    t, e, d, f, nt, seats = (n[name] for name in ("t", "e", "d", "f", "nt", "seats"))
    kept = Space()
    at = {"p": kept.take(nt * 8), "pos": kept.take(seats * 4), "inv": kept.take(n["route"] * 4)}
    blocks = [
        {
            "tx": nt * d * 2,
            "twr": e * d * 2,
            "logit": nt * e * 4,
            "best": nt * 8,
            "who": nt * 8,
            "sum": nt * 4,
            "ids": seats * 4,
            "hot": seats * e * 4,
            "run": seats * e * 4,
            "base": n["all1"] * e * 4,
            "tok": seats * 4,
        },
        {"w": 2 * n["w_pitch"], "ta": 4 * n["ta_pitch"], "th": 4 * n["th_pitch"]},
        {"w": 2 * n["w_pitch"], "ta": 4 * n["ta_pitch"], "ty": 4 * n["ty_pitch"]},
        dict.fromkeys(("g0", "g1", "gs", "gy"), 2 * n["g_pitch"]),
    ]
    for parts in blocks:
        space = Space(kept.at)
        at |= {name: space.take(bytes_) for name, bytes_ in parts.items()}
        if space.at > tsram_bytes:
            raise ValueError("the sizes do not fit TSRAM")
    hbm, csram = Space(), Space(2 * n["ca_pitch"])
    at |= {"call": csram.take(t * 8), "cinv": csram.take(n["route"] * 4)}
    tensors = {
        "at_x": t * d,
        "at_r": e * d,
        "at_1": e * 2 * f * d,
        "at_2": e * d * f,
        "at_y": t * d,
        "at_h": n["places"] * f,
        "at_e": n["places"] * d,
    }
    return at | {name: hbm.take(elements * 2) for name, elements in tensors.items()}


def source(target: str, **sizes: int) -> str:
    """The program; `half` rows are multiplied at a time, `k` divides d and f."""
    size = {**SIZES[target], **sizes}
    d, f = size["d"], size["f"]
    mc = machine(target)
    if d % size["k"] or f % size["k"] or f > d:
        raise ValueError("k divides d and f, and f is at most d")
    n = _shapes(size, mc.clusters, mc.tiles, mc.int("ttu.block"))
    values = {**n, **_addresses(n, mc.space_bytes("tsram")), "target": target}
    return "".join(part.substitute(values) for part in (HEAD, ROUTE, UP, DOWN, COMBINE))


if __name__ == "__main__":
    main(source, SIZES)
