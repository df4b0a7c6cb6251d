"""What one native timed run leaves, with the interface of ``maiacc_sim.timing.interface.Timer``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from maiacc_isa.program import Program
from maiacc_sim.native.arrays import Records
from maiacc_sim.native.timing_block import TimedBlock
from maiacc_sim.native.timing_image import Made, TimingImage
from maiacc_sim.native.timing_state import TimingState
from maiacc_sim.ports import Ports
from maiacc_sim.system import System
from maiacc_sim.timing.interface import Outcome, Span
from maiacc_sim.timing.variants import COUNT, PORT, Variant


@dataclass
class Met:
    """The variants of a block as they were when the run ended, with the tables that they name."""

    image: TimingImage
    variants: Records
    ports: Any
    entries: Any


@dataclass
class NativeRun:
    """A run that is over. ``variants`` are those that were met, in the order in which they were, as
    the reference simulator makes them; they are made when somebody asks for them."""

    program: Program
    system: System
    ports: Ports
    spans: list[Span] = field(default_factory=list)
    skipped: int = 0

    def finish(self, state: TimingState, blocks: Iterable[TimedBlock]) -> None:
        """Keeps what the next run will change."""
        self._met = [
            Met(
                b.image,
                b.arrays["variants"][: b.used].copy(),
                b.arrays["ports"],
                b.arrays["entries"],
            )
            for b in blocks
        ]
        if self.spans:
            state.empty -= self.spans[-1].until - self.spans[-1].end
        self._control, self._empty, self._walked = state.rooms, state.empty, state.walked

    @cached_property
    def outcome(self) -> Outcome:
        """What the account is made of."""
        return Outcome(
            self.cycles,
            self.spans,
            self.variants,
            self._control,
            dict(enumerate(self._empty.tolist())),
            dict(enumerate(self._walked.tolist())),
            self.skipped,
        )

    @property
    def cycles(self) -> int:
        return self.spans[-1].end if self.spans else 0

    @property
    def words(self) -> int:
        """Engine words and scalar loads executed."""
        return sum(int(met.variants["acc"][:, COUNT].sum()) for met in self._met)

    @cached_property
    def numbering(self) -> list[tuple[Met, int]]:
        """The variants that were met, in their order: block, and number in the block."""
        found = []
        for met in self._met:
            made = met.variants["made"]
            found += [(int(made[n]), met, n) for n in np.flatnonzero(made).tolist()]
        found.sort(key=lambda row: row[0])
        return [(met, number) for _, met, number in found]

    @cached_property
    def variants(self) -> list[Variant]:
        """Every variant that was met, in the order in which it was."""
        return [self._variant(n, *row) for n, row in enumerate(self.numbering)]

    def variant(self, number: int) -> Variant:
        """A variant by its number."""
        return self.variants[number]

    def _variant(self, number: int, met: Met, position: int) -> Variant:
        r = met.variants[position]
        made: Made = met.image.made[position]
        passes = tuple(
            (tuple(met.ports[r["port_at"][h] : r["port_to"][h]].tolist()), int(r["ticks"][h]))
            for h in range(int(r["hops"]))
        )
        counters = {
            kind: tuple(
                tuple(met.entries[r[f"{kind}_from"][n] : r[f"{kind}_to"][n]].tolist())
                for n in range(int(r[f"{kind}s"]))
            )
            for kind in ("wait", "post")
        }
        return Variant(
            number,
            self.system.queues[int(r["unit"])],
            met.image.number,
            made.index,
            int(r["occupancy"]),
            int(r["latency"]),
            passes,
            (),
            (),
            None,
            made.measure,
            made.homes,
            r["acc"][: PORT + len(passes)].tolist(),
            counters["wait"],
            counters["post"],
        )
