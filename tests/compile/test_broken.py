"""Deliberately broken passes and lowerings: `maiacc verify` finds each, and names what it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from compile.broken import (
    MINI,
    RNG,
    blamed,
    conv_model,
    dense_model,
    model,
    node,
    reproduced,
    verified,
    weight,
)
from maiacc.frontend.model import import_model
from maiacc.verifying.verify import Asked, verify
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.evaluate import Run
from maiacc_passes.ir.expand import inline
from maiacc_passes.ir.graph import Module, Op
from maiacc_passes.ir.weights import Array
from maiacc_passes.kernel.model import View
from maiacc_passes.kernel.views import strided
from maiacc_passes.lowering import access, contraction, copies, pools, recipes, shapes
from maiacc_passes.lowering.expr import Expr
from maiacc_passes.lowering.space import reduced_axes
from maiacc_passes.schedule import edges, joins


@pytest.mark.parametrize("proto", [conv_model(), dense_model()])
def test_nothing_is_found_where_nothing_is_wrong(proto: onnx.ModelProto) -> None:
    _, found = verified(proto, per_op=True, per_pass=True)
    assert not found.wrong
    assert {line.verdict for line in (*found.kernels, *found.ops)} <= {"ok", "equal"}
    assert [line.verdict for line in found.outputs] == ["ok"]


def test_a_halo_off_by_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = Op.ints

    def wrong(op: Op, name: str) -> tuple[int, ...]:
        found = right(op, name)
        return tuple(n - 1 for n in found) if name == "pads" else found

    # Only the lowering asks for pads this way: evaluation takes all attributes as they are.
    monkeypatch.setattr(Op, "ints", wrong)
    asked, found = verified(conv_model())
    assert blamed(found) == "conv, relu"
    assert found.first_op is not None
    assert found.first_op.ops == ("conv",)
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
    assert found.first_op is not None
    assert found.first_op.nodes == ("the_h",)
    part = reproduced(dense_model(), asked, found, tmp_path)
    assert [n.op_type for n in part.graph.node] == ["Gemm"]


def test_slots_that_nobody_frees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edges, "_carried", lambda *_: [])
    proto = model([node("Add", "x w", "s"), node("Relu", "s", "y")], (64, 512), weight("w", 512))
    _, found = verified(proto)
    assert found.wrong
    assert found.findings
    assert set(found.nodes) <= {"the_s", "the_y"}
    assert found.nodes


def test_a_post_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edges, "_within", lambda events: ([], [{} for _ in events]))
    _, found = verified(dense_model())
    assert found.wrong
    assert found.findings
    assert "the_h" in found.nodes


def test_kernels_that_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    right = joins._sync

    def wrong(queue: str, near: Any, waits: Sequence[str] = (), posts: Sequence[str] = ()) -> Any:
        return right(queue, near, (), posts)

    monkeypatch.setattr(joins, "_sync", wrong)
    _, found = verified(dense_model())
    assert found.wrong
    assert found.findings


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
    right = contraction.Maker._sums

    def wrong(self: Any) -> Expr:
        found = right(self)
        if found.op != "add":
            return found
        return Expr("add", (found, found.inputs[1]), found.dims, found.compute, found.store)

    monkeypatch.setattr(contraction.Maker, "_sums", wrong)
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
    assert found.first_kernel is not None
    assert found.first_kernel.verdict == "wrong"
    part = reproduced(proto, asked, found, tmp_path)
    assert [n.op_type for n in part.graph.node] == ["Pad"]


def test_a_sum_over_another_dim(monkeypatch: pytest.MonkeyPatch) -> None:
    right = reduced_axes

    def wrong(op: Op) -> tuple[int, ...]:
        return tuple(1 - axis for axis in right(op))

    monkeypatch.setattr("maiacc_passes.lowering.group.reduced_axes", wrong)
    nodes = [node("ReduceSum", "x axes", "s", keepdims=1), node("Sub", "x s", "y")]
    axes = onnx.numpy_helper.from_array(np.array([1]), "axes")
    _, found = verified(model(nodes, (16, 16), axes))
    assert found.findings, "it reads what nothing has written"
    assert found.nodes
    assert set(found.nodes) <= {"the_s", "the_y"}
    assert found.suspects


def test_a_softmax_over_another_dim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = inline

    def wrong(op: Op, module: Module) -> None:
        if op.name == "softmax":
            op.attrs["axis"] = 0
        right(op, module)

    monkeypatch.setattr("maiacc_passes.expanding.inline", wrong)
    proto = model([node("Softmax", "x", "s", axis=1), node("Neg", "s", "y")], (16, 16))
    asked, found = verified(proto)
    assert found.wrong
    assert not found.wrong_kernels
    assert found.first_pass is not None
    assert found.first_pass.name == "expand"
    part = reproduced(proto, asked, found, tmp_path)
    assert [n.op_type for n in part.graph.node] == ["Softmax"]


def test_a_softmax_that_does_not_subtract_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    right = inline

    def wrong(op: Op, module: Module) -> None:
        if op.name != "softmax":
            right(op, module)
            return
        b = Builder(module, op.region, op, op.location)
        (x,) = op.operands
        assert x is not None
        e = b("exp", x)
        op.replace([b("div", e, b("rsum", e, axes=(op.attrs["axis"],), keep=True))])

    monkeypatch.setattr("maiacc_passes.expanding.inline", wrong)
    proto = model([node("Softmax", "x", "y", axis=1)], (4, 30))
    assert not verified(proto)[1].wrong, "small numbers do not show it"
    _, found = verified(proto, scale=100.0)
    assert found.wrong
    assert found.first_pass is not None
    assert found.first_pass.name == "expand"


def test_a_relu_that_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(recipes.RECIPES, "relu", lambda m, op, xs: m("mov", *xs))
    asked, found = verified(dense_model())
    assert blamed(found) == "contract, relu"
    assert found.first_op is not None
    assert found.first_op.ops == ("relu",)
    assert found.cause == "as if relu were left out"
    part = reproduced(dense_model(), asked, found, tmp_path)
    assert [n.op_type for n in part.graph.node] == ["Relu"]


def test_a_constant_that_is_folded_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = Run.results

    class Wrong(Run):
        def results(self, op: Op) -> list[Array]:
            return [x + x.dtype.type(1) if x.dtype.kind == "f" else x for x in right(self, op)]

    monkeypatch.setattr("maiacc_passes.folding.Run", Wrong)
    nodes = [node("Abs", "x", "a"), node("BatchNormalization", "a s b m v", "y")]
    ones = onnx.numpy_helper.from_array(np.ones(6, np.float32), "v")
    proto = model(nodes, (4, 6), weight("s", 6), weight("b", 6), weight("m", 6), ones)
    asked, found = verified(proto)
    assert found.wrong
    assert not found.wrong_kernels
    assert found.first_pass is not None
    assert found.first_pass.name in ("fold", "canonicalize")
    part = reproduced(proto, asked, found, tmp_path)
    assert len(part.graph.node) <= 2


def test_what_is_filled_in_beyond_an_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    right = strided

    def wrong(*args: Any, **more: Any) -> View:
        return dataclasses.replace(right(*args, **more), fill=1.0)

    monkeypatch.setattr("maiacc_passes.lowering.operands.strided", wrong)
    _, found = verified(conv_model())
    assert blamed(found) == "conv, relu"
    assert found.first_kernel is not None
    assert found.first_kernel.worst is not None
    assert found.first_kernel.worst.box
