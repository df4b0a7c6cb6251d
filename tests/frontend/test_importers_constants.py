"""Operators that make constants, n-grams, determinants, and operators that are refused."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from frontend.compared import floats, names, rng
from frontend.single import Single, agree, like_ort
from maiacc.frontend.registry import REFUSED
from maiacc.frontend.scope import load_importers


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


# ---- Constant -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("attrs", "expected"),
    [
        ({"value_float": 1.5}, np.float32(1.5)),
        ({"value_floats": [1.0, 2.0]}, np.array([1, 2], np.float32)),
        ({"value_int": 2**60}, np.int64(2**60)),
        ({"value_ints": [1, -2]}, ints(1, -2)),
        ({"value": numpy_helper.from_array(np.array([[7]], np.int8))}, np.array([[7]], np.int8)),
    ],
)
def test_literals(attrs: dict[str, Any], expected: Any) -> None:
    agree(Single("Constant", [], attrs, 13).run()[0], expected)


def sparse(values: Any, indices: Any, shape: list[int]) -> Any:
    values, indices = np.array(values, np.float32), np.array(indices, np.int64)
    return helper.make_sparse_tensor(
        numpy_helper.from_array(values, "v"), numpy_helper.from_array(indices, "i"), shape
    )


def test_sparse_literals() -> None:
    expected = np.zeros((2, 3), np.float32)
    expected[0, 1], expected[1, 2] = 5, 6
    for indices in ([1, 5], [[0, 1], [1, 2]]):
        attrs = {"sparse_value": sparse([5, 6], indices, [2, 3])}
        agree(Single("Constant", [], attrs, 11).run()[0], expected)
    for indices in ([1, 6], [-1, 2], [[0, 1], [0, 3]], [1]):
        attrs = {"sparse_value": sparse([5, 6], indices, [2, 3])}
        Single("Constant", [], attrs, 11).refused("E1307")
    bomb = {"sparse_value": sparse([5], [1], [2**20, 2**20])}
    Single("Constant", [], bomb, 11).refused("E1308")


def test_literals_that_are_refused() -> None:
    Single("Constant", [], {"value_string": "a"}).refused("E1303")
    Single("Constant", [], {"value_int": 1, "value_float": 2.0}).refused("E1304")
    Single("Constant", []).refused("E1304")


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_, np.uint8, ml_dtypes.bfloat16])
def test_constants_of_a_shape(dtype: Any) -> None:
    value = helper.make_tensor("v", helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), [1], [1])
    case = Single("ConstantOfShape", [ints(2, 3)], {"value": value}, static=(0,))
    agree(case.run()[0], np.ones((2, 3), dtype))


def test_constants_of_special_shapes() -> None:
    agree(Single("ConstantOfShape", [ints()], static=(0,)).run()[0], np.float32(0))
    agree(Single("ConstantOfShape", [ints(0, 2)], static=(0,)).run()[0], np.zeros((0, 2), "f4"))
    Single("ConstantOfShape", [ints(-1)], static=(0,)).refused("E1304")
    Single("ConstantOfShape", [ints(2)]).refused("E1306")
    two = helper.make_tensor("v", TensorProto.FLOAT, [2], [1, 2])
    Single("ConstantOfShape", [ints(2)], {"value": two}, static=(0,)).refused("E1304")


# ---- Range --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("numbers", "dtype"),
    [
        ((0, 5, 1), np.int64), ((3, 9, 3), np.int32), ((10, 4, -2), np.int16), ((5, 5, 1), np.int64),
        ((5, 0, 1), np.int64), ((0, 1, 0.25), np.float32), ((1, 0, -0.3), np.float64),
        ((2**62, 2**62 + 5, 2), np.int64),
    ],
)  # fmt: skip
def test_ranges(numbers: tuple[Any, ...], dtype: Any) -> None:
    given = [np.array(number, dtype) for number in numbers]
    case = Single("Range", given, opset=11, static=(0, 1, 2))
    like_ort(case)
    assert names(case.module()) == ["return"]


def test_ranges_of_narrow_floats_do_not_stall() -> None:
    given = [np.array(x, np.float16) for x in (2040, 2060, 1)]
    found = Single("Range", given, opset=27, static=(0, 1, 2)).run()[0]
    agree(found, np.arange(2040, 2060).astype(np.float16))


def test_ranges_that_are_refused() -> None:
    zero, one = np.int64(0), np.int64(1)
    Single("Range", [zero, one, zero], static=(0, 1, 2)).refused("E1304")
    Single("Range", [zero, np.int64(2**40), one], static=(0, 1, 2)).refused("E1308")
    Single("Range", [zero, one, one], static=(0, 2)).refused("E1306")
    nan = np.float32(np.nan)
    Single("Range", [nan, nan, nan], static=(0, 1, 2)).refused("E1304")


# ---- EyeLike, Trilu, OneHot ---------------------------------------------------------------------
@pytest.mark.parametrize("k", [0, 1, -2, 9, -9])
def test_diagonals(k: int) -> None:
    x = floats(3, 4)
    agree(Single("EyeLike", [x], {"k": k}, 9).run()[0], np.eye(3, 4, k, np.float32))
    attrs = {"k": k, "dtype": TensorProto.BOOL}
    case = Single("EyeLike", [x], attrs, 9)
    agree(case.run()[0], np.eye(3, 4, k, np.bool_))
    assert names(case.module()) == ["return"]
    Single("EyeLike", [floats(3)], {}, 9).refused("E1304")


@pytest.mark.parametrize("static", [(), (1,)], ids=["runtime", "known"])
@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_])
def test_triangles(static: Any, upper: int, dtype: Any) -> None:
    x = rng().integers(1, 9, (2, 3, 4)).astype(dtype)
    function = np.triu if upper else np.tril
    for k in (0, 1, -1, 7, -7):
        case = Single("Trilu", [x, np.int64(k)], {"upper": upper}, 14, static)
        agree(case.run()[0], function(x, k))
    agree(Single("Trilu", [x], {"upper": upper}, 14).run()[0], function(x))
    agree(Single("Trilu", [x[:, :0]], {}, 14).run()[0], x[:, :0])
    Single("Trilu", [x[0, 0]], {}, 14).refused("E1304")


def test_triangles_leave_no_trace_of_nan() -> None:
    x = np.full((2, 2), np.nan, np.float32)
    found = Single("Trilu", [x], {}, 14).run()[0]
    assert found[1, 0] == 0
    assert np.isnan(found[0]).all()


@pytest.mark.parametrize("axis", [-1, 0, 1, -2])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32, np.uint8])
def test_one_hot(axis: int, dtype: Any) -> None:
    indices = np.array([[0, 2, 1], [3, 0, 2]]).astype(dtype)
    values = np.array([-1, 5], np.float32)
    expected = np.moveaxis(np.where(indices[..., None] == np.arange(4), 5, -1), -1, axis)
    for depth in (np.int64(4), np.array([4], np.float32)):
        case = Single("OneHot", [indices, depth, values], {"axis": axis}, 11, (1,))
        agree(case.run()[0], expected.astype(np.float32))


def test_one_hot_outside() -> None:
    values = np.array([0, 1], np.int32)
    case = Single("OneHot", [ints(-1, -3, -4, 3), np.int64(3), values], {}, 11, (1,))
    agree(case.run()[0], np.array([[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]], np.int32))
    Single("OneHot", [ints(0), np.int64(3), values]).refused("E1306")
    Single("OneHot", [ints(0), np.int64(3), values[:1]], {}, 11, (1,)).refused("E1304")


# ---- n-grams, determinants ----------------------------------------------------------------------
def grams(mode: str, shortest: int, longest: int, skips: int, **more: Any) -> dict[str, Any]:
    return {
        "mode": mode, "min_gram_length": shortest, "max_gram_length": longest,
        "max_skip_count": skips, "ngram_counts": [0, 4], "ngram_indexes": [0, 1, 2, 3, 4, 5, 6],
        "pool_int64s": [2, 3, 5, 4, 5, 6, 7, 8, 6, 7], **more,
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize("lengths", [(1, 1), (2, 2), (1, 2)])
@pytest.mark.parametrize("skips", [0, 1, 5])
def test_grams(mode: str, lengths: tuple[int, int], skips: int) -> None:
    x = np.array([[1, 1, 3, 3, 3, 7], [8, 6, 7, 5, 6, 8]], np.int32)
    attrs = grams(mode, *lengths, skips)
    for more in (attrs, {**attrs, "weights": [1.5, 2.0, 3.0, 0.5, 4.0, 5.0, 6.0]}):
        for given in (x, x[0], x[1].astype(np.int64)):
            like_ort(Single("TfIdfVectorizer", [given], more, 9))


def test_grams_share_elements_and_may_be_equal() -> None:
    attrs = grams(
        "TF", 1, 1, 0, ngram_counts=[0], pool_int64s=[5, 6, 7, 5], ngram_indexes=[2, 0, 0, 3]
    )
    found = Single("TfIdfVectorizer", [np.array([5, 6, 7, 7, 5], np.int32)], attrs, 9).run()[0]
    agree(found, np.array([3, 0, 0, 2], np.float32))


def test_grams_that_are_refused() -> None:
    attrs = grams("TF", 1, 1, 0, pool_strings=["a"])
    Single("TfIdfVectorizer", [np.zeros(3, np.int32)], attrs, 9).refused("E1303")
    attrs = grams("TF", 1, 1, 0, ngram_indexes=[0])
    Single("TfIdfVectorizer", [np.zeros(3, np.int32)], attrs, 9).refused("E1304")
    attrs = grams("TF", 1, 2, 0, ngram_counts=[0, 5])
    Single("TfIdfVectorizer", [np.zeros(3, np.int32)], attrs, 9).refused("E1304")


@pytest.mark.parametrize("rows", [1, 2, 3, 6])
def test_determinants(rows: int) -> None:
    x = floats(2, 3, rows, rows)
    like_ort(Single("Det", [x], {}, 11), rtol=1e-4)
    singular = x.copy()
    singular[..., 0] = 0
    agree(Single("Det", [singular], {}, 11).run()[0] == 0, np.ones((2, 3), np.bool_))
    turned = np.eye(rows, dtype=np.float32)[::-1]
    agree(Single("Det", [turned], {}, 11).run()[0], np.float32(np.linalg.det(turned)))


def test_determinants_of_special_shapes() -> None:
    agree(Single("Det", [floats(2, 0, 0)], {}, 11).run()[0], np.ones(2, np.float32))
    Single("Det", [floats(2, 3)], {}, 11).refused("E1304")
    Single("Det", [floats(65, 65)], {}, 11).refused("E1303")


# ---- refusals -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "op", ["RandomNormal", "StringConcat", "SequenceAt", "ImageDecoder", "Optional"]
)
def test_refusals_say_what_to_do(op: str) -> None:
    load_importers()
    problem = Single(op, [floats(2)], opset=21).refused("E1303")
    assert problem.hint == REFUSED["", op].way_out
    assert op in str(problem)
