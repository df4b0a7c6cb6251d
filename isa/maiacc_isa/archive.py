"""The outer layer of a ``.maia`` file: a ZIP of stored, aligned members, read without trust.

A hostile file must not be able to make the reader follow anything but a plain directory of
members that lie side by side; every byte around the members is the one a writer would write.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zlib
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from maiacc_isa.atomic import AtomicFile, open_plain
from maiacc_isa.errors import MaiaccError, Place, quote
from maiacc_isa.zip_layout import (
    CENTRAL,
    CENTRAL_MARK,
    END,
    END64,
    END64_MARK,
    END_MARK,
    LARGE,
    LOCAL,
    LOCAL_MARK,
    LOCATOR64,
    LOCATOR64_MARK,
    Member,
    directory,
)

#: Largest directory of members read, in bytes, and largest member other than weights.
DIRECTORY_LIMIT = 4 << 20
MEMBER_LIMIT = 72 << 20

_NAME = re.compile(r"[a-z0-9_]{1,64}(/[a-z0-9_]{1,64}){0,3}\.[a-z]{1,16}")
_DAMAGED = "the directory is damaged"

if TYPE_CHECKING:
    from concurrent.futures import Executor


class Writer:
    """Writes an archive that appears under its name when all has gone well.

    Raises ``MaiaccError`` E0003 where it cannot be written.
    """

    def __init__(self, path: str) -> None:
        self._output = AtomicFile(path)
        self._members: list[Member] = []
        #: Size and SHA-256 of the members added so far.
        self.digests: dict[str, tuple[int, str]] = {}

    def __enter__(self) -> Writer:
        self._file = self._output.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if problem is None:
            try:
                self._file.write(directory(self._members))
            except OSError as error:
                self._output.__exit__(type(error), error, None)
        self._output.__exit__(kind, problem, trace)

    def add(
        self,
        name: str,
        chunks: Iterable[bytes | memoryview],
        size: int,
        pool: Executor | None = None,
    ) -> None:
        """Adds a member of ``size`` bytes; its SHA-256 is in ``digests`` afterwards. With a pool,
        digest and checksum of a piece are taken while it is written."""
        start = self._members[-1].end if self._members else 0
        self._file.write(Member(name, start, size, 0).local())
        digest = hashlib.sha256()
        crc = written = 0
        for chunk in chunks:
            if pool is None:
                self._file.write(chunk)
                digest.update(chunk)
                crc = zlib.crc32(chunk, crc)
            else:
                hashed = pool.submit(digest.update, chunk)
                summed = pool.submit(zlib.crc32, chunk, crc)
                self._file.write(chunk)
                hashed.result()
                crc = summed.result()
            written += len(chunk)
        if written != size:
            raise MaiaccError("E0603", f"member {name} changed its size while it was written")
        # The checksum stands in front of what it is of.
        member = Member(name, start, size, crc)
        self._file.seek(start)
        self._file.write(member.local())
        self._file.seek(member.end)
        self._members.append(member)
        self.digests[name] = (size, digest.hexdigest())


class Reader:
    """The members of an archive. Raises ``MaiaccError`` E0002, E0005, E0601 and E0605."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open_plain(path)
        try:
            self._length = os.fstat(self._file.fileno()).st_size
            self.members = self._directory()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, name: str, most: int = MEMBER_LIMIT) -> bytes:
        """The bytes of a member other than weights, with their checksum compared."""
        member = self.members.get(name)
        if member is None:
            raise self._error("E0603", f"the file has no member {name}")
        if member.size > most:
            raise self._error(
                "E0605",
                f"member {name} is too large",
                expected=f"at most {most} bytes",
                found=f"{member.size} bytes",
            )
        data = self._at(member.offset, member.size)
        if zlib.crc32(data) != member.crc:
            raise self._error("E0605", f"member {name} does not have its checksum")
        return data

    def _error(self, code: str, message: str, **more: str) -> MaiaccError:
        return MaiaccError(code, message, place=Place(file=self.path), **more)

    def _at(self, offset: int, size: int) -> bytes:
        if offset < 0 or size < 0 or offset + size > self._length:
            raise self._error("E0605", "the file is shorter than it says")
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) != size:
            raise self._error("E0605", "the file is shorter than it says")
        return data

    def _directory(self) -> dict[str, Member]:
        if self._length < END.size or self._at(0, 4) != LOCAL_MARK:
            raise self._error("E0601", "this is not a .maia file", hint="maiacc asm writes one")
        fields = END.unpack(self._at(self._length - END.size, END.size))
        if fields[0] != END_MARK:
            raise self._error("E0605", "the file does not end with its directory")
        count, size, offset = fields[4:7]
        if LARGE in (size, offset) or count == 0xFFFF:
            count, size, offset = self._wide_end()
        rest = self._length - offset
        if not 0 <= size <= min(rest, DIRECTORY_LIMIT):
            raise self._error("E0605", "the directory is too large", found=f"{size} bytes")
        data = self._at(offset, size)
        members = self._entries(data)
        if not members or len({m.name for m in members}) < len(members):
            raise self._error("E0605", "members are missing or given twice")
        self._check_layout(members)
        if rest > DIRECTORY_LIMIT + 1024 or self._at(offset, rest) != directory(members):
            raise self._error("E0605", "the directory is not that of its members")
        return {member.name: member for member in members}

    def _wide_end(self) -> tuple[int, int, int]:
        end = self._length - END.size
        mark, _, at, _ = LOCATOR64.unpack(self._at(end - LOCATOR64.size, LOCATOR64.size))
        if mark != LOCATOR64_MARK:
            raise self._error("E0605", "the directory's 64-bit locator is damaged")
        fields = END64.unpack(self._at(at, END64.size))
        if fields[0] != END64_MARK:
            raise self._error("E0605", "the directory's 64-bit end is damaged")
        return fields[7], fields[8], fields[9]

    def _entries(self, data: bytes) -> list[Member]:
        members: list[Member] = []
        at = 0
        while at < len(data):
            if len(data) - at < CENTRAL.size:
                raise self._error("E0605", _DAMAGED)
            f = CENTRAL.unpack_from(data, at)
            start = at + CENTRAL.size
            name, extra = data[start : start + f[10]], data[start + f[10] : start + f[10] + f[11]]
            if f[0] != CENTRAL_MARK or len(name) + len(extra) < f[10] + f[11]:
                raise self._error("E0605", _DAMAGED)
            members.append(self._member(name.decode("ascii", "replace"), f, extra))
            at = start + f[10] + f[11] + f[12]
        return members

    def _member(self, name: str, f: tuple[int, ...], extra: bytes) -> Member:
        if not _NAME.fullmatch(name):
            raise self._error("E0605", "a member's name is not allowed", found=quote(name))
        if f[3] or f[4]:
            raise self._error("E0605", f"member {name} is compressed or encrypted")
        values = [f[9], f[8], f[16]]
        if LARGE in values:
            wide = [
                n[0] for n in struct.iter_unpack("<Q", extra[4 : 4 + (len(extra) - 4) // 8 * 8])
            ]
            if len(wide) < values.count(LARGE):
                raise self._error("E0605", "a 64-bit size is missing")
            values = [wide.pop(0) if v == LARGE else v for v in values]
        size, packed, header = values
        if packed != size:
            raise self._error("E0605", f"member {name} has two sizes")
        return Member(name, header, size, f[7])

    def _check_layout(self, members: list[Member]) -> None:
        end = 0
        for member in members:
            if member.header != end:
                raise self._error("E0605", f"member {member.name} overlaps another or leaves a gap")
            local = member.local()
            found = self._at(member.header, len(local))
            if LOCAL.unpack_from(found)[2:4] != (0, 0):
                raise self._error("E0605", f"member {member.name} is compressed or encrypted")
            if found != local:
                raise self._error("E0605", f"member {member.name} is not where the directory says")
            end = member.end
        if end > self._length:
            raise self._error("E0605", "the file is shorter than it says")
