"""ResNet-50 (v1.5) in fp32: an image of 224 x 224 in, 1,000 logits out, batch normalisation folded.

53 convolutions with bias, most of them with relu, sixteen with the sum of what goes around them, a
maximum and an average, a product with the classes' weights. ``resnet_plan.py`` lists the layers and
spreads them over the tiles, ``resnet_layers.py`` prints them.

A layer is a block of the program; between blocks all queues are idle, so no layer sees an
unfinished one. The bottlenecks of a stage, but for the first, have equal shapes: they are three
blocks that the control graph repeats, and the weights of those that are alike are one tensor. The
last of the three adds to the map that the first has read, in place.

Convolution without unfolding. Maps are stored position by position with all channels (NHWC). A tile
loads its strip with a ring of zeros, by a box that the view sticks out of. The multiply reads
windows in place,
    A[(a, b) | u, v, e] = strip[step*a + u, step*b + v, e],
with runs of three times the channels in a 3 x 3 window. Weights are laid out as they are needed:
part by part of the output channels, in each K rows; what one transfer cannot move is multiplied
piece by piece. Bias, sum and relu are the drain's chain.

Who waits for whom in a block: TTU for the strip (`input`) and each piece of weights (`weights`),
DRN for the product and what goes around (`before`), ST for the result.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from textwrap import indent

import numpy as np

from benchmarks.programs.base import Array, Arrays, Space, hbm, main, normal
from benchmarks.programs.resnet_layers import average_text, conv_text, pool_text
from benchmarks.programs.resnet_plan import (
    Average,
    Conv,
    Group,
    Layer,
    Pool,
    Sizes,
    convolutions,
    network,
    plan,
)
from maiacc_isa.machine import Machine

#: The file of all weights, beside the program's text.
WEIGHTS = "resnet.bin"


# ---- the program ---------------------------------------------------------------------------------
def text(sizes: Sizes, machine: Machine) -> str:
    """The program; its weights are pieces of the file ``WEIGHTS``."""
    memory, groups = hbm(machine), network(sizes)
    first, last = groups[0].layers[0].source, groups[-1].layers[-1].target
    lines = [f"input  X : {first.type} @ {memory.take(first.bytes)}"]
    lines.append(f"output Y : {last.type} @ {memory.take(last.bytes)}")
    lines += _weight_lines(sizes, machine, memory)
    places: dict[str, str] = {}
    for layer in (layer for group in groups for layer in group.layers):
        if layer.target not in (first, last) and layer.target.name not in places:
            places[layer.target.name] = memory.take(layer.target.bytes)
    blocks = "\n".join(
        _block(layer, sizes, machine, places) + _end(groups, layer)
        for group in groups
        for layer in group.layers
    )
    return f"""\
mist 1.0
target {machine.name}

{chr(10).join(lines)}

