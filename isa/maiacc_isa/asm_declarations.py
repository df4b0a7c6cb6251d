"""The declarations of a block of assembly text: everything its words may name."""

from __future__ import annotations

import re
from collections.abc import Callable

from maiacc_isa.asm_errors import fail, placed, unknown
from maiacc_isa.asm_names import (
    enter,
    immediate_bits,
    number_of,
    register_number,
    table_entries,
    with_scopes,
)
from maiacc_isa.asm_nodes import Pos, Statement
from maiacc_isa.load import load
from maiacc_isa.names import ADDRESS_LIMIT, RANK_LIMIT, SCALAR_LIMIT, reserved_meaning
from maiacc_isa.program import Buffer, LiveIn
from maiacc_isa.table_codec import encode_chain, encode_semaphore
from maiacc_isa.tables import Chain, Mask, Semaphore, Step


class Declarations:
    """Registers, buffers and tables of one block, by name, in the order of their declaration."""

    def __init__(self) -> None:
        self.registers: dict[str, int] = {}
        self.semaphores: dict[str, Semaphore] = {}
        self.masks: dict[str, Mask] = {}
        self.tables: dict[str, tuple[int, ...]] = {}
        self.chains: dict[str, Chain] = {}
        self.buffers: dict[str, Buffer] = {}
        self.live_in: list[LiveIn] = []
        #: Lines of the declarations, by what they declare.
        self.lines: dict[str, int] = {}

    def declare(self, body: list[Statement]) -> None:
        """Enters all declarations of a block; they may stand anywhere in it."""
        handlers: dict[str, Callable[[Statement], None]] = {
            "reg": self._reg,
            "in": self._in,
            "buffer": self._buffer,
            "mask": self._mask,
            "table": self._table,
            "chain": self._chain,
            "sem": self._sem,
        }
        found: dict[str, list[Statement]] = {kind: [] for kind in handlers}
        for statement, _ in with_scopes(body, ()):
            if statement.kind in handlers:
                found[statement.kind].append(statement)
        # Kind by kind: semaphores name tables, live-in registers the names of registers.
        for kind, handler in handlers.items():
            for statement in found[kind]:
                handler(statement)

    def semaphore_number(self, name: str, pos: Pos) -> int:
        """The number of a semaphore."""
        return number_of(self.semaphores, name, pos, "semaphore")

    def _reg(self, s: Statement) -> None:
        number = register_number(s["reg"], s.pos, {})
        name = s["name"]
        meaning = reserved_meaning(name)
        if name in self.registers or re.fullmatch(r"[sL]\d+", name):
            meaning = f"{name} already is the name of a register or counter"
        elif number in self.registers.values():
            meaning = f"{s['reg']} already has a name"
        if meaning is not None:
            raise fail(s.pos, "E0503", meaning, hint="choose another name")
        self.registers[name] = number

    def _in(self, s: Statement) -> None:
        reg = register_number(s["reg"], s.pos, self.registers)
        if not -SCALAR_LIMIT <= s["low"] <= s["high"] < SCALAR_LIMIT:
            raise fail(s.pos, "E0507", "an empty interval", expected="low .. high, 48 bits at most")
        if any(x.reg == reg for x in self.live_in):
            raise fail(s.pos, "E0503", f"{s['reg']} is given twice")
        self.live_in.append(LiveIn(reg, s["low"], s["high"]))

    def _buffer(self, s: Statement) -> None:
        dtype, shape = s["type"]
        spec = load()
        if dtype not in spec.dtypes:
            raise unknown(s.pos, "type", dtype, spec.dtypes)
        if s["space"] not in spec.spaces:
            raise unknown(s.pos, "memory", s["space"], spec.spaces)
        slots = 1 if s["slots"] is None else s["slots"]
        pitch = s["pitch"] or 0
        sizes = (*shape, s["base"], pitch, slots)
        if slots < 1 or len(shape) > RANK_LIMIT or any(not 0 <= n < ADDRESS_LIMIT for n in sizes):
            raise fail(
                s.pos,
                "E0507",
                "a size or address is out of range",
                expected=f"0 to 2^44, at least 1 slot, at most {RANK_LIMIT} axes",
            )
        buffer = Buffer(s["name"], dtype, shape, s["space"], s["base"], slots, pitch)
        enter(self.buffers, s["name"], s.pos, "buffer", buffer)
        self.lines[f"buffer {s['name']}"] = s.pos.line

    def _mask(self, s: Statement) -> None:
        members: set[int] = set()
        for low, high in s["members"]:
            if not 0 <= low <= high < 256:
                raise fail(s.pos, "E0507", "a mask holds numbers 0 to 255")
            members.update(range(low, high + 1))
        enter(self.masks, s["name"], s.pos, "mask", Mask(frozenset(members)))

    def _table(self, s: Statement) -> None:
        entries = tuple(table_entries(s))
        most = load().limit("table_entries")
        if not 1 <= len(entries) <= most:
            raise fail(s.pos, "E0505", "a table has 1 entry or more", expected=f"at most {most}")
        enter(self.tables, s["name"], s.pos, "table", entries)

    def _chain(self, s: Statement) -> None:
        steps = []
        stages, inputs_known = load().stages, load().enums["operand"].by_name
        if s["dtype"] not in load().dtypes:
            raise unknown(s.pos, "type", s["dtype"], load().dtypes)
        for op, sources, pos in s["steps"]:
            if op not in stages:
                raise unknown(pos, "stage", op, stages)
            inputs, imm = [], 0
            for source in sources:
                if isinstance(source, str) and source not in ("inf", "nan"):
                    if source not in inputs_known:
                        hint = "stages read operands a, b, c, results r0, r1, and numbers"
                        raise unknown(pos, "operand", source, inputs_known, hint)
                    inputs.append(source)
                    continue
                bits = immediate_bits(source, s["dtype"], pos)
                if "imm" in inputs and bits != imm:
                    raise fail(pos, "E0507", "a stage has one immediate")
                imm = bits
                inputs.append("imm")
            steps.append(Step(op, tuple(inputs), imm))
        options = dict(s["options"])
        chain = Chain(
            s["dtype"],
            tuple(steps),
            stat=options.get("stat", "none"),
            saturate=options.get("saturate", False),
            zero_div=options.get("zero_div", False),
            round=options.get("round", "rne"),
        )
        with placed(s.pos):
            encode_chain(chain)
        enter(self.chains, s["name"], s.pos, "chain", chain)

    def _sem(self, s: Statement) -> None:
        for queue in (s["poster"], s["waiter"]):
            if queue not in load().queues:
                raise unknown(s.pos, "queue", queue, load().queues)
        scopes = load().enums["scope"].by_name
        if s["scope"] not in scopes:
            raise unknown(s.pos, "scope", s["scope"], scopes)
        origin = 0
        if s["from"] is not None:
            origin = number_of(self.tables, s["from"], s.pos, "table")
        if (s["scope"] == "remote") != (s["from"] is not None):
            raise fail(s.pos, "E0507", "scope remote, and only it, names a table: remote(from)")
        sem = Semaphore(s["poster"], s["waiter"], s["scope"], s["init"], origin)
        with placed(s.pos):
            encode_semaphore(sem)
        self.lines[f"semaphore {len(self.semaphores)}"] = s.pos.line
        enter(self.semaphores, s["name"], s.pos, "semaphore", sem)
