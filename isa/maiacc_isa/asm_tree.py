"""The shape of assembly text: ``read(text)`` gives a tree of statements, each with its line.

Nothing is resolved here; ``maiacc_isa.asm`` gives names their meaning.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from lark import Lark, UnexpectedInput
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from maiacc_isa.asm_build import Build
from maiacc_isa.asm_nodes import Statement
from maiacc_isa.errors import MaiaccError, Place

#: Largest program text read, in characters, and its largest nesting of brackets.
TEXT_LIMIT = 16 << 20
LINE_LIMIT = 40_000
DEPTH_LIMIT = 40


@cache
def _grammar() -> Lark:
    text = files("maiacc_isa").joinpath("asm.lark").read_text("utf-8")
    return Lark(text, parser="lalr", maybe_placeholders=True, propagate_positions=True)


def read(text: str, file: str | None = None) -> list[Statement]:
    """The statements of a program text, blocks and loops holding theirs under ``body``.

    Raises ``MaiaccError`` E0501 where the text is not in the language, E0504 for a number that
    is too long, E0505 for text that is too large or nests too deep.
    """
    lines = text.splitlines()
    try:
        _limits(text, lines)
        if not text.endswith("\n"):
            text += "\n"
        tree = _grammar().parse(text)
        result: list[Statement] = Build().transform(tree)
        return result
    except UnexpectedInput as problem:
        raise _syntax_error(problem, lines, file) from None
    except VisitError as problem:
        if isinstance(problem.orig_exc, MaiaccError):
            raise located(problem.orig_exc, lines, file) from None
        raise
    except MaiaccError as problem:
        raise located(problem, lines, file) from None


def located(error: MaiaccError, lines: list[str], file: str | None) -> MaiaccError:
    """The error with file name and the text of its line filled in."""
    place = error.place or Place()
    line = place.line
    text = lines[line - 1] if line is not None and 0 < line <= len(lines) else None
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
    depth = 0
    for match in re.finditer(r"[{}()\[\]\n]", text):
        bracket = match.group()
        depth += 1 if bracket in "{([" else -1 if bracket in "})]" else 0
        if depth > DEPTH_LIMIT:
            line = text.count("\n", 0, match.start()) + 1
            raise MaiaccError(
                "E0505",
                "brackets nest too deep",
                place=Place(line=line),
                expected=f"at most {DEPTH_LIMIT} levels",
            )


#: Names of terminals that people read.
_TERMINALS = {
    "_NL": "end of line",
    "NAME": "a name",
    "INT": "a number",
    "FLOAT": "a number with a fraction",
    "STRING": "a quoted name",
    "LIST": "a list in brackets",
    "VERSION": "a version such as 1.0",
    "$END": "end of the text",
    "KIND": "input, output, weight or state",
    "SYNC": "wait(...) or post(...)",
    "MINMAX": "min(...) or max(...)",
    "LBRACE": "{",
    "RBRACE": "}",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "EQUAL": "=",
    "COMMA": ",",
    "COLON": ":",
    "LESSTHAN": "<",
    "STAR": "*",
    "SEMICOLON": ";",
    "AT": "@",
    "BAR": "|",
    "PLUS": "+",
    "MINUS": "-",
    "__ANON_0": "..",
    "__ANON_1": "->",
}


def _syntax_error(problem: UnexpectedInput, lines: list[str], file: str | None) -> MaiaccError:
    if isinstance(problem, UnexpectedToken):
        names = problem.accepts or problem.expected
        token = problem.token
        found = "end of the text" if token.type == "$END" else repr(str(token))
        found = "end of the line" if token.type == "_NL" else found
        line, column = token.line or len(lines), token.column
    elif isinstance(problem, UnexpectedCharacters):
        names = problem.allowed or set()
        line, column = problem.line, problem.column
        found = repr(problem.char)
    else:
        assert isinstance(problem, UnexpectedEOF)
        names, found, line, column = set(problem.expected), "end of the text", len(lines), None
    words = sorted(_TERMINALS.get(name, name.lower()) for name in names)
    error = MaiaccError(
        "E0501",
        "this is not MIST assembly",
        place=Place(line=line, column=column),
        expected=", ".join(words[:14]) + (" ..." if len(words) > 14 else ""),
        found=found[:60],
    )
    return located(error, lines, file)
