"""The language model of the sparsity example: gradients, the exported model, and what it loses."""

from __future__ import annotations

import numpy as np
import pytest

from examples.sparsity.export import model
from examples.sparsity.network import Array, Shape, Weights, loss_and_gradients, start
from examples.sparsity.training import text, train
from maiacc.compiling.calibration import Calibration
from maiacc.frontend.model import Settings, import_model
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module
from maiacc_passes.pipeline import PIPELINE
from maiacc_passes.pruning import Prune

SMALL = Shape(vocabulary=11, width=16, heads=2, layers=2, places=6)

BATCH = 16


def test_gradients_are_those_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    w = start(SMALL, 1, np.float64)
    tokens, targets = rng.integers(0, 11, (2, 3, SMALL.places))
    _, gradients = loss_and_gradients(SMALL, w, tokens, targets)
    assert set(gradients) == set(w)
    for name, value in w.items():
        way = rng.standard_normal(value.shape) * 1e-6
        ends = [
            loss_and_gradients(SMALL, {**w, name: value + sign * way}, tokens, targets)[0]
            for sign in (1, -1)
        ]
        wanted = float((gradients[name] * way).sum())
        assert (ends[0] - ends[1]) / 2 == pytest.approx(wanted, rel=1e-5, abs=1e-13)


def exported(shape: Shape, w: Weights) -> Module:
    """The exported model, in canonical form."""
    module = import_model(model(shape, w), Settings(dims={"batch": BATCH}))
    for step in PIPELINE:
        step.made.run(module)
    return module


def loss(module: Module, tokens: Array, targets: Array) -> float:
    """The mean cross entropy that a module has."""
    logits = evaluate(module, {"tokens": tokens})["logits"].astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return float(-np.log(np.take_along_axis(shares, targets[..., None], -1)).mean())


def test_a_model_learns_is_exported_and_loses_least_by_sparsegpt() -> None:
    data = text()
    shape = Shape(len(data.characters), width=32, heads=2, layers=2, places=32)
    w = train(shape, data, 80, seed=0)
    again = train(shape, data, 5, seed=0)
    assert all(np.array_equal(again[n], x) for n, x in train(shape, data, 5, seed=0).items())
    tokens, targets = data.windows(data.held, BATCH, shape.places, 1)
    dense, _ = loss_and_gradients(shape, w, tokens, targets)
    assert dense < 3.2 < np.log(shape.vocabulary)
    assert loss(exported(shape, w), tokens, targets) == pytest.approx(dense, rel=1e-5)
    seen, _ = data.windows(data.seen, 4 * BATCH, shape.places, 2)
    more = {}
    for method in ("magnitude", "sparsegpt"):
        module = exported(shape, w)
        assert (
            Prune("2:4", "", method, Calibration(arrays={"tokens": seen}).samples).run(module) == 7
        )
        more[method] = loss(module, tokens, targets) - dense
    assert more["sparsegpt"] < more["magnitude"] / 2
