"""One family of errors for everything a user can get wrong.

Every refusal carries a stable code, the place it happened, what was expected, what was
found and what to try. The codes and their long explanations live in ``codes.toml``; a
test holds the codes used in the sources and that table equal.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

#: Longest piece of a user's input that a message repeats, in characters.
QUOTE_LIMIT = 120


@dataclass(frozen=True)
class Place:
    """Where in the user's input something is wrong; every part is optional."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    text: str | None = None
    block: str | None = None
    word: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        parts = []
        if self.file is not None:
            parts.append(printable(self.file))
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        where = ":".join(parts)
        if self.block is not None:
            where = f"{where} " if where else ""
            where += f"block {printable(self.block)}"
            if self.word is not None:
                where += f" word {self.word}"
        if self.label:
            where += f" [{printable(self.label)}]"
        return where.strip()


@dataclass(frozen=True)
class Code:
    """A row of ``codes.toml``: the stable code, a title and an explanation."""

    code: str
    title: str
    why: str
    fix: str


@cache
def codes() -> dict[str, Code]:
    """All error codes by name, in the order of the table."""
    data = tomllib.loads(files("maiacc_isa").joinpath("codes.toml").read_text("utf-8"))
    return {name: Code(name, row["title"], row["why"], row["fix"]) for name, row in data.items()}


class MaiaccError(Exception):
    """A refusal with a stable code that a user can act on.

    ``node`` names the ONNX node(s) the failing thing came from, when known.
    """

    #: What a command exits with when this error ends it.
    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        place: Place | None = None,
        node: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.place = place
        self.node = node
        self.expected = expected
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        return render(self)


class ErrorList(MaiaccError):  # noqa: N818
    """Several errors found in one go; the first one gives the code."""

    def __init__(self, errors: list[MaiaccError]) -> None:
        first = errors[0]
        super().__init__(first.code, first.message, place=first.place, node=first.node)
        self.errors = errors

    def __str__(self) -> str:
        return "\n".join(render(error) for error in self.errors)


class InternalError(MaiaccError):
    """A fault of maiacc itself, not of its input."""

    exit_code = 5


def render(error: MaiaccError) -> str:
    """The error as people read it: one headline and up to five indented lines."""
    lines = [f"error[{error.code}]: {_printable_lines(error.message)}"]
    place = error.place
    if place is not None and str(place):
        lines.append(f"  at        {place}")
    if place is not None and place.text:
        lines.append(f"  text      {quote(place.text.strip())}")
    if error.node:
        lines.append(f"  node      {printable(error.node)}")
    for name, value in (
        ("expected", error.expected),
        ("found", error.found),
        ("try", error.hint),
    ):
        if value:
            lines.append(f"  {name:<9} {_printable_lines(value, 12)}")
    return "\n".join(lines)


def printable(text: str) -> str:
    """The text with control characters escaped, so that no input can paint the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _printable_lines(text: str, indent: int = 0) -> str:
    return ("\n" + " " * indent).join(map(printable, text.split("\n")))


def quote(text: str) -> str:
    """The text made printable and cut to a length a person reads."""
    if len(text) > QUOTE_LIMIT:
        return printable(text[:QUOTE_LIMIT]) + f" ... ({len(text)} characters)"
    return printable(text)
