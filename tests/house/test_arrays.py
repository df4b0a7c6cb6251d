"""Arrays of numpy as inputs: every order and type that means the same is taken, all else is refused."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maiacc.running.arrays import read_array, read_arrays
from maiacc_isa.errors import MaiaccError
from maiacc_isa.program import Tensor
from maiacc_sim.tensors import host_dtype


def tensor(dtype: str, *shape: int) -> Tensor:
    return Tensor("x", "input", dtype, shape, 0)


PLAIN = tensor("fp32", 2, 3)

#: Something whose unpickling would be noticed.
EVIL = pickle.dumps(print)


def npy(array: Any, **more: Any) -> bytes:
    """The bytes of a .npy file."""
    file = io.BytesIO()
    np.save(file, array, **more)
    return file.getvalue()


def npz(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The bytes of a .npz file with these members, whatever they are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


GOOD = npy(np.zeros((2, 3), np.float32))


def header(text: str, data: bytes = bytes(24), version: int = 1) -> bytes:
    """A .npy file with a header of one's own."""
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin-1") + data


def fields(descr: str = "'<f4'", shape: str = "(2, 3)", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


BAD_ARRAYS: dict[str, tuple[str, bytes]] = {
    "nothing": ("E1204", b""),
    "a byte": ("E1204", b"\x93"),
    "text": ("E1204", b"hello" * 1000),
    "a pickle": ("E1204", EVIL),
    "objects": ("E1204", npy(np.array([[print] * 3] * 2, object), allow_pickle=True)),
    "records": ("E1204", npy(np.zeros((2, 3), [("a", "<f4")]))),
    "parts": ("E1204", header(fields("('<f4', (2,))"))),
    "cut in the magic": ("E1204", GOOD[:5]),
    "cut in the header": ("E1204", GOOD[:40]),
    "cut in the data": ("E1204", GOOD[:-1]),
    "without data": ("E1204", GOOD[:-24]),
    "too long": ("E1204", GOOD + b"\0"),
    "twice": ("E1204", GOOD + GOOD),
    "version 9": ("E1204", GOOD.replace(b"\x01\x00v", b"\x09\x00v")),
    "long header": ("E1204", header(fields() + " " * 60000)),
    "endless header": ("E1204", header("", version=2)[:8] + b"\xff\xff\xff\xff" + bytes(99)),
    "parentheses": ("E1204", header("(" * 9000)),
    "calls": ("E1204", header(fields(shape="(print('x'), 3)"))),
    "negative": ("E1204", header(fields(shape="(-2, -3)"))),
    "no shape": ("E1204", header("{'descr': '<f4', 'fortran_order': False}")),
    "no such type": ("E1204", header(fields("'<q77'"))),
    "digits": ("E1204", header(fields(shape=f"({'9' * 5000},)"))),
    "huge": ("E1203", header(fields(shape="(999999999999, 999999999999)"))),
    "other shape": ("E1203", npy(np.zeros((3, 2), np.float32))),
    "other rank": ("E1203", npy(np.zeros(6, np.float32))),
    "other type": ("E1203", npy(np.zeros((2, 3)))),
    "integers": ("E1203", npy(np.zeros((2, 3), np.int32))),
    "strings": ("E1203", npy(np.full((2, 3), "abc"))),
    "complex": ("E1203", npy(np.zeros((2, 3), np.complex64))),
    "dates": ("E1204", npy(np.zeros((2, 3), "M8[s]"))),
    "bytes of another size": ("E1203", npy(np.zeros((2, 3), "V4"))),
}


def refused(code: str, read: Callable[[], Any]) -> MaiaccError:
    with pytest.raises(MaiaccError) as caught:
        read()
    assert caught.value.code == code, str(caught.value)
    assert str(caught.value.place)
    return caught.value


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_are_none_or_do_not_fit(name: str, tmp_path: Path) -> None:
    code, data = BAD_ARRAYS[name]
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    refused(code, lambda: read_array(str(path), PLAIN))
    inside = tmp_path / "x.npz"
    inside.write_bytes(npz({"x.npy": data}))
    refused(code, lambda: read_arrays(str(inside), {"x": PLAIN}))


def crowded() -> bytes:
    """An archive with a directory of some megabytes."""
    return npz({f"{n:060}.npy": b"" for n in range(15_000)}, zipfile.ZIP_STORED)


def with_flag(data: bytes) -> bytes:
    """An archive that says it is encrypted."""
    at = data.index(b"PK\x01\x02") + 8
    return data[:at] + b"\1" + data[at + 1 :]


BAD_ARCHIVES: dict[str, tuple[str, bytes]] = {
    "nothing": ("E1204", b""),
    "an array": ("E1204", GOOD),
    "a tail": ("E1204", b"PK\x05\x06" + bytes(10)),
    "cut": ("E1204", npz({"x.npy": GOOD})[:-30]),
    "no array": ("E1204", npz({"x.txt": GOOD})),
    "another name": ("E1202", npz({"x.npy": GOOD, "y.npy": GOOD})),
    "a path": ("E1202", npz({"../../x.npy": GOOD})),
    "lzma": ("E1204", npz({"x.npy": GOOD}, zipfile.ZIP_LZMA)),
    "encrypted": ("E1204", with_flag(npz({"x.npy": GOOD}))),
    "damaged": ("E1204", npz({"x.npy": GOOD}, zipfile.ZIP_STORED).replace(bytes(24), b"a" * 24)),
    "crowded": ("E1204", crowded()),
    "a bomb": ("E1204", npz({"x.npy": GOOD + bytes(200 << 20)})),
    "a bomb of zeros": ("E1203", npz({"x.npy": npy(np.zeros((7000, 7000), np.float32))})),
}


@pytest.mark.parametrize("name", BAD_ARCHIVES)
def test_archives_that_are_none_or_do_not_fit(name: str, tmp_path: Path) -> None:
    code, data = BAD_ARCHIVES[name]
    path = tmp_path / "x.npz"
    path.write_bytes(data)
    refused(code, lambda: read_arrays(str(path), {"x": PLAIN}))


def test_two_arrays_of_a_name(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    data = npz({"x.npy": GOOD, "y.npy": GOOD})
    path.write_bytes(data.replace(b"y.npy", b"x.npy"))
    refused("E1204", lambda: read_arrays(str(path), {"x": PLAIN}))


def test_a_size_that_the_directory_makes_up(tmp_path: Path) -> None:
    """The declared size fits the tensor, what comes out does not."""
    path = tmp_path / "x.npz"
    data = bytearray(npz({"x.npy": GOOD + bytes(50 << 20)}))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(mark) + offset
        data[at : at + 4] = struct.pack("<I", len(GOOD))
    path.write_bytes(data)
    refused("E1204", lambda: read_arrays(str(path), {"x": PLAIN}))


def test_special_files_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    refused("E0005", lambda: read_array(str(tmp_path / "pipe.npy"), PLAIN))
    refused("E0005", lambda: read_array("/dev/zero", PLAIN))
    refused("E0005", lambda: read_arrays(str(tmp_path), {"x": PLAIN}))
    refused("E0002", lambda: read_array("a\0b", PLAIN))


FOREIGN = [
    ("bf16", ml_dtypes.bfloat16, [1.5, -2, 0]),
    ("e4m3", ml_dtypes.float8_e4m3fn, [1.5, -2, 0]),
    ("e5m2", ml_dtypes.float8_e5m2, [1.5, -2, 0]),
    ("e2m1", ml_dtypes.float4_e2m1fn, [1.5, -2, 0]),
    ("e8m0", ml_dtypes.float8_e8m0fnu, [1, 2, 0.5]),
    ("int4", ml_dtypes.int4, [-8, 7, -1]),
    ("uint4", ml_dtypes.uint4, [0, 15, 8]),
]


@pytest.mark.parametrize(("dtype", "foreign", "values"), FOREIGN, ids=lambda x: str(x)[:12])
def test_arrays_of_ml_dtypes_are_codes(
    dtype: str, foreign: Any, values: list[float], tmp_path: Path
) -> None:
    array = np.array(values).astype(foreign)
    np.save(tmp_path / "x.npy", array)
    found = read_array(str(tmp_path / "x.npy"), tensor(dtype, 3))
    codes = array.view(host_dtype(dtype))
    assert np.array_equal(found, codes & 15 if dtype == "int4" else codes)
    assert found.dtype == host_dtype(dtype)


@given(
    shape=st.lists(st.integers(0, 4), max_size=4),
    dtype=st.sampled_from(["fp32", "fp16", "int8", "int64", "uint16", "bf16", "bool"]),
    order=st.sampled_from("CF"),
    big=st.booleans(),
    data=st.data(),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_byte_order_is_the_same_array(
    shape: list[int], dtype: str, order: str, big: bool, data: st.DataObject, tmp_path: Path
) -> None:
    plain = host_dtype(dtype)
    size = int(np.prod(shape)) * plain.itemsize
    raw = data.draw(st.binary(min_size=size, max_size=size))
    array = np.frombuffer(bytes(b & 1 for b in raw), plain).reshape(shape)
    written = array.astype(plain.newbyteorder(">") if big else plain, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "x.npy", written)
    np.savez_compressed(tmp_path / "x.npz", x=written)
    wanted = tensor(dtype, *shape)
    for found in (
        read_array(str(tmp_path / "x.npy"), wanted),
        read_arrays(str(tmp_path / "x.npz"), {"x": wanted})["x"],
    ):
        assert found.dtype == plain
        assert found.shape == tuple(shape)
        assert found.tobytes() == array.tobytes()


@given(at=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7), packed_=st.booleans())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bits_never_do_harm(at: int, bit: int, packed_: bool, tmp_path: Path) -> None:
    data = bytearray(npz({"x.npy": GOOD}) if packed_ else GOOD)
    data[at] ^= 1 << bit
    path = tmp_path / "x"
    path.write_bytes(data)
    try:
        if packed_:
            found = read_arrays(str(path), {"x": PLAIN})["x"]
        else:
            found = read_array(str(path), PLAIN)
        assert found.shape == (2, 3)
        assert found.dtype == np.float32
    except MaiaccError as problem:
        assert problem.code in ("E1202", "E1203", "E1204")
