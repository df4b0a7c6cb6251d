"""Softmax, normalisations and losses: old axes, statistics of the batch, what is ignored."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from frontend.compared import floats, names, rng
from frontend.single import Single, agree, like_ort

NAN, INF = np.nan, np.inf
NARROW = [np.float16, ml_dtypes.bfloat16]


def rounded(case: Single, dtype: Any) -> None:
    """Of narrow floats comes what comes of the same numbers in fp32, rounded once."""
    narrow = [x.astype(dtype) if x.dtype == np.float32 else x for x in case.inputs]
    wide = [x.astype(np.float32) if x.dtype == dtype else x for x in narrow]
    found = Single(case.op, narrow, case.attrs, case.opset, outputs=case.outputs).run()
    expected = Single(case.op, wide, case.attrs, case.opset, outputs=case.outputs).run()
    for one, other in zip(found, expected, strict=True):
        agree(one, other.astype(one.dtype))


# ---- Softmax ------------------------------------------------------------------------------------
@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
def test_before_13_all_axes_from_one_on_count(op: str) -> None:
    x = floats(2, 3, 4) * 3
    like_ort(Single(op, [x], {}, 8))
    for axis in (0, 1, 2):
        like_ort(Single(op, [x], {"axis": axis}, 8))
        like_ort(Single(op, [x], {"axis": axis - 3}, 11))
    assert Single(op, [x], {"axis": 2}, 11).run()[0].shape == (2, 3, 4)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1, -3])
def test_since_13_one_axis_counts(op: str, axis: int | None) -> None:
    like_ort(Single(op, [floats(2, 3, 4) * 3], {} if axis is None else {"axis": axis}, 13))


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_softmax_of_hard_rows(op: str) -> None:
    x = np.array([[-INF, -INF], [1e4, -1e4], [INF, 0], [NAN, 1], [-INF, 3]], np.float32)
    like_ort(Single(op, [x], {}, 13))
    assert names(Single(op, [x], {}, 13).module()) == ["log_softmax" if "L" in op else "softmax",
                                                       "return"]  # fmt: skip
    for axis in (3, -3):
        Single(op, [x], {"axis": axis}, 13).refused("E1304")


# ---- along the last axes --------------------------------------------------------------------------
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_layer_norm_with_mean_and_deviation(axis: int) -> None:
    x = floats(2, 3, 4) + 100
    inner = x.shape[axis:]
    for more in ([floats(*inner)], [floats(*inner), floats(*inner, seed=1)]):
        like_ort(
            Single("LayerNormalization", [x, *more], {"axis": axis}, 17, outputs=3), 1e-4, 1e-4
        )


def test_scales_that_broadcast() -> None:
    x, attrs = floats(2, 3, 4), {"axis": 1, "epsilon": 1e-3}
    plain = Single("LayerNormalization", [x, np.ones((3, 4), np.float32)], attrs, 17).run()[0]
    for shape in [(), (1,), (4,), (3, 1), (2, 1, 1), (2, 3, 4), (1, 3, 4)]:
        scale, bias = floats(*shape), floats(*shape, seed=1)
        found = Single("LayerNormalization", [x, scale, bias], attrs, 17).run()[0]
        agree(found, plain * scale + bias, 1e-5, 1e-6)


@pytest.mark.parametrize("axis", [0, -1])
def test_rms_norm(axis: int) -> None:
    x, scale = floats(2, 3, 4), floats(4)
    axes = tuple(range(axis % 3, 3))
    norm = x / np.sqrt(np.mean(x.astype(np.float64) ** 2, axes, keepdims=True) + 1e-5)
    found = Single("RMSNormalization", [x, scale], {"axis": axis}, 23).run()[0]
    agree(found, (norm * scale).astype(np.float32), 1e-5)


def test_rms_norm_has_the_type_of_its_scale() -> None:
    x, scale = floats(2, 4).astype(np.float16), floats(4)
    found = Single("RMSNormalization", [x, scale], {}, 23).run()[0]
    wide = Single("RMSNormalization", [x.astype(np.float32), scale], {}, 23).run()[0]
    agree(found, wide, 1e-5)


# ---- by channels ----------------------------------------------------------------------------------
SHAPES = [(2, 4, 5), (1, 4, 3, 2), (2, 4, 1, 1), (1, 4, 2, 2, 2)]


@pytest.mark.parametrize("shape", SHAPES)
def test_instance_and_group_norm(shape: tuple[int, ...]) -> None:
    x, c = floats(*shape), [floats(4), floats(4, seed=1)]
    g = [floats(2), floats(2, seed=1)]
    like_ort(Single("InstanceNormalization", [x, *c], {"epsilon": 1e-3}, 7), 1e-4, 1e-5)
    like_ort(Single("InstanceNormalization", [x, *c], {}, 22), 1e-4, 1e-5)
    like_ort(Single("GroupNormalization", [x, *g], {"num_groups": 2}, 18), 1e-4, 1e-5)
    like_ort(Single("GroupNormalization", [x, *c], {"num_groups": 2}, 21), 1e-4, 1e-5)


def test_group_norm_refuses_scales_of_the_other_version() -> None:
    x = floats(1, 4, 3)
    Single("GroupNormalization", [x, floats(4), floats(4)], {"num_groups": 2}, 18).refused("E1304")
    Single("GroupNormalization", [x, floats(2), floats(2)], {"num_groups": 2}, 21).refused("E1304")
    Single("GroupNormalization", [x, floats(3), floats(3)], {"num_groups": 3}, 18).refused("E1304")


def statistics(channels: int) -> list[Any]:
    """Scale, bias, mean and variance."""
    return [floats(channels, seed=i) for i in range(3)] + [np.abs(floats(channels, seed=3))]


@pytest.mark.parametrize("opset", [7, 9, 14, 15])
def test_batch_norm_by_the_model(opset: int) -> None:
    for shape in [(2, 3), *SHAPES]:
        case = Single("BatchNormalization", [floats(*shape), *statistics(shape[1])], {}, opset)
        like_ort(case, 1e-4, 1e-5)
        assert names(case.module()).count("affine") == 1
    vector = Single("BatchNormalization", [floats(5), *statistics(1)], {}, opset).run()[0]
    column = Single("BatchNormalization", [floats(5).reshape(5, 1), *statistics(1)], {}, opset)
    agree(vector, column.run()[0][:, 0])


@pytest.mark.parametrize("opset", [14, 15])
def test_batch_norm_by_the_batch(opset: int) -> None:
    for shape in SHAPES:
        attrs = {"training_mode": 1, "momentum": 0.7}
        inputs = [floats(*shape), *statistics(4)]
        like_ort(Single("BatchNormalization", inputs, attrs, opset, outputs=3), 1e-4, 1e-5)


@pytest.mark.parametrize(("opset", "attrs"), [(6, {}), (7, {}), (9, {})])
def test_batch_norm_trains_with_five_outputs_before_14(opset: int, attrs: dict[str, Any]) -> None:
    x, (scale, bias, mean, spread) = floats(2, 3, 4), statistics(3)
    inputs = [x, scale, bias, mean, spread]
    found = Single("BatchNormalization", inputs, attrs, opset, outputs=5).run()
    own, var = x.mean((0, 2)), x.var((0, 2))
    norm = (x - own[:, None]) / np.sqrt(var + 1e-5)[:, None] * scale[:, None] + bias[:, None]
    moved = [mean * 0.9 + own * 0.1, spread * 0.9 + var * 0.1]
    for one, other in zip(found, [norm, *moved, own, var], strict=True):
        agree(one, other.astype(np.float32), 1e-4, 1e-5)


def test_batch_norm_of_opset_6_says_when_it_is_a_test() -> None:
    inputs = [floats(2, 3, 4), *statistics(3)]
    old = Single("BatchNormalization", inputs, {"is_test": 1}, 6).run()[0]
    agree(old, Single("BatchNormalization", inputs, {}, 7).run()[0])
    trained = Single("BatchNormalization", inputs, {}, 6).run()[0]
    assert abs(float(trained.mean()) - float(inputs[2].mean())) < 1e-5


@pytest.mark.parametrize("opset", [6, 7])
def test_batch_norm_of_each_element(opset: int) -> None:
    x = floats(2, 3, 4)
    scale, bias, mean, spread = (np.abs(floats(3, 4, seed=i)) for i in range(4))
    attrs = {"spatial": 0, **({"is_test": 1} if opset == 6 else {})}
    found = Single("BatchNormalization", [x, scale, bias, mean, spread], attrs, opset).run()[0]
    agree(found, (x - mean) / np.sqrt(spread + 1e-5) * scale + bias, 1e-4, 1e-5)
    many = Single("BatchNormalization", [x, scale, bias, mean, spread], attrs, opset, outputs=5)
    many.refused("E1303")
    Single("BatchNormalization", [x, *statistics(3)], attrs, opset).refused("E1304")


# ---- by norms ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("power", [1, 2])
def test_lp_normalization_of_zeros_is_zero(power: int) -> None:
    x = floats(3, 4)
    x[1] = 0
    for axis in (0, 1, -1):
        like_ort(Single("LpNormalization", [x], {"axis": axis, "p": power}, 22))
    Single("LpNormalization", [x], {"p": 3}, 22).refused("E1304")


def test_mean_variance_normalization() -> None:
    x = floats(2, 3, 4, 5) + 100
    for attrs in ({}, {"axes": [0]}, {"axes": [-1, 1]}, {"axes": [0, 1, 2, 3]}):
        axes = tuple(attrs.get("axes", (0, 2, 3)))
        wide = x.astype(np.float64)
        norm = (wide - wide.mean(axes, keepdims=True)) / (wide.std(axes, keepdims=True) + 1e-9)
        found = Single("MeanVarianceNormalization", [x], attrs, 13).run()[0]
        agree(found, norm.astype(np.float32), 1e-3, 1e-4)
    flat = np.full((1, 1, 2, 2), 3, np.float32)
    agree(Single("MeanVarianceNormalization", [flat], {}, 9).run()[0], np.zeros_like(flat))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 99])
@pytest.mark.parametrize("shape", [(1, 5), (2, 5, 3), (1, 5, 2, 2)])
def test_lrn_of_even_sizes_reaches_further_up(size: int, shape: tuple[int, ...]) -> None:
    x = floats(*shape)
    total = np.stack([
        (x[:, max(0, c - (size - 1) // 2) : c + size // 2 + 1].astype(np.float64) ** 2).sum(1)
        for c in range(5)
    ], 1)  # fmt: skip
    attrs = {"size": size, "alpha": 0.5, "beta": 0.6, "bias": 2.0}
    expected = x / (2.0 + 0.5 / size * total) ** 0.6
    agree(Single("LRN", [x], attrs, 13).run()[0], expected.astype(np.float32), 1e-5)


# ---- losses -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("op", ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("ignored", [None, 1, -1])
def test_losses(op: str, reduction: str, ignored: int | None) -> None:
    for shape in [(4, 3), (2, 3, 2), (2, 3, 2, 2)]:
        target = rng(1).integers(0, 3, (shape[0], *shape[2:]))
        attrs: dict[str, Any] = {"reduction": reduction}
        if ignored is not None:
            target.flat[1] = ignored
            attrs["ignore_index"] = ignored
        for weights in ([], [np.abs(floats(3))]):
            outputs = 2 if op[0] == "S" else 1
            like_ort(Single(op, [floats(*shape), target, *weights], attrs, 13, outputs=outputs))


@pytest.mark.parametrize("op", ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
def test_what_is_ignored_is_not_read(op: str) -> None:
    target = np.array([1, 1000, 0], np.int32)
    x = np.array([[-1, -2], [NAN, INF], [-3, -4]], np.float32)
    found = Single(op, [x, target], {"ignore_index": 1000, "reduction": "none"}, 13).run()[0]
    assert found[1] == 0
    assert np.isfinite(found).all()
    mean = Single(op, [x, target], {"ignore_index": 1000}, 13).run()[0]
    agree(mean, np.float32(found.sum() / 2))


def test_losses_refuse_what_does_not_fit() -> None:
    x, target = floats(2, 3, 4), np.zeros((2, 4), np.int64)
    op = "NegativeLogLikelihoodLoss"
    Single(op, [x, target[:, :3]], {}, 13).refused("E1304")
    Single(op, [x, target, floats(4)], {}, 13).refused("E1304")
    Single(op, [x, target], {"reduction": "max"}, 13).refused("E1304")
    Single(op, [floats(3), target[0, :3]], {}, 13).refused("E1304")


# ---- narrow floats ----------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_floats_are_rounded_once(dtype: Any) -> None:
    x, target = floats(2, 4, 3), np.array([[0, 1, 2], [3, 0, 1]])
    for case in [
        Single("Softmax", [x], {"axis": 1}, 13),
        Single("LogSoftmax", [x], {}, 13),
        Single("LayerNormalization", [x, floats(3)], {}, 17, outputs=3),
        Single("RMSNormalization", [x, floats(3)], {}, 23),
        Single("InstanceNormalization", [x, floats(4), floats(4)], {}, 22),
        Single("BatchNormalization", [x, *statistics(4)], {}, 15),
        Single("BatchNormalization", [x, *statistics(4)], {"training_mode": 1}, 15, outputs=3),
        Single("LpNormalization", [x], {}, 22),
        Single("MeanVarianceNormalization", [x], {"axes": [2]}, 13),
        Single("LRN", [x], {"size": 3}, 13),
        Single("NegativeLogLikelihoodLoss", [x, target], {}, 22),
        Single("SoftmaxCrossEntropyLoss", [x, target], {}, 13, outputs=2),
    ]:
        rounded(case, dtype)
