"""What the event models have in common: accounts, recordings and paths are made of either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from maiacc_isa.program import Block, Program
from maiacc_sim.code import Step
from maiacc_sim.ports import Ports
from maiacc_sim.system import System
from maiacc_sim.timing.variants import Variant


@dataclass
class Span:
    """One execution of a block, in cycles; ``until`` is when the next one starts."""

    block: str
    start: int
    end: int
    until: int


@dataclass
class Outcome:
    """What an event-driven run leaves: see ``maiacc_sim.timing.account`` for its meaning."""

    cycles: int
    spans: list[Span]
    variants: Sequence[Variant]
    control: dict[int, dict[tuple[str, str], int]]
    empty: dict[int, int]
    walked: dict[int, int]
    skipped: int


class Timer(Protocol):
    """An event model that has run a program.

    Running it raises ``Trap`` for what scalars do wrong, ``Stopped`` E1116 for a deadlock and E1206
    when there are too many cycles.
    """

    @property
    def program(self) -> Program: ...

    @property
    def system(self) -> System: ...

    @property
    def ports(self) -> Ports: ...

    @property
    def cycles(self) -> int: ...

    @property
    def outcome(self) -> Outcome:
        """What the account is made of."""

    @property
    def variants(self) -> Sequence[Variant]:
        """Every variant that was met."""

    def variant(self, number: int) -> Variant:
        """A variant by its number."""


class Wired(Protocol):
    """The counters of a block, and what its semaphores are called."""

    @property
    def wiring(self) -> Any: ...

    @property
    def names(self) -> list[str]: ...


class Events(Protocol):
    """Columns of events, one entry for each engine word and SLD in the order they were found.

    ``cause`` says what let an event start (``BY_...``) and ``causer`` the event it was: the one
    whose token came last, the one before in the queue, or for a push the event that the control
    processor last waited for (-1: none, it has been walking since the block began). ``before`` is
    the event before in the same queue. ``levels`` are changes of semaphores: number of the block's
    execution, counter, cycle, change.
    """

    unit: Any
    variant: Any
    ready: Any
    begin: Any
    end: Any
    complete: Any
    free: Any
    late: Any
    cause: Any
    causer: Any
    before: Any
    posters: Any
    waiters: Any

    def __len__(self) -> int: ...

    @property
    def levels(self) -> list[tuple[int, int, int, int]]: ...

    @property
    def marks(self) -> list[tuple[int, int, Step]]: ...

    @property
    def blocks(self) -> Sequence[tuple[Block, Wired, int]]: ...
