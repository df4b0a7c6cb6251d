"""How near compiled programs come to what the machine could do at best.

    python benchmarks/quality.py [ROW ...] [--check | --update]

Each row is compiled for ``maia200`` and timed without data. Its bound knows nothing of the program:
the multiply-adds of the model at the tensor units' peak, or the bytes of its inputs, weights and
outputs, each moved once, at the rate of HBM, whichever takes longer. Cycles, bytes of HBM and words
are exact, and kept in ``quality.json``: ``--check`` compares them, ``--update`` writes them anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from maiacc.compiler import Compiled, compile_module  # noqa: E402
from maiacc.frontend.model import Settings, import_model  # noqa: E402
from maiacc.options import CompileOptions  # noqa: E402
from maiacc_isa.machine import Machine, load_machine  # noqa: E402
from maiacc_passes.counting import count  # noqa: E402
from maiacc_passes.ir.graph import Module, Op, Value  # noqa: E402
from maiacc_passes.ir.parser import parse_module  # noqa: E402
from maiacc_sim.result import Result  # noqa: E402
from maiacc_sim.simulate import Options, simulate  # noqa: E402
from zoo import zoo  # noqa: E402

TARGET = "maia200"
KEPT = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Row:
    """A line of the table: what is compiled, in which precision, and how many times its bound it is
    meant to take at most."""

    name: str
    most: float
    module: Callable[[], Module]
    precision: str = "model"
    rate: str = "bf16"


@dataclass(frozen=True)
class Counts:
    """What is exact about a program, and gated."""

    cycles: int
    hbm_bytes: int
    words: int
    bound: int
    by: str


# ---- what is compiled ------------------------------------------------------------------------
def text(graph: str) -> Module:
    """A module of the text of a graph."""
    return parse_module(f"ir 1 graph\n{graph}")


def product(m: int, n: int, k: int, kind: str = "bf16", to: str = "bf16") -> Module:
    """A product of two matrices."""
    return text(
        f'graph (%0: {kind}[{m}, {k}] "x", %1: {kind}[{k}, {n}] "w") -> ("y") {{\n'
        f'  %2 = contract(%0, %1) {{spec="ab,bc->ac", to={to}}} : {to}[{m}, {n}]\n'
        "  return(%2)\n}\n"
    )


def rows(op: str, attrs: str = "") -> Module:
    """An op over 4,096 rows of 8,192 numbers."""
    kind = "bf16[4096, 8192]"
    return text(
        f'graph (%0: {kind} "x") -> ("y") {{\n  %1 = {op}(%0) {attrs} : {kind}\n  return(%1)\n}}\n'
    )


def convolution(channels: tuple[int, int], size: int, stride: int, groups: int = 1) -> Module:
    """A 3 x 3 convolution of eight images."""
    (c, o), half = channels, size // stride
    head = f'graph (%0: bf16[8, {c}, {size}, {size}] "x", %1: bf16[{o}, {c // groups}, 3, 3] "w")'
    attrs = f"strides=[{stride}, {stride}], pads=[1, 1, 1, 1], dilations=[1, 1], groups={groups}"
    made = f"bf16[8, {o}, {half}, {half}]"
    return text(f'{head} -> ("y") {{\n  %2 = conv(%0, %1) {{{attrs}}} : {made}\n  return(%2)\n}}\n')


def network(name: str) -> Module:
    """A real architecture."""
    model = zoo.build(name)
    shapes = {key: value.shape for key, value in zoo.inputs(name).items()}
    return import_model(model, Settings(shapes=shapes))


def net(title: str, name: str, most: float) -> Row:
    """A row of a network in bf16."""
    return Row(title, most, partial(network, name), "bf16")


ROWS = (
    Row("GEMM 4096^3", 1 / 0.95, partial(product, 4096, 4096, 4096)),
    Row("GEMM 8192^3", 1 / 0.97, partial(product, 8192, 8192, 8192)),
    Row("GEMM 8192^3 fp8", 1 / 0.95, partial(product, 8192, 8192, 8192, "e4m3"), rate="fp8"),
    Row("matrix-vector 8192 x 28672", 1 / 0.95, partial(product, 1, 28672, 8192)),
    Row("conv 3x3/2 64 to 128, 56 x 56", 1 / 0.85, partial(convolution, (64, 128), 56, 2)),
    Row("depthwise 3x3, 64, 56 x 56", 1 / 0.80, partial(convolution, (64, 64), 56, 1, 64)),
    Row("softmax 4096 x 8192", 1 / 0.85, partial(rows, "softmax", "{axis=1}")),
    Row("gelu 4096 x 8192", 1 / 0.85, partial(rows, "gelu")),
    net("GPT-2 small, prefill 128", "gpt2_prefill_s128", 2.0),
    net("BERT base, 128", "bert_base_s128", 2.6),
    net("Llama, prefill 128", "llama1b4l_prefill_s128_op23", 1.6),
    net("Llama, decode past 512", "llama1b4l_decode_p512_op23", 1 / 0.85),
    net("ResNet-50", "resnet50", 4.5),
)


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
    block = machine.int("ttu.block")
    peak = block * block * machine.int(f"ttu.kchunk.{row.rate}") * machine.instances("tile")
    rate = machine.int("hbm.bytes_per_cycle") * float(machine["hbm.efficiency"])
    found = {"tensor units": -(-macs // peak), "HBM": int(moved(compiled) / rate)}
    by = max(found, key=lambda name: found[name])
    return found[by], by


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
    return Counts(result.cycles, bytes_, words, bound, by), result


# ---- the table -----------------------------------------------------------------------------
def lines(chosen: list[Row]) -> Iterator[tuple[Row, Counts, str]]:
    """The rows of the table."""
    for row in chosen:
        counts, result = measured(row)
        ratio = counts.cycles / counts.bound
        own = result.timed.totals
        limit = f"{own.bound} {own.bounds[own.bound] / counts.cycles:.0%}"
        against = f"{counts.cycles:>12,}{counts.bound:>12,} {counts.by:<13}{ratio:>6.2f}"
        missed = "" if ratio <= row.most else "missed"
        memory = f"{counts.hbm_bytes / 2**20:>9.1f}{counts.words:>7}  {limit}"
        yield row, counts, f"{row.name:<30}{against}{row.most:>6.2f} {missed:<7}{memory}"


def main() -> int:
    """Prints the table of the rows that are named; 1 if ``--check`` finds a difference."""
    asked = [arg for arg in sys.argv[1:] if not arg.startswith("--")]
    chosen = [row for row in ROWS if not asked or any(x in row.name for x in asked)]
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    differ = []
    print(
        f"{'':<30}{'cycles':>12}{'bound':>12} {'by':<13}{'ratio':>6}{'aim':>6} {'':<7}"
        f"{'HBM MiB':>9}{'words':>7}  the program's own bound, of its cycles"
    )
    for row, counts, line in lines(chosen):
        print(line, flush=True)
        found = asdict(counts)
        if kept.get(row.name) != found:
            differ.append(f"{row.name}: {kept.get(row.name)} became {found}")
        kept[row.name] = found
    if "--update" in sys.argv:
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    if "--check" in sys.argv and differ:
        print(*differ, sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
