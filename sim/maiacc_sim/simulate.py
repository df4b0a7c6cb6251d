"""``simulate``: a program with its inputs in, values, cycles and where they went out.

The values come first; the timed run that follows replays the scalars they loaded, so that both
speak of one execution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from maiacc_isa.errors import ErrorList, MaiaccError, Place
from maiacc_isa.lint import Finding, check_words
from maiacc_isa.program import Program
from maiacc_sim.bounds import Totals, totals
from maiacc_sim.counts import count
from maiacc_sim.machine import Limits
from maiacc_sim.recording import Recording
from maiacc_sim.scalar_log import Log, Scalars, check_log, check_parameters, times_depend_on_data
from maiacc_sim.timing.critical import Link, critical_path
from maiacc_sim.timing.record import Recorder
from maiacc_sim.timing.recording import instruction_recording, region_recording
from maiacc_sim.timing.run import Timed, time_program
from maiacc_sim.values import Executed, run_values

#: What ``Result.recording`` can show.
LEVELS = ("layer", "kernel", "instruction")


@dataclass(frozen=True)
class Options:
    """How a program is run.

    ``values`` False leaves data out; scalars then come from ``log``, and without one both ends of
    their intervals are timed. ``record`` keeps every event, for traces and the critical path.
    ``skip`` jumps over repeated turns of loops when only times are asked for.
    """

    values: bool = True
    sanitize: bool = False
    record: bool = False
    skip: bool = True
    order: str | int = "program"
    limits: Limits = field(default_factory=Limits)
    log: Log | None = None


@dataclass
class Result:
    """What a run gives. ``low`` is there when scalars are unknown: ``timed`` then holds for the
    highest values of their intervals and ``low`` for the lowest."""

    program: Program
    timed: Timed
    executed: Executed | None = None
    low: Timed | None = None
    recorder: Recorder | None = None
    title: str = "program"
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


def simulate(
    program: Program,
    inputs: Mapping[str, NDArray[Any]] | None = None,
    parameters: Mapping[str, int] | None = None,
    options: Options | None = None,
) -> Result:
    """Runs a program on the reference machine.

    ``inputs`` are arrays by tensor name, ``parameters`` numbers by name. Raises ``ErrorList`` of
    what is wrong with single words, ``MaiaccError`` E1201 to E1207 for inputs, parameters and
    logs, ``Trap`` for a trap or deadlock, and ``Stopped`` E1206 beyond ``options.limits``.
    """
    options = options or Options()
    check(program)
    numbers = check_parameters(program, parameters or {})
    executed = None
    log = options.log
    if log is not None:
        check_log(program, log)
    if options.values:
        executed = run_values(
            program,
            inputs or {},
            parameters=parameters,
            order=options.order,
            sanitize=options.sanitize,
            limits=options.limits,
        )
        log = executed.log
    recorder = Recorder() if options.record else None
    scalars = Scalars(numbers, log)
    most = options.limits.cycles
    timed = time_program(program, scalars, skip=options.skip, recorder=recorder, max_cycles=most)
    low = None
    if log is None and times_depend_on_data(program):
        low = time_program(
            program, Scalars(numbers, None, "low"), skip=options.skip, max_cycles=most
        )
    return Result(program, timed, executed, low, recorder, program.file or "program")


def check(program: Program) -> None:
    """Refuses a program whose words mean nothing by themselves."""
    findings = check_words(program).findings
    if findings:
        raise ErrorList([_error(program, finding) for finding in findings])


def _error(program: Program, finding: Finding) -> MaiaccError:
    place = finding.place or Place()
    site = finding.site
    return MaiaccError(
        finding.code,
        finding.message,
        place=Place(
            program.file,
            place.line,
            text=site.text if site else None,
            block=place.block,
            word=place.word,
        ),
        node=", ".join(site.origin) or None if site else None,
        expected=finding.expected,
        found=finding.found,
        hint=finding.hint,
    )


#: Seconds that values take for each executed word, multiplication, and byte read or written.
#: Compared with some ten runs of the kernels in examples/mist of up to 20 s: within a factor of
#: about two, but for 4-bit weights with scales, which take five times as long.
SECONDS_PER_WORD = 3.4e-4
SECONDS_PER_MAC = 2e-9
SECONDS_PER_BYTE = 1e-8


def expected_work(
    program: Program, parameters: Mapping[str, int], most: int | None = None
) -> Totals:
    """What a program whose words are legal does if unknown scalars have their highest values.

    Raises ``Stopped`` E1206 if it needs more than ``most`` cycles for control words alone.
    """
    scalars = Scalars(check_parameters(program, parameters))
    return totals(program, count(program, scalars, most))


def expected_seconds(work: Totals) -> float:
    """How long computing the values of that much work will take, roughly."""
    moved = work.read.total() + work.written.total()
    words, macs = work.instructions * SECONDS_PER_WORD, work.macs * SECONDS_PER_MAC
    return words + macs + moved * SECONDS_PER_BYTE
