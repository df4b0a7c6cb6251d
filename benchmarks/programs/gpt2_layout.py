"""The tensors of the programs for a transformer: what HBM holds, in which order.

Weights are laid out as the tiles read them: a block for each tile, without gaps, so that a load is
one run. How a block itself is laid out is decided here, too (``BY_COLUMN``), and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from benchmarks.programs.base import Array, Arrays, hbm
from benchmarks.programs.gpt2_plan import Plan
from maiacc_isa.asm import assemble
from maiacc_isa.load import load
from maiacc_isa.program import Program

#: Whether the numbers of a block of weights that belong to one column of the product lie side by
#: side, as in most models; else those of one k do, so that simulators have nothing to turn.
BY_COLUMN = False

#: The file with the weights, beside the program text.
FILE = "gpt2.bin"


@dataclass(frozen=True)
class Tensor:
    """A tensor of a program. A ``state`` is handed back as ``NAME next``."""

    kind: str
    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return prod(self.shape) * load().dtypes[self.dtype].bits // 8


def weights(p: Plan) -> list[Tensor]:
    """The learned numbers: blocks of matrices by layer and tile, biases and normalisations."""
    s, c = p.sizes, p.clusters
    everyone = p.rounds * c * p.machine.tiles
    many = {"WQKV": p.all_heads, "WO": p.all_heads, "WUP": c * p.ffns, "WDOWN": c * p.ffns}
    found = [
        Tensor("weight", name, "bf16", (s.layers * count, *block_shape(p, name)))
        for name, count in many.items()
    ]
    found.append(Tensor("weight", "WLM", "bf16", (everyone, *block_shape(p, "WLM"))))
    # the bias of the last product is added once: the other clusters add zeros
    shapes = {
        "BQKV": (s.layers, p.all_heads, 3 * p.dim),
        "BO": (s.layers, p.all_heads, p.out),
        "BUP": (s.layers, c * p.ffns, p.units),
        "BDOWN": (s.layers, c * p.ffns, p.down),
        "LN": (2 * s.layers + 1, 2, s.width),
    }
    return found + [Tensor("weight", name, "fp32", shape) for name, shape in shapes.items()]


def tensor_lines(p: Plan, others: list[Tensor]) -> str:
    """The tensors as the program declares them; weights are pieces of one file."""
    memory, at, lines = hbm(p.machine), 0, []
    for t in [*others, *weights(p)]:
        shape = ", ".join(map(str, t.shape))
        line = f"{t.kind:<6} {t.name} : {t.dtype}[{shape}] @ {memory.take(t.bytes)}"
        if t.kind == "weight":
            line += f' = file "{FILE}" at {at} size {t.bytes}'
            at += t.bytes
        elif t.kind == "state":
            line += f' in "{t.name}" out "{t.name} next"'
        lines.append(line)
    return "\n".join(lines)


def assembled(text: str, given: Arrays, p: Plan, folder: Path) -> tuple[Program, Arrays]:
    """Writes the program text and its weights into a folder; the program, whose weights are mapped
    from there, and the arrays that remain to be given as inputs."""
    names = [t.name for t in weights(p)]
    with (folder / FILE).open("wb") as file:
        for name in names:
            file.write(np.ascontiguousarray(given[name]).data)
    path = folder / "gpt2.mist"
    path.write_text(text, "utf-8")
    rest = {name: array for name, array in given.items() if name not in names}
    return assemble(text, str(path)), rest


# ---- blocks of weights --------------------------------------------------------------------------
def block_shape(p: Plan, name: str) -> tuple[int, int, int]:
    """The shape of a block of weights: its chunks of K, and the two axes of each."""
    columns, depth = p.blocks()[name]
    part = depth // p.chunks
    return (p.chunks, columns, part) if BY_COLUMN else (p.chunks, part, columns)


def chunk_load(p: Plan, name: str, block: str) -> str:
    """The destination and the source of a word that loads chunk k of a block into its slot, where
    chunk k has the same place in all blocks."""
    _, high, wide = block_shape(p, name)
    dims = f"{{x:{high}, y:{wide}}}"
    return f"tw(slot){dims}[{p.chunk}*k + {wide}*x + y], {name}{dims}[{block}, k, x, y]"


def chunk_view(p: Plan, name: str, first: int = 0, count: int = 0) -> str:
    """Some columns of chunk k of a block in its slot, all by default, as the right operand of a
    multiply."""
    columns, depth = p.blocks()[name]
    part = depth // p.chunks
    start = first * part if BY_COLUMN else first
    inside = f"{part}*n + d" if BY_COLUMN else f"{columns}*d + n"
    at = f" + {start}" if start else ""
    return f"tw(slot){{n:{count or columns} | d:{part}}}[{p.chunk}*k + {inside}{at}]"


def blocks_of(p: Plan, matrices: Array) -> Array:
    """Matrices with one row for each column of the product as blocks."""
    *many, columns, depth = matrices.shape
    chunks = matrices.reshape(*many, columns, p.chunks, depth // p.chunks).swapaxes(-2, -3)
    return np.ascontiguousarray(chunks if BY_COLUMN else chunks.swapaxes(-1, -2))


def matrices_of(blocks: Array) -> Array:
    """What ``blocks_of`` was given."""
    chunks = blocks if BY_COLUMN else blocks.swapaxes(-1, -2)
    *many, count, columns, part = chunks.shape
    return chunks.swapaxes(-2, -3).reshape(*many, columns, count * part)


def packed(p: Plan, logical: Arrays) -> Arrays:
    """Weights by layer (see ``gpt2_model.parameters``) as the tensors of the program."""
    s, c, f = p.sizes, p.clusters, p.ffns
    layers, width, hidden = s.layers, s.width, c * p.hidden
    heads, bias = (_padded(logical[name], 2, p.all_heads) for name in ("qkv", "qkv_bias"))
    out = _padded(logical["out"].reshape(layers, width, -1), 2, p.inner)
    up = _padded(logical["up"], 1, hidden)
    down = _padded(logical["down"], 2, hidden)
    down = down.reshape(layers, f, p.down, c, p.hidden).transpose(0, 3, 1, 2, 4)
    lm = _padded(logical["lm"], 0, p.rounds * c * p.machine.tiles * p.columns)
    once = np.zeros((layers, c, width), np.float32)
    once[:, 0] = logical["down_bias"]
    return {
        "WQKV": blocks_of(p, heads.swapaxes(1, 2).reshape(layers, p.all_heads, -1, width)),
        "WO": blocks_of(p, out.reshape(layers, p.all_heads, p.out, p.inner)),
        "WUP": blocks_of(p, up.reshape(layers, c * f, p.units, width)),
        "WDOWN": blocks_of(p, down.reshape(layers, c * f, p.down, p.hidden)),
        "WLM": blocks_of(p, lm.reshape(-1, p.columns, width)),
        "BQKV": bias.swapaxes(1, 2).reshape(layers, p.all_heads, -1),
        "BO": logical["out_bias"].reshape(layers, p.all_heads, p.out),
        "BUP": _padded(logical["up_bias"], 1, hidden).reshape(layers, c * f, p.units),
        "BDOWN": once.reshape(layers, c * f, p.down),
        "LN": logical["norm"],
    }


def unpacked(p: Plan, given: Arrays) -> Arrays:
    """Weights by layer from the tensors of the program, without what pads them."""
    s, c, f, dim = p.sizes, p.clusters, p.ffns, p.dim
    layers, width = s.layers, s.width
    heads = matrices_of(given["WQKV"]).reshape(layers, p.all_heads, 3, dim, width).swapaxes(1, 2)
    bias = given["BQKV"].reshape(layers, p.all_heads, 3, dim).swapaxes(1, 2)
    out = matrices_of(given["WO"]).reshape(layers, width, p.all_heads, dim)
    down = matrices_of(given["WDOWN"]).reshape(layers, c, f, p.down, p.hidden)
    down = down.transpose(0, 2, 3, 1, 4).reshape(layers, width, -1)
    return {
        "qkv": heads[:, :, : s.heads],
        "qkv_bias": bias[:, :, : s.heads],
        "out": out[:, :, : s.heads],
        "out_bias": given["BO"].reshape(layers, width),
        "up": matrices_of(given["WUP"]).reshape(layers, -1, width)[:, : s.ffn],
        "up_bias": given["BUP"].reshape(layers, -1)[:, : s.ffn],
        "down": down[:, :, : s.ffn],
        "down_bias": given["BDOWN"].reshape(layers, c, width)[:, 0],
        "norm": given["LN"],
        "lm": matrices_of(given["WLM"]).reshape(-1, width)[: s.vocab],
    }


def _padded(array: Array, axis: int, size: int) -> Array:
    """An array with zeros behind it along an axis."""
    room = [(0, 0)] * array.ndim
    room[axis] = (0, size - array.shape[axis])
    return np.pad(array, room)
