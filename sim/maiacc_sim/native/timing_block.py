"""A block with the arrays that the native event model uses for it, and the room it may need more
of."""

from __future__ import annotations

from typing import Any

import numpy as np

from maiacc_isa.errors import InternalError
from maiacc_isa.load import load
from maiacc_isa.operation import TICKS
from maiacc_sim.native.arrays import Records, blank, numbers, offsets
from maiacc_sim.native.codes import SOURCES
from maiacc_sim.native.lang.functions import dtype_of
from maiacc_sim.native.shared import GLANCE, MOST_HEADS
from maiacc_sim.native.timing import state
from maiacc_sim.native.timing_image import HASH_ROW, KEY_MOST, Made, TimingImage
from maiacc_sim.native.timing_state import TimingState
from maiacc_sim.relevant import Relevant

#: Tokens a counter has room for at first.
TOKENS = 64

#: A tick that no run reaches.
NEVER = 1 << 60

_EXTREMES = {"low": 1, "high": 2}


class TimedBlock:
    """A block ready to be timed."""

    def __init__(
        self, image: TimingImage, hold: TimingState, relevant: Relevant, max_cycles: int | None
    ) -> None:
        self.image, self.hold = image, hold
        self.relevant, self.max_cycles = relevant, max_cycles
        self.model, self.skipper = blank(state.Model, 1), blank(state.Skipper, 1)
        self.record, self.seeker = self.model[0], self.skipper[0]
        self.arrays: dict[str, Any] = {}
        self.used = 0
        self._model()
        self._relevant()
        most = max(TOKENS, int(self.arrays["initial"].max(initial=0)) + TOKENS)
        self._token_room(1 << (most - 1).bit_length())
        self._variants(image.variants)
        self._groups()

    # ---- arrays -------------------------------------------------------------------------
    def _model(self) -> None:
        """The arrays of a block that never change."""
        image, m = self.image, self.record
        counters = image.lists.wiring.counters
        arrays = self.arrays
        count = len(self.hold.units)
        arrays["wakes"] = numbers(waiter.number for _, waiter, _ in counters)
        arrays["initial"] = numbers(image.block.semaphores[sem].init for sem, _, _ in counters)
        arrays["params"] = np.zeros(max(1, len(self.hold.program.parameters)), np.int64)
        arrays["entries_of_tables"] = numbers(v for table in image.block.tables for v in table)
        arrays["table_at"] = offsets(image.block.tables)
        arrays["heap"], arrays["keys"] = np.zeros((2, count + 1), np.int64)
        arrays["work"] = np.zeros(8 * count + 64, np.int64)
        arrays["head_control"], arrays["head_at"] = np.zeros((2, 256), np.int64)
        for name in ("wakes", "params", "heap", "keys", "work", "head_control", "head_at"):
            m[name] = arrays[name].ctypes.data
        m["words"], m["units"] = image.words.ctypes.data, self.hold.units.ctypes.data
        m["controls"], m["free"] = self.hold.controls.ctypes.data, self.hold.free.ctypes.data
        m["recipes"] = image.recipe_records.ctypes.data
        m["recipe_numbers"] = image.recipe_numbers.ctypes.data
        m["unit_count"], m["control_count"] = count, len(self.hold.controls)
        m["unit_bits"] = (count - 1).bit_length()
        m["depth"], m["port_count"], m["counters"] = (
            self.hold.depth,
            len(self.hold.ports.names),
            len(counters),
        )
        m["param_count"], m["semaphores"] = len(self.hold.program.parameters), self.hold.semaphores
        m["tables"] = (
            arrays["entries_of_tables"].ctypes.data,
            arrays["table_at"].ctypes.data,
            len(image.block.tables),
        )
        m["extreme"] = (
            0 if self.hold.scalars.log is not None else _EXTREMES[self.hold.scalars.extreme]
        )
        m["max_tick"] = NEVER if self.max_cycles is None else self.max_cycles * TICKS

    def _relevant(self) -> None:
        """The scalars that times depend on."""
        m, arrays = self.record, self.arrays
        relevant_ = np.zeros(SOURCES, np.int64)
        relevant_[list(self.relevant.registers)] = 1
        arrays["relevant"] = relevant_
        levels = sorted(self.relevant.levels[self.image.block.name])
        counter = load().sources["L"].code
        arrays["codes"] = numbers([*self.relevant.ordered, *(counter + n for n in levels)])
        m["code_count"] = len(self.relevant.ordered) + len(levels)
        m["relevant"], m["codes"] = relevant_.ctypes.data, arrays["codes"].ctypes.data

    def _token_room(self, room: int) -> None:
        """Rings of arrival times, with what they hold already."""
        m, arrays = self.record, self.arrays
        counters = max(1, int(m["counters"]))
        tokens, events = np.zeros((2, counters, room), np.int64)
        head, count = np.zeros((2, counters), np.int64)
        if "tokens" in arrays:
            count[:] = arrays["token_count"]
            old = int(m["token_room"])
            for new, name in ((tokens, "tokens"), (events, "token_events")):
                at = (arrays["token_head"][:, np.newaxis] + np.arange(old)) % old
                new[:, :old] = np.take_along_axis(arrays[name], at, axis=1)
        arrays["tokens"], arrays["token_events"] = tokens, events
        arrays["token_head"], arrays["token_count"] = head, count
        for name in ("tokens", "token_events", "token_head", "token_count"):
            m[name] = arrays[name].ctypes.data
        m["token_room"], m["tight"] = room, 0
        self._skipper()

    def _variants(self, variants: Records) -> None:
        """The table of variants, with room for more, and what it names."""
        m, arrays = self.record, self.arrays
        self.used = len(variants)
        room = np.zeros(max(16, 2 * len(variants)), dtype_of(state.Variant))
        room[: len(variants)] = variants
        arrays["variants"] = room
        m["variants"], m["variant_count"] = room.ctypes.data, len(variants)
        self._named()
        size = 1 << max(6, (4 * len(room)).bit_length())
        table = np.full((size, HASH_ROW), -1, np.int64)
        arrays["hash"], m["hash"], m["hash_size"] = table, table.ctypes.data, size
        for key, number in arrays.setdefault("keys_of_variants", {}).items():
            self._remember(key, number)
        self._skipper()

    def _named(self) -> None:
        """Counters and ports that variants name."""
        m, arrays = self.record, self.arrays
        arrays["entries"] = numbers(self.image.lists.entries)
        arrays["ports"] = numbers(self.image.ports)
        m["entries"], m["ports"] = arrays["entries"].ctypes.data, arrays["ports"].ctypes.data

    def _groups(self) -> None:
        """Groups that meet at a BAR."""
        m, arrays = self.record, self.arrays
        most = max([1, *(len(members) for _, members in self.image.groups)])
        count = max(1, len(self.image.groups))
        arrays["groups"] = np.zeros(count * (most + self.hold.program.machine.chips), np.int64)
        arrays["group_size"] = numbers(len(members) for _, members in self.image.groups)
        arrays["group_count"] = np.zeros(count, np.int64)
        for name in ("groups", "group_size", "group_count"):
            m[name] = arrays[name].ctypes.data
        m["members_most"] = most + self.hold.program.machine.chips

    def _skipper(self) -> None:
        """Room for the states that skipping compares; what it knew is forgotten."""
        m, s, arrays = self.record, self.seeker, self.arrays
        if "variants" not in arrays or not self.hold.skip:
            return
        counters, units, controls = (
            int(m["counters"]),
            len(self.hold.units),
            len(self.hold.controls),
        )
        tokens = counters * int(m["token_room"])
        times = (
            tokens + units * (5 + 2 * self.hold.depth) + controls + int(m["port_count"]) + units + 8
        )
        shapes = counters + units * (8 + self.hold.depth) + controls * (4 + 2 * SOURCES) + units + 8
        tallies = (
            len(arrays["variants"]) * state.TALLIES
            + units
            + controls * (40 + self.hold.semaphores)
            + 8
        )
        heads = blank(state.Head, MOST_HEADS)
        kept: list[Any] = []
        states = [s["current"], *(heads[n]["state"] for n in range(len(heads)))]
        for one in states:
            for name, size in (
                ("shape", shapes),
                ("time", times),
                ("tally", tallies),
                ("levels", 17 * controls),
            ):
                array = np.empty(size, np.int64)
                kept.append(array)
                one[name] = array.ctypes.data
        glances = np.zeros((len(heads), GLANCE), np.int64)
        for n in range(len(heads)):
            heads[n]["glance"] = glances[n].ctypes.data
        arrays["heads"], arrays["states"], arrays["glances"] = heads, kept, glances
        s["heads"], s["count"], s["on"] = heads.ctypes.data, 0, 1
        s["spent"] = s["size"] = s["trusted"] = 0

    # ---- while it runs ------------------------------------------------------------------
    def fresh(self) -> None:
        """No variant has been met; scalars are those of the run that begins."""
        scalars, variants = self.hold.scalars, self.arrays["variants"]
        variants["acc"] = variants["made"] = 0
        for n in range(len(self.hold.program.parameters)):
            self.arrays["params"][n] = scalars.parameter(n)
        self.record["extreme"] = 0 if scalars.log is not None else _EXTREMES[scalars.extreme]

    def begin(self, start: int) -> None:
        """Every counter has its first tokens, and every control processor something to do."""
        m, arrays = self.record, self.arrays
        arrays["token_head"][:] = 0
        arrays["token_count"][:] = arrays["initial"]
        arrays["tokens"][:] = start
        arrays["token_events"][:] = -1
        m["heap_count"] = m["head_count"] = m["meeting"] = m["arrivals"] = m["loads"] = 0
        arrays["group_count"][:] = 0
        controls = self.hold.control_units
        arrays["work"][: len(controls)] = controls
        m["work_count"] = len(controls)
        s = self.seeker
        s["count"] = s["spent"] = s["size"] = s["trusted"] = 0
        s["on"] = self.hold.skip

    def met(self) -> Records:
        """The variants, as they are now."""
        found: Records = self.arrays["variants"][: self.used].copy()
        return found

    def more_tokens(self) -> None:
        """Makes room for twice as many."""
        self._token_room(2 * int(self.record["token_room"]))

    def add(self, unit: int, word: int, key: tuple[int, ...], row: Records, made: Made) -> None:
        """Adds a variant that native code asked for."""
        arrays = self.arrays
        full = (unit, word, key)
        if full in arrays["keys_of_variants"] or len(key) > KEY_MOST:
            raise InternalError("E0001", f"a variant of word {word} was made twice")
        if self.used == len(arrays["variants"]):
            self._variants(arrays["variants"])
            self.used = len(arrays["variants"]) // 2
        number = self.used
        arrays["variants"][number] = row[0]
        self.used += 1
        self.record["variant_count"] = self.used
        self.image.made.append(made)
        arrays["keys_of_variants"][full] = number
        self._named()
        self._remember(full, number)

    def _remember(self, full: tuple[int, int, tuple[int, ...]], number: int) -> None:
        """Puts a variant into the table that native code looks it up in."""
        unit, word, key = full
        table = self.arrays["hash"]
        at = hash_of(unit, word, key) & (len(table) - 1)
        while table[at, 0] >= 0:
            at = (at + 1) & (len(table) - 1)
        table[at, :3] = unit, word, len(key)
        table[at, 3 : 3 + len(key)] = key
        table[at, HASH_ROW - 1] = number


def hash_of(unit: int, word: int, key: tuple[int, ...]) -> int:
    """Where a variant is looked for first; what ``find_variant`` computes."""
    mask = (1 << 64) - 1
    found = ((unit * 1000003) ^ (word * 7919)) & mask
    for number in key:
        found = ((found ^ (number & mask)) * 1099511628211) & mask
        found ^= found >> 29
    return found
