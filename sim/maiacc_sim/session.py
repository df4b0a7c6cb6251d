"""A program made ready to run, as often as one likes.

Values come first; the timed run that follows replays the scalars they loaded, so that both speak of
one execution.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from maiacc_isa.lint.known import is_proven
from maiacc_isa.program import Program
from maiacc_sim.engines import Native, Runner, Stopwatch, native
from maiacc_sim.options import Options
from maiacc_sim.refuse import check
from maiacc_sim.result import Result
from maiacc_sim.scalar_log import Scalars, check_log, check_parameters, times_depend_on_data
from maiacc_sim.timing.interface import Events
from maiacc_sim.timing.record import Recorder
from maiacc_sim.timing.run import Timed, time_program
from maiacc_sim.values import Executed, run_values

Inputs = Mapping[str, NDArray[Any]]

#: Said of a run whose values the reference simulator computes though nobody asked for it.
UNPROVEN = (
    "the program is not proven, so the reference simulator executes it (maiacc lint says why)"
)


class Session:
    """Runs one program with one set of options.

    Raises ``ErrorList`` of what is wrong with single words. ``notices`` say why another simulator
    runs than the one that was asked for.
    """

    def __init__(self, program: Program, options: Options | None = None) -> None:
        self.program, self.options = program, options or Options()
        self.notices: list[str] = []
        check(program)
        self._native = self._find()
        self._runner: Runner | None = None
        self._timer: Stopwatch | None = None
        self._last: Timed | None = None
        self.engine = "reference" if self._native is None else "native"
        if self.options.values and self._native is not None:
            self._runner = self._find_runner(self._native)
            self.engine = "reference" if self._runner is None else "native"

    def _find(self) -> Native | None:
        """The native simulator, if it is wanted and there."""
        if self.options.engine == "reference":
            return None
        found = native()
        if isinstance(found, str):
            self.notices.append(f"{found}: the reference simulator runs, which is slow")
            return None
        return found

    def _find_runner(self, found: Native) -> Runner | None:
        """A native machine, if it may execute the program."""
        options = self.options
        if options.sanitize or options.order != "program":
            return None
        if not is_proven(self.program):
            self.notices.append(UNPROVEN)
            return None
        return found.machine(self.program, options.limits, options.threads or processors())

    # ---- running ------------------------------------------------------------------------
    def run(
        self, inputs: Inputs | None = None, parameters: Mapping[str, int] | None = None
    ) -> Result:
        """One run. ``inputs`` are arrays by tensor name, ``parameters`` numbers by name.

        Raises ``MaiaccError`` E1201 to E1207 for inputs, parameters and logs, ``Trap`` for a trap
        or deadlock, and ``Stopped`` E1206 beyond ``options.limits``.
        """
        options, program = self.options, self.program
        numbers = check_parameters(program, parameters or {})
        log, executed = options.log, None
        if log is not None:
            check_log(program, log)
        if options.values:
            executed = self._values(inputs or {}, parameters or {})
            log = executed.log
        events = self._events() if options.record else None
        timed = self._timed(Scalars(numbers, log), events)
        low = None
        if log is None and times_depend_on_data(program):
            low = self._time(Scalars(numbers, None, "low"), None)
        notices = tuple(self.notices) + _asked(executed)
        title = program.file or "program"
        return Result(program, timed, executed, low, events, title, self.engine, notices)

    def _values(self, inputs: Inputs, parameters: Mapping[str, int]) -> Executed:
        if self._runner is not None:
            return self._runner.execute(inputs, parameters)
        options = self.options
        return run_values(
            self.program,
            inputs,
            parameters=parameters,
            order=options.order,
            sanitize=options.sanitize,
            limits=options.limits,
        )

    def _events(self) -> Events:
        return Recorder() if self._native is None else self._native.recorder()

    def _timed(self, scalars: Scalars, events: Events | None) -> Timed:
        """The times of a run: those of the one before if it had the same scalars, since they depend
        on nothing else."""
        if events is None and self._last is not None and self._last.scalars == scalars:
            return self._last
        timed = self._time(scalars, events)
        self._last = timed if events is None else None
        return timed

    def _time(self, scalars: Scalars, events: Events | None) -> Timed:
        options = self.options
        skip, most = options.skip, options.limits.cycles
        if self._native is None:
            return time_program(self.program, scalars, skip=skip, recorder=events, max_cycles=most)
        if events is not None:
            run = self._native.timer(self.program, False, most).run(scalars, events)
        else:
            if self._timer is None:
                self._timer = self._native.timer(self.program, skip, most)
            run = self._timer.run(scalars)
        timed = Timed(run, scalars)
        timed.check()
        return timed


def _asked(executed: Executed | None) -> tuple[str, ...]:
    """A notice of the words that native code left to the reference simulator."""
    if executed is None or not executed.asked:
        return ()
    words = ", ".join(f"{count:,} {name}" for name, count in executed.asked.most_common())
    return (f"{executed.asked.total():,} words were executed by the reference: {words}",)


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
