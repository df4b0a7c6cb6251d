"""Names in assembly text: the language's own words, and names for what nobody named."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from maiacc_isa.load import load

#: Sizes and addresses of tensors and buffers are below this, scalars between minus this and it.
ADDRESS_LIMIT = 1 << 44
SCALAR_LIMIT = 1 << 47

#: Turns that a loop of the control graph may be allowed.
TURN_LIMIT = 1 << 32

#: Words of the language that may stand where a loop's name may.
AMBIGUOUS = ("param", "sld", "min", "max", "all")

#: Axes that a tensor or buffer may have; descriptors have fewer.
RANK_LIMIT = 64


def default_name(prefix: str, index: int) -> str:
    """The name of entry ``index`` when the symbols give it none."""
    return f"{prefix}{index}"


def named(names: Iterable[str], prefix: str) -> dict[int, str]:
    """The names that are not the default ones of their position, by position."""
    return {i: name for i, name in enumerate(names) if name != default_name(prefix, i)}


def is_word(name: str) -> bool:
    """Whether a name can be written without quotes, if it is no word of the language."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None


def reserved_meaning(name: str) -> str | None:
    """Why a register or loop cannot have this name; None if it can."""
    if name in load().sources:
        return f"{name} is the source of scalars: {load().sources[name].doc}"
    if name in keywords():
        return f"{name} is a word of the language"
    return None if is_word(name) else "a register or loop is named by a plain word"


@cache
def keywords() -> frozenset[str]:
    """Words that the grammar of assembly knows, which names must not be confused with."""
    grammar = files("maiacc_isa").joinpath("asm.lark").read_text("utf-8")
    words = re.findall(r'"([a-z_]+)"', grammar)
    for group in re.findall(r"^[A-Z]+\.2: /\(([a-z_|]+)\)", grammar, re.MULTILINE):
        words += group.split("|")
    return frozenset(words)
