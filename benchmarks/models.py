"""How fast the native simulator runs compiled models, beside onnxruntime.

    python benchmarks/models.py [ROW ...] [--kinds]

Each row is a model of the zoo, compiled for ``maia200`` in bf16, and run in a session on one
thread, values and cycles together. Its neighbour is onnxruntime with the same model in fp32 on one
thread. Both run in turn, and the CPU time of each is the median of its runs. ``timing`` is the wall
time of a run without values, in a session of its own. ``--kinds`` says by which instructions the
host's time is estimated to be taken.

Needs onnx and onnxruntime (``pip install -e '.[test]'``).
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.compile_models import of_the_zoo  # noqa: E402
from benchmarks.native_parts import costs, peers  # noqa: E402
from maiacc.compiling.build import build  # noqa: E402
from maiacc.frontend.load import load_model  # noqa: E402
from maiacc.frontend.options import settings_for  # noqa: E402
from maiacc.options import CompileOptions  # noqa: E402
from maiacc_isa.container import open_program, save  # noqa: E402
from maiacc_isa.machine import load_machine  # noqa: E402
from maiacc_isa.program import Program  # noqa: E402
from maiacc_sim.bounds import totals  # noqa: E402
from maiacc_sim.counts import Counts, count  # noqa: E402
from maiacc_sim.estimate import expected_seconds  # noqa: E402
from maiacc_sim.scalar_log import Scalars  # noqa: E402
from maiacc_sim.session import Session  # noqa: E402
from maiacc_sim.simulate import Options  # noqa: E402
from zoo.zoo import inputs  # noqa: E402

TARGET = "maia200"

#: Runs without values, each in a session of its own.
TIMINGS = 3


@dataclass(frozen=True)
class Row:
    """A line of the table: a model of the zoo, how many times onnxruntime's time it may take, and
    how often it is run."""

    name: str
    model: str
    most: float
    runs: int


ROWS = (
    Row("GPT-2 small, prefill of 128", "gpt2_prefill_s128", 1.5, 5),
    Row("BERT base, 128", "bert_base_s128", 1.5, 5),
    Row("GPT-2 small, one token after 128", "gpt2_decode_p128", 1.2, 9),
    Row("Llama of four layers, one token after 512", "llama1b4l_decode_p512_op23", 1.2, 9),
    Row("ResNet-50", "resnet50", 2.5, 7),
    Row("MobileNetV2", "mobilenetv2", 4.0, 9),
)


def compiled(row: Row, folder: Path) -> Program:
    """The program of a row, from its file, so that weights are mapped."""
    loaded = load_model(str(of_the_zoo(row.model, folder)))
    options = CompileOptions(TARGET, "bf16")
    built = build(loaded, settings_for(loaded.model, (), ()), load_machine(TARGET), options)
    path = folder / f"{row.model}.maia"
    save(built.program, str(path))
    return open_program(str(path))


def line(row: Row, program: Program, folder: Path) -> str:
    """A line of the table, in Markdown."""
    walls = []
    for _ in range(TIMINGS):
        start = time.perf_counter()
        timed = Session(program, Options(values=False, threads=1)).run({})
        walls.append(time.perf_counter() - start)
    timing = statistics.median(walls)
    session = Session(program, Options(threads=1))
    given = inputs(row.model, seed=1)
    first = session.run(given)
    assert first.executed is not None
    assert first.cycles == timed.cycles
    asked = sum(first.executed.asked.values())
    peer = peers.onnxruntime_of(row.model, folder)
    ours, theirs = costs.interleaved([lambda: session.run(given), peer], row.runs)
    ratio = ours / theirs
    missed = " missed" if ratio > row.most else ""
    by_python = f", {asked:,} words by Python" if asked else ""
    return (
        f"| {row.name} | {1e3 * ours:.1f} ms | {1e3 * theirs:.1f} ms | {ratio:.2f} | "
        f"{row.most:g}{missed} | {timing:.2f} s | {timed.cycles:,}{by_python} |"
    )


def kinds(program: Program) -> str:
    """The instructions that take most of the host's time, by the estimate of words, multiplications
    and bytes."""
    counts = count(program, Scalars({}))
    parts: dict[str, Counter[tuple[int, int, int, object]]] = {}
    for key, times in counts.words.items():
        word = program.blocks[key[0]].words[key[2]]
        parts.setdefault(word.name, Counter())[key] = times
    found: Counter[str] = Counter()
    for name, words in parts.items():
        work = totals(program, Counts(words))  # type: ignore[arg-type]  # keys are those of counts
        found[name] = round(1e6 * expected_seconds(work, "native"))
    whole = found.total()
    return ", ".join(f"{name} {100 * n / whole:.0f} %" for name, n in found.most_common(5))


def main() -> None:
    """Prints the table of the rows that are named; of all, if none is."""
    asked = [arg for arg in sys.argv[1:] if not arg.startswith("--")]
    print(peers.surroundings() + "\n")
    print("| model | ours | onnxruntime | ratio | aim | timing | cycles |")
    print("|---|---|---|---|---|---|---|")
    with TemporaryDirectory() as name:
        for row in ROWS:
            if not asked or any(part in row.name for part in asked):
                program = compiled(row, Path(name))
                print(line(row, program, Path(name)), flush=True)
                if "--kinds" in sys.argv:
                    print(f"    {kinds(program)}", flush=True)


if __name__ == "__main__":
    main()
