"""Instruction words: 128 bits and back, as the rows say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from maiacc_isa import expr as ex
from maiacc_isa.bits import Layout, to_bytes
from maiacc_isa.errors import MaiaccError
from maiacc_isa.load import load
from maiacc_isa.spec import BitField, Insn, Operand, Spec

#: Bits of an instruction word.
WORD_BITS = 128

#: A wait or a post: semaphore and number of tokens.
Token = tuple[int, int]

_SEMAPHORES = ("wait0", "wait1", "post0", "post1")
_HEADER = ("opcode", "queue", "roles")


@dataclass(frozen=True)
class Word:
    """A word, decoded. ``fields`` holds what its row names: operands by table index, enums by
    label, flags as booleans. Engine words have a queue, control words the roles of the mask."""

    name: str
    queue: str | None = None
    roles: tuple[str, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)
    waits: tuple[Token, ...] = ()
    posts: tuple[Token, ...] = ()

    @property
    def row(self) -> Insn:
        return load().insns[self.name]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


def word_layout(insn: Insn, spec: Spec) -> Layout:
    """The layout of one instruction's words: the format's header, its operands, its own fields."""
    record = spec.records[insn.format]
    own = {bit for f in insn.fields for bit in range(f.low, f.high + 1)}
    operands = {op.name for op in insn.operands}
    fields: list[BitField] = list(insn.fields)
    for f in record.fields:
        free = not own & set(range(f.low, f.high + 1))
        if f.name in _HEADER or (free and (f.name in operands or f.name in _SEMAPHORES)):
            fields.append(f)
    fields.sort(key=lambda f: f.low)
    return Layout(record, spec, fields)


@cache
def _layouts() -> dict[str, Layout]:
    spec = load()
    return {name: word_layout(insn, spec) for name, insn in spec.insns.items()}


def complete(word: Word) -> Word:
    """The word with every field of its row, those not given as zero: what ``decode`` returns."""
    fields = {}
    for f in _layouts()[word.name].fields:
        if f.name in _HEADER or f.name in _SEMAPHORES:
            continue
        zero = False if f.kind.base == "flag" else _zero_label(f)
        fields[f.name] = word.fields.get(f.name, zero)
    return replace(word, fields=fields)


def encode(word: Word) -> int:
    """The 128 bits of a word.

    Raises ``MaiaccError``: E0403 for a value out of range, E0404 for an unknown name, E0406
    for a queue that cannot execute the word, E0407 for a field that the word's own fields rule
    out, E0408 for an empty role mask.
    """
    insn = word.row
    _check_header(word, insn)
    values: dict[str, Any] = {"opcode": insn.opcode, **word.fields}
    if insn.control:
        values["roles"] = sum(1 << load().roles[role].code for role in word.roles)
    else:
        values["queue"] = word.queue
    for prefix, tokens in (("wait", word.waits), ("post", word.posts)):
        for number, (sem, count) in enumerate(tokens):
            values[f"{prefix}{number}"] = {"sem": sem, "count": count}
    layout = _layouts()[word.name]
    known = {f.name for f in layout.fields}
    for name in values:
        if name not in known:
            raise MaiaccError("E0407", f"{insn.mnemonic} has no field {name}")
    _check_fields(word.name, values)
    return layout.pack(values, insn.mnemonic)


def decode(bits: int) -> Word:
    """The word of 128 bits.

    Raises ``MaiaccError``: E0401 for an unknown opcode, E0402 for reserved bits, and as
    ``encode`` for what no word may hold.
    """
    insn = load().by_opcode.get(bits & 0xFF)
    if insn is None:
        raise MaiaccError("E0401", "no instruction has this opcode", found=f"0x{bits & 0xFF:02x}")
    layout = _layouts()[insn.name]
    values = layout.unpack(bits, insn.mnemonic)
    del values["opcode"]
    waits = _tokens(values, "wait", insn)
    posts = _tokens(values, "post", insn)
    roles = values.pop("roles", 0)
    names = tuple(role.name for role in load().roles.values() if roles >> role.code & 1)
    word = Word(insn.name, values.pop("queue", None), names, values, waits, posts)
    _check_header(word, insn)
    _check_fields(insn.name, values)
    return word


def encode_bytes(word: Word) -> bytes:
    """The 16 bytes of a word."""
    return to_bytes(encode(word), WORD_BITS)


def _check_header(word: Word, insn: Insn) -> None:
    spec = load()
    if insn.control:
        if not word.roles:
            raise MaiaccError("E0408", f"{insn.mnemonic}: the role mask is empty")
        if insn.name == "SLD" and len(word.roles) != 1:
            raise MaiaccError("E0408", "sld is executed by exactly one role")
        if insn.name == "END" and len(word.roles) != len(spec.roles):
            raise MaiaccError("E0408", "end is executed by all roles")
        return
    queue = spec.queues.get(word.queue or "")
    if queue is None or queue.engine not in insn.engines:
        queues = [q.name for q in spec.queues.values() if q.engine in insn.engines]
        raise MaiaccError(
            "E0406",
            f"{insn.mnemonic} is not for this queue",
            expected=", ".join(queues),
            found=str(word.queue),
        )


def _tokens(values: dict[str, Any], prefix: str, insn: Insn) -> tuple[Token, ...]:
    slots = [values.pop(name) for name in (f"{prefix}0", f"{prefix}1") if name in values]
    tokens = [(slot["sem"], slot["count"]) for slot in slots if slot["count"]]
    for slot in slots:
        if slot["sem"] and not slot["count"]:
            raise MaiaccError("E0402", f"{insn.mnemonic}.{prefix}: a semaphore with count 0")
    if len(slots) == 2 and slots[1]["count"] and not slots[0]["count"]:
        raise MaiaccError("E0402", f"{insn.mnemonic}.{prefix}1 is used before {prefix}0")
    return tuple(tokens)


class FieldScope:
    """Gives conditions over a word's own fields their meaning."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def name(self, name: str) -> Any:
        return self._values.get(name, name)

    def path(self, path: str) -> Any:
        raise LookupError(path)

    def function(self, name: str) -> Callable[..., Any]:
        raise LookupError(name)


def _check_fields(name: str, values: dict[str, Any]) -> None:
    """What a word's own fields rule out must be zero, and fields that together mean nothing are
    refused, so that a meaning has one encoding.

    Conditions that need the chain table are checked where the table is known, by ``lint``.
    """
    insn = load().insns[name]
    scope = FieldScope(values)
    parts: tuple[BitField | Operand, ...] = (*insn.fields, *insn.operands)
    for part in parts:
        value = values.get(part.name)
        if part.when is None or not value:
            continue
        try:
            present = ex.evaluate(part.when, scope)
        except LookupError:
            continue
        if not present and value not in (_zero_label(part), 0, False):
            condition = ex.to_text(part.when)
            raise MaiaccError(
                "E0407",
                f"{insn.mnemonic}.{part.name} must be 0 here",
                expected=f"a value only when {condition}",
                found=str(value),
            )
    for require in insn.requires:
        if require.code == "E0407" and not ex.evaluate(require.test, scope):
            raise MaiaccError("E0407", f"{insn.mnemonic}: {require.message}")


def _zero_label(part: Any) -> Any:
    """The label with code 0 of an enum field."""
    kind = getattr(part, "kind", None)
    if kind is None or kind.base != "enum":
        return 0
    label = load().enums[kind.table].by_code.get(0)
    return label.name if label else 0
