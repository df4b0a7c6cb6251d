"""Reads the text of a module by its grammar, ``ir.lark``: slow, and the reference.

``parser`` is what tools use. Both share what makes a module of the words (``assembly``), but not
how words are found.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from lark import Lark, Token, Tree, UnexpectedInput
from lark.exceptions import UnexpectedToken

from maiacc_passes.ir.assembly import Assembly, Head, Param
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.limits import LINE
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.weights import Array
from maiacc_passes.ir.words import shown

_Tree = Tree[Token]


@cache
def _lark() -> Lark:
    text = files("maiacc_passes.ir").joinpath("ir.lark").read_text("utf-8")
    return Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def read_module(text: str, data: Mapping[str, Array] | None = None) -> Module:
    """The module that a text says; the same as ``parser.parse_module`` gives, with the same
    refusals, which may be worded differently."""
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LINE:
            raise IRError("E1404", "a line is too long", line=number)
    try:
        tree = _lark().parse(f"\n{text}\n")
    except UnexpectedInput as problem:
        raise _malformed(problem) from problem
    made = Assembly(data or {})
    try:
        _module(made, tree)
        return made.finish()
    except IRError as problem:
        problem.line = problem.line or made.line
        raise


def _malformed(problem: UnexpectedInput) -> IRError:
    found, expected = None, None
    if isinstance(problem, UnexpectedToken):
        found = "end of the text" if problem.token.type == "$END" else shown(str(problem.token))
        expected = ", ".join(sorted(problem.expected))
    # The reader put one line in front.
    line = max((problem.line or 1) - 1, 1)
    return IRError("E1404", "this is not understood", expected=expected, found=found, line=line)


# ---- trees ----------------------------------------------------------------------------------
def _trees(tree: _Tree, name: str) -> list[_Tree]:
    """Parts of a tree, by the name of their rule."""
    return [part for part in tree.children if isinstance(part, Tree) and part.data == name]


def _tokens(tree: _Tree) -> list[str]:
    """The words right in a tree."""
    return [str(part) for part in tree.children if isinstance(part, Token)]


def _of_kind(tree: _Tree, kind: str) -> list[str]:
    """Those of one kind."""
    return [str(p) for p in tree.children if isinstance(p, Token) and p.type == kind]


def _module(made: Assembly, tree: _Tree) -> None:
    for part in tree.children:
        assert isinstance(part, Tree)
        made.line = part.meta.line - 1
        if part.data == "header":
            made.header(*_tokens(part))
        elif part.data == "bound":
            made.bound(*_tokens(part))
        elif part.data == "weight":
            (name,) = _tokens(part)
            (kind,), source = _trees(part, "type"), part.children[-1]
            assert isinstance(source, Tree)
            made.weight(name, _type(made, kind), source.data, _tokens(source))
        elif part.data == "graph":
            _graph(made, part)
        else:
            name, *rest = _tokens(part)
            made.location(name, _tokens(_trees(part, "strings")[0]), rest)


def _graph(made: Assembly, tree: _Tree) -> None:
    (inputs,), (outputs,) = _trees(tree, "inputs"), _trees(tree, "strings")
    found = _trees(inputs, "input")
    params = [(*_param(made, part), _of_kind(part, "STRING")[0]) for part in found]
    made.graph(params, _tokens(outputs))
    _body(made, _trees(tree, "body")[0])
    made.close()


def _body(made: Assembly, tree: _Tree) -> None:
    for op in _trees(tree, "op"):
        _op(made, op)
    made.line = tree.meta.end_line - 1


def _op(made: Assembly, tree: _Tree) -> None:
    made.line = tree.meta.line - 1
    (name,) = _of_kind(tree, "NAME")
    row = made.row(name)
    given: list[tuple[str, str | list[str]]] = []
    for attr in [attr for part in _trees(tree, "attrs") for attr in _trees(part, "attr")]:
        key, value = attr.children
        given.append((str(key), _tokens(value) if isinstance(value, Tree) else str(value)))
    head = Head(
        made.line,
        [word for part in _trees(tree, "results") for word in _tokens(part)],
        row,
        [made.operand(word) for word in _tokens(_trees(tree, "operands")[0])],
        made.attributes(row, given),
        [_type(made, kind) for part in _trees(tree, "types") for kind in _trees(part, "type")],
        "".join(_of_kind(tree, "LOC")),
    )
    regions = _trees(tree, "region")
    if not regions:
        made.add(head)
        return
    for number, region in enumerate(regions):
        made.line = region.meta.line - 1
        params = [_param(made, part) for part in _trees(_trees(region, "params")[0], "param")]
        if number:
            made.following(params)
        else:
            made.open(head, params)
        _body(made, _trees(region, "body")[0])
    made.close()


def _param(made: Assembly, tree: _Tree) -> Param:
    (name,), (kind,) = _of_kind(tree, "VALUE"), _trees(tree, "type")
    return name, _type(made, kind)


def _type(made: Assembly, tree: _Tree) -> Type:
    (name,) = _tokens(tree)
    dims = [(*_tokens(dim), "")[:2] for dim in _trees(tree, "dim")]
    return made.type(name, [(extent, symbol) for extent, symbol in dims])
