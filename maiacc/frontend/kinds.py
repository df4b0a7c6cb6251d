"""What files are that are no ONNX models, by their first bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of file, and what to do with one."""

    what: str
    way_out: str


_EXPORT = "export the model to ONNX with the framework that wrote it"
_AGAIN = "fetch the file again"


def _starts(*heads: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(heads)


def _holds(at: int, text: bytes) -> Callable[[bytes], bool]:
    return lambda data: data[at : at + len(text)] == text


def _zip_with(name: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(b"PK") and name in data[:4096] + data[-65536:]


def _is_page(data: bytes) -> bool:
    return re.match(rb"\s*<(!doctype html|html|head|\?xml)", data[:200], re.IGNORECASE) is not None


def _is_text(data: bytes) -> bool:
    head = data[:1024]
    return not any(byte < 32 and byte not in b"\t\n\r\f" for byte in head)


#: Kinds of files, the ones that are easily told first.
_KINDS: tuple[tuple[Callable[[bytes], bool], str, str], ...] = (
    (lambda data: not data, "the file is empty", _AGAIN),
    (_starts(b"version https://git-lfs"), "a pointer of Git LFS", "git lfs pull fetches the model"),
    (_zip_with(b"manifest.json"), "a compiled program or another archive",
     "maiacc run and maiacc lint take .maia files"),
    (_zip_with(b"data.pkl"), "a checkpoint of PyTorch", "use torch.onnx.export"),
    (_starts(b"PK\x03\x04", b"PK\x05\x06"), "a ZIP archive", "unpack it first"),
    (_holds(4, b"TFL3"), "a model of TensorFlow Lite", "tf2onnx converts those"),
    (_holds(4, b"ORTM"), "a model in the format of onnxruntime", "use the .onnx it was made from"),
    (lambda data: data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"),
     "a Python pickle, which is never loaded", "use torch.onnx.export"),
    (_starts(b"\x89HDF"), "an HDF5 file", _EXPORT),
    (_starts(b"GGUF"), "a GGUF file", _EXPORT),
    (_starts(b"ML\xefR"), "MLIR bytecode", _EXPORT),
    (_starts(b"\x93NUMPY"), "an array of numpy", _EXPORT),
    (_holds(8, b'{"'), "a file of safetensors", _EXPORT),
    (_starts(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"), "a compressed file",
     "unpack it first"),
    (_holds(257, b"ustar"), "a tar archive", "unpack it first"),
    (_starts(b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe"), "a program for a computer", _AGAIN),
    (_starts(b"\x89PNG", b"\xff\xd8\xff", b"GIF8"), "a picture", _AGAIN),
    (_starts(b"%PDF"), "a PDF document", _AGAIN),
    (_is_page, "a web page or XML",
     "the download gave a page instead of the file; OpenVINO models are XML"),
    (_starts(b"ir_version", b"<"), "a model written as text", "convert it with onnx.parser"),
    (_is_text, "a text", _AGAIN),
    (lambda data: not data.strip(b"\0"), "only zeros, as of a broken download", _AGAIN),
)  # fmt: skip


def kind_of(data: bytes) -> Kind | None:
    """What a file is that cannot be parsed as a model; None if nothing is known."""
    return next((Kind(what, out) for test, what, out in _KINDS if test(data)), None)
