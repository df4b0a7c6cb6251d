"""What the rest of the simulator uses of its native part, which is loaded when it is needed."""

from __future__ import annotations

from maiacc_isa.program import Program
from maiacc_sim.machine import Limits
from maiacc_sim.native.machine import NativeMachine
from maiacc_sim.native.timing_engine import NativeTimer
from maiacc_sim.native.timing_events import EventColumns


def machine(program: Program, limits: Limits, threads: int) -> NativeMachine:
    """A machine that executes a proven program, whose words have been checked, with its data."""
    return NativeMachine(program, limits, threads, legal=True)


def timer(program: Program, skip: bool, max_cycles: int | None) -> NativeTimer:
    """The event model, for as many runs as one likes."""
    return NativeTimer(program, skip, max_cycles)


def recorder() -> EventColumns:
    """Where a timed run writes every event."""
    return EventColumns()
