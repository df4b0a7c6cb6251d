"""Rows 1 to 20: what is no file of a model, and what protobuf makes of bytes."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import random
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from frontend.bad_models import (
    Case,
    Many,
    bad,
    good,
    model,
    node,
    relu,
    rows,
    simple,
    value,
    weight,
)


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def field(number: int, data: bytes) -> bytes:
    """A field of bytes as protobuf writes it."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def _fixed(data: bytes) -> Callable[[Path], bytes]:
    return lambda folder: data


def _many(number: int, *outer: int, piece: bytes = b"") -> Callable[[Path], bytes]:
    """A graph in which a piece is there so often, inside of some fields."""

    def make(folder: Path) -> bytes:
        data = piece * number
        for name in outer:
            data = field(name, data)
        return b"\x08\x0a" + data

    return make


def _zip(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    return stream.getvalue()


def _truncated(folder: Path) -> Many:
    data = simple().SerializeToString()
    return Many([data[: len(data) * i // 200] for i in range(200)])


def _flipped() -> Iterator[bytes]:
    data = bytearray(simple().SerializeToString())
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        yield bytes(data)
        data[bit // 8] ^= 1 << bit % 8


def _folder(folder: Path) -> Path:
    (folder / "x.onnx").mkdir()
    return folder / "x.onnx"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "x.onnx")
    return folder / "x.onnx"


def _sparse_file(size: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with open(folder / "x.onnx", "wb") as file:
            file.truncate(size)
        return folder / "x.onnx"

    return make


def _unreadable(folder: Path) -> Path:
    path = folder / "x.onnx"
    path.write_bytes(simple().SerializeToString())
    path.chmod(0)
    if not os.geteuid():
        os.setuid(65534)
    return path


def _loop(folder: Path) -> Path:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    return folder / "a"


def _nested(depth: int, top: int = 7) -> bytes:
    """A graph in an attribute of a node of a graph, and so on."""
    inner = b""
    for _ in range(depth):
        inner = field(1, field(5, field(6, inner)))
    return b"\x08\x0a" + field(top, inner)


def _not_utf8(old: bytes) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        made = model(
            node("Clip", "inname lowname", "y", metname=1.0),
            inputs=[value("inname", ("dimname",))],
            weights=[weight("lowname", 1.0)],
        )
        made.graph.node[0].name = "nodename"
        made.graph.node.add(op_type="opname", domain="domname", input=["y"], output=["z"])
        made.graph.node[0].metadata_props.add(key="keyname", value="valname")
        data = bytes(made.SerializeToString())
        assert old in data
        return data.replace(old, b"\xff\xfe" + old[2:])

    return make


_SMALL = simple().SerializeToString()
_PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)

CASES = rows(
    bad("1", "no bytes", "E1301", "empty", _fixed(b"")),
    bad("2", "one byte", "E1301", "model", _fixed(b"\x08")),
    bad("3", "4 KiB of noise", "E1301", "model", _fixed(random.Random(0).randbytes(4096))),
    Case("4", "cut off at 200 places", _truncated, ("*",)),
    Case("5", "each bit flipped", lambda folder: Many(_flipped()), ("*",), seconds=20),
    bad("6", "a text", "E1301", "text", _fixed(b"hello")),
    bad("7a", "gzip", "E1301", "compressed", _fixed(gzip.compress(_SMALL))),
    bad("7b", "zip", "E1301", "ZIP", _fixed(_zip("x.onnx"))),
    bad("7c", "tar", "E1301", "tar", _fixed(_tar())),
    bad("7d", "ELF", "E1301", "program", _fixed(b"\x7fELF\x02\x01\x01" + bytes(100))),
    bad("7e", "PNG", "E1301", "picture", _fixed(_PNG)),
    bad("7f", "PDF", "E1301", "PDF", _fixed(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj")),
    bad("7g", "a pointer of Git LFS", "E1301", "git lfs pull",
        _fixed(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")),
    bad("7h", "a web page", "E1301", "page", _fixed(b"<!DOCTYPE html>\n<html><body>404</body>")),
    bad("7i", "zeros", "E1301", "zeros", _fixed(bytes(4096))),
    bad("7j", "text format", "E1301", "parser", _fixed(b'ir_version: 8\nproducer_name: "x"\n')),
    bad("7k", "safetensors", "E1301", "safetensors", _fixed(b'\x40\0\0\0\0\0\0\0{"w":{}}')),
    bad("7l", "a compiled program", "E1301", "maiacc run", _fixed(_zip("manifest.json", "code"))),
    bad("8", "a folder", "E0005", "x.onnx", _folder),
    bad("9", "a pipe", "E0005", "x.onnx", _pipe),
    bad("10a", "/dev/zero", "E0005", "/dev/zero", lambda folder: "/dev/zero"),
    bad("10b", "10 GB of nothing", "E0006", "external", _sparse_file(10 << 30)),
    bad("11", "not to be read", "E0002", "Permission", _unreadable),
    bad("11b", "not there", "E0002", "no.onnx", lambda folder: folder / "no.onnx"),
    bad("12", "more than 2 GiB", "E0006", "external", _sparse_file((2 << 30) + 1)),
    good("13", "a million unknown fields", lambda folder: _SMALL + (varint(100 << 3) + b"\1") * 1_000_000),
    bad("14", "nested 10,000 deep", "E1308", "nested", _fixed(_nested(3334))),
    bad("14b", "nested 34 deep", "E1308", "nested", _fixed(_nested(34))),
    bad("14c", "20 million empty nodes", "E1308", "parts",
        _many(20_000_000, 7, piece=b"\x0a\0"), seconds=4),
    bad("14d", "20 million empty attributes", "E1308", "parts",
        _many(20_000_000, 1, 7, piece=b"\x2a\0"), seconds=4),
    bad("14e", "a list of 100 million zeros", "E1308", "parts",
        _many(100_000_000, 7, 5, 7, piece=b"\0")),
    bad("15", "a field of 2^62 bytes", "E1301", "bytes", _fixed(_SMALL + b"\x3a" + varint(1 << 62))),
    bad("16", "no graph", "E1301", "graph", _fixed(b"\x08\x0a\x12\x01x")),
    bad("16b", "no IR version", "E1301", "version", _fixed(field(7, b""))),
    bad("17", "two models", "E1301", "2 models", _fixed(_SMALL + _SMALL)),
    *(bad(f"18-{name}", f"{name} is not UTF-8", "E1302", "UTF-8", _not_utf8(name.encode()))
      for name in ("nodename", "inname", "lowname", "dimname", "metname", "keyname", "valname",
                   "opname", "domname")),
    bad("19a", "TensorFlow Lite", "E1301", "Lite", _fixed(b"\x1c\0\0\0TFL3" + bytes(64))),
    bad("19b", "onnxruntime", "E1301", "onnxruntime", _fixed(b"\x20\0\0\0ORTM" + bytes(64))),
    bad("19c", "a pickle", "E1301", "pickle", _fixed(pickle.dumps({"x": [1.5]}, 2))),
    bad("19d", "a checkpoint", "E1301", "PyTorch", _fixed(_zip("archive/data.pkl", "archive/data/0"))),
    bad("20", "links in a circle", "E0002", "links", _loop),
    good("20b", "a good model", _fixed(model(relu()).SerializeToString())),
)  # fmt: skip
