"""How near compiled programs come to what the machine could do at best.

    python benchmarks/quality.py [ROW ...] [--check | --update]

Each row is compiled for ``maia200`` and timed without data. Its bound knows nothing of the program:
the multiply-adds of the model at the tensor units' peak, or the bytes of its inputs, weights and
outputs, each moved once, at the rate of HBM, whichever takes longer. Cycles, bytes of HBM and words
are exact, and kept in ``quality.json``: ``--check`` compares them, ``--update`` writes them anew.

The *floor* is what dependences alone take: the same program on a machine whose memories, tensor and
vector units are so fast that a word occupies them for next to no time, but that waits as long for
what has been asked for.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.quality_rows import ROWS, Row  # noqa: E402
from maiacc.compiler import Compiled, compile_module  # noqa: E402
from maiacc.options import CompileOptions  # noqa: E402
from maiacc_isa.machine import Machine, load_machine  # noqa: E402
from maiacc_isa.program import Program  # noqa: E402
from maiacc_passes.counting import count  # noqa: E402
from maiacc_passes.ir.graph import Module, Op, Value  # noqa: E402
from maiacc_sim.native.timing_engine import NativeTimer  # noqa: E402
from maiacc_sim.result import Result  # noqa: E402
from maiacc_sim.scalar_log import Scalars  # noqa: E402
from maiacc_sim.simulate import Options, simulate  # noqa: E402

TARGET = "maia200"
KEPT = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Counts:
    """What is exact about a program, and gated."""

    cycles: int
    hbm_bytes: int
    words: int
    bound: int
    by: str
    floor: int


# ---- bounds --------------------------------------------------------------------------------
def moved(compiled: Compiled) -> int:
    """Bytes of inputs, outputs and weights; of tables that rows are gathered from, these rows."""
    found = sum(t.bytes() for t in compiled.program.tensors if t.kind in ("input", "output"))
    used: dict[Value, list[Op]] = {}
    for op in compiled.module.main.walk():
        for value in op.operands:
            if value is not None and value.weight is not None:
                used.setdefault(value, []).append(op)
    for value, ops in used.items():
        size = value.type.size * value.type.element.bits // 8
        if all(op.name == "gather" and op.operands[0] is value for op in ops):
            rows_of = sum(op.result.type.size * op.result.type.element.bits // 8 for op in ops)
            size = min(size, rows_of)
        found += size
    return found


def bound_of(row: Row, macs: int, compiled: Compiled, machine: Machine) -> tuple[int, str]:
    """The least cycles that any program could take, and what decides."""
    if row.beside:
        return json.loads(KEPT.read_text("utf-8"))[row.beside]["cycles"], "dense"
    block, tiles = machine.int("ttu.block"), machine.instances("tile")
    peak = block * block * machine.int(f"ttu.kchunk.{row.rate}") * tiles
    rate = machine.int("hbm.bytes_per_cycle") * float(machine["hbm.efficiency"])
    found = {"tensor units": -(-(row.macs or macs) // peak)}
    found["HBM"] = int((row.bytes or moved(compiled)) / rate)
    found["vector units"] = int(row.passes * row.elements / (machine.int("tvp.lanes32") * tiles))
    by = max(found, key=lambda name: found[name])
    return found[by], by


#: What of a machine says how much is done in a cycle, and by how much the fast one does more.
FAST = re.compile(r"\.bytes_per_cycle$|^ttu\.(kchunk\.|port_bytes|acc_bytes)|\.lanes\d+$")
FASTER = 1 << 12


def floor_of(program: Program) -> int:
    """Cycles of a program where only latencies count."""
    machine = program.machine
    values = {
        path: int(value) * FASTER if FAST.search(path) else value
        for path, value in machine.values.items()
    }
    fast = replace(program, machine=replace(machine, values=values))
    return NativeTimer(fast).run(Scalars({})).cycles


def measured(row: Row) -> tuple[Counts, Result]:
    """A row's program, compiled and timed."""
    machine = load_machine(TARGET)
    macs: list[int] = []

    def after(name: str, module: Module) -> None:
        if name == "order":
            macs.append(count(module).macs)

    options = CompileOptions(TARGET, row.precision)
    compiled = compile_module(row.module(), machine, after=after, options=options)
    result = simulate(compiled.program, options=Options(values=False))
    totals = result.timed.totals
    bound, by = bound_of(row, macs[0], compiled, machine)
    words = sum(len(block.words) for block in compiled.program.blocks)
    bytes_ = totals.read.get("hbm", 0) + totals.written.get("hbm", 0)
    floor = floor_of(compiled.program)
    return Counts(result.cycles, bytes_, words, bound, by, floor), result


# ---- the table -----------------------------------------------------------------------------
def lines(chosen: list[Row]) -> Iterator[tuple[Row, Counts, str]]:
    """The rows of the table."""
    for row in chosen:
        counts, result = measured(row)
        ratio = counts.cycles / counts.bound
        own = result.timed.totals
        limit = f"{own.bound} {own.bounds[own.bound] / counts.cycles:.0%}"
        against = f"{counts.cycles:>12,}{counts.bound:>12,} {counts.by:<13}{ratio:>6.2f}"
        memory = f"{counts.floor:>9,}"
        missed = "" if ratio <= row.most else "missed"
        memory += f"{counts.hbm_bytes / 2**20:>9.1f}{counts.words:>7}  {limit}"
        yield row, counts, f"{row.name:<30}{against}{row.most:>6.2f} {missed:<7}{memory}"


def main() -> int:
    """Prints the table of the rows that are named; 1 if ``--check`` finds a difference."""
    asked = [arg for arg in sys.argv[1:] if not arg.startswith("--")]
    chosen = [row for row in ROWS if not asked or any(x in row.name for x in asked)]
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    differ = []
    print(
        f"{'':<30}{'cycles':>12}{'bound':>12} {'by':<13}{'ratio':>6}{'aim':>6} {'':<7}"
        f"{'floor':>9}{'HBM MiB':>9}{'words':>7}  the program's own bound, of its cycles"
    )
    for row, counts, line in lines(chosen):
        print(line, flush=True)
        found = asdict(counts)
        if kept.get(row.name) != found:
            differ.append(f"{row.name}: {kept.get(row.name)} became {found}")
        kept[row.name] = found
    if "--update" in sys.argv:
        kept = {row.name: kept[row.name] for row in ROWS if row.name in kept}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    if "--check" in sys.argv and differ:
        print(*differ, sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
