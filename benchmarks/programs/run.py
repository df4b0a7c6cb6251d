"""Assembles, proves, times and executes benchmark programs; the one place that knows how."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.programs import decode70b, elementwise, gemm, resnet
from benchmarks.programs.base import Arrays
from benchmarks.programs.decode70b_words import Sizes as Decode
from benchmarks.programs.resnet_plan import Sizes as Resnet
from maiacc_isa.asm import assemble
from maiacc_isa.lint import prove
from maiacc_isa.machine import Machine, load_machine
from maiacc_isa.program import Program
from maiacc_sim.native.values_run import run_values_natively
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.timing.run import Timed, time_program
from maiacc_sim.values import Executed, run_values

R = TypeVar("R")

#: Sizes of any of the programs.
AnySizes = gemm.Sizes | elementwise.Sizes | Resnet | Decode


def machine() -> Machine:
    """The machine that the programs are written for."""
    return load_machine("maia200")


def program(sizes: AnySizes, folder: Path) -> Program:
    """The program for some sizes. What belongs to it, its text and weights, is put into a folder,
    from where the weights are mapped whenever it runs."""
    if isinstance(sizes, Resnet):
        text = resnet.text(sizes, machine())
        resnet.write_weights(sizes, machine(), folder)
    elif isinstance(sizes, Decode):
        text = decode70b.text(sizes, machine())
    elif isinstance(sizes, gemm.Sizes):
        text = gemm.text(sizes, machine())
    else:
        text = elementwise.text(sizes, machine())
    path = folder / "program.mist"
    path.write_text(text, "utf-8")
    return assemble(text, str(path))


def proof(program: Program) -> list[str]:
    """What keeps a program from being proven, and what the prover warns of."""
    report = prove(program)
    return [str(finding) for finding in [*report.findings, *report.warnings]]


def timed(program: Program, skip: bool = True) -> Timed:
    """The cycles of a program, which need no data."""
    return time_program(program, Scalars({}), skip=skip)


def executed(program: Program, given: Arrays, native: bool = False) -> Executed:
    """A run with values: by the reference simulator, or natively."""
    return run_values_natively(program, given) if native else run_values(program, given)


def seconds(work: Callable[[], R]) -> tuple[R, float]:
    """What a call returns, and the CPU seconds it takes."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start
