"""Data of tensors in files beside the model: found, checked and mapped, never trusted.

A location is a path inside the folder of the model. Links may not lead out of it, files may not
have a second name elsewhere, and what a tensor claims of a file has to be there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import onnx

from maiacc_isa.errors import MaiaccError, quote
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.weights import Bytes, stamp_of

#: What a tensor may say about its data. A checksum is of the whole file, and is not compared.
KEYS = ("location", "offset", "length", "checksum")

#: Characters of a location.
LONGEST = 4096

#: Where Hugging Face's cache has folders of models, full of links, and the files they lead to.
_SNAPSHOTS, _BLOBS = "snapshots", "blobs"


def external(proto: onnx.TensorProto, kind: Type, folder: Path | None) -> Bytes:
    """Where the data of a tensor are. Raises ``MaiaccError`` E1307."""
    facts = _facts(proto)
    location = facts.get("location", "")
    parts = _parts(proto, location)
    if folder is None:
        raise _wrong(
            proto,
            "has its data in a file, and the model was given without one",
            found=quote(location),
            hint="give the path of the model file",
        )
    offset = _number(proto, facts, "offset", 0)
    length = _number(proto, facts, "length", kind.bytes)
    if length != kind.bytes:
        raise _wrong(
            proto,
            "has another number of bytes than its shape says",
            expected=f"{kind.bytes} for {kind}",
            found=str(length),
        )
    path = _resolved(proto, folder, parts)
    facts_of_file = _plain(proto, path, location)
    if offset + length > facts_of_file.st_size:
        raise _wrong(
            proto,
            "lies outside its file",
            expected=f"bytes {offset} to {offset + length} of {quote(location)}",
            found=f"{facts_of_file.st_size} bytes",
            hint="the file is cut off; fetch or export it again",
        )
    return Bytes(path, offset, length, stamp_of(facts_of_file))


def _facts(proto: onnx.TensorProto) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in proto.external_data:
        if not isinstance(entry.key, str) or not isinstance(entry.value, str):
            raise _wrong(proto, "has a description that is not UTF-8")
        if entry.key not in KEYS:
            known = ", ".join(KEYS)
            raise _wrong(proto, "says what is not known", expected=known, found=quote(entry.key))
        if entry.key in found:
            raise _wrong(proto, f"gives its {entry.key} twice")
        found[entry.key] = entry.value
    return found


def _number(proto: onnx.TensorProto, facts: Mapping[str, str], key: str, default: int) -> int:
    text = facts.get(key)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _wrong(
            proto,
            f"has data whose {key} is no number of bytes",
            expected="a whole number, 0 or more",
            found=quote(text),
        )
    return int(text)


def _parts(proto: onnx.TensorProto, location: str) -> list[str]:
    """The components of a location that stays below the folder."""
    parts = [part for part in location.split("/") if part != "."]
    good = (
        parts
        and not any(part in ("", "..") for part in parts)
        and not any(c in "\\\0" for c in location)
        and location[1:2] != ":"
        and len(location) <= LONGEST
    )
    if not good:
        raise _wrong(
            proto,
            "has its data where no data may be",
            expected="the name of a file in the folder of the model",
            found=quote(location) or "nothing",
            hint="do not trust this model, unless you know how it was made",
        )
    return parts


def _resolved(proto: onnx.TensorProto, folder: Path, parts: list[str]) -> str:
    """The path of a file, without links. It is inside the folder."""
    name = "/".join(parts)
    try:
        home = os.path.realpath(folder, strict=True)
        path = os.path.realpath(os.path.join(home, *parts), strict=True)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise _wrong(
            proto,
            f"has its data in a file that cannot be read: {reason}",
            found=quote(name),
            hint="put the data file beside the model",
        ) from None
    if not any(path.startswith(root + os.sep) for root in (home.rstrip(os.sep), *_blobs(home))):
        raise _wrong(
            proto,
            "has its data behind a link that leads out of the folder of the model",
            found=quote(name),
            hint="copy the data file beside the model",
        )
    return path


def _blobs(home: str) -> list[str]:
    """Where links of a folder in Hugging Face's cache lead."""
    before, found, _ = home.rpartition(f"{os.sep}{_SNAPSHOTS}{os.sep}")
    blobs = os.path.join(before, _BLOBS)
    return [blobs] if found and os.path.realpath(blobs) == blobs else []


def _plain(proto: onnx.TensorProto, path: str, location: str) -> os.stat_result:
    """What the system knows of a file that has only one name."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise _wrong(
            proto, f"has its data in a file that cannot be read: {reason}", found=quote(location)
        ) from None
    try:
        facts = os.fstat(handle)
    finally:
        os.close(handle)
    if not stat.S_ISREG(facts.st_mode):
        raise _wrong(proto, "has its data in what is no plain file", found=quote(location))
    if facts.st_nlink > 1:
        raise _wrong(
            proto,
            "has its data in a file with more than one name (a hard link)",
            found=quote(location),
            hint="copy the file, so that it is the model's own",
        )
    return facts


def _wrong(
    proto: onnx.TensorProto,
    message: str,
    expected: str | None = None,
    found: str | None = None,
    hint: str | None = None,
) -> MaiaccError:
    return MaiaccError(
        "E1307", f"tensor {proto.name!r} {message}", expected=expected, found=found, hint=hint
    )
