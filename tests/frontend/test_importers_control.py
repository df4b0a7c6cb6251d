"""If, Loop and Scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest

from frontend.compared import body, floats, model_of, names, node, refused, run, same
from maiacc.frontend.model import Settings, import_model
from maiacc.frontend.node import NeedsValue


# ---- If -------------------------------------------------------------------------------------
def _conditional(then: onnx.GraphProto, other: onnx.GraphProto, **constants: Any) -> Any:
    feeds = {"c": np.array(True), "x": floats(3)}
    feeds = {name: array for name, array in feeds.items() if name not in constants}
    nodes = [node("If", "c", "y", then_branch=then, else_branch=other)]
    return model_of(nodes, feeds, ["y"], constants), feeds


def test_if_takes_a_branch_at_run_time() -> None:
    then = body([node("Add", "x x", "p")], "", "p")
    other = body([node("Mul", "x k", "q")], "", "q", k=np.float32(3))
    model, feeds = _conditional(then, other)
    assert "if" in names(same(model, feeds))
    same(model, feeds | {"c": np.array(False)})


@pytest.mark.parametrize("taken", [True, False])
def test_if_of_a_constant_is_the_branch(taken: bool) -> None:
    """The other branch may be anything."""
    good = body([node("Add", "x x", "p")], "", "p")
    bad = body([node("RandomNormal", "", "q", shape=[2])], "", "q")
    branches = (good, bad) if taken else (bad, good)
    model, feeds = _conditional(*branches, c=np.array(taken))
    assert names(import_model(model)) == ["add", "return"]
    np.testing.assert_array_equal(run(model, feeds)[0], feeds["x"] * 2)


def test_if_branches_of_different_shapes() -> None:
    then = body([node("Add", "x x", "p")], "", "p")
    other = body([node("Concat", "x x", "q", axis=0)], "", "q")
    model, feeds = _conditional(then, other)
    refused(model, r"E1303.*fp32\[3\] in one branch and fp32\[6\] in the other")
    settings = Settings(values={"c": np.array(False)})
    assert run(model, feeds, settings)[0].shape == (6,)


def test_problems_in_branches_are_reported() -> None:
    good = body([node("Add", "x x", "p")], "", "p")
    bad = body([node("Nonsense", "x", "q")], "", "q")
    refused(_conditional(good, bad)[0], "Nonsense")


# ---- Loop -----------------------------------------------------------------------------------
def _summing(extra: Sequence[onnx.NodeProto] = (), condition: str = "go") -> onnx.GraphProto:
    """A turn adds x, and hands out the sum."""
    nodes = [node("Add", "a x", "b"), node("Identity", "b", "s"), *extra]
    return body(nodes, "i:i go:b a:f", f"{condition} b s")


def _loop(graph: onnx.GraphProto, inputs: str = "n - a", outputs: str = "y s") -> Any:
    return [node("Loop", inputs, outputs, body=graph)]


def test_loop_with_a_known_trip_count() -> None:
    feeds = {"a": floats(3), "x": floats(3, seed=1)}
    constants = {"n": np.array(5), "t": np.array(True)}
    for inputs in ("n - a", "n t a"):
        module = same(model_of(_loop(_summing(), inputs), feeds, ["y", "s"], constants), feeds)
        assert names(module).count("loop") == 1
        assert module.main.outputs[1] is not None
        assert str(module.main.outputs[1].type) == "fp32[5, 3]"


@pytest.mark.parametrize("limit", [0.0, 2.5, 100.0])
def test_loop_until_a_condition(limit: float) -> None:
    """What is stacked is as long as there are turns."""
    more = [node("ReduceSum", "b", "total", keepdims=0), node("Less", "total limit", "more")]
    graph = _summing(more, "more")
    feeds = {"a": np.zeros(3, np.float32), "x": np.full(3, 0.4, np.float32)}
    constants = {"n": np.array(7), "limit": np.float32(limit)}
    module = same(model_of(_loop(graph), feeds, ["y", "s"], constants), feeds)
    assert module.bounds == {"n0": 7}


def test_loop_without_a_trip_count() -> None:
    graph = body(
        [
            node("Mul", "a two", "b"),
            node("ReduceMax", "b", "most", keepdims=0),
            node("Less", "most limit", "more"),
        ],
        "i:i go:b a:f",
        "more b",
        two=np.float32(2),
        limit=np.float32(50),
    )
    feeds = {"a": np.ones(2, np.float32), "c": np.array(True)}
    model = model_of(_loop(graph, "- c a", "y"), feeds, ["y"])
    same(model, feeds)
    same(model, feeds | {"c": np.array(False)})


@pytest.mark.parametrize(("trip", "begins"), [(0, True), (3, False), (-1, True)])
def test_loop_that_takes_no_turn(trip: int, begins: bool) -> None:
    feeds = {"a": floats(3), "x": floats(3, seed=1)}
    constants = {"n": np.array(trip), "t": np.array(begins)}
    model = model_of(_loop(_summing(), "n t a"), feeds, ["y", "s"], constants)
    y, s = run(model, feeds)
    np.testing.assert_array_equal(y, feeds["a"])
    assert s.shape == (0, 3)


def _growing() -> onnx.GraphProto:
    nodes = [node("Concat", "a x", "b", axis=0), node("ReduceSum", "b", "s", keepdims=0)]
    return body(nodes, "i:i go:b a:f", "go b s")


def test_loop_whose_shapes_change_is_unrolled() -> None:
    feeds = {"a": floats(3), "x": floats(2, seed=1)}
    model = model_of(_loop(_growing()), feeds, ["y", "s"], {"n": np.array(4)})
    found = names(same(model, feeds))
    assert found.count("concat") == 5
    assert "loop" not in found


def test_loop_whose_shapes_change_isrefused() -> None:
    feeds = {"a": floats(3), "x": floats(2, seed=1)}
    model = model_of(_loop(_growing()), feeds, ["y", "s"], {"n": np.array(1000)})
    refused(model, r"E1303.*'a' changes from fp32\[3\] to fp32\[5\].*more than 64 turns")
    feeds["n"] = np.array(2)
    problem = refused(model_of(_loop(_growing()), feeds, ["y", "s"]), "E1306.*'n'").errors[0]
    assert isinstance(problem, NeedsValue)
    assert problem.inputs == ("n",)


def test_loop_whose_outputs_change_isrefused() -> None:
    nodes = [node("Concat", "a x", "b", axis=0)]
    graph = body(nodes, "i:i go:b a:f", "go b b")
    feeds = {"a": floats(3), "x": floats(2, seed=1)}
    model = model_of(_loop(graph), feeds, ["y", "s"], {"n": np.array(3)})
    refused(model, "E1303.*another shape each turn")


def test_loop_that_slices_by_its_turn_is_unrolled() -> None:
    nodes = [
        node("Add", "i one", "end"),
        node("Unsqueeze", "i zero", "low"),
        node("Unsqueeze", "end zero", "high"),
        node("Slice", "x low high", "part"),
        node("Add", "a part", "b"),
    ]
    graph = body(nodes, "i:i go:b a:f", "go b part", one=np.int64(1), zero=np.array([0]))
    feeds = {"a": floats(1), "x": floats(5)}
    model = model_of(_loop(graph), feeds, ["y", "s"], {"n": np.array(4)})
    assert "loop" not in names(same(model, feeds))


def test_loop_that_ends_at_a_known_turn_is_unrolled() -> None:
    nodes = [
        node("Add", "k one", "k2"),
        node("Less", "k2 six", "more"),
        node("Add", "a x", "b"),
    ]
    graph = body(nodes, "i:i go:b k:i a:f", "more k2 b b", one=np.int64(2), six=np.int64(6))
    feeds = {"a": floats(3), "x": floats(3, seed=1)}
    constants = {"k": np.int64(0)}
    model = model_of(
        [node("Loop", "- - k a", "k9 y s", body=graph)], feeds, ["k9", "y", "s"], constants
    )
    module = same(model, feeds)
    assert "loop" not in names(module)
    assert names(module).count("add") == 3


@pytest.mark.parametrize("trip", [2, 5])
def test_loop_whose_trip_count_is_not_known(trip: int) -> None:
    """It may end before the condition does."""
    nodes = [node("Add", "k one", "k2"), node("Less", "k2 six", "more"), node("Add", "a x", "b")]
    graph = body(nodes, "i:i go:b k:i a:f", "more k2 b", one=np.int64(2), six=np.int64(6))
    feeds = {"a": floats(3), "x": floats(3, seed=1), "n": np.array(trip)}
    nodes = [node("Loop", "n - k a", "k9 y", body=graph)]
    same(model_of(nodes, feeds, ["k9", "y"], {"k": np.int64(0)}), feeds)


@pytest.mark.parametrize("begins", [True, False])
def test_loop_that_may_not_begin(begins: bool) -> None:
    feeds = {"a": floats(3), "x": floats(3, seed=1), "c": np.array(begins)}
    model = model_of(_loop(_summing(), "n c a"), feeds, ["y", "s"], {"n": np.array(4)})
    module = import_model(model)
    assert module.bounds == {"n0": 4}
    y, s = run(model, feeds)
    sums = feeds["a"] + feeds["x"] * np.arange(5 if begins else 1, dtype=np.float32)[:, None]
    np.testing.assert_allclose(y, sums[-1], rtol=1e-5)
    np.testing.assert_allclose(s, sums[1:], rtol=1e-5)


def test_loop_of_constants_is_a_constant() -> None:
    """So that what it makes may decide a shape."""
    nodes = [node("Mul", "k two", "k2")]
    graph = body(nodes, "i:i go:b k:i", "go k2", two=np.int64(2))
    nodes = [
        node("Loop", "n - k", "size", body=graph),
        node("Reshape", "size one", "shape"),
        node("Expand", "x shape", "y"),
    ]
    feeds = {"x": floats(1)}
    constants = {"n": np.int64(70), "k": np.int64(0), "one": np.array([1])}
    assert run(model_of(nodes, feeds, ["y"], constants), feeds)[0].shape == (0,)


def test_loop_inside_of_if_inside_of_loop() -> None:
    inner = body([node("Add", "p x", "q")], "j:i g:b p:f", "g q")
    then = body([node("Loop", "three - a", "u", body=inner)], "", "u", three=np.int64(3))
    other = body([node("Neg", "a", "v")], "", "v")
    nodes = [
        node("ReduceSum", "a", "total", keepdims=0),
        node("Less", "total zero", "small"),
        node("If", "small", "b", then_branch=then, else_branch=other),
    ]
    graph = body(nodes, "i:i go:b a:f", "go b b", zero=np.float32(0))
    feeds = {"a": floats(3), "x": np.abs(floats(3, seed=1))}
    model = model_of(_loop(graph), feeds, ["y", "s"], {"n": np.array(6)})
    assert {"loop", "if"} <= set(names(same(model, feeds)))


def test_bodies_that_do_not_fit() -> None:
    feeds = {"a": floats(3), "x": floats(3)}
    graph = body([node("Add", "a x", "b")], "i:i a:f", "b b")
    refused(model_of(_loop(graph, outputs="y"), feeds, ["y"], {"n": np.array(2)}), "E1302.*inputs")
    graph = body([node("Add", "a x", "b")], "i:i go:b a:f", "go")
    refused(model_of(_loop(graph, outputs="y"), feeds, ["y"], {"n": np.array(2)}), "E1302.*little")
    graph = _summing([node("Nonsense", "b", "c")])
    refused(model_of(_loop(graph), feeds, ["y", "s"], {"n": np.array(2)}), "Nonsense")
    feeds["n"] = np.array(2)
    refused(model_of(_loop(_summing()), feeds, ["y", "s"]), "E1306.*how long its outputs are")
