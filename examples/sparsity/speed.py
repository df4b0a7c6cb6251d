"""What 2:4 sparse weights save: cycles of four products of width 2,048, dense and sparse.

python -m examples.sparsity.speed
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import maiacc

WIDTH, LAYERS = 2048, 4


def chain(batch: int) -> onnx.ModelProto:
    """Products with a relu behind each."""
    rng = np.random.default_rng(0)
    nodes, constants, x = [], [], "x0"
    for n in range(LAYERS):
        weight = rng.standard_normal((WIDTH, WIDTH), np.float32) / np.float32(np.sqrt(WIDTH))
        constants.append(numpy_helper.from_array(weight, f"w{n}"))
        nodes.append(helper.make_node("MatMul", [x, f"w{n}"], [f"y{n}"], name=f"/{n}/MatMul"))
        x = f"x{n + 1}"
        nodes.append(helper.make_node("Relu", [f"y{n}"], [x], name=f"/{n}/Relu"))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, WIDTH]) for name in ("x0", x)
    ]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], constants)
    opsets = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def main() -> None:
    """Prints a table in Markdown."""
    print("| rows | dense | 2:4 | times as fast | weight bytes |")
    print("|---|---|---|---|---|")
    for batch in (1, 32, 512):
        model = chain(batch)
        made = [
            maiacc.compile(model, "maia200", precision="bf16"),
            maiacc.compile(model, "maia200", precision="bf16", sparsity="2:4", sparsity_layers="."),
        ]
        cycles, sizes = [], []
        for program in made:
            assert program.stats is not None
            cycles.append(program.run(options=maiacc.Options(values=False)).cycles)
            sizes.append(program.stats["weight_bytes"])
        part = f"{sizes[1] / sizes[0]:.2f} of dense"
        print(f"| {batch} | {cycles[0]:,} | {cycles[1]:,} | {cycles[0] / cycles[1]:.2f} | {part} |")


if __name__ == "__main__":
    main()
