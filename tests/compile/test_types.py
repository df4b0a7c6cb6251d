"""Elementwise ops, casts and reductions of all element types, with the numbers at their edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from compile.checks import checked
from maiacc_passes.ir.errors import IRError
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
UNITS = 24

INEXACT = (
    *("exp", "expm1", "log", "log1p", "erf", "tanh", "sigmoid", "sin", "cos", "atan", "rsqrt"),
    "pow",
)


def edges(dtype: str, count: int = 64) -> Array:
    """Numbers where something changes: rounding, saturation, signs, wrapping."""
    element = ELEMENTS[dtype]
    if element.kind == "bool":
        return np.arange(count) % 3 == 1
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
        low = np.array(
            [x % (1 << element.bits) for x in (0, 1, 2, 3, 5, 7, -2, -7, *powers)], np.uint64
        )
        numbers = low
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


@pytest.mark.parametrize(("dtype", "target"), BOTH)
def test_ops_of_one_element(dtype: str, target: str) -> None:
    element, kind = ELEMENTS[dtype], f"{dtype}[64]"
    ops = ["neg", "abs", "sign", "relu"]
    if element.kind == "bool":
        ops = ["not"]
    elif element.is_int:
        ops += ["not"]
    else:
        ops += ["sqrt", "recip", "floor", "ceil", "trunc", "round", *INEXACT[:-1]]
    lines = [(f"{op}(%0)", kind, UNITS * (op in INEXACT)) for op in ops]
    if element.is_float:
        lines += [(f"{op}(%0)", "bool[64]", 0.0) for op in ("is_nan", "is_inf")]
        lines += [("is_inf(%0) {positive=false}", "bool[64]", 0.0)]
    run(lines, {kind: edges(dtype)}, target)


@pytest.mark.parametrize(("dtype", "target"), BOTH)
def test_ops_of_two_elements(dtype: str, target: str) -> None:
    element, kind = ELEMENTS[dtype], f"{dtype}[2025]"
    ops = ["min", "max"]
    if element.kind != "bool":
        ops += ["add", "sub", "mul", "div", "mod"]
    if element.is_float:
        ops += ["pow"]
    if not element.is_float:
        ops += ["and", "or", "xor"]
    if element.is_int:
        ops += ["shl", "shr"]
    lines = [(f"{op}(%0, %1)", kind, UNITS * (op in INEXACT)) for op in ops]
    lines += [(f"{op}(%0, %1)", "bool[2025]", 0.0) for op in ("eq", "lt", "le")]
    if element.kind != "bool":
        lines += [("mod(%0, %1) {floor=false}", kind, 0.0)]
    if element.is_int:
        lines += [("div(%0, %1) {floor=true}", kind, 0.0)]
    a, b = pairs(dtype)
    run(lines, {kind: a, kind + " ": b}, target)


@pytest.mark.parametrize(
    "dtype",
    [*INTS[:6], *(pytest.param(dtype, marks=pytest.mark.nightly) for dtype in INTS[6:])],
)
def test_powers_of_integers(dtype: str) -> None:
    """Of any exponent: what wraps has no largest one."""
    a, b = pairs(dtype)
    kind = f"{dtype}[2025]"
    run([("pow(%0, %1)", kind, 0.0)], {kind: a, kind + " ": b}, "mini")


@pytest.mark.parametrize("dtype", [*INTS, *FLOATS, "bool"])
def test_casts(dtype: str) -> None:
    kind = f"{dtype}[64]"
    lines = []
    for to in (*INTS, *FLOATS, "bool"):
        lines += [
            (f"cvt(%0) {{to={to}{more}}}", f"{to}[64]", 0.0) for more in ("", ", saturate=false")
        ]
        if ELEMENTS[dtype].is_float and ELEMENTS[to].is_int:
            lines += [(f"cvt(%0) {{to={to}, round=trunc}}", f"{to}[64]", 0.0)]
    run(lines, {kind: edges(dtype)}, "mini")


@pytest.mark.parametrize("dtype", [*INTS, *FLOATS, "bool"])
def test_there_and_back(dtype: str) -> None:
    """What is rounded on the way stays rounded."""
    kind = f"{dtype}[64]"
    others = [t for t in (*INTS, *FLOATS, "bool") if t != dtype]
    lines = []
    for n, to in enumerate(others):
        lines += [(f"cvt(%0) {{to={to}}}", f"{to}[64]", 0.0)]
        lines += [(f"cvt(%{2 * n + 1}) {{to={dtype}}}", kind, 0.0)]
    run(lines, {kind: edges(dtype)}, "mini")


@pytest.mark.parametrize(("dtype", "target"), BOTH)
def test_choices(dtype: str, target: str) -> None:
    wide = f"{dtype}[8, 64]"
    given = {
        "bool[8, 1]": edges("bool", 8).reshape(8, 1),
        f"{dtype}[64]": edges(dtype),
        wide: np.resize(edges(dtype)[::-1], (8, 64)).copy(),
        f"{dtype}[]": np.asarray(1).astype(ELEMENTS[dtype].numpy),
    }
    lines = [("select(%0, %1, %2)", wide, 0.0)]
    if dtype != "bool":
        lines += [(f"clamp(%2, {bounds})", wide, 0.0) for bounds in ("_, %3", "%3", "%3, %1")]
    run(lines, given, target)


@pytest.mark.parametrize(("dtype", "target"), BOTH)
def test_reductions(dtype: str, target: str) -> None:
    element = ELEMENTS[dtype]
    x = edges(dtype, 210).reshape(5, 6, 7)
    lines = []
    for axes in ((0,), (1,), (0, 2), (0, 1, 2), ()):
        shape = [n for axis, n in enumerate(x.shape) if axis not in axes]
        names = ["rmax", "rmin"]
        if element.is_int:
            names += ["rsum", "rprod", "rsumsq"]
        attrs = f"{{axes={list(axes)}, keep=false}}"
        lines += [(f"{name}(%0) {attrs}", f"{dtype}{shape}", 0.0) for name in names]
    for axis in range(3):
        shape = [n for a, n in enumerate(x.shape) if a != axis]
        for last in ("true", "false"):
            attrs = f"{{axis={axis}, keep=false, last={last}}}"
            lines += [
                (f"{name}(%0) {attrs}", f"int64{shape}", 0.0) for name in ("argmax", "argmin")
            ]
    run(lines, {f"{dtype}[5, 6, 7]": x}, target)


@pytest.mark.parametrize("dtype", FLOATS)
def test_sums_of_small_numbers(dtype: str) -> None:
    rng = np.random.default_rng(3)
    kind, numpy = f"{dtype}[5, 6, 7]", ELEMENTS[dtype].numpy
    small = rng.integers(-1, 2, (5, 6, 7)).astype(numpy)
    signs = np.where(rng.integers(0, 2, (5, 6, 7)), 1, -1).astype(numpy)
    lines = [
        ("rsum(%0) {axes=[2], keep=true}", f"{dtype}[5, 6, 1]", 0.0),
        ("rsumsq(%0) {axes=[1, 2], keep=false}", f"{dtype}[5]", 0.0),
        ("rprod(%1) {axes=[0], keep=false}", f"{dtype}[6, 7]", 0.0),
    ]
    run(lines, {kind: small, kind + " ": signs}, "mini")


@pytest.mark.parametrize(
    ("dtype", "number"),
    [
        ("int64", -3),
        ("int64", 2**40 + 3),
        ("int64", -(2**33)),
        ("uint64", 2**63 + 1),
        ("uint32", 2**31 + 5),
        ("int32", 2**31 - 1),
        ("int8", -5),
        ("fp32", 1.1),
        ("bf16", "inf"),
    ],
)
def test_numbers_on_either_side(dtype: str, number: object) -> None:
    kind = f"{dtype}[64]"
    names = [*("add", "mul", "min", "div", "mod"), *("eq", "lt")]
    lines, n = [], 0
    for name in names:
        found = "bool[64]" if name in ("eq", "lt") else kind
        lines += [(f"{name}(%0, @c)", found, 0.0), (f"{name}(@c, %0)", found, 0.0)]
        n += 2
    first = 1
    body = [f"  %{first + i} = {op} : {found}" for i, (op, found, _) in enumerate(lines)]
    names_out = ", ".join(f'"y{i}"' for i in range(n))
    values = ", ".join(f"%{first + i}" for i in range(n))
    text = "\n".join(
        [
            f"weight @c : {dtype}[] = inline [{number}]",
            f'graph (%0: {kind} "x") -> ({names_out}) {{',
            *body,
            f"  return({values})",
            "}",
            "",
        ]
    )
    case = checked(text, "mini", {"x": edges(dtype)})
    for i, (op, found, _) in enumerate(lines):
        assert near(case.found[f"y{i}"], case.wanted[f"y{i}"], found.split("[")[0], 0.0), op


@pytest.mark.parametrize(
    ("dtype", "to"),
    [
        *(("int32", "fp32"), ("fp32", "uint32"), ("int8", "uint8"), ("fp16", "bf16")),
        *(("int16", "fp16"), ("bf16", "uint16"), ("bool", "uint8"), ("int64", "uint64")),
    ],
)
def test_bits_as_another_type(dtype: str, to: str) -> None:
    """Of inputs, and of what is computed right before."""
    kind = f"{dtype}[64]"
    x = np.arange(64).astype(ELEMENTS[dtype].numpy)
    lines = [
        (f"bitcast(%0) {{to={to}}}", f"{to}[64]", 0.0),
        ("max(%0, %0)", kind, 0.0),
        (f"bitcast(%2) {{to={to}}}", f"{to}[64]", 0.0),
    ]
    run(lines, {kind: x}, "mini")


@pytest.mark.parametrize("dtype", [*INTS, *FLOATS])
def test_coordinates(dtype: str) -> None:
    given = {f"{dtype}[7, 9]": np.ones((7, 9)).astype(ELEMENTS[dtype].numpy)}
    lines = [
        (f"iota() {{to={dtype}, shape=[7, 1], axis=0}}", f"{dtype}[7, 1]", 0.0),
        (f"iota() {{to={dtype}, shape=[7, 9], axis=1}}", f"{dtype}[7, 9]", 0.0),
        ("add(%0, %1)", f"{dtype}[7, 9]", 0.0),
    ]
    run(lines, given, "mini")


@pytest.mark.parametrize("to", ["int8", "uint8", "int16", "uint16", "int32", "e4m3", "e5m2"])
@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16", "int32"])
def test_scales(dtype: str, to: str) -> None:
    """One scale, one for each column, one for each block of three."""
    if dtype == to:
        pytest.skip("the text has one input for both")
    rng = np.random.default_rng(5)
    scaled = "fp32" if dtype == "int32" else dtype
    low = 0 if ELEMENTS[to].kind == "uint" else -20
    given = {
        f"{dtype}[4, 6]": (rng.standard_normal((4, 6)) * 50).astype(ELEMENTS[dtype].numpy),
        f"{to}[4, 6]": rng.integers(low, 20, (4, 6)).astype(ELEMENTS[to].numpy),
    }
    lines = []
    for n, (shape, attrs) in enumerate(
        [((), "axis=1"), ((6,), "axis=1"), ((4, 2), "axis=1, block=3")]
    ):
        spaces = " " * n
        s, z = 2 + 2 * n, 3 + 2 * n
        scale = np.abs(rng.standard_normal(shape)) + 0.1
        given[f"{scaled}{list(shape)}{spaces}"] = np.asarray(scale).astype(ELEMENTS[scaled].numpy)
        zero = np.asarray(rng.integers(0, 5, shape))
        given[f"{to}{list(shape)}{spaces}"] = zero.astype(ELEMENTS[to].numpy)
        lines += [(f"quantize(%0, %{s}, %{z}) {{{attrs}, to={to}}}", f"{to}[4, 6]", 0.0)]
        if dtype != "int32":
            lines += [
                (f"dequantize(%1, %{s}, %{z}) {{{attrs}, to={dtype}}}", f"{dtype}[4, 6]", 1.0)
            ]
    run(lines, given, "mini")


@pytest.mark.parametrize("dtype", ["fp64", "e8m0", "int4", "uint4", "e2m1"])
def test_types_that_no_word_computes_with(dtype: str) -> None:
    text = f'graph (%0: fp32[4] "x") -> ("y") {{\n  %1 = cvt(%0) {{to={dtype}}} : {dtype}[4]\n'
    text += "  return(%1)\n}\n"
    with pytest.raises(IRError, match=f"E1505: .*{dtype}"):
        checked(text, "mini")
