"""Generates tokens with a small GPT: a prompt is prefilled, then tokens are decoded one by one.

    python examples/generate.py --target maia200 --tokens 20

Two graphs share their weights, which come from a seed, so the text means nothing. ``prefill`` takes
the whole prompt; ``decode`` takes one token, its position, and the keys and values of what was
before it. A cache has a fixed number of slots, so that one program serves every position: a new
key is written to the slot of its position, and attention does not see later slots. Both graphs are
compiled once and run as often as needed. If onnxruntime is installed, it generates as well, and the
tokens are compared; the exit code is 1 if they differ, but for a ``--precision`` that narrows them.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import maiacc

Array = NDArray[Any]
#: What runs a graph: arrays by the names of its inputs to arrays by the names of its outputs.
Run = Callable[[dict[str, Array]], dict[str, Array]]


@dataclass(frozen=True)
class Sizes:
    """Of the model: words it knows, layers, width, heads of attention, slots of a cache."""

    vocabulary: int = 256
    layers: int = 2
    width: int = 64
    heads: int = 4
    slots: int = 48

    @property
    def head(self) -> int:
        """Width of a head."""
        return self.width // self.heads


def weights(sizes: Sizes, seed: int = 0) -> dict[str, Array]:
    """Weights by name, fp32, scaled so that a layer keeps the magnitude of what it is given."""
    rng, width = np.random.default_rng(seed), sizes.width
    shapes = {"wte": (sizes.vocabulary, width), "wpe": (sizes.slots, width)}
    for layer in range(sizes.layers):
        for name, rows, columns in (
            ("attn.qkv", width, 3 * width),
            ("attn.out", width, width),
            ("mlp.up", width, 4 * width),
            ("mlp.down", 4 * width, width),
        ):
            shapes[f"h{layer}.{name}"] = (rows, columns)
    shapes["head"] = (width, sizes.vocabulary)
    found: dict[str, Array] = {}
    for name, shape in shapes.items():
        scale = 1.0 if name in ("wte", "wpe") else shape[0] ** -0.5
        found[name] = (rng.standard_normal(shape) * scale).astype(np.float32)
    return found


@dataclass
class Graph:
    """A graph under construction."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def constant(self, name: str, value: Any, dtype: type[Any] = np.float32) -> str:
        """A constant; the same name is the same constant."""
        self.constants[name] = np.asarray(value, dtype)
        return name

    def add(self, name: str, op: str, *inputs: str, outputs: int = 1, **attrs: Any) -> Any:
        """A node; gives the name of its output, or a list of names."""
        made = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, made, name=f"/{name}", **attrs))
        return name if outputs == 1 else made

    def linear(self, name: str, x: str, weight: Array) -> str:
        """A projection and its bias, which is zero in an untrained model."""
        product = self.add(f"{name}.mul", "MatMul", x, self.constant(f"{name}.w", weight))
        bias = self.constant(f"{name}.b", np.zeros(weight.shape[1]))
        return str(self.add(name, "Add", product, bias))

    def norm(self, name: str, x: str, width: int) -> str:
        """Layer normalization."""
        scale = self.constant(f"{name}.scale", np.ones(width))
        bias = self.constant(f"{name}.bias", np.zeros(width))
        return str(self.add(name, "LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5))


def attention(g: Graph, at: str, x: str, layer: int, sizes: Sizes, prompt: int | None) -> str:
    """Attention over the prompt, or of one token over the cache; makes ``present_*``.

    ``x`` has shape [1, tokens, 3 * width]: queries, keys and values.
    """
    parts = g.add(f"{at}.split", "Split", x, outputs=3, axis=2, num_outputs=3)
    shape = g.constant("heads", [1, -1, sizes.heads, sizes.head], np.int64)
    split = [g.add(f"{part}.split", "Reshape", part, shape) for part in parts]
    query, *new = (g.add(f"{part}.heads", "Transpose", part, perm=[0, 2, 1, 3]) for part in split)
    memory = []
    for kind, value in zip(("key", "value"), new, strict=True):
        present = f"present_{kind}_{layer}"
        if prompt is None:
            memory.append(g.add(present, "Where", "here", value, f"past_{kind}_{layer}"))
        else:
            memory.append(value)
            free = g.constant("free", [0] * 6 + [sizes.slots - prompt, 0], np.int64)
            g.add(present, "Pad", value, free)
    key = g.add(f"{at}.key", "Transpose", memory[0], perm=[0, 1, 3, 2])
    scores = g.add(f"{at}.scores", "MatMul", query, key)
    scaled = g.add(f"{at}.scale", "Mul", scores, g.constant("scale", sizes.head**-0.5))
    masked = g.add(f"{at}.mask", "Where", "seen", scaled, g.constant("never", -1e9))
    shares = g.add(f"{at}.softmax", "Softmax", masked, axis=-1)
    mixed = g.add(f"{at}.mix", "MatMul", shares, memory[1])
    joined = g.add(f"{at}.join", "Transpose", mixed, perm=[0, 2, 1, 3])
    flat = g.constant("flat", [1, -1, sizes.width], np.int64)
    return str(g.add(f"{at}.flat", "Reshape", joined, flat))


def decoder(sizes: Sizes, found: dict[str, Array], prompt: int | None) -> onnx.ModelProto:
    """The graph that takes ``prompt`` tokens at once; without them, the one that takes one token.

    ``input_ids`` [1, tokens] to ``logits`` [1, 1, vocabulary] of the last token, and to
    ``present_key_L`` and ``present_value_L`` [1, heads, slots, head]; the graph of one token takes
    ``position`` [1] and ``past_*`` of these shapes, too.
    """
    g = Graph()
    if prompt is None:
        slots = np.arange(sizes.slots)
        g.add("here", "Equal", g.constant("rows", slots[:, None], np.int64), "position")
        g.add("seen", "LessOrEqual", g.constant("columns", slots, np.int64), "position")
        place = g.add("place", "Gather", g.constant("wpe", found["wpe"]), "position")
    else:
        g.constant("seen", np.tri(prompt), np.bool_)
        place = g.constant("place", found["wpe"][:prompt])
    words = g.add("words", "Gather", g.constant("wte", found["wte"]), "input_ids")
    x = g.add("x", "Add", words, place)
    for layer in range(sizes.layers):
        at = f"h{layer}"
        y = g.norm(f"{at}.norm1", x, sizes.width)
        y = g.linear(f"{at}.attn.qkv", y, found[f"{at}.attn.qkv"])
        y = attention(g, f"{at}.attn", y, layer, sizes, prompt)
        y = g.linear(f"{at}.attn.out", y, found[f"{at}.attn.out"])
        x = g.add(f"{at}.sum1", "Add", x, y)
        y = g.norm(f"{at}.norm2", x, sizes.width)
        y = g.linear(f"{at}.mlp.up", y, found[f"{at}.mlp.up"])
        y = g.add(f"{at}.mlp.gelu", "Gelu", y, approximate="tanh")
        y = g.linear(f"{at}.mlp.down", y, found[f"{at}.mlp.down"])
        x = g.add(f"{at}.sum2", "Add", x, y)
    if prompt is not None:
        x = g.add("last", "Gather", x, g.constant("end", [prompt - 1], np.int64), axis=1)
    x = g.norm("norm", x, sizes.width)
    g.add("logits", "MatMul", x, g.constant("head", found["head"]))
    return _model(g, sizes, prompt)


def _model(g: Graph, sizes: Sizes, prompt: int | None) -> onnx.ModelProto:
    """The model of a graph, with the types of its inputs and outputs."""
    info, real = helper.make_tensor_value_info, TensorProto.FLOAT
    cache = [1, sizes.heads, sizes.slots, sizes.head]
    names = [f"{kind}_{layer}" for layer in range(sizes.layers) for kind in ("key", "value")]
    inputs = [info("input_ids", TensorProto.INT64, [1, prompt or 1])]
    if prompt is None:
        inputs.append(info("position", TensorProto.INT64, [1]))
        inputs += [info(f"past_{name}", real, cache) for name in names]
    outputs = [info("logits", real, [1, 1, sizes.vocabulary])]
    outputs += [info(f"present_{name}", real, cache) for name in names]
    constants = [numpy_helper.from_array(value, name) for name, value in g.constants.items()]
    title = "decode" if prompt is None else "prefill"
    graph = helper.make_graph(g.nodes, title, inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def generate(runs: Sequence[Run], prompt: Sequence[int], count: int) -> list[int]:
    """``count`` tokens after a prompt, each the most likely one; ``runs`` are prefill, decode."""
    prefill, decode = runs
    found = prefill({"input_ids": np.array([prompt], np.int64)})
    tokens = [int(found["logits"].argmax())]
    for position in range(len(prompt), len(prompt) + count - 1):
        inputs = {name.replace("present", "past"): found[name] for name in found}
        del inputs["logits"]
        inputs["input_ids"] = np.array([tokens[-1:]], np.int64)
        inputs["position"] = np.array([position], np.int64)
        found = decode(inputs)
        tokens.append(int(found["logits"].argmax()))
    return tokens


class Machine:
    """A graph as a program of the machine. ``cycles`` of all runs, one number each."""

    def __init__(self, model: onnx.ModelProto, target: str, precision: str = "model") -> None:
        self.program = maiacc.compile(model, target=target, precision=precision)
        self.cycles: list[int] = []

    def __call__(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Runs it."""
        result = self.program.run(inputs)
        self.cycles.append(result.cycles)
        return result.outputs

    def summary(self) -> str:
        """Cycles of a run, and their time at the machine's clock."""
        mean = sum(self.cycles) / len(self.cycles)
        return f"{mean:,.0f} cycles, {1e6 * mean / float(self.program.machine['clock.hz']):.2f} us"


def reference(model: onnx.ModelProto) -> Run:
    """A graph as onnxruntime runs it."""
    session = importlib.import_module("onnxruntime").InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--target", default="maia200", help="a machine (maia200)")
    parser.add_argument("--precision", default="model", help="of contractions (model)")
    parser.add_argument("--tokens", type=int, default=20, help="how many to generate (20)")
    asked = parser.parse_args(arguments)
    sizes, prompt = Sizes(), [3, 141, 59, 26, 53, 58, 97, 93]
    room = sizes.slots - len(prompt) + 1
    if not 1 <= asked.tokens <= room:
        parser.error(f"--tokens: 1 to {room}, for a cache of {sizes.slots} slots")
    found = weights(sizes)
    models = decoder(sizes, found, len(prompt)), decoder(sizes, found, None)
    parameters = sum(math.prod(array.shape) for array in found.values())
    print(f"model     {sizes.layers} layers of width {sizes.width}, {parameters:,} weights")
    start = time.perf_counter()
    try:
        prefill, decode = (Machine(model, asked.target, asked.precision) for model in models)
    except maiacc.MaiaccError as error:
        print(error)
        return error.exit_code
    print(f"compiled  for {asked.target}, twice, in {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    tokens = generate([prefill, decode], prompt, asked.tokens)
    spent = time.perf_counter() - start
    print(f"prefill   {len(prompt)} tokens: {prefill.summary()}")
    if decode.cycles:
        print(f"decode    {len(decode.cycles)} tokens, each: {decode.summary()}")
    print(f"simulated in {spent:.1f} s")
    print("tokens   ", *tokens)
    if importlib.util.find_spec("onnxruntime") is None:
        return 0
    wanted = generate([reference(model) for model in models], prompt, asked.tokens)
    if wanted == tokens:
        print("          the same as onnxruntime's")
        return 0
    print("          onnxruntime has", *wanted)
    return int(asked.precision == "model")


if __name__ == "__main__":
    raise SystemExit(main())
