"""The ``.maia`` file: what is inside, written deterministically and read without trust.

A file opens by its manifest, code and tables only. Weights are left where they are; whoever
needs them maps them (``Weights.file``, ``offset``, ``size``), and ``check_weights`` compares
their SHA-256 with the manifest's.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from maiacc_isa import program as pr
from maiacc_isa.archive import Reader, Writer, open_plain
from maiacc_isa.bits import records, to_bytes
from maiacc_isa.errors import ErrorList, MaiaccError, Place, quote
from maiacc_isa.load import load
from maiacc_isa.machine import Machine, builtin_machine, builtin_machines, machine_from_values
from maiacc_isa.manifest import (
    BlockNames,
    BlockRow,
    Manifest,
    Versions,
    block_names,
    control_of,
    manifest_of,
    origins_of,
)
from maiacc_isa.tables import (
    decode_chain,
    decode_descriptor,
    decode_mask,
    decode_semaphore,
    encode_chain,
    encode_descriptor,
    encode_mask,
    encode_semaphore,
)
from maiacc_isa.version import FORMAT_VERSION, ISA_VERSION
from maiacc_isa.word import decode, encode

T = TypeVar("T")

#: Piece of a weight that is held in memory at once, in bytes.
CHUNK = 1 << 20

#: Weights start at multiples of this within their member.
WEIGHT_ALIGNMENT = 64


# ---- writing ------------------------------------------------------------------------------


def save(program: pr.Program, path: str, symbols: bool = True) -> None:
    """Writes a program. The same program gives the same bytes.

    ``symbols`` False leaves out the names that only people need. Raises ``MaiaccError`` E0002
    for a weight that cannot be read and E0003 where the file cannot be written.
    """
    with Writer(path) as writer:
        for number, block in enumerate(program.blocks):
            for kind, data in _block_members(block).items():
                if data:
                    writer.add(f"blocks/{number}.{kind}", [data], len(data))
        if symbols:
            data = msgspec.json.encode([block_names(block) for block in program.blocks])
            writer.add("symbols.json", [data], len(data))
        offsets = _add_weights(writer, program)
        manifest = manifest_of(program, offsets, writer.digests)
        data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        writer.add("manifest.json", [data], len(data))


def _block_members(block: pr.Block) -> dict[str, bytes]:
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


def _add_weights(writer: Writer, program: pr.Program) -> dict[str, int]:
    offsets, at = {}, 0
    for tensor in program.tensors:
        if tensor.name in program.weights:
            at += -at % WEIGHT_ALIGNMENT
            offsets[tensor.name] = at
            at += program.weights[tensor.name].size
    if not offsets:
        return {}

    def chunks() -> Iterator[bytes]:
        position = 0
        for name, offset in offsets.items():
            yield bytes(offset - position)
            yield from weight_chunks(program.weights[name], name)
            position = offset + program.weights[name].size

    writer.add("weights.bin", chunks(), at)
    return offsets


def weight_chunks(weights: pr.Weights, name: str) -> Iterator[bytes]:
    """The bytes of a weight, piece by piece. Raises ``MaiaccError`` E0002 or E0603."""
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
    another version, and E04xx for words and tables that mean nothing.
    """
    with Reader(path) as reader:
        try:
            return _Opening(reader).program()
        except ErrorList as problem:
            raise MaiaccError(
                "E0607",
                f"the machine in the file is not valid: {problem.errors[0].message}",
                place=Place(file=path),
            ) from None
        except MaiaccError as problem:
            if problem.place is None:
                problem.place = Place(file=path)
            elif problem.place.file is None:
                problem.place = Place(file=path, block=problem.place.block, word=problem.place.word)
            raise


