"""Recurrent layers on the machine: all kinds, directions and lengths, and a real network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest

from compile.built import built, kind, some
from compile.checks import Case, checked
from compile.test_control import region
from compile.test_control_kernels import turns_of
from maiacc.onnx_backend import IRRep, MaiaRep
from maiacc_passes.expanding import Expand
from maiacc_passes.hoisting import Hoist
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.verify import verify
from maiacc_passes.ir.weights import Array
from maiacc_passes.lowering.control_form import Turns
from zoo import zoo

GATES = {"lstm": 4, "gru": 3, "rnn": 1}

#: Errors as a part of the largest value. Gates are fp32: functions of the machine are off by a few
#: units in the last place, sums by one for each term, and states carry that on for a few steps.
#: Narrow states and results are rounded in each step, where the reference in fp64 is not.
BOUNDS = {"fp32": 2e-6, "bf16": 2**-6, "fp16": 2**-9}


def layer(
    name: str,
    sizes: tuple[int, int, int, int],
    dtype: str = "fp32",
    direction: str = "forward",
    lengths: bool = False,
    states: bool = False,
    **attrs: Any,
) -> tuple[Module, dict[str, Array]]:
    """A layer of steps, batch, inputs and hidden units, and operands."""
    steps, batch, inputs, hidden = sizes
    rng, gates = np.random.default_rng(1), GATES[name]
    dirs = 2 if direction == "bidirectional" else 1

    def drawn(*shape: int) -> Array:
        values = rng.standard_normal(shape) * (1 if len(shape) < 3 else shape[-1] ** -0.5)
        return np.asarray(values.astype(ELEMENTS[dtype].numpy))

    arrays = [
        drawn(steps, batch, inputs),
        drawn(dirs, gates * hidden, inputs),
        drawn(dirs, gates * hidden, hidden),
        drawn(dirs, 2 * gates * hidden),
    ]
    arrays += [rng.integers(0, steps + 1, batch).astype(np.int32)] if lengths else []
    arrays += [drawn(dirs, batch, hidden)] * states
    arrays += [drawn(dirs, batch, hidden), drawn(dirs, 3 * hidden)] * (states and name == "lstm")

    def body(b: Builder, *values: Value) -> Sequence[Value]:
        given: list[Value | None] = list(values)
        if not lengths:
            given.insert(4, None)
        return b.many(name, *given, direction=direction, **attrs)

    kinds = [kind(dtype if x.dtype != np.int32 else "int32", *x.shape) for x in arrays]
    module = built(body, *kinds)
    return module, dict(zip(module.inputs, arrays, strict=True))


def run(
    name: str,
    sizes: tuple[int, int, int, int],
    target: str = "mini",
    dtype: str = "fp32",
    **more: Any,
) -> Case:
    """A layer on the machine, as close to the exact one as it has to be."""
    module, inputs = layer(name, sizes, dtype, **more)
    found = checked(module, target, inputs)
    assert found.error() < BOUNDS[dtype]
    return found


@pytest.mark.parametrize("target", ["mini", "maia200"])
@pytest.mark.parametrize("name", GATES)
def test_layers_in_both_directions_with_all_operands(name: str, target: str) -> None:
    run(name, (3, 2, 5, 7), target, direction="bidirectional", lengths=True, states=True)


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_layers_in_all_types(name: str, dtype: str) -> None:
    run(name, (4, 3, 8, 40), dtype=dtype)
    run(name, (2, 1, 3, 1), dtype=dtype, direction="reverse")


def test_forms_of_layers() -> None:
    run("gru", (3, 2, 4, 6), linear_before_reset=True, clip=0.5)
    run("lstm", (3, 2, 4, 6), input_forget=True)
    run("rnn", (3, 2, 4, 6), activations=("hardsigmoid",), states=True)
    run("lstm", (1, 1, 1, 1), states=True)


def test_a_step_of_a_layer_is_two_kernels() -> None:
    """The product of the state, and all gates; nothing is copied, and x is multiplied before."""
    found = run("lstm", (4, 2, 16, 40))
    assert len(turns_of(found.compiled.placed.plan.steps)) == 2


@pytest.mark.parametrize("name", ["lstm_h128_s32", "lstm_h128_s32_ts"])
@pytest.mark.parametrize("target", ["mini", "maia200"])
def test_a_network_of_two_layers(name: str, target: str) -> None:
    """All of 32 steps, as onnxruntime has it in fp32, too."""
    model, inputs = zoo.build(name), zoo.inputs(name)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for found, wanted in zip(
        MaiaRep(model, target, "native").run(inputs), session.run(None, inputs), strict=True
    ):
        np.testing.assert_allclose(found, wanted, 0, 2e-6 * np.abs(wanted).max())


# ---- hoisting -------------------------------------------------------------------------------
def projected(backwards: int) -> Module:
    """A recurrence whose body multiplies its slice, in two ways, and something that never changes,
    by weights."""

    def body(b: Builder, h: Value, x: Value, w: Value, u: Value) -> Sequence[Value]:
        def step(h: Value, x: Value) -> Sequence[Value]:
            scaled = b("mul", x, b("abs", b.constant([1.0, -2.0, 0.0, -1.0], "fp32")))
            one = b("contract", b("relu", x), w, spec="bi,ij->bj")
            two = b("contract", w, scaled, spec="ij,bi->bj")
            limits = b.constant(-2, "fp32"), b.constant(2, "fp32")
            state = b("contract", b("clamp", h, *limits), b("neg", u), spec="bh,hg->bg")
            after = b("add", state, b("add", one, two))
            return [after, after]

        return b.many(
            "scan",
            h,
            x,
            carried=1,
            axes=(0,),
            reverse=(backwards,),
            out_axes=(0,),
            out_reverse=(0,),
            regions=(region(b, (kind("fp32", 2, 8), kind("fp32", 2, 4)), step),),
        )

    kinds = kind("fp32", 2, 8), kind("fp32", 5, 2, 4), kind("fp32", 4, 8), kind("fp32", 8, 8)
    return built(body, *kinds)


def inputs_of(module: Module) -> dict[str, Array]:
    """Small whole numbers: sums are exact in any order."""
    pairs = zip(module.inputs, module.main.params, strict=True)
    return {name: some("fp32", *p.type.shape, seed=n) for n, (name, p) in enumerate(pairs)}


@pytest.mark.parametrize("backwards", [0, 1])
def test_products_of_slices_go_out_of_scans(backwards: int) -> None:
    module = projected(backwards)
    inputs = inputs_of(module)
    before = evaluate(module, inputs)
    assert Hoist().run(module) > 0
    verify(module)
    for name, wanted in before.items():
        np.testing.assert_array_equal(evaluate(module, inputs)[name], wanted)
    scan = next(op for op in module.main if op.name == "scan")
    inner = [op.name for op in scan.regions[0]]
    assert inner.count("contract") == 1, inner
    assert "neg" not in inner
    assert "abs" not in inner
    assert Hoist().run(module) == 0


@pytest.mark.parametrize("backwards", [0, 1])
def test_hoisted_products_on_the_machine(backwards: int) -> None:
    module = projected(backwards)
    assert checked(module, "mini", inputs_of(module)).same()


def test_layers_multiply_their_input_outside_of_their_scan() -> None:
    module, _ = IRRep(zoo.build("lstm_h128_s32"))._module(zoo.inputs("lstm_h128_s32"))
    Expand().run(module)
    Turns().run(module)
    assert Hoist().run(module) == 0, "there is nothing left to hoist"
    scans = [op for op in module.main if op.name == "scan"]
    assert len(scans) == 2
    for scan in scans:
        assert [op.name for op in scan.regions[0]].count("contract") == 1
