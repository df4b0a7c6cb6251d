"""The text of the layers of ``resnet.py``: one block for each, one function for each kind."""

from __future__ import annotations

from benchmarks.programs.base import DMA_BYTES, check, divisor, tsram
from benchmarks.programs.resnet_plan import Average, Conv, Map, Plan, Pool, plan
from maiacc_isa.machine import Machine

#: Registers that blocks hand on: of tiles, which of the layers that are alike comes next; of chips,
#: how many are left, for the last of the blocks that are repeated.
LAYER = """\
  in s30 : 0..{most}
  reg layer = s30
"""
LEFT = """\
  in s31 : 0..{turns}
  reg left = s31
"""


def units(count: int, parts: int, machine: Machine) -> str:
    """The unit that a tile works on: they go round the clusters; behind the last, none."""
    return f"""\
  reg works = s0   # 1: the tile has a unit
  reg unit = s1
  reg strip = s2
  reg part = s3
  unit = {machine.clusters}*tile + cluster on tile
  works = min({count} - unit, 1) on tile
  strip = (unit) div {parts} on tile
  part = (unit) mod {parts} on tile
"""


def buffers(places: dict[str, str], *maps: Map) -> str:
    """Declarations of the maps that are no tensors."""
    return "".join(
        f"  buffer {m.name} : {m.type} @hbm {places[m.name]}\n" for m in maps if m.name in places
    )


