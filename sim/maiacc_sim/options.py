"""How a program is run."""

from __future__ import annotations

from dataclasses import dataclass, field

from maiacc_sim.machine import Limits
from maiacc_sim.scalar_log import Log

#: The simulators there are.
ENGINES = ("native", "reference")


@dataclass(frozen=True)
class Options:
    """How a program is run.

    ``values`` False leaves data out; scalars then come from ``log``, and without one both ends of
    their intervals are timed. ``record`` keeps every event, for traces and the critical path.
    ``skip`` jumps over repeated turns of loops when only times are asked for.

    ``engine`` is ``native`` or ``reference``. The native one computes the same bits and cycles;
    what it does not do (``sanitize``, another ``order``, values of a program that is not proven)
    the reference one does. It computes values in ``threads`` threads, 0 for one on each processor;
    how many there are changes nothing in the result.
    """

    values: bool = True
    sanitize: bool = False
    record: bool = False
    skip: bool = True
    order: str | int = "program"
    limits: Limits = field(default_factory=Limits)
    log: Log | None = None
    engine: str = "native"
    threads: int = 0
