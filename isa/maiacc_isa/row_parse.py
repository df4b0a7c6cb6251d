"""Parses row files: from text to a ``Spec``, checked. Loaded where nothing is in the cache."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from lark import Lark, UnexpectedInput
from lark.exceptions import VisitError

from maiacc_isa import expr as ex
from maiacc_isa import spec
from maiacc_isa.check import check
from maiacc_isa.errors import MaiaccError, Place
from maiacc_isa.row_reader import RowReader

T = TypeVar("T")


def parse(sources: list[tuple[str, str]]) -> spec.Spec:
    """Rows from texts, each with the file name that errors show.

    Raises ``MaiaccError`` E0201 for text that is not in the row language and E0202 for
    rows that contradict each other.
    """
    items: list[Any] = []
    for name, text in sources:
        items += _parse_file(name, text)
    result = _assemble(items)
    check(result)
    return result


@cache
def _grammar() -> Lark:
    text = files("maiacc_isa").joinpath("rows.lark").read_text("utf-8")
    return Lark(text, parser="lalr", maybe_placeholders=True, start=["start", "expr"])


def parse_expr(text: str) -> ex.Expr:
    """An expression in the notation of the rows.

    Raises ``MaiaccError`` E0201 if it is none.
    """
    try:
        result: ex.Expr = RowReader().transform(_grammar().parse(text, start="expr"))
        return result
    except UnexpectedInput as problem:
        place = Place(line=problem.line, column=problem.column, text=text)
        raise MaiaccError("E0201", "this is not an expression", place=place) from None


def _parse_file(name: str, text: str) -> list[Any]:
    try:
        tree = _grammar().parse(text, start="start")
        items: list[Any] = RowReader().transform(tree)
        return items
    except UnexpectedInput as problem:
        place = Place(file=name, line=problem.line, column=problem.column)
        raise MaiaccError("E0201", "this is not a row", place=place) from None
    except VisitError as problem:
        if isinstance(problem.orig_exc, MaiaccError):
            raise problem.orig_exc from None
        raise


def _assemble(items: list[Any]) -> spec.Spec:
    def table(kind: type[T]) -> dict[str, T]:
        rows: dict[str, T] = {}
        for item in items:
            if isinstance(item, kind):
                name = str(getattr(item, "path", None) or getattr(item, "name", ""))
                if name in rows:
                    raise MaiaccError("E0202", f"{kind.__name__.lower()} {name} is given twice")
                rows[name] = item
        return rows

    return spec.Spec(
        limits=table(spec.Limit),
        enums=table(spec.Enum),
        dtypes=table(spec.DType),
        roles=table(spec.Role),
        queues=table(spec.Queue),
        sources=table(spec.Source),
        spaces=table(spec.Space),
        ports=table(spec.Port),
        routes=tuple(item for item in items if isinstance(item, spec.Route)),
        constants=table(spec.Constant),
        pairs=tuple(item for item in items if isinstance(item, spec.Pair)),
        traps=table(spec.Trap),
        stages=table(spec.Stage),
        records=table(spec.Record),
        insns=table(spec.Insn),
    )
