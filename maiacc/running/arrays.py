"""Arrays in files of numpy: ``.npy`` and ``.npz``, read without trust and written completely.

Nothing of a file is believed before it has been compared with the tensor it is for: type and
shape come first, and then exactly as many bytes are read as the tensor has. Python objects are
never loaded.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from typing import Any, BinaryIO, Literal, TypeAlias, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from maiacc_isa.atomic import AtomicFile, open_plain
from maiacc_isa.errors import MaiaccError, Place, quote
from maiacc_isa.load import load
from maiacc_isa.program import Tensor
from maiacc_sim.arith.convert import container
from maiacc_sim.tensors import FOREIGN, host_dtype, title

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

#: Largest header of an array, in characters.
HEADER_LIMIT = 10_000

#: Largest directory of a .npz file, in bytes: some ten thousand arrays.
DIRECTORY_LIMIT = 1 << 20

#: Ending of an array within a .npz file.
MEMBER = ".npy"

#: What zipfile and zlib raise for files that are no good: RuntimeError for encrypted members,
#: NotImplementedError for unknown methods of compression.
_DAMAGE = (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)

#: How every array begins; version and header follow.
MAGIC = b"\x93NUMPY"

#: A header, and its fields. It is a Python literal, but is not evaluated.
_TEXT = (
    r"'(descr|fortran_order|shape)': *('[<>|=]?\w{1,9}'|True|False|\((?:\d{1,18}, *)*\d{0,18}\))"
)
_FIELD = re.compile(_TEXT)
_HEADER = re.compile(rf"\{{((?:{_TEXT},? *)+)\}}\s*")


# ---- reading ------------------------------------------------------------------------------


def read_array(path: str, tensor: Tensor) -> Array:
    """The array of a ``.npy`` file for a tensor, as ``maiacc_sim`` takes it.

    Raises ``MaiaccError`` E0002 or E0005 for what cannot be read, E1204 for what is no array or
    damaged, and E1203 for one of another shape or type.
    """
    with open_plain(path) as file, _damage(path):
        return _read(file, os.fstat(file.fileno()).st_size, tensor, path)


def read_arrays(path: str, tensors: Mapping[str, Tensor]) -> dict[str, Array]:
    """The arrays of a ``.npz`` file, each for the tensor of its name.

    Raises what ``read_array`` raises, and E1202 for names that are not among ``tensors``.
    """
    with open_plain(path) as file, _damage(path):
        archive = _directory(file)
        found = {}
        for name, info in _known(archive, tensors).items():
            with archive.open(info) as member:
                stream, where = cast(BinaryIO, member), f"{path} [{info.filename}]"
                found[name] = _read(stream, info.file_size, tensors[name], where)
        return found


def read_stacks(
    path: str, tensors: Mapping[str, Tensor], most: int, fits: Callable[[Tensor, Shape], bool]
) -> dict[str, Array]:
    """The arrays of a ``.npz`` file, each of the type of the tensor of its name, and of a shape
    that ``fits``; of at most so many bytes together.

    Raises what ``read_arrays`` raises, and E1204 for a file with more bytes.
    """
    with open_plain(path) as file, _damage(path):
        archive = _directory(file)
        found, room = {}, most
        for name, info in _known(archive, tensors).items():
            with archive.open(info) as member:
                shape, _, dtype = _header(cast(BinaryIO, member))
            where = f"{path} [{info.filename}]"
            tensor = tensors[name]
            if fits(tensor, shape):
                tensor = replace(tensor, shape=shape)
            _fits(tensor, shape, dtype, where)
            room -= prod(shape) * dtype.itemsize
            if room < 0:
                raise refusal(
                    "the arrays are too large", f"at most {most:,} bytes", "give fewer samples"
                )
            with archive.open(info) as member:
                found[name] = _read(cast(BinaryIO, member), info.file_size, tensor, where)
        return found


def _known(archive: zipfile.ZipFile, tensors: Mapping[str, Tensor]) -> dict[str, zipfile.ZipInfo]:
    """The arrays of an archive by name. Raises ``MaiaccError`` E1202 for names that no tensor has,
    and E1204."""
    members = _members(archive)
    unknown = [name for name in members if name not in tensors]
    if unknown:
        raise MaiaccError(
            "E1202",
            f"the program has no input or state {quote(unknown[0])}",
            expected=quote(", ".join(tensors)) or "no inputs",
            found=quote(", ".join(unknown)),
        )
    return members


def read_plain_array(path: str, most: int) -> Array:
    """The array of a ``.npy`` file of any shape, of at most so many numbers.

    Raises ``MaiaccError`` E0002, E0005 or E1204.
    """
    with open_plain(path) as file, _damage(path):
        shape, fortran, dtype = _header(file)
        if prod(shape) > most or dtype.kind not in "biuf":
            raise refusal(f"the array is too large, or not of numbers: {dtype}{list(shape)}")
        data = file.read(prod(shape) * dtype.itemsize + 1)
        if len(data) != prod(shape) * dtype.itemsize:
            raise refusal("the array's header and the size of the file do not agree")
        array: Array = np.ndarray(shape, dtype, data, order="F" if fortran else "C")
        return np.asarray(array, dtype.newbyteorder("="), order="C")


@contextmanager
def _damage(path: str) -> Iterator[None]:
    """Turns what readers raise for damaged files into E1204."""
    try:
        yield
    except MaiaccError as problem:
        if problem.place is None:
            problem.place = Place(file=path)
        raise
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise MaiaccError("E0002", f"cannot be read: {reason}", place=Place(file=path)) from None
    except _DAMAGE as problem:
        message = f"this is no array file, or it is damaged: {quote(str(problem))}"
        raise MaiaccError("E1204", message, place=Place(file=path)) from None


def refusal(message: str, expected: str | None = None, hint: str | None = None) -> MaiaccError:
    """The refusal of a file that is no plain array."""
    return MaiaccError("E1204", message, expected=expected, hint=hint)


class _Bounded:
    """A file from which no large piece is read at once, while ``zipfile`` reads the directory."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.bounded = file, True
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if self.bounded and not 0 <= size <= DIRECTORY_LIMIT:
            size = DIRECTORY_LIMIT + 1
        data = self.file.read(size)
        if self.bounded and len(data) > DIRECTORY_LIMIT:
            raise refusal("the directory of the archive is too large")
        return data


