"""Attention and rotary embeddings of onnxruntime, compared with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frontend.compared import MICROSOFT, floats, model_of, names, node, refused, rng, run, same
from maiacc.frontend.model import Settings, import_model


def _ms(op: str, inputs: str, outputs: str, **attrs: Any) -> Any:
    return node(op, inputs, outputs, MICROSOFT, **attrs)


# ---- rotary embeddings ----------------------------------------------------------------------
@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("kind", ["3d", "4d", "offset", "partial"])
def test_rotary(interleaved: int, kind: str) -> None:
    heads, size = 2, 8
    width = 4 if kind == "partial" else size
    shape = (2, heads, 3, size) if kind == "4d" else (2, 3, heads * size)
    feeds = {
        "x": floats(*shape),
        "p": np.array([2] if kind == "offset" else [[0, 1, 2], [4, 5, 6]], np.int64),
    }
    angle = rng(5).uniform(-3, 3, (10, width // 2))
    constants = {"c": np.cos(angle).astype(np.float32), "s": np.sin(angle).astype(np.float32)}
    extra = {"num_heads": heads, "rotary_embedding_dim": width} if kind == "partial" else {}
    nodes = [_ms("RotaryEmbedding", "x p c s", "y", interleaved=interleaved, **extra)]
    assert "rope" in names(same(model_of(nodes, feeds, ["y"], constants), feeds))


# ---- MultiHeadAttention ---------------------------------------------------------------------
def _multi_head(inputs: str, feeds: Any, outputs: str = "y", **attrs: Any) -> None:
    nodes = [_ms("MultiHeadAttention", inputs, outputs, num_heads=2, **attrs)]
    module = same(model_of(nodes, feeds, outputs.split()), feeds)
    assert "attention" in names(module)


def test_multi_head() -> None:
    q, k, v = floats(2, 3, 8), floats(2, 5, 8, seed=1), floats(2, 5, 12, seed=2)
    bias, added = floats(28), floats(1, 2, 3, 5)
    _multi_head("q k v", {"q": q, "k": k, "v": v})
    _multi_head("q k v b", {"q": q, "k": k, "v": v, "b": bias}, scale=0.3)
    _multi_head("q k v - - a", {"q": q, "k": k, "v": v, "a": added})
    _multi_head("q k v", {"q": k, "k": k, "v": v}, unidirectional=1)


@pytest.mark.parametrize("mask", [[2, 5], [[1, 1, 0, 1, 0], [1, 1, 1, 1, 1]]])
def test_multi_head_masks(mask: Any) -> None:
    q, k, v = floats(2, 3, 8), floats(2, 5, 8, seed=1), floats(2, 5, 12, seed=2)
    feeds = {"q": q, "k": k, "v": v, "m": np.array(mask, np.int32)}
    _multi_head("q k v - m", feeds)


def test_multi_head_packed() -> None:
    """onnxruntime has no packed forms on a CPU: they have to be what the separate one is."""
    q, k, v = (floats(2, 3, 8, seed=seed) for seed in range(3))
    heads = [x.reshape(2, 3, 2, 4) for x in (q, k, v)]
    forms = {
        "q k v": {"q": q, "k": k, "v": v},
        "q k": {"q": q, "k": np.stack(heads[1:], 3)},
        "q": {"q": np.stack(heads, 3)},
    }
    found = []
    for inputs, feeds in forms.items():
        nodes = [_ms("MultiHeadAttention", inputs, "y", num_heads=2)]
        found.append(run(model_of(nodes, feeds, ["y"]), feeds)[0])
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_multi_head_with_heads() -> None:
    heads = {"q": floats(2, 3, 8), "k": floats(2, 2, 5, 4), "v": floats(2, 2, 5, 4, seed=1)}
    _multi_head("q k v", heads)


def test_multi_head_past() -> None:
    q, k, v = floats(2, 3, 8), floats(2, 3, 8, seed=1), floats(2, 3, 8, seed=2)
    feeds = {"q": q, "k": k, "v": v, "pk": floats(2, 2, 4, 4), "pv": floats(2, 2, 4, 4, seed=4)}
    _multi_head("q k v - - - pk pv", feeds, "y nk nv")
    _multi_head("q k v - - - pk pv", feeds, "y nk nv", unidirectional=1)


# ---- GroupQueryAttention --------------------------------------------------------------------
HEADS, SHARED, SIZE = 4, 2, 16


def _group_query(
    batch: int,
    rows: int,
    past: int,
    total: int,
    ends: Any,
    packed: bool = False,
    outputs: str = "y nk nv",
    biased: bool = False,
    known: bool = False,
    **attrs: Any,
) -> list[str]:
    """Compares with onnxruntime; the names of the ops."""
    q, k = floats(batch, rows, HEADS * SIZE), floats(batch, rows, SHARED * SIZE, seed=1)
    v = floats(batch, rows, SHARED * SIZE, seed=2)
    feeds = {"q": q, "k": k, "v": v, "n": np.array(ends, np.int32)}
    inputs = "q k v"
    if packed:
        feeds = {"q": np.concatenate([q, k, v], -1), "n": feeds["n"]}
        inputs = "q - -"
    if past >= 0:
        for seed, name in enumerate(("pk", "pv")):
            feeds[name] = floats(batch, SHARED, past, SIZE, seed=seed + 5)
    inputs += " pk pv n t" if past >= 0 else " - - n t"
    angle = rng(5).uniform(-3, 3, (32, SIZE // 2))
    constants = {
        "t": np.array(total, np.int32),
        "c": np.cos(angle).astype(np.float32),
        "s": np.sin(angle).astype(np.float32),
    }
    if known:
        constants["n"] = feeds.pop("n")
    inputs += " c s" if attrs.get("do_rotary") else " - -"
    if biased:
        feeds["bias"] = floats(1, HEADS, rows, total)
        inputs += " - bias"
    nodes = [
        _ms(
            "GroupQueryAttention",
            inputs.rstrip("- "),
            "y nk nv",
            num_heads=HEADS,
            kv_num_heads=SHARED,
            **attrs,
        )
    ]
    return names(same(model_of(nodes, feeds, outputs.split(), constants), feeds))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "attrs", [{}, {"do_rotary": 1}, {"local_window_size": 2}, {"softcap": 2.0}]
)
def test_group_query_first(packed: bool, attrs: Any) -> None:
    assert "attention" in _group_query(2, 5, -1, 5, [4, 4], packed, **attrs)


@pytest.mark.parametrize(
    "attrs",
    [{}, {"do_rotary": 1, "rotary_interleaved": 1}, {"local_window_size": 3}, {"scale": 0.2}],
)
def test_group_query_growing(attrs: Any) -> None:
    found = _group_query(1, 1, 6, 7, [6], **attrs)
    assert "cache_append" in found
    assert "scatter_elements" not in found


@pytest.mark.parametrize("attrs", [{"do_rotary": 1}, {"local_window_size": 3}])
def test_group_query_batches_of_different_lengths(attrs: Any) -> None:
    """What lies behind the end of a cache is not specified: it is not compared."""
    found = _group_query(2, 1, 6, 7, [6, 4], outputs="y", **attrs)
    assert "scatter_elements" in found


@pytest.mark.parametrize("known", [False, True])
def test_group_query_with_a_cache_that_has_room(known: bool) -> None:
    """The new key goes where the cache ends, which may be known only at run time."""
    found = _group_query(1, 1, 10, 7, [6], outputs="y", do_rotary=1, known=known)
    assert ("scatter_elements" in found) != known


@pytest.mark.parametrize("past", [-1, 6])
def test_group_query_with_a_bias(past: int) -> None:
    _group_query(1, 5, past, 5 + max(past, 0), [4 + max(past, 0)], biased=True)


def test_group_query_several_rows_behind_a_cache() -> None:
    _group_query(1, 3, 6, 9, [8], do_rotary=1)
    _group_query(1, 3, 0, 3, [2], do_rotary=1)


def test_group_query_is_refused_by_what_is_missing() -> None:
    feeds = {"q": floats(1, 1, 32), "k": floats(1, 1, 16), "v": floats(1, 1, 16)}
    feeds |= {"n": np.array([0], np.int32), "t": np.array(1, np.int32)}
    model = model_of(
        [
            _ms(
                "GroupQueryAttention", "q k v - - n t", "y nk nv", num_heads=4, kv_num_heads=2,
                smooth_softmax=1,
            )
        ],
        feeds,
        ["y"],
    )  # fmt: skip
    refused(model, "smooth_softmax")
    del model.graph.node[0].attribute[-1]
    refused(model, "E1306.*how long the cache is")
    import_model(model, Settings(values={"t": np.array(1, np.int32)}))
