"""What pruning costs: three methods at equal sparsity, on two models, five seeds each.

    python -m examples.sparsity.compare

prints the tables of docs/sparsity.md, in some eight minutes of one core. The language model is
trained here, on text that comes with Python; the classifier of digits as in examples/digits, which
needs scikit-learn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from examples.digits.train import HIDDEN, WHITE
from examples.digits.train import model as digits_model
from examples.sparsity.export import model as language_model
from examples.sparsity.network import Array, Shape
from examples.sparsity.training import text, train
from maiacc.compiler import passes_for
from maiacc.compiling.calibration import Calibration
from maiacc.frontend.model import Settings, import_model
from maiacc.options import CompileOptions
from maiacc_isa.machine import load_machine
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.sparsity.pattern import METHODS

#: Steps of training of the language model, and samples that it is pruned by and judged on.
STEPS, BATCH, CALIBRATED, JUDGED = 1500, 32, 128, 512

#: Pictures that the classifier is pruned by.
PICTURES = 512


@dataclass(frozen=True, eq=False)
class Trained:
    """A model with what it is pruned by and judged on; ``layers`` is pruned beside the inner
    layers. ``data`` and ``inputs`` are arrays of the input ``name``; ``labels`` what is right."""

    proto: onnx.ModelProto
    name: str
    batch: int
    layers: str | None
    data: Array
    inputs: Array
    labels: Array
    output: str


@dataclass(frozen=True)
class Judged:
    """Cross entropy in nats, and the part that is right."""

    loss: float
    right: float


def language(seed: int) -> Trained:
    """The language model: held-out text, windows of 64 characters."""
    data = text()
    shape = Shape(len(data.characters))
    w = train(shape, data, STEPS, seed)
    seen, _ = data.windows(data.seen, CALIBRATED, shape.places, 7)
    held, targets = data.windows(data.held, JUDGED, shape.places, 8)
    return Trained(language_model(shape, w), "tokens", BATCH, None, seen, held, targets, "logits")


def digits(seed: int) -> Trained:
    """The classifier: 360 pictures that it was not trained on. All three layers are pruned."""
    pictures, labels = load_digits(return_X_y=True)
    seen, held, seen_labels, held_labels = train_test_split(
        pictures, labels, test_size=0.2, random_state=0, stratify=labels
    )
    made = MLPClassifier(HIDDEN, alpha=0.01, max_iter=400, random_state=seed)
    made.fit(seen / WHITE, seen_labels)
    layers = [
        (weight.astype(np.float16), bias.astype(np.float16))
        for weight, bias in zip(made.coefs_, made.intercepts_, strict=True)
    ]
    data = seen[:PICTURES].astype(np.uint8)
    return Trained(
        digits_model(layers), "image", 8, ".", data, held.astype(np.uint8), held_labels, "scores"
    )


def judged(model: Trained, sparsity: str, method: str | None, precision: str = "model") -> Judged:
    """What a model is worth when it has been pruned. Evaluated as the compiler leaves it behind
    the pass; words of the machine compute the same but for the order of sums."""
    data = Calibration(arrays={model.name: model.data}) if method else None
    options = CompileOptions(
        precision=precision,
        sparsity=sparsity,
        sparsity_layers=model.layers if method else None,
        sparsity_method=method,
        calibration=data,
    )
    machine = load_machine(options.target)
    options.check(machine)
    module = import_model(model.proto, Settings(dims={"batch": model.batch}))
    for one in passes_for(options, machine):
        one.run(module)
        if one.name == "prune":
            break
    loss, right = 0.0, 0
    for at in range(0, len(model.inputs), model.batch):
        part = slice(at, at + model.batch)
        logits = evaluate(module, {model.name: model.inputs[part]})[model.output]
        logits = logits.astype(np.float64)
        top = logits.max(-1, keepdims=True)
        sums = np.log(np.exp(logits - top).sum(-1, keepdims=True)) + top
        labels = model.labels[part]
        loss += float((sums - np.take_along_axis(logits, labels[..., None], -1)).sum())
        right += int((logits.argmax(-1) == labels).sum())
    return Judged(loss / model.labels.size, right / model.labels.size)


def rows(
    make: Callable[[int], Trained], seeds: Sequence[int], patterns: Sequence[str]
) -> Iterator[str]:
    """A table in Markdown."""
    models = [make(seed) for seed in seeds]
    dense = [judged(model, "none", None) for model in models]
    yield "| pattern | method | loss | more than dense | right |"
    yield "|---|---|---|---|---|"
    yield f"| | dense | {_spread([d.loss for d in dense])} | | {_mean([d.right for d in dense])} |"
    for pattern in patterns:
        for method in METHODS:
            found = [judged(model, pattern, method) for model in models]
            more = [f.loss - d.loss for f, d in zip(found, dense, strict=True)]
            yield (
                f"| {pattern} | {method} | {_spread([f.loss for f in found])} "
                f"| {_spread(more)} | {_mean([f.right for f in found])} |"
            )


def _spread(values: Sequence[float]) -> str:
    """The mean, and the deviation from it of single ones."""
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1) if len(values) > 1 else 0:.4f}"


def _mean(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.1f} %"


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--patterns", default="2:4,1:4")
    asked = parser.parse_args()
    seeds, patterns = range(asked.seeds), asked.patterns.split(",")
    for title, make in (("Digits", digits), ("Language model", language)):
        print(f"{title}:\n")
        for row in rows(make, seeds, patterns):
            print(row, flush=True)
        print()


if __name__ == "__main__":
    main()
