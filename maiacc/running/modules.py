"""Modules of the IR as users name them: a model in ONNX, or a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from maiacc.files import read_text
from maiacc.frontend.load import load_model
from maiacc.frontend.model import import_model
from maiacc.frontend.options import settings_for
from maiacc_isa.errors import ErrorList, MaiaccError, Place, quote
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.verify import verify


@contextmanager
def refusals(file: str) -> Iterator[None]:
    """Turns what the IR refuses into errors with a place, and gives one to those without."""
    try:
        yield
    except ErrorList as problem:
        for error in problem.errors:
            error.place = error.place or Place(file=file)
        raise
    except IRError as problem:
        raise MaiaccError(
            problem.code,
            problem.message,
            place=Place(file=file, line=problem.line),
            node=", ".join(problem.nodes) or None,
            expected=problem.expected,
            found=problem.found,
            hint=problem.hint,
        ) from None


def read_module(path: str, shapes: Iterable[str] = (), binds: Iterable[str] = ()) -> Module:
    """The module of a model (.onnx) or of a text of the IR (any other file, or ``-``).

    Raises ``MaiaccError``; E1310 or E1311 for shapes or values that are given beside a text.
    """
    with refusals(path):
        if path.lower().endswith(".onnx"):
            loaded = load_model(path)
            return import_model(
                loaded.model, settings_for(loaded.model, shapes, binds), loaded.folder
            )
        text_only(path, shapes, binds)
        module = parse_module(_text(path))
        verify(module)
        return module


def text_only(path: str, shapes: Iterable[str], binds: Iterable[str]) -> None:
    """Raises ``MaiaccError`` E1310 or E1311 for what goes with a model only."""
    for code, given in (("E1310", list(shapes)), ("E1311", list(binds))):
        if given:
            raise MaiaccError(
                code,
                "a text of the IR has all its shapes and values already",
                place=Place(file=path),
                found=quote(given[0]),
                hint="give them with the model that the text is from",
            )


def _text(path: str) -> str:
    """A text. Raises ``MaiaccError`` E0002, E0005 or E0006."""
    try:
        return read_text(path)
    except MaiaccError as problem:
        if problem.code == "E0005" and problem.hint:
            problem.hint = "a model of ONNX is read from a file whose name ends in .onnx"
        raise
