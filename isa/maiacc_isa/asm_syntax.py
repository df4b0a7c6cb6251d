"""What is wrong with text that is not in the language, in words a person can act on."""

from __future__ import annotations

import re

from lark import UnexpectedInput
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from maiacc_isa.asm_errors import did_you_mean
from maiacc_isa.errors import MaiaccError, Place, quote
from maiacc_isa.load import load
from maiacc_isa.names import keywords

#: Names of the grammar's terminals, for people; others are the characters they stand for.
_TERMINALS = {
    "_NL": "end of line",
    "NAME": "a name",
    "INT": "a number",
    "FLOAT": "a number with a fraction",
    "STRING": "a quoted name",
    "MACHINE": "the name of a machine file",
    "LIST": "a list in brackets",
    "VERSION": "a version such as 1.0",
    "$END": "end of the text",
    "KIND": "input, output, weight or state",
    "SYNC": "wait(...) or post(...)",
    "MINMAX": "min(...) or max(...)",
    "SCALAR": "mod or div",
    "MARKED": "begin or end",
    "FLAG": "saturate or zero_div",
}

#: Words that begin a line, in a block and outside.
STATEMENTS = (
    "mist", "target", "param", "input", "output", "weight", "state", "block", "control",
    "in", "reg", "buffer", "sem", "mask", "table", "chain", "desc", "at", "loop", "nop", "mark",
    "bits", "call", "if", "while",
)  # fmt: skip

#: How many of the things that could stand in a place are named.
_NAMED = 14


def syntax_error(
    problem: UnexpectedInput, lines: list[str], literals: dict[str, str]
) -> MaiaccError:
    """The refusal of a text that lark cannot read. ``literals`` gives the characters of the
    grammar's terminals that have no other name."""
    names: set[str] = set()
    kind, found, line, column = "$END", "end of the text", len(lines), None
    if isinstance(problem, UnexpectedToken):
        token = problem.token
        names = set(problem.accepts or problem.expected)
        kind, found = token.type, repr(str(token))
        line, column = token.line or len(lines), token.column
    elif isinstance(problem, UnexpectedCharacters):
        names = set(problem.allowed or ())
        kind, found, line, column = "", repr(problem.char), problem.line, problem.column
    if kind == "_NL":
        found = "end of the line"
    elif kind == "$END":
        found, line, column = "end of the text", len(lines), None
    words = sorted(_TERMINALS.get(name) or literals.get(name, name.lower()) for name in names)
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    return MaiaccError(
        "E0501",
        "this is not MIST assembly",
        place=Place(line=line, column=column),
        expected=", ".join(words[:_NAMED]) + (" ..." if len(words) > _NAMED else ""),
        found=quote(found),
        hint=_hint(kind, names, text, column or 1, lines),
    )


def _hint(kind: str, names: set[str], text: str, column: int, lines: list[str]) -> str | None:
    """What the writer probably meant."""
    if kind == "$END":
        return _unclosed(lines)
    if lines[0].strip() == "" and not any(line.strip() for line in lines):
        return "begin with: mist 1.0"
    words = re.findall(r'"[^"]*"|\w+|[^\w\s]', text.split("#")[0])
    first = words[0] if words else ""
    here = re.match(r"\w*", text[column - 1 :])
    word = here.group() if here else ""
    assigned = words[1:2] == ["="]
    if assigned and first in keywords():
        return f"{first} is a word of the language; a register needs another name"
    if "NAME" in names and word in keywords():
        quotes = f', or "{word}" in quotes' if "STRING" in names else ""
        return f"{word} is a word of the language; choose another name{quotes}"
    if first != "mist" and _first_line(lines) == text:
        return "a program text begins with: mist 1.0"
    known = (*STATEMENTS, *load().queues)
    meant = None if assigned or first in known else did_you_mean(first, known)
    return meant or _missing(kind, names, text[: column - 1].rstrip())


def _first_line(lines: list[str]) -> str:
    """The first line that says something."""
    return next((line for line in lines if line.split("#")[0].strip()), "")


def _missing(kind: str, names: set[str], before: str) -> str | None:
    """What is missing behind the text ``before`` a token of ``kind``."""
    sync = re.search(r"\b(wait|post)\s*\(?$", before)
    if sync:
        return f"write the semaphores: {sync[1]}(NAME), or {sync[1]}(NAME:2) for two tokens"
    if "COMMA" in names and kind in ("NAME", "STRING", "INT"):
        return "a comma is missing"
    last = re.search(r"(\w+)$", before)
    if names == {"EQUAL"} and last:
        return f"{last[1]} would be a field, {last[1]}=value; operands have commas between them"
    return None


def _unclosed(lines: list[str]) -> str | None:
    """The line whose bracket is still open at the end of the text."""
    opened: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        for mark in re.findall(r'"(?:[^"\\]++|\\.)*+"|#.*|[{}]', line):
            if mark == "{":
                opened.append((number, line))
            elif mark == "}" and opened:
                opened.pop()
    if not opened:
        return None
    number, line = opened[-1]
    return f"the brace of line {number} is never closed: {quote(line.strip())}"
