"""The ``.maia`` file: what is inside, written deterministically and read without trust.

A file opens by its manifest, code and tables only. Weights are left where they are; whoever
needs them maps them with ``map_weights``, and ``check_weights`` compares their SHA-256 with the
manifest's.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TypeVar

import msgspec

from maiacc_isa import program as pr
from maiacc_isa.archive import Reader, Writer
from maiacc_isa.atomic import open_plain
from maiacc_isa.bits import to_bytes
from maiacc_isa.errors import ErrorList, MaiaccError, Place, quote
from maiacc_isa.load import load
from maiacc_isa.manifest import block_names, manifest_of
from maiacc_isa.opening import NOTES, TEXT_LIMIT, Opening
from maiacc_isa.table_codec import encode_chain, encode_descriptor, encode_mask, encode_semaphore
from maiacc_isa.word import encode

T = TypeVar("T")

#: Piece of a weight that is held in memory at once, in bytes.
CHUNK = 1 << 20

#: Weights start at multiples of this within their member.
WEIGHT_ALIGNMENT = 64


# ---- writing ------------------------------------------------------------------------------


def save(program: pr.Program, path: str, symbols: bool = True, jobs: int = 1) -> None:
    """Writes a program. The same program gives the same bytes, with any number of ``jobs``: threads
    that make weights, and take digests, while others are written.

    ``symbols`` False leaves out the names and notes that only people need. Raises ``MaiaccError``
    E0002 for a weight that cannot be read and E0003 where the file cannot be written.
    """
    with Writer(path) as writer:
        for number, block in enumerate(program.blocks):
            for kind, data in block_members(block).items():
                if data:
                    writer.add(f"blocks/{number}.{kind}", [data], len(data))
        if symbols:
            data = msgspec.json.encode([block_names(block) for block in program.blocks])
            if len(data) > TEXT_LIMIT:
                raise MaiaccError(
                    "E0006",
                    "the program's names are too large",
                    place=Place(file=path),
                    expected=f"at most {TEXT_LIMIT} bytes",
                    found=f"{len(data)} bytes",
                    hint="leave them out with --no-symbols",
                )
            writer.add("symbols.json", [data], len(data))
            for name, note in program.notes.items():
                writer.add(NOTES + name, weight_chunks(note, name), note.size)
        offsets = _add_weights(writer, program, jobs)
        manifest = manifest_of(program, offsets, writer.digests)
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        writer.add("manifest.json", [data], len(data))


def block_members(block: pr.Block) -> dict[str, bytes]:
    """The members of a file that hold the words and tables of a block."""
    layout = load().records
    return {
        "code": b"".join(to_bytes(encode(w), layout["word_engine"].bits) for w in block.words),
        "desc": _join("descriptor", encode_descriptor, block.descriptors),
        "chain": _join("chain", encode_chain, block.chains),
        "sem": _join("semaphore", encode_semaphore, block.semaphores),
        "mask": _join("mask", encode_mask, block.masks),
        "table": b"".join(struct.pack(f"<I{len(t)}i", len(t), *t) for t in block.tables),
    }


def _join(record: str, encoder: Callable[[T], int], items: tuple[T, ...]) -> bytes:
    bits = load().records[record].bits
    return b"".join(to_bytes(encoder(item), bits) for item in items)


def _add_weights(writer: Writer, program: pr.Program, jobs: int) -> dict[str, int]:
    offsets, at = {}, 0
    for tensor in program.tensors:
        if tensor.name in program.weights:
            at += -at % WEIGHT_ALIGNMENT
            offsets[tensor.name] = at
            at += program.weights[tensor.name].size
    if not offsets:
        return {}

    def chunks(prepared: Iterable[pr.Weights]) -> Iterator[bytes | memoryview]:
        position = 0
        for (name, offset), weights in zip(offsets.items(), prepared, strict=True):
            yield bytes(offset - position)
            yield from weight_chunks(weights, name)
            position = offset + weights.size

    mine = [program.weights[name] for name in offsets]
    if jobs == 1:
        writer.add("weights.bin", chunks(mine), at)
        return offsets
    with futures.ThreadPoolExecutor(jobs) as pool:
        writer.add("weights.bin", chunks(_made(mine, pool, jobs)), at, pool)
    return offsets


def _made(
    weights: Iterable[pr.Weights], pool: futures.Executor, ahead: int
) -> Iterator[pr.Weights]:
    """Weights in their order; those that are made are so ahead of time, some at once."""
    waiting: deque[tuple[pr.Weights, futures.Future[bytes | memoryview] | None]] = deque()
    left = iter(weights)
    while True:
        for one in islice(left, ahead + 1 - len(waiting)):
            waiting.append((one, None if one.make is None else pool.submit(one.make)))
        if not waiting:
            return
        one, made = waiting.popleft()
        yield one if made is None else replace(one, make=made.result)


def weight_chunks(weights: pr.Weights, name: str) -> Iterator[bytes | memoryview]:
    """The bytes of a weight, piece by piece. Raises ``MaiaccError`` E0002 or E0603."""
    if weights.make is not None:
        yield weights.make()
        return
    if weights.data is not None:
        yield weights.data
        return
    with open_plain(str(weights.file)) as file:
        file.seek(weights.offset)
        left = weights.size
        while left:
            chunk = file.read(min(left, CHUNK))
            if not chunk:
                raise MaiaccError(
                    "E0603",
                    f"the file of weight {quote(name)} is too short",
                    place=Place(file=weights.file),
                )
            left -= len(chunk)
            yield chunk


# ---- reading ------------------------------------------------------------------------------


def open_program(path: str) -> pr.Program:
    """The program of a ``.maia`` file.

    Reads and checks everything but the weights. Raises ``MaiaccError``: E0002 or E0005 for
    what cannot be read, E0601 to E0607 for what is no such file, is damaged or belongs to
    another version, E1208 for another version of time, and E04xx for words and tables that
    mean nothing.
    """
    with Reader(path) as reader, _named(path):
        return Opening(reader).program()


def read_note(path: str, name: str) -> bytes | None:
    """A note of a ``.maia`` file, its SHA-256 compared; None if the file does not have it.

    Raises ``MaiaccError`` as ``open_program`` does for what is no such file or is damaged.
    """
    with Reader(path) as reader, _named(path):
        return Opening(reader).note(name)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Lets refusals name the file they are about."""
    try:
        yield
    except ErrorList as problem:
        raise MaiaccError(
            "E0607",
            f"the machine in the file is not valid: {problem.errors[0].message}",
            place=Place(file=path),
        ) from None
    except MaiaccError as problem:
        place = problem.place or Place()
        if place.file is None:
            problem.place = Place(path, block=place.block, word=place.word, label=place.label)
        raise