class _Opening:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._manifest = self._read_manifest()

    def _read_manifest(self) -> Manifest:
        data = self._reader.read("manifest.json")
        try:
            head = msgspec.json.decode(data, type=Versions)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as problem:
            raise MaiaccError("E0606", f"the manifest is damaged: {quote(str(problem))}") from None
        for what, found, ours in (
            ("file format", head.format, FORMAT_VERSION),
            ("instruction set", head.isa, ISA_VERSION),
        ):
            if found[0] != ours[0] or found[1] > ours[1]:
                raise MaiaccError(
                    "E0602",
                    f"the file is of another version of the {what}",
                    expected=f"{ours[0]}.0 to {ours[0]}.{ours[1]}",
                    found=f"{found[0]}.{found[1]}",
                )
        try:
            return msgspec.json.decode(data, type=Manifest)
        except (msgspec.MsgspecError, RecursionError) as problem:
            raise MaiaccError("E0606", f"the manifest is damaged: {quote(str(problem))}") from None

    def _member(self, name: str) -> bytes:
        """A member with its size and SHA-256 checked; empty if the file does not have it."""
        piece = self._manifest.members.get(name)
        if piece is None:
            return b""
        data = self._reader.read(name)
        if len(data) != piece.size or hashlib.sha256(data).hexdigest() != piece.sha256:
            raise MaiaccError("E0604", f"member {name} is not what the manifest says")
        return data

    def program(self) -> pr.Program:
        manifest = self._manifest
        known = {"manifest.json", *manifest.members}
        for name in self._reader.members:
            if name not in known:
                raise MaiaccError("E0603", f"the manifest does not know member {name}")
        if not manifest.blocks:
            raise MaiaccError("E0606", "the program has no block")
        machine = self._machine()
        names = self._symbols()
        blocks = tuple(self._block(i, row, names[i]) for i, row in enumerate(manifest.blocks))
        if len({b.name for b in blocks}) < len(blocks):
            raise MaiaccError("E0606", "two blocks have the same name")
        limit = load().limit("control_depth")
        control = control_of(manifest.control, {b.name for b in blocks}, limit)
        tensors, weights = self._tensors()
        parameters = tuple(pr.Parameter(p.name, p.low, p.high, p.step) for p in manifest.parameters)
        if any(p.low > p.high or p.step < 1 for p in parameters):
            raise MaiaccError("E0606", "a parameter has an empty interval")
        return pr.Program(machine, tensors, parameters, blocks, control, weights, self._reader.path)

    def _machine(self) -> Machine:
        row = self._manifest.machine
        if row.name in builtin_machines():
            machine = builtin_machine(row.name)
            if machine.digest == row.sha256:
                return machine
        machine = machine_from_values(row.name, row.title, row.values)
        if machine.digest != row.sha256:
            raise MaiaccError("E0607", "the machine's values do not have the digest given")
        return machine

    def _symbols(self) -> list[BlockNames]:
        count = len(self._manifest.blocks)
        data = self._member("symbols.json")
        if not data:
            return [BlockNames()] * count
        try:
            names = msgspec.json.decode(data, type=list[BlockNames])
        except (msgspec.MsgspecError, RecursionError) as problem:
            raise MaiaccError("E0606", f"the symbols are damaged: {quote(str(problem))}") from None
        if len(names) != count:
            raise MaiaccError("E0606", "the symbols are of another program")
        return names

    def _block(self, number: int, row: BlockRow, names: BlockNames) -> pr.Block:
        def table(kind: str, record: str, decoder: Callable[[int], T]) -> tuple[T, ...]:
            data = self._member(f"blocks/{number}.{kind}")
            items = []
            for index, bits in enumerate(records(data, load().records[record].bits)):
                try:
                    items.append(decoder(bits))
                except MaiaccError as problem:
                    label = None if kind == "code" else f"{kind} {index}"
                    word = index if kind == "code" else None
                    problem.place = Place(block=row.name, word=word, label=label)
                    raise
            return tuple(items)

        words = table("code", "word_engine", decode)
        if not words or words[-1].name != "END" or any(w.name == "END" for w in words[:-1]):
            raise MaiaccError("E0606", "a block ends with END, and END ends a block")
        limit = load().limit
        buffers = tuple(
            pr.Buffer(b.name, b.dtype, tuple(b.shape), b.space, b.base, b.slots, b.pitch)
            for b in names.buffers
        )
        for b in buffers:
            if b.dtype not in load().dtypes or b.space not in load().spaces:
                raise MaiaccError("E0606", f"buffer {quote(b.name)} has no type or memory")
            if min(*b.shape, b.base, b.slots - 1, b.pitch, 0) < 0:
                raise MaiaccError("E0606", f"buffer {quote(b.name)} has a negative size")
        live_in = tuple(pr.LiveIn(*item) for item in row.live_in)
        if any(x.low > x.high or not 0 <= x.reg < limit("scalars") for x in live_in):
            raise MaiaccError("E0606", "a block's live-in register is not valid")
        return pr.Block(
            name=row.name,
            words=words,
            descriptors=table("desc", "descriptor", decode_descriptor),
            chains=table("chain", "chain", decode_chain),
            semaphores=table("sem", "semaphore", decode_semaphore),
            masks=table("mask", "mask", decode_mask),
            tables=_constant_tables(self._member(f"blocks/{number}.table")),
            live_in=live_in,
            buffers=buffers,
            symbols=pr.Symbols(
                names.descriptors,
                names.chains,
                names.semaphores,
                names.masks,
                names.tables,
                names.registers,
                names.loops,
            ),
            origins=origins_of(names, len(words)),
        )

    def _tensors(self) -> tuple[tuple[pr.Tensor, ...], dict[str, pr.Weights]]:
        tensors, weights = [], {}
        member = self._reader.members.get("weights.bin")
        for row in self._manifest.tensors:
            tensor = pr.Tensor(
                row.name, row.kind, row.dtype, tuple(row.shape), row.base, row.split, row.result
            )
            good = row.kind in pr.TENSOR_KINDS and row.dtype in load().dtypes
            if not good or min(*row.shape, row.base, 0) < 0 or row.base >= 1 << 44:
                raise MaiaccError("E0606", f"tensor {quote(row.name)} is not valid")
            if (row.kind == "weight") != (row.offset is not None):
                raise MaiaccError("E0606", f"tensor {quote(row.name)}: weights have an offset")
            tensors.append(tensor)
            if row.offset is not None:
                size = tensor.bytes()
                if member is None or row.offset < 0 or row.offset + size > member.size:
                    raise MaiaccError("E0605", f"weight {quote(row.name)} lies outside its member")
                start = member.offset + row.offset
                weights[row.name] = pr.Weights(None, self._reader.path, start, size)
        if len({t.name for t in tensors}) < len(tensors):
            raise MaiaccError("E0606", "two tensors have the same name")
        return tuple(tensors), weights


def _constant_tables(data: bytes) -> tuple[tuple[int, ...], ...]:
    tables = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        end = at + 4 + 4 * length
        if not 1 <= length <= load().limit("table_entries") or end > len(data):
            raise MaiaccError("E0605", "a constant table is damaged")
        tables.append(struct.unpack(f"<{length}i", data[at + 4 : end]))
        at = end
    return tuple(tables)


def check_weights(path: str) -> None:
    """Reads the weights of a file and compares their SHA-256 with the manifest's.

    Raises ``MaiaccError`` E0604 where they differ.
    """
    with Reader(path) as reader:
        manifest = _Opening(reader)._manifest
        piece = manifest.members.get("weights.bin")
        member = reader.members.get("weights.bin")
        if piece is None or member is None:
            return
        digest = hashlib.sha256()
        for chunk in weight_chunks(pr.Weights(None, path, member.offset, member.size), "weights"):
            digest.update(chunk)
        if digest.hexdigest() != piece.sha256 or member.size != piece.size:
            raise MaiaccError(
                "E0604",
                "the weights are not what the manifest says",
                place=Place(file=path),
                hint="the file was changed or damaged after it was written",
            )
