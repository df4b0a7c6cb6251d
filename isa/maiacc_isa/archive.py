"""The outer layer of a ``.maia`` file: a ZIP of stored, aligned members, read without trust.

Writing uses the standard library. Reading does not: a hostile file must not be able to make
the reader follow anything but a plain directory of members that lie side by side.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import struct
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from maiacc_isa.errors import MaiaccError, Place, quote

#: Members start at multiples of this, so that they can be mapped into memory.
ALIGNMENT = 4096

#: Largest directory of members read, in bytes, and largest member other than weights.
DIRECTORY_LIMIT = 1 << 20
MEMBER_LIMIT = 64 << 20

_PADDING_ID = 0xD935
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_NAME = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)*\.[a-z]+")
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Writer:
    """Writes a file beside its destination and moves it there when all has gone well."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self.digests: dict[str, tuple[int, str]] = {}

    def __enter__(self) -> Writer:
        try:
            folder = self._path.parent
            handle, self._temporary = tempfile.mkstemp(".part", f".{self._path.name}.", folder)
            self._file: BinaryIO = os.fdopen(handle, "wb")
        except (OSError, ValueError) as problem:
            raise cannot_write(self._path, problem) from None
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)
        return self

    def add(self, name: str, chunks: Iterable[bytes], size: int) -> None:
        """Adds a member of ``size`` bytes; its SHA-256 is in ``digests`` afterwards."""
        info = zipfile.ZipInfo(name, _EPOCH)
        info.create_system = 3
        info.external_attr = 0o644 << 16
        large = size >= zipfile.ZIP64_LIMIT
        start = self._file.tell() + _LOCAL.size + len(name) + (20 if large else 0)
        gap = -(start + 4) % ALIGNMENT
        info.extra = struct.pack("<HH", _PADDING_ID, gap) + bytes(gap)
        info.file_size = size
        digest = hashlib.sha256()
        written = 0
        try:
            with self._zip.open(info, "w", force_zip64=large) as member:
                for chunk in chunks:
                    member.write(chunk)
                    digest.update(chunk)
                    written += len(chunk)
        except OSError as problem:
            raise cannot_write(self._path, problem) from None
        if written != size:
            raise MaiaccError("E0603", f"member {name} changed its size while it was written")
        self.digests[name] = (size, digest.hexdigest())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if problem is not None:
                return
            self._zip.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(self._temporary, 0o666 & ~umask)
            os.replace(self._temporary, self._path)
        except OSError as error:
            raise cannot_write(self._path, error) from None
        finally:
            # An unfinished archive is thrown away without being completed first.
            self._zip.fp = None
            with contextlib.suppress(OSError):
                self._file.close()
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)


def cannot_write(path: Path, problem: Exception) -> MaiaccError:
    """The refusal for a destination that cannot be written."""
    reason = getattr(problem, "strerror", None) or str(problem)
    return MaiaccError("E0003", f"cannot be written: {reason}", place=Place(file=str(path)))


@dataclass(frozen=True)
class Member:
    """A piece of the file."""

    name: str
    offset: int
    size: int


