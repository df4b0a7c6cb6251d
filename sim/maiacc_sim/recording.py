"""What a timed run records for traces: slices on tracks, counters, and who set whom free."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Track:
    """A queue or control processor of an instance, such as ("chip 0", "cluster 1", "tile 3") and
    "LD0". Tracks of one instance stand together."""

    path: tuple[str, ...]
    name: str


@dataclass(frozen=True)
class WordInfo:
    """What a slice shows of its word; the same for all of its executions.

    ``address`` is block and word number (``main:17``), ``text`` the assembly of the word,
    ``source`` where it came from (file and line, or ONNX nodes), ``moved`` the bytes it moves.
    """

    address: str
    mnemonic: str
    text: str
    source: str
    moved: int


@dataclass(frozen=True)
class CounterTrack:
    """A quantity over time: it has ``values[i]`` from cycle ``times[i]`` on. Times rise."""

    path: tuple[str, ...]
    name: str
    unit: str
    times: Ints
    values: Ints


@dataclass(frozen=True)
class Slices:
    """Executions of words, in any order; arrays of equal length.

    ``begin`` and ``end`` (the first cycle behind) are what the word occupies of its queue;
    ``complete`` when its results are there; ``stall`` is the number of the reason it waited
    for last (an index into ``Recording.stalls``, 0 for none) and ``stalled`` for how many
    cycles before ``begin``.
    """

    track: Ints
    word: Ints
    begin: Ints
    end: Ints
    complete: Ints
    stall: Ints
    stalled: Ints

    def __len__(self) -> int:
        return len(self.track)


@dataclass(frozen=True)
class Flows:
    """From a slice that posted to a slice that waited for it, by positions in the slices."""

    poster: Ints
    waiter: Ints


@dataclass(frozen=True)
class Recording:
    """Everything a trace shows. Times are cycles of a clock of ``clock_hz``."""

    title: str
    clock_hz: float
    cycles: int
    tracks: list[Track]
    words: list[WordInfo]
    stalls: list[str]
    slices: Slices
    counters: list[CounterTrack] = field(default_factory=list)
    flows: Flows | None = None
    meta: dict[str, Any] = field(default_factory=dict)
