"""Random operands and attributes: a row refuses them with a code, or gives what its types say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ir.rows import every, many
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.table import REQUIRED, Attr
from maiacc_passes.ir.types import ELEMENTS, Type, tensor
from maiacc_passes.ir.vocabulary import (
    boxes,
    convert,
    index,
    moves,
    orders,
    reductions,
    scans,
    scatters,
    views,
)

FAMILIES = (boxes, convert, index, moves, orders, reductions, scans, scatters, views)
NAMES = [row.name for family in FAMILIES for row in family.ROWS]
CODES = {"E1401", "E1402", "E1403", "E1410"}


class Chance:
    """Draws types and attributes, more often such as fit."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def of(self, choices: Any) -> Any:
        return choices[self.number(0, len(choices) - 1)]

    def kind(self, like: Type | None) -> Type:
        chance = self.number(0, 9)
        if like is not None and chance < 5:
            return like
        shape = tuple(self.number(0, 3) for _ in range(self.number(0, 3)))
        names = ["fp32", "int64", "bool", *ELEMENTS]
        dtype = like.dtype if like is not None and chance < 7 else self.of(names)
        counts = tuple(self.of([None] * 8 + ["n0"]) for _ in shape) if chance == 9 else ()
        return tensor(dtype, shape, counts)

    def attribute(self, attr: Attr, rank: int) -> Any:
        if attr.default is not REQUIRED and self.number(0, 1):
            return attr.default
        length = self.of([rank, rank, rank, 0, 1, 2])
        draws: dict[str, Callable[[], Any]] = {
            "int": lambda: self.number(-2, 3),
            "float": lambda: self.of([0.0, 0.5, -np.inf, np.nan]),
            "bool": lambda: bool(self.number(0, 1)),
            "str": lambda: self.of(attr.choices or ["n0", "n1", ""]),
            "dtype": lambda: self.of(list(ELEMENTS)),
            "ints": lambda: tuple(self.number(-1, 3) for _ in range(length)),
        }
        return draws[attr.kind]()

    def array(self, kind: Type) -> Any:
        values = every(kind.dtype)
        if kind.element.is_int and self.number(0, 3):
            return self.rng.integers(0, 3, kind.shape).astype(kind.element.numpy)
        return values[self.rng.integers(0, len(values), kind.shape)]


@pytest.mark.parametrize("name", NAMES)
def test_any_operands_are_refused_or_evaluated(name: str) -> None:
    row = OPS[name]
    accepted = 0
    for seed in range(400):
        chance = Chance(seed)
        kinds: list[Type] = []
        for operand in row.operands:
            if operand[-1] in "?*" and chance.number(0, 1):
                break
            kinds.append(chance.kind(kinds[0] if kinds else None))
        rank = kinds[0].rank if kinds else 1
        attrs = {key: chance.attribute(attr, rank) for key, attr in row.attrs.items()}
        arrays = [chance.array(kind) for kind in kinds]
        for lift in (False, True):
            try:
                with np.errstate(all="ignore"):
                    many(name, *arrays, kinds=kinds, lift=lift, **attrs)
            except IRError as problem:
                assert problem.code in CODES, (kinds, attrs)
            else:
                accepted += 1
    assert accepted or name in ("nms", "scatter_elements", "scatter_nd", "gather_nd", "compact")
