"""Times the kernels of ``examples/mist`` in full size and compares them with what is ideal.

    python benchmarks/kernels.py                          the table, a line as soon as it is timed
    python benchmarks/kernels.py GEMM                     only rows whose name has `GEMM`
    python benchmarks/kernels.py --sensitivity            also with other widths of two ports
    python benchmarks/kernels.py --write docs/kernels.md  both, and the document

What to time and what would be ideal is in ``kernel_rows.py``. The golden file
``tests/golden/timing/kernels.json`` has the form of ``measured`` below; the document is made from
that form alone.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT), str(ROOT / "examples" / "mist")]

from benchmarks.kernel_rows import ROWS, Row  # noqa: E402
from maiacc_isa.asm import assemble  # noqa: E402
from maiacc_isa.machine import Machine, load_machine, machine_from_values  # noqa: E402
from maiacc_isa.measure import WordMeasure  # noqa: E402
from maiacc_isa.operation import TICKS  # noqa: E402
from maiacc_isa.program import Program  # noqa: E402
from maiacc_sim.counts import count  # noqa: E402
from maiacc_sim.ports import Ports  # noqa: E402
from maiacc_sim.recipe import Recipe, peers_of  # noqa: E402
from maiacc_sim.scalar_log import Scalars, check_parameters  # noqa: E402
from maiacc_sim.system import System  # noqa: E402
from maiacc_sim.timing.run import time_program  # noqa: E402

#: The ports whose widths the machine file assumes.
ASSUMED = ("csram", "tile")

#: Other machines that are tried: port, factor, and what the document calls it.
VARIANTS = {f"{port} {factor}": (port, factor) for port in ASSUMED for factor in (0.5, 2.0)}

#: What was measured of a row: cycles, executed words, bytes by port.
Measured = dict[str, Any]


def program_of(row: Row) -> Program:
    """The row's program, assembled."""
    return _program(row.kernel, row.target, tuple(row.sizes.items()))


@functools.cache
def _program(name: str, target: str, sizes: tuple[tuple[str, int], ...]) -> Program:
    kernel = importlib.import_module(name)
    text = kernel.source(target, **kernel.SIZES[target] | dict(sizes))
    return assemble(text, f"{name}.mist")


def scalars_of(row: Row, program: Program) -> Scalars:
    """What the run takes parameters and loaded scalars from."""
    given = check_parameters(program, dict(row.parameters))
    return Scalars(given, row.log(program) if row.log else None)


def _machine(old: Machine, changed: dict[str, int | float]) -> Machine:
    return machine_from_values(f"{old.name}*", "a variant", {**old.values, **changed})


def measure(row: Row) -> Measured:
    """Times a row on its machine."""
    program = program_of(row)
    scalars = scalars_of(row, program)
    timed = time_program(program, scalars)
    return {
        "cycles": timed.cycles,
        "words": timed.account.executed,
        "port_bytes": dict(sorted(port_bytes(program, scalars).items())),
        "bound": timed.totals.bound,
        "bound_cycles": timed.totals.bounds[timed.totals.bound],
    }


def port_bytes(program: Program, scalars: Scalars) -> Counter[str]:
    """The bytes that pass the ports of each kind.

    On a machine whose ports are 16 bytes wide, a tick is a byte.
    """
    narrow: dict[str, int | float] = {
        path: TICKS for path in program.machine.values if path.endswith(".bytes_per_cycle")
    }
    wide = replace(program, machine=_machine(program.machine, narrow))
    system, found = System(wide.machine), Counter[str]()
    ports = Ports(system)
    for (number, instance, index, key), times in count(wide, scalars).words.items():
        block, who = wide.blocks[number], system.instances[instance]
        word = block.words[index]
        sizes, homes, peer = Recipe(word, block).split(key)
        peers = peers_of(system, block, word, who.chip, peer) or ()
        what = WordMeasure(word, block, wide.machine, sizes=sizes)
        for passed, ticks in ports.passes(what, who, homes, peers):
            for port in passed:
                found[ports.kinds[port]] += ticks * times
    return found


def varied(row: Row, variant: str) -> int:
    """Cycles of a row when a port has another width."""
    port, factor = VARIANTS[variant]
    path = f"{port}.bytes_per_cycle"
    program = program_of(row)
    width = int(program.machine.int(path) * factor)
    other = replace(program, machine=_machine(program.machine, {path: width}))
    return time_program(other, scalars_of(row, other)).cycles


def share(row: Row, found: dict[str, Measured]) -> float:
    """The row's ideal as a share of its cycles."""
    return row.ideal(load_machine(row.target)) / float(found[row.name]["cycles"])


def reached(row: Row, found: dict[str, Measured]) -> tuple[bool, str, str]:
    """Whether a row does what is required, what that is, and what it reached."""
    cycles = int(found[row.name]["cycles"])
    if row.against:
        ratio = found[row.against]["cycles"] / cycles
        return ratio >= row.require, f"{row.require:g} x dense", f"{ratio:.3f} x"
    if row.require > 1:
        unit = "a step" if row.steps > 1 else "cycles"
        each = cycles / row.steps
        return each <= row.require, f"at most {row.require:,.0f} {unit}", f"{each:,.0f} {unit}"
    part = share(row, found)
    return part >= row.require, f"{row.require:.0%}", f"{part:.1%}"


