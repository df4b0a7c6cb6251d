"""Real architectures through the pipeline: legal after each pass, and the results are the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frontend.compared import ort
from maiacc.frontend.model import Settings, import_model
from maiacc_passes import pipeline
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.verify import verify
from maiacc_passes.ir.weights import Bytes, Data
from passes.equivalence import difference
from passes.hollow import hollow_module
from zoo import zoo

#: Models that are quick enough for every run.
QUICK = (
    "mlp_digits",
    "cnn_digits",
    "lstm_h128_s32",
    "lstm_h128_s32_ts",
    "mobilenetv3_small",
    "mixtral_gather_s4",
    "minilm6_s32",
)

#: How far off an output may be, as part of the largest: fp32 through a whole network, and where
#: outputs are quantised, two steps.
ERROR, STEPS = 1e-4, {"resnet18_qdq": 0.02}

#: What is recognised in a Llama of four layers.
LLAMA = {"rope": 8, "attention": 4, "rms_norm": 9, "swiglu": 4}


def optimised(module: Module) -> Module:
    """A module after the pipeline, legal after each pass; nothing is left to do."""
    passes = [step.made for step in pipeline.PIPELINE]
    pipeline.run(module, passes, lambda name, after, changes: verify(after))
    assert [one.run(module) for one in passes] == [0] * len(passes)
    return module


def check_text(module: Module) -> None:
    """What is printed is read, with weights by their digests; printed again it is the same."""
    sources = [weight.source for weight in module.weights.values()]
    data = {source.digest: source.value for source in sources if isinstance(source, Data)}
    text = print_module(module)
    read = parse_module(text, data)
    verify(read)
    assert print_module(read) == text


def check_onnxruntime(found: Mapping[str, Any], expected: Mapping[str, Any], error: float) -> None:
    """Outputs are those of onnxruntime, but for an error as part of the largest."""
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        got = found[name]
        assert got.dtype == wanted.dtype, name
        assert got.shape == wanted.shape, name
        largest = np.abs(wanted).max(initial=1e-3)
        assert np.abs(got.astype(np.float64) - wanted).max(initial=0) <= error * largest, name


def check_model(name: str) -> Module:
    """Everything for one model; the module after the pipeline."""
    model, sizes = zoo.build(name), zoo.info(name).get("dims", {})
    given = zoo.inputs(name)
    names = [info.name for info in model.graph.output]
    expected = dict(zip(names, ort(model, given), strict=True))
    settings = Settings(dims=sizes)
    before = import_model(model, settings)
    verify(before)
    check_text(before)
    after = optimised(import_model(model, settings))
    check_text(after)
    assert difference(before, after, given, exact=False, lift=True) == ""
    check_onnxruntime(evaluate(after, given, trim=True), expected, STEPS.get(name, ERROR))
    return after


def counts(module: Module) -> Counter[str]:
    """How many ops there are of each name."""
    return Counter(op.name for op in module.main.walk())


def comparable(module: Module) -> str:
    """The text without what exporters name as they like: weights are numbered as they come."""
    lines = [
        re.sub(r" !\d+$", "", line)
        for line in print_module(module).splitlines()
        if not line.startswith(("weight ", "loc "))
    ]
    names: dict[str, str] = {}
    return re.sub(
        r"@[\w.]+", lambda found: names.setdefault(found[0], f"@{len(names)}"), "\n".join(lines)
    )


def check_llama(module: Module, caches: int) -> None:
    """Composites are found, every one."""
    found = counts(module)
    assert {name: found[name] for name in LLAMA} == LLAMA
    assert found["cache_append"] == caches
    left = {"exp", "rsum", "rsumsq", "rsqrt", "softmax", "sigmoid", "silu", "neg", "concat"}
    assert left & found.keys() == set()


@pytest.mark.parametrize("name", QUICK)
def test_models_come_out_the_same(name: str) -> None:
    after = check_model(name)
    if name.startswith("mixtral"):
        found = counts(after)
        wanted = {"rms_norm": 3, "attention": 1, "rope": 2, "moe_route": 1, "swiglu": 1}
        assert {key: found[key] for key in wanted} == wanted


@pytest.mark.parametrize(("form", "caches"), [("prefill_s128", 0), ("decode_p512", 8)])
def test_two_exports_of_a_llama_become_one_text(form: str, caches: int, tmp_path: Path) -> None:
    texts = []
    for opset in (20, 23):
        name = f"llama1b4l_{form}_op{opset}"
        module = hollow_module(name, tmp_path / name)
        verify(module)
        assert any(isinstance(weight.source, Bytes) for weight in module.weights.values())
        check_llama(optimised(module), caches)
        texts.append(comparable(module))
    assert texts[0] == texts[1]


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in zoo.names() if name not in QUICK])
def test_all_models_come_out_the_same(name: str) -> None:
    after = check_model(name)
    if name.startswith("llama"):
        check_llama(after, 8 if "decode" in name else 0)
