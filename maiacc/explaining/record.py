"""What a program file says about how the compiler came to its kernels: the note's rows, and how
they are written and read. Bytes are bytes, costs are cycles that the cost model predicts.
"""

from __future__ import annotations

import msgspec

from maiacc_isa.container import read_note
from maiacc_isa.errors import MaiaccError, Place
from maiacc_isa.program import Weights

#: Version of the note, its name in the file, and its largest size in bytes.
SCHEMA, NAME, LARGEST = 1, "record.json", 16 << 20


class WayRow(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A way to cut: sizes of a tile by dim, the dims that loops go over, outer ones first, with
    what each is dealt over, iterations of all loops in one tile of the machine, how many tiles have
    work, and predicted cycles. With a ``panel`` rows of the left operand stay for all columns."""

    tiles: list[int]
    order: list[tuple[int, str]]
    turns: int
    busy: int
    cost: int | None = None
    panel: bool = False


class LoopRow(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A loop of a kernel: its variable, iterations in each instance, what it is dealt over."""

    name: str
    trips: int
    spread: str = ""


class TensorRow(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A tensor between kernels. ``kind`` is input, output, weight or temp; ``space`` hbm or csram;
    it is touched first and last by these kernels, and ``stays`` where it has its address all the
    time. ``copies`` of it lie one behind the other, one for each layer."""

    name: str
    kind: str
    dtype: str
    shape: list[int]
    bytes: int
    space: str
    base: int
    first: str
    last: str
    stays: bool = False
    copies: int = 1


class LocalRow(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A buffer of a tile, which lives for one turn of its loop: ``slots`` of so many bytes."""

    name: str
    dtype: str
    shape: list[int]
    space: str
    bytes: int
    slots: int
    shared: bool = False


class KernelRow(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A kernel: the nodes of each layer that it stands for, its words in a block of the program,
    the extents and names of its dims where its space was cut, the way that was chosen and the
    cheapest of those that were weighed, ``rank`` being the place of the chosen one."""

    name: str
    title: str
    layers: list[list[str]]
    block: str
    words: tuple[int, int]
    loops: list[LoopRow]
    macs: int = 0
    padded: int = 0
    extents: list[int] = []
    dims: list[str] = []
    chosen: WayRow | None = None
    ways: list[WayRow] = []
    weighed: int = 0
    rank: int = 0
    reads: list[int] = []
    writes: list[int] = []
    locals: list[LocalRow] = []


class Record(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """All kernels in the order in which they stand, the tensors they touch, and the nodes that no
    kernel executes, by reason."""

    schema: int
    kernels: list[KernelRow]
    tensors: list[TensorRow]
    absent: dict[str, list[str]]


def note_of(record: Record) -> Weights | None:
    """The bytes of the note; None for one that would be too large."""
    data = msgspec.json.encode(record)
    return Weights(data, size=len(data)) if len(data) <= LARGEST else None


def record_of(path: str) -> Record:
    """The record in a program file. Raises ``MaiaccError``: E0603 where there is none, E0606 for
    one that cannot be read, and what ``open_program`` raises."""
    data = read_note(path, NAME)
    if data is None:
        raise MaiaccError(
            "E0603",
            "the file has no record of what the compiler chose",
            place=Place(file=path),
            hint="compile the model again, without --no-record",
        )
    try:
        found = msgspec.json.decode(data, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise MaiaccError(
            "E0606", f"the record of the compiler is damaged: {problem}", place=Place(file=path)
        ) from None
    many = len(found.tensors)
    if any(not 0 <= i < many for k in found.kernels for i in (*k.reads, *k.writes)):
        raise MaiaccError(
            "E0606", "the record of the compiler names tensors it lacks", place=Place(file=path)
        )
    return found
