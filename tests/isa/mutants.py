"""Single mutations of the rows, enumerated from their parse tree; none is written by hand.

Every token of every row is changed in the ways its kind allows, every field is widened, narrowed
and moved, and everything that can be left out is left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lark import Lark, Token, Tree

from maiacc_isa.load import ROW_FILES

Edit = tuple[int, int, str]
Row = Tree[Token]

#: What can be left out of a file, a row or an expression without leaving an empty list.
_DROPPED = [
    "limit",
    "enum",
    "dtype",
    "role",
    "queue",
    "source",
    "space",
    "port",
    "route",
    "constant",
    "pair",
    "trap",
    "record",
    "stage",
    "insn",
    "label",
    "attr",
    "rfield",
    "hop",
    "summary",
    "field",
    "operand",
    "require",
    "access",
    "occupancy",
    "latency",
    "meaning",
    "native",
    "model",
    "traps",
    "prose",
    "numerics",
    "example",
    "sample",
    "since",
]

#: Operators, and what stands in their place in a mutant.
_OTHER = {
    "==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">",
    "+": "-", "-": "+", "*": "+", "/": "*", "//": "*", "%": "//",
    "in": "out", "out": "inout", "inout": "in", "read": "write", "write": "read",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one row. ``kind`` says what it is about, ``subject`` which row it is in."""

    file: str
    line: int
    rule: str
    subject: str
    kind: str
    what: str
    edits: tuple[Edit, ...]

    def apply(self, text: str) -> str:
        """The file's text with the change made."""
        for start, end, new in sorted(self.edits, reverse=True):
            text = text[:start] + new + text[end:]
        return text

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.rule} {self.subject} [{self.kind}] {self.what}"


@cache
def sources() -> dict[str, str]:
    """The text of every file of rows."""
    folder = files("maiacc_isa").joinpath("rows")
    return {name: folder.joinpath(name).read_text("utf-8") for name in ROW_FILES}


@cache
def _parser() -> Lark:
    grammar = files("maiacc_isa").joinpath("rows.lark").read_text("utf-8")
    return Lark(
        grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True, start="start"
    )


@cache
def mutants() -> tuple[Mutant, ...]:
    """Every mutant of every file, in the order of the files."""
    trees = {name: _parser().parse(text) for name, text in sources().items()}
    columns: dict[tuple[str, int], set[str]] = defaultdict(set)
    for tree in trees.values():
        for row in tree.iter_subtrees():
            for at, child in enumerate(row.children):
                if isinstance(child, Token) and child.type in ("NAME", "PATH"):
                    columns[str(row.data), at].add(str(child))
    values = {key: sorted(names) for key, names in columns.items()}
    return tuple(
        mutant
        for name, tree in trees.items()
        for row in tree.children
        if isinstance(row, Tree)
        for mutant in _Row(name, row, values).mutants()
    )


