"""Products: of matrices and stacks of them, and by letters."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from frontend.compared import floats, names, rng
from frontend.single import Single, agree, like_ort

BF16 = ml_dtypes.bfloat16


def integers(dtype: Any, *shape: int, seed: int = 0) -> Any:
    info = np.iinfo(dtype)
    low, high = max(info.min, -300), min(info.max, 300)
    return rng(seed + sum(shape)).integers(low, high + 1, shape).astype(dtype)


# ---- MatMul -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3,), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3,)),
        ((3,), (4, 3, 2)),
        ((4, 2, 3), (3,)),
        ((5, 1, 2, 3), (4, 3, 2)),
        ((1, 2, 3), (4, 3, 2)),
        ((1, 2, 3), (1, 3, 2)),
        ((2, 1, 1, 4, 3), (1, 5, 3, 2)),
        ((2, 3), (6, 5, 3, 1)),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 2)),
        ((3, 0, 2), (2, 4)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.float64])
def test_matmul_is_that_of_numpy(a: tuple[int, ...], b: tuple[int, ...], dtype: Any) -> None:
    one, two = (floats(*a, dtype=dtype), floats(*b, dtype=dtype))
    if dtype == np.int32:
        one, two = integers(dtype, *a), integers(dtype, *b)
    found = Single("MatMul", [one, two], opset=13).run()[0]
    agree(found, np.asarray(one @ two, dtype), 1e-5, 1e-6)


def test_a_matmul_is_one_contraction() -> None:
    case = Single("MatMul", [floats(2, 5, 3), floats(3, 4)], opset=13)
    assert names(case.module()) == ["contract", "return"]


@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.uint64])
def test_matmul_of_integers_wraps(dtype: Any) -> None:
    a = np.array([[np.iinfo(dtype).max, 2]], dtype)
    b = np.array([[3], [5]], dtype)
    agree(Single("MatMul", [a, b], opset=13).run()[0], a @ b)


@pytest.mark.parametrize("dtype", [np.float16, BF16])
def test_narrow_floats_are_rounded_once(dtype: Any) -> None:
    a, b = floats(3, 64).astype(dtype), floats(64, 2).astype(dtype)
    wide = a.astype(np.float32) @ b.astype(np.float32)
    agree(Single("MatMul", [a, b], opset=13).run()[0], wide.astype(dtype), 4e-3, 1e-3)


def test_matmul_refuses_what_numpy_refuses() -> None:
    for a, b in [((2, 3), (2, 3)), ((2, 2, 3), (3, 3, 2)), ((), (3,)), ((2, 3), ())]:
        Single("MatMul", [floats(*a), floats(*b)], opset=13).refused("E1304")


# ---- Gemm -------------------------------------------------------------------------------------
A, B = floats(2, 3), floats(3, 4)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (1, 4), (2, 1), (2, 4), (1, 1)])
@pytest.mark.parametrize("attrs", [{}, {"alpha": 0.5}, {"beta": 2.0}, {"alpha": -1.0, "beta": 0.5}])
def test_gemm_broadcasts_c(shape: tuple[int, ...], attrs: dict[str, float]) -> None:
    like_ort(Single("Gemm", [A, B, floats(*shape)], attrs, 13))


@pytest.mark.parametrize("turned", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_gemm_transposes(turned: tuple[int, int]) -> None:
    a, b = (x.T.copy() if turn else x for x, turn in zip((A, B), turned, strict=True))
    case = Single("Gemm", [a, b], {"transA": turned[0], "transB": turned[1]}, 11)
    agree(case.run()[0], A @ B, 1e-5)
    assert names(case.module()) == ["contract", "return"]


def test_gemm_of_opset_6() -> None:
    c = floats(4)
    for attrs in ({"broadcast": 1}, {"broadcast": 1, "alpha": 2.0}):
        expected = attrs.get("alpha", 1.0) * (A @ B) + c
        agree(Single("Gemm", [A, B, c], attrs, 6).run()[0], expected.astype(np.float32), 1e-5)
    agree(Single("Gemm", [A, B, A @ B], opset=6).run()[0], 2 * (A @ B), 1e-5)


def test_gemm_of_integers() -> None:
    a, b, c = integers(np.int32, 2, 3), integers(np.int32, 3, 2), integers(np.int32, 2)
    case = Single("Gemm", [a, b, c], {"alpha": 2.0, "beta": -1.0}, 13)
    agree(case.run()[0], 2 * (a @ b) - c)
    Single("Gemm", [a, b, c], {"alpha": 0.5}, 13).refused("E1303")


def test_gemm_without_beta_leaves_c_out() -> None:
    c = np.full((4,), np.nan, np.float32)
    agree(Single("Gemm", [A, B, c], {"beta": 0.0}, 13).run()[0], A @ B, 1e-5)


def test_gemm_of_narrow_floats_rounds_once() -> None:
    a, b, c = (x.astype(np.float16) for x in (A, B, floats(4)))
    wide = np.float32(0.3) * (a.astype(np.float32) @ b.astype(np.float32)) + c.astype(np.float32)
    found = Single("Gemm", [a, b, c], {"alpha": 0.3}, 13).run()[0]
    agree(found, wide.astype(np.float16), 1e-3)


# ---- Einsum -----------------------------------------------------------------------------------
EQUATIONS = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ba", [(2, 3)]),
    ("ii->i", [(3, 3)]),
    ("ii", [(3, 3)]),
    ("iji->j", [(3, 2, 3)]),
    ("iii->i", [(3, 3, 3)]),
    ("...ii->...i", [(2, 4, 3, 3)]),
    ("ij->", [(2, 3)]),
    ("ij->j", [(2, 3)]),
    ("...ij->...", [(2, 4, 2, 3)]),
    ("i,j->ij", [(2,), (3,)]),
    ("i,j->ji", [(2,), (3,)]),
    ("i,i->i", [(3,), (3,)]),
    ("i,i", [(3,), (3,)]),
    ("ij,j->ij", [(2, 3), (3,)]),
    ("bij,bjk->bik", [(5, 2, 3), (5, 3, 4)]),
    ("...ij,...jk->...ik", [(5, 1, 2, 3), (4, 3, 2)]),
    ("i...,i...->...", [(3, 2, 4), (3, 4)]),
    ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
    ("ij,k,kl->l", [(2, 3), (4,), (4, 2)]),
    ("ijk,il,lm->jm", [(2, 3, 4), (2, 5), (5, 2)]),
    ("bhqd,bhkd->bhqk", [(1, 2, 3, 4), (1, 2, 5, 4)]),
    ("Ab,bC->CA", [(2, 3), (3, 4)]),
    ("bA,Ac", [(2, 3), (3, 4)]),
    ("ij,ij->ij", [(2, 3), (2, 1)]),
    ("ij,jk->ik", [(2, 1), (3, 4)]),
    (" i j , j k -> i k ", [(2, 3), (3, 4)]),
    ("...,...->...", [(2, 3), (3,)]),
    (",->", [(), ()]),
    ("i->i", [(0,)]),
    ("ij,jk->ik", [(2, 0), (0, 3)]),
]


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS)
def test_einsum_is_that_of_numpy(equation: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [floats(*shape, seed=i) for i, shape in enumerate(shapes)]
    found = Single("Einsum", arrays, {"equation": equation}, 12).run()[0]
    agree(found, np.einsum(equation, *arrays).astype(np.float32), 1e-5, 1e-6)


def test_einsum_multiplies_or_contracts() -> None:
    case = Single("Einsum", [floats(2, 3), floats(3)], {"equation": "ij,j->ij"}, 12)
    assert "contract" not in names(case.module())
    case = Single("Einsum", [floats(2, 3), floats(3, 4)], {"equation": "ij,jk->ik"}, 12)
    assert names(case.module()) == ["contract", "return"]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3)]),
        ("ij->i", [(2, 3, 4)]),
        ("ij->ii", [(2, 3)]),
        ("ij->k", [(2, 3)]),
        ("i1->i", [(2, 3)]),
        ("...i...->i", [(2, 3)]),
        ("ij,jk->ik", [(2, 3), (4, 5)]),
        ("ii->i", [(2, 3)]),
        ("ij->i->j", [(2, 3)]),
        ("ijk->i", [(2, 3)]),
    ],
)
def test_einsum_refuses(equation: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [floats(*shape) for shape in shapes]
    Single("Einsum", arrays, {"equation": equation}, 12).refused("E1304")
