"""Deliberately broken passes and lowerings: `maiacc verify` finds each, and names what it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from maiacc.frontend.model import Settings, import_model
from maiacc.verifying.cutting import Cutter
from maiacc.verifying.made_inputs import made_inputs
from maiacc.verifying.reproducing import reproducer
from maiacc.verifying.verify import Asked, Verified, verify
from maiacc_isa.machine import load_machine
from maiacc_passes import expanding, folding
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op
from maiacc_passes.ir.weights import Array
from maiacc_passes.kernel.model import View
from maiacc_passes.lowering import (
    access,
    contraction,
    copies,
    group,
    operands,
    pools,
    recipes,
    shapes,
)
from maiacc_passes.lowering.expr import Expr
from maiacc_passes.schedule import edges, joins

MINI = load_machine("mini")
RNG = np.random.default_rng(7)


def weight(name: str, *shape: int) -> onnx.TensorProto:
    values = RNG.standard_normal(shape).astype(np.float32)
    return onnx.numpy_helper.from_array(values, name)


def model(
    nodes: Sequence[onnx.NodeProto], shape: Sequence[int], *weights: onnx.TensorProto
) -> onnx.ModelProto:
    """A model with the input x and the output y."""
    graph = helper.make_graph(
        nodes,
        "broken",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [onnx.ValueInfoProto(name="y")],
        weights,
    )
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    found.ir_version = 10
    return found


def node(kind: str, inputs: str, output: str, **attrs: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], name=f"the_{output}", **attrs)


def verified(proto: onnx.ModelProto, scale: float = 1.0, **more: Any) -> tuple[Asked, Verified]:
    """What verify says on mini."""
    inputs = {n: x * np.float32(scale) for n, x in made_inputs(import_model(proto), 3).items()}
    asked = Asked(lambda: import_model(proto), MINI, inputs, **more)
    return asked, verify(asked)


def conv_model() -> onnx.ModelProto:
    nodes = [
        node("Relu", "x", "a"),
        node("Conv", "a w b", "c", pads=[1, 1, 1, 1]),
        node("Relu", "c", "d"),
        node("MaxPool", "d", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    ]
    return model(nodes, (1, 3, 9, 9), weight("w", 5, 3, 3, 3), weight("b", 5))


def dense_model() -> onnx.ModelProto:
    nodes = [
        node("Gemm", "x w b", "h"),
        node("Relu", "h", "r"),
        node("Gemm", "r v c", "y"),
    ]
    w, b = weight("w", 70, 33), weight("b", 33)
    return model(nodes, (5, 70), w, b, weight("v", 33, 7), weight("c", 7))


def blamed(found: Verified) -> str:
    """The first wrong kernel's ops, and what is said of it."""
    assert found.wrong
    assert found.first_kernel is not None
    return ", ".join(found.first_kernel.ops)


def reproduced(
    proto: onnx.ModelProto, asked: Asked, found: Verified, path: Path
) -> onnx.ModelProto:
    """The reproducer, read back; it still goes wrong."""
    cutter = Cutter(proto, Settings(), None, asked.inputs)
    made = reproducer(asked, found, cutter, found.piece)
    assert made is not None
    assert made.model is not None
    files = made.write(str(path / "part"))
    part = onnx.load(files[0])
    inputs: dict[str, Array] = dict(np.load(files[1]))
    again = verify(Asked(lambda: import_model(part), asked.machine, inputs))
    assert again.wrong
    return part


@pytest.mark.parametrize("proto", [conv_model(), dense_model()])
def test_nothing_is_found_where_nothing_is_wrong(proto: onnx.ModelProto) -> None:
    _, found = verified(proto, per_op=True, per_pass=True)
    assert not found.wrong
    assert {line.verdict for line in (*found.kernels, *found.ops)} <= {"ok", "equal"}
    assert [line.verdict for line in found.outputs] == ["ok"]


