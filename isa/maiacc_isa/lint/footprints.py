"""What a word touches when it is issued: the regions of its operands, checked against bounds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from maiacc_isa import expr as ex
from maiacc_isa.lint.first import FirstScope
from maiacc_isa.lint.instances import Cast, NeedInstances
from maiacc_isa.lint.regions import Region, meet
from maiacc_isa.lint.shapes import Footprint, Shape
from maiacc_isa.lint.touched import Problem, Touch, Touched
from maiacc_isa.lint.values import Sym, Val
from maiacc_isa.machine import Machine
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block, Buffer, Program, tensor_buffer
from maiacc_isa.tables import Descriptor
from maiacc_isa.word import Word

#: Gives the value of a source (a code); raises ``Unset`` for a register that is not set.
Sources = Callable[[int], Val]


@dataclass(frozen=True)
class _Use:
    """An operand of a word, prepared. What is ``given`` is never written; there is nothing to
    be said of a ``silent`` one, which stays within what is given whatever its window."""

    name: str
    number: int
    shape: Shape
    mode: str
    whole: bool
    when: ex.Expr | None
    plain: bool
    given: bool
    silent: bool


class Footprints:
    """The touches of every word of a block."""

    def __init__(self, program: Program, block: Block, machine: Machine, cast: Cast) -> None:
        self._block = block
        self._ids = {cast.tile_sym, cast.cluster_sym} if cast.alike else set()
        self._clusters = {cast.cluster_sym} & self._ids
        self._shapes = [Shape(d) for d in block.descriptors]
        self._uses: dict[int, list[_Use]] = {}
        self._actives: dict[tuple[int, bool], list[_Use]] = {}
        self._constants = sorted(
            (t.base, t.base + t.bytes(machine.chips))
            for t in program.tensors
            if t.kind in ("input", "weight")
        )
        tensors = [tensor_buffer(t, machine.chips) for t in program.tensors]
        self.buffers = [*block.buffers, *tensors]
        self._declared = {b.space for b in self.buffers}
        self._capacities = {s: machine.space_bytes(s) for s in {d.space for d in block.descriptors}}
        self._limits = [self._allowed(shape) for shape in self._shapes]

    # ---- preparation --------------------------------------------------------------------
    def uses(self, index: int) -> list[_Use]:
        """The operands of a word that touch memory."""
        if index not in self._uses:
            self._uses[index] = self._prepare(self._block.words[index])
        return self._uses[index]

    def _active(self, index: int, first: bool) -> list[_Use]:
        """The operands that a word really touches in its first iteration, or in a later one."""
        if (index, first) not in self._actives:
            scope = FirstScope(self._block.words[index], self._block, first)
            self._actives[index, first] = [
                use for use in self.uses(index) if use.when is None or ex.evaluate(use.when, scope)
            ]
        return self._actives[index, first]

    def _prepare(self, word: Word) -> list[_Use]:
        uses: list[_Use] = []
        for op in present_operands(word, self._block.chains):
            number = word.fields[op.name]
            d = self._shapes[number].descriptor
            if d.space == "iota":
                continue
            for access in word.row.accesses:
                if access.operand == op.name:
                    mode = access.mode[0]
                    plain = mode == "w" and not access.whole and not op.reads
                    uses.append(self._use(op.name, number, mode, access.whole, access.when, plain))
            mode = "w" if op.writes else "r"
            for name, aux in (("scales", d.scale), ("metadata", d.meta)):
                if aux is not None:
                    what = f"{op.name}'s {name}"
                    uses.append(self._use(what, aux, mode, False, None, mode == "w"))
        if word.row.control:
            # What a scalar is loaded from matters: it tells one loaded value from another.
            uses = [replace(use, given=False, silent=False) for use in uses]
        # A word reads all of its operands before it writes anything.
        return sorted(uses, key=lambda use: use.mode == "w")

    def _use(
        self, name: str, number: int, mode: str, whole: bool, when: ex.Expr | None, plain: bool
    ) -> _Use:
        shape = self._shapes[number]
        given = self._given(shape.descriptor)
        silent = given and mode == "r" and self._silent(number, shape)
        return _Use(name, number, shape, mode, whole, when, plain, given, silent)

    def _given(self, d: Descriptor) -> bool:
        """Whether a view is one of what the host gives and no word writes."""
        return d.space == "hbm" and any(low <= d.base < high for low, high in self._constants)

    def _silent(self, number: int, shape: Shape) -> bool:
        """Whether all of a view's box lies in its buffer, and no scalar sets a size."""
        box = shape.everything()
        return box is not None and self.bounds(number, box) is None

    def _allowed(self, shape: Shape) -> list[Buffer]:
        """The buffers a descriptor may mean: those of its memory that contain its base."""
        d = shape.descriptor
        return [
            b
            for b in self.buffers
            if b.space == d.space and b.base <= d.base < max(b.end, b.base + 1)
        ]

    # ---- at issue -----------------------------------------------------------------------
    def touches(self, index: int, sources: Sources, first: bool) -> Touched:
        """What a word touches with these scalars; ``first`` is `fresh` of the rows."""
        touched = Touched()
        for use in self._active(index, first):
            if not use.silent:
                self._touch(use, sources, touched)
                continue
            for code in use.shape.sources:
                sources(code)
        return touched

    def _touch(self, use: _Use, sources: Sources, touched: Touched) -> None:
        shape, d, problems = use.shape, use.shape.descriptor, touched.problems
        base = Val(shape.base)
        for code, coef in shape.byte_terms:
            base = base + sources(code).scaled(coef)
        origins, extents, sizes = [], [], []
        for axis in shape.axes:
            origin = Val(axis.start)
            for code, coef in axis.terms:
                origin = origin + sources(code).scaled(coef)
            origins.append(origin)
            extents.append(self._bounded(axis.extent_reg, axis.extent, sources, problems, use))
            sizes.append(
                [self._bounded(reg, size, sources, problems, use) for _, size, reg in axis.dims]
            )
        ids = set() if use.given else self._ids
        found = shape.footprint(base, origins, extents, sizes, use.whole, ids)
        if found.outside is not None:
            self._outside(use, found, problems)
        for region in found.regions:
            self._check_bounds(use, region, problems)
            if use.mode == "w" and not region.unknowns.isdisjoint(self._private(d)):
                raise NeedInstances
        home = None
        if d.home == "at":
            home = Val(0)
            for code, coef in shape.home_terms:
                home = home + sources(code).scaled(coef)
        if not found.regions:
            touched.absent.append(found.spans)
        touched.touches += [
            Touch(
                operand=use.name,
                mode=use.mode,
                space=d.space,
                home=d.home,
                home_value=home,
                region=region,
                plain=use.plain,
                number=use.number,
                whole=use.whole,
                spans=found.spans,
                given=use.given and use.mode == "r",
            )
            for region in found.regions
        ]

    def _private(self, d: Descriptor) -> set[Sym]:
        """The ids that tell one instance of a memory from others that one stands for: what is
        written there must not depend on them, since the others are not looked at."""
        if d.space == "hbm" or (d.space == "csram" and d.home == "all"):
            return set()
        return self._clusters if d.space == "csram" else self._ids

    def _outside(self, use: _Use, found: Footprint, problems: list[Problem]) -> None:
        """A window that its box may cut. Raises ``NeedInstances`` where ids say how, and one
        instance cannot stand for others."""
        d = use.shape.descriptor
        if use.mode == "w" and not d.drop:
            message = f"{use.name} writes outside its tensor"
            problems.append(Problem("E0801", message, self._where(use), found.outside))
        elif found.unclear:
            raise NeedInstances

    def _bounded(
        self, reg: int | None, static: int, sources: Sources, problems: list[Problem], use: _Use
    ) -> Val:
        """A size or extent, from its scalar if it has one."""
        if reg is None:
            return Val(static)
        value = sources(reg)
        if value.low < 0 or value.high > static:
            problems.append(
                Problem(
                    "E1006",
                    f"{use.name}: the scalar that sets a size leaves its range",
                    f"{value} is {value.low} to {value.high}",
                    f"0 to {static}",
                )
            )
            return Val(static)
        return value

    def _check_bounds(self, use: _Use, region: Region, problems: list[Problem]) -> None:
        problem = self.bounds(use.number, region)
        if problem is not None:
            message, expected = problem
            problems.append(
                Problem(
                    "E0801", f"{use.name} lies outside its {message}", self._where(use), expected
                )
            )

        if use.mode == "w" and self.overwrites(use.number, region):
            message = f"{use.name} runs into an input or a weight, which stays as the host gave it"
            problems.append(Problem("E0806", message, self._where(use), "output or state"))

    def overwrites(self, number: int, region: Region) -> bool:
        """Whether a region of a descriptor may lie in what the host gives and no word writes."""
        if self._shapes[number].descriptor.space != "hbm":
            return False
        box = region.fixed()
        low, high = box.base.const, box.base.const + box.span
        at = max(0, bisect_right(self._constants, (low // 8, 0)) - 1)
        for first, end in self._constants[at:]:
            if first * 8 >= high:
                return False
            size, distance = (end - first) * 8, low - first * 8
            if end * 8 > low and size and meet(box.steps, box.run, (), size, distance):
                return True
        return False

    def bounds(self, number: int, region: Region) -> tuple[str, str] | None:
        """What a region of a descriptor leaves: its buffer, or the memory; None if nothing."""
        low, high = region.base.low // 8, -(-(region.base.high + region.span) // 8)
        space = self._shapes[number].descriptor.space
        capacity = self._capacities[space]
        allowed = self._limits[number]
        inside = low >= 0 and high <= capacity
        if inside and any(b.base <= low and high <= b.end for b in allowed):
            return None
        found = f"bytes 0x{low:x} to 0x{high:x}" if low >= 0 else f"bytes {low} to {high}"
        if not inside:
            return f"memory ({found})", f"0 to 0x{capacity:x} in {space}"
        if allowed:
            b = allowed[0]
            return f"buffer ({found})", f"{b.name} at 0x{b.base:x} to 0x{b.end:x}"
        if space in self._declared:
            return f"declared buffers ({found})", f"a buffer in {space} that contains the base"
        return None

    def _where(self, use: _Use) -> str:
        return f"{use.shape.descriptor.space} 0x{use.shape.base:x}"

    def name_of(self, space: str, low: int, high: int) -> str:
        """The buffer that contains bytes low to high, for messages."""
        for b in self.buffers:
            if b.space == space and b.base <= low and high <= b.end:
                return b.name
        return space
