"""The assembler: program text to ``Program``.

``maiacc_isa.asm_tree`` reads the text; this module puts a program together, and
``maiacc_isa.asm_block`` its blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from maiacc_isa.asm_block import assemble_block
from maiacc_isa.asm_errors import fail, placed, unknown
from maiacc_isa.asm_names import enter, register_number
from maiacc_isa.asm_nodes import Pos, Statement
from maiacc_isa.asm_tree import located, read
from maiacc_isa.asm_weights import read_weights
from maiacc_isa.errors import MaiaccError, quote
from maiacc_isa.load import load
from maiacc_isa.machine import Machine, builtin_machines, load_machine
from maiacc_isa.names import ADDRESS_LIMIT, RANK_LIMIT, SCALAR_LIMIT, TURN_LIMIT
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
        raise located(problem, text.split("\n"), file) from None


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
        blocks = top.get("block", [])
        names: dict[str, Pos] = {}
        for statement in blocks:
            enter(names, statement["name"], statement.pos, "block")
        if not blocks:
            raise fail(Pos(1, 1), "E0507", "a program has a block", expected="block main { ... }")
        control = self._control(top.get("control", []), names)
        return Program(
            machine,
            tuple(self._tensors.values()),
            parameters,
            tuple(
                assemble_block(s, self._tensors, self._parameters, machine.chips) for s in blocks
            ),
            control,
            self._weights,
            self._file,
            {f"tensor {s['name']}": s.pos.line for s in top.get("tensor", [])},
        )

    def _version(self, statement: Statement) -> None:
        major, minor = (int(part[:9]) for part in statement["version"].split("."))
        if major != ISA_VERSION[0] or minor > ISA_VERSION[1]:
            raise fail(
                statement.pos,
                "E0508",
                "this text is written for another version of MIST",
                expected=f"mist {ISA_VERSION[0]}.{ISA_VERSION[1]}",
                found=f"mist {quote(statement['version'])}",
            )

    def _machine(self, statements: list[Statement]) -> Machine:
        if self._target is not None:
            return load_machine(self._target)
        if len(statements) != 1:
            pos = statements[1].pos if statements else Pos(1, 1)
            raise fail(pos, "E0507", "a program names its machine once", expected="target mini")
        name, pos = statements[0]["name"], statements[0].pos
        known = builtin_machines()
        if name in known:
            return load_machine(name)
        # A text may come from a stranger: what it names lies beside it and nowhere else.
        if Path(name).name != name or "\\" in name or "\0" in name:
            raise fail(
                pos,
                "E0507",
                "a machine file lies beside the program text",
                expected="a machine's name, or a plain file name",
                found=quote(name),
                hint="another machine is chosen with --target",
            )
        beside = Path(self._file or ".").parent / name
        if not (self._file is not None and beside.is_file() and not beside.is_symlink()):
            hint = "a machine file lies beside the program text, or is given with --target"
            raise unknown(pos, "machine", name, known, hint, code="E0004")
        with placed(pos):
            return load_machine(f"{beside.parent}/{name}")

    def _parameter(self, s: Statement) -> Parameter:
        step = 1 if s["step"] is None else s["step"]
        if not (-SCALAR_LIMIT <= s["low"] <= s["high"] < SCALAR_LIMIT and 0 < step < SCALAR_LIMIT):
            raise fail(
                s.pos,
                "E0507",
                "an empty interval, or one outside 48 bits",
                expected="low .. high, step at least 1",
            )
        if s["name"] in self._parameters:
            raise fail(s.pos, "E0503", f"parameter {quote(s['name'])} is declared twice")
        most = load().limit("params")
        if len(self._parameters) >= most:
            raise fail(s.pos, "E0505", "too many parameters", expected=f"at most {most}")
        self._parameters[s["name"]] = len(self._parameters)
        return Parameter(s["name"], s["low"], s["high"], step)

    def _tensor(self, s: Statement) -> None:
        dtype, shape = s["type"]
        if dtype not in load().dtypes:
            raise unknown(s.pos, "type", dtype, load().dtypes)
        name, kind = s["name"], s["tensor"]
        if name in self._tensors:
            raise fail(s.pos, "E0503", f"tensor {quote(name)} is declared twice")
        numbers = (*shape, s["base"])
        if len(shape) > RANK_LIMIT or any(not 0 <= n < ADDRESS_LIMIT for n in numbers):
            raise fail(
                s.pos,
                "E0507",
                "a shape or address is out of range",
                expected=f"0 to 2^44, at most {RANK_LIMIT} axes",
            )
        result = s["out"] if kind == "state" else None
        if (kind == "state") != (s["out"] is not None):
            raise fail(
                s.pos, "E0507", 'a state, and nothing else, is followed by in "..." out "..."'
            )
        tensor = Tensor(name, kind, dtype, shape, s["base"], s["split"], result)
        if tensor.bytes() >= ADDRESS_LIMIT:
            raise fail(s.pos, "E0507", f"tensor {quote(name)} is larger than any memory")
        if kind == "state" and s["in"] != name:
            raise fail(
                s.pos, "E0507", "a state is named as its input", expected=f'in "{quote(name)}"'
            )
        self._tensors[name] = tensor
        if kind != "weight" and s["weights"] is not None:
            raise fail(s.pos, "E0507", "only a weight is followed by its values")
        first = next((t.name for t in self._tensors.values() if t.kind == "weight"), name)
        if kind == "weight" and first != name and (first in self._weights) != bool(s["weights"]):
            raise fail(s.pos, "E0507", "all weights have values, or none has")
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
                    raise unknown(s.pos, "block", s["name"], names)
                nodes.append(Call(s["name"]))
                continue
            reg = register_number(s["reg"], s.pos, {})
            if s.kind == "if":
                then, other = self._nodes(s["then"], names), self._nodes(s["other"], names)
                nodes.append(If(reg, then, other))
                continue
            if not 0 <= s["most"] < TURN_LIMIT:
                raise fail(s.pos, "E0507", "the number of turns", expected="max 0 to 2^32")
            nodes.append(While(reg, s["most"], self._nodes(s["body"], names)))
        return tuple(nodes)
