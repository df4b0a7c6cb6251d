"""Reads the parts of a ``.maia`` file into a program, trusting nothing they say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from maiacc_isa import opening_rows as rows
from maiacc_isa import program as pr
from maiacc_isa.archive import MEMBER_LIMIT, Reader
from maiacc_isa.bits import records
from maiacc_isa.errors import MaiaccError, Place, quote
from maiacc_isa.load import load
from maiacc_isa.machine import Machine, builtin_machine, builtin_machines, machine_from_values
from maiacc_isa.manifest import (
    BlockNames,
    BlockRow,
    Manifest,
    Versions,
    control_of,
    origins_of,
)
from maiacc_isa.opening_rows import damaged
from maiacc_isa.opening_symbols import check_names
from maiacc_isa.table_codec import decode_chain, decode_descriptor, decode_mask, decode_semaphore
from maiacc_isa.version import FORMAT_VERSION, ISA_VERSION, TIMING_VERSION
from maiacc_isa.word import decode

T = TypeVar("T")

#: Largest manifest, and largest symbols, in bytes.
TEXT_LIMIT = 16 << 20

#: How members begin that are notes: read when somebody asks for one.
NOTES = "notes/"

#: Members a block may have, with the limit of the instruction set on how many they hold.
_TABLES = {
    "code": "words",
    "desc": "descriptors",
    "chain": "chains",
    "sem": "semaphores",
    "mask": "masks",
}

_MEMBER = re.compile(
    r"weights\.bin|symbols\.json|notes/[a-z0-9_]{1,64}\.[a-z]{1,16}|"
    r"blocks/(\d{1,4})\.(?:code|desc|chain|sem|mask|table)"
)


class Opening:
    """A file being read: its manifest first, everything else from there."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.manifest = self._read_manifest()
        self._check_members()

    def _read_manifest(self) -> Manifest:
        data = self._reader.read("manifest.json", TEXT_LIMIT)
        head = _json(data, Versions, "manifest")
        for what, found, ours in (
            ("file format", head.format, FORMAT_VERSION),
            ("instruction set", head.isa, ISA_VERSION),
        ):
            if found[0] != ours[0] or not 0 <= found[1] <= ours[1]:
                raise MaiaccError(
                    "E0602",
                    f"the file is of another version of the {what}",
                    expected=f"{ours[0]}.0 to {ours[0]}.{ours[1]}",
                    found=f"{found[0]}.{found[1]}",
                )
        manifest = _json(data, Manifest, "manifest")
        if manifest.timing != TIMING_VERSION:
            raise MaiaccError(
                "E1208",
                "the file is of another version of time",
                expected=str(TIMING_VERSION),
                found=str(manifest.timing),
                hint="its cycles are not those that this version counts: assemble it again",
            )
        return manifest

    def _check_members(self) -> None:
        """Names and sizes; what members hold is compared when it is read."""
        members, blocks = self.manifest.members, len(self.manifest.blocks)
        for name in self._reader.members:
            if name != "manifest.json" and name not in members:
                raise damaged(f"the manifest does not know member {name}", "E0603")
        for name, piece in members.items():
            member = self._reader.members.get(name)
            match = _MEMBER.fullmatch(name)
            known = match is not None and (match[1] is None or int(match[1]) < blocks)
            if member is None or not known:
                raise damaged(f"a program has no member {quote(name)} here", "E0603")
            if member.size != piece.size:
                raise damaged(f"member {name} is not of the size the manifest says", "E0604")

    def _member(self, name: str, most: int) -> bytes:
        """A member with its SHA-256 compared; empty if the file does not have it."""
        piece = self.manifest.members.get(name)
        if piece is None:
            return b""
        data = self._reader.read(name, most)
        if hashlib.sha256(data).hexdigest() != piece.sha256:
            raise damaged(f"member {name} is not what the manifest says", "E0604")
        return data

    def note(self, name: str) -> bytes | None:
        """A note with its SHA-256 compared; None if the file does not have it."""
        member = NOTES + name
        return self._member(member, MEMBER_LIMIT) if member in self.manifest.members else None

    def _notes(self) -> dict[str, pr.Weights]:
        """Where the notes are."""
        return {
            name.removeprefix(NOTES): pr.Weights(None, self._reader.path, m.offset, m.size)
            for name, m in self._reader.members.items()
            if name.startswith(NOTES)
        }

    # ---- the program --------------------------------------------------------------------
    def program(self) -> pr.Program:
        manifest = self.manifest
        limit = load().limit
        for what, count in (("blocks", manifest.blocks), ("params", manifest.parameters)):
            if len(count) > limit(what):
                raise damaged(f"the program has too many {what}")
        if not manifest.blocks:
            raise damaged("the program has no block")
        machine = self._machine()
        names = self._symbols()
        blocks = tuple(self._block(i, row, names[i]) for i, row in enumerate(manifest.blocks))
        control = control_of(manifest.control, {b.name for b in blocks}, limit("control_depth"))
        tensors, weights = self._tensors()
        parameters = tuple(map(rows.parameter, manifest.parameters))
        for what, items in (
            ("blocks", [b.name for b in blocks]),
            ("parameters", [p.name for p in parameters]),
            ("tensors", [t.name for t in tensors]),
        ):
            if len(set(items)) < len(items):
                raise damaged(f"two {what} have the same name")
        return pr.Program(
            machine, tensors, parameters, blocks, control, weights, self._reader.path,
            options=manifest.options, notes=self._notes(),
        )  # fmt: skip

    def _machine(self) -> Machine:
        row = self.manifest.machine
        if not row.name.isprintable() or not row.title.isprintable() or len(row.name) > 200:
            raise damaged("the machine's name is not a line of text", "E0607")
        machine = machine_from_values(row.name, row.title, row.values)
        if machine.digest != row.sha256:
            raise damaged("the machine's values do not have the digest given", "E0607")
        if row.name in builtin_machines() and builtin_machine(row.name).digest == row.sha256:
            return builtin_machine(row.name)
        return machine

    def _symbols(self) -> list[BlockNames]:
        count = len(self.manifest.blocks)
        data = self._member("symbols.json", TEXT_LIMIT)
        if not data:
            return [BlockNames()] * count
        names = _json(data, list[BlockNames], "symbols")
        if len(names) != count:
            raise damaged("the symbols are of another program")
        return names

    def _table(
        self, number: int, block: str, kind: str, record: str, decoder: Callable[[int], T]
    ) -> tuple[T, ...]:
        """A table of a block; refusals name the block and the entry."""
        bits = load().records[record].bits
        data = self._member(f"blocks/{number}.{kind}", load().limit(_TABLES[kind]) * bits // 8)
        items = []
        for index, item in enumerate(records(data, bits)):
            try:
                items.append(decoder(item))
            except MaiaccError as problem:
                label = None if kind == "code" else f"{kind} {index}"
                word = index if kind == "code" else None
                problem.place = Place(block=block, word=word, label=label)
                raise
        return tuple(items)

    def _block(self, number: int, row: BlockRow, names: BlockNames) -> pr.Block:
        words = self._table(number, row.name, "code", "word_engine", decode)
        if not words or words[-1].name != "END" or any(w.name == "END" for w in words[:-1]):
            raise damaged("a block ends with END, and END ends a block")
        block = pr.Block(
            name=row.name,
            words=words,
            descriptors=self._table(number, row.name, "desc", "descriptor", decode_descriptor),
            chains=self._table(number, row.name, "chain", "chain", decode_chain),
            semaphores=self._table(number, row.name, "sem", "semaphore", decode_semaphore),
            masks=self._table(number, row.name, "mask", "mask", decode_mask),
            tables=rows.constant_tables(self._member(f"blocks/{number}.table", MEMBER_LIMIT)),
            live_in=rows.live_in(row),
            buffers=tuple(map(rows.buffer, names.buffers)),
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
        for sem in block.semaphores:
            if sem.scope == "remote" and sem.origin >= len(block.tables):
                raise damaged("scope remote names a table that is not there", "E0405")
        check_names(block)
        return block

    def _tensors(self) -> tuple[tuple[pr.Tensor, ...], dict[str, pr.Weights]]:
        tensors, weights = [], {}
        member = self._reader.members.get("weights.bin")
        for row in self.manifest.tensors:
            tensor = rows.tensor(row)
            tensors.append(tensor)
            if row.offset is not None:
                size = tensor.bytes()
                if member is None or row.offset < 0 or row.offset + size > member.size:
                    raise damaged(f"weight {quote(row.name)} lies outside its member", "E0605")
                start = member.offset + row.offset
                weights[row.name] = pr.Weights(None, self._reader.path, start, size)
        if weights and len(weights) < sum(tensor.kind == "weight" for tensor in tensors):
            raise damaged("some weights have an offset, others have none")
        return tuple(tensors), weights


def _json(data: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as problem:
        raise damaged(f"the {what} is damaged: {quote(str(problem))}") from None
