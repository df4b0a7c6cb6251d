"""Attributes of the right kind with values that hardly any op wants."""

from __future__ import annotations

import math
import random
from typing import Any

from maiacc_passes.ir.table import Attr
from maiacc_passes.ir.types import ELEMENTS

_INTS = (0, 1, -1, 2, 3, -2, 64, 1 << 31, -(1 << 63), (1 << 64) - 1, 1 << 40)
_FLOATS = (0.0, -0.0, -1.0, math.inf, -math.inf, math.nan, 1e-300, 1e300)
_STRINGS = ("", "fp32", "int32", "n0", "~", "a,b->c", "->", "aa,b->", "é", "a" * 60, "mk,kn->mn")


def odd(attr: Attr, old: Any, rng: random.Random) -> Any:
    """Another value for an attribute that is ``old``."""
    if attr.choices:
        return rng.choice(attr.choices)
    one: dict[str, tuple[Any, ...]] = {
        "int": _INTS,
        "float": _FLOATS,
        "bool": (False, True),
        "str": _STRINGS,
        "dtype": tuple(ELEMENTS),
    }
    if attr.kind in one:
        return rng.choice(one[attr.kind])
    pool = {"ints": _INTS, "floats": _FLOATS, "strs": _STRINGS}[attr.kind]
    if old and rng.random() < 0.6:
        at = rng.randrange(len(old))
        return (*old[:at], rng.choice(pool), *old[at + 1 :])
    length = rng.choice((0, 1, 2, 3, len(old), len(old), 2 * len(old), 33))
    return tuple(rng.choice(pool) for _ in range(length))
