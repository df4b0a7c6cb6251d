"""Parses functions: from the text of a ``.fn`` file to frozen rows, types and stages checked."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NoReturn, TypeAlias, TypeGuard

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from maiacc_isa import function_rows as rows
from maiacc_isa.errors import MaiaccError, Place
from maiacc_isa.function_rows import TYPES, FunctionSet, Operand, constant

Node: TypeAlias = Tree[Token] | Token

#: Said when a right side is more or less than that.
ONE_STAGE = "a statement is one stage: a multiply, then one add-class operation, or one op"


def parse(text: str, file: str = "functions.fn", known: FunctionSet | None = None) -> FunctionSet:
    """Read a ``.fn`` text; ``known`` holds definitions it may use, or replace by its own.

    Raises MaiaccError E0210 with line and column for anything the language does not allow.
    """
    try:
        tree = _grammar().parse(text)
    except UnexpectedInput as problem:
        found = getattr(problem, "token", None) or getattr(problem, "char", "")
        place = Place(file=file, line=problem.line, column=problem.column)
        message = "this is not the language of functions"
        raise MaiaccError("E0210", message, place=place, found=str(found)) from problem
    return _Reader(file, known or FunctionSet({}, {}, {})).read(tree)


@cache
def _grammar() -> Lark:
    source = files("maiacc_isa").joinpath("functions.lark").read_text("utf-8")
    return Lark(source, parser="lalr", propagate_positions=True)


class _Reader:
    """Turns the parse tree into rows; checks names, types and stages on the way."""

    def __init__(self, file: str, known: FunctionSet) -> None:
        self.file = file
        self.ops = dict(known.ops)
        self.tables = dict(known.tables)
        self.functions = dict(known.functions)
        self.out = FunctionSet({}, {}, {})
        self.names: dict[str, str] = {}
        self.unread: dict[str, Node] = {}

    def read(self, tree: Tree[Token]) -> FunctionSet:
        for item in _trees(tree):
            if item.data == "op_row":
                op = self.op_row(item)
                self.ops[op.name] = self.out.ops[op.name] = op
            elif item.data == "table":
                table = self.table(item)
                self.tables[table.name] = self.out.tables[table.name] = table
            else:
                function = self.function(item)
                self.functions[function.name] = self.out.functions[function.name] = function
        return self.out

    def fail(self, node: Node, message: str) -> NoReturn:
        where = node if isinstance(node, Token) else node.meta
        place = Place(file=self.file, line=where.line, column=where.column)
        raise MaiaccError("E0210", message, place=place)

    def fresh(self, token: Token) -> str:
        if any(token in part for part in (self.out.ops, self.out.tables, self.out.functions)):
            self.fail(token, f"{token} is already defined")
        return str(token)

    def type_of(self, token: Token) -> str:
        if token not in TYPES:
            self.fail(token, f"{token} is not a type; the types are {', '.join(TYPES)}")
        return str(token)

    def constant(self, token: Token, kind: str) -> rows.Const:
        try:
            return constant(token, kind)
        except ValueError as problem:
            self.fail(token, str(problem))

    def op_row(self, item: Tree[Token]) -> rows.Op:
        names = _tokens(item, "NAME")
        row = rows.Op(
            name=self.fresh(names[0]),
            params=tuple(self.type_of(name) for name in names[1:-1]),
            result=self.type_of(names[-1]),
            cost=int(_tokens(item, "INT")[0]),
            addclass=bool(_tokens(item, "ADDCLASS")),
            doc=_text(_trees(item)[0]),
        )
        if row.addclass and row.params[0] != "f32":
            self.fail(names[1], "the product of an add-class op is f32")
        if row.cost == 0 and len(row.params) != 1:
            self.fail(names[0], "an op of cost 0 is wiring and takes one argument")
        return row

    def table(self, item: Tree[Token]) -> rows.Table:
        name, element = _tokens(item, "NAME")
        kind = self.type_of(element)
        width = int(_tokens(item, "INT")[0])
        doc, *entries = _trees(item)
        values = []
        for entry in entries:
            value = self.constant(_tokens(entry)[-1], kind)
            minus = bool(_tokens(entry, "MINUS"))
            if minus and kind != "f32":
                self.fail(entry, f"{kind} has no sign")
            values.append(value.negated().bits if minus else value.bits)
        count, rest = divmod(len(values), max(width, 1))
        if not width or rest or count & (count - 1):
            self.fail(name, f"table {name} needs full rows, and a power of two of them")
        return rows.Table(self.fresh(name), kind, width, _text(doc), tuple(values))

    def function(self, item: Tree[Token]) -> rows.Function:
        name, result = _tokens(item, "NAME")
        parts = _trees(item)
        params = [_tokens(node) for node in parts if node.data == "param"]
        header = next(node for node in parts if node.data == "header")
        doc, method, special = (_text(node) for node in _trees(header))
        pairs = tuple((str(param), self.type_of(element)) for param, element in params)
        self.names = dict(pairs)
        if len(self.names) < len(pairs):
            self.fail(params[-1][0], "two parameters have the same name")
        self.unread = {str(param): param for param, _ in params}
        kind = self.type_of(result)
        steps = [node for node in parts if node.data in ("statement", "result")]
        body = [self.statement(node, kind) for node in steps]
        for unread, where in self.unread.items():
            self.fail(where, f"{unread} is never used")
        return rows.Function(
            name=self.fresh(name),
            params=pairs,
            result=kind,
            doc=doc,
            method=method,
            special=special,
            ulp=int(_tokens(header, "INT")[0]),
            statements=tuple(body),
        )

    def statement(self, node: Tree[Token], result: str) -> rows.Statement:
        *target, expr = node.children
        value, kind, cost = self.stage(expr, None if target else result)
        if not target:
            if kind != result:
                self.fail(expr, f"the function returns {result}, this is {kind}")
            return rows.Statement("return", kind, value, cost, node.meta.line)
        name = str(target[0])
        if isinstance(value, rows.Name | rows.Const | rows.Free):
            self.fail(expr, f"{ONE_STAGE}; this is a plain operand")
        if self.names.setdefault(name, kind) != kind:
            self.fail(node, f"{name} was {self.names[name]} and cannot become {kind}")
        if name in self.unread:
            self.fail(self.unread[name], f"{name} is bound again before it is used")
        self.unread[name] = node
        return rows.Statement(name, kind, value, cost, node.meta.line)

    def stage(self, node: Node, expected: str | None = None) -> tuple[rows.Expr, str, int]:
        """A right side: what it is, its type, and its cost in stages."""
        assert isinstance(node, Tree)
        if node.data == "group":
            return self.stage(node.children[0], expected)
        if node.data in ("add", "sub", "mul"):
            return self.arith(node), "f32", 1
        if node.data == "lookup":
            return self.lookup(node)
        if node.data == "apply" and not self.is_free(node):
            return self.apply(node)
        operand = self.operand(node, expected)
        return operand, operand.type, 0

    def arith(self, node: Tree[Token]) -> rows.Arith:
        left, right = node.children
        sign = {"add": "+", "sub": "-", "mul": "*"}[node.data]
        form, args = f"a{sign}b", [left, right]
        if sign != "*" and _is_product(left):
            form, args = f"a*b{sign}c", [*left.children, right]
        elif sign == "-" and _is_product(right):
            form, args = "c-a*b", [*right.children, left]
        elif sign == "+" and _is_product(right):
            self.fail(right, "write A*B + C, the product first")
        return rows.Arith(form, tuple(self.operand(arg, "f32") for arg in args))

    def lookup(self, node: Tree[Token]) -> tuple[rows.Lookup, str, int]:
        name, index, column = node.children
        assert isinstance(name, Token)
        if name not in self.tables:
            self.fail(name, f"no table is called {name}")
        table = self.tables[name]
        if int(str(column)) >= table.width:
            self.fail(node, f"table {name} has {table.width} columns, counted from 0")
        return rows.Lookup(table.name, self.operand(index, "u32"), int(str(column))), table.type, 1

    def apply(self, node: Tree[Token]) -> tuple[rows.Apply | rows.Call, str, int]:
        name, *args = node.children
        assert isinstance(name, Token)
        if name in self.ops:
            op = self.ops[name]
            (first, kind), *rest = self.typed(name, args, op.params)
            head = self.product(first) if op.addclass else self.operand(first, kind)
            tail = (self.operand(*pair) for pair in rest)
            return rows.Apply(op.name, (head, *tail)), op.result, op.cost
        if name not in self.functions:
            self.fail(name, f"no op or function is called {name}")
        function = self.functions[name]
        pairs = self.typed(name, args, tuple(kind for _, kind in function.params))
        call = rows.Call(function.name, tuple(self.operand(*pair) for pair in pairs))
        return call, function.result, function.stages

    def typed(
        self, name: Token, args: list[Node], kinds: tuple[str, ...]
    ) -> list[tuple[Node, str]]:
        if len(args) != len(kinds):
            self.fail(name, f"{name} takes {len(kinds)} arguments, not {len(args)}")
        return list(zip(args, kinds, strict=True))

    def product(self, node: Node) -> rows.Product | Operand:
        """The first argument of an add-class op."""
        if not _is_product(node):
            return self.operand(node, "f32")
        a, b = node.children
        return rows.Product(self.operand(a, "f32"), self.operand(b, "f32"))

    def operand(self, node: Node, expected: str | None) -> Operand:
        """What costs nothing: a name, a constant, a sign, a free op."""
        assert isinstance(node, Tree)
        operand = self.any_operand(node, expected)
        if expected is not None and operand.type != expected:
            self.fail(node, f"this is {operand.type} where {expected} is needed")
        return operand

    def any_operand(self, node: Tree[Token], expected: str | None) -> Operand:
        first = node.children[0]
        if node.data == "group":
            return self.operand(first, expected)
        if node.data == "neg":
            arg = self.operand(first, "f32")
            return arg.negated() if isinstance(arg, rows.Const) else rows.Free("neg", arg, "f32")
        if not isinstance(first, Token):
            self.fail(node, f"{ONE_STAGE}; this needs a second one")
        if node.data == "apply" and first not in self.ops and first not in self.functions:
            self.fail(first, f"no op or function is called {first}")
        if node.data in ("hexfloat", "hexint"):
            return self.constant(first, "f32" if node.data == "hexfloat" else expected or "u32")
        if node.data == "name":
            if first not in self.names:
                self.fail(first, f"{first} is used before it is defined")
            self.unread.pop(first, None)
            return rows.Name(str(first), self.names[first])
        if node.data != "apply" or not self.is_free(node):
            self.fail(node, f"{ONE_STAGE}; this needs a second one")
        op = self.ops[first]
        ((arg_node, kind),) = self.typed(first, node.children[1:], op.params)
        return rows.Free(op.name, self.operand(arg_node, kind), op.result)

    def is_free(self, node: Tree[Token]) -> bool:
        op = self.ops.get(str(node.children[0]))
        return op is not None and op.cost == 0


def _trees(node: Tree[Token]) -> list[Tree[Token]]:
    return [kid for kid in node.children if isinstance(kid, Tree)]


def _tokens(node: Tree[Token], kind: str | None = None) -> list[Token]:
    found = [kid for kid in node.children if isinstance(kid, Token)]
    return [token for token in found if kind in (None, token.type)]


def _text(node: Tree[Token]) -> str:
    """The pieces of a string, joined by single spaces."""
    return " ".join(" ".join(token[1:-1] for token in _tokens(node)).split())


def _is_product(node: Node) -> TypeGuard[Tree[Token]]:
    return isinstance(node, Tree) and node.data == "mul"
