"""What the operations on memory and calls become: one small writer for each, bound by name."""

from __future__ import annotations

from typing import Any

from maiacc_sim.native.lang import operations
from maiacc_sim.native.lang.emit import Body, Value, llvm_type
from maiacc_sim.native.lang.types import (
    BOOL,
    I64,
    Fixed,
    Pointer,
    Scalar,
    Type,
)
from maiacc_sim.native.lang.writers import builtin, numeric


@builtin(operations.pointer)
def _pointer(b: Body, kind: Type, array: Value) -> Value:
    return Value(Pointer(kind), array.ref)


@builtin(operations.address)
def _address(b: Body, array: Value) -> Value:
    return b.give(I64, f"ptrtoint ptr {array.ref} to i64")


@builtin(operations.at_address)
def _at_address(b: Body, kind: Type, number: Value) -> Value:
    return b.give(Pointer(kind), f"inttoptr i64 {number.ref} to ptr")


@builtin(operations.local_array)
def _local_array(b: Body, kind: Type, count: int) -> Value:
    ref = f"%{b.name('m')}"
    b.entry.append(f"  {ref} = alloca [{count * kind.size} x i8], align 64")
    return Value(Pointer(kind), ref)


@builtin(operations.local_record)
def _local_record(b: Body, kind: Type) -> Value:
    return Value(kind, _local_array(b, kind, 1).ref)


@builtin(operations.copy_bytes)
def _copy_bytes(b: Body, to: Value, source: Value, count: Any) -> Value:
    size = numeric(b, count, I64)
    return b.intrinsic("llvm.memcpy.p0.p0.i64", None, to, source, size, flags="i1 false")


@builtin(operations.set_bytes)
def _set_bytes(b: Body, to: Value, value: Any, count: Any) -> Value:
    byte = b.give(I64, f"trunc i64 {numeric(b, value, I64).ref} to i8")
    size = numeric(b, count, I64)
    name = "llvm.memset.p0.i64"
    b.module.declared.add(f"declare void @{name}(ptr, i8, i64, i1)")
    b.line(f"call void @{name}(ptr {to.ref}, i8 {byte.ref}, i64 {size.ref}, i1 false)")
    return Value(I64, "0")


def _cell(b: Body, cell: Value, at: Any) -> tuple[str, str]:
    """The address of an element, and its type; only whole 64-bit or 32-bit cells are atomic."""
    assert isinstance(cell.kind, Pointer | Fixed)
    place = b.element(cell, numeric(b, at, I64))
    assert isinstance(place.kind, Scalar)
    assert place.kind.size == 8, "atomic cells have 64 bits"
    return place.ref, place.kind.memory


@builtin(operations.atomic_add)
def _atomic_add(b: Body, cell: Value, at: Any, number: Any) -> Value:
    place, kind = _cell(b, cell, at)
    value = numeric(b, number, I64)
    return b.give(I64, f"atomicrmw add ptr {place}, {kind} {value.ref} seq_cst")


@builtin(operations.atomic_load)
def _atomic_load(b: Body, cell: Value, at: Any) -> Value:
    place, kind = _cell(b, cell, at)
    return b.give(I64, f"load atomic {kind}, ptr {place} acquire, align 8")


@builtin(operations.atomic_store)
def _atomic_store(b: Body, cell: Value, at: Any, number: Any) -> Value:
    place, kind = _cell(b, cell, at)
    value = numeric(b, number, I64)
    b.line(f"store atomic {kind} {value.ref}, ptr {place} release, align 8")
    return Value(I64, "0")


@builtin(operations.atomic_swap)
def _atomic_swap(b: Body, cell: Value, at: Any, expected: Any, number: Any) -> Value:
    place, kind = _cell(b, cell, at)
    old, new = numeric(b, expected, I64), numeric(b, number, I64)
    both = b.give(I64, f"cmpxchg ptr {place}, {kind} {old.ref}, {kind} {new.ref} seq_cst seq_cst")
    return b.give(BOOL, f"extractvalue {{{kind}, i1}} {both.ref}, 1")


def _indirect(b: Body, result: str, function: Value, args: tuple[Any, ...]) -> str:
    """The text of a call of the function at an address."""
    given = [numeric(b, arg, I64) for arg in args]
    target = b.give(Pointer(I64), f"inttoptr i64 {function.ref} to ptr")
    text = ", ".join(f"{llvm_type(arg.kind)} {arg.ref}" for arg in given)
    return f"call {result} {target.ref}({text})"


@builtin(operations.invoke)
def _invoke(b: Body, function: Value, *args: Any) -> Value:
    return b.give(I64, _indirect(b, "i64", function, args))


@builtin(operations.perform)
def _perform(b: Body, function: Value, *args: Any) -> Value:
    b.line(_indirect(b, "void", function, args))
    return Value(I64, "0")


@builtin(operations.pause)
def _pause(b: Body) -> Value:
    b.line('call void asm sideeffect "", "~{memory}"()')
    return Value(I64, "0")
