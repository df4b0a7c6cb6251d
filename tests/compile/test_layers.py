"""Layers that are alike are executed in turns; values lie where they are wanted."""

from __future__ import annotations

import numpy as np
import pytest

from compile.checks import Case, checked, module_of
from maiacc_passes.ir.weights import Data
from maiacc_passes.schedule.rolling import LAYER


def stack(layers: int, odd: int = -1) -> str:
    """So many layers of a product, a function and a sum; one of them may be another."""
    lines = [f"weight @w{n} : fp32[16, 16] = splat 0.0" for n in range(layers)]
    lines.append('graph (%0: fp32[4, 16] "x") -> ("y") {')
    x, number = 0, 1
    for layer in range(layers):
        function = "sigmoid" if layer == odd else "tanh"
        product, bent, summed = number, number + 1, number + 2
        kind = "fp32[4, 16]"
        lines += [
            f'  %{product} = contract(%{x}, @w{layer}) {{spec="ab,bc->ac"}} : {kind}',
            f"  %{bent} = {function}(%{product}) : {kind}",
            f"  %{summed} = rsum(%{bent}) {{axes=[1], keep=true}} : fp32[4, 1]",
            f"  %{summed + 1} = add(%{bent}, %{summed}) : {kind}",
        ]
        x, number = summed + 1, summed + 2
    return "\n".join([*lines, f"  return(%{x})", "}", ""])


def run(layers: int, target: str, odd: int = -1) -> Case:
    module = module_of(stack(layers, odd))
    rng = np.random.default_rng(layers)
    for weight in module.weights.values():
        weight.source = Data(rng.standard_normal((16, 16)).astype(np.float32) * np.float32(0.1))
    return checked(module, target)


@pytest.mark.parametrize("target", ["mini", "maia200"])
def test_layers_are_turns(target: str) -> None:
    few, many = run(4, target), run(9, target)
    for case, layers in ((few, 4), (many, 9)):
        assert case.error() < 1e-5
        turns = [block.turns for block in case.compiled.placed.blocks if block.turns]
        ((name, count),) = turns
        assert name == LAYER
        assert layers - 2 <= count <= layers
    words = [sum(len(b.words) for b in case.compiled.program.blocks) for case in (few, many)]
    assert words[0] == words[1]
    macs = [sum(k.macs for k in case.compiled.placed.plan.kernels) for case in (few, many)]
    assert macs == [4 * 16 * 16 * 4, 9 * 16 * 16 * 4]


def test_a_layer_that_is_another_is_no_turn() -> None:
    case = run(9, "mini", odd=4)
    assert case.error() < 1e-5
    turns = [block.turns for block in case.compiled.placed.blocks if block.turns]
    assert all(count <= 4 for _, count in turns)


IMAGES = """graph (%0: fp32[1, 8, 9, 9] "x", %1: fp32[8, 8, 3, 3] "v", %2: fp32[4, 8, 3, 3] "w")
  -> ("y") {
  %3 = conv(%0, %1) {strides=[1, 1], pads=[1, 1, 1, 1], dilations=[1, 1]} : fp32[1, 8, 9, 9]
  %4 = relu(%3) : fp32[1, 8, 9, 9]
  %5 = conv(%4, %2) {strides=[2, 2], pads=[0, 0, 0, 0], dilations=[1, 1]} : fp32[1, 4, 4, 4]
  return(%5)
}
""".replace("\n  ->", " ->")


@pytest.mark.parametrize("target", ["mini", "maia200"])
def test_what_convolutions_read_lies_channels_last(target: str) -> None:
    case = checked(IMAGES, target, whole=True)
    assert case.same()
    placed = case.compiled.placed
    (between,) = [b for b in placed.bases if b.shape == (1, 9, 9, 8)]
    assert between in placed.near
