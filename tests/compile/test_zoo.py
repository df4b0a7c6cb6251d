"""Real architectures, compiled, proven, run and judged kernel by kernel."""

from __future__ import annotations

import pytest

from maiacc.frontend.model import Settings, import_model
from maiacc.options import CompileOptions
from maiacc.verifying.judging import UNJUDGED
from maiacc.verifying.report import lines
from maiacc.verifying.verify import Asked, verify
from maiacc_isa.machine import load_machine
from zoo import zoo

#: Models that are quick enough for every run, on the large machine; one of them on the small one.
QUICK = ("mlp_digits", "cnn_digits", "lstm_h128_s32_ts")

#: Models whose tiles of ``mini`` do not become too many.
SMALL = ("mlp_digits", "cnn_digits", "lstm_h128_s32", "lstm_h128_s32_ts", "mobilenetv3_small")

#: What models are computed in, and how far off an output may be, as part of the largest: in fp32 by
#: roundings that a whole network may amplify. In bf16 there is no telling: deep networks whose
#: weights nobody trained lose what they compute.
ERRORS = {"model": 2e-4, "bf16": float("inf")}

#: Models that quantise what goes between kernels: a rounding the other way is a step.
STEPS = {"resnet18_qdq": 0.02}


def check(name: str, target: str, precision: str) -> None:
    """Verifies a model with its own inputs."""
    model, inputs = zoo.build(name), zoo.inputs(name)
    settings = Settings(shapes={key: value.shape for key, value in inputs.items()})
    options = CompileOptions(target, precision)
    machine = load_machine(target)
    found = verify(Asked(lambda: import_model(model, settings), machine, inputs, options))
    assert not found.wrong, "\n".join(lines(found))
    assert found.kernels
    assert not [line.name for line in found.kernels if line.verdict == UNJUDGED]
    assert found.deviation <= max(ERRORS[precision], STEPS.get(name, 0.0))


@pytest.mark.parametrize("precision", ERRORS)
@pytest.mark.parametrize("name", QUICK)
def test_models_are_verified(name: str, precision: str) -> None:
    check(name, "maia200", precision)


def test_a_model_is_verified_on_a_small_machine() -> None:
    check("cnn_digits", "mini", "model")


@pytest.mark.nightly
@pytest.mark.parametrize("precision", ERRORS)
@pytest.mark.parametrize("name", zoo.names())
def test_all_models_are_verified(name: str, precision: str) -> None:
    check(name, "maia200", precision)


@pytest.mark.nightly
@pytest.mark.parametrize("precision", ERRORS)
@pytest.mark.parametrize("name", SMALL)
def test_models_are_verified_on_a_small_machine(name: str, precision: str) -> None:
    check(name, "mini", precision)
