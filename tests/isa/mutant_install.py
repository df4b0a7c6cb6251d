"""Other rows in the place of those of the distribution, for as long as a test looks at them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

from isa.mutants import Mutant, sources
from maiacc_isa import check, frozen, load, row_parse
from maiacc_isa.errors import MaiaccError
from maiacc_isa.spec import Spec

#: Functions whose cached results do not depend on the rows: grammars, and tables of their own.
_INDEPENDENT = ("_grammar", "keywords", "codes", "prelude")
_OWN_TABLES = ("maiacc_isa.functions", "maiacc_isa.function_eval")

#: What code that meets nonsensical rows may raise; seen as an outcome like any other.
_CRASHES = (LookupError, ValueError, TypeError, AttributeError, AssertionError, ArithmeticError)

#: The rows of the distribution.
RIGHT: Spec = load.load()


def _caches() -> list[Any]:
    return [
        value
        for name, module in list(sys.modules.items())
        if name.startswith("maiacc_isa") and name not in _OWN_TABLES
        for key, value in vars(module).items()
        if hasattr(value, "cache_clear")
        and key not in _INDEPENDENT
        and value.__module__ not in _OWN_TABLES
    ]


def _install(spec: Spec) -> None:
    for cached in _caches():
        cached.cache_clear()
    # What is kept in the user's cache are the right rows.
    with mock.patch.object(frozen, "kept", return_value=spec):
        assert load.load() is spec


@contextmanager
def installed(spec: Spec) -> Iterator[None]:
    """Makes ``load()`` give other rows."""
    _install(spec)
    try:
        yield
    finally:
        _install(RIGHT)


@cache
def _items(name: str) -> tuple[Any, ...]:
    return tuple(row_parse._parse_file(name, sources()[name]))


def spec_of(mutant: Mutant) -> Spec:
    """The mutant's rows, read and checked as at every start. Raises what reading raises."""
    items: list[Any] = []
    for name, text in sources().items():
        changed = name == mutant.file
        items += row_parse._parse_file(name, mutant.apply(text)) if changed else _items(name)
    spec = row_parse._assemble(items)
    check.check(spec)
    return spec


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a call, or what it raised."""
    try:
        return function(*arguments)
    except MaiaccError as problem:
        return f"{problem.code} {problem.message} {problem.expected}"
    except _CRASHES as problem:
        return f"raised {type(problem).__name__}"
