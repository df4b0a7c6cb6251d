"""``time_program``: the cycles of a program, where they went, and what bounds them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from maiacc_isa.errors import InternalError
from maiacc_isa.program import Program
from maiacc_sim.bounds import Totals, totals
from maiacc_sim.counts import Counts, count
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.timing.account import Account, account
from maiacc_sim.timing.engine import Engine
from maiacc_sim.timing.interface import Timer


@dataclass
class Timed:
    """A timed program. The account of its cycles and its totals and bounds are made when somebody
    asks for them."""

    engine: Timer
    scalars: Scalars

    @property
    def cycles(self) -> int:
        return self.engine.cycles

    @cached_property
    def account(self) -> Account:
        """Where the cycles went. Raises ``InternalError`` if the parts do not add up."""
        return account(self.engine, self.engine.outcome)

    @cached_property
    def counts(self) -> Counts:
        """How often every word was executed, counted without the event model."""
        return count(self.engine.program, self.scalars)

    @cached_property
    def totals(self) -> Totals:
        """What the program does in all, and lower bounds on its cycles."""
        return totals(self.engine.program, self.counts)

    @property
    def share(self) -> float:
        """The largest bound as a share of the cycles; 1 for a program that cannot be faster."""
        return self.totals.bounds[self.totals.bound] / self.cycles if self.cycles else 1.0

    def check(self) -> None:
        """Raises ``InternalError`` when the cycles contradict the bounds or the counts."""
        result, sums = self.account, self.totals
        if result.executed != sums.instructions:
            raise InternalError(
                "E0001", f"{result.executed} words were timed, {sums.instructions} counted"
            )
        for name, bound in sums.bounds.items():
            if bound > result.cycles:
                raise InternalError(
                    "E0001", f"{result.cycles} cycles are below the {name} bound {bound}"
                )
        for use in result.queues:
            if use.queue.row.engine == "control":
                walked = self.counts.control[use.queue.instance.number]
                if use.busy != walked:
                    message = f"{use.queue} was busy for {use.busy} cycles, has words for {walked}"
                    raise InternalError("E0001", message)


def time_program(
    program: Program,
    scalars: Scalars,
    *,
    skip: bool = True,
    recorder: Any = None,
    max_cycles: int | None = None,
) -> Timed:
    """Runs the reference's event model on a program whose words are legal (see
    ``maiacc_isa.lint``).

    ``skip`` jumps over repeated turns of loops, which changes nothing in the result; a ``recorder``
    is told every event. Raises ``Trap`` for what scalars do wrong and for a deadlock, ``Stopped``
    E1206 after ``max_cycles``, and what ``Timed.check`` raises.
    """
    engine = Engine(program, scalars, skip and recorder is None, recorder, max_cycles)
    engine.run()
    timed = Timed(engine, scalars)
    timed.check()
    return timed
