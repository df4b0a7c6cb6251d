"""Translates native functions: statements, and the functions that a set of functions needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from maiacc_sim.native.lang import operations
from maiacc_sim.native.lang.arithmetic import Unsupported, combined
from maiacc_sim.native.lang.emit import Body, Module, Value, llvm_type
from maiacc_sim.native.lang.expressions import Expressions, same
from maiacc_sim.native.lang.functions import NativeFunction, body_of
from maiacc_sim.native.lang.names import type_of
from maiacc_sim.native.lang.types import I64, Scalar, Type


class TranslationError(Exception):
    """A native function that cannot be translated, with file and line."""


def translate(roots: Iterable[Any]) -> Module:
    """A module with some native functions and all that they call.

    Raises ``TranslationError`` where a function says something that is not native.
    """
    module = Module()
    waiting: list[NativeFunction] = []
    known: dict[str, NativeFunction] = {}

    def need(function: NativeFunction) -> None:
        other = known.get(function.symbol)
        if other is None:
            known[function.symbol] = function
            waiting.append(function)
        elif other.python is not function.python:
            raise TranslationError(f"two functions are called {function.symbol}")

    for root in roots:
        need(root)
    for function in waiting:
        if function.generator is not None:
            body = body_of(function, module)
            function.generator(body, need)
            body.finish()
        else:
            _Statements(function, module, need).write()
    return module


@dataclass
class _Loop:
    """Where ``continue`` and ``break`` go."""

    again: str
    end: str


class _Statements:
    """The statements of one function."""

    def __init__(
        self, function: NativeFunction, module: Module, need: Callable[[NativeFunction], None]
    ) -> None:
        self.function = function
        self.body: Body = body_of(function, module)
        self.expressions = Expressions(self.body, function.scope, need)
        self.loops: list[_Loop] = []

    def write(self) -> None:
        """Writes the whole function."""
        body = self.body
        for name, value in body.params.items():
            kind = (
                I64 if isinstance(value.kind, Scalar) and value.kind.value == "i64" else value.kind
            )
            cell = self.expressions.locals[name] = body.local(kind)
            body.entry.append(f"  store {llvm_type(kind)} {value.ref}, ptr {cell.ref}")
        self.block(self.function.definition.body)
        if not body.done:
            if self.function.signature.result is not None:
                raise TranslationError(f"{self.function.symbol} may end without a result")
            body.leave()
        body.finish()

    def block(self, nodes: list[ast.stmt]) -> None:
        """Writes statements one after the other."""
        for node in nodes:
            if self.body.done:
                return  # nothing comes here
            writer = _STATEMENTS.get(type(node))
            try:
                if writer is None:
                    raise Unsupported(f"{type(node).__name__} is not native")
                writer(self, node)
            except (Unsupported, TypeError, AssertionError, KeyError, AttributeError) as problem:
                file = self.function.python.__code__.co_filename
                raise TranslationError(f"{file}:{node.lineno}: {problem}") from problem

    # ---- single statements ---------------------------------------------------------------
    def assign(self, node: ast.Assign) -> None:
        (target,) = node.targets
        self._set(target, self.expressions.any(node.value), None)

    def annotated(self, node: ast.AnnAssign) -> None:
        assert node.value is not None, "a variable needs a value"
        kind = type_of(self.expressions.any(node.annotation))
        self._set(node.target, self.expressions.any(node.value), kind)

    def augmented(self, node: ast.AugAssign) -> None:
        x = self.expressions
        right = x.any(node.value)
        if isinstance(node.target, ast.Name):
            self._set(node.target, combined(self.body, node.op, x.name(node.target), right), None)
            return
        place = x.place(node.target)
        self._store(place, combined(self.body, node.op, self.body.load(place), right))

    def _set(self, target: ast.expr, found: Any, kind: Type | None) -> None:
        x = self.expressions
        if not isinstance(target, ast.Name):
            self._store(x.place(target), found)
            return
        if target.id in x.fixed:
            raise Unsupported(f"{target.id} is constant here")
        known = x.locals.get(target.id)
        like = known.kind if known is not None else kind
        if isinstance(like, Scalar) and like.value == "i64":
            like = I64
        value = x.made(found, like)
        if known is None:
            held = like or value.kind
            known = x.locals[target.id] = self.body.local(held)
        if not same(value.kind, known.kind):
            raise Unsupported(f"{target.id} is {known.kind}, not {value.kind}")
        self.body.write_local(known, value)

    def _store(self, place: Value, found: Any) -> None:
        value = self.expressions.made(found, place.kind)
        if not same(value.kind, place.kind):
            raise Unsupported(f"{value.kind} is stored where {place.kind} lies")
        self.body.store(place, value)

    def expression(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.expressions.any(node.value)

    def leave(self, node: ast.Return) -> None:
        result = self.function.signature.result
        if result is None:
            assert node.value is None, "this function has no result"
            self.body.leave()
            return
        assert node.value is not None, "this function has a result"
        value = self.expressions.value(node.value, result)
        if not same(value.kind, result):
            raise Unsupported(f"{value.kind} is returned for {result}")
        self.body.leave(value)

    def nothing(self, node: ast.Pass) -> None:
        """``pass``."""

    def proceed(self, node: ast.Continue) -> None:
        self.body.jump(self.loops[-1].again)

    def stop(self, node: ast.Break) -> None:
        self.body.jump(self.loops[-1].end)

    # ---- control flow -------------------------------------------------------------------
    def when(self, node: ast.If) -> None:
        test = self.expressions.truth(node.test)
        if isinstance(test, bool):
            self.block(node.body if test else node.orelse)
            return
        body = self.body
        then, end = body.name("then"), body.name("end")
        other = body.name("else") if node.orelse else end
        body.branch(test, then, other)
        body.block(then)
        self.block(node.body)
        left = body.done
        body.jump(end)
        if node.orelse:
            body.block(other)
            self.block(node.orelse)
            left = left and body.done
            body.jump(end)
        else:
            left = False
        if not left:
            body.block(end)

    def repeat(self, node: ast.While) -> None:
        body = self.body
        head, inside, end = body.name("head"), body.name("do"), body.name("end")
        body.block(head)
        test = self.expressions.truth(node.test)
        if isinstance(test, bool):
            assert test, "a loop that never runs"
            body.jump(inside)
        else:
            body.branch(test, inside, end)
        body.block(inside)
        self.loops.append(_Loop(head, end))
        self.block(node.body)
        self.loops.pop()
        body.back(head)
        if any(re.search(rf"%{end}\b", line) for line in body.lines):
            body.block(end)

    def count(self, node: ast.For) -> None:
        """``for x in range(...)``, or ``unrolled(...)``, which is written turn by turn."""
        call, x = node.iter, self.expressions
        assert isinstance(call, ast.Call), "loops count over range or unrolled"
        assert isinstance(node.target, ast.Name), "a loop has one counter"
        assert not node.orelse, "a loop has no else"
        bounds = [x.any(arg) for arg in call.args]
        if x.any(call.func) is operations.unrolled:
            for turn in range(*bounds):
                x.fixed[node.target.id] = turn
                self.block(node.body)
            del x.fixed[node.target.id]
            return
        assert x.any(call.func) is range, "loops count over range or unrolled"
        if len(bounds) == 1:
            bounds = [0, *bounds]
        step = bounds[2] if len(bounds) > 2 else 1
        assert isinstance(step, int), "the step of a loop is constant"
        self._counting(node, bounds[0], bounds[1], step)

    def _counting(self, node: ast.For, first: Any, last: Any, step: int) -> None:
        body, x = self.body, self.expressions
        assert isinstance(node.target, ast.Name)
        behind = x.made(last)
        self._set(node.target, x.made(first), None)
        cell = x.locals[node.target.id]
        head, inside, again, end = (body.name(s) for s in ("head", "do", "next", "end"))
        body.block(head)
        at = body.read_local(cell)
        body.branch(body.compare("slt" if step > 0 else "sgt", at, behind), inside, end)
        body.block(inside)
        self.loops.append(_Loop(again, end))
        self.block(node.body)
        self.loops.pop()
        body.block(again)
        following = body.binary("add", body.read_local(cell), x.made(step))
        body.write_local(cell, following)
        body.back(head)
        body.block(end)

    def match(self, node: ast.Match) -> None:
        """``match`` over integers: cases are constants, the last may be ``_``."""
        body, x = self.body, self.expressions
        subject = x.value(node.subject)
        end = body.name("end")
        arms: list[tuple[str, ast.match_case]] = [(body.name("case"), c) for c in node.cases]
        other, entries = end, []
        for label, case in arms:
            assert case.guard is None, "a case has no guard"
            if isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None:
                other = label
            else:
                entries += [f"i64 {number}, label %{label}" for number in self._cases(case.pattern)]
        body.line(f"switch i64 {subject.ref}, label %{other} [{' '.join(entries)}]")
        body.done = True
        open_end = other == end
        for label, case in arms:
            body.block(label)
            self.block(case.body)
            open_end = open_end or not body.done
            body.jump(end)
        if open_end:
            body.block(end)

    def _cases(self, pattern: ast.pattern) -> list[int]:
        if isinstance(pattern, ast.MatchOr):
            return [n for p in pattern.patterns for n in self._cases(p)]
        assert isinstance(pattern, ast.MatchValue), "cases are constants"
        number = self.expressions.any(pattern.value)
        assert isinstance(number, int), "cases are constants"
        return [int(number)]


_STATEMENTS: dict[type[ast.stmt], Callable[[_Statements, Any], None]] = {
    ast.Assign: _Statements.assign,
    ast.AnnAssign: _Statements.annotated,
    ast.AugAssign: _Statements.augmented,
    ast.Expr: _Statements.expression,
    ast.Return: _Statements.leave,
    ast.Pass: _Statements.nothing,
    ast.Continue: _Statements.proceed,
    ast.Break: _Statements.stop,
    ast.If: _Statements.when,
    ast.While: _Statements.repeat,
    ast.For: _Statements.count,
    ast.Match: _Statements.match,
}
