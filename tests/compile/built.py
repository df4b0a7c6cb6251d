"""Modules from types, and inputs of small whole numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from compile.single import module
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.types import ELEMENTS, Type, tensor
from maiacc_passes.ir.verify import verify
from maiacc_passes.ir.weights import Array

#: Makes the outputs of a module from its inputs.
Body = Callable[..., Value | Sequence[Value]]


def kind(dtype: str, *shape: int) -> Type:
    """A tensor type."""
    return tensor(dtype, shape)


def built(body: Body, *inputs: Type) -> Module:
    """A module with these inputs, ``x0``, ``x1`` ..., and what ``body(b, *values)`` makes of them."""
    made = module([(one.dtype, one.shape) for one in inputs], body)
    verify(made)
    return made


def some(dtype: str, *shape: int, seed: int = 0, low: int = -4, high: int = 5) -> Array:
    """Small whole numbers of a type."""
    element = ELEMENTS[dtype]
    rng = np.random.default_rng(seed)
    if element.kind == "bool":
        return rng.integers(0, 2, shape).astype(np.bool_)
    if element.kind == "uint":
        low, high = 0, high - low
    return rng.integers(low, high, shape).astype(element.numpy)
