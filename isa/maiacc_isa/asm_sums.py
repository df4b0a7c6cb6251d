"""Sums of products in assembly text: sources of scalars, and the scalar words made of them."""

from __future__ import annotations

import re

from maiacc_isa.asm_errors import fail, unknown
from maiacc_isa.asm_nodes import Linear, Pos
from maiacc_isa.load import load

#: The loops around a statement, outermost first: name and roles.
Scope = tuple[tuple[str, tuple[str, ...]], ...]

#: Values that fit the signed field `m` of a SET.
SECOND_LIMIT = 1 << 16


class Sums:
    """What the names in sums mean in one block."""

    def __init__(self, registers: dict[str, int]) -> None:
        self._registers = registers
        self._loops: dict[str, set[int]] = {}

    def set_loops(self, levels: dict[str, set[int]]) -> None:
        """Tells at which levels each loop name of the block occurs."""
        self._loops = levels

    def source(self, name: str, pos: Pos, scope: Scope) -> int:
        """The code of a register, loop counter or id."""
        sources = load().sources
        for level in range(len(scope) - 1, -1, -1):
            if scope[level][0] == name:
                return sources["L"].code + level
        if name in self._registers:
            return sources["s"].code + self._registers[name]
        match = re.fullmatch(r"([sL])(\d{1,2})", name)
        if match and int(match[2]) < sources[match[1]].count:
            return sources[match[1]].code + int(match[2])
        if name in sources and sources[name].count == 1:
            return sources[name].code
        levels = self._loops.get(name, set())
        if len(levels) == 1:
            return sources["L"].code + next(iter(levels))
        if levels:
            raise fail(pos, "E0502", f"loop {name} stands at several levels; write L0 to L7 here")
        ids = [source.name for source in sources.values() if source.count == 1]
        known = [*self._registers, *self._loops, *ids, "s0 to s31", "L0 to L7"]
        raise unknown(pos, "register, loop or id", name, known)

    def collect(
        self, linear: Linear, scope: Scope, dims: dict[str, int]
    ) -> tuple[int, dict[int, int]]:
        """Constant and coefficients by source; dims are taken out into ``dims``."""
        constant, terms = 0, dict[int, int]()
        for coef, name, pos in linear.parts:
            if name is None:
                constant += coef
            elif name in dims:
                if dims[name]:
                    raise fail(pos, "E0507", f"dim {name} stands twice in this view")
                dims[name] = coef
            else:
                code = self.source(name, pos, scope)
                terms[code] = terms.get(code, 0) + coef
        return constant, {code: coef for code, coef in terms.items() if coef}

    # ---- scalar words -------------------------------------------------------------------
    def scalar(self, linear: Linear, scope: Scope) -> dict[str, int | str]:
        """The fields x1, c1, x2, c2 and imm of a SET."""
        imm, terms = self.collect(linear, scope, {})
        self._at_most_two(terms, linear.pos)
        return self._terms(terms) | {"imm": imm}

    def lesser(self, kind: str, one: Linear, two: Linear, scope: Scope) -> dict[str, int | str]:
        """The fields of a SET for the minimum or maximum of two sums.

        One sum of up to two sources and a constant, in either order, or two sums of one source.
        """
        sums = [self.collect(linear, scope, {}) for linear in (one, two)]
        if not sums[0][1] and sums[1][1]:
            sums.reverse()
        (imm, terms), (bound, others) = sums
        if not others and (-SECOND_LIMIT <= imm < SECOND_LIMIT or len(terms) > 1):
            self._at_most_two(terms, one.pos)
            return self._terms(terms) | {"fn": kind, "imm": bound, "m": imm}
        if not others:
            # The sum's constant is too wide for `m`: the bound becomes a multiple of one.
            bound, others = 0, {load().sources["one"].code: bound}
        if len(terms) > 1 or len(others) > 1:
            raise fail(
                one.pos,
                "E0507",
                f"a {kind} reads two values: two in one sum, or one in each",
                hint="compute a part of it into another register first",
            )
        return self._terms(terms, others) | {"fn": f"{kind}2", "imm": imm, "m": bound}

    def _terms(self, *sums: dict[int, int]) -> dict[str, int | str]:
        """x1, c1, x2 and c2 of sums, in order."""
        fields: dict[str, int | str] = {}
        pairs = [pair for terms in sums for pair in terms.items()]
        for number, (code, coef) in enumerate(pairs, 1):
            fields |= {f"x{number}": code, f"c{number}": coef}
        return fields

    def _at_most_two(self, terms: dict[int, int], pos: Pos) -> None:
        if len(terms) > 2:
            raise fail(
                pos,
                "E0507",
                "a scalar word reads at most two values",
                found=f"{len(terms)} values",
                hint="compute a part of it into another register first",
            )
