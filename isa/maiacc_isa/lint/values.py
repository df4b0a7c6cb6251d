"""Scalar values as the prover knows them: numbers, plus multiples of unknowns.

An unknown (``Sym``) is a runtime parameter, a loaded scalar, a position in a ring after a loop
whose trip count is unknown, or the id of a tile or cluster when one stands for all. Values are
subtracted before intervals are taken, so that equal unknowns cancel.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

_numbers = itertools.count(1)


@dataclass(frozen=True, eq=False)
class Sym:
    """An unknown with an inclusive interval.

    ``instance`` names the executing instance when each has its own value; unknowns with none are
    the same for all. ``key`` tells where a value that is fixed for the whole block comes from, so
    that its interval can be narrowed; ``roots`` are the unknowns a derived one is computed from,
    ``quotient`` how, if it is by division.
    """

    name: str
    low: int
    high: int
    instance: int | None = None
    number: int = field(default_factory=lambda: next(_numbers))
    key: tuple[object, ...] | None = None
    roots: tuple[Sym, ...] = ()
    quotient: Quotient | None = None

    def halfway(self) -> tuple[Sym, int] | None:
        """A value fixed for the block that decides this one, and where to cut its interval: the
        last number of its lower part. None if anything else decides, too."""
        if self.quotient is not None:
            return self.quotient.root, self.quotient.cut((self.low + self.high) // 2 + 1)
        roots = self.roots or (self,)
        if any(root.key is None for root in roots):
            return None
        return roots[0], (roots[0].low + roots[0].high) // 2


@dataclass(frozen=True)
class Quotient:
    """floor((factor * root + add) / divisor), for a root that is fixed for the block."""

    root: Sym
    factor: int
    add: int
    divisor: int

    def cut(self, value: int) -> int:
        """The last root on its side of where the quotient reaches a value."""
        if self.factor > 0:
            cut = -(-(value * self.divisor - self.add) // self.factor) - 1
        else:
            cut = (self.add - value * self.divisor) // -self.factor
        return min(max(cut, self.root.low), self.root.high - 1)


@dataclass(frozen=True, eq=False)
class RingSym(Sym):
    """A position in a ring of ``high + 1`` slots: (start + offset) mod slots."""

    start: Sym | None = None
    offset: int = 0


_NO_TERMS: dict[Sym, int] = {}


class Val:
    """An integer: ``const`` plus coefficients times unknowns. Immutable."""

    __slots__ = ("const", "terms")

    def __init__(self, const: int, terms: dict[Sym, int] | None = None) -> None:
        self.const = const
        self.terms = terms or _NO_TERMS

    @property
    def known(self) -> bool:
        return not self.terms

    def __add__(self, other: Val) -> Val:
        if not other.terms:
            return Val(self.const + other.const, self.terms)
        terms = dict(self.terms)
        for sym, coef in other.terms.items():
            total = terms.get(sym, 0) + coef
            if total:
                terms[sym] = total
            else:
                del terms[sym]
        return Val(self.const + other.const, terms)

    def __sub__(self, other: Val) -> Val:
        if not other.terms:
            return Val(self.const - other.const, self.terms)
        return self + other.scaled(-1)

    def scaled(self, factor: int) -> Val:
        """The value times a number."""
        if factor == 1:
            return self
        if factor == 0:
            return ZERO
        if not self.terms:
            return Val(self.const * factor)
        return Val(self.const * factor, {sym: c * factor for sym, c in self.terms.items()})

    def plus(self, number: int) -> Val:
        """The value plus a number."""
        return Val(self.const + number, self.terms) if number else self

    def filled(self, known: Mapping[Sym, int]) -> Val:
        """The value with some unknowns replaced by numbers."""
        if not self.terms:
            return self
        const, terms = self.const, {}
        for sym, coef in self.terms.items():
            if sym in known:
                const += coef * known[sym]
            else:
                terms[sym] = coef
        return Val(const, terms)

    @property
    def low(self) -> int:
        """Smallest value over all unknowns."""
        if not self.terms:
            return self.const
        return self.const + sum(c * (s.low if c > 0 else s.high) for s, c in self.terms.items())

    @property
    def high(self) -> int:
        """Largest value over all unknowns."""
        if not self.terms:
            return self.const
        return self.const + sum(c * (s.high if c > 0 else s.low) for s, c in self.terms.items())

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal expressions."""
        return (self.const, *sorted((s.number, c) for s, c in self.terms.items()))

    def same(self, other: Val) -> bool:
        """Whether the two are the same expression."""
        return self.const == other.const and self.terms == other.terms

    def __str__(self) -> str:
        parts = [f"{c}*{s.name}" if c != 1 else s.name for s, c in self.terms.items()]
        if self.const or not parts:
            parts.append(str(self.const))
        return " + ".join(parts)


