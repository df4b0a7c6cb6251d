"""How long tensors in HBM live: from the first step that touches them to the last one.

Steps are numbered as they stand. What is there before a repetition and is used in it lives until
its end, since a later turn needs it, too; what is made in it and used behind it lives from its
beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maiacc_passes.kernel.model import Buffer, Kernel, words_of
from maiacc_passes.kernel.plan import Choice, Load, Repeat, Rolled, Scalars, Step


class Lives:
    """``first`` and ``last`` numbers of the steps that touch a buffer; ``always`` are those that
    are written whatever is chosen and however often something is repeated."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.first: dict[Buffer, int] = {}
        self.last: dict[Buffer, int] = {}
        self.always: set[Buffer] = set()
        self.end = 0
        self._turning: list[tuple[int, int]] = []
        self._steps(steps, surely=True)
        # Inner repetitions come first; what they widen may reach into an outer one.
        for start, stop in self._turning:
            self._widen(start, stop)

    def _steps(self, steps: Sequence[Step], surely: bool) -> None:
        for step in steps:
            if isinstance(step, Choice):
                self._steps(step.then, surely=False)
                self._steps(step.other, surely=False)
            elif isinstance(step, Repeat | Rolled):
                start = self.end
                self._steps(step.body, surely=surely and isinstance(step, Rolled))
                self._turning.append((start, self.end - 1))
            else:
                for buffer in touched(step):
                    self.first.setdefault(buffer, self.end)
                    self.last[buffer] = self.end
                    if surely:
                        self.always.add(buffer)
                self.end += 1

    def _widen(self, start: int, stop: int) -> None:
        for buffer in self.first:
            if self.first[buffer] < start <= self.last[buffer]:
                self.last[buffer] = max(self.last[buffer], stop)
            elif start <= self.first[buffer] <= stop < self.last[buffer]:
                self.first[buffer] = start


def touched(step: Step) -> Iterator[Buffer]:
    """The buffers in HBM that a kernel, or the loading of scalars, reads or writes."""
    if isinstance(step, Kernel):
        views = [view for word in words_of(step.body) for view in word.views.values()]
    elif isinstance(step, Scalars):
        views = [word.view for word in step.words if isinstance(word, Load)]
    else:
        views = []
    for view in views:
        if view.buffer.space == "hbm":
            yield view.buffer.root
