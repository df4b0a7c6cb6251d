"""Contractions in other types than the model's: what the words compute is what the passes say."""

from __future__ import annotations

import numpy as np
import pytest

from compile.checks import inputs_of, module_of
from maiacc.compiler import Compiled, compile_module
from maiacc.options import CompileOptions
from maiacc_isa.lint import prove
from maiacc_isa.machine import load_machine
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.weights import Array, Data
from maiacc_sim.simulate import Options, simulate

TEXT = """weight @w : fp32[100, 47] = splat 0.0
graph (%0: fp32[2, 33, 100] "x") -> ("y") {
  %1 = contract(%0, @w) {spec="zab,bc->zac"} : fp32[2, 33, 47] !1
  %2 = relu(%1) : fp32[2, 33, 47]
  return(%2)
}
loc !1 = ["/layer/MatMul"]
"""

#: The largest relative error that a precision may have here, by root mean square.
ERRORS = {"bf16": 4e-3, "fp8": 5e-2, "mxfp8": 6e-2, "mxfp4": 0.25, "int8": 2e-2}


def compiled(
    options: CompileOptions, target: str, whole: bool = False
) -> tuple[Compiled, dict[str, Array], Array, Array]:
    """A compiled layer; its inputs; what the model means; what the IR means behind ``precision``."""
    module = module_of(TEXT)
    rng = np.random.default_rng(3)
    weight = rng.integers(-8, 9, (100, 47)) if whole else rng.standard_normal((100, 47))
    module.weights["w"].source = Data(weight.astype(np.float32))
    given = inputs_of(module, whole=whole)
    wanted = evaluate(module, given)["y"]
    changed: dict[str, Array] = {}

    def after(name: str, now: Module) -> None:
        if name == "precision":
            changed.update(evaluate(now, given))

    made = compile_module(module, load_machine(target), after, options=options)
    return made, given, wanted, changed["y"]


def run(made: Compiled, given: dict[str, Array]) -> Array:
    """What the machine makes of it."""
    assert prove(made.program).proven
    return simulate(made.program, given, options=Options(engine="native")).outputs["y"]


@pytest.mark.parametrize("target", ["mini", "maia200"])
@pytest.mark.parametrize("precision", list(ERRORS))
def test_narrow_operands_are_multiplied(precision: str, target: str) -> None:
    made, given, wanted, changed = compiled(CompileOptions(precision=precision), target)
    found = run(made, given)
    assert np.abs(found - changed).max() <= 1e-6 * np.abs(changed).max()
    error = np.linalg.norm(found - wanted) / np.linalg.norm(wanted)
    assert 1e-4 < error < ERRORS[precision]
    (report,) = made.rounded
    # Of inputs like noise: those here are, and what is computed is rounded, too.
    assert report.error < error < 4 * report.error


@pytest.mark.parametrize("target", ["mini", "maia200"])
@pytest.mark.parametrize("precision", ["model", "bf16"])
def test_sparse_is_dense_on_what_was_kept(precision: str, target: str) -> None:
    options = CompileOptions(precision=precision, sparsity="2:4", sparsity_layers="^/layer/")
    made, given, _, changed = compiled(options, target, whole=True)
    assert np.array_equal(run(made, given), changed)
    words = [word for block in made.program.blocks for word in block.words]
    assert any(word.name == "MMSP" for word in words)
    (report,) = made.pruned
    assert 0.6 < report.energy < 0.95
    assert not report.found


def test_the_first_and_the_last_layer_stay_unless_they_are_named() -> None:
    made, *_ = compiled(CompileOptions(sparsity="2:4"), "mini")
    assert not made.pruned
