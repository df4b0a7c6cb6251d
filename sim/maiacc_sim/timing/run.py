"""``time_program``: the cycles of a program, where they went, and what bounds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from maiacc_isa.errors import InternalError
from maiacc_isa.program import Program
from maiacc_sim.bounds import Totals, totals
from maiacc_sim.counts import count
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.timing.account import Account, account
from maiacc_sim.timing.engine import Engine


@dataclass
class Timed:
    """A timed program: the account of its cycles, and its totals and bounds."""

    account: Account
    totals: Totals
    engine: Engine

    @property
    def cycles(self) -> int:
        return self.account.cycles

    @property
    def share(self) -> float:
        """The largest bound as a share of the cycles; 1 for a program that cannot be faster."""
        return self.totals.bounds[self.totals.bound] / self.cycles if self.cycles else 1.0


def time_program(
    program: Program,
    scalars: Scalars,
    *,
    skip: bool = True,
    recorder: Any = None,
    max_cycles: int | None = None,
) -> Timed:
    """Runs the event model on a program whose words are legal (see ``maiacc_isa.lint``).

    ``skip`` jumps over repeated turns of loops, which changes nothing in the result; a
    ``recorder`` is told every event. Raises ``Trap`` for what scalars do wrong and for a
    deadlock, ``Stopped`` E1206 after ``max_cycles``, ``InternalError`` when the cycles contradict
    the bounds or the counts.
    """
    engine = Engine(program, scalars, skip and recorder is None, recorder, max_cycles)
    result = account(engine, engine.run())
    counts = count(program, scalars)
    sums = totals(program, counts)
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
            walked = counts.control[use.queue.instance.number]
            if use.busy != walked:
                message = f"{use.queue} was busy for {use.busy} cycles, has words for {walked}"
                raise InternalError("E0001", message)
    return Timed(result, sums, engine)
