"""What control flow becomes: which kernels a turn has, and a whole model with a loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from compile.built import built, kind, some
from compile.test_control import case, region
from maiacc.onnx_backend import MaiaRep
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Value
from maiacc_passes.kernel.model import Kernel
from maiacc_passes.kernel.plan import Repeat, Step

#: An element type, and a shape if it is known.
Kind = tuple[str, list[int] | None]


# ---- the kernels ------------------------------------------------------------------------------
def turns_of(steps: Sequence[Step]) -> list[Kernel]:
    """The kernels of the first repetition."""
    repeat = next(step for step in steps if isinstance(step, Repeat))
    return [step for step in repeat.body if isinstance(step, Kernel)]


def test_what_needs_no_copy_is_not_copied() -> None:
    """A state that only its own elements come from is stored in place, and stacked beside that."""

    def body(b: Builder, h: Value, x: Value) -> Sequence[Value]:
        def step(h: Value, x: Value) -> Sequence[Value]:
            after = b("add", b("mul", h, h), x)
            return [after, after]

        options = {"axes": (0,), "reverse": (0,), "out_axes": (0,), "out_reverse": (0,)}
        regions = (region(b, (h.type, h.type), step),)
        return b.many("scan", h, x, carried=1, regions=regions, **options)

    module = built(body, kind("fp32", 300), kind("fp32", 4, 300))
    found = case(module, some("fp32", 300, low=0, high=2), some("fp32", 4, 300))
    assert len(turns_of(found.compiled.placed.plan.steps)) == 1


def test_a_state_that_others_still_read_is_copied() -> None:
    """The reversed state cannot be stored where it is read."""

    def body(b: Builder, h: Value, x: Value) -> Sequence[Value]:
        def step(h: Value, x: Value) -> Sequence[Value]:
            back = b("slice", h, starts=(299,), sizes=(300,), steps=(-1,))
            return [b("add", back, x)]

        options = {"axes": (0,), "reverse": (0,), "out_axes": (), "out_reverse": ()}
        regions = (region(b, (h.type, h.type), step),)
        return b.many("scan", h, x, carried=1, regions=regions, **options)

    module = built(body, kind("fp32", 300), kind("fp32", 3, 300))
    found = case(module, some("fp32", 300), some("fp32", 3, 300))
    assert len(turns_of(found.compiled.placed.plan.steps)) == 2


# ---- a decoder --------------------------------------------------------------------------------
def decoder(words: int, width: int, most: int) -> onnx.ModelProto:
    """A loop that draws words, each from the one before and a state, until it draws number 12: with
    the state, the words in a buffer that is written row by row, and the words stacked."""
    rng = np.random.default_rng(0)
    nodes: list[tuple[str, list[str], list[str], dict[str, Any]]] = [
        ("Gather", ["table", "word"], ["row"], {}),
        ("MatMul", ["state", "again"], ["old"], {}),
        ("Add", ["row", "old"], ["sum"], {}),
        ("Tanh", ["sum"], ["next"], {}),
        ("MatMul", ["next", "scores"], ["found"], {}),
        ("ArgMax", ["found"], ["best"], {"axis": 1, "keepdims": 0}),
        ("Squeeze", ["best", "first"], ["drawn"], {}),
        ("Equal", ["drawn", "last"], ["over"], {}),
        ("Not", ["over"], ["more"], {}),
        ("Unsqueeze", ["turn", "ends"], ["place"], {}),
        ("ScatterND", ["buffer", "place", "best"], ["written"], {}),
    ]
    word: Kind = ("int64", [1])
    state: Kind = ("fp32", [1, width])
    buffer: Kind = ("int64", [most])
    scalar: Kind = ("int64", [])
    flag: Kind = ("bool", [])
    types = {"int64": TensorProto.INT64, "fp32": TensorProto.FLOAT, "bool": TensorProto.BOOL}

    def infos(**kinds: Kind) -> list[onnx.ValueInfoProto]:
        made = kinds.items()
        return [helper.make_tensor_value_info(n, types[t], shape) for n, (t, shape) in made]

    body = helper.make_graph(
        [helper.make_node(name, given, made, **attrs) for name, given, made, attrs in nodes],
        "body",
        infos(turn=scalar, go=flag, word=word, state=state, buffer=buffer),
        infos(more=flag, best=word, next=state, written=buffer, drawn=scalar),
    )
    given, made = ["most", "", "begin", "zeros", "empty"], ["end", "left", "rows", "stack"]
    constants = {
        "table": rng.standard_normal((words, width)).astype(np.float32),
        "again": (rng.standard_normal((width, width)) / 6).astype(np.float32),
        "scores": rng.standard_normal((width, words)).astype(np.float32),
        "most": np.array(most),
        "last": np.array(12),
        "first": np.array([0]),
        "ends": np.array([0, 1]),
        "zeros": np.zeros((1, width), np.float32),
        "empty": np.full(most, -1),
    }
    graph = helper.make_graph(
        [helper.make_node("Loop", given, made, body=body)],
        "decoder",
        infos(begin=word),
        infos(end=word, left=state, rows=buffer, stack=("int64", None)),
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize("begin", [3, 11])
def test_a_decoder_runs_on_the_machine_until_it_ends(begin: int) -> None:
    """A few words in one case, and in the other one all of 20 without an end."""
    model, inputs = decoder(50, 32, 20), {"begin": np.array([begin])}
    wanted = onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)
    end, left, rows, stack = MaiaRep(model, "mini", "native").run(inputs)
    assert len(stack) == (5 if begin == 3 else 20)
    np.testing.assert_array_equal(end, wanted[0])
    np.testing.assert_allclose(left, wanted[1], 1e-4, 1e-5)
    np.testing.assert_array_equal(rows, wanted[2])
    np.testing.assert_array_equal(stack, wanted[3])


# ---- groups -----------------------------------------------------------------------------------
def test_parts_that_meet_again_are_one_kernel() -> None:
    """Four gates, each a slice of one product."""

    def body(b: Builder, x: Value, w: Value) -> Value:
        gates = b("contract", x, w, spec="bi,ij->bj")
        parts = [b("slice", gates, starts=(0, 8 * n), sizes=(3, 8), steps=(1, 1)) for n in range(4)]
        one = b("mul", b("relu", parts[0]), b("neg", parts[1]))
        return b("add", one, b("mul", b("abs", parts[2]), b("relu", parts[3])))

    module = built(body, kind("fp32", 3, 5), kind("fp32", 5, 32))
    found = case(module, some("fp32", 3, 5), some("fp32", 5, 32))
    assert len(found.compiled.placed.plan.kernels) == 2


def test_a_group_does_not_take_in_what_reads_other_rows_of_it() -> None:
    """The second value comes from rows of the first one that another tile makes."""

    def body(b: Builder, x: Value) -> Value:
        first = b("relu", x)
        row = b("slice", first, starts=(1, 0), sizes=(1, 8), steps=(1, 1))
        return b("add", first, b("neg", row))

    case(built(body, kind("fp32", 40, 8)), some("fp32", 40, 8))