def test_a_halo_off_by_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = shapes.ints

    def wrong(op: Op, name: str) -> tuple[int, ...]:
        found = right(op, name)
        return tuple(n - 1 for n in found) if name == "pads" else found

    monkeypatch.setattr(shapes, "ints", wrong)
    asked, found = verified(conv_model())
    assert blamed(found) == "conv, relu"
    assert found.first_op is not None and found.first_op.ops == ("conv",)
    assert found.nodes == ("the_c",)
    part = reproduced(conv_model(), asked, found, tmp_path)
    assert [n.op_type for n in part.graph.node] == ["Conv"]


def test_the_tail_of_what_is_summed_is_dropped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    right = shapes._Reader._sum

    def wrong(self: Any, size: int) -> int | None:
        return right(self, size - 1)

    monkeypatch.setattr(shapes._Reader, "_sum", wrong)
    asked, found = verified(dense_model())
    assert blamed(found) == "contract, relu"
    assert found.first_op is not None and found.first_op.nodes == ("the_h",)
    part = reproduced(dense_model(), asked, found, tmp_path)
    assert [n.op_type for n in part.graph.node] == ["Gemm"]


def test_slots_that_nobody_frees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edges, "_carried", lambda *_: [])
    proto = model([node("Add", "x w", "s"), node("Relu", "s", "y")], (64, 512), weight("w", 512))
    _, found = verified(proto)
    assert found.wrong and found.findings
    assert set(found.nodes) <= {"the_s", "the_y"} and found.nodes


def test_a_post_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edges, "_within", lambda events: ([], [{} for _ in events]))
    _, found = verified(dense_model())
    assert found.wrong and found.findings and "the_h" in found.nodes


def test_kernels_that_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    right = joins._sync

    def wrong(queue: str, near: Any, waits: Sequence[str] = (), posts: Sequence[str] = ()) -> Any:
        return right(queue, near, (), posts)

    monkeypatch.setattr(joins, "_sync", wrong)
    _, found = verified(dense_model())
    assert found.wrong and found.findings


