"""What the operations become: one small writer for each, bound by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maiacc_sim.native.lang import operations
from maiacc_sim.native.lang.emit import Body, Value, constant
from maiacc_sim.native.lang.types import (
    BOOL,
    F32,
    F64,
    I32,
    I64,
    Scalar,
    Type,
    Vector,
    suffix,
)
from maiacc_sim.native.lang.writers import BUILTINS, Writer, builtin, numeric, pair
from maiacc_sim.native.toolchain.host import host


def _scalar_op(op: str, a: Any, c: Any, b: Body) -> Value:
    left, right = pair(b, a, c)
    return b.binary(op, left, right)


for _binary, _op in (
    (operations.udiv, "udiv"),
    (operations.urem, "urem"),
    (operations.sdiv, "sdiv"),
    (operations.lshr, "lshr"),
    (operations.lshr_lanes, "lshr"),
):
    BUILTINS[_binary] = lambda b, x, y, op=_op: _scalar_op(op, x, y, b)


@builtin(operations.ult)
@builtin(operations.ult_lanes)
def _ult(b: Body, x: Any, y: Any) -> Value:
    left, right = pair(b, x, y)
    return b.compare("ult", left, right)


@builtin(operations.smallest)
def _smallest(b: Body, x: Any, y: Any) -> Value:
    left, right = pair(b, x, y)
    return b.intrinsic(f"llvm.smin.{suffix(left.kind)}", left.kind, left, right)


@builtin(operations.largest)
def _largest(b: Body, x: Any, y: Any) -> Value:
    left, right = pair(b, x, y)
    return b.intrinsic(f"llvm.smax.{suffix(left.kind)}", left.kind, left, right)


def _fits(b: Body, op: str, x: Any, y: Any) -> Value:
    left, right = pair(b, x, y)
    name = f"llvm.s{op}.with.overflow.i64"
    b.module.declared.add(f"declare {{i64, i1}} @{name}(i64, i64)")
    both = b.give(I64, f"call {{i64, i1}} @{name}(i64 {left.ref}, i64 {right.ref})")
    over = b.give(BOOL, f"extractvalue {{i64, i1}} {both.ref}, 1")
    return b.binary("xor", over, constant(BOOL, 1))


@builtin(operations.choose)
def _choose(b: Body, condition: Value, x: Any, y: Any) -> Value:
    if not isinstance(x, Value) and not isinstance(y, Value):
        like: Type = F32 if isinstance(x, float) else I64
        return b.choose(condition, numeric(b, x, like), numeric(b, y, like))
    left, right = pair(b, x, y)
    return b.choose(condition, left, right)


@builtin(operations.convert)
def _convert(b: Body, kind: Type, value: Any) -> Value:
    if not isinstance(value, Value):
        return numeric(b, value, kind)
    source, target = _element(value.kind), _element(kind)
    if source.is_float and target.is_float:
        if source.size == target.size:
            return value
        return b.cast("fpext" if source.size < target.size else "fptrunc", value, kind)
    if source.is_float:
        return _as_value(b, b.cast("fptosi" if target.signed else "fptoui", value, kind))
    if target.is_float:
        return b.cast("sitofp" if source.signed else "uitofp", value, kind)
    if not isinstance(kind, Vector):
        return _cut(b, value, target)
    if source.size == target.size:
        return Value(kind, value.ref)
    if source is BOOL:
        return b.cast("zext", value, kind)
    how = "trunc" if target.size < source.size else "sext" if source.signed else "zext"
    return b.cast(how, value, kind)


def _element(kind: Type) -> Scalar:
    found = kind.element if isinstance(kind, Vector) else kind
    assert isinstance(found, Scalar)
    return found


def _as_value(b: Body, value: Value) -> Value:
    """A converted scalar integer as the 64 bits that values have."""
    return value if isinstance(value.kind, Vector) else Value(I64, value.ref)


def _cut(b: Body, value: Value, target: Scalar) -> Value:
    """The low bits of an integer, extended as a scalar type says; of a truth value 0 or 1."""
    if value.kind is BOOL:
        return Value(I64, b.give(I64, f"zext i1 {value.ref} to i64").ref)
    if target.size == 8:
        return Value(I64, value.ref)
    low = b.give(target, f"trunc i64 {value.ref} to {target.memory}")
    how = "sext" if target.signed else "zext"
    return Value(I64, b.give(I64, f"{how} {target.memory} {low.ref} to i64").ref)


@builtin(operations.bits)
def _bits(b: Body, kind: Type, value: Any) -> Value:
    if not isinstance(value, Value):
        value = numeric(b, value, F32 if isinstance(value, float) else I64)
    if isinstance(kind, Vector):
        return b.cast("bitcast", value, kind)
    if kind is F32:
        low = b.give(F32, f"trunc i64 {value.ref} to i32")
        return b.give(F32, f"bitcast i32 {low.ref} to float")
    if kind is F64:
        return b.give(F64, f"bitcast i64 {value.ref} to double")
    assert isinstance(kind, Scalar)
    if value.kind is F64:
        return b.give(I64, f"bitcast double {value.ref} to i64")
    raw = b.give(I64, f"bitcast float {value.ref} to i32")
    return b.give(I64, f"{'sext' if kind.signed else 'zext'} i32 {raw.ref} to i64")


@builtin(operations.leading_zeros)
def _leading_zeros(b: Body, x: Value) -> Value:
    return b.intrinsic("llvm.ctlz.i64", I64, x, flags="i1 false")


def _unary(name: str) -> Writer:
    def write(b: Body, x: Value) -> Value:
        return b.intrinsic(f"llvm.{name}.{suffix(x.kind)}", x.kind, x)

    return write


for _name, _intrinsic in (
    (operations.sqrt, "sqrt"),
    (operations.rint, "rint"),
    (operations.floor, "floor"),
    (operations.ceil, "ceil"),
    (operations.trunc, "trunc"),
    (operations.magnitude, "fabs"),
):
    BUILTINS[_name] = _unary(_intrinsic)


@builtin(operations.fma)
def _fma(b: Body, x: Value, y: Value, z: Value) -> Value:
    return b.intrinsic(f"llvm.fma.{suffix(x.kind)}", x.kind, x, y, z)


@builtin(operations.unordered)
def _unordered(b: Body, x: Value) -> Value:
    return b.compare("uno", x, x)


#: For the instruction that repairs numbers by their class, four bits each: of quiet and signalling
#: NaNs what is there stays, all others are copied.
_OTHERS = 0x11111100


@builtin(operations.one_nan)
def _one_nan(b: Body, x: Value, nan: Any) -> Value:
    whole = Vector(I32, 16)
    wanted = constant(whole, nan)
    if host().lanes == 16:
        name = "llvm.x86.avx512.mask.fixupimm.ps.512"
        assert isinstance(x.kind, Vector)
        kind, bits = x.kind.memory, whole.memory
        b.module.declared.add(f"declare {kind} @{name}({kind}, {kind}, {bits}, i32, i16, i32)")
        kept = b.cast("bitcast", wanted, x.kind)
        table = constant(whole, _OTHERS)
        args = f"{kind} {kept.ref}, {kind} {x.ref}, {bits} {table.ref}, i32 0, i16 -1, i32 4"
        return b.give(x.kind, f"call {kind} @{name}({args})")
    raw = b.cast("bitcast", x, whole)
    size = b.binary("and", raw, constant(whole, 0x7FFFFFFF))
    is_nan = b.compare("sgt", size, constant(whole, 0x7F800000))
    return b.cast("bitcast", b.choose(is_nan, wanted, raw), x.kind)


@builtin(operations.scaled)
def _scaled(b: Body, x: Value, power: Value) -> Value:
    name = "llvm.x86.avx512.mask.scalef.ps.512"
    kind = x.kind.memory  # type: ignore[union-attr]
    b.module.declared.add(f"declare {kind} @{name}({kind}, {kind}, {kind}, i16, i32)")
    args = f"{kind} {x.ref}, {kind} {power.ref}, {kind} zeroinitializer, i16 -1, i32 4"
    return b.give(x.kind, f"call {kind} @{name}({args})")


@builtin(operations.any_lane)
def _any_lane(b: Body, mask: Value) -> Value:
    assert isinstance(mask.kind, Vector)
    lanes = mask.kind.lanes
    raw = b.give(I64, f"bitcast {mask.kind.memory} {mask.ref} to i{lanes}")
    return b.give(BOOL, f"icmp ne i{lanes} {raw.ref}, 0")


@builtin(operations.lane)
def _lane(b: Body, vector: Value, number: Any) -> Value:
    assert isinstance(vector.kind, Vector)
    element = vector.kind.element
    at = numeric(b, number, I64)
    raw = b.give(element, f"extractelement {vector.kind.memory} {vector.ref}, i64 {at.ref}")
    if element.memory == element.value:
        return raw
    how = "sext" if element.signed else "zext"
    return b.give(I64, f"{how} {element.memory} {raw.ref} to i64")


@builtin(operations.lanes_from)
def _lanes_from(b: Body, kind: Vector, array: Value, indices: Value) -> Value:
    assert isinstance(indices.kind, Vector)
    element = kind.element.memory
    places = b.give(
        kind,
        f"getelementptr {element}, ptr {array.ref}, {indices.kind.memory} {indices.ref}",
    )
    name = f"llvm.masked.gather.v{kind.lanes}{suffix(kind.element)}.v{kind.lanes}p0"
    pointers, mask = f"<{kind.lanes} x ptr>", f"<{kind.lanes} x i1>"
    b.module.declared.add(f"declare {kind.memory} @{name}({pointers}, i32, {mask}, {kind.memory})")
    return b.give(
        kind,
        f"call {kind.memory} @{name}({pointers} {places.ref}, i32 {kind.element.size}, "
        f"{mask} splat (i1 true), {kind.memory} poison)",
    )


@builtin(operations.shuffle)
def _shuffle(b: Body, x: Value, y: Value, order: Sequence[int]) -> Value:
    return b.shuffle(x, y, list(order))


BUILTINS[operations.mul_fits] = lambda b, x, y: _fits(b, "mul", x, y)
BUILTINS[operations.add_fits] = lambda b, x, y: _fits(b, "add", x, y)
