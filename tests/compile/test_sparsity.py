"""Models that are pruned by data: what layers see, what is left, and that programs compute it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import onnx
import pytest

from compile.broken import model, node, weight
from compile.built import built, kind
from compile.checks import inputs_of
from compile.test_control import region
from maiacc.compiler import Compiled, compile_module
from maiacc.compiling.calibration import Calibration
from maiacc.frontend.model import import_model
from maiacc.options import CompileOptions
from maiacc_isa.lint import prove
from maiacc_isa.machine import load_machine
from maiacc_passes import pruning
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.vocabulary.sparse import unpacked
from maiacc_passes.ir.weights import Array, Data
from maiacc_passes.pipeline import PIPELINE
from maiacc_passes.pruning import Prune
from maiacc_passes.sparsity import activations, calibrating
from maiacc_passes.sparsity.activations import Activations
from maiacc_passes.sparsity.layers import Layer, layer_of
from maiacc_passes.sparsity.pattern import METHODS
from maiacc_sim.simulate import Options, simulate

#: Layers of the network that are pruned: not the first and the last.
INNER = ("the_c2", "the_c3", "the_m1")


def network() -> onnx.ModelProto:
    """Three convolutions, one with strides and one dilated, and two products."""
    nodes = [
        node("Conv", "x w1", "c1", pads=[1, 1, 1, 1]),
        node("Relu", "c1", "r1"),
        node("Conv", "r1 w2", "c2", pads=[1, 0, 1, 2], strides=[2, 1]),
        node("Relu", "c2", "r2"),
        node("Conv", "r2 w3", "c3", dilations=[1, 2]),
        node("Flatten", "c3", "f"),
        node("MatMul", "f w4", "m1"),
        node("Relu", "m1", "r4"),
        node("MatMul", "r4 w5", "y"),
    ]
    shapes = {
        "w1": (6, 4, 3, 3),
        "w2": (8, 6, 3, 3),
        "w3": (12, 8, 2, 3),
        "w4": (48, 20),
        "w5": (20, 8),
    }
    return model(nodes, [2, 4, 6, 6], *(weight(name, *shape) for name, shape in shapes.items()))


def fresh() -> Module:
    """The network."""
    return import_model(network())


def samples(count: int = 12, seed: int = 5) -> Array:
    """Stacks of inputs, some channels much larger than others."""
    rng = np.random.default_rng(seed)
    scale = np.array([4, 1, 0.2, 1], np.float32).reshape(4, 1, 1)
    return rng.standard_normal((count, 2, 4, 6, 6), np.float32) * scale


def options(method: str, pattern: str = "2:4") -> CompileOptions:
    """Prunes by these samples."""
    data = Calibration(arrays={"x": samples()})
    return CompileOptions(sparsity=pattern, sparsity_method=method, calibration=data)


def left_in(module: Module) -> dict[str, Array]:
    """Dense weights of sparse ops by node."""
    found = {}
    for op in module.main.walk():
        if op.name in ("contract_sparse", "conv_sparse"):
            arrays = [v.weight.source.array(v.type) for v in op.operands[1:3] if v and v.weight]
            axis = 1 if op.name == "conv_sparse" else 0
            size = op.operands[0].type.shape[1] if op.operands[0] else 0
            found[op.location.nodes[0]] = unpacked(arrays[0], arrays[1], axis, size)
    return found


def compiled(method: str, target: str, pattern: str) -> tuple[Compiled, dict[str, Array]]:
    """The network, and what was left of its weights."""
    left: dict[str, Array] = {}

    def after(name: str, module: Module) -> None:
        if name == "prune":
            left.update(left_in(module))

    machine = load_machine(target)
    return compile_module(fresh(), machine, after, options=options(method, pattern)), left


def words(made: Compiled) -> set[str]:
    """Names of words."""
    assert prove(made.program).proven
    return {word.name for block in made.program.blocks for word in block.words}


# ---- programs -------------------------------------------------------------------------------
@pytest.mark.parametrize("target", ["mini", "maia200"])
@pytest.mark.parametrize(("method", "pattern"), [*product(METHODS, ["2:4"]), ("sparsegpt", "1:8")])
def test_a_program_is_to_the_bit_the_dense_one_of_what_is_left(
    method: str, pattern: str, target: str
) -> None:
    made, left = compiled(method, target, pattern)
    assert tuple(left) == INNER
    assert [(r.nodes, r.method) for r in made.pruned] == [((name,), method) for name in INNER]
    dense = fresh()
    for op in dense.main.walk():
        layer = layer_of(op)
        if layer is not None and op.location.nodes[0] in left:
            assert layer.value.weight is not None
            layer.value.weight.source = Data(left[op.location.nodes[0]])
    # Without weights nobody looks whether they are sparse.
    plain = compile_module(dense, load_machine(target), options=CompileOptions(weights=False))
    assert "MMSP" in words(made)
    assert "MMSP" not in words(plain)
    given = inputs_of(fresh(), seed=8)
    found = [
        simulate(one.program, given, options=Options(engine="native")) for one in (made, plain)
    ]
    one, two = (result.outputs["y"] for result in found)
    assert np.array_equal(one, two)
    assert np.abs(one).max() > 0


def test_the_same_data_give_the_same_bytes() -> None:
    (one, left), (two, again) = (compiled("sparsegpt", "mini", "2:4") for _ in range(2))
    assert one.program.blocks == two.program.blocks
    assert all(np.array_equal(left[name], again[name]) for name in left)


# ---- what is seen and said ------------------------------------------------------------------
def pruned(module: Module, method: str, pattern: str = "2:4") -> Prune:
    """Prunes a module by its samples."""
    done = Prune(pattern, "", method, Calibration(arrays={"x": samples()}).samples)
    assert done.run(module) == len(done.reports)
    return done


def inputs_seen(module: Module, names: Sequence[str]) -> dict[str, list[Array]]:
    """What ops of a module multiply in all samples."""
    found: dict[str, list[Array]] = {name: [] for name in names}
    for x in samples():
        values: dict[Value, Array] = dict(zip(module.main.params, [x], strict=True))

        def watch(op: Op, results: Sequence[Array], values: dict[Value, Array] = values) -> None:
            node_name = op.location.nodes[0] if op.location.nodes else ""
            if node_name in found and op.name.startswith(("contract", "conv")):
                assert op.operands[0] is not None
                found[node_name].append(values[op.operands[0]])
            values.update(zip(op.results, results, strict=True))

        evaluate(module, {"x": x}, watch=watch)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_later_layers_see_what_pruned_ones_make(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, tuple[Layer, Activations]] = {}
    whole = pruning._Work.seen

    def record(self: pruning._Work, layer: Layer, x: Activations) -> Op:
        seen[layer.op.location.nodes[0]] = layer, x
        return whole(self, layer, x)

    monkeypatch.setattr(pruning._Work, "seen", record)
    module = canonical()
    reports = {r.nodes[0]: r for r in pruned(module, method).reports}
    dense = canonical()
    old = {op.location.nodes[0]: layer_of(op) for op in dense.main.walk() if layer_of(op)}
    after = inputs_seen(module, INNER)
    for name, (layer, x) in seen.items():
        rows = np.concatenate([piece for x in after[name] for piece in layer.rows(x)])
        assert x.rows == len(rows)
        assert np.allclose(x.squares, (rows**2).sum(0), rtol=1e-5)
        assert x.hessian is not None
        assert np.allclose(x.hessian, rows.T @ rows, rtol=1e-4, atol=1e-3)
        then = old[name]
        assert then is not None
        assert then.value.weight is not None
        w = then.matrix(then.value.weight.source.array(then.value.type)).astype(np.float64)
        lost = w - layer.matrix(left_in(module)[name])
        wanted = np.linalg.norm(rows @ lost.T) / np.linalg.norm(rows @ w.T)
        assert reports[name].error == pytest.approx(wanted, rel=1e-4)
        assert reports[name].measured


def canonical() -> Module:
    """The network as the pass finds it."""
    module = fresh()
    for step in PIPELINE:
        step.made.run(module)
    return module


def test_second_order_is_best_layer_by_layer_and_reports_say_what_was_done() -> None:
    errors = []
    for method in METHODS:
        reports = pruned(canonical(), method).reports
        errors.append(np.mean([report.error for report in reports]))
        for report in reports:
            assert (report.method, report.pattern, report.note) == (method, "2:4", "")
            assert 0.3 < report.energy < 2
            assert report.sparse_bytes < 0.75 * report.dense_bytes
    assert errors[2] < errors[1] < errors[0]


def test_layers_in_loops_see_every_turn() -> None:
    rng = np.random.default_rng(1)
    w = [rng.standard_normal((8, 8)).astype(np.float32) for _ in range(3)]

    def body(b: Builder, x: Value) -> Value:
        def step(h: Value, row: Value) -> Sequence[Value]:
            after = b("tanh", b("contract", b("add", h, row), b.constant(w[1]), spec="ab,bc->ac"))
            return [after, after]

        first = b("contract", x, b.constant(w[0]), spec="zab,bc->zac")
        ends = (region(b, (kind("fp32", 2, 8), kind("fp32", 2, 8)), step),)
        zero = b.constant(np.zeros((2, 8), np.float32))
        more = {"axes": (0,), "reverse": (0,), "out_axes": (0,), "out_reverse": (0,)}
        _, rows = b.many("scan", zero, first, carried=1, regions=ends, **more)
        return b("contract", rows, b.constant(w[2]), spec="zab,bc->zac")

    module = built(body, kind("fp32", 5, 2, 8))
    data = Calibration(arrays={"x0": rng.standard_normal((6, 5, 2, 8)).astype(np.float32)})
    seen = []

    def prune(layer: Layer, x: Activations) -> Op:
        seen.append(x.rows)
        return layer.op

    layers = [layer for op in module.main.walk() if (layer := layer_of(op))]
    calibrating.calibrate(module, data.samples(module), layers, prune)
    assert seen == [60, 60, 60]
    done = Prune("2:4", "", "sparsegpt", data.samples)
    assert done.run(module) == 1
    assert done.reports[0].error < 0.6
    names = [op.name for op in module.main.walk()]
    assert names.count("contract_sparse") == 1


# ---- what cannot be done as asked -----------------------------------------------------------
def test_wide_layers_and_odd_values_fall_back_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activations, "COLUMNS", 60)
    found = [(r.method, r.note) for r in pruned(canonical(), "sparsegpt").reports]
    assert found == [("wanda", "it sums too many"), ("sparsegpt", ""), ("sparsegpt", "")]
    monkeypatch.undo()
    module = canonical()
    for op in module.main.walk():
        layer = layer_of(op)
        if layer is not None and op.location.nodes == ("the_c2",):
            assert layer.value.weight is not None
            values = layer.value.weight.source.array(layer.value.type).copy()
            values[0, 0, 0, 0] = np.inf
            layer.value.weight.source = Data(values)
    reports = pruned(module, "wanda").reports
    assert {(r.method, r.note) for r in reports} == {("magnitude", "values are infinite or NaN")}


def test_room_for_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrating, "ROOM", 1000)
    with pytest.raises(IRError) as refused:
        pruned(canonical(), "wanda")
    assert refused.value.code == "E1508"
    assert refused.value.hint == "give fewer samples"


def test_layers_with_a_correction_for_a_zero_point_stay() -> None:
    def body(b: Builder, x: Value) -> Value:
        for number in range(4):
            w = b.constant(np.random.default_rng(number).integers(-9, 9, (8, 8)).astype(np.int8))
            y = b("contract", x, w, spec="ab,bc->ac", to="int32")
            if number == 1:
                y = b("sub", y, b.constant(np.full((1, 8), 3, np.int32)))
            x = b("cvt", y, to="int8")
        return x

    module = built(body, kind("int8", 3, 8))
    assert Prune("2:4").run(module) == 1
    assert OPS["contract_sparse"].name in {op.name for op in module.main.walk()}