ZERO = Val(0)


class Derived:
    """Unknowns computed from unknowns; the same computation gives the same unknown."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Val] = {}
        self.fixed: dict[tuple[object, ...], Val] = {}

    def floordiv(self, v: Val, m: int) -> Val:
        """floor(v / m)."""
        if all(c % m == 0 for c in v.terms.values()):
            return Val(v.const // m, {s: c // m for s, c in v.terms.items()})
        quotient = None
        if len(v.terms) == 1:
            (root, factor), *_ = v.terms.items()
            quotient = Quotient(root, factor, v.const, m) if root.key is not None else None
        return self._fresh("div", v, m, v.low // m, v.high // m, quotient)

    def mod(self, v: Val, m: int) -> Val:
        """v - m * floor(v / m)."""
        if all(c % m == 0 for c in v.terms.values()):
            return Val(v.const % m)
        ring = self._ring(v, m)
        if ring is not None:
            return ring
        if v.low // m == v.high // m:
            return v.plus(-m * (v.low // m))
        return self._fresh("mod", v, m, 0, m - 1)

    def _ring(self, v: Val, m: int) -> Val | None:
        """A ring position moved on by a number."""
        if len(v.terms) != 1:
            return None
        sym, coef = next(iter(v.terms.items()))
        if not isinstance(sym, RingSym) or coef != 1 or sym.high != m - 1:
            return None
        return self.ring(sym.start or sym, m, sym.offset + v.const)

    def ring(self, start: Sym, m: int, offset: int) -> Val:
        """(start + offset) mod m, for an unknown start."""
        key = ("ring", start.number, m, offset % m)
        if key not in self._known:
            name = f"{start.name}+{offset % m} mod {m}"
            sym = RingSym(name, 0, m - 1, start.instance, start=start, offset=offset % m)
            self._known[key] = Val(0, {sym: 1})
        return self._known[key]

    def lesser(self, one: Val, two: Val, least: bool) -> Val:
        """The smaller of two values, or with ``least`` false the larger."""
        gap = one - two
        if gap.high <= 0 or gap.low >= 0:
            return one if (gap.high <= 0) == least else two
        choose = min if least else max
        low, high = choose(one.low, two.low), choose(one.high, two.high)
        if low == high:
            return Val(low)
        fn = "min" if least else "max"
        key = (fn, one.key, two.key)
        if key not in self._known:
            terms = {**one.terms, **two.terms}
            self._known[key] = self._unknown(f"{fn}({one}, {two})", terms, low, high)
        return self._known[key]

    def lookup(self, v: Val, number: int, table: tuple[int, ...]) -> Val:
        """An entry of a constant table, for an index within it."""
        if v.known:
            return Val(table[v.const])
        part = table[v.low : v.high + 1]
        return self._fresh("table", v, number, min(part), max(part))

    def _fresh(
        self, fn: str, v: Val, m: int, low: int, high: int, quotient: Quotient | None = None
    ) -> Val:
        if low == high:
            return Val(low)
        key = (fn, v.key, m)
        if key not in self._known:
            self._known[key] = self._unknown(f"{fn}({v}, {m})", v.terms, low, high, quotient)
        return self._known[key]

    def _unknown(
        self,
        name: str,
        terms: dict[Sym, int],
        low: int,
        high: int,
        quotient: Quotient | None = None,
    ) -> Val:
        """A new unknown that is computed from others."""
        instances = {s.instance for s in terms} - {None}
        roots = tuple(root for s in terms for root in (s.roots or (s,)))
        instance = next(iter(instances), None)
        return Val(0, {Sym(name, low, high, instance, roots=roots, quotient=quotient): 1})


def ring_difference(d: Val) -> list[Val]:
    """All values a difference can take where ring positions of one start are subtracted.

    Two positions of the same ring differ by a known number modulo its length, so the pair is
    replaced by the two differences that are possible.
    """
    rings = [(s, c) for s, c in d.terms.items() if isinstance(s, RingSym) and s.start is not None]
    for (a, ca), (b, cb) in itertools.combinations(rings, 2):
        if a.start is b.start and a.high == b.high and ca == -cb:
            m = a.high + 1
            step = (a.offset - b.offset) % m
            rest = {s: c for s, c in d.terms.items() if s not in (a, b)}
            options = {step, step - m} if step else {0}
            return [
                v
                for option in sorted(options)
                for v in ring_difference(Val(d.const + ca * option, rest))
            ]
    return [d]
