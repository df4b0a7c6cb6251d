"""The shape of assembly text: ``read(text)`` gives a tree of statements, each with its line.

Nothing is resolved here; ``maiacc_isa.asm`` gives names their meaning.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Tree, UnexpectedInput

from maiacc_isa.asm_build import Build
from maiacc_isa.asm_nodes import Statement
from maiacc_isa.asm_syntax import syntax_error
from maiacc_isa.errors import MaiaccError, Place

#: Largest program text read, in characters and lines, its longest line without lists and
#: quoted texts, and its largest nesting of brackets.
TEXT_LIMIT = 16 << 20
LINE_LIMIT = 40_000
WIDTH_LIMIT = 10_000
DEPTH_LIMIT = 40

_BUILD = Build()

#: What may hold brackets that open nothing, brackets, and ends of lines.
_BRACKET = re.compile(r'"(?:[^"\\\n]++|\\.)*+"|#[^\n]*|[{}()\[\]\n]')
_LONG = re.compile(r'"(?:[^"\\\n]++|\\.)*+"|\[[-0-9a-fx.,\s]*\]|#.*')


class _Rule(Tree[Any]):
    """A rule that has just been read: its parts are built at once and their trees forgotten.

    A rule's own place is known only after it has been made, so it is built with the rule around
    it. Helper rules of the grammar, whose names begin with underscores, pass their parts on.
    """

    def __init__(self, data: str, children: list[Any], meta: Any = None) -> None:
        if not data.startswith("_"):
            children = [built(child) for child in children]
        super().__init__(data, children, meta)


def built(part: Any) -> Any:
    """A rule's meaning; other parts are what they are."""
    return _BUILD.reduce(part.data, part.meta, part.children) if isinstance(part, _Rule) else part


@cache
def _grammar() -> Lark:
    text = files("maiacc_isa").joinpath("asm.lark").read_text("utf-8")
    return Lark(
        text, parser="lalr", maybe_placeholders=True, propagate_positions=True, tree_class=_Rule
    )


@cache
def _literals() -> dict[str, str]:
    """The characters of the terminals that the grammar gives as such."""
    return {t.name: t.pattern.value for t in _grammar().terminals if t.pattern.type == "str"}


def read(text: str, file: str | None = None) -> list[Statement]:
    """The statements of a program text, blocks and loops holding theirs under ``body``.

    Raises ``MaiaccError`` E0501 where the text is not in the language, E0504 for a number that
    is too long, E0505 for text that is too large or nests too deep.
    """
    lines = text.split("\n")
    try:
        _limits(text, lines)
        result: list[Statement] = built(
            _grammar().parse(text if text[-1:] == "\n" else text + "\n")
        )
        return result
    except UnexpectedInput as problem:
        raise located(syntax_error(problem, lines, _literals()), lines, file) from None
    except MaiaccError as problem:
        raise located(problem, lines, file) from None


def located(error: MaiaccError, lines: list[str], file: str | None) -> MaiaccError:
    """The error with file name and the text of its line filled in."""
    place = error.place or Place()
    line = place.line
    text = lines[line - 1] if line is not None and 0 < line <= len(lines) else None
    if place.file is None or place.file == file:
        error.place = Place(file, line, place.column, text, place.block, place.word, place.label)
    return error


def _limits(text: str, lines: list[str]) -> None:
    if len(text) > TEXT_LIMIT or len(lines) > LINE_LIMIT:
        raise MaiaccError(
            "E0505",
            "the program text is too large",
            expected=f"at most {LINE_LIMIT} lines and {TEXT_LIMIT >> 20} MiB",
            found=f"{len(lines)} lines, {len(text)} characters",
        )
    for number, line in enumerate(lines, 1):
        width = len(line)
        if width > WIDTH_LIMIT and (width := len(_LONG.sub("", line))) > WIDTH_LIMIT:
            raise MaiaccError(
                "E0505",
                "the line is too long",
                place=Place(line=number),
                expected=f"at most {WIDTH_LIMIT} characters besides lists and quoted texts",
                found=f"{width} characters",
            )
    depth, line_number = 0, 1
    for match in _BRACKET.finditer(text):
        mark = match.group()
        line_number += mark == "\n"
        depth += 1 if mark in "{([" else -1 if mark in "})]" else 0
        if depth > DEPTH_LIMIT:
            raise MaiaccError(
                "E0505",
                "brackets nest too deep",
                place=Place(line=line_number),
                expected=f"at most {DEPTH_LIMIT} levels",
            )