def check_weights(path: str) -> None:
    """Reads the weights of a file and compares their SHA-256 with the manifest's.

    Raises ``MaiaccError`` E0604 where they differ.
    """
    with Reader(path) as reader:
        with _named(path):
            piece = Opening(reader).manifest.members.get("weights.bin")
        member = reader.members.get("weights.bin")
        if piece is None or member is None:
            return
        digest = hashlib.sha256()
        crc = 0
        for chunk in weight_chunks(pr.Weights(None, path, member.offset, member.size), "weights"):
            digest.update(chunk)
            crc = zlib.crc32(chunk, crc)
        if (digest.hexdigest(), crc) != (piece.sha256, member.crc):
            raise MaiaccError(
                "E0604",
                "the weights are not what the manifest says",
                place=Place(file=path),
                hint="the file was changed or damaged after it was written",
            )


def map_weights(weights: pr.Weights) -> memoryview:
    """The bytes of a weight, mapped from its file and read only where they are looked at.

    Raises ``MaiaccError`` E0002 or E0603.
    """
    if weights.make is not None:
        return memoryview(weights.make())
    if weights.data is not None or weights.size == 0:
        return memoryview(weights.data or b"")
    with open_plain(str(weights.file)) as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if weights.offset + weights.size > len(mapped):
        raise MaiaccError(
            "E0603", "the file of a weight is too short", place=Place(file=weights.file)
        )
    return memoryview(mapped)[weights.offset : weights.offset + weights.size]
