"""One block of assembly text: declarations into tables, statements into words."""

from __future__ import annotations

import re
from typing import Any

from maiacc_isa import formats
from maiacc_isa.asm_names import (
    enter,
    immediate_bits,
    loop_levels,
    number_of,
    register_number,
    statement_roles,
    table_entries,
    with_scopes,
)
from maiacc_isa.asm_nodes import Pos, Statement, TokenText
from maiacc_isa.asm_views import Scope, Views, fail
from maiacc_isa.errors import MaiaccError
from maiacc_isa.load import load
from maiacc_isa.names import default_name, keywords, named
from maiacc_isa.operands import present_operands
from maiacc_isa.program import (
    Block,
    Buffer,
    LiveIn,
    Symbols,
    Tensor,
)
from maiacc_isa.tables import Chain, Mask, Semaphore, Step, encode_chain, encode_semaphore
from maiacc_isa.word import Token, Word, complete, encode


class BlockAssembler:
    """One block: declarations first, wherever they stand, then the words in order."""

    def __init__(self, tensors: dict[str, Tensor], parameters: dict[str, int]) -> None:
        self._parameters = parameters
        self._registers: dict[str, int] = {}
        self._semaphores: dict[str, Semaphore] = {}
        self._sem_numbers: dict[str, int] = {}
        self._masks: dict[str, Mask] = {}
        self._tables: dict[str, tuple[int, ...]] = {}
        self._chains: dict[str, Chain] = {}
        self._buffers: dict[str, Buffer] = {}
        self._live_in: list[LiveIn] = []
        self._views = Views(tensors, self._buffers, self._registers)
        self._words: list[Word] = []
        self._lines: list[int] = []
        self._origins: list[tuple[str, ...]] = []
        self._origin: tuple[str, ...] = ()
        self._loop_names: dict[int, str] = {}
        self._places: dict[str, int] = {}

    def block(self, s: Statement) -> Block:
        body: list[Statement] = s["body"]
        self._declare(body)
        levels = loop_levels(body)
        self._views.set_loops(levels)
        named_views = [(x, scope) for x, scope in with_scopes(body, ()) if x.kind == "desc"]
        for statement, _ in named_views:
            self._views.reserve(statement["name"], statement.pos)
        for statement, scope in named_views:
            self._views.define(statement["name"], statement["view"], scope)
        self._emit(body, ())
        end = complete(Word("END", roles=tuple(load().roles)))
        self._push(end, s.pos)
        self._check_sizes(s)
        return Block(
            name=s["name"],
            words=tuple(self._words),
            descriptors=self._views.descriptors(),
            chains=tuple(self._chains.values()),
            semaphores=tuple(self._semaphores.values()),
            masks=tuple(self._masks.values()),
            tables=tuple(self._tables.values()),
            live_in=tuple(self._live_in),
            buffers=tuple(self._buffers.values()),
            symbols=Symbols(
                descriptors=self._views.names(),
                chains=named(self._chains, "c"),
                semaphores=named(self._semaphores, "q"),
                masks=named(self._masks, "m"),
                tables=named(self._tables, "t"),
                registers={reg: name for name, reg in self._registers.items()},
                loops=self._loop_names,
            ),
            origins=tuple(self._origins) if any(self._origins) else (),
            lines=tuple(self._lines),
            places={**self._places, **self._views.places},
        )

    def _check_sizes(self, s: Statement) -> None:
        counts = {
            "descriptors": len(self._views.descriptors()),
            "chains": len(self._chains),
            "semaphores": len(self._semaphores),
            "masks": len(self._masks),
            "tables": len(self._tables),
            "words": len(self._words),
        }
        for name, count in counts.items():
            most = load().limit(name)
            if count > most:
                message = f"block {s['name']} has too many {name}"
                raise fail(s.pos, "E0505", message, expected=f"at most {most}", found=str(count))

    # ---- declarations -------------------------------------------------------------------
    def _declare(self, body: list[Statement]) -> None:
        handlers = {
            "reg": self._reg,
            "in": self._in,
            "buffer": self._buffer,
            "mask": self._mask,
            "table": self._table,
            "chain": self._chain,
        }
        found = [(s, handlers[s.kind]) for s, _ in with_scopes(body, ()) if s.kind in handlers]
        for kind in handlers:
            for statement, handler in found:
                if statement.kind == kind:
                    handler(statement)
        for statement, _ in with_scopes(body, ()):
            if statement.kind == "sem":
                self._sem(statement)

    def _reg(self, s: Statement) -> None:
        number = register_number(s["reg"], s.pos, {})
        name = s["name"]
        meaning = None
        if name in load().sources:
            meaning = f"{name} is the source of scalars: {load().sources[name].doc}"
        elif name in keywords():
            meaning = f"{name} is a word of the language"
        elif name in self._registers or re.fullmatch(r"[sL]\d+", name):
            meaning = f"{name} already is the name of a register or counter"
        elif number in self._registers.values():
            meaning = f"{s['reg']} already has a name"
        if meaning is not None:
            raise fail(s.pos, "E0503", meaning, hint="choose another name")
        self._registers[name] = number

    def _in(self, s: Statement) -> None:
        reg = register_number(s["reg"], s.pos, self._registers)
        if s["low"] > s["high"] or any(x.reg == reg for x in self._live_in):
            raise fail(s.pos, "E0507", "an empty interval, or a register given twice")
        self._live_in.append(LiveIn(reg, s["low"], s["high"]))

    def _buffer(self, s: Statement) -> None:
        dtype, shape = s["type"]
        spec = load()
        if s["space"] not in spec.spaces or dtype not in spec.dtypes:
            raise fail(
                s.pos,
                "E0502",
                f"no memory {s['space']} or no type {dtype}",
                expected=", ".join(spec.spaces),
            )
        slots, pitch = s["slots"] or 1, s["pitch"] or 0
        if slots < 1 or pitch < 0 or s["base"] < 0 or any(n < 0 for n in shape):
            raise fail(s.pos, "E0507", "a negative size or address")
        buffer = Buffer(s["name"], dtype, shape, s["space"], s["base"], slots, pitch)
        enter(self._buffers, s["name"], s.pos, "buffer", buffer)
        self._places[f"buffer {s['name']}"] = s.pos.line

    def _mask(self, s: Statement) -> None:
        members: set[int] = set()
        for low, high in s["members"]:
            if not 0 <= low <= high < 256:
                raise fail(s.pos, "E0507", "a mask holds numbers 0 to 255")
            members.update(range(low, high + 1))
        enter(self._masks, s["name"], s.pos, "mask", Mask(frozenset(members)))

    def _table(self, s: Statement) -> None:
        entries = tuple(table_entries(s))
        most = load().limit("table_entries")
        if not 1 <= len(entries) <= most:
            raise fail(s.pos, "E0505", "a table has 1 entry or more", expected=f"at most {most}")
        enter(self._tables, s["name"], s.pos, "table", entries)

    def _chain(self, s: Statement) -> None:
        steps = []
        for op, sources, pos in s["steps"]:
            inputs, imm = [], 0
            for source in sources:
                if isinstance(source, str) and source not in ("inf", "nan"):
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
        try:
            encode_chain(chain)
        except MaiaccError as problem:
            raise fail(
                s.pos, problem.code, problem.message, expected=problem.expected, found=problem.found
            ) from None
        enter(self._chains, s["name"], s.pos, "chain", chain)

    def _sem(self, s: Statement) -> None:
        origin = 0
        if s["from"] is not None:
            origin = number_of(self._tables, s["from"], s.pos, "table")
        if (s["scope"] == "remote") != (s["from"] is not None):
            raise fail(s.pos, "E0507", "scope remote, and only it, names a table: remote(from)")
        sem = Semaphore(s["poster"], s["waiter"], s["scope"], s["init"], origin)
        try:
            encode_semaphore(sem)
        except MaiaccError as problem:
            raise fail(
                s.pos, problem.code, problem.message, expected=problem.expected, found=problem.found
            ) from None
        enter(self._semaphores, s["name"], s.pos, "semaphore", sem)
        self._places[f"semaphore {len(self._sem_numbers)}"] = s.pos.line
        self._sem_numbers[s["name"]] = len(self._sem_numbers)

    # ---- words --------------------------------------------------------------------------
    def _push(self, word: Word, pos: Pos) -> None:
        try:
            encode(word)
        except MaiaccError as problem:
            raise fail(
                pos, problem.code, problem.message, expected=problem.expected, found=problem.found
            ) from None
        self._words.append(word)
        self._lines.append(pos.line)
        self._origins.append(self._origin)

    def _emit(self, body: list[Statement], scope: Scope) -> None:
        for s in body:
            match s.kind:
                case "at":
                    self._origin = s["names"]
                case "loop":
                    self._loop(s, scope)
                case "nop":
                    self._push(complete(Word("NOP", roles=statement_roles(s, scope))), s.pos)
                case "mark":
                    fields = {"id": s["id"], "what": s["what"]}
                    self._push(
                        complete(Word("MARK", roles=statement_roles(s, scope), fields=fields)),
                        s.pos,
                    )
                case "assign":
                    self._assign(s, scope)
                case "word":
                    self._word(s, scope)

    def _loop(self, s: Statement, scope: Scope) -> None:
        level = len(scope)
        if level >= load().limit("loops"):
            raise fail(s.pos, "E0505", "loops nest at most 8 deep")
        roles = statement_roles(s, scope)
        at = len(self._words)
        fields: dict[str, Any] = {"level": level, "length": 0}
        if isinstance(s["trip"], int):
            fields |= {"kind": "imm", "trip": s["trip"]}
        else:
            fields |= {"kind": "scalar", "reg": register_number(s["trip"], s.pos, self._registers)}
        self._push(complete(Word("LOOP", roles=roles, fields=fields)), s.pos)
        if s["name"] != default_name("L", level):
            self._loop_names[at] = s["name"]
        self._emit(s["body"], (*scope, (s["name"], roles)))
        fields["length"] = len(self._words) - at - 1
        self._words[at] = complete(Word("LOOP", roles=roles, fields=fields))
        encode(self._words[at])
        self._push(complete(Word("ENDL", roles=roles, fields={"level": level})), s.pos)

    def _assign(self, s: Statement, scope: Scope) -> None:
        roles = statement_roles(s, scope)
        dest = register_number(s["dest"], s.pos, self._registers)
        kind, *rest = s["value"]
        if kind == "param":
            number = self._parameters.get(rest[0])
            if number is None:
                raise fail(
                    s.pos, "E0502", f"no parameter {rest[0]}", expected=", ".join(self._parameters)
                )
            word = Word("PAR", roles=roles, fields={"dest": dest, "param": number})
            self._push(complete(word), s.pos)
        elif kind == "sld":
            self._sld(s, scope, roles, dest, rest)
        else:
            if kind in ("min", "max"):
                fields = self._views.lesser(kind, rest[0], rest[1], scope)
            else:
                m = rest[1]
                if kind == "table":
                    m = number_of(self._tables, m, s.pos, "table")
                fields = self._views.scalar(rest[0], scope) | {"fn": kind, "m": m}
            fields["dest"] = dest
            self._push(complete(Word("SET", roles=roles, fields=fields)), s.pos)

    def _sld(
        self, s: Statement, scope: Scope, roles: tuple[str, ...], dest: int, rest: list[Any]
    ) -> None:
        operand, syncs, low, high = rest
        waits, posts = self._tokens(syncs)
        fields = {"dest": dest, "low": low, "high": high, "a": self._views.number(operand, scope)}
        self._push(complete(Word("SLD", None, roles, fields, waits, posts)), s.pos)

    def _tokens(
        self, syncs: list[tuple[str, list[TokenText]]]
    ) -> tuple[tuple[Token, ...], tuple[Token, ...]]:
        result: dict[str, list[Token]] = {"wait": [], "post": []}
        for kind, tokens in syncs:
            for token in tokens:
                if token.name not in self._sem_numbers:
                    known = ", ".join(self._sem_numbers)
                    raise fail(token.pos, "E0502", f"no semaphore {token.name}", expected=known)
                result[kind].append((self._sem_numbers[token.name], token.count))
                if len(result[kind]) > 2:
                    raise fail(
                        token.pos,
                        "E0507",
                        f"a word has at most two {kind}s",
                        hint="put the others into a SYNC in the same queue",
                    )
        return tuple(result["wait"]), tuple(result["post"])

    def _word(self, s: Statement, scope: Scope) -> None:
        row = load().by_mnemonic.get(s["mnemonic"])
        if row is None or row.control:
            names = ", ".join(m for m, r in load().by_mnemonic.items() if not r.control)
            raise fail(s.pos, "E0502", f"no instruction {s['mnemonic']}", expected=names)
        if s["queue"] not in load().queues:
            raise fail(s.pos, "E0502", f"no queue {s['queue']}", expected=", ".join(load().queues))
        operands = s["operands"]
        if len(operands) > len(row.operands):
            names = ", ".join(op.name for op in row.operands)
            raise fail(
                s.pos,
                "E0509",
                f"{row.mnemonic} has the operands {names}",
                found=f"{len(operands)} operands",
            )
        numbers = [self._views.number(operand, scope) for operand in operands]
        fields: dict[str, Any] = {}
        for name, value, pos in s["attrs"]:
            if name not in row.field_by_name:
                known = ", ".join(row.field_by_name) or "none"
                raise fail(pos, "E0509", f"{row.mnemonic} has no field {name}", expected=known)
            kind = row.field_by_name[name].kind.base
            dtype = self._views.dtype(numbers[0]) if numbers else "fp32"
            fields[name] = self._field(kind, value, pos, scope, dtype)
        fields |= self._place_operands(s, row.name, fields, numbers)
        waits, posts = self._tokens(s["syncs"])
        self._push(complete(Word(row.name, s["queue"], (), fields, waits, posts)), s.pos)

    def _place_operands(
        self, s: Statement, name: str, fields: dict[str, Any], numbers: list[int]
    ) -> dict[str, int]:
        """Operands by name: the row's order, without those the word does not have."""
        row = load().insns[name]
        word = complete(Word(name, s["queue"], fields=fields))
        present = [op.name for op in present_operands(word, tuple(self._chains.values()))]
        if len(numbers) != len(present):
            raise fail(
                s.pos,
                "E0509",
                f"{row.mnemonic} has here the operands {', '.join(present)}",
                found=f"{len(numbers)} operands",
            )
        return dict(zip(present, numbers, strict=True))

    def _field(self, kind: str, value: Any, pos: Pos, scope: Scope, dtype: str) -> Any:
        match kind:
            case "chain":
                return number_of(self._chains, value, pos, "chain")
            case "mask":
                if value in ("all", 0):
                    return 0
                return number_of(self._masks, value, pos, "mask") + 1
            case "sreg":
                return register_number(str(value), pos, self._registers)
            case "level":
                if isinstance(value, int):
                    return value
                levels = [i for i, (name, _) in enumerate(scope) if name == value]
                if not levels:
                    raise fail(pos, "E0502", f"no loop {value} is in force here")
                return levels[-1]
            case "flag":
                return bool(value)
        if isinstance(value, float) or value in ("inf", "nan"):
            return formats.encode(dtype, float(value))
        return value
