"""A second machine, written from the manual alone: slow, untimed, in Python integers.

It judges the reference simulator and shares no code with it. Control processors and queues
take turns in any order; the memories are dictionaries of the bytes that were written.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from maiacc_isa.load import load
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block, Call, If, Node, Program, While
from maiacc_isa.word import Word
from sim.plain_control import Control
from sim.plain_meanings import MEANINGS
from sim.plain_memory import Memories, Place, Window, locate
from sim.plain_numbers import PlainTrap, integer
from sim.plain_tokens import Tokens
from sim.plain_words import Execution


@dataclass
class Pushed:
    """A word in a queue, with what its control processor has read for it."""

    word: Word
    views: dict[str, Window]
    fresh: bool
    peers: tuple[int, ...]
    begun: bool = False


class PlainMachine:
    """Executes a program; ``parameters`` are its runtime parameters by name."""

    def __init__(self, program: Program, parameters: dict[str, int] | None = None) -> None:
        self.program = program
        self.machine = m = program.machine
        self.parameters = {p.name: p.low for p in program.parameters} | (parameters or {})
        self.memories = Memories(m)
        self.elements = 0
        self.places = [
            place
            for chip in range(m.chips)
            for place in (
                *(Place("tile", chip, c, t) for c in range(m.clusters) for t in range(m.tiles)),
                *(Place("cluster", chip, c) for c in range(m.clusters)),
                Place("chip", chip),
            )
        ]
        self.controls = {place: Control(place, m.tiles) for place in self.places}
        self.queues: dict[tuple[Place, str], deque[Pushed]] = {}
        self._choice: random.Random | None = None

    # ---- the host -----------------------------------------------------------------------
    def load(self, inputs: dict[str, list[bytes]]) -> None:
        """Writes inputs and states, given for each chip, and the program's weights."""
        for tensor in self.program.tensors:
            for chip in range(self.machine.chips):
                if tensor.kind == "weight":
                    data = self.program.weights[tensor.name].data
                    assert data is not None, "weights stand in the text of a test"
                elif tensor.kind == "output":
                    continue
                else:
                    data = inputs[tensor.name][chip]
                assert len(data) == tensor.bytes(self.machine.chips), tensor.name
                self.memories.load(Place("hbm", chip), tensor.base, data)

    @property
    def outputs(self) -> dict[str, list[bytes]]:
        """Outputs and states by the name under which they are handed back, for each chip."""
        result = {}
        for tensor in self.program.tensors:
            if tensor.kind in ("output", "state"):
                span = range(tensor.base, tensor.base + tensor.bytes(self.machine.chips))
                hbm = [self.memories.contents[Place("hbm", c)] for c in range(self.machine.chips)]
                result[tensor.result or tensor.name] = [bytes(h[i] for i in span) for h in hbm]
        return result

    def run(self, order: int | str = "ready") -> None:
        """Runs the program; a number picks among what is ready by chance, "last" prefers queues
        and instances that stand last."""
        self._choice = random.Random(order) if isinstance(order, int) else None
        self._last = order == "last"
        self._walk(self.program.control)

    # ---- control graph ------------------------------------------------------------------
    def _walk(self, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            match node:
                case Call():
                    self._block(self.program.block(node.block))
                case If():
                    self._walk(node.then if self._condition(node.reg) else node.other)
                case While():
                    turns = 0
                    while self._condition(node.reg):
                        turns += 1
                        if turns > node.most:
                            raise PlainTrap("interval", "too many turns")
                        self._walk(node.body)

    def _condition(self, register: int) -> bool:
        values = {self.controls[p].source(register) != 0 for p in self.places if p.kind == "chip"}
        if len(values) != 1:
            raise PlainTrap("interval", "chips disagree")
        return values.pop()

    # ---- a block ------------------------------------------------------------------------
    def _block(self, block: Block) -> None:
        self.block = block
        self.tokens = Tokens(block, self.machine, self.places)
        self.barriers: dict[tuple[str, int], int] = {}
        names = {word.queue for word in block.words if word.queue is not None}
        self.queues = {
            (place, name): deque()
            for place in self.places
            for name in sorted(names)
            if load().queues[name].role == place.kind
        }
        for control in self.controls.values():
            control.enter(block)
        agents: list[Callable[[], bool]] = [
            *(lambda p=p: self._issue(p) for p in self.places),
            *(lambda key=key: self._execute(*key) for key in self.queues),
        ]
        if self._last:
            agents.reverse()
        while not self._over():
            if self._choice is not None:
                self._choice.shuffle(agents)
            # Not a list comprehension in `any`: every agent gets its turn.
            moved = [agent() for agent in agents]
            if not any(moved):
                raise PlainTrap("deadlock", block.name)
        assert self.tokens.balanced(), f"block {block.name} leaves tokens"

    def _over(self) -> bool:
        ended = all(self._at(c).name == "END" for c in self.controls.values())
        return ended and not any(self.queues.values())

    def _at(self, control: Control) -> Word:
        return self.block.words[control.word]

    # ---- control processors -------------------------------------------------------------
    def _issue(self, place: Place) -> bool:
        """Executes or pushes one word; whether anything happened."""
        control = self.controls[place]
        word = self._at(control)
        if word.name == "END":
            return False
        if not word.row.control:
            return self._push(control, word)
        match word.name:
            case "LOOP":
                control.begin_loop(word)
                return True
            case "ENDL":
                # A role that its loop leaves out never comes here.
                control.end_loop()
                return True
            case "SLD" if place.kind in word.roles:
                if not self._load_scalar(control, word):
                    return False
            case "SET" if place.kind in word.roles:
                control.compute(word, self.block.tables)
            case "PAR" if place.kind in word.roles:
                name = self.program.parameters[word["param"]].name
                control.assign(word["dest"], self.parameters[name])
        control.word += 1
        return True

    def _load_scalar(self, control: Control, word: Word) -> bool:
        place = control.place
        if not self.tokens.ready(word.waits, place, None):
            return False
        self.tokens.take(word.waits, place, None)
        (pushed,) = [self._located(control, word)]
        execution = self._execution(place, pushed)
        (code,) = execution.read("a")
        value = integer(code, execution.dtype("a"))
        if not word["low"] <= value <= word["high"]:
            raise PlainTrap("interval", str(value))
        control.assign(word["dest"], value)
        control.log.append(value)
        self.tokens.post(word.posts, place, None, None)
        return True

    def _push(self, control: Control, word: Word) -> bool:
        assert word.queue is not None
        if load().queues[word.queue].role != control.place.kind:
            control.word += 1
            return True
        queue = self.queues[control.place, word.queue]
        if len(queue) >= self.machine.int("queue.depth"):
            return False
        queue.append(self._located(control, word))
        control.word += 1
        return True

    def _located(self, control: Control, word: Word) -> Pushed:
        views = {
            op.name: locate(self.block, word[op.name], control.source)
            for op in present_operands(word, self.block.chains)
        }
        return Pushed(word, views, control.fresh(word), self._peers(control, word))

    def _peers(self, control: Control, word: Word) -> tuple[int, ...]:
        """The chips a network word goes to."""
        chip, chips = control.place.chip, range(self.machine.chips)
        peers: tuple[int, ...]
        if "group" in word.fields:
            group = word["group"]
            members = self.block.masks[group - 1].members if group else set(chips)
            peers = tuple(c for c in chips if c in members and c != chip)
        elif "peer" in word.fields:
            peers = (control.source(word["peer"]),)
        else:
            return ()
        link = load().queues[str(word.queue)].code - load().queues["NET0"].code
        if not all(self.machine.reaches(link, chip, peer) for peer in peers):
            raise PlainTrap("peer", str(peers))
        return peers

    # ---- queues -------------------------------------------------------------------------
    def _execution(self, place: Place, pushed: Pushed) -> Execution:
        return Execution(
            self.program,
            self.block,
            self.memories,
            place,
            pushed.word,
            pushed.views,
            pushed.fresh,
            pushed.peers,
        )

    def _execute(self, place: Place, name: str) -> bool:
        """Executes the word at the head of a queue, if its waits are met."""
        queue = self.queues[place, name]
        if not queue:
            return False
        pushed = queue[0]
        execution = self._execution(place, pushed)
        word, members = pushed.word, execution.members
        if not pushed.begun:
            if not self.tokens.ready(word.waits, place, members):
                return False
            self.tokens.take(word.waits, place, members)
            pushed.begun = True
            if word.name == "BAR":
                self.barriers[name, place.chip] = self.barriers.get((name, place.chip), 0) + 1
        if word.name == "BAR" and not self._met(place, name, pushed):
            return False
        queue.popleft()
        MEANINGS[word.row.meaning](execution)
        self.elements += sum(w.rows * w.columns for w in pushed.views.values())
        peers = pushed.peers if word.row.engines == ("net",) and word.name != "BAR" else None
        self.tokens.post(word.posts, place, members, peers)
        return True

    def _met(self, place: Place, name: str, pushed: Pushed) -> bool:
        """Whether this turn of the barrier has begun on every chip of its group."""
        turn = self.barriers[name, place.chip]
        return all(self.barriers.get((name, peer), 0) >= turn for peer in pushed.peers)
