"""Translates the expressions of native functions.

An expression is either a ``Value``, or something known while translating: a Python number, a type,
a native function, an operation of ``operations``, a module. Arithmetic on numbers that are known is
done at once, so constants cost nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import ModuleType
from typing import Any

from maiacc_sim.native.lang import builtins, builtins_memory
from maiacc_sim.native.lang.arithmetic import Unsupported, combined, compared, inverted, negated
from maiacc_sim.native.lang.emit import Body, Value
from maiacc_sim.native.lang.functions import NativeFunction
from maiacc_sim.native.lang.names import Fixed as FixedMark
from maiacc_sim.native.lang.names import Lanes, type_of
from maiacc_sim.native.lang.types import (
    BOOL,
    F32,
    I64,
    Pointer,
    Record,
    Scalar,
    Type,
    Vector,
)
from maiacc_sim.native.lang.writers import BUILTINS, numeric


class Expressions:
    """Expressions of one function. ``locals`` are its variables, ``fixed`` the names whose values
    are known (turns of unrolled loops)."""

    def __init__(
        self, body: Body, scope: dict[str, Any], need: Callable[[NativeFunction], None]
    ) -> None:
        self.body, self.scope, self.need = body, scope, need
        self.locals: dict[str, Value] = {}
        self.fixed: dict[str, Any] = {}

    # ---- entry --------------------------------------------------------------------------
    def any(self, node: ast.expr) -> Any:
        """A value, or what is known."""
        writer = _NODES.get(type(node))
        if writer is None:
            raise Unsupported(f"{type(node).__name__} is not native")
        return writer(self, node)

    def value(self, node: ast.expr, like: Type | None = None) -> Value:
        """A value; a known number becomes one of type ``like``, by default i64 or f32."""
        return self.made(self.any(node), like)

    def made(self, found: Any, like: Type | None = None) -> Value:
        """What is known as a value."""
        if isinstance(found, Value) and not isinstance(like, Vector):
            return found
        if isinstance(found, bool) and like is None:
            like = BOOL
        if isinstance(found, Value | int | float):
            return numeric(self.body, found, like or (F32 if isinstance(found, float) else I64))
        raise Unsupported(f"{found!r} is no value")

    def truth(self, node: ast.expr) -> Value | bool:
        """A condition; an integer holds if it is not 0."""
        found = self.any(node)
        if not isinstance(found, Value):
            return bool(found)
        if found.kind is BOOL:
            return found
        if found.kind is I64:
            return self.body.compare("ne", found, numeric(self.body, 0, I64))
        raise Unsupported(f"{found.kind} is no condition")

    # ---- leaves -------------------------------------------------------------------------
    def name(self, node: ast.Name) -> Any:
        if node.id in self.fixed:
            return self.fixed[node.id]
        if node.id in self.locals:
            return self.body.read_local(self.locals[node.id])
        if node.id not in self.scope:
            raise Unsupported(f"{node.id} has no value here")
        return self.scope[node.id]

    def constant(self, node: ast.Constant) -> Any:
        return node.value

    def tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.any(item) for item in node.elts)

    # ---- places -------------------------------------------------------------------------
    def place(self, node: ast.expr) -> Value:
        """The address that an attribute or element lies at, typed as what lies there."""
        if isinstance(node, ast.Attribute):
            return self._field(self.value(node.value), node.attr)
        if isinstance(node, ast.Subscript):
            return self._element(self.value(node.value), node.slice)
        raise Unsupported("this is no place in memory")

    def _field(self, base: Value, name: str) -> Value:
        if not isinstance(base.kind, Record):
            raise Unsupported(f"{base.kind} has no fields")
        if name not in base.kind.fields:
            raise Unsupported(f"{base.kind} has no field {name}")
        at, kind = base.kind.fields[name]
        return self.body.offset(base, at, kind)

    def _element(self, base: Value, index: ast.expr) -> Value:
        if not isinstance(base.kind, Pointer):
            raise Unsupported(f"{base.kind} has no elements")
        return self.body.element(base, self.value(index))

    def attribute(self, node: ast.Attribute) -> Any:
        base = self.any(node.value)
        if isinstance(base, Value):
            place = self._field(base, node.attr)
            shared = isinstance(base.kind, Record) and base.kind.shared
            return self.body.load(place, stable=shared and isinstance(place.kind, Pointer))
        if isinstance(base, ModuleType | type) or hasattr(base, node.attr):
            return getattr(base, node.attr)
        raise Unsupported(f"{base!r} has no {node.attr}")

    def subscript(self, node: ast.Subscript) -> Any:
        base = self.any(node.value)
        if isinstance(base, Value):
            return self.body.load(self._element(base, node.slice))
        if base is FixedMark or not isinstance(base, type):
            return base[self.any(node.slice)]
        return base.__class_getitem__(self.any(node.slice))  # type: ignore[attr-defined]

    # ---- arithmetic ---------------------------------------------------------------------
    def binary(self, node: ast.BinOp) -> Any:
        left, right = self.any(node.left), self.any(node.right)
        return combined(self.body, node.op, left, right)

    def unary(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            test = self.truth(node.operand)
            return not test if isinstance(test, bool) else inverted(self.body, test)
        return negated(self.body, node.op, self.any(node.operand))

    def compare(self, node: ast.Compare) -> Any:
        found = compared(self.body, node.ops[0], self.any(node.left), self.any(node.comparators[0]))
        left = node.comparators[0]
        for op, right in zip(node.ops[1:], node.comparators[1:], strict=True):
            more = compared(self.body, op, self.any(left), self.any(right))
            both = [x for x in (found, more) if isinstance(x, Value)]
            if len(both) < 2:
                raise Unsupported("a chain of comparisons with constants")
            found = self.body.binary("and", *both)
            left = right
        return found

    def boolean(self, node: ast.BoolOp) -> Any:
        """``and`` and ``or``: the right side is only computed if it decides."""
        body, is_and = self.body, isinstance(node.op, ast.And)
        result: Value | None = None
        end = ""
        for position, item in enumerate(node.values):
            test = self.truth(item)
            last = position == len(node.values) - 1
            if isinstance(test, bool):
                if test != is_and:
                    test = self.made(test)
                    last = True
                elif last:
                    test = self.made(test)
                else:
                    continue
            if last and result is None:
                return test
            if result is None:
                result, end = body.local(BOOL), body.name("decided")
            body.write_local(result, test)
            if last:
                break
            more = body.name("more")
            body.branch(test, *((more, end) if is_and else (end, more)))
            body.block(more)
        assert result is not None
        body.block(end)
        return body.read_local(result)

    def conditional(self, node: ast.IfExp) -> Any:
        """a if c else b; only one side is computed."""
        test = self.truth(node.test)
        if isinstance(test, bool):
            return self.any(node.body if test else node.orelse)
        body = self.body
        then, other, end = body.name("then"), body.name("else"), body.name("end")
        body.branch(test, then, other)
        body.block(then)
        first = self.any(node.body)
        held = self.made(first)
        cell = body.local(held.kind)
        body.write_local(cell, held)
        body.jump(end)
        body.block(other)
        body.write_local(cell, self.made(self.any(node.orelse), held.kind))
        body.block(end)
        return body.read_local(cell)

    # ---- calls --------------------------------------------------------------------------
    def call(self, node: ast.Call) -> Any:
        if node.keywords:
            raise Unsupported("arguments by name")
        if isinstance(node.func, ast.Attribute):
            found = self._method(node.func, node.args)
            if found is not None:
                return found
        target = self.any(node.func)
        if isinstance(target, NativeFunction):
            return self._native(target, node.args)
        if target in BUILTINS:
            args = [self.any(arg) for arg in node.args]
            return BUILTINS[target](self.body, *map(self._plain, args))
        raise Unsupported(f"{ast.unparse(node.func)} is no native function")

    def _plain(self, arg: Any) -> Any:
        """An argument of an operation: marks become types."""
        try:
            return arg if isinstance(arg, Value | int | float | tuple) else type_of(arg)
        except TypeError:
            raise Unsupported(f"{arg!r} is no argument") from None

    def _native(self, target: NativeFunction, nodes: list[ast.expr]) -> Any:
        self.need(target)
        params = target.signature.params
        if len(params) != len(nodes):
            raise Unsupported(f"{target.symbol} takes {len(params)} arguments")
        args = []
        for kind, node in zip(params, nodes, strict=True):
            arg = self.value(node, kind)
            if not same(arg.kind, kind):
                raise Unsupported(f"{target.symbol} takes {kind}, not {arg.kind}")
            args.append(arg)
        found = self.body.call(target.signature, args)
        if found is not None and isinstance(found.kind, Scalar) and found.kind.value == "i64":
            return Value(I64, found.ref)
        return found

    def _method(self, target: ast.Attribute, nodes: list[ast.expr]) -> Any:
        """``f32x16.load(array, at)``, ``f32x16.splat(x)``, ``vector.store(array, at)``."""
        base = self.any(target.value)
        body = self.body
        if isinstance(base, type) and issubclass(base, Lanes):
            if target.attr == "splat":
                return numeric(body, self.any(nodes[0]), base.lanes)
            return body.load(self._lanes(base.lanes, nodes))
        if isinstance(base, Value) and isinstance(base.kind, Vector) and target.attr == "store":
            body.store(self._lanes(base.kind, nodes), base)
            return Value(I64, "0")
        return None

    def _lanes(self, kind: Vector, nodes: list[ast.expr]) -> Value:
        """The address of a vector in an array of its elements."""
        array = self.value(nodes[0])
        if not isinstance(array.kind, Pointer) or array.kind.element.size != kind.element.size:
            raise Unsupported(f"{kind} does not lie in {array.kind}")
        at = self.value(nodes[1]) if len(nodes) > 1 else numeric(body := self.body, 0, I64)
        body = self.body
        return Value(kind, body.element(array, at).ref)


def same(found: Type, wanted: Type) -> bool:
    """Whether a value may be given where a type is wanted."""
    if isinstance(wanted, Scalar) and isinstance(found, Scalar):
        return found.value == wanted.value
    if isinstance(wanted, Pointer) and isinstance(found, Pointer):
        return same(found.element, wanted.element) or found.element == wanted.element
    return found == wanted


_NODES: dict[type[ast.expr], Callable[[Expressions, Any], Any]] = {
    ast.Name: Expressions.name,
    ast.Constant: Expressions.constant,
    ast.Tuple: Expressions.tuple,
    ast.Attribute: Expressions.attribute,
    ast.Subscript: Expressions.subscript,
    ast.BinOp: Expressions.binary,
    ast.UnaryOp: Expressions.unary,
    ast.Compare: Expressions.compare,
    ast.BoolOp: Expressions.boolean,
    ast.IfExp: Expressions.conditional,
    ast.Call: Expressions.call,
}

#: Loaded, so that the operations are bound.
_BOUND = (builtins, builtins_memory)
