"""How windows move from period to period, and for how many periods they keep to their side.

A window that moves must stay inside its box, and one that touches nothing must stay outside: then
all copies touch the same, moved. One that its box cuts may not move along the axis it is cut on,
but along others. Where ids are unknowns, inside and outside mean for all ids, and a cut that
stands still is the same cut for each of them: it depends on the origin on that axis, which has
not changed, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from maiacc_isa.lint.heads import NotSteady, difference
from maiacc_isa.lint.spans import FOREVER, Span

#: Windows of an operand, by axis.
Windows = tuple[Span, ...]

#: By how much the windows of an operand move, and for how many periods they may.
Stay = tuple[tuple[int, ...], int]


def present(new: Windows, old: Windows) -> Stay:
    """Windows of an operand that touches something. Raises ``NotSteady``."""
    steps, times = [], FOREVER
    for span, before in zip(new, old, strict=True):
        step = _step(span, before)
        if step and not span.inside:
            raise NotSteady
        if step > 0:
            most = span.extent.low - 1 - span.origin.high - span.high
            times = min(times, most // step)
        elif step < 0:
            times = min(times, (span.origin.low + span.low) // -step)
        steps.append(step)
    return tuple(steps), times


def absent(new: Sequence[Windows], old: Sequence[Windows]) -> list[Stay]:
    """Windows of the operands of a word that touch nothing: for as long as they stay outside on one
    axis. Raises ``NotSteady``."""
    if [len(spans) for spans in new] != [len(spans) for spans in old]:
        raise NotSteady
    found = []
    for spans, before in zip(new, old, strict=True):
        steps = tuple(map(_step, spans, before))
        times = max(map(Span.out, spans, steps)) if any(steps) else FOREVER
        found.append((steps, times))
    return found


def _step(new: Span, old: Span) -> int:
    """By how much a window has moved. Raises ``NotSteady`` if it has changed otherwise."""
    if (new.low, new.high) != (old.low, old.high) or not new.extent.same(old.extent):
        raise NotSteady
    step = difference(new.origin, old.origin)
    if step is None:
        raise NotSteady
    return step
