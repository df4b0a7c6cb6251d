"""Operators of onnxruntime, compared with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frontend.compared import MICROSOFT, floats, model_of, names, node, rng, same


def _ms(op: str, inputs: str, outputs: str, **attrs: Any) -> Any:
    return node(op, inputs, outputs, MICROSOFT, **attrs)


# ---- normalisation and activations ----------------------------------------------------------
def test_simplified_layer_normalization() -> None:
    feeds = {"x": floats(2, 5, 8)}
    model = model_of(
        [node("SimplifiedLayerNormalization", "x s", "y", axis=-1, epsilon=1e-5)],
        feeds,
        ["y"],
        {"s": floats(8)},
    )
    assert names(same(model, feeds)) == ["rms_norm", "return"]


@pytest.mark.parametrize("bias", ["", " b"])
def test_skip_simplified(bias: str) -> None:
    feeds = {"x": floats(2, 5, 8), "k": floats(2, 5, 8, seed=1)}
    nodes = [_ms("SkipSimplifiedLayerNormalization", f"x k s{bias}", "y - - z", epsilon=1e-6)]
    same(model_of(nodes, feeds, ["y", "z"], {"s": floats(8), "b": floats(8, seed=3)}), feeds)


@pytest.mark.parametrize("inputs", ["x k s", "x k s t", "x k s t b", "x k s - b"])
def test_skip_layer(inputs: str) -> None:
    feeds = {"x": floats(2, 5, 8), "k": floats(1, 5, 8, seed=1)}
    constants = {"s": floats(8), "t": floats(8, seed=2), "b": floats(8, seed=3)}
    nodes = [_ms("SkipLayerNormalization", inputs, "y - - z", epsilon=1e-5)]
    same(model_of(nodes, feeds, ["y", "z"], constants), feeds)


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("Gelu", "x"),
        ("BiasGelu", "x b"),
        ("FastGelu", "x"),
        ("FastGelu", "x b"),
        ("QuickGelu", "x"),
    ],
)
def test_gelu(op: str, inputs: str) -> None:
    feeds = {"x": 3 * floats(4, 8)}
    same(model_of([_ms(op, inputs, "y")], feeds, ["y"], {"b": floats(8)}), feeds)


# ---- products -------------------------------------------------------------------------------
@pytest.mark.parametrize("alpha", [1.0, 0.5])
@pytest.mark.parametrize(
    ("a", "b", "flags"),
    [
        ((3, 4), (4, 5), {}),
        ((4, 3), (4, 5), {"transA": 1}),
        ((2, 3, 4), (5, 4), {"transB": 1}),
        ((2, 3, 4), (2, 5, 4), {"transB": 1}),
        ((3, 2, 4), (2, 4, 5), {"transBatchA": 1}),
        ((4, 2, 3), (4, 2, 5), {"transBatchA": 1, "transBatchB": 1, "transA": 1}),
    ],
)
def test_fused_matmul(a: Any, b: Any, flags: Any, alpha: float) -> None:
    feeds = {"a": floats(*a), "b": floats(*b, seed=1)}
    same(model_of([_ms("FusedMatMul", "a b", "y", alpha=alpha, **flags)], feeds, ["y"]), feeds)


@pytest.mark.parametrize(
    ("bits", "zeros"),
    [(bits, zeros) for bits in (2, 4, 8) for zeros in ("", "packed", "float")][:-1],
)
@pytest.mark.parametrize(("inner", "known"), [(64, True), (40, True), (64, False)])
def test_matmul_nbits(bits: int, zeros: str, inner: int, known: bool) -> None:
    outer, block = 6, 32
    blocks = -(-inner // block)
    weights = {
        "b": rng(1).integers(0, 256, (outer, blocks, block * bits // 8), np.uint8),
        "s": rng(2).uniform(0.01, 0.1, (outer, blocks)).astype(np.float32),
    }
    if zeros == "packed":
        weights["z"] = rng(3).integers(0, 256, (outer, -(-blocks * bits // 8)), np.uint8)
    elif zeros:
        weights["z"] = rng(3).uniform(0, 3, (outer, blocks)).astype(np.float32)
    feeds = {"x": floats(2, 3, inner)}
    if not known:
        feeds |= weights
    inputs = "x b s z" if zeros else "x b s"
    nodes = [_ms("MatMulNBits", inputs, "y", K=inner, N=outer, bits=bits, block_size=block)]
    same(model_of(nodes, feeds, ["y"], weights if known else {}), feeds, rtol=1e-3)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("columns", [1, 5])
def test_qgemm(quantized: bool, columns: int) -> None:
    feeds = {
        "a": rng().integers(0, 256, (3, 8), np.uint8),
        "b": rng(1).integers(-128, 128, (5, 8), np.int8),
        "c": rng(2).integers(-1000, 1000, (5,), np.int32),
    }
    constants = {
        "as": np.float32(0.05),
        "az": np.uint8(120),
        "bs": rng(3)
        .uniform(0.01, 0.1, columns)
        .astype(np.float32)
        .reshape([columns][columns < 2 :]),
        "bz": rng(4).integers(-9, 9, columns, np.int8).reshape([columns][columns < 2 :]),
        "ys": np.float32(0.4),
        "yz": np.uint8(100),
    }
    inputs = "a as az b bs bz c" + " ys yz" * quantized
    nodes = [_ms("QGemm", inputs, "y", transB=1, alpha=1.0)]
    constants = {name: np.asarray(array) for name, array in constants.items()}
    same(model_of(nodes, feeds, ["y"], constants), feeds, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_qlinear_add(dtype: Any) -> None:
    info = np.iinfo(dtype)
    feeds = {
        "a": rng().integers(info.min, info.max, (4, 6), dtype),
        "b": rng(1).integers(info.min, info.max, (6,), dtype),
    }
    numbers = {"as": 0.05, "bs": 0.03, "ys": 0.07}
    constants: dict[str, Any] = {k: np.asarray(v, np.float32) for k, v in numbers.items()}
    constants |= {
        "az": np.asarray(3, dtype),
        "bz": np.asarray(7, dtype),
        "yz": np.asarray(9, dtype),
    }
    nodes = [_ms("QLinearAdd", "a as az b bs bz ys yz", "y")]
    same(model_of(nodes, feeds, ["y"], constants), feeds, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("Relu", None),
        ("Tanh", None),
        ("Sigmoid", None),
        ("Clip", [-0.5, 1.0]),
        ("LeakyRelu", [0.2]),
        ("HardSigmoid", [0.3, 0.4]),
    ],
)
@pytest.mark.parametrize("inputs", ["x w", "x w b", "x w b z"])
def test_fused_conv(name: str, numbers: Any, inputs: str) -> None:
    feeds = {"x": floats(1, 3, 6, 6), "z": floats(1, 4, 6, 6, seed=2)}
    weights = {"w": floats(4, 3, 3, 3), "b": floats(4)}
    attrs = {} if numbers is None else {"activation_params": numbers}
    nodes = [_ms("FusedConv", inputs, "y", activation=name, pads=[1] * 4, **attrs)]
    if "z" not in inputs:
        del feeds["z"]
    same(model_of(nodes, feeds, ["y"], weights), feeds)
