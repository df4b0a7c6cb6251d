"""How long models take to be compiled and written, and how many words they become.

    python benchmarks/compile_time.py [ROW ...]

Each row is ``maiacc compile`` in a process of its own, for ``maia200``: the CPU seconds of the
process, all of them and without those that it takes to start and to load the compiler. Rows of the
instruction set are read from the cache, as in every run but a user's first; proofs are not. The
figures are medians of three. Prints a table in Markdown.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGKILL
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryDirectory
from threading import Timer

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.compile_models import Llama, of_the_zoo  # noqa: E402

TARGET = "maia200"

#: Runs of each row.
RUNS = 3

#: Seconds after which a process is ended.
LIMIT = 60

#: Steps that a row names.
STEPS = 3


@dataclass(frozen=True)
class Row:
    """A line of the table: a model, how it is compiled, and the CPU seconds and words it is meant
    to take at most."""

    name: str
    model: Callable[[Path], Path]
    options: tuple[str, ...]
    seconds: float | None
    words: int | None = None


def llama(folder: Path) -> Path:
    """The large one."""
    return Llama().saved(folder / "llama")


BF16 = ("--precision", "bf16")

ROWS = (
    Row("ResNet-50", partial(of_the_zoo, "resnet50"), BF16, 3.0),
    Row("ResNet-50, fp32", partial(of_the_zoo, "resnet50"), (), 3.0),
    Row("GPT-2 small, prefill of 128", partial(of_the_zoo, "gpt2_prefill_s128"), BF16, 5.0),
    Row("BERT base, 128", partial(of_the_zoo, "bert_base_s128"), BF16, 4.0),
    Row("MobileNetV2", partial(of_the_zoo, "mobilenetv2"), BF16, None),
    Row(
        "Llama 7B, one token after 512, no weights", llama, (*BF16, "--no-weights"), 20.0, 2000
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """What a process printed, and its CPU seconds."""

    out: str
    seconds: float


def ran(arguments: Sequence[str], cache: Path) -> Ran:
    """Python with the packages of the checkout in a process of its own, which ends at the limit.
    Raises ``RuntimeError`` if it fails."""
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("", "isa", "passes", "sim"))
    environment = {**os.environ, "PYTHONPATH": paths, "MAIACC_CACHE": str(cache)}
    with Popen([sys.executable, *arguments], stdout=PIPE, stderr=DEVNULL, env=environment) as child:
        assert child.stdout is not None
        ending = Timer(LIMIT, child.kill)
        ending.start()
        out = child.stdout.read().decode()
        _, status, used = os.wait4(child.pid, 0)
        ending.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode == -SIGKILL:
        return Ran("", LIMIT)
    if child.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: exit code {child.returncode}\n{out}")
    return Ran(out, used.ru_utime + used.ru_stime)


def measured(row: Row, folder: Path, warm: Path, start: float) -> str:
    """A line of the table."""
    model, output = row.model(folder), folder / "program.maia"
    command = ["-m", "maiacc.cli", "compile", str(model), "-o", str(output), "--target", TARGET]
    found = []
    for number in range(RUNS):
        cache = folder / f"cache{number}"
        shutil.copytree(warm, cache)
        found.append(ran([*command, *row.options, "--json"], cache))
        shutil.rmtree(cache)
        if not found[-1].out:
            return f"| {row.name} | over {LIMIT} s | | | {_aims(row)} missed | |"
    document = json.loads(found[0].out)
    seconds, words = statistics.median(x.seconds for x in found), document["instruction_words"]
    late = row.seconds is not None and seconds > row.seconds
    long = row.words is not None and words > row.words
    steps = {k: v for k, v in document["seconds"].items() if k != "total"}
    slowest = sorted(steps, key=lambda name: -steps[name])[:STEPS]
    shown = ", ".join(f"{name} {steps[name]:.2f}" for name in slowest)
    return (
        f"| {row.name} | {seconds:.2f} s | {seconds - start:.2f} s | {words:,} | "
        f"{_aims(row)}{' missed' if late or long else ''} | {shown} |"
    )


def _aims(row: Row) -> str:
    aims = [f"{row.seconds:g} s"] if row.seconds is not None else []
    aims += [f"{row.words:,} words"] if row.words is not None else []
    return ", ".join(aims) or "-"


def main() -> None:
    """Prints the table of the rows that are named; of all, if none is."""
    asked = sys.argv[1:]
    print("| model | CPU | without start | words | aim | slowest steps, s |")
    print("|---|---|---|---|---|---|")
    with TemporaryDirectory() as name:
        folder, warm = Path(name), Path(name) / "warm"
        digits = ROOT / "maiacc" / "data" / "digits.onnx"
        first = ["-m", "maiacc.cli", "compile", str(digits), "--shape", "batch=8"]
        ran([*first, "-o", str(folder / "digits.maia")], warm)
        loading = ["-c", "import maiacc.commands.compile"]
        start = statistics.median(ran(loading, warm).seconds for _ in range(RUNS))
        for row in ROWS:
            if not asked or any(part in row.name for part in asked):
                print(measured(row, folder, warm, start), flush=True)
        print(f"\nstart and loading: {start:.2f} s")


if __name__ == "__main__":
    main()
