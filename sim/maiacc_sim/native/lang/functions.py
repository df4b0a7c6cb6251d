"""Native functions and records as Python sees them: marks on ordinary definitions.

``native`` marks a function whose text is translated, ``record`` a class whose fields are memory,
``given`` a function that a generator writes. Types are read from annotations.
"""

from __future__ import annotations

import ast
import inspect
import sys
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, TypeVar, dataclass_transform

from maiacc_sim.native.lang.emit import Body, Module, Signature
from maiacc_sim.native.lang.names import type_of
from maiacc_sim.native.lang.types import Record, Type, layout, numpy_dtype

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

#: What all symbols begin with, so that none is one of the C library.
PREFIX = "mist_"

#: Asks for a function to be in the module, too.
Need = Callable[[Any], None]

#: Writes the body of a function: returns in it, on the parameters it has.
Generator = Callable[[Body, Need], None]


@dataclass(frozen=True)
class NativeFunction:
    """A function of native code. ``generator`` writes it; without one its text is translated.

    ``inline`` says whether calls are replaced by the body; None leaves it to LLVM.
    """

    python: Callable[..., Any]
    symbol: str
    exported: bool = False
    inline: bool | None = None
    generator: Generator | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(inspect.signature(self.python).parameters)

    @cached_property
    def signature(self) -> Signature:
        """Symbol and types, from the annotations."""
        notes = marks_of(self.python)
        params = tuple(type_of(notes[name]) for name in self.names)
        result = notes.get("return")
        return Signature(self.symbol, params, None if result is None else type_of(result))

    @cached_property
    def scope(self) -> dict[str, Any]:
        """What the names of the text mean outside the function."""
        closure = inspect.getclosurevars(self.python)
        return {**closure.builtins, **self.python.__globals__, **closure.nonlocals}

    @property
    def definition(self) -> ast.FunctionDef:
        """The function's syntax."""
        return _definitions(self.python.__globals__["__file__"])[
            self.python.__code__.co_firstlineno
        ]

    def __call__(self, *_: Any) -> Any:
        raise TypeError(f"{self.symbol} is native: load a library and call it there")


@cache
def _definitions(file: str) -> dict[int, ast.FunctionDef]:
    """The functions of a file, by the line where they begin: that of the first mark."""
    with tokenize.open(file) as source:
        tree = ast.parse(source.read())
    found: dict[int, ast.FunctionDef] = {}
    waiting: list[Any] = [tree]
    while waiting:
        for node in waiting.pop().body:
            if isinstance(node, ast.FunctionDef):
                found[min([node.lineno, *(d.lineno for d in node.decorator_list)])] = node
            if hasattr(node, "body"):
                waiting.append(node)
    return found


def marks_of(python: Callable[..., Any]) -> dict[str, Any]:
    """The marks in a function's annotations, evaluated where the function was defined."""
    closure = inspect.getclosurevars(python).nonlocals
    scope = {**python.__globals__, **closure}
    return {
        name: eval(text, scope) if isinstance(text, str) else text  # noqa: S307  our own sources
        for name, text in python.__annotations__.items()
    }


def native(
    *, name: str | None = None, export: bool = False, inline: bool | None = None
) -> Callable[[F], F]:
    """Marks a function as native. ``export``: Python may call it through a library."""

    def mark(python: F) -> F:
        symbol = PREFIX + (name or python.__name__)
        return NativeFunction(python, symbol, export, inline)  # type: ignore[return-value]

    return mark


def given(
    generator: Generator, *, name: str | None = None, inline: bool | None = None
) -> Callable[[F], F]:
    """Marks a function that ``generator`` writes; the text under the mark is its promise."""

    def mark(python: F) -> F:
        symbol = PREFIX + (name or python.__name__)
        return NativeFunction(python, symbol, False, inline, generator)  # type: ignore[return-value]

    return mark


@dataclass_transform()
def record(cls: C) -> C:
    """Marks a class as a record: its annotations are its fields, in their order in memory.

    ``dtype_of`` gives the numpy type that Python fills it with.
    """
    return _laid_out(cls, shared=False)


@dataclass_transform()
def shared_record(cls: C) -> C:
    """As ``record``; the addresses in it are changed by Python only, between calls."""
    return _laid_out(cls, shared=True)


def _laid_out(cls: C, shared: bool) -> C:
    scope = vars(sys.modules[cls.__module__])
    fields: dict[str, Type] = {}
    for name, text in cls.__annotations__.items():
        mark = eval(text, scope) if isinstance(text, str) else text  # noqa: S307  our own sources
        fields[name] = type_of(mark)
    cls.native_record = layout(cls.__name__, fields, shared)  # type: ignore[attr-defined]
    return cls


def record_of(cls: type) -> Record:
    """The layout of a record class."""
    found: Record = cls.native_record  # type: ignore[attr-defined]
    return found


def dtype_of(cls: type) -> Any:
    """The numpy type of a record class."""
    return numpy_dtype(record_of(cls))


def body_of(function: NativeFunction, module: Module) -> Body:
    """An empty body for a function."""
    return Body(
        module,
        function.signature,
        function.names,
        exported=function.exported,
        inline=function.inline,
    )