def _directory(file: BinaryIO) -> zipfile.ZipFile:
    if file.read(4)[:2] != b"PK":
        raise refusal(
            "this is no .npz file",
            hint="numpy.savez writes one; a .npy file is given with --input NAME=FILE.npy",
        )
    bounded = _Bounded(file)
    archive = zipfile.ZipFile(cast(BinaryIO, bounded))
    bounded.bounded = False
    return archive


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The arrays of an archive by name."""
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(MEMBER)
        if name == info.filename or info.flag_bits & 1:
            raise refusal(f"{quote(info.filename)} is no array")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise refusal(f"{quote(info.filename)} is compressed in a way numpy does not write")
        if name in found:
            raise refusal(f"the file holds {quote(name)} twice")
        found[name] = info
    return found


def _read(stream: BinaryIO, size: int, tensor: Tensor, where: str) -> Array:
    """An array from its header and exactly the bytes that belong to it; the stream has ``size``
    bytes, or says so."""
    shape, fortran, dtype = _header(stream)
    _fits(tensor, shape, dtype, where)
    wanted, there = prod(shape) * dtype.itemsize, size - stream.tell()
    data = bytearray(stream.read(wanted)) if there == wanted else bytearray()
    if there != wanted or len(data) != wanted or stream.read(1):
        raise refusal(
            "the array's header and the size of the file do not agree",
            expected=f"{wanted} bytes behind the header, not {there}",
        )
    order: Literal["F", "C"] = "F" if fortran else "C"
    array: Array = np.ndarray(shape, dtype, data, order=order)
    if dtype.kind == "V":
        return _codes(array, tensor)
    return np.asarray(array, dtype.newbyteorder("="), order="C")


def _header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array. Raises ``MaiaccError`` E1204."""
    start = stream.read(len(MAGIC) + 2)
    wide = start[-2:] != b"\1\0"
    if start[:-2] != MAGIC or start[-2:] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise refusal("this is no array as numpy writes it")
    length = int.from_bytes(stream.read(4 if wide else 2), "little")
    text = stream.read(min(length, HEADER_LIMIT)).decode("latin-1")
    whole = _HEADER.fullmatch(text)
    fields = dict(_FIELD.findall(whole[1])) if whole and length == len(text) else {}
    if set(fields) != {"descr", "fortran_order", "shape"}:
        raise refusal("the array's header is damaged, or it holds records")
    shape = tuple(int(n) for n in re.findall(r"\d+", fields["shape"]))
    return shape, fields["fortran_order"] == "True", _type(fields["descr"].strip("'"))


def _type(text: str) -> np.dtype[Any]:
    """The type of an array by how numpy writes it. Raises ``MaiaccError`` E1204."""
    if text.strip("<>|=") == "f1":  # what becomes of e5m2 of ml_dtypes; numpy has no such type
        return np.dtype("V1")
    if "O" in text:
        raise refusal("the file holds Python objects, which are never loaded", "plain numbers")
    try:
        return np.dtype(text)
    except (TypeError, ValueError):
        raise refusal(f"there is no type {quote(text)}") from None


def _fits(tensor: Tensor, shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> None:
    """Raises ``MaiaccError`` E1203 for an array of another shape or type."""
    plain = host_dtype(tensor.dtype)
    foreign = tensor.dtype in FOREIGN and dtype == np.dtype(f"V{container(tensor.dtype).itemsize}")
    if shape == tensor.shape and (foreign or dtype.newbyteorder("=") == plain):
        return
    raise MaiaccError(
        "E1203",
        f"the array for {quote(tensor.name)} does not fit",
        place=Place(file=where),
        expected=title(tensor),
        found=f"{'codes of ' if dtype.kind == 'V' else ''}{dtype.name}{list(shape)}",
        hint="nothing is reshaped or converted unasked",
    )


def _codes(array: Array, tensor: Tensor) -> Array:
    """The codes of an array that ``ml_dtypes`` saved, which numpy stores as plain bytes."""
    codes: Array = np.asarray(array, order="C").view(container(tensor.dtype))
    t = load().dtypes[tensor.dtype]
    if t.signed and t.is_int:  # ml_dtypes extends the sign of int4 to the whole byte
        signed, unused = codes.view(np.int8), 8 - t.bits
        return np.where(signed == signed << unused >> unused, codes & ((1 << t.bits) - 1), codes)
    return codes


# ---- writing ------------------------------------------------------------------------------


def write_arrays(path: str, arrays: Mapping[str, Array]) -> None:
    """Writes a ``.npz`` file that appears when it is complete; equal arrays give equal bytes.

    Raises ``MaiaccError`` E0003 if it cannot be written.
    """
    with AtomicFile(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}{MEMBER}")
            with archive.open(info, "w", force_zip64=True) as member:
                npy.write_array(cast(BinaryIO, member), np.asarray(array), allow_pickle=False)
