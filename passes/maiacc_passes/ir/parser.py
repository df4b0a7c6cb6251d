"""Reads the text of a module, line by line.

Words may stand apart, lines may be empty, ``#`` begins a comment, values may have any names, and
attributes any order. What is printed from the result is in one form only.

The reference is the grammar in ``ir.lark``; tests hold the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from maiacc_passes.ir.assembly import Assembly, Head, Param
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.limits import LINE
from maiacc_passes.ir.patterns import (
    ATTR,
    BOUND,
    CODE,
    DIM,
    FORMS,
    GRAPH,
    HEADER,
    ITEM,
    LOC,
    OP,
    PARAM,
    PIECES,
    REGION,
    TYPE,
    WEIGHT,
)
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.weights import Array


def parse_module(text: str, data: Mapping[str, Array] | None = None) -> Module:
    """The module that a text says. ``data`` has elements of weights by digest or label.

    Raises ``IRError`` E1404 for a text that is malformed or no legal IR, E1401 to E1403 where the
    row of an op refuses it, and E1405 for ``data`` that are others than a digest says; with the
    line in all cases.
    """
    reader = _Reader(Assembly(data or {}))
    try:
        return reader.read(text)
    except IRError as problem:
        problem.line = problem.line or reader.made.line
        raise


#: Reads a line, and says what reads the next one if that is another.
_Step = Callable[[str], Any]


class _Reader:
    """Reads lines. Attributes and types that were read once are not read again."""

    def __init__(self, made: Assembly) -> None:
        self.made = made
        self._attrs: dict[tuple[str, str | None], dict[str, Any]] = {}
        self._types: dict[str, Type] = {}
        self._lists: dict[str | None, tuple[Type, ...]] = {None: ()}

    def read(self, text: str) -> Module:
        """The whole text."""
        made = self.made
        read: _Step = self._header
        for number, line in enumerate(text.split("\n"), 1):
            made.line = number
            if len(line) > LINE:
                made.fail("a line is too long", f"at most {LINE} characters")
            if "#" in line:
                line = _uncommented(line)
            line = line.strip(" \t")
            if line:
                read = read(line) or read
        if read != self._behind:
            made.fail("the text ends too early")
        return made.finish()

    # ---- lines ------------------------------------------------------------------------------
    def _header(self, line: str) -> _Step:
        found = HEADER.fullmatch(line)
        if found is None:
            self.made.fail("no IR text begins like this", expected="ir 1 graph", found=line)
        self.made.header(*found.groups())
        return self._item

    def _item(self, line: str) -> Any:
        if found := WEIGHT.fullmatch(line):
            name, kind, form, rest = found.groups()
            self.made.weight(name, self._type(kind), form, self._words(form, rest))
            return None
        if found := BOUND.fullmatch(line):
            self.made.bound(*found.groups())
            return None
        found = GRAPH.fullmatch(line)
        if found is None:
            self.made.fail(
                "this line is not understood",
                expected='weight @w : type = ..., bound ~n : 1, or graph (...) -> ("name") {',
                found=line,
            )
        params = [(name, kind, text) for name, kind, text in self._params(found[1], True)]
        outputs = self._items(found[2])
        if any(text[:1] != '"' for text in outputs):
            self.made.fail("names of outputs are strings", expected='"name"', found=found[2])
        self.made.graph(params, outputs)
        return self._body

    def _body(self, line: str) -> Any:
        if line[0] == "}":
            return self._end(line[1:].lstrip(" \t"))
        found = OP.fullmatch(line)
        if found is None:
            self._malformed(line)
        first, more, name, operands, attrs, types, location, region = found.groups()
        names: Sequence[str] = () if first is None else (first,)
        if more:
            names = [word.strip(" \t") for word in f"{first}{more}".split(",")]
        made = self.made
        key = name, attrs
        full = self._attrs.get(key)
        if full is None:
            full = self._attrs[key] = made.attributes(made.row(name), self._given(attrs))
        kinds = self._lists.get(types)
        if kinds is None:
            kinds = self._lists[types] = self._type_list(types)
        head = Head(
            made.line, names, made.row(name), self._operands(operands), dict(full), kinds, location
        )
        if region is None:
            made.add(head)
        else:
            made.open(head, self._region(region))
        return None

    def _end(self, rest: str) -> Any:
        if rest:
            self.made.following(self._region(rest))
            return None
        return self._behind if self.made.close() else None

    def _behind(self, line: str) -> Any:
        found = LOC.fullmatch(line)
        if found is None:
            self.made.fail(
                "this line is not understood",
                expected='loc !1 = ["node"] "scope" "source", or the end',
                found=line,
            )
        name, nodes, *rest = found.groups()
        self.made.location(name, self._strings(nodes), [text for text in rest if text])
        return None

    # ---- parts of lines ---------------------------------------------------------------------
    def _operands(self, text: str) -> list[Value | None]:
        values = self.made.values
        found: list[Value | None] = []
        if not text.strip(" \t"):
            return found
        for word in text.split(","):
            word = word.strip(" \t")
            found.append(values.get(word) or self.made.operand(word))
        return found

    def _given(self, text: str | None) -> list[tuple[str, str | list[str]]]:
        given: list[tuple[str, str | list[str]]] = []
        if text is None:
            return given
        at, more = 0, True
        while more:
            found = ATTR.match(text, at)
            if found is None:
                self.made.fail("no attributes", expected="name=value, name=[1, 2]", found=text[at:])
            name, items, word, comma = found.groups()
            given.append((name, word.strip(" \t") if items is None else self._items(items)))
            at, more = found.end(), bool(comma)
        return given

    def _items(self, text: str) -> list[str]:
        """The words of a list."""
        items: list[str] = []
        at, more = 0, bool(text.strip(" \t"))
        while more:
            found = ITEM.match(text, at)
            word = "" if found is None else found[1].strip(" \t")
            if found is None or not word:
                self.made.fail("no list", expected="words with commas between them", found=text)
            items.append(word)
            at, more = found.end(), bool(found[2])
        return items

    def _strings(self, text: str) -> list[str]:
        items = self._items(text)
        if any(word[:1] != '"' for word in items):
            self.made.fail("names are strings", expected='"name"', found=text)
        return items

    def _words(self, form: str, text: str) -> list[str]:
        """The words behind the form of a weight."""
        found = FORMS[form].fullmatch(text)
        if found is None:
            expected = {
                "inline": "[1, 2]",
                "splat": "one element",
                "file": '"path" offset size',
                "data": '"digest"',
            }
            self.made.fail("no elements of a weight", f"{form} {expected[form]}", text)
        return self._items(found[1]) if form == "inline" else list(found.groups())

    def _region(self, text: str) -> list[Param]:
        found = REGION.fullmatch(text)
        if found is None:
            self.made.fail("no region", expected="(%value: type[1]) {", found=text)
        return [(name, kind) for name, kind, _ in self._params(found[1], False)]

    def _params(self, text: str, named: bool) -> list[tuple[str, Type, str]]:
        params: list[tuple[str, Type, str]] = []
        at, more = 0, bool(text.strip(" \t"))
        while more:
            found = PARAM.match(text, at)
            if found is None or (found[3] is not None) != named:
                expected = '%value: type[1, 2] "name"' if named else "%value: type[1, 2]"
                self.made.fail("no parameters", expected=expected, found=text[at:])
            params.append((found[1], self._type(found[2]), found[3]))
            at, more = found.end(), bool(found[4])
        return params

    def _type(self, text: str) -> Type:
        kind = self._types.get(text)
        if kind is None:
            found = TYPE.fullmatch(text)
            if found is None:
                self.made.fail("no type", expected="fp32[1, 2~n0]", found=text)
            dims = []
            for word in found[2].split(",") if found[2].strip(" \t") else ():
                dim = DIM.fullmatch(word)
                if dim is None:
                    self.made.fail("no size", expected="12 or 12~n0", found=word)
                dims.append((dim[1], dim[2] or ""))
            kind = self._types[text] = self.made.type(found[1], dims)
        return kind

    def _type_list(self, text: str) -> tuple[Type, ...]:
        # A comma inside of brackets separates sizes.
        parts = text.split("]")
        words = [part + "]" for part in parts[:-1]]
        if not words or parts[-1].strip(" \t"):
            self.made.fail("no types", expected="fp32[1, 2], int64[]", found=text)
        for number, word in enumerate(words[1:], 1):
            word = word.lstrip(" \t")
            if word[0] != ",":
                self.made.fail("no types", expected="fp32[1, 2], int64[]", found=text)
            words[number] = word[1:]
        return tuple(self._type(word) for word in words)

    def _malformed(self, line: str) -> NoReturn:
        at = 0
        for pattern, expected in PIECES:
            found = re.compile(pattern).match(line, at)
            if found is None:
                self.made.fail("this op is not understood", expected=expected, found=line[at:])
            at = found.end()
        self.made.fail("this op is not understood", "the end of the line, or a region", line[at:])


def _uncommented(line: str) -> str:
    found = CODE.match(line)
    assert found is not None
    return line[: found.end()] if line[found.end() : found.end() + 1] == "#" else line