def line(row: Row, found: dict[str, Measured]) -> str:
    """A row of the table."""
    m = found[row.name]
    well, wanted, got = reached(row, found)
    ideal = row.ideal(load_machine(row.target))
    cells = (
        row.name,
        f"`{row.kernel}`",
        f"{m['cycles']:,}",
        f"{ideal:,.0f}",
        f"{share(row, found):.1%}",
        wanted,
        got if well else f"**{got}: missed**",
        row.bound,
        f"{m['bound']} {m['bound_cycles'] / m['cycles']:.0%}",
        f"{m['words']:,}",
    )
    return "| " + " | ".join(cells) + " |"


HEAD = """\
| workload | kernel | cycles | ideal | share | require | reached | ideal of | busiest | words |
|---|---|--:|--:|--:|---|---|---|---|--:|
"""

INTRO = """\
# Kernels

What the kernels of [`examples/mist`](../examples/mist/README.md) reach in full size on `maia200`
(the all-reduce on `maia200x4`). Every cycle is one of the timing model; no chip was measured.

- *ideal*: cycles that no program can beat, from the machine and the workload alone: the
  multiplications at the peak of all tensor units, or the bytes that must move once at the
  width of HBM or of the slowest link in use.
- *share*: ideal / cycles. *require*: what a kernel has to reach to stay in the repository: a
  share, a number of cycles, or a speed-up.
- *ideal of*: what the ideal is made of, or what decides where it says little. *busiest*: the
  resource that the program keeps busy longest, and for how much of the time.
- *words*: engine words and scalar loads executed.

```
python benchmarks/kernels.py                          # the table, with the seconds it takes
python benchmarks/kernels.py --sensitivity            # also with other widths of two ports
python benchmarks/kernels.py --write docs/kernels.md  # this document
pytest --nightly tests/sim/test_kernels_cycles.py     # all rows, exactly
```

"""

OTHER = """
## If the assumed widths were others

The machine file assumes the widths of two ports: of CSRAM and of a tile's DMA. Cycles, and their
ratio to those of the table, with one of them halved or doubled; programs are unchanged.

"""


def _sparse(found: dict[str, Measured]) -> str:
    """How firmly the speed-up of the row that is compared with another stands."""
    row = next(row for row in ROWS if row.against)
    dense, sparse = found[row.against], found[row.name]
    ratios = [
        f"{dense['sensitivity'][v] / sparse['sensitivity'][v]:.3f} with {v}" for v in VARIANTS
    ]
    return (
        f"\nThe speed-up of 2:4 sparse weights, {dense['cycles'] / sparse['cycles']:.3f}, is only "
        "just what is required: the slots of the ring of B, the lengths of load words and the "
        "order of segments were chosen by timing this very case. It needs the assumed widths: "
        f"{', '.join(ratios)}."
    )


def document(found: dict[str, Measured]) -> str:
    """The text of ``docs/kernels.md``."""
    missed = [row for row in ROWS if not reached(row, found)[0]]
    lines = [INTRO + HEAD + "\n".join(line(row, found) for row in ROWS), "\n## Why not more\n"]
    lines += [f"- *{row.name}*: {row.why}" for row in ROWS]
    lines.append("\n## What is missed\n")
    for row in missed:
        _, wanted, got = reached(row, found)
        lines.append(f"- *{row.name}*: {got} of {wanted}: {row.missed}.")
    if not missed:
        lines.append("Every row reaches what is required.")
    lines.append(_sparse(found))
    lines.append(OTHER + "| workload | " + " | ".join(VARIANTS) + " |")
    lines.append("|---|" + "--:|" * len(VARIANTS))
    for row in ROWS:
        m = found[row.name]
        cells = [f"{n:,} ({n / m['cycles']:.2f})" for n in m["sensitivity"].values()]
        lines.append("| " + " | ".join([row.name, *cells]) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Times the kernels of examples/mist.")
    parser.add_argument("names", nargs="*", help="only rows whose name has one of these")
    parser.add_argument("--sensitivity", action="store_true", help="also other port widths")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the document")
    given = parser.parse_args()
    found: dict[str, Measured] = {}
    print(HEAD.replace("words |", "words | seconds |").replace("--:|\n", "--:|--:|\n"), end="")
    for row in ROWS:
        wanted = not given.names or any(name in row.name for name in given.names)
        if not wanted and not given.write and all(r.against != row.name for r in ROWS):
            continue
        start = time.process_time()
        found[row.name] = measure(row)
        seconds = time.process_time() - start
        print(f"{line(row, found)} {seconds:.2f} |", flush=True)
        if given.sensitivity or given.write:
            found[row.name]["sensitivity"] = {v: varied(row, v) for v in VARIANTS}
            for variant, cycles in found[row.name]["sensitivity"].items():
                ratio = cycles / found[row.name]["cycles"]
                print(f"    {variant}: {cycles:,} ({ratio:.2f})", flush=True)
    if given.write:
        given.write.write_text(document(found), "utf-8")


if __name__ == "__main__":
    main()