{blocks}
control {{
{"".join(_calls(group) for group in groups)}}}
"""


def _block(layer: Layer, sizes: Sizes, machine: Machine, places: dict[str, str]) -> str:
    if isinstance(layer, Conv):
        return conv_text(layer, machine, sizes.least, places)
    if isinstance(layer, Pool):
        return pool_text(layer, machine, sizes.least, places)
    return average_text(layer, machine, sizes.least, places)


def _end(groups: list[Group], layer: Layer) -> str:
    """What a block does to the registers that are handed on, and its end: the last layer before
    those that are repeated sets them, the last of these counts."""
    for group, following in zip(groups, [*groups[1:], Group(())], strict=True):
        if layer == group.layers[-1] and group.turns > 1:
            return "  layer = layer + 1 on tile\n  left = left - 1 on chip\n}\n"
        if layer == group.layers[-1] and following.turns > 1:
            return f"  s30 = 0 on tile\n  s31 = {following.turns} on chip\n}}\n"
    return "}\n"


def _calls(group: Group) -> str:
    calls = "".join(f"  call {layer.name}\n" for layer in group.layers)
    if group.turns == 1:
        return calls
    return f"  while s31 max {group.turns} {{\n{indent(calls, '  ')}  }}\n"


# ---- weights -------------------------------------------------------------------------------------
def _shapes(conv: Conv, sizes: Sizes, machine: Machine) -> dict[str, tuple[int, ...]]:
    p = plan(conv, machine, sizes.least)
    return {
        f"{conv.name}_w": (conv.turns, p.parts, conv.k, p.channels),
        f"{conv.name}_b": (conv.turns, conv.target.c),
    }


def _weight_lines(sizes: Sizes, machine: Machine, memory: Space) -> list[str]:
    lines, at = [], 0
    for conv in convolutions(sizes):
        for name, shape in _shapes(conv, sizes, machine).items():
            size = 4 * int(np.prod(shape))
            kind = f"fp32[{', '.join(map(str, shape))}] @ {memory.take(size)}"
            lines.append(f'weight {name} : {kind} = file "{WEIGHTS}" at {at} size {size}')
            at += size
    return lines


@lru_cache(maxsize=1)
def weights(sizes: Sizes) -> dict[str, tuple[Array, Array]]:
    """Weights [turn, K, channel] and biases [turn, channel] by convolution. Results keep their size
    from layer to layer; what is added to a way around is a quarter of it."""
    rng = np.random.default_rng(sizes.seed)
    found = {}
    for conv in convolutions(sizes):
        shape, ends = (conv.turns, conv.k, conv.target.c), (conv.turns, conv.target.c)
        if sizes.whole:
            kept = rng.random(shape) < 1.5 / conv.k
            w = (kept * rng.choice([-1, 1], shape)).astype(np.float32)
            b = rng.integers(-1, 3, ends).astype(np.float32)
        else:
            scale = (2 / conv.k) ** 0.5 * (0.25 if conv.residual else 1.0)
            w, b = normal(rng, *shape, scale=scale), normal(rng, *ends, scale=0.1)
        found[conv.name] = (w, b)
    return found


def write_weights(sizes: Sizes, machine: Machine, folder: Path) -> None:
    """Writes the file of weights, in the order in which tiles load them."""
    given = weights(sizes)
    with (folder / WEIGHTS).open("wb") as stream:
        for conv in convolutions(sizes):
            p, (w, b) = plan(conv, machine, sizes.least), given[conv.name]
            parts = w.reshape(conv.turns, conv.k, p.parts, p.channels).transpose(0, 2, 1, 3)
            stream.write(np.ascontiguousarray(parts).tobytes())
            stream.write(b.tobytes())


# ---- numbers -------------------------------------------------------------------------------------
def inputs(sizes: Sizes, seed: int = 1) -> Arrays:
    """An image, of small integers if the weights are."""
    rng, shape = np.random.default_rng(seed), (sizes.image, sizes.image, 3)
    if sizes.whole:
        return {"X": rng.integers(0, 4, shape).astype(np.float32)}
    return {"X": normal(rng, *shape)}


def windows(x: Array, size: int, step: int, fill: float = 0.0) -> Array:
    """[oh, ow, c, size, size]: what lies in each window of an image with a ring around it."""
    ring = (size // 2, size // 2)
    padded = np.pad(x, (ring, ring, (0, 0)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(padded, (size, size), (0, 1))[::step, ::step]


def convolved(conv: Conv, x: Array, w: Array, b: Array, before: Array | None) -> Array:
    """A convolution by one product, in the type of the arrays."""
    seen = windows(x, conv.kernel, conv.stride).transpose(0, 1, 3, 4, 2)
    y: Array = (seen.reshape(-1, conv.k) @ w + b).reshape(*seen.shape[:2], -1)
    if before is not None:
        y = y + before
    return np.maximum(y, 0) if conv.relu else y


def reference(sizes: Sizes, given: Arrays) -> Arrays:
    """The logits as numpy computes them, in the type of the image."""
    maps, known, dtype = {"X": given["X"]}, weights(sizes), given["X"].dtype
    for group in network(sizes):
        for turn in range(group.turns):
            for layer in group.layers:
                x = maps[layer.source.name]
                if isinstance(layer, Conv):
                    w, b = (part[turn].astype(dtype, copy=False) for part in known[layer.name])
                    before = maps[layer.target.name] if layer.residual else None
                    maps[layer.target.name] = convolved(layer, x, w, b, before)
                elif isinstance(layer, Pool):
                    maps[layer.target.name] = windows(x, 3, 2, -np.inf).max((3, 4))
                elif isinstance(layer, Average):
                    maps[layer.target.name] = x.mean((0, 1), keepdims=True)
    return {"Y": maps["Y"]}


if __name__ == "__main__":
    main(Sizes(), text)
