"""Einsum: diagonals, then sums, then products of two operands at a time from the left."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from maiacc.frontend.importers.common import reshaped, sliced
from maiacc.frontend.importers.terms import transposed
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value


@dataclass
class _Term:
    """An operand and the letters of its axes."""

    value: Value
    letters: str

    def sizes(self) -> dict[str, int]:
        """The size of each letter."""
        return dict(zip(self.letters, self.value.type.shape, strict=True))


@importer("Einsum")
def einsum(node: Node) -> Value:
    terms, out = _parsed(node)
    terms = [_diagonal(node, term) for term in terms]
    terms = _stretching(node, terms)
    for number, term in enumerate(terms):
        others = "".join(t.letters for i, t in enumerate(terms) if i != number)
        terms[number] = _summed(node, term, out + others)
    found = terms[0]
    for number, term in enumerate(terms[1:], 2):
        later = "".join(t.letters for t in terms[number:])
        found = _product(node, found, term, out + later)
    return transposed(node, found.value, [found.letters.index(c) for c in out])


# ---- the equation ---------------------------------------------------------------------------
def _parsed(node: Node) -> tuple[list[_Term], str]:
    """The operands with their letters, and the letters of the result. Axes that an ellipsis stands
    for get letters that are not in the equation. Refuses with E1304."""
    equation = node.get_str("equation").replace(" ", "")
    left, arrow, right = equation.partition("->")
    groups = left.split(",")
    if len(groups) != len(node.inputs):
        _bad(node, equation, f"{len(node.inputs)} operands")
    values = [node.input(number) for number in range(len(groups))]
    free = [c for c in string.ascii_letters if c not in equation]
    ranks = [
        value.type.rank - len(group.replace("...", ""))
        for value, group in zip(values, groups, strict=True)
    ]
    if any(rank < 0 or (rank and "..." not in g) for rank, g in zip(ranks, groups, strict=True)):
        _bad(node, equation, f"letters for the axes of {', '.join(str(v.type) for v in values)}")
    most = max(ranks, default=0)
    if most > len(free):
        _bad(node, equation, f"at most {len(string.ascii_letters)} axes")
    more = "".join(free[:most])
    terms = [
        _Term(value, _letters(node, equation, group, more[most - rank :]))
        for value, group, rank in zip(values, groups, ranks, strict=True)
    ]
    named = "".join(term.letters for term in terms)
    if not arrow:
        right = "..." + "".join(sorted(c for c in set(named) - set(more) if named.count(c) == 1))
    out = _letters(node, equation, right, more)
    if len(set(out)) < len(out) or not set(out) <= set(named):
        _bad(node, equation, "each letter of the result once, and in an operand")
    return terms, out


def _letters(node: Node, equation: str, group: str, more: str) -> str:
    """The letters of a group, with those that the ellipsis stands for."""
    letters = group.replace("...", "", 1)
    if letters and not (letters.isascii() and letters.isalpha()):
        _bad(node, equation, "letters, commas, one arrow, an ellipsis in each operand")
    return group.replace("...", more, 1)


def _bad(node: Node, equation: str, expected: str) -> None:
    node.fail("E1304", "attribute equation", expected, equation)


# ---- one operand ----------------------------------------------------------------------------
def _diagonal(node: Node, term: _Term) -> _Term:
    """Without letters that come twice: elements at which these axes have the same index."""
    x, letters = term.value, term.letters
    while len(set(letters)) < len(letters):
        letter = next(c for c in letters if letters.count(c) > 1)
        first = letters.index(letter)
        second = letters.index(letter, first + 1)
        extent = x.type.shape[first]
        if x.type.shape[second] != extent:
            node.fail("E1304", f"two sizes of {letter}", found=str(x.type))
        rest = [axis for axis in range(x.type.rank) if axis not in (first, second)]
        x = transposed(node, x, (*rest, first, second))
        shape = x.type.shape[:-2]
        x = reshaped(node, x, (*shape, extent * extent))
        x = sliced(node, x, x.type.rank - 1, 0, extent, extent + 1)
        letters = "".join(letters[axis] for axis in rest) + letter
    return _Term(x, letters)


def _stretching(node: Node, terms: Sequence[_Term]) -> list[_Term]:
    """Without axes of size 1 whose letter is longer elsewhere."""
    sizes: dict[str, int] = {}
    for term in terms:
        for letter, size in term.sizes().items():
            sizes[letter] = size if sizes.get(letter, 1) == 1 else sizes[letter]
            if size not in (1, sizes[letter]):
                kinds = ", ".join(str(t.value.type) for t in terms)
                node.fail("E1304", f"two sizes of {letter}", found=kinds)
    found = []
    for term in terms:
        kept = {c: size for c, size in term.sizes().items() if size == sizes[c]}
        found.append(_Term(reshaped(node, term.value, tuple(kept.values())), "".join(kept)))
    return found


def _summed(node: Node, term: _Term, needed: str) -> _Term:
    """Summed over letters that nothing else needs."""
    axes = tuple(axis for axis, c in enumerate(term.letters) if c not in needed)
    if not axes:
        return term
    letters = "".join(c for c in term.letters if c in needed)
    return _Term(node.b("rsum", term.value, axes=axes, keep=False), letters)


# ---- two operands ---------------------------------------------------------------------------
def _product(node: Node, a: _Term, b: _Term, needed: str) -> _Term:
    """The product, summed over letters that nothing else needs."""
    every = a.letters + "".join(c for c in b.letters if c not in a.letters)
    letters = "".join(c for c in every if c in needed)
    if letters == every:
        return _Term(node.b("mul", _spread(node, a, every), _spread(node, b, every)), every)
    spec = f"{a.letters},{b.letters}->{letters}"
    return _Term(node.b("contract", a.value, b.value, spec=spec), letters)


def _spread(node: Node, term: _Term, letters: str) -> Value:
    """An operand with its axes in the order of letters, and of size 1 where it has none."""
    order = [term.letters.index(c) for c in letters if c in term.letters]
    sizes = term.sizes()
    return reshaped(node, transposed(node, term.value, order), [sizes.get(c, 1) for c in letters])
