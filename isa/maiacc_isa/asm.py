"""The assembler: program text to ``Program``.

``maiacc_isa.asm_tree`` reads the text; this module resolves names and fills the tables of
every block. Views and scalar expressions are resolved in ``maiacc_isa.asm_views``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from maiacc_isa.asm_block import BlockAssembler
from maiacc_isa.asm_names import enter, register_number
from maiacc_isa.asm_nodes import Pos, Statement
from maiacc_isa.asm_tree import located, read
from maiacc_isa.asm_views import fail
from maiacc_isa.asm_weights import read_weights
from maiacc_isa.errors import MaiaccError, Place
from maiacc_isa.load import load
from maiacc_isa.machine import Machine, builtin_machines, load_machine
from maiacc_isa.program import (
    Call,
    If,
    Node,
    Parameter,
    Program,
    Tensor,
    Weights,
    While,
    control_depth,
)
from maiacc_isa.version import ISA_VERSION


def assemble(text: str, file: str | None = None, target: str | None = None) -> Program:
    """The program of an assembly text.

    ``file`` names the text in messages and is where relative paths start; ``target`` replaces
    the machine the text names. Raises ``MaiaccError`` E0501 to E0510, and what the machine
    file or the encoders refuse, with line, column and text.
    """
    statements = read(text, file)
    try:
        return _Assembler(file, target).program(statements)
    except MaiaccError as problem:
        raise located(problem, text.splitlines(), file) from None


class _Assembler:
    def __init__(self, file: str | None, target: str | None) -> None:
        self._file = file
        self._target = target
        self._tensors: dict[str, Tensor] = {}
        self._parameters: dict[str, int] = {}
        self._weights: dict[str, Weights] = {}

    def program(self, statements: list[Statement]) -> Program:
        self._version(statements[0])
        top: dict[str, list[Statement]] = {}
        for statement in statements[1:]:
            top.setdefault(statement.kind, []).append(statement)
        machine = self._machine(top.get("target", []))
        parameters = tuple(self._parameter(s) for s in top.get("param", []))
        for statement in top.get("tensor", []):
            self._tensor(statement)
        limit = load().limit("blocks")
        names: dict[str, Pos] = {}
        for statement in top.get("block", []):
            enter(names, statement["name"], statement.pos, "block")
        if len(names) > limit:
            raise fail(statements[0].pos, "E0505", f"at most {limit} blocks")
        blocks = tuple(
            BlockAssembler(self._tensors, self._parameters).block(s) for s in top.get("block", [])
        )
        control = self._control(top.get("control", []), names)
        tensors = tuple(self._tensors.values())
        places = {f"tensor {s['name']}": s.pos.line for s in top.get("tensor", [])}
        return Program(
            machine, tensors, parameters, blocks, control, self._weights, self._file, places
        )

    def _version(self, statement: Statement) -> None:
        major, minor = (int(part[:9]) for part in statement["version"].split("."))
        if major != ISA_VERSION[0] or minor > ISA_VERSION[1]:
            raise fail(
                statement.pos,
                "E0508",
                "this text is written for another version of MIST",
                expected=f"mist {ISA_VERSION[0]}.{ISA_VERSION[1]}",
                found=f"mist {statement['version']}",
            )

    def _machine(self, statements: list[Statement]) -> Machine:
        if self._target is not None:
            return load_machine(self._target)
        if len(statements) != 1:
            pos = statements[1].pos if statements else Pos(1, 1)
            raise fail(pos, "E0507", "a program names its machine once", expected="target mini")
        name = statements[0]["name"]
        if name not in builtin_machines() and self._file is not None:
            beside = Path(self._file).parent / name
            if beside.is_file():
                return load_machine(str(beside))
        try:
            return load_machine(name)
        except MaiaccError as problem:
            if problem.place is None:
                problem.place = Place(line=statements[0].pos.line)
            raise

    def _parameter(self, s: Statement) -> Parameter:
        step = 1 if s["step"] is None else s["step"]
        if s["low"] > s["high"] or step < 1:
            raise fail(s.pos, "E0507", "an empty interval", expected="low .. high, step at least 1")
        if s["name"] in self._parameters:
            raise fail(s.pos, "E0503", f"parameter {s['name']} is declared twice")
        self._parameters[s["name"]] = len(self._parameters)
        return Parameter(s["name"], s["low"], s["high"], step)

    def _tensor(self, s: Statement) -> None:
        dtype, shape = s["type"]
        if dtype not in load().dtypes:
            raise fail(s.pos, "E0502", f"no type {dtype}", expected=", ".join(load().dtypes))
        name = s["name"]
        if name in self._tensors:
            raise fail(s.pos, "E0503", f"tensor {name} is declared twice")
        if any(not 0 <= n < 1 << 40 for n in shape) or not 0 <= s["base"] < 1 << 44:
            raise fail(s.pos, "E0507", "a shape or address is out of range")
        kind = s["tensor"]
        result = s["out"] if kind == "state" else None
        if (kind == "state") != (s["out"] is not None):
            raise fail(s.pos, "E0507", 'only a state is followed by in "..." out "..."')
        tensor = Tensor(name, kind, dtype, shape, s["base"], s["split"], result)
        if kind == "state" and s["in"] != name:
            raise fail(s.pos, "E0507", "a state is named as its input", expected=f'in "{name}"')
        self._tensors[name] = tensor
        if (kind == "weight") != (s["weights"] is not None):
            raise fail(s.pos, "E0507", "a weight, and nothing else, is followed by its values")
        if s["weights"] is not None:
            self._weights[name] = read_weights(s, tensor, self._file)

    def _control(self, statements: list[Statement], names: dict[str, Pos]) -> tuple[Node, ...]:
        if len(statements) > 1:
            raise fail(statements[1].pos, "E0503", "a program has one control graph")
        if not statements:
            if len(names) == 1:
                return (Call(next(iter(names))),)
            raise fail(
                Pos(1, 1),
                "E0507",
                "several blocks need a control graph",
                expected="control { call ... }",
            )
        control = self._nodes(statements[0]["body"], names)
        limit = load().limit("control_depth")
        if control_depth(control) > limit:
            raise fail(statements[0].pos, "E0505", f"the control graph nests at most {limit} deep")
        return control

    def _nodes(self, body: Iterable[Statement], names: dict[str, Pos]) -> tuple[Node, ...]:
        nodes: list[Node] = []
        for s in body:
            if s.kind == "call":
                if s["name"] not in names:
                    raise fail(s.pos, "E0502", f"no block {s['name']}", expected=", ".join(names))
                nodes.append(Call(s["name"]))
            elif s.kind == "if":
                then, other = self._nodes(s["then"], names), self._nodes(s["other"], names)
                nodes.append(If(register_number(s["reg"], s.pos, {}), then, other))
            else:
                reg = register_number(s["reg"], s.pos, {})
                nodes.append(While(reg, s["most"], self._nodes(s["body"], names)))
        return tuple(nodes)
