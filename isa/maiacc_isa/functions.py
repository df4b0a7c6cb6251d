"""The transcendental functions as data: ``rows/functions.fn`` as frozen rows.

The text is the definition. The manual prints it (``to_text``), the reference simulator
walks it (``function_eval``), another code generator may do the same, and the published
operation count is its number of stages. ``functions.lark`` says what the language means.
"""

from __future__ import annotations

import importlib
from functools import cache
from importlib.resources import files

from maiacc_isa import frozen
from maiacc_isa import function_rows as rows
from maiacc_isa.function_rows import FunctionSet, to_text

__all__ = ["load", "parse", "to_text"]

#: What parses functions; loaded only where they are not in the cache, since it takes long.
PARSER = "maiacc_isa.function_parse"


@cache
def load() -> FunctionSet:
    """The functions of MIST, with their tables and ops."""
    package = files("maiacc_isa")
    text = package.joinpath("rows", "functions.fn").read_text("utf-8")
    grammar = package.joinpath("functions.lark").read_text("utf-8")
    found: FunctionSet = frozen.kept(
        "functions",
        frozen.Codec(frozen.classes_of(rows)),
        [text, grammar],
        lambda: parse(text, "functions.fn"),
    )
    return found


def parse(text: str, file: str = "functions.fn", known: FunctionSet | None = None) -> FunctionSet:
    """Reads a ``.fn`` text; ``known`` holds definitions it may use, or replace by its own.

    Raises ``MaiaccError`` E0210 with line and column for anything the language does not allow.
    """
    found: FunctionSet = importlib.import_module(PARSER).parse(text, file, known)
    return found
