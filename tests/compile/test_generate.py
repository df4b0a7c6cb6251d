"""``examples/generate.py``: tokens from a decoder with a cache, as onnxruntime generates them."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import onnx
import pytest

from examples import generate
from examples.generate import Array, Machine, Run, Sizes, decoder, reference, weights

#: Words of a prompt that is not the example's own.
PROMPT = [17, 4, 250, 99, 1]


def watched(run: Run, seen: list[Array]) -> Run:
    """Keeps the logits of every run."""

    def wrapped(inputs: dict[str, Array]) -> dict[str, Array]:
        found = run(inputs)
        seen.append(found["logits"])
        return found

    return wrapped


@pytest.mark.parametrize("target", ["mini", "maia200"])
def test_the_tokens_are_those_of_onnxruntime(
    target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main(["--target", target]) == 0
    out = capsys.readouterr().out
    tokens = re.findall(r"^tokens +([\d ]+)$", out, re.MULTILINE)[0].split()
    assert len(tokens) == 20
    assert len(set(tokens)) > 10
    assert "the same as onnxruntime's" in out
    assert re.search(r"^prefill +8 tokens: [\d,]+ cycles, [\d.]+ us$", out, re.MULTILINE)
    cycles, time = re.findall(
        r"^decode +19 tokens, each: (.*) cycles, (.*) us$", out, re.MULTILINE
    )[0]
    hz = {"mini": 1e9, "maia200": 2e9}[target]
    assert float(time) == pytest.approx(1e6 * int(cycles.replace(",", "")) / hz, abs=0.006)


def test_every_slot_of_a_cache_is_used_and_the_logits_are_right() -> None:
    """One program for all positions, the last one included: the same words each time, so the same
    cycles. Sums of at most 256 terms in fp32, a few layers of them."""
    sizes = Sizes(vocabulary=96, layers=1, width=24, heads=3, slots=16)
    found = weights(sizes, 5)
    prompt = [word % sizes.vocabulary for word in PROMPT]
    models = decoder(sizes, found, len(prompt)), decoder(sizes, found, None)
    ours, theirs = [Machine(model, "mini") for model in models], [reference(m) for m in models]
    count = sizes.slots - len(prompt) + 1
    seen: list[Array] = []
    wanted: list[Array] = []
    tokens = generate.generate([watched(run, seen) for run in ours], prompt, count)
    assert tokens == generate.generate([watched(run, wanted) for run in theirs], prompt, count)
    a, b = np.array(seen), np.array(wanted)
    assert a.shape == (count, 1, 1, sizes.vocabulary)
    assert np.abs(a - b).max() < 1e-5 * np.abs(b).max()
    assert len(set(ours[1].cycles)) == 1
    assert len(ours[1].cycles) == count - 1


def test_a_cache_is_as_good_as_reading_everything_again() -> None:
    """The graphs themselves: prefill of all words so far gives the next word."""
    sizes = Sizes()
    found = weights(sizes)
    models = [decoder(sizes, found, count) for count in (len(PROMPT), None)]
    for model in models:
        onnx.checker.check_model(model, full_check=True)
    tokens = generate.generate([reference(model) for model in models], PROMPT, 12)
    words = list(PROMPT)
    for _ in tokens:
        whole = reference(decoder(sizes, found, len(words)))
        words.append(int(whole({"input_ids": np.array([words], np.int64)})["logits"].argmax()))
    assert words[len(PROMPT) :] == tokens


def test_other_tokens_are_an_error_but_for_narrow_types_and_without_a_reference(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(model: onnx.ModelProto) -> Run:
        right = reference(model)
        return lambda inputs: {n: -x if n == "logits" else x for n, x in right(inputs).items()}

    monkeypatch.setattr(generate, "reference", other)
    monkeypatch.setattr(generate, "Sizes", lambda: Sizes(layers=1, width=32, heads=2))
    few = ["--target", "mini", "--tokens", "2"]
    assert generate.main(few) == 1
    assert "onnxruntime has" in capsys.readouterr().out
    assert generate.main([*few, "--precision", "bf16"]) == 0
    assert "onnxruntime has" in capsys.readouterr().out
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert generate.main(few) == 0
    assert "onnxruntime" not in capsys.readouterr().out


def test_what_it_cannot_do_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--target", "nowhere"]) == 1
    assert "error[E0004]" in capsys.readouterr().out
    for count in ("0", "42"):
        with pytest.raises(SystemExit):
            generate.main(["--tokens", count])
        assert "1 to 41" in capsys.readouterr().err
