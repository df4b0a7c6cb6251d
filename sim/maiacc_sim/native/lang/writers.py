"""What writers of operations share: the table they are bound in, and operands of one type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from maiacc_sim.native.lang.emit import Body, Value, constant
from maiacc_sim.native.lang.types import (
    BOOL,
    I64,
    Pointer,
    Scalar,
    Type,
    Vector,
)

#: Writes a call with the given arguments. Arguments that are types are types.
Writer: TypeAlias = Callable[..., Value]


BUILTINS: dict[Any, Writer] = {}


def builtin(name: Callable[..., Any]) -> Callable[[Writer], Writer]:
    """Binds a writer to an operation."""

    def bind(writer: Writer) -> Writer:
        BUILTINS[name] = writer
        return writer

    return bind


def numeric(b: Body, value: Any, like: Type) -> Value:
    """A value, or a Python number as a value of a type; a number is spread over a vector."""
    if isinstance(value, Value):
        if isinstance(like, Vector) and isinstance(value.kind, Scalar):
            return b.splat(value, like)
        return value
    assert isinstance(like, Scalar | Vector), f"a number where {like} is wanted"
    kind = I64 if isinstance(like, Scalar) and not like.is_float and like is not BOOL else like
    return constant(kind, value)


def pair(b: Body, left: Any, right: Any) -> tuple[Value, Value]:
    """Two operands of one type: vectors win over numbers, floats over Python's integers."""
    kinds = [x.kind for x in (left, right) if isinstance(x, Value)]
    if not kinds:
        raise TypeError("both operands are constants")
    vectors = [k for k in kinds if isinstance(k, Vector)]
    like = vectors[0] if vectors else kinds[0]
    a, c = numeric(b, left, like), numeric(b, right, like)
    if _shape(a.kind) != _shape(c.kind):
        raise TypeError(f"{a.kind} meets {c.kind}")
    return a, c


def _shape(kind: Type) -> tuple[Any, ...]:
    """What has to be equal for two values to meet; signs need not."""
    if isinstance(kind, Vector):
        return (kind.element.memory, kind.lanes)
    return (kind.value,) if isinstance(kind, Scalar | Pointer) else (kind,)