class Reader:
    """The members of an archive. Raises ``MaiaccError`` E0002, E0601 and E0605."""

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

    def read(self, name: str) -> bytes:
        """The bytes of a member other than weights."""
        member = self.members.get(name)
        if member is None:
            raise self._error("E0603", f"the file has no member {name}")
        if member.size > MEMBER_LIMIT:
            raise self._error("E0605", f"member {name} is too large", found=f"{member.size} bytes")
        return self._at(member.offset, member.size)

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
        if self._length < _END.size or self._at(0, 4) != b"PK\x03\x04":
            raise self._error("E0601", "this is not a .maia file", hint="maiacc asm writes one")
        fields = _END.unpack(self._at(self._length - _END.size, _END.size))
        signature, disk, first, here, count, size, offset, comment = fields
        if signature != b"PK\x05\x06" or disk or first or here != count or comment:
            raise self._error("E0605", "the directory's end is damaged")
        end = self._length - _END.size
        if 0xFFFFFFFF in (size, offset) or count == 0xFFFF:
            count, size, offset, end = self._zip64(end)
        if size > DIRECTORY_LIMIT:
            raise self._error("E0605", "the directory is too large", found=f"{size} bytes")
        if offset + size != end:
            raise self._error("E0605", "there is something between the directory and its end")
        members = self._entries(self._at(offset, size), count)
        self._check_layout(members, offset)
        return {member.name: member for member in members}

    def _zip64(self, end: int) -> tuple[int, int, int, int]:
        locator = _LOCATOR64.unpack(self._at(end - _LOCATOR64.size, _LOCATOR64.size))
        if locator[0] != b"PK\x06\x07":
            raise self._error("E0605", "the directory's 64-bit locator is damaged")
        fields = _END64.unpack(self._at(locator[2], _END64.size))
        if fields[0] != b"PK\x06\x06" or locator[2] + _END64.size != end - _LOCATOR64.size:
            raise self._error("E0605", "the directory's 64-bit end is damaged")
        return fields[7], fields[8], fields[9], locator[2]

    def _entries(self, data: bytes, count: int) -> list[Member]:
        members: list[Member] = []
        at = 0
        while at < len(data):
            if len(data) - at < _CENTRAL.size:
                raise self._error("E0605", "the directory is damaged")
            f = _CENTRAL.unpack_from(data, at)
            lengths = f[10:13]
            head = data[at + _CENTRAL.size :]
            name = head[: lengths[0]].decode("ascii", "replace")
            extra = head[lengths[0] : lengths[0] + lengths[1]]
            if f[0] != b"PK\x01\x02" or len(head) < sum(lengths):
                raise self._error("E0605", "the directory is damaged")
            members.append(self._member(name, f, extra))
            at += _CENTRAL.size + sum(lengths)
        if len(members) != count or len({m.name for m in members}) != len(members):
            raise self._error("E0605", "members are missing or given twice")
        return members

    def _member(self, name: str, f: tuple[int, ...], extra: bytes) -> Member:
        flags, method, packed, size, offset = f[3], f[4], f[8], f[9], f[16]
        if not _NAME.fullmatch(name):
            raise self._error("E0605", "a member's name is not allowed", found=quote(name))
        if flags or method:
            raise self._error("E0605", f"member {name} is compressed or encrypted")
        values = [size, packed, offset]
        if 0xFFFFFFFF in values:
            values = self._large(values, extra)
        size, packed, offset = values
        if packed != size:
            raise self._error("E0605", f"member {name} has two sizes")
        local = _LOCAL.unpack(self._at(offset, _LOCAL.size))
        stored = self._at(offset + _LOCAL.size, local[9])
        if local[0] != b"PK\x03\x04" or local[2] or local[3] or stored != name.encode():
            raise self._error("E0605", f"member {name} is not where the directory says")
        return Member(name, offset + _LOCAL.size + local[9] + local[10], size)

    def _large(self, values: list[int], extra: bytes) -> list[int]:
        """Values above 32 bits, from the 64-bit extra field."""
        at = 0
        while at + 4 <= len(extra):
            key, length = struct.unpack_from("<HH", extra, at)
            body = extra[at + 4 : at + 4 + length]
            if key == 1:
                wide = [n[0] for n in struct.iter_unpack("<Q", body[: len(body) // 8 * 8])]
                if len(wide) < values.count(0xFFFFFFFF):
                    break
                return [wide.pop(0) if v == 0xFFFFFFFF else v for v in values]
            at += 4 + length
        raise self._error("E0605", "a 64-bit size is missing")

    def _check_layout(self, members: list[Member], directory: int) -> None:
        end = 0
        for member in sorted(members, key=lambda m: m.offset):
            if member.offset % ALIGNMENT or member.offset < end:
                raise self._error("E0605", f"member {member.name} overlaps or is not aligned")
            end = member.offset + member.size
        if end > directory:
            raise self._error("E0605", "a member overlaps the directory")


def open_plain(path: str) -> BinaryIO:
    """Opens an existing plain file for reading; never blocks on a pipe or device.

    Raises ``MaiaccError`` E0002 if it cannot be read and E0005 if it is something else.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise MaiaccError("E0005", "this is not a plain file", place=Place(file=path))
        return open(path, "rb")
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise MaiaccError("E0002", f"cannot be read: {reason}", place=Place(file=path)) from None
