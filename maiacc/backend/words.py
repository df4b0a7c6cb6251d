"""Words of the kernel stage as words of the instruction set."""

from __future__ import annotations

from typing import Any

from maiacc_isa import word as w
from maiacc_passes.kernel.model import Word

#: The instruction for each kind, and the fields that it takes from the word's.
INSTRUCTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "copy": ("COPY", ()),
    "turn": ("COPYT", ()),
    "gather": ("GATHER", ("oob",)),
    "scatter": ("SCATTER", ("oob", "op")),
    "fill": ("FILL", ("value",)),
    "multiply": ("MM", ()),
    "multiply_sparse": ("MMSP", ()),
    "preset": ("ACCLD", ()),
    "drain": ("ACCST", ()),
    "map": ("VMAP", ()),
    "map_reduce": ("VMAPR", ()),
    "reduce": ("VRED", ("op", "carry")),
    "convert": ("VCVT", ("round", "saturate")),
    "choose": ("VSEL", ("other",)),
    "iota": ("VIOTA", ()),
    "topk": ("VTOPK", ("k", "least")),
    "scan": ("VSCAN", ("op", "carry")),
    "sort": ("VSORT", ("descending", "payload")),
    "pick": ("VGATHER", ("oob",)),
    "put": ("VSCATTER", ("oob", "op")),
    "quantise": ("VQUANT", ("rule",)),
    "dequantise": ("VDEQ", ()),
    "sync": ("SYNC", ()),
}

#: Control processors of clusters push the words of these queues.
CLUSTER = frozenset({"CLD", "CST"})


def instruction(
    word: Word,
    operands: dict[str, int],
    chain: int | None,
    fresh: dict[str, Any],
    waits: tuple[w.Token, ...],
    posts: tuple[w.Token, ...],
) -> w.Word:
    """A word with its operands' numbers in the tables. ``fresh`` are the fields that say when a
    product overwrites."""
    name, taken = INSTRUCTIONS[word.kind]
    if word.kind == "copy" and word.queue == "CLD" and word.views["d"].buffer.space == "tsram":
        name = "BCAST"
    fields: dict[str, Any] = {**operands, **fresh}
    for field in taken:
        if field in word.fields:
            fields[field] = word.fields[field]
    if chain is not None:
        fields["chain"] = chain
    return w.complete(w.Word(name, word.queue, (), fields, waits, posts))


def loop(roles: tuple[str, ...], level: int, trips: int, length: int) -> w.Word:
    """The head of a loop."""
    fields = {"level": level, "kind": "imm", "trip": trips, "length": length}
    return w.complete(w.Word("LOOP", None, roles, fields))


def counted_loop(roles: tuple[str, ...], level: int, register: int, length: int) -> w.Word:
    """The head of a loop whose trips are in a register."""
    fields = {"level": level, "kind": "scalar", "reg": register, "length": length}
    return w.complete(w.Word("LOOP", None, roles, fields))


def end_loop(roles: tuple[str, ...], level: int) -> w.Word:
    """The end of a loop."""
    return w.complete(w.Word("ENDL", None, roles, {"level": level}))


def set_register(
    roles: tuple[str, ...],
    dest: int,
    imm: int = 0,
    terms: tuple[tuple[int, int], ...] = (),
    modulo: int = 0,
) -> w.Word:
    """A register set to the sum of at most two products and a number, modulo something."""
    fields: dict[str, Any] = {"dest": dest, "imm": imm}
    for number, (source, coef) in enumerate(terms, 1):
        fields |= {f"x{number}": source, f"c{number}": coef}
    if modulo:
        fields |= {"fn": "mod", "m": modulo}
    return w.complete(w.Word("SET", None, roles, fields))


def assign(
    roles: tuple[str, ...],
    dest: int,
    imm: int,
    terms: tuple[tuple[int, int], ...],
    function: str,
    m: int,
) -> w.Word:
    """A register set to what a function of SET makes of at most two products and a number."""
    fields: dict[str, Any] = {"dest": dest, "imm": imm, "fn": function, "m": m}
    for number, (source, coef) in enumerate(terms, 1):
        fields |= {f"x{number}": source, f"c{number}": coef}
    return w.complete(w.Word("SET", None, roles, fields))


def load_register(dest: int, operand: int, low: int, high: int) -> w.Word:
    """A register of the chips' control processors set to an element in memory."""
    fields: dict[str, Any] = {"dest": dest, "a": operand, "low": low, "high": high}
    return w.complete(w.Word("SLD", None, ("chip",), fields))


def end(roles: tuple[str, ...]) -> w.Word:
    """The end of a block."""
    return w.complete(w.Word("END", None, roles, {}))
