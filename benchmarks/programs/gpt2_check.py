"""Checks the programs for a transformer: proofs, values, cycles.

    python -m benchmarks.programs.gpt2_check           small ones, on both simulators
    python -m benchmarks.programs.gpt2_check full      GPT-2-small's size, natively
    python -m benchmarks.programs.gpt2_check exact     the same to the bit; minutes

A program must be proven without a warning. Small ones give the bits of the exact reference on both
simulators, and again from a program file. In full size logits are compared with those of the quick
reference; ``gpt2_model.py`` says why these differ by more than fp32 does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np

from benchmarks.programs import gpt2_decode, gpt2_prefill
from benchmarks.programs.base import Arrays, check
from benchmarks.programs.gpt2_layout import assembled
from benchmarks.programs.gpt2_model import EXACT, QUICK
from benchmarks.programs.gpt2_plan import Sizes
from benchmarks.programs.run import executed, proof, seconds, timed
from maiacc_isa.container import open_program, save
from maiacc_isa.machine import load_machine
from maiacc_isa.program import Program

#: What logits may be off the quick reference: at most, and on average (root of the mean square).
#: Their own deviation is 1.
MOST, MEAN = 0.03, 0.004

#: Small sizes: padded heads; several chunks, rounds and ragged hidden units; ragged rows; a machine
#: of a few kilobytes.
SMALL = [
    ("maia200", Sizes(2, 64, 2, 128, 200, 16)),
    ("maia200", Sizes(3, 64, 8, 100, 1501, 32, depth=32, columns=32)),
    ("maia200", Sizes(1, 96, 3, 384, 77, 20, slots=3)),
    ("mini", Sizes(2, 16, 2, 40, 50, 8)),
]

PROGRAMS: list[ModuleType] = [gpt2_prefill, gpt2_decode]


@dataclass
class Trial:
    """A program for some sizes, its inputs, and the folder that its weights are mapped from."""

    module: ModuleType
    target: str
    sizes: Sizes
    folder: Path

    def __post_init__(self) -> None:
        machine = load_machine(self.target)
        self.given: Arrays = self.module.inputs(self.sizes, 0, machine)
        text = self.module.text(self.sizes, machine)
        plan = self.module.planned(self.sizes, machine)
        self.program, self.inputs = assembled(text, self.given, plan, self.folder)

    @property
    def name(self) -> str:
        return self.module.__name__.rpartition(".")[2]

    def answers(self, exact: bool, **changed: np.ndarray) -> Arrays:
        """What the program must give, with some of its inputs changed."""
        numerics = EXACT if exact else QUICK
        given, machine = self.given | changed, load_machine(self.target)
        answers: Arrays = self.module.answers(self.sizes, given, machine, numerics)
        return answers

    def proven(self) -> str:
        """Proves and times the program; says what came out."""
        found, spent = seconds(lambda: proof(self.program))
        check(not found, "\n".join(found))
        run = timed(self.program)
        words = sum(len(block.words) for block in self.program.blocks)
        bound = run.totals.bounds[run.totals.bound]
        return (
            f"{words} words, proven in {spent:.1f} s, {run.cycles:,} cycles, "
            f"{run.cycles / bound:.2f} x the {bound:,} of {run.totals.bound}"
        )


def same(found: Arrays, wanted: Arrays) -> None:
    """Raises ``ValueError`` unless the arrays are equal to the bit."""
    check(found.keys() == wanted.keys(), f"outputs {', '.join(found)}")
    for name, array in wanted.items():
        wrong = int((found[name] != array).sum())
        check(not wrong, f"{name}: {wrong:,} of {array.size:,} numbers differ")


def close(found: Arrays, wanted: Arrays) -> str:
    """By how much the logits differ. Raises ``ValueError`` if it is too much."""
    off = np.abs(found["LOGITS"].astype(np.float64) - wanted["LOGITS"])
    most, mean = float(off.max()), float(np.sqrt((off * off).mean()))
    check(
        most <= MOST and mean <= MEAN, f"logits are off by up to {most:.2g}, {mean:.2g} on average"
    )
    return f"logits off by up to {most:.2g}, {mean:.2g} on average"


def refused(compare: Callable[[], object]) -> bool:
    """Whether a comparison fails."""
    try:
        compare()
    except ValueError:
        return True
    return False


def reopened(program: Program, folder: Path) -> Program:
    """The program, written to a program file and read again."""
    path = str(folder / "gpt2.maia")
    save(program, path)
    return open_program(path)


def small(trial: Trial) -> str:
    """Checks a program on both simulators."""
    done = executed(trial.program, trial.inputs)
    exact, quick = trial.answers(exact=True), trial.answers(exact=False)
    same(done.outputs, exact)
    same(executed(trial.program, trial.inputs, native=True).outputs, exact)
    again = reopened(trial.program, trial.folder)
    same(executed(again, trial.inputs, native=True).outputs, exact)
    for name in ("BQKV", "BO", "BUP", "BDOWN"):
        other = trial.answers(exact=False, **{name: np.zeros_like(trial.given[name])})
        check(refused(partial(close, other, quick)), f"{name} makes no difference")
    return f"{done.words:,} executed; the bits of the exact reference; {close(done.outputs, quick)}"


def full(trial: Trial, exact: bool) -> str:
    """Checks a program natively."""
    done, spent = seconds(lambda: executed(trial.program, trial.inputs, native=True))
    said = f"{done.words:,} executed in {spent:.2f} s; {close(done.outputs, trial.answers(False))}"
    if exact:
        same(done.outputs, trial.answers(exact=True))
        said += "; the bits of the exact reference"
    return said


def main() -> None:
    """Runs the checks that the command line names."""
    kind = sys.argv[1] if len(sys.argv) > 1 else "small"
    if kind not in ("small", "full", "exact"):
        sys.exit("usage: gpt2_check [small | full | exact]")
    cases = SMALL if kind == "small" else [("maia200", Sizes())]
    for target, sizes in cases:
        for module in PROGRAMS:
            with TemporaryDirectory() as folder:
                trial = Trial(module, target, sizes, Path(folder))
                print(f"{trial.name} on {target}, {sizes}")
                print(f"  {trial.proven()}", flush=True)
                print(f"  {small(trial) if kind == 'small' else full(trial, kind == 'exact')}")


if __name__ == "__main__":
    main()
