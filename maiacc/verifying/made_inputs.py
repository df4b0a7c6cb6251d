"""Inputs that are made up: small numbers, and indices that exist."""

from __future__ import annotations

import numpy as np

from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.weights import Array

#: Ops behind which a value is still the index that it was.
_SAME = frozenset({"reshape", "transpose", "broadcast", "slice", "cvt", "select", "add", "concat"})


def made_inputs(module: Module, seed: int) -> dict[str, Array]:
    """Inputs of a module: floats normally distributed, truth values either, integers 0 or 1, but
    indices anywhere in what they are looked up in."""
    rng = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for name, param in zip(module.inputs, module.main.params, strict=True):
        element, shape = param.type.element, param.type.shape
        if element.is_float:
            values: Array = rng.standard_normal(shape)
        else:
            most = 2 if element.kind == "bool" else _extent(param)
            values = rng.integers(0, most, shape)
        found[name] = np.asarray(values).astype(element.numpy)
    return found


def _extent(value: Value) -> int:
    """How many indices there are for what a value is looked up in; 2 if it is no index."""
    least: int | None = None
    seen: set[Value] = set()
    stack = [value]
    while stack:
        at = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        for op in at.uses:
            if op.name in ("gather", "gather_elements") and op.operands[1] is at:
                table = op.operands[0]
                assert table is not None
                extent = table.type.shape[int(str(op.attrs["axis"]))]
                least = extent if least is None else min(least, extent)
            elif op.name in _SAME and not (op.name == "select" and op.operands[0] is at):
                stack += op.results
    room = 1 << (7 if value.type.element.bits == 8 else 31)
    return max(1, min(2 if least is None else least, room))