def test_a_pool_that_fills_with_zeros(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    proto = model(
        [
            node("MaxPool", "x", "p", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("Neg", "p", "y"),
        ],
        (1, 2, 8, 8),
    )
    monkeypatch.setattr(pools, "lowest", lambda element: 0.0, raising=True)
    inputs = {"x": -np.abs(RNG.standard_normal((1, 2, 8, 8))).astype(np.float32) - 1}
    asked = Asked(lambda: import_model(proto), MINI, inputs)
    found = verify(asked)
    assert blamed(found) == "pool_max"
    part = reproduced(proto, asked, found, tmp_path)
    assert [n.op_type for n in part.graph.node] == ["MaxPool"]


def test_strides_that_are_swapped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = access._transpose

    def wrong(op: Op, given: access.Access) -> access.Access:
        return dataclasses.replace(right(op, given), strides=given.strides)

    monkeypatch.setitem(access.VIEWS, "transpose", wrong)
    proto = model(
        [node("Transpose", "x", "t", perm=[1, 0]), node("Abs", "t", "a"), node("Sqrt", "a", "y")],
        (12, 12),
    )
    asked, found = verified(proto)
    assert "sqrt" in blamed(found)
    part = reproduced(proto, asked, found, tmp_path)
    assert "Transpose" in [n.op_type for n in part.graph.node]


def test_a_bias_that_is_added_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    right = contraction._Maker._sums

    def wrong(self: Any) -> Expr:
        found = right(self)
        if found.op != "add":
            return found
        return Expr("add", (found, found.inputs[1]), found.dims, found.compute, found.store)

    monkeypatch.setattr(contraction._Maker, "_sums", wrong)
    _, found = verified(conv_model())
    assert blamed(found) == "conv, relu"
    assert found.cause == "as if the bias of conv were added twice"


def test_a_pad_with_another_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(copies, "_value", lambda *_: 0.5)
    proto = model(
        [node("Pad", "x p", "q"), node("Exp", "q", "y")],
        (3, 5),
        onnx.numpy_helper.from_array(np.array([1, 2, 0, 1]), "p"),
    )
    asked, found = verified(proto)
    assert blamed(found) == "pad"
    assert found.first_kernel is not None and found.first_kernel.verdict == "wrong"
    part = reproduced(proto, asked, found, tmp_path)
    assert [n.op_type for n in part.graph.node] == ["Pad"]


def test_a_sum_over_another_dim(monkeypatch: pytest.MonkeyPatch) -> None:
    right = group.reduced_axes

    def wrong(op: Op) -> tuple[int, ...]:
        return tuple(1 - axis for axis in right(op))

    monkeypatch.setattr(group, "reduced_axes", wrong)
    nodes = [node("ReduceSum", "x axes", "s", keepdims=1), node("Sub", "x s", "y")]
    axes = onnx.numpy_helper.from_array(np.array([1]), "axes")
    _, found = verified(model(nodes, (16, 16), axes))
    assert found.wrong and found.findings, "it reads what nothing has written"
    assert found.nodes and set(found.nodes) <= {"the_s", "the_y"}
    assert found.suspects


def test_a_softmax_over_another_dim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = expanding.inline

    def wrong(op: Op, module: Module) -> None:
        if op.name == "softmax":
            op.attrs["axis"] = 0
        right(op, module)

    monkeypatch.setattr(expanding, "inline", wrong)
    proto = model([node("Softmax", "x", "s", axis=1), node("Neg", "s", "y")], (16, 16))
    asked, found = verified(proto)
    assert found.wrong and not found.wrong_kernels
    assert found.first_pass is not None and found.first_pass.name == "expand"
    part = reproduced(proto, asked, found, tmp_path)
    assert [n.op_type for n in part.graph.node] == ["Softmax"]


def test_a_softmax_that_does_not_subtract_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    right = expanding.inline

    def wrong(op: Op, module: Module) -> None:
        if op.name != "softmax":
            right(op, module)
            return
        b = Builder(module, op.region, op, op.location)
        (x,) = op.operands
        assert x is not None
        e = b("exp", x)
        op.replace([b("div", e, b("rsum", e, axes=(op.attrs["axis"],), keep=True))])

    monkeypatch.setattr(expanding, "inline", wrong)
    proto = model([node("Softmax", "x", "y", axis=1)], (4, 30))
    assert not verified(proto)[1].wrong, "small numbers do not show it"
    _, found = verified(proto, scale=100.0)
    assert found.wrong
    assert found.first_pass is not None and found.first_pass.name == "expand"


def test_a_relu_that_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(recipes.RECIPES, "relu", lambda m, op, xs: m("mov", *xs))
    asked, found = verified(dense_model())
    assert blamed(found) == "contract, relu"
    assert found.first_op is not None and found.first_op.ops == ("relu",)
    assert found.cause == "as if relu were left out"
    part = reproduced(dense_model(), asked, found, tmp_path)
    assert [n.op_type for n in part.graph.node] == ["Relu"]


def test_a_constant_that_is_folded_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = folding.Run.results

    class Wrong(folding.Run):
        def results(self, op: Op) -> list[Array]:
            return [x + x.dtype.type(1) if x.dtype.kind == "f" else x for x in right(self, op)]

    monkeypatch.setattr(folding, "Run", Wrong)
    nodes = [node("Abs", "x", "a"), node("BatchNormalization", "a s b m v", "y")]
    ones = onnx.numpy_helper.from_array(np.ones(6, np.float32), "v")
    proto = model(nodes, (4, 6), weight("s", 6), weight("b", 6), weight("m", 6), ones)
    asked, found = verified(proto)
    assert found.wrong
    assert not found.wrong_kernels
    assert found.first_pass is not None and found.first_pass.name in ("fold", "canonicalize")
    part = reproduced(proto, asked, found, tmp_path)
    assert len(part.graph.node) <= 2


def test_what_is_filled_in_beyond_an_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    right = operands.strided

    def wrong(*args: Any, **more: Any) -> View:
        return dataclasses.replace(right(*args, **more), fill=1.0)

    monkeypatch.setattr(operands, "strided", wrong)
    _, found = verified(conv_model())
    assert blamed(found) == "conv, relu"
    assert found.first_kernel is not None and found.first_kernel.worst is not None
    assert found.first_kernel.worst.box
