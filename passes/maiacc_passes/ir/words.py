"""Strings, numbers and truth values in the text: how they are written and read.

A string is written bare if it looks like a name; floats always have a point, an exponent, or are
``inf`` or ``nan``, so that they are never taken for integers.
"""

from __future__ import annotations

import json
import math
import re

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Attribute
from maiacc_passes.ir.limits import HIGHEST, LOWEST

_BARE = re.compile(r"[a-z_][a-z0-9_.]*")
_INT = re.compile(r"-?[0-9]+")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+(e[-+]?[0-9]+)?|-?[0-9]+e[-+]?[0-9]+|-inf")

#: Bare words that are no strings.
_VALUES: dict[str, bool | float] = {
    "true": True,
    "false": False,
    "inf": math.inf,
    "nan": math.nan,
}

#: How much of a text at fault a message shows.
_SHOWN = 60


def shown(text: str) -> str:
    """A text at fault, shortened and with nothing in it that a terminal obeys."""
    return json.dumps(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")[1:-1]


# ---- writing --------------------------------------------------------------------------------
def quoted(text: str) -> str:
    """A string in quotes, in ASCII."""
    return json.dumps(text)


def word(text: str) -> str:
    """A string, bare if it can be."""
    return text if _BARE.fullmatch(text) and text not in _VALUES else quoted(text)


def attribute_text(value: Attribute) -> str:
    """An attribute. What no attribute can be is written as a string, for messages."""
    kind = type(value)
    if kind is int or kind is float:
        return repr(value)
    if kind is bool:
        return "true" if value else "false"
    if isinstance(value, str):
        return word(value)
    if isinstance(value, tuple):
        return f"[{', '.join([attribute_text(item) for item in value])}]"
    return quoted(repr(value))


# ---- reading --------------------------------------------------------------------------------
def string_of(token: str) -> str:
    """The string that is written in quotes. Raises ``IRError`` E1404."""
    try:
        found: str = json.loads(token)
    except ValueError as problem:
        raise IRError(
            "E1404", "this string has an escape that there is not", found=shown(token)
        ) from problem
    return found


def integer_of(token: str) -> int:
    """An integer. Raises ``IRError`` E1404."""
    if len(token) <= len(str(LOWEST)) and _INT.fullmatch(token):
        value = int(token)
        if LOWEST <= value <= HIGHEST:
            return value
    raise IRError("E1404", "no integer of 64 bits", found=shown(token))


def value_of(token: str) -> bool | int | float | str:
    """What one word is: a truth value, number or string. Raises ``IRError`` E1404."""
    if token[:1] == '"':
        return string_of(token)
    if _BARE.fullmatch(token):
        return _VALUES.get(token, token)
    if _FLOAT.fullmatch(token):
        value = float(token)
        if math.isinf(value) and token != "-inf":
            raise IRError("E1404", "a number is too large", found=shown(token))
        return value
    if _INT.fullmatch(token):
        return integer_of(token)
    raise IRError("E1404", "no value", expected="a number, word or string", found=shown(token))
