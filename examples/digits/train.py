"""Trains the classifier that ``maiacc demo`` compiles, and writes it with digits it has not seen.

    pip install scikit-learn
    python examples/digits/train.py maiacc/data

The data are scikit-learn's handwritten digits: 1,797 pictures of 8 x 8 pixels from 0 to 16, a copy
of the test set of E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
Learning Repository (1998), CC BY 4.0. A fifth of them is held out. Weights are rounded to fp16, so
that the files stay small. The same versions of the libraries give the same files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

#: Sizes of the hidden layers.
HIDDEN = (64, 32)

#: Largest value of a pixel.
WHITE = 16


def model(layers: list[tuple[NDArray[np.float16], NDArray[np.float16]]]) -> onnx.ModelProto:
    """Pictures to digits: pixels scaled, layers with relu between them, the largest score."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], name="/scale/Cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "scale"], ["x0"], name="/scale/Mul"),
    ]
    constants = [numpy_helper.from_array(np.float32(1 / WHITE), "scale")]
    for number, (weight, bias) in enumerate(layers, 1):
        for name, array in ((f"w{number}", weight), (f"b{number}", bias)):
            constants.append(numpy_helper.from_array(array, f"{name}.fp16"))
            nodes.append(
                helper.make_node(
                    "Cast", [f"{name}.fp16"], [name], name=f"/{name}/Cast", to=TensorProto.FLOAT
                )
            )
        last = number == len(layers)
        made = "scores" if last else f"y{number}"
        operands = [f"x{number - 1}", f"w{number}", f"b{number}"]
        nodes.append(helper.make_node("Gemm", operands, [made], name=f"/layer{number}/Gemm"))
        if not last:
            name = f"/layer{number}/Relu"
            nodes.append(helper.make_node("Relu", [made], [f"x{number}"], name=name))
    nodes.append(
        helper.make_node("ArgMax", ["scores"], ["digit"], name="/ArgMax", axis=1, keepdims=0)
    )
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 64])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 10]),
            helper.make_tensor_value_info("digit", TensorProto.INT64, ["batch"]),
        ],
        constants,
    )
    opsets = [helper.make_opsetid("", 20)]
    made_model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(made_model, full_check=True)
    return made_model


def main(folder: Path) -> None:
    """Writes digits.onnx, digits.npz with the held-out pictures, and their labels."""
    pictures, labels = load_digits(return_X_y=True)
    seen, held, seen_labels, held_labels = train_test_split(
        pictures, labels, test_size=0.2, random_state=0, stratify=labels
    )
    classifier = MLPClassifier(HIDDEN, alpha=0.01, max_iter=400, random_state=0)
    classifier.fit(seen / WHITE, seen_labels)
    layers = [
        (weight.astype(np.float16), bias.astype(np.float16))
        for weight, bias in zip(classifier.coefs_, classifier.intercepts_, strict=True)
    ]
    onnx.save(model(layers), str(folder / "digits.onnx"))
    np.savez_compressed(folder / "digits.npz", image=held.astype(np.uint8))
    np.save(folder / "digits-labels.npy", held_labels.astype(np.uint8))
    share = classifier.score(held / WHITE, held_labels)
    print(f"{share:.2%} of {len(held)} held-out digits before rounding")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
