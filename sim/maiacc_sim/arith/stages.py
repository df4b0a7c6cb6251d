"""What each stage of a chain computes, bound by name to the rows in ``rows/stages.isa``.

Class float works on float32 arrays, class int on arrays of the chain's own integer type, which
wrap by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from maiacc_isa.errors import InternalError
from maiacc_isa.function_eval import evaluate
from maiacc_isa.load import load
from maiacc_sim.arith.floats import SIGN, Array, canonical, larger, smaller

Operation: TypeAlias = Callable[..., Array]


def compute(stage: str, inputs: list[Array]) -> Array:
    """A stage of class float or int, as the type of the inputs says.

    Division by zero gives 0; whether it traps is for the caller to decide.
    """
    with np.errstate(all="ignore"):
        if inputs[0].dtype != np.float32:
            return INT[stage](*inputs).astype(inputs[0].dtype)
        if stage in MOVES:
            return MOVES[stage](*inputs)
        return canonical(FLOAT[stage](*inputs).astype(np.float32))


def _on_bits(change: Callable[[Array], Array]) -> Operation:
    return lambda x: change(x.view(np.uint32)).view(np.float32)


def _select(x: Array, y: Array, z: Array) -> Array:
    return np.where(x != 0, y, z)


def _shift_left(x: Array, y: Array) -> Array:
    inside = (y >= 0) & (y < x.itemsize * 8)
    return np.where(inside, x << np.where(inside, y, 0).astype(x.dtype), 0)


def _shift_right(x: Array, y: Array) -> Array:
    inside = (y >= 0) & (y < x.itemsize * 8)
    signs = np.where(x < 0, -1, 0)
    return np.where(inside, x >> np.where(inside, y, 0).astype(x.dtype), signs.astype(x.dtype))


def _divide_floor(x: Array, y: Array) -> Array:
    quotient = np.floor_divide(x, np.where(y == 0, 1, y).astype(x.dtype))
    return np.where(y == 0, 0, quotient).astype(x.dtype)


def _divide_trunc(x: Array, y: Array) -> Array:
    floor = _divide_floor(x, y)
    upwards = ((x < 0) != (y < 0)) & (floor * y != x) & (y != 0)
    total: Array = np.add(floor, upwards.astype(x.dtype))
    return total


def _remainder(divide: Operation, x: Array, y: Array) -> Array:
    return np.where(y == 0, 0, x - y * divide(x, y))


#: Stages of class float that move bits: they leave a NaN as it is.
MOVES: dict[str, Operation] = {
    "mov": lambda x: x,
    "neg": _on_bits(lambda bits: bits ^ SIGN),
    "abs": _on_bits(lambda bits: bits & ~SIGN),
    "select": _select,
}

#: The other stages of class float.
FLOAT: dict[str, Operation] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "madd": lambda x, y, z: x * y + z,
    "min": smaller,
    "max": larger,
    "clamp": lambda x, y, z: smaller(larger(x, y), z),
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "relu": lambda x: larger(x, np.zeros_like(x)),
    "div": np.divide,
    "recip": lambda x: np.float32(1) / x,
    "sqrt": np.sqrt,
    "frem": np.fmod,
    "rne": np.rint,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    # Functions of functions.fn.
    **{s.name: partial(evaluate, s.function) for s in load().stages.values() if s.function},
}

INT: dict[str, Operation] = {
    "mov": lambda x: x,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "madd": lambda x, y, z: x * y + z,
    "neg": np.negative,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
    "clamp": lambda x, y, z: np.minimum(np.maximum(x, y), z),
    "select": _select,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "relu": lambda x: np.maximum(x, np.zeros_like(x)),
    "divf": _divide_floor,
    "divt": _divide_trunc,
    "modf": partial(_remainder, _divide_floor),
    "modt": partial(_remainder, _divide_trunc),
    "shl": _shift_left,
    "shr": _shift_right,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
}

#: Stages of class int that divide by their second input.
DIVISIONS = {name for name in INT if name[:3] in ("div", "mod")}


def _check_stages() -> None:
    rows = {(s.name, kind) for s in load().stages.values() for kind in s.classes}
    bound = {(name, "float") for name in (*MOVES, *FLOAT)} | {(name, "int") for name in INT}
    wrong = rows ^ bound
    if wrong:
        names = ", ".join(f"{name} ({kind})" for name, kind in sorted(wrong))
        raise InternalError("E0001", f"stage rows and numpy routines differ: {names}")


_check_stages()
