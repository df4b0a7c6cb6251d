"""Names in assembly text: the language's own words, and names for what nobody named."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files


def default_name(prefix: str, index: int) -> str:
    """The name of entry ``index`` when the symbols give it none."""
    return f"{prefix}{index}"


def named(names: Iterable[str], prefix: str) -> dict[int, str]:
    """The names that are not the default ones of their position, by position."""
    return {i: name for i, name in enumerate(names) if name != default_name(prefix, i)}


@cache
def keywords() -> frozenset[str]:
    """Words that the grammar of assembly knows, which names must not be confused with."""
    grammar = files("maiacc_isa").joinpath("asm.lark").read_text("utf-8")
    words = re.findall(r'"([a-z_]+)"', grammar)
    for group in re.findall(r"^[A-Z]+\.2: /\(([a-z_|]+)\)", grammar, re.MULTILINE):
        words += group.split("|")
    return frozenset(words)
