"""The layers of ResNet-50 (v1.5), and how each is spread over the tiles.

A convolution is a product of a matrix of positions (M rows, K = kernel x kernel x channels) and the
weights (K x output channels). It is cut into strips of image rows and parts of output channels,
one pair for each tile. Of all cuts it takes the one with the least work for who simulates it:
multiplications, which go in groups of 8 rows and 32 columns, operands that are laid out anew for
each multiply, and copies. That favours few tiles with large multiplies, so ``least`` says over
how many tiles a layer is spread at least.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.programs.base import DMA_BYTES, cdiv, check
from maiacc_isa.machine import Machine

#: Nanoseconds that simulating takes for a multiplication, for a number that a multiply reads,
#: and for one that is copied: measured roughly, on one core.
MULTIPLY, LAY_OUT, COPY = 0.014, 0.4, 0.3

#: Rows and columns that are multiplied together, and columns for which rows are laid out once.
GROUP_ROWS, GROUP_COLUMNS, WIDE = 8, 32, 256


@dataclass(frozen=True)
class Sizes:
    """Edge of the image, channels of the first convolution, bottlenecks of the stages, classes;
    tiles for each layer at least; the seed of the weights; 1 for few weights of -1 and 1, with
    which all sums are exact."""

    image: int = 224
    width: int = 64
    depths: tuple[int, ...] = (3, 4, 6, 3)
    classes: int = 1000
    least: int = 7
    seed: int = 0
    whole: int = 0


@dataclass(frozen=True)
class Map:
    """An image of activations in HBM, row by row with the channels of a position together."""

    name: str
    h: int
    w: int
    c: int

    @property
    def bytes(self) -> int:
        return 4 * self.h * self.w * self.c

    @property
    def type(self) -> str:
        return f"fp32[{self.h}, {self.w}, {self.c}]"


@dataclass(frozen=True)
class Conv:
    """A convolution with bias, or ``turns`` alike that follow each other in the bottlenecks of a
    stage. With ``residual`` it adds to what its target holds."""

    name: str
    source: Map
    target: Map
    kernel: int = 1
    stride: int = 1
    relu: bool = True
    residual: bool = False
    turns: int = 1

    @property
    def pad(self) -> int:
        return self.kernel // 2

    @property
    def k(self) -> int:
        return self.kernel * self.kernel * self.source.c

    @property
    def loaded(self) -> int:
        """Distance of the positions that are loaded: without a window the others are not needed."""
        return self.stride if self.kernel == 1 else 1

    @property
    def step(self) -> int:
        """Distance of windows in what is loaded."""
        return self.stride // self.loaded

    def extent(self, count: int) -> int:
        """Positions loaded for ``count`` windows side by side."""
        return self.step * (count - 1) + self.kernel


@dataclass(frozen=True)
class Pool:
    """The maximum of windows of 3 x 3, two apart."""

    name: str
    source: Map
    target: Map


@dataclass(frozen=True)
class Average:
    """The mean over all positions of each channel."""

    name: str
    source: Map
    target: Map


Layer = Conv | Pool | Average


@dataclass(frozen=True)
class Group:
    """Layers that are executed ``turns`` times one after the other."""

    layers: tuple[Layer, ...]
    turns: int = 1


def network(sizes: Sizes) -> list[Group]:
    """All layers."""
    half, width = sizes.image // 2, sizes.width
    check(sizes.image % 32 == 0, "the edge of the image has to be a multiple of 32")
    image, stem = Map("X", sizes.image, sizes.image, 3), Map("stem", half, half, width)
    here = Map("pooled", half // 2, half // 2, width)
    groups = [Group((Conv("conv1", image, stem, 7, 2), Pool("pool", stem, here)))]
    for number, depth in enumerate(sizes.depths, 1):
        groups += _stage(number, depth, here, width << number - 1)
        here = groups[-1].layers[-1].target
    flat, logits = Map("flat", 1, 1, here.c), Map("Y", 1, 1, sizes.classes)
    classify = Conv("classify", flat, logits, relu=False)
    return [*groups, Group((Average("average", here, flat), classify))]


def _stage(number: int, depth: int, source: Map, width: int) -> Iterator[Group]:
    """A stage: its first bottleneck, with a convolution for the way around it, and the others."""
    stride = 1 if number == 1 else 2
    edge = source.h // stride
    out = Map(f"out{number}", edge, edge, 4 * width)
    inner = Map(f"inner{number}", source.h, source.w, width)
    middle, again = (Map(f"{x}{number}", edge, edge, width) for x in ("middle", "again"))
    name = f"stage{number}"
    yield Group(
        (
            Conv(f"{name}_first_reduce", source, inner),
            Conv(f"{name}_around", source, out, 1, stride, relu=False),
            Conv(f"{name}_first_window", inner, middle, 3, stride),
            Conv(f"{name}_first_expand", middle, out, residual=True),
        )
    )
    if depth > 1:
        turns = depth - 1
        yield Group(
            (
                Conv(f"{name}_reduce", out, again, turns=turns),
                Conv(f"{name}_window", again, middle, 3, turns=turns),
                Conv(f"{name}_expand", middle, out, residual=True, turns=turns),
            ),
            turns,
        )


def convolutions(sizes: Sizes) -> list[Conv]:
    """The convolutions in order, those that are alike once."""
    layers = [layer for group in network(sizes) for layer in group.layers]
    return [layer for layer in layers if isinstance(layer, Conv)]


# ---- how a convolution is spread -----------------------------------------------------------------
@dataclass(frozen=True)
class Plan:
    """``strips`` of image rows and ``parts`` of channels: of each the rows, positions and channels;
    how many multiplies K is cut into, by rows of the window, by its columns, by channels."""

    strips: int
    parts: int
    rows: int
    positions: int
    channels: int
    cuts: tuple[int, int, int]

    @property
    def units(self) -> int:
        return self.strips * self.parts


def plan(conv: Conv, machine: Machine, least: int) -> Plan:
    """The cheapest way to spread a convolution. Raises ``ValueError`` if there is none."""
    found = [p for p in _plans(conv, machine) if p.units <= machine.tiles * machine.clusters]
    check(bool(found), f"{conv.name} does not fit the tiles of {machine.name}")
    most = max(p.units for p in found)
    return min((p for p in found if p.units >= min(least, most)), key=lambda p: work(conv, p))


def _plans(conv: Conv, machine: Machine) -> Iterator[Plan]:
    """Every way to cut a convolution such that a tile can hold a piece of it."""
    out, block = conv.target, machine.int("ttu.block")
    for strips in (s for s in range(1, out.h + 1) if out.h % s == 0):
        rows = out.h // strips
        positions = rows * out.w
        for parts in (p for p in range(1, out.c + 1) if out.c % p == 0):
            channels = out.c // parts
            blocks = cdiv(positions, block) * cdiv(channels, block)
            cuts = _cuts(conv, channels)
            held = room(conv, rows, channels) <= machine.space_bytes("tsram")
            if blocks <= machine.int("ttu.acc_blocks") and held and cuts:
                yield Plan(strips, parts, rows, positions, channels, cuts)


def _cuts(conv: Conv, channels: int) -> tuple[int, int, int] | None:
    """The fewest pieces of K whose weights one transfer moves."""
    size, c = conv.kernel, conv.source.c
    cuts = [(1, 1, 1), (size, 1, 1), (size, size, 1)]
    cuts += [(size, size, n) for n in range(2, c + 1) if c % n == 0]
    for y, x, d in cuts:
        if 4 * channels * conv.k // (y * x * d) <= DMA_BYTES:
            return y, x, d
    return None


def room(conv: Conv, rows: int, channels: int) -> int:
    """Bytes of a tile for strip, weights, bias, residual and results, and some between them."""
    strip = conv.extent(rows) * conv.extent(conv.target.w) * conv.source.c
    results = rows * conv.target.w * channels * (1 + conv.residual)
    return 4 * (strip + (conv.k + 1) * channels + results) + 512


def work(conv: Conv, p: Plan) -> float:
    """What simulating the layer takes, roughly, in nanoseconds."""
    full, rest = divmod(p.positions, GROUP_ROWS)
    # rows that fill no group are multiplied one by one, at a quarter of the speed
    rows = full * GROUP_ROWS + 4 * rest
    multiplied = rows * cdiv(p.channels, GROUP_COLUMNS) * GROUP_COLUMNS * conv.k
    laid = conv.k * (p.positions * cdiv(p.channels, WIDE) + p.channels)
    copied = room(conv, p.rows, p.channels) // 4
    return p.units * (MULTIPLY * multiplied + LAY_OUT * laid + COPY * copied)
