"""Casts between all element types, bits as other types, scales."""

from __future__ import annotations

import numpy as np
import pytest

from compile.checks import checked
from compile.edges import FLOATS, INTS, edges, run
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.types import ELEMENTS


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


@pytest.mark.parametrize(
    ("dtype", "to"),
    [
        (dtype, to)
        for dtype in ("fp32", "fp16", "bf16", "int32")
        for to in ("int8", "uint8", "int16", "uint16", "int32", "e4m3", "e5m2")
        if dtype != to
    ],
)
def test_scales(dtype: str, to: str) -> None:
    """One scale, one for each column, one for each block of three."""
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
