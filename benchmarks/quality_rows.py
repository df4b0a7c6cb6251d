"""The rows of the table of ``quality.py``: what is compiled, and what is aimed at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.quality_moe import decoded, prefilled
from maiacc.frontend.model import Settings, import_model
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.parser import parse_module
from zoo import zoo


@dataclass(frozen=True)
class Row:
    """A line of the table: what is compiled, in which precision, and how many times its bound it is
    meant to take at most.

    What is not said here is counted in the model: ``macs`` multiply-adds and ``bytes`` of HBM.
    ``passes`` of the vector unit over ``elements`` are the fewest that the rows of the instruction
    set allow. A row ``beside`` another one is compared with the cycles of that.
    """

    name: str
    most: float
    module: Callable[[], Module]
    precision: str = "model"
    rate: str = "bf16"
    macs: int = 0
    bytes: int = 0
    passes: float = 0.0
    elements: int = 0
    beside: str = ""


# ---- what is compiled ------------------------------------------------------------------------
def text(graph: str) -> Module:
    """A module of the text of a graph."""
    return parse_module(f"ir 1 graph\n{graph}")


def product(m: int, n: int, k: int, kind: str = "bf16", to: str = "bf16") -> Module:
    """A product of two matrices."""
    return text(
        f'graph (%0: {kind}[{m}, {k}] "x", %1: {kind}[{k}, {n}] "w") -> ("y") {{\n'
        f'  %2 = contract(%0, %1) {{spec="ab,bc->ac", to={to}}} : {to}[{m}, {n}]\n'
        "  return(%2)\n}\n"
    )


def rows(op: str, attrs: str = "") -> Module:
    """An op over 4,096 rows of 8,192 numbers."""
    kind = "bf16[4096, 8192]"
    return text(
        f'graph (%0: {kind} "x") -> ("y") {{\n  %1 = {op}(%0) {attrs} : {kind}\n  return(%1)\n}}\n'
    )


def convolution(channels: tuple[int, int], size: int, stride: int, groups: int = 1) -> Module:
    """A 3 x 3 convolution of eight images."""
    (c, o), half = channels, size // stride
    head = f'graph (%0: bf16[8, {c}, {size}, {size}] "x", %1: bf16[{o}, {c // groups}, 3, 3] "w")'
    attrs = f"strides=[{stride}, {stride}], pads=[1, 1, 1, 1], dilations=[1, 1], groups={groups}"
    made = f"bf16[8, {o}, {half}, {half}]"
    return text(f'{head} -> ("y") {{\n  %2 = conv(%0, %1) {{{attrs}}} : {made}\n  return(%2)\n}}\n')


def sparse(m: int, n: int, k: int, kind: str = "bf16") -> Module:
    """A product whose right operand is 2:4 sparse."""
    return text(
        f'graph (%0: {kind}[{m}, {k}] "x", %1: {kind}[{k // 2}, {n}] "w", '
        f'%2: uint4[{n}, {k // 4}] "p") -> ("y") {{\n'
        '  %3 = contract_sparse(%0, %1, %2) {spec="ab,bc->ac", to=bf16}'
        f" : bf16[{m}, {n}]\n  return(%3)\n}}\n"
    )


def attention(rows: int, keys: int, causal: bool, heads: int = 32, size: int = 128) -> Module:
    """Attention of some rows, the last of as many keys."""
    q, k = (f"bf16[1, {heads}, {n}, {size}]" for n in (rows, keys))
    attrs = (
        f"causal={str(causal).lower()}, offset={keys - rows}, scale={size**-0.5}, softcap=0.0, "
        "groups=1, window=-1, masked_zero=false"
    )
    return text(
        f'graph (%0: {q} "q", %1: {k} "k", %2: {k} "v") -> ("y") {{\n'
        f"  %3 = attention(%0, %1, %2) {{{attrs}}} : {q}\n  return(%3)\n}}\n"
    )


def normalised() -> Module:
    """A layer normalisation of 4,096 rows of 8,192 numbers."""
    kind = "bf16[4096, 8192]"
    return text(
        f'graph (%0: {kind} "x", %1: bf16[8192] "g", %2: bf16[8192] "b") -> ("y") {{\n'
        f"  %3 = layer_norm(%0, %1, %2) {{axis=1, eps=1e-05}} : {kind}\n  return(%3)\n}}\n"
    )


def batched(name: str, batch: int) -> Module:
    """A network for images, with another batch than its file says."""
    model = zoo.build(name)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = batch
    del model.graph.value_info[:]
    return import_model(model, Settings())


def network(name: str) -> Module:
    """A real architecture."""
    model = zoo.build(name)
    shapes = {key: value.shape for key, value in zoo.inputs(name).items()}
    return import_model(model, Settings(shapes=shapes))


def net(title: str, name: str, most: float) -> Row:
    """A row of a network in bf16."""
    return Row(title, most, partial(network, name), "bf16")


#: Scores of a causal attention over 4,096 keys, and multiply-adds of both products.
SEEN = 4096 * 4097 // 2

ROWS = (
    Row("GEMM 4096^3", 1 / 0.95, partial(product, 4096, 4096, 4096)),
    Row("GEMM 8192^3", 1 / 0.97, partial(product, 8192, 8192, 8192)),
    Row("GEMM 8192^3 fp8", 1 / 0.95, partial(product, 8192, 8192, 8192, "e4m3"), rate="fp8"),
    Row("2:4 GEMM 8192^3", 1 / 1.9, partial(sparse, 8192, 8192, 8192), beside="GEMM 8192^3"),
    Row(
        "2:4 GEMM 8192^3 fp8",
        1 / 1.9,
        partial(sparse, 8192, 8192, 8192, "e4m3"),
        beside="GEMM 8192^3 fp8",
    ),
    Row("matrix-vector 8192 x 28672", 1 / 0.95, partial(product, 1, 28672, 8192)),
    Row(
        "2:4 matrix-vector",
        0.6,
        partial(sparse, 1, 28672, 8192),
        beside="matrix-vector 8192 x 28672",
    ),
    Row(
        "causal attention, 4096",
        1 / 0.75,
        partial(attention, 4096, 4096, True),
        macs=SEEN * 2 * 128 * 32,
    ),
    Row("decode attention past 4096", 1 / 0.85, partial(attention, 1, 4096, False)),
    Row("conv 3x3/2 64 to 128, 56 x 56", 1 / 0.85, partial(convolution, (64, 128), 56, 2)),
    Row("depthwise 3x3, 64, 56 x 56", 1 / 0.80, partial(convolution, (64, 64), 56, 1, 64)),
    Row("MoE decode, 2 of 8", 1 / 0.80, decoded, bytes=2 * 3 * 4096 * 4096 * 2),
    Row(
        "MoE prefill 2048, 2 of 8",
        1 / 0.65,
        prefilled,
        macs=2 * 3 * 2048**3,
        bytes=4 * 2048**2 * 25,
    ),
    # The maximum of bf16, a difference and its exponential with the sum beside it, a quotient.
    Row(
        "softmax 4096 x 8192",
        1 / 0.85,
        partial(rows, "softmax", "{axis=1}"),
        passes=6.5,
        elements=4096 * 8192,
    ),
    # The sum of bf16, a difference with the sum of its squares beside it, scale and bias.
    Row("layer norm 4096 x 8192", 1 / 0.85, normalised, passes=2.5, elements=4096 * 8192),
    Row("gelu 4096 x 8192", 1 / 0.85, partial(rows, "gelu")),
    net("GPT-2 small, prefill 128", "gpt2_prefill_s128", 2.0),
    net("BERT base, 128", "bert_base_s128", 2.6),
    net("Llama, prefill 128", "llama1b4l_prefill_s128_op23", 1.6),
    net("Llama, decode past 512", "llama1b4l_decode_p512_op23", 1 / 0.85),
    net("ResNet-50", "resnet50", 4.5),
    Row("ResNet-50, batch 32", 1.6, partial(batched, "resnet50", 32), "bf16"),
)
