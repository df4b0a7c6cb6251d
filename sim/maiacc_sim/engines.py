"""Which simulators run a program: the native one where it can, the reference one elsewhere."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from maiacc_isa.program import Program
from maiacc_sim.machine import Limits
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.timing.interface import Events, Timer
from maiacc_sim.values import Executed

#: Loaded when it is needed: it needs LLVM, which takes its time and is not everywhere.
GATEWAY = "maiacc_sim.native.gateway"


class Runner(Protocol):
    """A machine that executes a program with its data, as often as one likes."""

    def execute(
        self, inputs: Mapping[str, NDArray[Any]], parameters: Mapping[str, int] | None = None
    ) -> Executed: ...


class Stopwatch(Protocol):
    """An event model that runs a program as often as one likes."""

    def run(self, scalars: Scalars, recorder: Events | None = None) -> Timer:
        """Runs the program to its end. Raises what a ``Timer`` raises."""


class Native(Protocol):
    """The native simulator, see ``maiacc_sim.native.gateway``."""

    def machine(self, program: Program, limits: Limits, threads: int) -> Runner: ...

    def timer(self, program: Program, skip: bool, max_cycles: int | None) -> Stopwatch: ...

    def recorder(self) -> Events: ...


@cache
def native() -> Native | str:
    """The native simulator, or why there is none."""
    try:
        return cast(Native, importlib.import_module(GATEWAY))
    except (ImportError, OSError) as problem:
        return f"no native simulator here ({problem})"
