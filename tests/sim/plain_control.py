"""Control processors: one walks the words of a block for one instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from maiacc_isa.load import load
from maiacc_isa.program import Block
from maiacc_isa.word import Word
from sim.plain_memory import Place
from sim.plain_numbers import PlainTrap


@dataclass
class Turn:
    """A loop in force."""

    level: int
    first: int
    trips: int


@dataclass
class Control:
    """The state of a control processor; registers stay from block to block."""

    place: Place
    tiles: int
    registers: list[int | None] = field(default_factory=lambda: [None] * 32)
    log: list[int] = field(default_factory=list)
    word: int = 0
    loops: list[Turn] = field(default_factory=list)
    counters: dict[int, int] = field(default_factory=dict)

    @property
    def iteration(self) -> tuple[int, ...]:
        """The counters in force, outermost first."""
        return tuple(self.counters[turn.level] for turn in self.loops)

    def enter(self, block: Block) -> None:
        """Stands at the first word of a block."""
        self.word, self.loops, self.counters = 0, [], {}
        for live in block.live_in:
            value = self.registers[live.reg]
            if value is not None and not live.low <= value <= live.high:
                raise PlainTrap("interval", f"s{live.reg} = {value} on entry")

    def source(self, code: int) -> int:
        """The value of a source of scalars, by its code."""
        sources = load().sources
        if code < sources["L"].code:
            value = self.registers[code]
            if value is None:
                raise PlainTrap("scalar_unset", f"s{code}")
            return value
        if code < sources["tile"].code:
            level = code - sources["L"].code
            if level not in self.counters:
                raise PlainTrap("level", f"L{level}")
            return self.counters[level]
        ids = {
            "tile": self.place.tile,
            "cluster": self.place.cluster,
            "chip": self.place.chip,
            "gtile": self.place.cluster * self.tiles + self.place.tile,
            "one": 1,
        }
        return next(value for name, value in ids.items() if sources[name].code == code)

    def assign(self, register: int, value: int) -> None:
        """Sets a register of 48 bits."""
        if not -(1 << 47) <= value < 1 << 47:
            raise PlainTrap("scalar_overflow", str(value))
        self.registers[register] = value

    def compute(self, word: Word, tables: tuple[tuple[int, ...], ...]) -> None:
        """SET."""
        p, q = (word[f"c{i}"] and word[f"c{i}"] * self.source(word[f"x{i}"]) for i in (1, 2))
        imm, m = word["imm"], word["m"]
        v = p + q + imm
        results: dict[str, Callable[[], int]] = {
            "none": lambda: v,
            "div": lambda: v // m,
            "mod": lambda: v % m,
            "min": lambda: min(p + q + m, imm),
            "max": lambda: max(p + q + m, imm),
            "min2": lambda: min(p + imm, q + m),
            "max2": lambda: max(p + imm, q + m),
            "table": lambda: _entry(tables[m], v),
        }
        self.assign(word["dest"], results[word["fn"]]())

    def begin_loop(self, word: Word) -> None:
        """LOOP: goes into the body, or behind the ENDL."""
        trips = 0
        if self.place.kind in word.roles:
            trips = word["trip"] if word["kind"] == "imm" else self.source(word["reg"])
        if trips <= 0:
            self.word += word["length"] + 2
            return
        self.word += 1
        self.loops.append(Turn(word["level"], self.word, trips))
        self.counters[word["level"]] = 0

    def end_loop(self) -> None:
        """ENDL: back to the body, or on."""
        turn = self.loops[-1]
        self.counters[turn.level] += 1
        if self.counters[turn.level] < turn.trips:
            self.word = turn.first
            return
        self.loops.pop()
        del self.counters[turn.level]
        self.word += 1

    def fresh(self, word: Word) -> bool:
        """Whether the loops that a word's mode `first` names are at iteration 0."""
        if word.fields.get("mode") != "first":
            return False
        level, span = word["level"], word["span"]
        if level not in self.counters:
            raise PlainTrap("level", f"L{level}")
        last = level + span if span else 8
        return not any(count for number, count in self.counters.items() if level <= number < last)


def _entry(table: tuple[int, ...], index: int) -> int:
    if not 0 <= index < len(table):
        raise PlainTrap("table_index", str(index))
    return table[index]
