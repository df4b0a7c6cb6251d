"""A MIST program in memory: blocks of words with their tables, tensors, and a control graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import prod

from maiacc_isa.load import load
from maiacc_isa.machine import Machine
from maiacc_isa.tables import Chain, Descriptor, Mask, Semaphore
from maiacc_isa.word import Word

TENSOR_KINDS = ("input", "output", "weight", "state")


@dataclass(frozen=True)
class Tensor:
    """A tensor in HBM that the host knows: row-major, without gaps, at byte `base`.

    `split`: axis 0 is dealt over the chips, chip i holds part i; otherwise every chip holds
    the whole. A state tensor is read under `name` and handed back as `result`.
    """

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    base: int
    split: bool = False
    result: str | None = None

    def bytes(self, chips: int = 1) -> int:
        """Bytes one chip holds; rows of types below 8 bits are padded to whole bytes."""
        bits = load().dtypes[self.dtype].bits
        rows, columns = prod(self.shape[:-1]), self.shape[-1] if self.shape else 1
        total = rows * -(-columns * bits // 8)
        return total // chips if self.split else total


@dataclass(frozen=True)
class Weights:
    """Where the bytes of a weight or a note are: given in the program text, a piece of a file, or
    made whenever they are asked for, so that they need not all be in memory at once."""

    data: bytes | None = None
    file: str | None = None
    offset: int = 0
    size: int = 0
    make: Callable[[], bytes | memoryview] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Parameter:
    """A runtime parameter: `low` to `high` in steps of `step` from `low`."""

    name: str
    low: int
    high: int
    step: int = 1


@dataclass(frozen=True)
class Buffer:
    """A named piece of memory: `slots` row-major tensors, `pitch` bytes apart.

    Buffers have no bits of their own in a program; they name what descriptors point at, and
    the prover holds every descriptor to the buffer that contains its base.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    space: str
    base: int
    slots: int = 1
    pitch: int = 0

    @property
    def slot_bytes(self) -> int:
        bits = load().dtypes[self.dtype].bits
        rows, columns = prod(self.shape[:-1]), self.shape[-1] if self.shape else 1
        return rows * -(-columns * bits // 8)

    @property
    def end(self) -> int:
        """First byte behind the buffer."""
        return self.base + (self.slots - 1) * self.pitch + self.slot_bytes

    def strides(self) -> tuple[int, ...]:
        """Row-major strides in bytes (bits for types below 8 bits)."""
        dtype = load().dtypes[self.dtype]
        unit = dtype.bits if dtype.packed else dtype.bits // 8
        result = [unit]
        for extent in reversed(self.shape[1:]):
            step = result[-1] * extent
            if dtype.packed and len(result) == 1:
                step = -(-step // 8) * 8
            result.append(step)
        return tuple(reversed(result))[-len(self.shape) :] if self.shape else (unit,)


def tensor_buffer(tensor: Tensor, chips: int) -> Buffer:
    """A tensor as a buffer in the HBM of one of so many chips: of a split one the chip's part."""
    shape = tensor.shape
    if tensor.split and shape:
        shape = (shape[0] // chips, *shape[1:])
    return Buffer(tensor.name, tensor.dtype, shape, "hbm", tensor.base)


@dataclass(frozen=True)
class LiveIn:
    """A scalar register that a block finds set, and its interval; outside it, entering traps."""

    reg: int
    low: int
    high: int


@dataclass(frozen=True)
class Symbols:
    """Names for people; a program means the same without them. Keys are table indices, for
    loops the number of the LOOP word."""

    descriptors: dict[int, str] = field(default_factory=dict)
    chains: dict[int, str] = field(default_factory=dict)
    semaphores: dict[int, str] = field(default_factory=dict)
    masks: dict[int, str] = field(default_factory=dict)
    tables: dict[int, str] = field(default_factory=dict)
    registers: dict[int, str] = field(default_factory=dict)
    loops: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """Straight words with loops, and the tables they index.

    `origins` gives, for each word, where it came from (ONNX node names). When the block was read
    from text, `lines` gives the line of each word and `places` that of each declaration, such as
    "buffer x" or "descriptor 3".
    """

    name: str
    words: tuple[Word, ...]
    descriptors: tuple[Descriptor, ...] = ()
    chains: tuple[Chain, ...] = ()
    semaphores: tuple[Semaphore, ...] = ()
    masks: tuple[Mask, ...] = ()
    tables: tuple[tuple[int, ...], ...] = ()
    live_in: tuple[LiveIn, ...] = ()
    buffers: tuple[Buffer, ...] = ()
    symbols: Symbols = field(default_factory=Symbols)
    origins: tuple[tuple[str, ...], ...] = ()
    lines: tuple[int, ...] = ()
    places: dict[str, int] = field(default_factory=dict, compare=False)

    def origin(self, word: int) -> tuple[str, ...]:
        """What a word came from; empty if nothing is known."""
        return self.origins[word] if word < len(self.origins) else ()


@dataclass(frozen=True)
class Call:
    """Runs a block."""

    block: str


@dataclass(frozen=True)
class If:
    """Takes one of two ways by a scalar register of the chips' control processors."""

    reg: int
    then: tuple[Node, ...]
    other: tuple[Node, ...]


@dataclass(frozen=True)
class While:
    """Repeats while a scalar register of the chips' control processors is not 0; more than
    `most` turns trap."""

    reg: int
    most: int
    body: tuple[Node, ...]


Node = Call | If | While


@dataclass(frozen=True)
class Program:
    """A whole program for one machine. ``options`` say how a compiler was asked to make it, and
    ``notes`` are texts that it left for people, by name; the program means the same without
    them."""

    machine: Machine
    tensors: tuple[Tensor, ...]
    parameters: tuple[Parameter, ...]
    blocks: tuple[Block, ...]
    control: tuple[Node, ...]
    weights: dict[str, Weights] = field(default_factory=dict)
    file: str | None = None
    places: dict[str, int] = field(default_factory=dict, compare=False)
    options: dict[str, str] = field(default_factory=dict, compare=False)
    notes: dict[str, Weights] = field(default_factory=dict, compare=False, repr=False)

    def block(self, name: str) -> Block:
        """The block of that name."""
        return next(block for block in self.blocks if block.name == name)


def walk_control(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """Every node of a control graph, outer ones first."""
    for node in nodes:
        yield node
        if isinstance(node, If):
            yield from walk_control(node.then)
            yield from walk_control(node.other)
        elif isinstance(node, While):
            yield from walk_control(node.body)


def control_depth(nodes: tuple[Node, ...]) -> int:
    """How deep a control graph nests; 1 for a plain sequence."""
    depth = 0
    for node in nodes:
        if isinstance(node, If):
            depth = max(depth, control_depth(node.then), control_depth(node.other))
        elif isinstance(node, While):
            depth = max(depth, control_depth(node.body))
    return depth + 1
