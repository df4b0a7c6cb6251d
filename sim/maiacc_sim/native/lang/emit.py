"""Writes LLVM assembly: values with their types, instructions, blocks and calls of one function.

Both the translator of native functions and the generators of kernels write through ``Body``; nobody
else spells LLVM.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from maiacc_sim.native.lang.types import (
    BOOL,
    F32,
    I64,
    Fixed,
    Pointer,
    Record,
    Scalar,
    Type,
    Vector,
)


@dataclass(frozen=True)
class Value:
    """What an instruction left: an LLVM name or constant, and its type."""

    kind: Type
    ref: str


@dataclass(frozen=True)
class Signature:
    """A function that can be called: its symbol, the types it takes and gives (None: nothing)."""

    symbol: str
    params: tuple[Type, ...]
    result: Type | None


def llvm_type(kind: Type) -> str:
    """How a value of a type is called in LLVM; records are used through their address."""
    return "ptr" if isinstance(kind, Record | Fixed) else kind.value


def constant(kind: Scalar | Vector, number: float) -> Value:
    """A number as a constant of a type, the same in all lanes of a vector."""
    if isinstance(kind, Vector):
        one = constant(kind.element, number)
        return Value(kind, f"splat ({kind.element.memory} {one.ref})")
    if kind.is_float:
        single = struct.unpack("<f", struct.pack("<f", number))[0] if kind is F32 else number
        bits: int = struct.unpack("<Q", struct.pack("<d", single))[0]
        return Value(kind, f"0x{bits:016X}")
    if kind is BOOL:
        return Value(kind, "true" if number else "false")
    return Value(kind, str(int(number)))


@dataclass
class Module:
    """Functions of one compilation, and what they need declared."""

    functions: list[str] = field(default_factory=list)
    declared: set[str] = field(default_factory=set)
    constants: dict[str, str] = field(default_factory=dict)
    metadata: list[str] = field(
        default_factory=lambda: [
            "!0 = !{}",
            '!1 = !{!"llvm.loop.unroll.disable"}',
            '!2 = !{!"llvm.loop.vectorize.enable", i1 false}',
        ]
    )

    def text(self) -> str:
        """The whole module as LLVM assembly."""
        parts = [*sorted(self.declared), *self.constants.values(), *self.functions]
        return "\n".join([*parts, ATTRIBUTES, *self.metadata, ""])

    def table(self, name: str, kind: Scalar, numbers: list[int]) -> Value:
        """A constant array; equal names are the same array."""
        entries = ", ".join(f"{kind.memory} {n}" for n in numbers)
        self.constants[name] = (
            f"@{name} = internal constant [{len(numbers)} x {kind.memory}] [{entries}], align 64"
        )
        return Value(Pointer(kind), f"@{name}")


#: Floats are never reordered or fused: no fast-math flag is ever written.
ATTRIBUTES = 'attributes #0 = { nounwind "no-trapping-math"="true" }'


class Body:
    """The body of one function while it is written."""

    def __init__(
        self,
        module: Module,
        signature: Signature,
        names: tuple[str, ...],
        *,
        exported: bool = False,
        inline: bool | None = None,
    ) -> None:
        self.module, self.signature = module, signature
        self.exported, self.inline = exported, inline
        self.entry: list[str] = []
        self.lines: list[str] = []
        self.count = 0
        self.done = False
        self.params = {
            name: Value(kind, f"%{name}.in")
            for name, kind in zip(names, signature.params, strict=True)
        }

    # ---- text ---------------------------------------------------------------------------
    def finish(self) -> None:
        """Adds the function to its module."""
        params = ", ".join(f"{llvm_type(v.kind)} {v.ref}" for v in self.params.values())
        result = "void" if self.signature.result is None else llvm_type(self.signature.result)
        linkage = "" if self.exported else "internal "
        hint = {True: " alwaysinline", False: " noinline", None: ""}[self.inline]
        head = f"define {linkage}{result} @{self.signature.symbol}({params}){hint} #0 {{"
        lines = [head, "entry:", *self.entry, *self.lines, "}"]
        self.module.functions.append("\n".join(lines))

    def name(self, stem: str = "v") -> str:
        """A name that nothing else has."""
        self.count += 1
        return f"{stem}{self.count}"

    def line(self, text: str) -> None:
        """Adds an instruction; none can be reached behind a jump."""
        if not self.done:
            self.lines.append(f"  {text}")

    def give(self, kind: Type, text: str) -> Value:
        """Adds an instruction that leaves a value."""
        ref = f"%{self.name()}"
        self.line(f"{ref} = {text}")
        return Value(kind, ref)

    def local(self, kind: Type) -> Value:
        """Memory for a variable of the function."""
        ref = f"%{self.name('m')}"
        align = f", align {kind.size}" if isinstance(kind, Vector) else ""
        self.entry.append(f"  {ref} = alloca {llvm_type(kind)}{align}")
        return Value(kind, ref)

    # ---- blocks -------------------------------------------------------------------------
    def block(self, label: str) -> None:
        """Begins a block; the one before goes on there unless it has jumped."""
        self.jump(label)
        self.lines.append(f"{label}:")
        self.done = False

    def jump(self, label: str) -> None:
        """Goes on at a block."""
        self.line(f"br label %{label}")
        self.done = True

    def branch(self, condition: Value, then: str, other: str) -> None:
        """Goes on at one of two blocks."""
        self.line(f"br i1 {condition.ref}, label %{then}, label %{other}")
        self.done = True

    def back(self, label: str) -> None:
        """Goes back to the head of a loop that is not to be unrolled."""
        number = len(self.module.metadata)
        if not self.done:
            self.module.metadata.append(f"!{number} = distinct !{{!{number}, !1, !2}}")
        self.line(f"br label %{label}, !llvm.loop !{number}")
        self.done = True

    def leave(self, value: Value | None = None) -> None:
        """Returns."""
        self.line("ret void" if value is None else f"ret {llvm_type(value.kind)} {value.ref}")
        self.done = True

    # ---- memory -------------------------------------------------------------------------
    def read_local(self, place: Value) -> Value:
        kind = llvm_type(place.kind)
        return self.give(place.kind, f"load {kind}, ptr {place.ref}")

    def write_local(self, place: Value, value: Value) -> None:
        self.line(f"store {llvm_type(value.kind)} {value.ref}, ptr {place.ref}")

    def offset(self, base: Value, size: int, kind: Type) -> Value:
        """The address some bytes further."""
        if not size:
            return Value(kind, base.ref)
        return self.give(kind, f"getelementptr i8, ptr {base.ref}, i64 {size}")

    def element(self, base: Value, index: Value) -> Value:
        """The address of an element of an array, typed as what lies there."""
        assert isinstance(base.kind, Pointer | Fixed)
        inner = base.kind.element
        step = inner.memory if isinstance(inner, Scalar) else f"[{inner.size} x i8]"
        return self.give(inner, f"getelementptr {step}, ptr {base.ref}, i64 {index.ref}")

    def load(self, address: Value, stable: bool = False) -> Value:
        """What lies at an address; of a record or an array inside one, the address itself.
        ``stable``: nothing in the module writes there."""
        kind = address.kind
        if isinstance(kind, Record):
            return address
        if isinstance(kind, Fixed):
            return Value(Pointer(kind.element), address.ref)
        align = kind.element.size if isinstance(kind, Vector) else kind.size
        known = ", !invariant.load !0" if stable else ""
        raw = self.give(kind, f"load {kind.memory}, ptr {address.ref}, align {align}{known}")
        if isinstance(kind, Scalar) and kind.memory != kind.value:
            how = "sext" if kind.signed else "zext"
            return self.give(I64, f"{how} {kind.memory} {raw.ref} to {kind.value}")
        return Value(I64, raw.ref) if kind is I64 else raw

    def store(self, address: Value, value: Value) -> None:
        """Puts a value at an address, its low bits if it is wider."""
        kind = address.kind
        assert not isinstance(kind, Record | Fixed)
        align = kind.element.size if isinstance(kind, Vector) else kind.size
        if isinstance(kind, Scalar) and kind.memory != kind.value:
            value = self.give(kind, f"trunc i64 {value.ref} to {kind.memory}")
        self.line(f"store {kind.memory} {value.ref}, ptr {address.ref}, align {align}")

    # ---- instructions -------------------------------------------------------------------
    def prefetch(self, address: Value, write: bool) -> None:
        """Asks for what lies at an address, which need not be one of the process."""
        self.module.declared.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.line(f"call void @llvm.prefetch.p0(ptr {address.ref}, i32 {write:d}, i32 3, i32 1)")

    def binary(self, op: str, a: Value, b: Value) -> Value:
        """An instruction on two values of one type."""
        return self.give(a.kind, f"{op} {llvm_type(a.kind)} {a.ref}, {b.ref}")

    def compare(self, predicate: str, a: Value, b: Value) -> Value:
        """A comparison: a truth value, or a vector of them."""
        assert isinstance(a.kind, Scalar | Vector | Pointer)
        floats = not isinstance(a.kind, Pointer) and a.kind.is_float
        result = a.kind.mask if isinstance(a.kind, Vector) else BOOL
        op = "fcmp" if floats else "icmp"
        return self.give(result, f"{op} {predicate} {llvm_type(a.kind)} {a.ref}, {b.ref}")

    def choose(self, condition: Value, a: Value, b: Value) -> Value:
        """One of two values, lane by lane for a vector of truth values."""
        test = f"{llvm_type(condition.kind)} {condition.ref}"
        kind = llvm_type(a.kind)
        return self.give(a.kind, f"select {test}, {kind} {a.ref}, {kind} {b.ref}")

    def cast(self, op: str, value: Value, kind: Type) -> Value:
        """A conversion: bitcast, trunc, sext, fptosi and others."""
        text = f"{op} {llvm_type(value.kind)} {value.ref} to {llvm_type(kind)}"
        return self.give(kind, text)

    def splat(self, value: Value, kind: Vector) -> Value:
        """A vector with the same number in all lanes."""
        element, one = kind.element, value
        if element.memory != element.value:
            one = self.give(element, f"trunc i64 {value.ref} to {element.memory}")
        first = self.give(
            kind, f"insertelement {kind.memory} poison, {element.memory} {one.ref}, i32 0"
        )
        zeros = f"<{kind.lanes} x i32> zeroinitializer"
        return self.give(
            kind, f"shufflevector {kind.memory} {first.ref}, {kind.memory} poison, {zeros}"
        )

    def shuffle(self, a: Value, b: Value, lanes: list[int]) -> Value:
        """Lanes of two vectors in a new order."""
        assert isinstance(a.kind, Vector)
        order = ", ".join(f"i32 {n}" for n in lanes)
        kind = Vector(a.kind.element, len(lanes))
        pair = f"{a.kind.memory} {a.ref}, {a.kind.memory} {b.ref}"
        return self.give(kind, f"shufflevector {pair}, <{len(lanes)} x i32> <{order}>")

    def intrinsic(self, name: str, result: Type | None, *args: Value, flags: str = "") -> Value:
        """A call of an LLVM intrinsic, declared on the way. ``flags`` follow the arguments."""
        kinds = [llvm_type(a.kind) for a in args]
        given = [f"{kind} {a.ref}" for kind, a in zip(kinds, args, strict=True)]
        if flags:
            kinds.append(flags.split()[0])
            given.append(flags)
        returned = "void" if result is None else llvm_type(result)
        self.module.declared.add(f"declare {returned} @{name}({', '.join(kinds)})")
        call = f"call {returned} @{name}({', '.join(given)})"
        if result is None:
            self.line(call)
            return Value(I64, "0")
        return self.give(result, call)

    def call(self, target: Signature, args: list[Value]) -> Value | None:
        """A call of a function of the module."""
        given = ", ".join(f"{llvm_type(a.kind)} {a.ref}" for a in args)
        if target.result is None:
            self.line(f"call void @{target.symbol}({given})")
            return None
        return self.give(
            target.result, f"call {llvm_type(target.result)} @{target.symbol}({given})"
        )
