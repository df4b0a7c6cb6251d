"""Rules of one engine word: its queue, operands, types, shapes and routes, from its row."""

from __future__ import annotations

from collections.abc import Iterable

from maiacc_isa import expr as ex
from maiacc_isa.lint.findings import Report, Site, Sites
from maiacc_isa.load import load
from maiacc_isa.measure import WordMeasure, moves
from maiacc_isa.operands import present_operands
from maiacc_isa.operation import View
from maiacc_isa.program import Block, Program
from maiacc_isa.spec import Operand
from maiacc_isa.word import Word


class EngineRules:
    """Checks the engine words of one block."""

    def __init__(self, program: Program, block: Block, report: Report, sites: Sites) -> None:
        self._program = program
        self._machine = program.machine
        self._block = block
        self._report = report
        self._sites = sites

    def check(self, word: Word, site: Site) -> None:
        """All findings about one engine word."""
        measure = WordMeasure(word, self._block, self._machine)
        self._queue_rules(word, site)
        present = present_operands(word, self._block.chains)
        if not self.operands(measure, load().queues[str(word.queue)].role, site):
            return
        for require in word.row.requires:
            if not measure.evaluate(require.test):
                found = self._types(present, measure)
                self._report.say(require.code, require.message, site, found=found)
                return
        if moves(word.row):
            self._route(word, measure, site)
        for op in present:
            view = measure.views[op.name]
            if op.writes and view is not None and not _injective(view):
                message = f"two elements of {op.name} are written to one place"
                self._report.say("E0707", message, site)

    def operands(self, measure: WordMeasure, role: str, site: Site) -> bool:
        """Whether each operand lies in a memory and has a type that its row allows; then their
        sizes are checked, too."""
        present = present_operands(measure.word, self._block.chains)
        good = [self._operand(op, measure, role, site) for op in present]
        if all(good):
            self._letters(present, measure, site)
            self._scalar_sizes(present, measure, site)
        return all(good)

    def _types(self, present: Iterable[Operand], measure: WordMeasure) -> str:
        parts = []
        for op in present:
            view = measure.views[op.name]
            if view is not None:
                shape = f"{view.kept} x {view.red}" if op.reduced is not None else f"{view.n}"
                parts.append(f"{op.name}: {view.dtype} {shape} in {view.space}")
        return ", ".join(parts)

    def _operand(self, op: Operand, measure: WordMeasure, role: str, site: Site) -> bool:
        view = measure.views[op.name]
        assert view is not None
        if view.space not in op.spaces:
            self._report.say(
                "E0705",
                f"{op.name} ({op.doc}) cannot lie in {view.space}",
                site,
                expected=", ".join(op.spaces),
            )
            return False
        if op.types is not None and view.dtype not in op.types:
            self._report.say(
                "E0701",
                f"{op.name} ({op.doc}) cannot be of type {view.dtype}",
                site,
                expected=", ".join(op.types),
            )
            return False
        if op.writes and not self._writable(view):
            kind = "an input or a weight, which stays as the host gave it"
            self._report.say("E0806", f"{op.name} lies in {kind}", site, expected="output or state")
            return False
        return self._home(op, view, measure.word, role, site)

    def _writable(self, view: View) -> bool:
        if view.space != "hbm":
            return True
        chips = self._machine.chips
        base = view.descriptor.base
        inside = [t for t in self._program.tensors if t.base <= base < t.base + t.bytes(chips)]
        return not any(t.kind in ("input", "weight") for t in inside)

    def _home(self, op: Operand, view: View, word: Word, role: str, site: Site) -> bool:
        """Whether the view says whose memory it means, as far as it must."""
        own = load().spaces[view.space].role
        if view.home != "own" and not moves(word.row):
            message = f"{op.name} can only lie in the executing instance's memory"
            self._report.say("E0705", message, site)
            return False
        if view.home == "all" and not op.writes:
            self._report.say("E0705", f"{op.name} is read; `all` is for writing", site)
            return False
        inner = view.home == "own" and _rank(own) < _rank(role)
        if inner or (view.home != "own" and view.space == "hbm"):
            self._report.say(
                "E0705",
                f"{op.name} does not say whose {view.space} it means",
                site,
                expected="[number] or [all] behind the memory" if inner else "no home for hbm",
            )
            return False
        return True

    def _letters(self, present: Iterable[Operand], measure: WordMeasure, site: Site) -> None:
        """Equal letters in the shapes of operands mean equal sizes."""
        for op in present:
            view = measure.views[op.name]
            assert view is not None
            pairs = [
                (
                    op.kept,
                    view.n if op.reduced is None else view.kept,
                    "elements" if op.reduced is None else "rows",
                )
            ]
            if op.reduced is not None:
                pairs.append((op.reduced, view.red, "columns"))
            for shape, found, what in pairs:
                expected = measure.evaluate(shape)
                if expected != found:
                    text = ex.to_text(shape)
                    self._report.say(
                        "E0702",
                        f"{op.name} ({op.doc}) has {found} {what}",
                        site,
                        expected=text if text == str(expected) else f"{text} = {expected}",
                        found=self._types(present, measure),
                    )
                    return

    def _scalar_sizes(self, present: Iterable[Operand], measure: WordMeasure, site: Site) -> None:
        """Equal letters stay equal whatever the registers hold that give sizes."""
        known: dict[str, tuple[str, list[int]]] = {}
        for op in present:
            view = measure.views[op.name]
            assert view is not None
            d = view.descriptor
            regs = [d.size_reg(dim) for dim in range(view.rank)]
            split = view.rank if op.reduced is None else d.split
            for shape, part in ((op.kept, regs[:split]), (op.reduced, regs[split:])):
                if not isinstance(shape, ex.Name):
                    continue
                own = sorted(reg for reg in part if reg is not None)
                first, others = known.setdefault(shape.name, (op.name, own))
                if own != others:
                    names = [self._sites.text.register_name(reg) for reg in {*own, *others}]
                    self._report.say(
                        "E0702",
                        f"{op.name} and {first} get their sizes from different registers",
                        site,
                        expected=f"{shape.name} from the same registers in all operands",
                        found=", ".join(sorted(names)),
                    )
                    return

    def _route(self, word: Word, measure: WordMeasure, site: Site) -> None:
        a, d = measure.views.get("a"), measure.views.get("d")
        if a is None or d is None:
            return
        if measure.route(a, d) is None:
            engine = load().queues[str(word.queue)].engine
            ways = sorted(
                {
                    f"{r.source} -> {r.destination} ({r.home})"
                    for r in load().routes
                    if engine in r.engines
                }
            )
            self._report.say(
                "E0705",
                f"{word.queue} does not connect these memories",
                site,
                expected="; ".join(ways),
                found=f"{a.space} ({a.home}) -> {d.space} ({d.home})",
            )

    def _queue_rules(self, word: Word, site: Site) -> None:
        sems = self._block.semaphores
        text = self._sites.text
        for tokens, end, code in ((word.waits, "waiter", "E0902"), (word.posts, "poster", "E0901")):
            for sem, _ in tokens:
                declared = getattr(sems[sem], end)
                if declared != word.queue:
                    verb = "waits for" if end == "waiter" else "posts"
                    self._report.say(
                        code,
                        f"{word.queue} {verb} {text.semaphore_name(sem)}",
                        site,
                        expected=f"only {declared}, the semaphore's {end}",
                        hint=f"declare a semaphore of its own for {word.queue}",
                    )
            if len({sem for sem, _ in tokens}) < len(tokens):
                self._report.say("E0907", "one semaphore twice in a word", site, expected="name:2")
        self._mask_rules(word, site)

    def _mask_rules(self, word: Word, site: Site) -> None:
        mask = word.fields.get("mask", 0)
        if not mask:
            return
        role = load().queues[str(word.queue)].role
        m = self._machine
        most = {"tile": m.tiles, "cluster": m.tiles, "chip": m.instances("tile")}[role]
        members = self._block.masks[mask - 1].members
        if members and max(members) >= most:
            self._report.say(
                "E0908",
                "the mask names instances that do not exist",
                site,
                expected=f"0 to {most - 1}",
                found=str(max(members)),
            )


def _rank(role: str) -> int:
    return load().roles[role].code


def _injective(view: View) -> bool:
    """Whether no two elements inside the box are written to one place, judged by strides."""
    d = view.descriptor
    unit = 1 if view.type.packed else 8
    axes: list[tuple[int, int]] = []
    for number, axis in enumerate(d.axes):
        sizes = zip(d.dims, view.sizes, strict=True)
        moving = sorted((abs(dim.step), n) for dim, n in sizes if dim.axis == number and n > 1)
        reach = 1
        for step, count in moving:
            if step < reach:
                return False
            reach = min(axis.extent, reach + step * (count - 1))
        axes.append((abs(axis.stride) * unit, reach))
    run = view.bits
    for stride, reach in sorted(axes):
        if reach > 1:
            if stride < run:
                return False
            run += stride * (reach - 1)
    return True
