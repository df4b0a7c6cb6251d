"""Rules that one word can break by itself: indices, types, shapes, routes, alignment, roles.

Everything here follows from the rows; what depends on iterations or on other words is decided
by the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maiacc_isa import expr as ex
from maiacc_isa.lint.engine_words import EngineRules
from maiacc_isa.lint.findings import Report, Site, Sites
from maiacc_isa.lint.tree import Leaf, Loop, Node, walk
from maiacc_isa.load import load
from maiacc_isa.measure import WordMeasure
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block, Program
from maiacc_isa.tables import Descriptor
from maiacc_isa.word import Word


class WordRules:
    """Checks the words of one block."""

    def __init__(self, program: Program, block: Block, report: Report, sites: Sites) -> None:
        self._program = program
        self._machine = program.machine
        self._block = block
        self._report = report
        self._sites = sites
        self._engines = EngineRules(program, block, report, sites)

    def check(self, tree: list[Node]) -> None:
        """All findings about single words."""
        for number, d in enumerate(self._block.descriptors):
            self._descriptor(number, d)
        for node, around in walk(tree):
            word = node.word
            site = self._sites.site(node.index)
            before = len(self._report.findings)
            self._roles(word, around, site)
            self._references(word, site)
            if before < len(self._report.findings):
                continue
            if word.name in ("SET", "SLD", "LOOP"):
                self._control_word(word, site)
            elif isinstance(node, Leaf) and not word.row.control:
                self._engines.check(word, site)
        self._regions(tree)

    # ---- roles and indices --------------------------------------------------------------
    def _roles(self, word: Word, around: tuple[Loop, ...], site: Site) -> None:
        spec = load()
        if word.row.control:
            roles = set(word.roles)
        else:
            queue = spec.queues[str(word.queue)]
            roles = {queue.role}
            link = queue.code - spec.queues["NET0"].code
            if queue.engine == "net" and link >= self._machine.links:
                links = self._machine.links
                self._report.say(
                    "E1001", f"the machine has no link {link}", site, expected=f"{links} links"
                )
        for loop in around:
            missing = roles - set(loop.word.roles)
            if missing:
                self._report.say(
                    "E1002",
                    f"loop {loop.name} is skipped by role {', '.join(sorted(missing))}, "
                    "which should execute this word",
                    site,
                    expected=f"a loop on {', '.join(sorted(roles | set(loop.word.roles)))}",
                )
                return

    def _references(self, word: Word, site: Site) -> None:
        sizes = {
            "chain": len(self._block.chains),
            "mask": len(self._block.masks) + 1,
            "desc": len(self._block.descriptors),
            "param": len(self._program.parameters),
        }
        present = {op.name for op in present_operands(word, self._block.chains)}
        fields = [(f.name, f.kind.base) for f in word.row.fields if f.name in word.fields]
        for op in word.row.operands:
            if op.name in present:
                fields.append((op.name, "desc"))
            elif word.fields.get(op.name):
                message = f"{word.row.mnemonic} has no operand {op.name} here; its bits must be 0"
                self._report.say("E0407", message, site)
        for name, kind in fields:
            index = word.fields[name]
            if kind in sizes and index >= sizes[kind]:
                self._report.say(
                    "E0405",
                    f"{name} = {index} lies behind the block's table",
                    site,
                    expected=f"0 to {sizes[kind] - 1}",
                )
        for sem, _ in (*word.waits, *word.posts):
            if sem >= len(self._block.semaphores):
                self._report.say("E0405", f"semaphore {sem} lies behind the block's table", site)
        for op in present_operands(word, self._block.chains):
            number = word.fields[op.name]
            if number < len(self._block.descriptors):
                self._aux_references(self._block.descriptors[number], op.name, site)

    def _aux_references(self, d: Descriptor, name: str, site: Site) -> None:
        for aux in (d.scale, d.meta):
            if aux is not None and aux >= len(self._block.descriptors):
                message = f"{name}: descriptor {aux} lies behind the block's table"
                self._report.say("E0405", message, site)

    def _control_word(self, word: Word, site: Site) -> None:
        row = word.row
        for require in row.requires:
            if not ex.evaluate(require.test, _Control(word, self._program)):
                self._report.say(require.code, require.message, site)
        if word.name == "SLD":
            measure = WordMeasure(word, self._block, self._machine)
            self._engines.operands(measure, word.roles[0], site)
        sources = load().sources
        if word.name == "SET":
            if word["fn"] == "table" and word["m"] >= len(self._block.tables):
                self._report.say("E0405", f"table {word['m']} lies behind the block's tables", site)
            for number in (1, 2):
                if word[f"c{number}"] == 0:
                    continue
                code = word[f"x{number}"]
                source = next(
                    (s for s in sources.values() if s.code <= code < s.code + s.count), None
                )
                if source is None:
                    self._report.say("E0404", f"x{number} = {code} names no source", site)
                elif not set(word.roles) <= set(source.roles):
                    wrong = sorted(set(word.roles) - set(source.roles))
                    self._report.say(
                        "E1002",
                        f"role {', '.join(wrong)} has no `{source.name}`",
                        site,
                        expected=f"executed on {', '.join(source.roles)} only",
                    )

    def _regions(self, nodes: list[Node]) -> None:
        """Named regions begin and end in one body, role by role, and nest."""
        for role in load().roles:
            opened: list[Leaf] = []
            for node in nodes:
                if isinstance(node, Loop) or node.word.name != "MARK":
                    continue
                if role not in node.word.roles:
                    continue
                if node.word["what"] == "begin":
                    opened.append(node)
                    continue
                begun = opened.pop() if opened else None
                if begun is None or begun.word["id"] != node.word["id"]:
                    expected = "nothing is open" if begun is None else f"mark {begun.word['id']}"
                    message = f"role {role} ends a region that is not the innermost one begun"
                    self._report.say("E1011", message, self._sites.site(node.index), expected)
                    return
            if opened:
                message = f"role {role} does not end this region where it began it"
                self._report.say("E1011", message, self._sites.site(opened[-1].index))
                return
        for node in nodes:
            if isinstance(node, Loop):
                self._regions(node.body)

    # ---- descriptors --------------------------------------------------------------------
    def _descriptor(self, number: int, d: Descriptor) -> None:
        """Alignment and packing; a descriptor is right or wrong whoever uses it."""
        problem = _alignment(d)
        if problem is not None:
            name = self._sites.text.descriptor(number)
            line = self._block.places.get(f"descriptor {number}")
            self._report.say("E0704", f"{problem}: {name}", line=line)
        sources = load().sources.values()
        for term in d.terms:
            if not any(s.code <= term.source < s.code + s.count for s in sources):
                self._report.say("E0404", f"a term of descriptor {number} names no source", None)


class _Control:
    """Gives constraints of control words their fields and limits."""

    def __init__(self, word: Word, program: Program) -> None:
        self._word = word
        self._program = program

    def name(self, name: str) -> object:
        return self._word.fields.get(name, name)

    def path(self, path: str) -> object:
        return self._program.machine.evaluate(ex.Path(path))

    def function(self, name: str) -> Callable[..., Any]:
        raise LookupError(name)


def _alignment(d: Descriptor) -> str | None:
    """What is wrong with the addresses of a descriptor, if anything."""
    dtype = load().dtypes[d.dtype]
    if d.space == "iota":
        return None
    byte_terms = [t.coef for t in d.terms if t.target == "bytes"]
    if not dtype.packed:
        unit = dtype.bits // 8
        strides = [axis.stride for axis in d.axes if axis.extent > 1]
        if any(n % unit for n in (d.base, *strides, *byte_terms)):
            return f"addresses of {d.dtype} are multiples of {unit}"
        return None
    group = 2 if dtype.bits == 4 else 4
    packed = [i for i, axis in enumerate(d.axes) if axis.stride == dtype.bits]
    others = [axis.stride for i, axis in enumerate(d.axes) if i not in packed and axis.extent > 1]
    if len(packed) != 1 or any(stride % 8 for stride in others):
        return f"one axis of {d.dtype} has a stride of {dtype.bits} bits, the others whole bytes"
    moves = [d.axes[packed[0]].start]
    moves += [t.coef for t in d.terms if t.target == f"axis{packed[0]}"]
    moves += [dim.size for dim in d.dims if dim.axis == packed[0] and dim.step == 1]
    moves += [dim.step for dim in d.dims if dim.axis == packed[0] and dim.step not in (0, 1)]
    moves += [d.axes[packed[0]].extent]
    if any(n % group for n in moves):
        return f"origins and sizes along the packed axis of {d.dtype} are multiples of {group}"
    return None
