"""Lower bounds on the cycles of a program, and what it does in all: from counts of its words.

Nothing here knows when anything happens. A program cannot be faster than its busiest queue or
port, however well everything overlaps.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from maiacc_isa.measure import WordMeasure
from maiacc_isa.operands import present_operands
from maiacc_isa.operation import TICKS, View, cdiv
from maiacc_isa.program import Program
from maiacc_isa.spec import Insn
from maiacc_sim.counts import Counts
from maiacc_sim.ports import Ports
from maiacc_sim.recipe import Key, Recipe, peers_of
from maiacc_sim.system import Instance, System

#: The bound that a queue of an engine, or a port, belongs to.
ENGINE_BOUND = {"tensor": "compute", "drain": "drain", "vector": "vector"}
PORT_BOUND = {
    "hbm": "hbm",
    "noc": "noc",
    "csram": "csram",
    "remote": "csram",
    "tile": "tile",
    "link": "network",
}

#: All bounds, in the order in which they are shown.
BOUNDS = ("compute", "vector", "hbm", "csram", "network", "drain", "noc", "tile")


@dataclass
class Totals:
    """What a program does in all its instances.

    ``bounds`` are cycles; ``read`` and ``written`` bytes of elements by memory; ``macs`` the
    multiplications of the tensor units, those with skipped zeros not counted; ``instructions``
    executions of engine words and, by themselves, of control words.
    """

    bounds: dict[str, int] = field(default_factory=dict)
    read: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    macs: int = 0
    instructions: int = 0
    control: int = 0

    @property
    def bound(self) -> str:
        """The largest bound; the first of equal ones."""
        return max(BOUNDS, key=lambda name: self.bounds[name])


def totals(program: Program, counts: Counts) -> Totals:
    """Adds up what the counted words do and occupy."""
    return _Sum(program, counts).result


class _Sum:
    def __init__(self, program: Program, counts: Counts) -> None:
        self.program = program
        self.system = System(program.machine)
        self.ports = Ports(self.system)
        self.result = Totals()
        self._busy: Counter[tuple[int, str]] = Counter()
        self._ticks: Counter[int] = Counter()
        everywhere: dict[tuple[int, int, Key], list[tuple[Instance, int]]] = {}
        for (number, instance, index, key), times in counts.words.items():
            executions = everywhere.setdefault((number, index, key), [])
            executions.append((self.system.instances[instance], times))
        for what, executions in everywhere.items():
            self._word(what, executions)
        self.result.control = sum(counts.control.values())
        self._bounds()

    def _word(self, what: tuple[int, int, Key], executions: list[tuple[Instance, int]]) -> None:
        """Adds what a word does whose sizes, homes and peer are ``key``, in all instances."""
        number, index, key = what
        block = self.program.blocks[number]
        word = block.words[index]
        self.result.instructions += sum(times for _, times in executions)
        if word.row.control:
            return
        sizes, homes, peer = Recipe(word, block).split(key)
        measure = WordMeasure(word, block, self.program.machine, sizes=sizes)
        occupancy, macs = measure.occupancy, _macs(measure)
        moved: Counter[int] = Counter()
        for who, times in executions:
            self._busy[who.number, str(word.queue)] += times * occupancy
            self.result.macs += times * macs
            peers = peers_of(self.system, block, word, who.chip, peer) or ()
            copies = 1
            for ports, occupied in self.ports.passes(measure, who, homes, peers):
                copies = len(ports)
                for port in ports:
                    self._ticks[port] += times * occupied
            moved[copies] += times
        for copies, times in moved.items():
            self._bytes(measure, times, copies)

    def _bytes(self, measure: WordMeasure, times: int, copies: int) -> None:
        """Bytes the operands take from and give to memories."""
        row = measure.word.row
        present = {op.name for op in present_operands(measure.word, measure.block.chains)}
        rows = max((v.payload() for v in measure.views.values() if v is not None), default=0)
        for access in row.accesses:
            view = measure.views.get(access.operand)
            wanted = access.when is None or measure.evaluate(access.when)
            if view is None or access.operand not in present or view.space == "iota" or not wanted:
                continue
            moved = rows if access.whole else view.payload() + self._beside(measure, view)
            if access.mode == "read":
                self.result.read[view.space] += times * moved
            else:
                self.result.written[view.space] += times * moved * copies

    def _beside(self, measure: WordMeasure, view: View) -> int:
        """Bytes of an operand's scales and 2:4 positions."""
        d = view.descriptor
        numbers = [n for n in (d.scale, d.meta) if n is not None]
        return sum(View(measure.block.descriptors[n]).payload() for n in numbers)

    def _bounds(self) -> None:
        bounds = dict.fromkeys(BOUNDS, 0)
        for (_, name), busy in self._busy.items():
            bound = ENGINE_BOUND.get(self._engine(name))
            if bound is not None:
                bounds[bound] = max(bounds[bound], busy)
        for port, occupied in self._ticks.items():
            bound = PORT_BOUND[self.ports.kinds[port]]
            bounds[bound] = max(bounds[bound], cdiv(occupied, TICKS))
        self.result.bounds = bounds

    def _engine(self, queue: str) -> str:
        return next(q.row.engine for q in self.system.queues if q.name == queue)


def multiplies(row: Insn) -> bool:
    """Whether an instruction multiplies matrices: a word of the tensor unit with two of them."""
    return "tensor" in row.engines and "b" in row.operand_by_name


def _macs(measure: WordMeasure) -> int:
    """Multiplications of a word of the tensor unit: every stored element of b for every row."""
    b = measure.views.get("b")
    if b is None or not multiplies(measure.word.row):
        return 0
    return measure.letters["M"] * b.n
