"""A block made flat for the event model: what words occupy, wait for and give, everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maiacc_isa.load import load
from maiacc_isa.measure import WordMeasure
from maiacc_isa.program import Block, Program
from maiacc_isa.word import Word
from maiacc_sim.code import Do, Step, steps
from maiacc_sim.native import records
from maiacc_sim.native.arrays import Ints, Records, blank, numbers
from maiacc_sim.native.image import field_code
from maiacc_sim.native.lang.functions import dtype_of
from maiacc_sim.native.lists import Lists
from maiacc_sim.native.timing import state
from maiacc_sim.native.timing_places import Places
from maiacc_sim.ports import Pass, Ports
from maiacc_sim.recipe import Key, Recipe, peers_of
from maiacc_sim.relevant import Relevant
from maiacc_sim.system import Instance, QueueOf, System
from maiacc_sim.tokens import mask_members

#: Numbers of a row of the table of variants: unit, word, length of the key, key, variant.
HASH_ROW = 20
KEY_MOST = 16


@dataclass
class Made:
    """A variant as Python knows it: the word, what it measures, and where its operands lie."""

    index: int
    measure: WordMeasure
    homes: dict[str, int]
    unit: int = -1
    passes: tuple[Pass, ...] | None = None


@dataclass
class TimingImage:
    """A block made flat. ``made`` has an entry for each variant; those of a word that is always
    the same share one."""

    block: Block
    number: int
    lists: Lists
    words: Records
    steps: dict[str, Records]
    recipes: list[Recipe]
    recipe_records: Records
    recipe_numbers: Ints
    variants: Records
    made: list[Made]
    ports: list[int]
    groups: dict[tuple[str, frozenset[int]], int] = field(default_factory=dict)


class ImageMaker:
    """Makes blocks of a program flat."""

    def __init__(self, program: Program, system: System, ports: Ports, relevant: Relevant) -> None:
        self.program, self.system, self.ports = program, system, ports
        self.relevant = relevant
        self.places = Places(system, ports)
        machine = program.machine
        self.travel = {s: machine.int(f"sem.{s}") for s in ("tile", "cluster", "chip")}
        self.travel["remote"] = self.travel["chip"]
        self._units: dict[str, dict[int, int]] = {}
        for q in system.queues:
            self._units.setdefault(q.name, {})[q.instance.number] = q.number

    def image(self, block: Block, number: int) -> TimingImage:
        """A block made flat; variants that depend on scalars are made when they are met."""
        lists = Lists(block, self.system)
        recipes = [Recipe(word, block) for word in block.words]
        result = TimingImage(
            block,
            number,
            lists,
            timing_words(block),
            {},
            recipes,
            blank(state.Recipe, len(recipes)),
            np.zeros(1, np.int64),
            np.zeros(0, dtype_of(state.Variant)),
            [],
            [],
        )
        self._recipes(result)
        self._static(result)
        for role in load().roles:
            found = steps(block, role, self.relevant.registers)
            result.steps[role] = self._steps(result, found)
        return result

    def _steps(self, image: TimingImage, found: list[Step]) -> Records:
        """The steps of a control processor."""
        result = blank(state.Step, len(found))
        for number, s in enumerate(found):
            queue, first = -1, -1
            if s.do in (Do.PUSH, Do.SLD):
                record = image.recipe_records[s.index]
                first = -1 if record["dynamic"] else int(record["first"])
            if s.do is Do.PUSH:
                queue = load().queues[str(s.word.queue)].code
            result[number] = s.do, s.index, s.cycles, s.target, s.level, s.trip, s.reg, queue, first
        return result

    # ---- words that are always the same -----------------------------------------------------
    def _recipes(self, image: TimingImage) -> None:
        found: list[int] = []
        for index, recipe in enumerate(image.recipes):
            r = image.recipe_records[index]
            r["dynamic"], r["peer"] = recipe.dynamic, -1
            r["sizes"], r["size_from"] = len(recipe.sizes), len(found)
            for _, _, code, most in recipe.sizes:
                found += [code, most]
            r["homes"], r["home_from"] = len(recipe.homes), len(found)
            for _, terms in recipe.homes:
                found.append(len(terms))
                for code, coef in terms:
                    found += [code, coef]
            if recipe.peer is not None:
                r["peer"] = recipe.peer
        image.recipe_numbers = numbers(found)

    def _static(self, image: TimingImage) -> None:
        """Variants of the words that are the same whatever scalars say, instance by instance."""
        parts = []
        count = 0
        for index, word in enumerate(image.block.words):
            recipe, record = image.recipes[index], image.recipe_records[index]
            queue = self._queue_name(word)
            if queue is None or recipe.dynamic:
                continue
            record["first"] = count
            measure = WordMeasure(word, image.block, self.program.machine)
            made = self._rows(image, index, word, queue, measure)
            parts.append(made)
            count += len(made)
        if parts:
            image.variants = np.concatenate(parts)

    def _queue_name(self, word: Word) -> str | None:
        """The queue, or control processor, that executes a word; None for control words that take
        their cycle only."""
        if not word.row.control:
            return str(word.queue)
        if word.name != "SLD":
            return None
        return next(
            q.name
            for q in load().queues.values()
            if q.engine == "control" and q.role == word.roles[0]
        )

    def _rows(
        self, image: TimingImage, index: int, word: Word, queue: str, measure: WordMeasure
    ) -> Records:
        """The variants of a static word in all instances of its role."""
        role = load().queues[queue].role
        who = self.places.by_role[role]
        units = self._units.get(queue, {})
        rows = np.zeros(len(who), dtype_of(state.Variant))
        if not units:
            # A queue that this machine does not have: whoever pushes is told so.
            image.made += [Made(index, measure, {})] * len(who)
            return rows
        rows["unit"] = [units[n] for n in who.tolist()]
        rows["word"], rows["barrier"] = index, -1
        rows["occupancy"], rows["latency"] = measure.occupancy, measure.latency
        self._tokens(image, index, word, rows, who)
        if role == "chip":
            image.made += [
                self._chip_row(image, index, measure, rows[n], self.system.instances[number])
                for n, number in enumerate(who.tolist())
            ]
            return rows
        image.made += [Made(index, measure, {})] * len(who)
        for hop, (ports, ticks) in enumerate(self.places.passes(measure, role)):
            width = ports.shape[1]
            start = len(image.ports) + width * np.arange(len(who))
            rows["ticks"][:, hop] = ticks
            rows["port_at"][:, hop] = start
            rows["hops"] = hop + 1
            rows["port_to"][:, hop] = start + width
            image.ports += ports.reshape(-1).tolist()
        return rows

    def _tokens(self, image: TimingImage, index: int, word: Word, rows: Records, who: Ints) -> None:
        """What static words wait for and give: lists that words share."""
        each = len(self.system.instances) + 1
        rows["waits"], rows["posts"] = len(word.waits), len(word.posts)
        for kind, tokens in (("wait", word.waits), ("post", word.posts)):
            for n, (sem, count) in enumerate(tokens):
                at = image.lists.number(kind, index, n) * each + who
                starts = np.asarray(image.lists.starts, np.int64)
                rows[f"{kind}_count"][:, n] = count
                rows[f"{kind}_from"][:, n] = starts[at]
                rows[f"{kind}_to"][:, n] = starts[at + 1]
                if kind == "post":
                    scope = image.block.semaphores[sem].scope
                    rows["post_travel"][:, n] = self.travel[scope]

    # ---- words that scalars or chips decide ---------------------------------------------------
    def _chip_row(
        self, image: TimingImage, index: int, measure: WordMeasure, row: Any, who: Instance
    ) -> Made:
        peers = peers_of(self.system, image.block, measure.word, who.chip, -1)
        self._posts(image, index, measure.word, row, who, peers)
        made = Made(index, measure, {}, int(row["unit"]))
        self._ports(image, made, row, who, peers or ())
        return made

    def dynamic(self, image: TimingImage, queue: QueueOf, index: int, key: Key) -> tuple[Any, Made]:
        """The variant of a word for one instance and the values that decide it.

        Raises ``Trap`` peer for a chip that the link does not reach.
        """
        word, who = image.block.words[index], queue.instance
        sizes, homes, peer = image.recipes[index].split(key)
        measure = WordMeasure(word, image.block, self.program.machine, sizes=sizes)
        peers = peers_of(self.system, image.block, word, who.chip, peer)
        row = np.zeros(1, dtype_of(state.Variant))
        row["unit"], row["word"], row["barrier"] = queue.number, index, -1
        row["occupancy"], row["latency"] = measure.occupancy, measure.latency
        self._tokens(image, index, word, row, numbers([who.number]))
        self._posts(image, index, word, row[0], who, peers)
        made = Made(index, measure, homes, queue.number)
        self._ports(image, made, row[0], who, peers or ())
        return row, made

    def _posts(
        self,
        image: TimingImage,
        index: int,
        word: Word,
        row: Any,
        who: Instance,
        peers: tuple[int, ...] | None,
    ) -> None:
        """Posts of network words: remote semaphores only at their peers; and the group of a BAR."""
        if peers is not None:
            found = image.lists.wiring.posts(index, who, peers)
            for n, (_, counters) in enumerate(found):
                row["post_from"][n] = len(image.lists.entries)
                image.lists.entries += counters
                row["post_to"][n] = len(image.lists.entries)
        if word.name == "BAR":
            members = mask_members(image.block, word, "group")
            chips = frozenset(range(self.system.machine.chips))
            key = (str(word.queue), chips if members is None else members)
            row["barrier"] = image.groups.setdefault(key, len(image.groups))

    def _ports(
        self, image: TimingImage, made: Made, row: Any, who: Instance, peers: tuple[int, ...]
    ) -> None:
        made.passes = self.ports.passes(made.measure, who, made.homes, peers)
        row["hops"] = len(made.passes)
        for hop, (found, ticks) in enumerate(made.passes):
            row["ticks"][hop], row["port_at"][hop] = ticks, len(image.ports)
            image.ports += found
            row["port_to"][hop] = len(image.ports)


def timing_words(block: Block) -> Records:
    """The words of a block as far as control processors read them; of waits the semaphores."""
    result = blank(records.Word, len(block.words))
    queues = load().queues
    for index, word in enumerate(block.words):
        r = result[index]
        if word.queue is not None:
            r["queue"] = queues[word.queue].code
        for f in word.row.fields:
            if f.kind.base not in ("desc", "semref"):
                r[f.name] = field_code(f, word.fields[f.name])
        for n, (sem, _) in enumerate(word.waits):
            r["wait_list"][n] = sem
    return result
