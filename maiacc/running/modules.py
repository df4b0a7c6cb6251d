"""Modules of the IR as users name them: a model in ONNX, or a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.verify import verify

from maiacc.files import read_text
from maiacc.frontend.load import load_model
from maiacc.frontend.model import import_model
from maiacc.frontend.options import settings_for
from maiacc_isa.errors import MaiaccError, Place
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module


@contextmanager
def refusals(file: str) -> Iterator[None]:
    """Turns what the IR refuses into errors with a place."""
    try:
        yield
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

    Raises ``MaiaccError``.
    """
    with refusals(path):
        if path.endswith(".onnx"):
            loaded = load_model(path)
            return import_model(
                loaded.model, settings_for(loaded.model, shapes, binds), loaded.folder
            )
        module = parse_module(read_text(path))
        verify(module)
        return module
