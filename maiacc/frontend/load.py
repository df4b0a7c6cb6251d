"""Model files are read: plain files of a sensible size that hold one ONNX model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from maiacc.frontend.header import header_problems
from maiacc.frontend.kinds import kind_of
from maiacc.frontend.wire import GRAPH, Broken, check_cost, top_fields
from maiacc_isa.atomic import open_plain
from maiacc_isa.errors import ErrorList, MaiaccError, Place

#: Protobuf has no larger messages.
LARGEST = (1 << 31) - 1

#: Files of at most so many bytes are parsed without a look at what that would cost.
SMALL = 1 << 20


@dataclass(frozen=True)
class Loaded:
    """A model as it was read. ``folder`` is where its external data are, None for a model that was
    never a file; ``notes`` say what of the file is left aside."""

    model: onnx.ModelProto
    folder: Path | None
    file: str
    notes: tuple[str, ...] = ()


def load_model(source: str | os.PathLike[str] | onnx.ModelProto | Any) -> Loaded:
    """A model from a file, or one that is in memory already, also inside of what
    ``torch.onnx.export`` gives. External data are not read.

    Raises ``MaiaccError`` E0002, E0005 or E0006 for a file that cannot be read, E1301 or E1308 for
    what is no model, and ``ErrorList`` of E1301, E1302 and E1303 for one of another version.
    """
    if isinstance(source, str | os.PathLike):
        file = os.fspath(source)
        folder: Path | None = Path(file).parent
        model = _parsed(_read(file), file)
    else:
        file, folder = "", None
        model = _in_memory(source)
    problems = header_problems(model)
    for problem in problems:
        problem.place = Place(file=file) if file else None
    if problems:
        raise ErrorList(problems)
    return Loaded(model, folder, file, tuple(_notes(model)))


def _in_memory(source: Any) -> onnx.ModelProto:
    """The model that somebody hands over. Raises ``MaiaccError`` E1301."""
    model = getattr(source, "model_proto", source)
    if isinstance(model, onnx.ModelProto):
        return model
    raise MaiaccError(
        "E1301",
        "this is no model",
        expected="a path or an onnx.ModelProto",
        found=type(source).__name__,
    )


def _notes(model: onnx.ModelProto) -> list[str]:
    """What is in a model and plays no part here."""
    if model.training_info:
        return ["the model's training_info is left aside: only inference is compiled"]
    return []


def _read(file: str) -> bytes:
    """The bytes of a file. Raises ``MaiaccError`` E0002, E0005, E0006."""
    with open_plain(file) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > LARGEST:
            raise MaiaccError(
                "E0006",
                "the model file is larger than protobuf allows",
                place=Place(file=file),
                expected=f"at most {LARGEST} bytes",
                found=str(size),
                hint="save it with external data: onnx.save(..., save_as_external_data=True)",
            )
        try:
            return stream.read(size)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise MaiaccError(
                "E0002", f"cannot be read: {reason}", place=Place(file=file)
            ) from None


def _parsed(data: bytes, file: str) -> onnx.ModelProto:
    """The model that a file holds. Raises ``MaiaccError`` E1301 or E1308."""
    model = onnx.ModelProto()
    try:
        fields = check_cost(data) if len(data) > SMALL else top_fields(data)
        model.ParseFromString(data)
    except MaiaccError as problem:
        problem.place = Place(file=file)
        raise
    except (Broken, DecodeError, RecursionError) as problem:
        raise _no_model(data, file, problem) from None
    graphs = fields.get(GRAPH, 0)
    if graphs > 1:
        raise MaiaccError(
            "E1301",
            f"the file holds {graphs} models, one behind the other",
            place=Place(file=file),
            hint="separate them",
        )
    if not graphs or not model.ir_version:
        raise _no_model(data, file, None)
    return model


def _no_model(data: bytes, file: str, problem: Exception | None) -> MaiaccError:
    """The refusal of a file that holds no model: says what it may be instead."""
    place = Place(file=file)
    kind = kind_of(data)
    if kind is not None:
        return MaiaccError(
            "E1301", f"this is no ONNX model: {kind.what}", place=place, hint=kind.way_out
        )
    if problem is None:
        lacking = "an IR version" if GRAPH in top_fields(data) else "a graph"
        message = f"the file holds no ONNX model: {lacking} is missing"
        return MaiaccError("E1301", message, place=place)
    try:
        check_cost(data)
    except MaiaccError as deep:
        deep.place = place
        return deep
    except Broken as broken:
        problem = broken
    return MaiaccError(
        "E1301",
        f"the file is no ONNX model, or is damaged or cut off: {problem}",
        place=place,
        found=f"{len(data)} bytes",
        hint="fetch or export it again",
    )
