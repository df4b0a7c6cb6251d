"""Chains of the vector unit and the drain queue."""

from __future__ import annotations

import numpy as np

from maiacc_isa.load import load
from maiacc_isa.tables import Chain, Step
from maiacc_sim.arith.convert import convert
from maiacc_sim.arith.floats import Array
from maiacc_sim.arith.stages import DIVISIONS, compute
from maiacc_sim.traps import Trap


def run(chain: Chain, inputs: list[tuple[Array, str]]) -> Array:
    """The last stage's result for operands a, b, c (codes and type), as codes of the chain's type.

    Raises ``Trap`` division for an integer division by zero without ``zero_div``.
    """
    converted = [convert(codes, dtype, chain.dtype) for codes, dtype in inputs]
    operands = np.broadcast_arrays(*converted)
    values = {name: _native(x, chain.dtype) for name, x in zip("abc", operands, strict=False)}
    shape = operands[0].shape
    result = values["a"]
    for number, step in enumerate(chain.steps):
        values["imm"] = np.broadcast_to(_native(_immediate(step, chain.dtype), chain.dtype), shape)
        arguments = [values[name] for name in step.inputs]
        if step.op in DIVISIONS and not chain.zero_div and not arguments[1].all():
            raise Trap(
                "division",
                f"stage {number} ({step.op}) divides by zero",
                expected="a divisor other than 0, or a chain with zero_div",
                found="0",
            )
        result = values[f"r{number}"] = compute(step.op, arguments)
    return np.ascontiguousarray(result).view(operands[0].dtype)


def leave(chain: Chain, codes: Array, dst: str) -> Array:
    """A chain's results as codes of the destination's type.

    Raises ``Trap`` conversion as ``convert`` does.
    """
    return convert(codes, chain.dtype, dst, chain.saturate, chain.round)


def _native(codes: Array, dtype: str) -> Array:
    """Codes as numpy numbers of the chain's type."""
    t = load().dtypes[dtype]
    if t.is_float:
        return codes.view(np.float32)
    return codes.view(f"i{codes.itemsize}") if t.signed else codes


def _immediate(step: Step, dtype: str) -> Array:
    bits = np.array(step.imm & 0xFFFFFFFF, np.uint32)
    return bits if load().dtypes[dtype].is_float else convert(bits, "int32", dtype)
