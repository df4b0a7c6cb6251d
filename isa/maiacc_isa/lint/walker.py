"""Control processors: they walk the words of a block, keep registers, and run loops."""

from __future__ import annotations

from dataclasses import dataclass, field

from maiacc_isa.lint.instances import Team
from maiacc_isa.lint.tree import Leaf, Loop, Node
from maiacc_isa.lint.values import ZERO, Derived, Sym, Val
from maiacc_isa.load import load
from maiacc_isa.program import Block, Program
from maiacc_isa.word import Word

#: Scalars leave the machine's 48 bits beyond this.
SCALAR_LIMIT = 1 << 47


class Trap(Exception):  # noqa: N818
    """A control word would trap: code, message, and what was expected."""

    def __init__(self, code: str, message: str, expected: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.expected = expected


@dataclass
class Frame:
    """A loop in force. ``trip`` is None while it is unknown and only bounded by ``most``."""

    loop: Loop
    counter: int
    trip: int | None
    most: int
    value: Val


@dataclass
class Assigned:
    """What a SET computed: its inputs' sum and the result, for the search for steady loops."""

    word: int
    value: Val
    result: Val


@dataclass
class Walker:
    """The control processors of a team, in step. ``place`` is the path to the next node."""

    team: Team
    block: Block
    program: Program
    nodes: list[Node]
    derived: Derived
    intervals: dict[tuple[object, ...], tuple[int, int]] = field(default_factory=dict)
    registers: list[Val | None] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    path: list[int] = field(default_factory=lambda: [0])
    steps: int = 0
    finished: bool = False

    def __post_init__(self) -> None:
        sources = load().sources
        self._first_counter = sources["L"].code
        self._limit = sources["s"].count
        if not self.registers:
            self.registers = [None] * self._limit
            for live in self.block.live_in:
                value = self.fixed(("in", live.reg), f"s{live.reg}", live.low, live.high)
                self.registers[live.reg] = value

    def fixed(self, key: tuple[object, ...], name: str, low: int, high: int) -> Val:
        """An unknown that keeps its value for the whole block, in the interval now assumed."""
        low, high = self.intervals.get(key, (low, high))
        known = (key, low, high)
        if known not in self.derived.fixed:
            sym = Sym(name, low, high, key=key)
            self.derived.fixed[known] = Val(low) if low == high else Val(0, {sym: 1})
        return self.derived.fixed[known]

    # ---- position -----------------------------------------------------------------------
    def body(self) -> list[Node]:
        """The nodes the walker is among."""
        return self.frames[-1].loop.body if self.frames else self.nodes

    def node(self) -> Node | None:
        """The next node, None at the end of a body."""
        body = self.body()
        return body[self.path[-1]] if self.path[-1] < len(body) else None

    def key(self) -> tuple[int, ...]:
        """Where in the program's order the walker is; smaller is earlier."""
        parts: list[int] = []
        for depth, frame in enumerate(self.frames):
            parts += (self.path[depth], frame.counter)
        parts.append(self.path[-1])
        return tuple(parts)

    def iteration(self) -> tuple[tuple[str, int], ...]:
        """Names and counters of the loops in force."""
        return tuple((frame.loop.name, frame.counter) for frame in self.frames)

    # ---- scalars ------------------------------------------------------------------------
    def source(self, code: int) -> Val:
        """The value of a source. Raises ``Trap`` for a register that is not set."""
        if code < self._limit:
            value = self.registers[code]
            if value is None:
                name = self.block.symbols.registers.get(code, f"s{code}")
                raise Trap("E1005", f"{name} is read before anything has set it")
            return value
        level = code - self._first_counter
        if 0 <= level < 8:
            if level >= len(self.frames):
                raise Trap("E1004", f"no loop of level {level} is in force here")
            return Val(self.frames[level].counter)
        if code not in self.team.ids:
            raise Trap("E1002", f"role {self.team.role} does not have this source")
        return self.team.ids[code]

    def fresh(self, level: int, span: int) -> bool:
        """Whether the loops from a level inwards, ``span`` of them or all, are at iteration 0."""
        frames = self.frames[level : level + span if span else None]
        return all(frame.counter == 0 for frame in frames)

    def assign(self, leaf: Leaf) -> Assigned:
        """Executes a SET. Raises ``Trap``."""
        word = leaf.word
        terms = [
            self.source(word[f"x{n}"]).scaled(word[f"c{n}"]) if word[f"c{n}"] else ZERO
            for n in (1, 2)
        ]
        if word["fn"] in ("min", "max", "min2", "max2"):
            value, result = self._lesser(word, terms)
        else:
            value = terms[0] + terms[1].plus(word["imm"])
            result = self._function(word, value)
        if not -SCALAR_LIMIT <= result.low <= result.high < SCALAR_LIMIT:
            raise Trap("E1009", "a scalar leaves 48 bits", "-2^47 .. 2^47-1")
        self.registers[word["dest"]] = result
        return Assigned(leaf.index, value, result)

    def _lesser(self, word: Word, terms: list[Val]) -> tuple[Val, Val]:
        """The difference of what a minimum or maximum compares, and its result."""
        if word["fn"].endswith("2"):
            one, two = terms[0].plus(word["imm"]), terms[1].plus(word["m"])
        else:
            one, two = terms[0] + terms[1].plus(word["m"]), Val(word["imm"])
        least = word["fn"].startswith("min")
        return one - two, self.derived.lesser(one, two, least)

    def _function(self, word: Word, value: Val) -> Val:
        m = word["m"]
        match word["fn"]:
            case "none":
                return value
            case "div":
                return self.derived.floordiv(value, m)
            case "mod":
                return self.derived.mod(value, m)
        table = self.block.tables[m]
        if value.low < 0 or value.high >= len(table):
            raise Trap(
                "E1007",
                f"index {value} lies outside the constant table",
                f"0 to {len(table) - 1}",
            )
        return self.derived.lookup(value, m, table)

    def parameter(self, word: Word) -> None:
        """Executes a PAR."""
        p = self.program.parameters[word["param"]]
        if p.step == 1:
            value = self.fixed(("par", word["param"]), p.name, p.low, p.high)
        else:
            count = self.fixed(("par", word["param"]), p.name, 0, (p.high - p.low) // p.step)
            value = count.scaled(p.step).plus(p.low)
        self.registers[word["dest"]] = value

    # ---- loops --------------------------------------------------------------------------
    def takes_part(self, loop: Loop) -> bool:
        """Whether this role executes the loop's body."""
        return self.team.role in loop.word.roles

    def trip(self, loop: Loop) -> Val:
        """The trip count of a loop that starts now. Raises ``Trap``."""
        if loop.word["kind"] == "imm":
            return Val(loop.word["trip"])
        return self.source(loop.word["reg"])

    def enter(self, loop: Loop, trip: Val) -> Frame:
        """Starts a loop whose trip count may be positive."""
        known = trip.const if trip.known else None
        frame = Frame(loop, 0, known, max(0, trip.high), trip)
        self.frames.append(frame)
        self.path.append(0)
        return frame

    def leave(self) -> None:
        """Ends the innermost loop and steps behind it."""
        self.frames.pop()
        self.path.pop()
        self.path[-1] += 1
