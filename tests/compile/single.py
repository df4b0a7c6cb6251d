"""Modules of one op, or of a few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.types import tensor

#: An element type and a shape.
Kind = tuple[str, Sequence[int]]


def module(kinds: Sequence[Kind], build: Callable[..., Value | Sequence[Value]]) -> Module:
    """A module with inputs of some kinds; ``build`` gets a builder and them, and gives outputs."""
    made = Module()
    inputs = [made.add_input(f"x{i}", tensor(t, tuple(s))) for i, (t, s) in enumerate(kinds)]
    found = build(Builder(made), *inputs)
    outputs = [found] if isinstance(found, Value) else list(found)
    made.outputs = [f"y{i}" for i in range(len(outputs))]
    made.main.append(Op(OPS["return"], outputs, {}, ()))
    return made


def one(name: str, *kinds: Kind, **attrs: Any) -> Module:
    """A module of one op of inputs, all its results handed out."""
    return module(kinds, lambda b, *xs: b.many(name, *xs, **attrs))
