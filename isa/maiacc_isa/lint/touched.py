"""What a word touches at an iteration, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from maiacc_isa.lint.regions import Region
from maiacc_isa.lint.spans import Span
from maiacc_isa.lint.values import Val


@dataclass(slots=True, eq=False)
class Touch:
    """An access: operand, mode (r or w), memory, region. ``home_value`` is the number of a memory
    named by number. A ``plain`` write replaces what was there, once. ``whole`` touches an axis
    of which only data say what is really touched. ``spans`` are the windows the region is cut
    out of. What is ``given`` is never written, so that reads of it need no order."""

    operand: str
    mode: str
    space: str
    home: str
    home_value: Val | None
    region: Region
    plain: bool
    number: int
    whole: bool
    spans: tuple[Span, ...]
    given: bool


@dataclass(frozen=True)
class Problem:
    """Something wrong with an access at this iteration."""

    code: str
    message: str
    memory: str | None = None
    expected: str | None = None


@dataclass
class Touched:
    """What a word touches at an iteration. ``absent`` are the windows, by axis, of operands that
    touch nothing there."""

    touches: list[Touch] = field(default_factory=list)
    absent: list[tuple[Span, ...]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
