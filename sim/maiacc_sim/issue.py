"""An engine word on its way: what a control processor has read for it when it pushed it."""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_isa.tables import Descriptor


@dataclass(frozen=True, slots=True)
class Located:
    """A descriptor with everything that registers, counters and ids decide filled in.

    ``origin`` is the coordinate of the window's origin on each axis (start and terms added),
    ``offset`` the byte terms' sum, ``home`` the number the home terms add up to (-1 without
    home `at`). ``sizes`` of the window dims and ``extents`` of the axes are final. ``scale``
    and ``meta`` are the located descriptors of the scales and 2:4 positions.
    """

    descriptor: Descriptor
    sizes: tuple[int, ...]
    extents: tuple[int, ...]
    origin: tuple[int, ...]
    offset: int
    home: int
    scale: Located | None = None
    meta: Located | None = None


@dataclass(slots=True)
class Issue:
    """One execution of an engine word (or SLD). ``views`` has the operands the word has, by
    name; ``fresh`` is the row's condition of that name; ``peer`` the chip a network word goes
    to, -1 if it has none; ``iteration`` the counters of the loops around it, outermost first."""

    index: int
    views: dict[str, Located]
    fresh: bool = False
    peer: int = -1
    iteration: tuple[int, ...] = ()
