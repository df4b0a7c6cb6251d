"""The words of a block of assembly text, in order."""

from __future__ import annotations

import re
from typing import Any

from maiacc_isa import formats
from maiacc_isa.asm_declarations import Declarations
from maiacc_isa.asm_errors import fail, placed, unknown
from maiacc_isa.asm_names import number_of, register_number, statement_roles
from maiacc_isa.asm_nodes import Pos, Statement, TokenText
from maiacc_isa.asm_sums import Scope, Sums
from maiacc_isa.asm_views import Views, hex_bits
from maiacc_isa.load import load
from maiacc_isa.names import AMBIGUOUS, default_name, reserved_meaning
from maiacc_isa.operands import present_operands
from maiacc_isa.spec import BitField, Insn
from maiacc_isa.word import WORD_BITS, Token, Word, complete, decode, encode

Tokens = tuple[Token, ...]


class Words:
    """Statements of a block turned into words; every word is one that can be encoded."""

    def __init__(
        self, declared: Declarations, views: Views, sums: Sums, parameters: dict[str, int]
    ) -> None:
        self._declared = declared
        self._views = views
        self._sums = sums
        self._parameters = parameters
        self.words: list[Word] = []
        self.lines: list[int] = []
        self.origins: list[tuple[str, ...]] = []
        self._origin: tuple[str, ...] = ()
        self.loop_names: dict[int, str] = {}

    def push(self, word: Word, pos: Pos) -> None:
        """Adds a word."""
        with placed(pos):
            encode(word)
        self.words.append(word)
        self.lines.append(pos.line)
        self.origins.append(self._origin)

    def emit(self, body: list[Statement], scope: Scope) -> None:
        """Adds the words of statements inside the loops of ``scope``."""
        for s in body:
            match s.kind:
                case "at":
                    self._origin = s["names"]
                case "loop":
                    self._loop(s, scope)
                case "nop":
                    self._control("NOP", {}, s, scope)
                case "mark":
                    self._control("MARK", {"id": s["id"], "what": s["what"]}, s, scope)
                case "assign":
                    self._assign(s, scope)
                case "word":
                    self._word(s, scope)
                case "bits":
                    with placed(s.pos):
                        word = decode(hex_bits(s["hex"], WORD_BITS // 8, s.pos))
                    self.push(word, s.pos)

    # ---- control words ------------------------------------------------------------------
    def _control(self, name: str, fields: dict[str, Any], s: Statement, scope: Scope) -> None:
        self.push(complete(Word(name, roles=statement_roles(s, scope), fields=fields)), s.pos)

    def _loop(self, s: Statement, scope: Scope) -> None:
        level = len(scope)
        most = load().limit("loops")
        if level >= most:
            deep = f"loops nest at most {most} deep"
            raise fail(s.pos, "E0505", deep, hint="a view's dims repeat without a loop")
        self._check_loop_name(s, level)
        roles = statement_roles(s, scope)
        at = len(self.words)
        fields: dict[str, Any] = {"level": level, "length": 0}
        if isinstance(s["trip"], int):
            fields |= {"kind": "imm", "trip": s["trip"]}
        else:
            reg = register_number(s["trip"], s.pos, self._declared.registers)
            fields |= {"kind": "scalar", "reg": reg}
        self.push(complete(Word("LOOP", roles=roles, fields=fields)), s.pos)
        if s["name"] != default_name("L", level):
            self.loop_names[at] = s["name"]
        self.emit(s["body"], (*scope, (s["name"], roles)))
        fields["length"] = len(self.words) - at - 1
        self.words[at] = complete(Word("LOOP", roles=roles, fields=fields))
        with placed(s.pos):
            encode(self.words[at])
        self.push(complete(Word("ENDL", roles=roles, fields={"level": level})), s.pos)

    def _check_loop_name(self, s: Statement, level: int) -> None:
        name = s["name"]
        meaning = None
        if name in AMBIGUOUS or (name in load().sources and name != "one"):
            meaning = reserved_meaning(name)
        elif name in self._declared.registers:
            meaning = f"{name} already is the name of a register"
        elif re.fullmatch(r"[sL]\d+", name) and name != default_name("L", level):
            meaning = f"{name} is a register, or the counter of another level"
        if meaning is not None:
            raise fail(s.pos, "E0503", meaning, hint="choose another name for the loop")

    def _assign(self, s: Statement, scope: Scope) -> None:
        dest = register_number(s["dest"], s.pos, self._declared.registers)
        kind, *rest = s["value"]
        if kind == "param":
            number = self._parameters.get(rest[0])
            if number is None:
                raise unknown(s.pos, "parameter", rest[0], self._parameters)
            self._control("PAR", {"dest": dest, "param": number}, s, scope)
        elif kind == "sld":
            operand, syncs, low, high = rest
            waits, posts = self._tokens(syncs)
            view = self._views.number(operand, scope)
            fields: dict[str, Any] = {"dest": dest, "low": low, "high": high, "a": view}
            word = Word("SLD", None, statement_roles(s, scope), fields, waits, posts)
            self.push(complete(word), s.pos)
        else:
            if kind in ("min", "max"):
                fields = self._sums.lesser(kind, rest[0], rest[1], scope)
            else:
                m = rest[1]
                if kind == "table":
                    m = number_of(self._declared.tables, m, s.pos, "table")
                fields = self._sums.scalar(rest[0], scope) | {"fn": kind, "m": m}
            self._control("SET", fields | {"dest": dest}, s, scope)

    def _tokens(self, syncs: list[tuple[str, list[TokenText]]]) -> tuple[Tokens, Tokens]:
        result: dict[str, list[Token]] = {"wait": [], "post": []}
        for kind, tokens in syncs:
            for token in tokens:
                number = self._declared.semaphore_number(token.name, token.pos)
                result[kind].append((number, token.count))
                if token.count < 1:
                    raise fail(token.pos, "E0403", "the number of tokens", expected="1 to 15")
                if len(result[kind]) > 2:
                    raise fail(
                        token.pos,
                        "E0507",
                        f"a word has at most two {kind}s",
                        hint="put the others into a SYNC in the same queue",
                    )
        return tuple(result["wait"]), tuple(result["post"])

    # ---- engine words -------------------------------------------------------------------
    def _word(self, s: Statement, scope: Scope) -> None:
        if s["queue"] not in load().queues:
            raise unknown(s.pos, "queue", s["queue"], load().queues)
        row = load().by_mnemonic.get(s["mnemonic"])
        if row is None or row.control:
            names = [m for m, r in load().by_mnemonic.items() if not r.control]
            raise unknown(s.pos, "instruction", s["mnemonic"], names)
        operands = s["operands"]
        if len(operands) > len(row.operands):
            self._wrong_count(s, [op.name for op in row.operands], row)
        numbers = [self._views.number(operand, scope) for operand in operands]
        fields: dict[str, Any] = {}
        for name, value, pos in s["attrs"]:
            if name not in row.field_by_name:
                raise unknown(pos, "field", name, row.field_by_name, code="E0509", of=row.mnemonic)
            if name in fields:
                raise fail(pos, "E0503", f"{name} is given twice")
            dtype = self._views.dtype(numbers[0]) if numbers else "fp32"
            fields[name] = self._field(row.field_by_name[name], value, pos, scope, dtype)
        fields |= self._place_operands(s, row, fields, numbers)
        waits, posts = self._tokens(s["syncs"])
        self.push(complete(Word(row.name, s["queue"], (), fields, waits, posts)), s.pos)

    def _place_operands(
        self, s: Statement, row: Insn, fields: dict[str, Any], numbers: list[int]
    ) -> dict[str, int]:
        """Operands by name: the row's order, without those the word does not have."""
        word = complete(Word(row.name, s["queue"], fields=fields))
        chains = tuple(self._declared.chains.values())
        present = [op.name for op in present_operands(word, chains)]
        if len(numbers) != len(present):
            self._wrong_count(s, present, row)
        return dict(zip(present, numbers, strict=True))

    def _wrong_count(self, s: Statement, names: list[str], row: Insn) -> None:
        raise fail(
            s.pos,
            "E0509",
            f"{row.mnemonic} has here the operands {', '.join(names) or 'none'}",
            expected=f"{len(names)} operands",
            found=f"{len(s['operands'])} operands",
            hint=f"maiacc isa {row.mnemonic} shows its syntax",
        )

    def _field(self, f: BitField, value: Any, pos: Pos, scope: Scope, dtype: str) -> Any:
        declared = self._declared
        match f.kind.base:
            case "chain":
                return number_of(declared.chains, value, pos, "chain")
            case "mask":
                if value in ("all", 0):
                    return 0
                return number_of(declared.masks, value, pos, "mask") + 1
            case "sreg":
                return register_number(str(value), pos, declared.registers)
            case "level":
                if isinstance(value, int):
                    return value
                levels = [i for i, (name, _) in enumerate(scope) if name == value]
                if not levels:
                    known = [name for name, _ in scope]
                    raise unknown(pos, "loop in force here", value, known)
                return levels[-1]
            case "flag":
                if value not in (0, 1):
                    raise fail(pos, "E0509", f"{f.name} is 0 or 1", found=str(value)[:60])
                return bool(value)
            case "enum":
                labels = load().enums[str(f.kind.table)].by_name
                if value not in labels:
                    raise unknown(pos, "value", str(value), labels, code="E0404", of=f.name)
                return value
        if isinstance(value, float) or value in ("inf", "nan"):
            return formats.encode(dtype, float(value))
        if not isinstance(value, int):
            raise fail(pos, "E0509", f"{f.name} is a number", found=str(value)[:60])
        return value
