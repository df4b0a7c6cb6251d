"""Runs a program once with its data in native code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from maiacc_isa.program import Program
from maiacc_sim.machine import Limits
from maiacc_sim.native.machine import NativeMachine
from maiacc_sim.values import Executed


def run_values_natively(
    program: Program,
    inputs: Mapping[str, NDArray[Any]],
    *,
    parameters: Mapping[str, int] | None = None,
    limits: Limits | None = None,
    threads: int = 1,
) -> Executed:
    """Executes a proven program. Raises what ``run_values`` raises, but for reads of what was never
    written and for races, which proofs rule out."""
    return NativeMachine(program, limits, threads).execute(inputs, parameters)
