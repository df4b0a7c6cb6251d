"""How fast the compiler's language is: building, verifying, printing and reading 100,000 ops.

    python benchmarks/ir.py
    python benchmarks/ir.py --ops 1000000

The module is a decoder: 31 ops a layer, with regions, locations and weights in a file. Seconds are
CPU time of one core, the best of some runs.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from typing import Any

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.grammar import read_module
from maiacc_passes.ir.graph import Location, Module, Region, Value
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.types import tensor
from maiacc_passes.ir.verify import verify
from maiacc_passes.ir.weights import Bytes

#: Ops of a layer.
LAYER = 31

#: Heads, size of a head, tokens.
HEADS, SIZE, ROWS = 16, 64, 128

#: Seconds that each step may take for 100,000 ops.
LIMITS = {"build": 1.5, "verify": 1.5, "print": 1.5, "parse": 4.0}


def weight(module: Module, name: str, *shape: int) -> Value:
    """A weight in a file."""
    kind = tensor("bf16", shape)
    return module.add_weight(name, kind, Bytes("model.onnx.data", 0, kind.bytes))


def heads(b: Builder, x: Value) -> Value:
    """Columns as heads."""
    x = b("reshape", x, shape=(1, ROWS, HEADS, SIZE))
    return b("transpose", x, perm=(0, 2, 1, 3))


def layer(b: Builder, x: Value, number: int) -> Value:
    """A layer of a decoder."""
    name, width = f"model.layers.{number}", HEADS * SIZE
    w = {key: weight(b.module, f"{name}.{key}", width, width) for key in "qkvoud"}
    scale = weight(b.module, f"{name}.norm", width)
    table = b.module.main.params[1]

    def at(node: str) -> None:
        b.location = Location((f"/{name}/{node}",), name, "modeling.py:81")

    at("norm/Mul_1")
    n = b("rms_norm", x, scale, axis=2, eps=1e-6)
    at("attn/MatMul")
    q, k, v = (heads(b, b("contract", n, w[key], spec="bsk,kn->bsn")) for key in "qkv")
    q, k = (b("rope", y, table, table, interleaved=False) for y in (q, k))
    at("attn/Softmax")
    a = b("attention", q, k, v, causal=True, scale=0.125)
    a = b("reshape", b("transpose", a, perm=(0, 2, 1, 3)), shape=(1, ROWS, width))
    at("attn/o_proj")
    x = b("add", x, b("contract", a, w["o"], spec="bsk,kn->bsn"))
    at("mlp/MatMul")
    n = b("rms_norm", x, scale, axis=2, eps=1e-6)
    up = b("silu", b("contract", n, w["u"], spec="bsk,kn->bsn"))
    down = b("mul", b("contract", up, w["d"], spec="bsk,kn->bsn"), n)
    at("If")
    branches = Region(), Region()
    for branch, value in zip(branches, (down, x), strict=True):
        with b.inside(branch):
            finish(b, [b("clamp", b("neg", value), None, value)], "yield")
    chosen = b("if", b.module.main.params[2], regions=branches)
    return b("add", x, chosen)


def build(ops: int) -> Module:
    """A module of about so many ops."""
    module = Module()
    x = module.add_input("hidden", tensor("bf16", (1, ROWS, HEADS * SIZE)))
    module.add_input("table", tensor("bf16", (ROWS, SIZE // 2)))
    module.add_input("which", tensor("bool"))
    b = Builder(module)
    for number in range(ops // LAYER):
        x = layer(b, x, number)
    finish(b, [x])
    module.outputs = ["out"]
    return module


def measured(run: Callable[[], Any], runs: int) -> tuple[float, Any]:
    """The CPU seconds of the best run, and what it gave."""
    best, found = float("inf"), None
    for _ in range(runs):
        found = None
        gc.collect()
        start = time.process_time()
        found = run()
        best = min(best, time.process_time() - start)
    return best, found


def main() -> None:
    """Prints the table."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--ops", type=int, default=100_000)
    arguments.add_argument("--runs", type=int, default=3)
    given = arguments.parse_args()
    build_seconds, module = measured(lambda: build(given.ops), given.runs)
    count = sum(1 for _ in module.main.walk())
    verify_seconds, _ = measured(lambda: verify(module), given.runs)
    print_seconds, text = measured(lambda: print_module(module), given.runs)
    parse_seconds, again = measured(lambda: parse_module(text), given.runs)
    assert print_module(again) == text
    small = print_module(build(min(given.ops, 2000)))
    grammar_seconds, again = measured(lambda: read_module(small), 1)
    assert print_module(again) == small
    print(f"{count:,} ops, {len(text) / 1e6:.1f} MB of text, {text.count(chr(10)):,} lines")
    print(f"{'step':<10}{'s':>8}{'us/op':>8}{'limit s':>10}")
    for name, seconds in (
        ("build", build_seconds),
        ("verify", verify_seconds),
        ("print", print_seconds),
        ("parse", parse_seconds),
    ):
        limit = LIMITS[name] * count / 100_000
        print(f"{name:<10}{seconds:>8.2f}{seconds / count * 1e6:>8.1f}{limit:>10.2f}")
    lines = small.count("\n")
    print(f"the grammar reads {lines:,} lines in {grammar_seconds:.1f} s")


if __name__ == "__main__":
    main()
