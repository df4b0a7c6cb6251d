"""Elementwise ops and reductions of all element types, with the numbers at their edges."""

from __future__ import annotations

import numpy as np
import pytest

from compile.checks import checked
from compile.edges import BOTH, FLOATS, INEXACT, INTS, UNITS, edges, near, pairs, run
from maiacc_passes.ir.types import ELEMENTS


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
