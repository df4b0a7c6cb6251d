"""Generates the functions of ``functions.fn`` on 16 numbers, statement by statement.

Every statement becomes the instructions its form and operation name, each rounding by itself; what
an operation does is bound here by name to the rows of the language.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maiacc_isa.errors import InternalError
from maiacc_isa.function_rows import (
    Apply,
    Arith,
    Call,
    Const,
    Expr,
    Free,
    Function,
    Lookup,
    Name,
    Product,
)
from maiacc_isa.functions import load
from maiacc_sim.native.lang.emit import Body, Value, constant
from maiacc_sim.native.lang.functions import NativeFunction, Need, given
from maiacc_sim.native.lang.names import Array, f32, i64
from maiacc_sim.native.lang.types import BOOL, F32, I32, I64, Vector
from maiacc_sim.native.values.float_stages import TOGETHER
from maiacc_sim.native.values.function_ops import (
    HAS_SCALED,
    asuint,
    copysign,
    least,
    mac,
    machi,
    maclo,
    mant,
    most,
    mulsign,
    norm,
    pscale,
    radians,
    shr,
    sig8,
    unit,
)
from maiacc_sim.native.values.numbers import canonical

#: Vectors for the types of the language.
KINDS: dict[str, Vector] = {
    "f32": Vector(F32, 16),
    "i32": Vector(I32, 16),
    "u32": Vector(I32, 16),
    "u64": Vector(I64, 16),
    "bool": Vector(BOOL, 16),
}


#: Elements by which memory is asked for before it is needed: a page of 4 KiB, since processors do
#: not guess beyond the end of one. Measured: 3 % of exp over arrays that no cache holds.
AHEAD = 1024

#: Writes an operation on values.
Writer = Callable[..., Value]


def _calls(function: Any) -> Writer:
    assert isinstance(function, NativeFunction)

    def write(b: Body, need: Need, *args: Value) -> Value:
        need(function)
        found = b.call(function.signature, list(args))
        assert found is not None
        return found

    return write


def _plain(op: str) -> Writer:
    return lambda b, need, x, y: b.binary(op, x, y)


def _compared(predicate: str) -> Writer:
    return lambda b, need, x, y: b.compare(predicate, x, y)


def _unary(name: str) -> Writer:
    return lambda b, need, x: b.intrinsic(f"llvm.{name}.v16f32", x.kind, x)


OPS: dict[str, Writer] = {
    "abs": _unary("fabs"),
    "asuint": _calls(asuint),
    "asfloat": lambda b, need, x: b.cast("bitcast", x, KINDS["f32"]),
    "rne": _unary("rint"),
    "trunc": _unary("trunc"),
    "min": _calls(least),
    "max": _calls(most),
    "lt": _compared("olt"),
    "eq": _compared("oeq"),
    "ne": _compared("une"),
    "select": lambda b, need, c, x, y: b.choose(c, x, y),
    "both": _plain("and"),
    "either": _plain("or"),
    "copysign": _calls(copysign),
    "mulsign": _calls(mulsign),
    "div": _plain("fdiv"),
    "sqrt": _unary("sqrt"),
    "pscale": _calls(pscale),
    "norm": _calls(norm),
    "mant": _calls(mant),
    "unit": _calls(unit),
    "and": _plain("and"),
    "shr": _calls(shr),
    "sig8": _calls(sig8),
    "mac": _calls(mac),
    "machi": _calls(machi),
    "maclo": _calls(maclo),
    "radians": _calls(radians),
}


def _check_ops() -> None:
    unbound = set(OPS) ^ set(load().ops)
    if unbound:
        names = ", ".join(sorted(unbound))
        raise InternalError("E0001", f"op rows and native operations differ: {names}")


_check_ops()


# ---- functions --------------------------------------------------------------------------------
class _Writer:
    """Writes the statements of one function."""

    def __init__(self, body: Body, need: Need, function: Function) -> None:
        self.body, self.need = body, need
        self.names: dict[str, Value] = {}
        self.function = function

    def write(self, sets: list[list[Value]]) -> list[Value]:
        """The results for some sets of arguments, NaNs as they come. Each statement is written for
        all of them before the next one is."""
        params = [name for name, _ in self.function.params]
        known = [dict(zip(params, args, strict=True)) for args in sets]
        for statement in self.function.statements:
            for names in known:
                self.names = names
                names[statement.target] = self.value(statement.expr)
        return [names["return"] for names in known]

    def value(self, expr: Expr | Product) -> Value:
        b = self.body
        if isinstance(expr, Name):
            return self.names[expr.name]
        if isinstance(expr, Const):
            kind = KINDS[expr.type]
            if expr.type != "f32":
                return constant(kind, expr.bits)
            raw = constant(KINDS["u32"], expr.bits)
            return b.cast("bitcast", raw, kind)
        if isinstance(expr, Free):
            arg = self.value(expr.arg)
            if expr.op == "neg":
                return b.give(arg.kind, f"fneg {KINDS['f32'].memory} {arg.ref}")
            return OPS[expr.op](b, self.need, arg)
        if isinstance(expr, Product):
            return b.binary("fmul", self.value(expr.a), self.value(expr.b))
        if isinstance(expr, Lookup):
            return self._lookup(expr)
        args = [self.value(arg) for arg in expr.args]
        if isinstance(expr, Arith):
            return self._arith(expr.form, args)
        if isinstance(expr, Apply):
            return OPS[expr.op](b, self.need, *args)
        assert isinstance(expr, Call)
        (found,) = _Writer(b, self.need, load().functions[expr.function]).write([args])
        return self._canonical(found)

    def _canonical(self, value: Value) -> Value:
        if value.kind != KINDS["f32"]:
            return value
        return _calls(canonical)(self.body, self.need, value)

    def _arith(self, form: str, args: list[Value]) -> Value:
        b = self.body
        if form in ("a*b", "a+b", "a-b"):
            return b.binary({"*": "fmul", "+": "fadd", "-": "fsub"}[form[1]], *args)
        product = b.binary("fmul", args[0], args[1])
        if form == "a*b+c":
            return b.binary("fadd", product, args[2])
        left, right = (product, args[2]) if form == "a*b-c" else (args[2], product)
        return b.binary("fsub", left, right)

    def _lookup(self, expr: Lookup) -> Value:
        b, table = self.body, load().tables[expr.table]
        column = list(table.values[expr.column :: table.width])
        stored = b.module.table(f"table_{expr.table}_{expr.column}", I32, column)
        index = b.binary("and", self.value(expr.index), constant(KINDS["u32"], table.rows - 1))
        kind = KINDS[table.type]
        if HAS_SCALED and table.rows in (32, 64):
            return permuted(b, kind, stored, index, table.rows)
        return gathered(b, kind, stored, index)


def permuted(b: Body, kind: Vector, table: Value, index: Value, rows: int) -> Value:
    """Elements of a constant table of 32 or 64 rows, which registers hold."""
    letter = "ps" if kind.is_float else "d"
    name = f"llvm.x86.avx512.vpermi2var.{letter}.512"
    memory, whole = kind.memory, KINDS["u32"].memory
    b.module.declared.add(f"declare {memory} @{name}({memory}, {whole}, {memory})")
    found = []
    for half in range(rows // 32):
        parts = [
            b.load(Value(kind, b.element(table, constant(I64, 32 * half + at)).ref))
            for at in (0, 16)
        ]
        args = f"{memory} {parts[0].ref}, {whole} {index.ref}, {memory} {parts[1].ref}"
        found.append(b.give(kind, f"call {memory} @{name}({args})"))
    if len(found) == 1:
        return found[0]
    upper = b.binary("and", index, constant(KINDS["u32"], 32))
    test = b.compare("ne", upper, constant(KINDS["u32"], 0))
    return b.choose(test, found[1], found[0])


def gathered(b: Body, kind: Vector, table: Value, index: Value) -> Value:
    """Elements of a constant table."""
    result = Value(kind, "poison")
    for lane in range(kind.lanes):
        at = b.give(I32, f"extractelement {index.kind.memory} {index.ref}, i32 {lane}")  # type: ignore[union-attr]
        place = b.give(I64, f"getelementptr {kind.element.memory}, ptr {table.ref}, i32 {at.ref}")
        one = b.give(I32, f"load {kind.element.memory}, ptr {place.ref}, align {kind.element.size}")
        result = b.give(
            kind,
            f"insertelement {kind.memory} {result.ref}, {kind.element.memory} {one.ref}, "
            f"i32 {lane}",
        )
    return result


def _several(function: Function) -> Any:
    def write(b: Body, need: Need) -> None:
        arrays = [b.params[name] for name in "xyz"][: len(function.params)]
        kind = KINDS["f32"]
        places = []
        for number in range(TOGETHER):
            at = b.binary("add", b.params["i"], constant(I64, 16 * number))
            last = b.params["last"]
            places.append(b.choose(b.compare("slt", at, last), at, last))
        sets = [
            [b.load(Value(kind, b.element(array, at).ref)) for array in arrays] for at in places
        ]
        for number in range(TOGETHER):
            ahead = b.binary("add", b.params["i"], constant(I64, 16 * number + AHEAD))
            for array in arrays:
                b.prefetch(b.element(array, ahead), write=False)
            b.prefetch(b.element(b.params["out"], ahead), write=True)
        writer = _Writer(b, need, function)
        for at, value in zip(places, writer.write(sets), strict=True):
            b.store(Value(kind, b.element(b.params["out"], at).ref), writer._canonical(value))
        b.leave()

    @given(write, name=f"several_{function.name}", inline=True)
    def several(
        x: Array[f32], y: Array[f32], z: Array[f32], out: Array[f32], i: i64, last: i64
    ) -> None:
        """The function on ``TOGETHER`` vectors from element i on, none behind the last."""

    return several


#: The functions of class float on some vectors, by name.
SEVERAL: dict[str, Any] = {
    function.name: _several(function)
    for function in load().functions.values()
    if {kind for _, kind in function.params} == {"f32"}
}