def strip_loads(
    source: Map, first: str, high: int, wide: int, step: int = 1, pad: int = 0, fill: str = ""
) -> str:
    """Words that load ``high`` rows of ``wide`` positions, ``step`` apart, into `tx`. Positions
    outside the map read as the fill value."""
    lines = divisor(high, DMA_BYTES // (4 * wide * source.c))
    check(4 * wide * source.c <= DMA_BYTES, f"a row of {source.name} is more than a transfer moves")
    dims, by, minus = f"{{r:{lines}, j:{wide}, d:{source.c}}}", f"{step}*" * (step > 1), f" - {pad}"
    shift = minus * bool(pad)
    return f"""\
    loop q < {high // lines} {{
      LD0 copy tx{dims}[{lines}*q + r, j, d], \
{source.name}{dims}[{first} + {step * lines}*q + {by}r{shift}, {by}j{shift}, d]{fill}
    }}
"""


# ---- convolutions --------------------------------------------------------------------------------
def conv_text(conv: Conv, machine: Machine, least: int, places: dict[str, str]) -> str:
    """A convolution: strips are loaded with their padding, so that the multiply's view of them
    needs no box; a window is a row of K numbers in place."""
    p, own = plan(conv, machine, least), tsram(machine)
    many, n, m = conv.turns > 1, p.channels, p.positions
    high, wide = conv.extent(p.rows), conv.extent(conv.target.w)
    c, block = conv.source.c, machine.int("ttu.block")
    first = f"{conv.loaded * conv.step * p.rows}*strip"
    results = f"{{p:{m} | j:{n}}}[p, j]"
    added, kept = ", tr" + results, f"  buffer tr : fp32[{m}, {n}] @tsram "
    chain = "add(a, b)" + "; add(r0, c)" * conv.residual
    chain += f"; max(r{int(conv.residual)}, 0.0)" * conv.relu
    return f"""\
block {conv.name} {{
{LAYER.format(most=conv.turns - 1) if many else ""}\
{LEFT.format(turns=conv.turns) if many and conv.residual else ""}\
{buffers(places, conv.source, conv.target)}\
  buffer tx : fp32[{high}, {wide}, {c}] @tsram {own.take(4 * high * wide * c)}
  buffer tw : fp32[{conv.k}, {n}] @tsram {own.take(4 * conv.k * n)}
  buffer tb : fp32[{n}] @tsram {own.take(4 * n)}
  buffer ty : fp32[{m}, {n}] @tsram {own.take(4 * m * n)}
{kept + own.take(4 * m * n) + chr(10) if conv.residual else ""}\
  buffer acc : fp32[{m}, {-(-n // block) * block}] @acc 0x0
  sem input   : LD0 -> TTU tile
  sem weights : LD1 -> TTU tile
{"  sem before  : LD0 -> DRN tile" + chr(10) if conv.residual else ""}\
  sem product : TTU -> DRN tile
  sem result  : DRN -> ST tile
  chain finish : fp32 = {chain}
{units(p.units, p.parts, machine)}\
  loop if_works < works on tile {{
    at "{conv.name}"
{strip_loads(conv.source, first, high, wide, conv.loaded, conv.pad)}\
    LD0 sync post(input)
{_residual(conv, p) if conv.residual else ""}\
    LD1 copy tb{{j:{n}}}[j], {conv.name}_b{{j:{n}}}[{"layer" if many else "0"}, {n}*part + j]
    TTU sync wait(input)
{_multiply(conv, p)}\
    TTU sync post(product)
    DRN accst ty{results}, acc{results}, tb{{p:{m} | j:{n}}}[j]{added * conv.residual} \
chain=finish wait(product{", before" * conv.residual}) post(result)
    ST copy {_target(conv, p)}, {_own("ty", conv, p)} wait(result)
  }}
"""


def _target(conv: Conv, p: Plan) -> str:
    """The part of the target that a tile computes."""
    dims = f"{{a:{p.rows}, b:{conv.target.w}, j:{p.channels}}}"
    return f"{conv.target.name}{dims}[{p.rows}*strip + a, b, {p.channels}*part + j]"


def _own(name: str, conv: Conv, p: Plan) -> str:
    """The same in a buffer of the tile."""
    w = conv.target.w
    return f"{name}{{a:{p.rows}, b:{w}, j:{p.channels}}}[{w}*a + b, j]"


def _residual(conv: Conv, p: Plan) -> str:
    return f"    LD0 copy {_own('tr', conv, p)}, {_target(conv, p)} post(before)\n"


def _multiply(conv: Conv, p: Plan) -> str:
    """Weights and multiplies, piece by piece of K."""
    y, x, d = p.cuts
    size, c, n = conv.kernel, conv.source.c, p.channels
    depth, layer = conv.k // (y * x * d), "layer" if conv.turns > 1 else "0"
    start = f"{depth * x * d}*y + {depth * d}*x + {depth}*d"
    piece, step = f"{{r:{depth}, j:{n}}}", f"{conv.step}*" * (conv.step > 1)
    window = f"u:{size // y}, v:{size // x}, e:{c // d}"
    place = f"[{step}a + u + y, {step}b + v + x, {c // d}*d + e]"
    return f"""\
    loop y < {y} {{
      loop x < {x} {{
        loop d < {d} {{
          LD1 copy tw{piece}[{start} + r, j], {conv.name}_w{piece}[{layer}, part, {start} + r, j] \
post(weights)
          TTU mm acc{{p:{p.positions} | j:{n}}}[p, j], \
tx{{a:{p.rows}, b:{conv.target.w} | {window}}}{place}, \
tw{{j:{n} | r:{depth}}}[{start} + r, j] mode=first level=y wait(weights)
        }}
      }}
    }}
"""


# ---- pooling -------------------------------------------------------------------------------------
def pool_text(pool: Pool, machine: Machine, least: int, places: dict[str, str]) -> str:
    """The maximum of windows of 3 x 3: of three in a row, then of three below each other."""
    own, out, c = tsram(machine), pool.target, pool.source.c
    tiles = machine.tiles * machine.clusters
    counts = [n for n in range(1, tiles + 1) if out.h % n == 0]
    strips = next((n for n in counts if n >= least), counts[-1])
    rows, w = out.h // strips, out.w
    high, wide = 2 * rows + 1, 2 * w + 1
    across, down = f"{{r:{high}, b:{w}, d:{c}}}", f"{{a:{rows}, b:{w}, d:{c}}}"
    three = ", ".join(f"tx{across}[r, 2*b + {i}, d]" for i in range(3))
    below = ", ".join(f"tm{down}[2*a + {i}, b, d]" for i in range(3))
    return f"""\
block {pool.name} {{
{buffers(places, pool.source, out)}\
  buffer tx : fp32[{high}, {wide}, {c}] @tsram {own.take(4 * high * wide * c)}
  buffer tm : fp32[{high}, {w}, {c}] @tsram {own.take(4 * high * w * c)}
  buffer ty : fp32[{rows}, {w}, {c}] @tsram {own.take(4 * rows * w * c)}
  sem input  : LD0 -> TVP tile
  sem result : TVP -> ST tile
  chain most : fp32 = max(a, b); max(r0, c)
{units(strips, 1, machine)}\
  loop if_works < works on tile {{
    at "{pool.name}"
{strip_loads(pool.source, f"{2 * rows}*strip", high, wide, 1, 1, " fill -inf")}\
    LD0 sync post(input)
    TVP vmap tm{across}[r, b, d], {three} chain=most wait(input)
    TVP vmap ty{down}[a, b, d], {below} chain=most post(result)
    ST copy {out.name}{down}[{rows}*strip + a, b, d], ty{down}[a, b, d] wait(result)
  }}
"""


def average_text(average: Average, machine: Machine, least: int, places: dict[str, str]) -> str:
    """The mean over all positions: each tile has some channels."""
    own, source = tsram(machine), average.source
    parts = divisor(source.c, max(1, least))
    n, points = source.c // parts, source.h * source.w
    every = f"{{a:{source.h}, b:{source.w}, j:{n}}}"
    check(4 * points * n <= DMA_BYTES, "the channels of a part are more than a transfer moves")
    return f"""\
block {average.name} {{
{buffers(places, source, average.target)}\
  buffer tx : fp32[{points}, {n}] @tsram {own.take(4 * points * n)}
  buffer ty : fp32[{n}] @tsram {own.take(4 * n)}
  sem input  : LD0 -> TVP tile
  sem result : TVP -> ST tile
  chain part : fp32 = mul(a, {1 / points:.9e})
{units(parts, parts, machine)}\
  loop if_works < works on tile {{
    at "{average.name}"
    LD0 copy tx{every}[{source.w}*a + b, j], {source.name}{every}[a, b, {n}*part + j] post(input)
    TVP vred ty{{j:{n}}}[j], tx{{j:{n} | p:{points}}}[p, j] op=sum wait(input)
    TVP vmap ty{{j:{n}}}[j], ty{{j:{n}}}[j] chain=part post(result)
    ST copy {average.target.name}{{j:{n}}}[0, 0, {n}*part + j], ty{{j:{n}}}[j] wait(result)
  }}
"""
