"""What a run gives: values, cycles, where they went, and recordings of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from maiacc_isa.program import Program
from maiacc_sim.recording import Recording
from maiacc_sim.timing.critical import Link, critical_path
from maiacc_sim.timing.interface import Events
from maiacc_sim.timing.recording import instruction_recording, region_recording
from maiacc_sim.timing.run import Timed
from maiacc_sim.values import Executed

#: What ``Result.recording`` can show.
LEVELS = ("layer", "kernel", "instruction")


@dataclass
class Result:
    """What a run gives. ``low`` is there when scalars are unknown: ``timed`` then holds for the
    highest values of their intervals and ``low`` for the lowest. ``engine`` computed the values, or
    the times of a run without values; ``notices`` say why it is not the one that was asked for, and
    what else a user should know."""

    program: Program
    timed: Timed
    executed: Executed | None = None
    low: Timed | None = None
    recorder: Events | None = None
    title: str = "program"
    engine: str = "reference"
    notices: tuple[str, ...] = ()
    _path: list[Link] = field(default_factory=list)

    @property
    def cycles(self) -> int:
        return self.timed.cycles

    @property
    def seconds(self) -> float:
        """Time of the machine at its clock."""
        return self.cycles / float(self.program.machine["clock.hz"])

    @property
    def outputs(self) -> dict[str, NDArray[Any]]:
        """Outputs and states by name; empty for a run without values."""
        return {} if self.executed is None else self.executed.outputs

    def recording(self, level: str = "instruction") -> Recording:
        """What a trace shows; the run must have been recorded."""
        assert self.recorder is not None, "Options.record was not set"
        engine, spans = self.timed.engine, self.timed.account.spans
        if level == "instruction":
            return instruction_recording(engine, self.recorder, self.title, self.cycles)
        return region_recording(engine, self.recorder, self.title, spans, level)

    def critical_path(self) -> list[Link]:
        """The chain of words and waits that determines the cycles, first link first."""
        assert self.recorder is not None, "Options.record was not set"
        if not self._path:
            self._path = critical_path(self.timed.engine, self.recorder, self.timed.account.spans)
        return self._path
