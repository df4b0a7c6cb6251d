"""Numbers at the edges of element types, and graphs of many ops on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compile.checks import checked
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.weights import Array

INTS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
FLOATS = ("fp32", "fp16", "bf16", "e4m3", "e5m2")

#: Every type on the small machine, some on the large one.
BOTH = [
    *((dtype, "mini") for dtype in (*INTS, *FLOATS, "bool")),
    *((dtype, "maia200") for dtype in ("int16", "fp16")),
]

#: A unit in the last place, as a part of a number.
UNIT = {"fp32": 2.0**-23, "fp16": 2.0**-10, "bf16": 2.0**-7, "e4m3": 2.0**-3, "e5m2": 2.0**-2}

#: How many units functions of the machine and of numpy may differ: each has an error of its own.
UNITS = 24.0

INEXACT = (
    *("exp", "expm1", "log", "log1p", "erf", "tanh", "sigmoid", "sin", "cos", "atan", "rsqrt"),
    "pow",
)


def edges(dtype: str, count: int = 64) -> Array:
    """Numbers where something changes: rounding, saturation, signs, wrapping."""
    element = ELEMENTS[dtype]
    numbers: Array
    if element.kind == "bool":
        truths: Array = np.arange(count) % 3 == 1
        return truths
    if element.is_float:
        most = [2.0**p for p in (24, 31, 32, 63, 64)]
        found = [0.0, -0.0, 1, -1, 0.5, 2.5, -2.5, 3.5, 1e-3, -7, 100, 300, 127.5, 128, -128.5]
        found += [-129, 255.5, 256, 449, 464, 465, 480, 57344, 61440, 65504, 65519, 65520, 1e5]
        found += [
            *most,
            *(-x for x in most),
            1e20,
            -1e30,
            3e38,
            6e-8,
            1e-40,
            np.inf,
            -np.inf,
            np.nan,
        ]
        numbers = np.array(found, np.float32)
    else:
        powers = [
            s * (1 << p) + d
            for p in (7, 8, 15, 24, 31, 33, 53, 63)
            for d in (-1, 0, 1)
            for s in (1, -1)
        ]
        numbers = np.array(
            [x % (1 << element.bits) for x in (0, 1, 2, 3, 5, 7, -2, -7, *powers)], np.uint64
        )

    with np.errstate(all="ignore"):
        return np.resize(numbers, count).astype(element.numpy)


def pairs(dtype: str) -> tuple[Array, Array]:
    """Each of some numbers with each."""
    x = np.resize(edges(dtype, 45), 45)
    return np.repeat(x, 45), np.tile(x, 45)


def near(found: Array, wanted: Array, dtype: str, units: float) -> bool:
    """Whether two results are the same, or so near."""
    if units == 0 or not ELEMENTS[dtype].is_float:
        nan = wanted.dtype.kind == "f" or ELEMENTS[dtype].is_float
        a, b = (x.astype(np.float64) if nan else x for x in (found, wanted))
        return bool(np.array_equal(a, b, equal_nan=nan))
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, b, units * UNIT[dtype], 2.0**-140, equal_nan=True))


def run(lines: Sequence[tuple[str, str, float]], given: dict[str, Array], target: str) -> None:
    """Ops on the same inputs, each an output: text behind ``=``, type of the result, units."""
    names = {f"x{n}": array for n, array in enumerate(given.values())}
    head = ", ".join(f'%{n}: {kind} "x{n}"' for n, kind in enumerate(given))
    first = len(names)
    body = [f"  %{first + n} = {op} : {kind}" for n, (op, kind, _) in enumerate(lines)]
    outputs = ", ".join(f'"y{n}"' for n in range(len(lines)))
    values = ", ".join(f"%{first + n}" for n in range(len(lines)))
    text = "\n".join([f"graph ({head}) -> ({outputs}) {{", *body, f"  return({values})", "}", ""])
    case = checked(text, target, names)
    for n, (op, kind, units) in enumerate(lines):
        found, wanted = case.found[f"y{n}"], case.wanted[f"y{n}"]
        off = [(i, found.flat[i], wanted.flat[i]) for i in range(found.size)]
        message = f"{op}: {[x for x in off if x[1] != x[2]][:4]}"
        assert near(found, wanted, kind.split("[")[0], units), message
