"""Attention, rotary embeddings and what else language models have, compared with the reference
of ONNX."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from frontend.compared import floats, model_of, names, node, rng, run
from maiacc.frontend.model import Settings, import_model
from maiacc_isa.errors import ErrorList
from maiacc_passes.ir.graph import Module

BATCH, HEADS, SHARED, ROWS, KEYS, SIZE, OUT = 2, 4, 2, 3, 5, 8, 6
SLOTS = ("q", "k", "v", "m", "pk", "pv", "n")
OUTPUTS = ("y", "nk", "nv", "qk")


def _check(model: Any, feeds: Any, rtol: float = 1e-4, settings: Settings | None = None) -> Module:
    """The IR and the reference agree; the module."""
    expected = ReferenceEvaluator(model).run(None, feeds)
    settings = settings or Settings()
    found = run(model, feeds, settings)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(
            a.astype(np.float64), b.astype(np.float64), rtol=rtol, atol=rtol / 10
        )
    return import_model(model, settings)


def _feeds(
    packed: bool = False, past: int = 0, shared: int = SHARED, dtype: Any = np.float32
) -> Any:
    shapes = {"q": (HEADS, ROWS, SIZE), "k": (shared, KEYS, SIZE), "v": (shared, KEYS, OUT)}
    found = {name: floats(BATCH, *shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}
    if packed:
        for name, (heads, rows, size) in shapes.items():
            turned = found[name].transpose(0, 2, 1, 3)
            found[name] = np.ascontiguousarray(turned).reshape(BATCH, rows, heads * size)
    if past:
        found["pk"] = floats(BATCH, shared, past, SIZE, seed=7)
        found["pv"] = floats(BATCH, shared, past, OUT, seed=8)
    return {name: array.astype(dtype) for name, array in found.items()}


def _attention(
    feeds: Any, outputs: int = 1, opset: int = 23, rtol: float = 1e-4, **attrs: Any
) -> list[str]:
    """Compares; the names of the ops."""
    inputs = " ".join(name if name in feeds else "-" for name in SLOTS)
    inputs = inputs.rstrip("- ")
    wanted = list(OUTPUTS[:outputs])
    if outputs == 4 and "pk" not in feeds:
        wanted[1:3] = ["-", "-"]
    nodes = [node("Attention", inputs, " ".join(wanted), **attrs)]
    model = model_of(nodes, feeds, [x for x in wanted if x != "-"], opset=opset)
    return names(_check(model, feeds, rtol))


# ---- Attention ------------------------------------------------------------------------------
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "attrs",
    [{}, {"scale": 0.2}, {"softcap": 1.5}, {"is_causal": 1}, {"is_causal": 1, "scale": 2.0}],
)
@pytest.mark.parametrize("shared", [1, 2, 4])
def test_attention(packed: bool, attrs: Any, shared: int) -> None:
    if packed:
        attrs = attrs | {"q_num_heads": HEADS, "kv_num_heads": shared}
    found = _attention(_feeds(packed, shared=shared), **attrs)
    assert found.count("attention") == 1
    assert not {"contract", "softmax", "select"} & set(found)


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("past", [0, 4])
@pytest.mark.parametrize("rank", [2, 3, 4])
@pytest.mark.parametrize("truth", [False, True])
@pytest.mark.parametrize("short", [0, 2])
def test_masks(causal: int, past: int, rank: int, truth: bool, short: int) -> None:
    feeds = _feeds(past=past)
    shape = (BATCH, HEADS, ROWS, past + KEYS - short)[4 - rank :]
    feeds["m"] = floats(*shape) > 0 if truth else floats(*shape)
    assert "attention" in _attention(feeds, 3 if past else 1, is_causal=causal)


def test_a_query_that_sees_nothing_gets_nothing() -> None:
    feeds = _feeds()
    feeds["m"] = np.ones((ROWS, KEYS), np.bool_)
    feeds["m"][1] = False
    _attention(feeds)
    feeds["m"] = np.where(feeds["m"], 0, -np.inf).astype(np.float32)
    _attention(feeds)
    nodes = [node("Attention", "q k v m", "y")]
    y = run(model_of(nodes, feeds, ["y"], opset=23), feeds)[0]
    assert not y[:, :, 1].any()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("causal", [0, 1])
def test_past(packed: bool, causal: int) -> None:
    heads = {"q_num_heads": HEADS, "kv_num_heads": SHARED} if packed else {}
    found = _attention(_feeds(packed, past=4), 3, is_causal=causal, **heads)
    assert found.count("cache_append") == 2
    assert "attention" in found


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
@pytest.mark.parametrize("attrs", [{}, {"is_causal": 1}, {"softcap": 2.0}])
@pytest.mark.parametrize("mask", [None, bool, float])
def test_scores(mode: int, attrs: Any, mask: Any) -> None:
    if mode == 0:
        attrs = {name: value for name, value in attrs.items() if name != "softcap"}
    feeds = _feeds(past=4)
    if mask is not None:
        feeds["m"] = floats(ROWS, 4 + KEYS)
    if mask is bool:
        feeds["m"] = feeds["m"] > 0
    found = _attention(feeds, 4, qk_matmul_output_mode=mode, **attrs)
    assert "attention" not in found
    assert "softmax" in found


def test_scores_before_the_cap() -> None:
    feeds = _feeds()
    nodes = [node("Attention", "q k v", "y - - s", softcap=0.5, scale=0.25)]
    found = run(model_of(nodes, feeds, ["y", "s"], opset=23), feeds)
    k = np.repeat(feeds["k"], HEADS // SHARED, 1)
    np.testing.assert_allclose(found[1], feeds["q"] @ k.swapaxes(2, 3) / 4, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lengths", [[5, 2], [0, 3]])
@pytest.mark.parametrize("attrs", [{}, {"is_causal": 1}])
@pytest.mark.parametrize("mask", [None, bool, float])
def test_padding(lengths: Any, attrs: Any, mask: Any) -> None:
    feeds = _feeds() | {"n": np.array(lengths)}
    if mask is not None:
        feeds["m"] = floats(BATCH, 1, ROWS, KEYS)
    if mask is bool:
        feeds["m"] = feeds["m"] > 0
    assert "attention" in _attention(feeds, opset=24, **attrs)


@pytest.mark.parametrize("past", [0, 4])
@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("window", [(2, -1), (-1, 1), (1, 0), (0, 2), (-1, -1)])
def test_windows(past: int, causal: int, window: tuple[int, int]) -> None:
    attrs = dict(zip(("left_window_size", "right_window_size"), window, strict=True))
    found = _attention(_feeds(past=past), opset=25, is_causal=causal, **attrs)
    assert "attention" in found
    feeds = _feeds() | {"n": np.array([5, 4])}
    _attention(feeds, opset=25, is_causal=causal, **attrs)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_floats(dtype: Any) -> None:
    rtol = 0.01 if dtype is np.float16 else 0.06
    none: Any = {}
    more: Any = {"is_causal": 1, "softcap": 2.0}
    for attrs in (none, more):
        assert "attention" in _attention(_feeds(dtype=dtype), rtol=rtol, **attrs)


def test_softmax_in_narrow_floats() -> None:
    """What is narrower than the scores are changes the result; what is wider does not."""
    assert "softmax" in _attention(_feeds(), rtol=5e-3, softmax_precision=10)
    assert "attention" in _attention(_feeds(), softmax_precision=1)
    assert "attention" in _attention(_feeds(dtype=np.float16), rtol=0.01, softmax_precision=1)


@pytest.mark.parametrize(
    ("change", "attrs", "match"),
    [
        ({"pk": floats(BATCH, SHARED, 4, SIZE)}, {}, "E1304.*together"),
        ({"k": floats(BATCH, 3, KEYS, SIZE)}, {}, "E1304.*do not fit"),
        ({"q": floats(BATCH, ROWS, 32)}, {"q_num_heads": 5, "kv_num_heads": 1}, "E1304.*5 heads"),
        ({"m": floats(ROWS, KEYS + 1)}, {}, "E1304"),
        ({"n": np.array([1, 2, 3])}, {}, "E1304.*nonpad_kv_seqlen"),
        ({}, {"left_window_size": -2}, "E1304.*window"),
        ({}, {"qk_matmul_output_mode": 4}, "E1304.*mode"),
    ],
)
def test_attention_refusals(change: Any, attrs: Any, match: str) -> None:
    feeds = _feeds() | change
    inputs = " ".join(name if name in feeds else "-" for name in SLOTS)
    outputs = "y - - s" if "qk_matmul_output_mode" in attrs else "y"
    model = model_of([node("Attention", inputs, outputs, **attrs)], feeds, ["y"], opset=25)
    with pytest.raises(ErrorList, match=f"(?s){match}"):
        import_model(model)


# ---- rotary embeddings ----------------------------------------------------------------------
@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("rank", [3, 4])
@pytest.mark.parametrize("width", [0, 4])
@pytest.mark.parametrize("positions", [False, True])
def test_rotary(interleaved: int, rank: int, width: int, positions: bool) -> None:
    x = floats(BATCH, HEADS, ROWS, SIZE)
    attrs: Any = {"interleaved": interleaved, "rotary_embedding_dim": width}
    if rank == 3:
        x = np.ascontiguousarray(x.transpose(0, 2, 1, 3)).reshape(BATCH, ROWS, HEADS * SIZE)
        attrs["num_heads"] = HEADS
    half = (width or SIZE) // 2
    angle = rng().uniform(-3, 3, (10, half) if positions else (BATCH, ROWS, half))
    feeds = {"x": x, "c": np.cos(angle).astype(np.float32), "s": np.sin(angle).astype(np.float32)}
    if positions:
        feeds["p"] = rng(1).integers(0, 10, (BATCH, ROWS))
    inputs = "x c s p" if positions else "x c s"
    model = model_of([node("RotaryEmbedding", inputs, "y", **attrs)], feeds, ["y"], opset=23)
    assert "rope" in names(_check(model, feeds))


def test_rotary_refusals() -> None:
    feeds = {"x": floats(1, 2, 3, 8), "c": floats(1, 3, 3), "s": floats(1, 3, 3)}
    model = model_of([node("RotaryEmbedding", "x c s", "y")], feeds, ["y"], opset=23)
    with pytest.raises(ErrorList, match=r"(?s)E1304.*tables.*\[1, 3, 4\]"):
        import_model(model)


# ---- language models ------------------------------------------------------------------------
@pytest.mark.parametrize("alpha", [1.0, 1.7])
def test_swiglu(alpha: float) -> None:
    feeds = {"a": floats(3, 8), "b": floats(3, 8, seed=1)}
    model = model_of([node("SwiGLU", "a b", "y", alpha=alpha)], feeds, ["y"], opset=28)
    found = run(model, feeds)[0]
    a, b = feeds["a"].astype(np.float64), feeds["b"].astype(np.float64)
    np.testing.assert_allclose(found, a / (1 + np.exp(-alpha * a)) * b, rtol=1e-5, atol=1e-6)
    assert ("swiglu" in names(import_model(model))) == (alpha == 1)


@pytest.mark.parametrize("mode", ["linear", "circular"])
@pytest.mark.parametrize("axis", [1, 2, -2, -1])
@pytest.mark.parametrize("start", [None, [0, 0], [2, 1], [2, 2]])
@pytest.mark.parametrize("known", [False, True])
def test_tensor_scatter(mode: str, axis: int, start: Any, known: bool) -> None:
    shape = [2, 5, 5, 5]
    new = [2 if i == axis % 4 else extent for i, extent in enumerate(shape)]
    feeds = {"old": floats(*shape), "new": floats(*new)}
    inputs = "old new"
    constants: dict[str, Any] = {}
    if start is not None:
        inputs += " at"
        (constants if known else feeds)["at"] = np.array(start)
    nodes = [node("TensorScatter", inputs, "y", mode=mode, axis=axis)]
    module = _check(model_of(nodes, feeds, ["y"], constants, opset=24), feeds)
    fixed = start is None or (known and start[0] == start[1])
    assert ("scatter_elements" in names(module)) != fixed


def test_tensor_scatter_goes_round() -> None:
    feeds = {"old": floats(2, 3, 4, 2), "new": floats(2, 3, 3, 2), "at": np.array([3, 9])}
    nodes = [node("TensorScatter", "old new at", "y", mode="circular")]
    _check(model_of(nodes, feeds, ["y"], opset=24), feeds)
    for values in ([3, 3], [9, 9]):
        bound = Settings(values={"at": np.array(values)})
        feeds["at"] = np.array(values)
        _check(model_of(nodes, feeds, ["y"], opset=24), feeds, settings=bound)


def test_tensor_scatter_refusals() -> None:
    feeds = {"old": floats(2, 4, 2), "new": floats(2, 5, 2)}
    model = model_of([node("TensorScatter", "old new", "y")], feeds, ["y"], opset=24)
    with pytest.raises(ErrorList, match=r"E1304.*fit"):
        import_model(model)
    model = model_of([node("TensorScatter", "old new", "y", axis=0)], feeds, ["y"], opset=24)
    with pytest.raises(ErrorList, match=r"E1304.*axis"):
        import_model(model)


@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
def test_linear_attention(rule: str) -> None:
    feeds = {"q": floats(2, 5, 16), "k": floats(2, 5, 8) * 0.3, "v": floats(2, 5, 12, seed=1)}
    feeds["s"] = floats(2, 2, 4, 6)
    inputs = ["q k v s", "-", "-"]
    if "gated" in rule:
        inputs[1], feeds["g"] = "g", -np.abs(floats(2, 5, 2))
    if "delta" in rule:
        inputs[2], feeds["b"] = "b", np.abs(floats(2, 5, 2, seed=2))
    nodes = [
        node(
            "LinearAttention", " ".join(inputs).rstrip("- "), "y z",
            q_num_heads=4, kv_num_heads=2, update_rule=rule,
        )
    ]  # fmt: skip
    model = model_of(nodes, feeds, ["y", "z"], opset=27)
    assert "scan" in names(_check(model, feeds))


def test_causal_convolution() -> None:
    feeds = {"x": floats(2, 3, 6), "w": floats(3, 1, 4), "b": floats(3), "s": floats(2, 3, 3)}
    nodes = [node("CausalConvWithState", "x w b s", "y z", activation="silu")]
    assert "conv" in names(_check(model_of(nodes, feeds, ["y", "z"], opset=27), feeds))