class _Row:
    """Enumerates the mutants of one row."""

    def __init__(self, file: str, row: Row, columns: dict[tuple[str, int], list[str]]) -> None:
        self._file = file
        self._text = sources()[file]
        self._row = row
        self._columns = columns
        self._rule = str(row.data)
        self._subject = str(row.children[0]) if isinstance(row.children[0], Token) else "-"

    def mutants(self) -> Iterator[Mutant]:
        yield from self._visit(self._row, (self._rule,))

    def _make(self, at: int, kind: str, what: str, *edits: Edit) -> Mutant:
        line = self._text.count("\n", 0, at) + 1
        return Mutant(self._file, line, self._rule, self._subject, kind, what, edits)

    def _visit(self, tree: Row, path: tuple[str, ...]) -> Iterator[Mutant]:
        rule = str(tree.data)
        start, end = tree.meta.start_pos, tree.meta.end_pos
        if rule in _DROPPED:
            comma = re.compile(r",?\s*").match(self._text, end) if rule == "hop" else None
            stop = comma.end() if comma else end
            what = f"without: {' '.join(self._text[start:end].split())[:60]}"
            yield self._make(start, _kind(path), what, (start, stop, ""))
        if rule in ("field", "rfield"):
            yield from self._bits(tree, path)
        if rule == "require":
            yield from self._negated(tree)
        if rule in ("field", "operand", "access"):
            yield from self._condition(start, end, path)
        if rule in ("nameset", "traps"):
            yield from self._members(tree, path)
        for at, child in enumerate(tree.children):
            if isinstance(child, Token):
                yield from self._token(child, rule, at, path)
            elif child is not None:
                yield from self._visit(child, (*path, str(child.data)))

    def _token(self, token: Token, rule: str, at: int, path: tuple[str, ...]) -> Iterator[Mutant]:
        start, end = _span(token)
        kind = _kind(path)
        news: list[str] = []
        match token.type:
            case "INT" if rule in ("field", "rfield") and at != 1 - (rule == "field"):
                return  # positions of bits are changed as such
            case "INT":
                number = int(token, 0)
                news = [str(number + 1)] + ([str(number - 1)] if number else [])
                kind = "opcode" if path == ("insn",) else kind
            case "FLOAT" | "FLOAT_OR_INT":
                news = [str(float(token) * 1.5 + 1)]
            case "STRING":
                news, kind = [f'{token[:-1]} altered"'], "text"
            case "TEXT":
                news, kind = [f'{token[:-3]} altered"""'], "text"
            case "CODE":
                news, kind = ["E0709" if token == "E0706" else "E0706"], "code"
            case "WHOLE" | "DRAIN":
                news = [""]
            case "ANYTYPE":
                news = ["{fp16}"]
            case "NAME" | "PATH" if rule not in ("nameset", "traps"):
                news = self._other_names(token, rule, at)
                kind = kind if kind in ("formula", "meaning", "native") else "name"
            case _ if str(token) in _OTHER:
                news = [_OTHER[str(token)]]
        for new in news:
            yield self._make(start, kind, f"{token[:40]} -> {new[:40]}", (start, end, new))

    def _other_names(self, token: Token, rule: str, at: int) -> list[str]:
        """A new name for what a row defines; another one of its column for what it refers to."""
        if (
            at == 0
            and rule in _DROPPED
            and rule not in ("access", "meaning", "native", "hop", "pair")
        ):
            return [f"{token}x"]
        names = self._columns[rule, at]
        return [names[(names.index(str(token)) + 1) % len(names)] if len(names) > 1 else "nothing"]

    def _bits(self, tree: Row, path: tuple[str, ...]) -> Iterator[Mutant]:
        """The field one bit wider, narrower, higher and lower."""
        numbers = [c for c in tree.children if isinstance(c, Token) and c.type == "INT"]
        high, low = numbers[-2:]
        for up, down in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1)):
            new = int(high) + up, int(low) + down
            if min(new) < 0:
                continue
            what = f"{tree.children[0]} {high}:{low} -> {new[0]}:{new[1]}"
            edit = (high.start_pos or 0, low.end_pos or 0, f"{new[0]}:{new[1]}")
            yield self._make(edit[0], "bits", what, edit)

    def _negated(self, tree: Row) -> Iterator[Mutant]:
        code, _, message = tree.children
        assert isinstance(code, Token)
        assert isinstance(message, Token)
        start, end = code.end_pos or 0, message.start_pos or 0
        test = self._text[start:end].strip()
        yield self._make(start, "constraint", f"not ({test})", (start, end, f" not ({test}) "))

    def _condition(self, start: int, end: int, path: tuple[str, ...]) -> Iterator[Mutant]:
        """A clause's `when` left out and turned round."""
        bare = re.sub(r'"[^"]*"', lambda m: "." * len(m[0]), self._text[start:end])
        match = re.search(r"\bwhen (.*?)(?=\s*\.{2,}|\s*$)", bare, re.DOTALL)
        if match is None:
            return
        first, last = start + match.start(), start + match.end()
        test = self._text[start + match.start(1) : last]
        kind = _kind(path)
        yield self._make(first, kind, f"without: when {test}", (first, last, ""))
        yield self._make(first, kind, f"when not ({test})", (first, last, f"when not ({test})"))

    def _members(self, tree: Row, path: tuple[str, ...]) -> Iterator[Mutant]:
        """The list without each of its members; the only one is replaced."""
        spans = [_span(child) for child in tree.children if isinstance(child, Token)]
        for number, (start, end) in enumerate(spans):
            name = self._text[start:end]
            edit = (start, end, "nothing")
            if len(spans) > 1 and number:
                edit = (spans[number - 1][1], end, "")
            elif len(spans) > 1:
                edit = (start, spans[1][0], "")
            yield self._make(start, _kind(path), f"without {name}", edit)


def _span(token: Token) -> tuple[int, int]:
    return token.start_pos or 0, token.end_pos or 0


def _kind(path: tuple[str, ...]) -> str:
    """What a place in a row is about; ``path`` holds the rules around it."""
    if path[0] != "insn":
        return "formula" if len(path) > 1 and path[0] in ("space", "port", "route") else path[0]
    if len(path) == 1:
        return "engines"
    return {
        "occupancy": "formula",
        "latency": "formula",
        "require": "constraint",
        "nameset": "engines",
        "operand": "operand",
    }.get(path[1], path[1])
