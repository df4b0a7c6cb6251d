"""Whose turn it is: the control processor that is least far in the program goes on next."""

from __future__ import annotations

from heapq import heappop, heappush

from maiacc_isa.lint.walker import Walker


class Turns:
    """The walkers of a proof by their place in the program. A place only ever moves forward, so
    one that has changed since it was entered is entered again when it comes up."""

    def __init__(self) -> None:
        self._heap: list[tuple[tuple[int, ...], int, Walker]] = []
        self._parked: list[Walker] = []
        self._parked_at = -1
        self._numbers: dict[int, int] = {}

    def add(self, walker: Walker) -> None:
        """A walker that can go on."""
        number = self._numbers.setdefault(id(walker), len(self._numbers))
        heappush(self._heap, (walker.key(), number, walker))

    def park(self, walker: Walker, events: int) -> None:
        """A walker that can go on no sooner than when more events than ``events`` have happened."""
        if self._parked_at != events:
            self._wake()
        self._parked_at = events
        self._parked.append(walker)

    def next(self, events: int) -> Walker | None:
        """Takes out the walker that is least far; None if none can go on."""
        if self._parked and self._parked_at != events:
            self._wake()
        while self._heap:
            key, _, walker = heappop(self._heap)
            if walker.finished:
                continue
            if walker.key() == key:
                return walker
            self.add(walker)
        return None

    def _wake(self) -> None:
        for walker in self._parked:
            self.add(walker)
        self._parked = []
