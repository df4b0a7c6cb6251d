"""Words made from rows: a legal word of an instruction with shapes and types of one's choice.

The manual's worked numbers, the checks of every formula, and random programs in tests start
from these; nothing about single instructions is written here that the rows do not say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from maiacc_isa import expr as ex
from maiacc_isa.load import load
from maiacc_isa.machine import Machine
from maiacc_isa.operands import present_operands
from maiacc_isa.operation import cdiv
from maiacc_isa.program import Block
from maiacc_isa.spec import Insn, Operand, Route
from maiacc_isa.tables import Axis, Chain, Descriptor, Dim, Mask, Step
from maiacc_isa.word import Word, complete

#: The chains that synthetic words use: with and without a second result.
CHAIN = Chain("fp32", (Step("mul", ("a", "b")), Step("add", ("r0", "imm"), 0x3F800000)))
STAT_CHAIN = Chain("fp32", (Step("sub", ("a", "b")), Step("exp", ("r0",))), stat="sum")
DRAIN_CHAIN = Chain("fp32", (Step("mul", ("a", "b")),))

Letters = Mapping[str, int | str]


def sample_word(
    insn: Insn, machine: Machine, letters: Letters | None = None, fields: Letters | None = None
) -> tuple[Word, Block]:
    """A word of an instruction, and a block whose tables it refers to.

    ``letters`` gives the shape letters and ``dtype``; by default the row's sample. ``fields``
    gives values of the word's own fields. The word satisfies the row's constraints if the
    letters do.
    """
    chosen = dict(insn.sample) | dict(letters or {})
    return _Synthesis(insn, machine, chosen).word(dict(fields or {}))


class _Synthesis:
    def __init__(self, insn: Insn, machine: Machine, letters: Letters) -> None:
        self._insn = insn
        self._machine = machine
        self._letters = letters
        self._table: list[Descriptor] = []
        self._addresses: dict[str, int] = {}
        self._route = self._find_route()

    def word(self, fields: dict[str, int | str]) -> tuple[Word, Block]:
        insn = self._insn
        names = {f.name: f for f in insn.fields}
        if "chain" in names:
            fields.setdefault("chain", 0)
        if "k" in names and "k" in self._letters:
            fields.setdefault("k", self._letters["k"])
        if "op" in names and insn.meaning == "vscatter":
            fields.setdefault("op", "set")
        queue = self._queue() if not insn.control else None
        roles = () if not insn.control else self._roles()
        word = complete(Word(insn.name, queue, roles, fields))
        stat = any(op.name == "e" and op.when is not None for op in insn.operands)
        needs_stat = insn.meaning == "vmapr"
        drain = insn.meaning == "accst"
        chain = STAT_CHAIN if needs_stat else DRAIN_CHAIN if drain and stat else CHAIN
        for op in present_operands(word, (chain,)):
            word.fields[op.name] = self._operand(op, word)
        masks = (Mask(frozenset(range(self._machine.chips))),)
        return word, Block("sample", (word,), tuple(self._table), (chain,), (), masks)

    def _queue(self) -> str:
        engine = self._route.engines[0] if self._route else self._insn.engines[0]
        engines = [e for e in self._insn.engines if not self._route or e in self._route.engines]
        engine = engines[0] if engines else engine
        return next(q.name for q in load().queues.values() if q.engine == engine)

    def _roles(self) -> tuple[str, ...]:
        return tuple(load().roles) if self._insn.name == "END" else ("tile",)

    def _find_route(self) -> Route | None:
        """The first route that the operands' memories and the engines allow."""
        ops = self._insn.operand_by_name
        if "a" not in ops or "d" not in ops or "csram" not in ops["d"].spaces + ops["a"].spaces:
            return None
        for route in load().routes:
            ends = route.source in ops["a"].spaces and route.destination in ops["d"].spaces
            home = route.home == "all" if self._insn.name == "BCAST" else True
            if ends and home and set(route.engines) & set(self._insn.engines):
                return route
        return None

    # ---- operands -----------------------------------------------------------------------
    def _value(self, expr: ex.Expr | None, word: Word) -> int:
        if expr is None:
            return 1
        return int(ex.evaluate(expr, _LetterScope(self._letters, word)))

    def _operand(self, op: Operand, word: Word) -> int:
        kept, red = self._value(op.kept, word), self._value(op.reduced, word)
        space = op.spaces[0]
        home = "own"
        if self._route is not None and op.name in ("a", "d"):
            space = self._route.source if op.name == "a" else self._route.destination
            inner = op.name == "d" or self._route.destination == "tsram"
            if self._route.home != "own" and space != "hbm" and inner:
                home = self._route.home
        dtype = self._dtype(op, space)
        scale = self._scales(op, dtype, kept, red)
        meta = self._metadata(op, kept, red)
        split = op.reduced is not None
        if self._insn.meaning == "copyt":
            kept, red = (32, kept // 32) if op.name == "a" else (kept // 32, 32)
        d = self._view(space, dtype, kept, red, split, home, scale, meta)
        self._table.append(d)
        return len(self._table) - 1

    def _dtype(self, op: Operand, space: str) -> str:
        wanted = self._letters.get(f"{op.name}.dtype", self._letters.get("dtype", "fp32"))
        if op.types is None or wanted in op.types:
            return str(wanted)
        if space == "acc":
            return "int32" if wanted in ("int8", "uint8", "int32") else "fp32"
        return op.types[0]

    def _scales(self, op: Operand, dtype: str, kept: int, red: int) -> int | None:
        target = {"vquant": "d", "vdeq": "a"}.get(self._insn.meaning)
        if op.name != target:
            return None
        group = load().limit("mx_group")
        kind = "e8m0" if load().dtypes[dtype].is_float else "fp32"
        self._table.append(self._view("tsram", kind, kept, red // group, True, "own", None, None))
        return len(self._table) - 1

    def _metadata(self, op: Operand, kept: int, red: int) -> int | None:
        if self._insn.name != "MMSP" or op.name != "b":
            return None
        self._table.append(self._view("tsram", "sp24", kept, red // 2, True, "own", None, None))
        return len(self._table) - 1

    def _view(
        self,
        space: str,
        dtype: str,
        kept: int,
        red: int,
        split: bool,
        home: str,
        scale: int | None,
        meta: int | None,
    ) -> Descriptor:
        """A row-major tensor of ``kept`` rows of ``red`` elements at the next free address."""
        t = load().dtypes[dtype]
        row_bits = red * t.bits
        if space == "acc":
            row_bits = (
                cdiv(red, self._machine.int("ttu.block")) * self._machine.int("ttu.block") * 32
            )
        pitch = cdiv(row_bits, 8)
        axes: tuple[Axis, ...]
        if t.packed:
            axes = (Axis(kept, pitch * 8), Axis(red, t.bits))
        else:
            axes = (Axis(kept, pitch), Axis(red, t.bits // 8))
        if space == "iota":
            axes = (Axis(max(1, kept * red), 0), Axis(1, 0))
        dims: tuple[Dim, ...] = (Dim(kept, 0), Dim(red, 0 if space == "iota" else 1))
        # Rows of one element are written as a vector, so that a plain shape has one dim.
        if not split and red == 1 and space != "iota":
            dims = (Dim(kept, 0),)
            axes = (Axis(kept, t.bits if t.packed else t.bits // 8),)
        base = self._addresses.get(space, 0)
        self._addresses[space] = base + cdiv(kept * pitch, 256) * 256
        return Descriptor(
            space,
            dtype,
            base,
            axes,
            dims,
            1 if split else len(dims),
            home=home,
            scale=scale,
            meta=meta,
        )


class _LetterScope:
    """Gives shapes the letters and the word's fields."""

    def __init__(self, letters: Letters, word: Word) -> None:
        self._letters = letters
        self._word = word

    def name(self, name: str) -> object:
        return self._letters[name] if name in self._letters else self._word.fields[name]

    def path(self, path: str) -> object:
        raise LookupError(path)

    def function(self, name: str) -> Callable[..., Any]:
        raise LookupError(name)
