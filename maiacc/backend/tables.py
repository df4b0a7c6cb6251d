"""The tables of a block: descriptors, chains, semaphores, each kept once."""

from __future__ import annotations

from collections.abc import Mapping

from maiacc_isa import tables as t
from maiacc_isa.formats import encode
from maiacc_isa.load import load
from maiacc_passes.kernel.model import Chain, View
from maiacc_passes.schedule.edges import Semaphore

#: Where the value of a loop variable is to be had: sources and coefficients that add up to it.
Sources = Mapping[str, tuple[tuple[int, int], ...]]


class Tables:
    """Tables under construction."""

    def __init__(self) -> None:
        self.descriptors: dict[t.Descriptor, int] = {}
        self.chains: dict[t.Chain, int] = {}
        self.semaphores: dict[str, tuple[int, t.Semaphore]] = {}

    def descriptor(self, made: t.Descriptor) -> int:
        """The number of a descriptor."""
        return self.descriptors.setdefault(made, len(self.descriptors))

    def chain(self, chain: Chain) -> int:
        """The number of a chain."""
        made = t.Chain(
            chain.dtype,
            tuple(_step(chain.dtype, s.op, s.inputs) for s in chain.stages),
            chain.stat,
            chain.saturate,
            chain.zero_div,
            chain.round,
        )
        return self.chains.setdefault(made, len(self.chains))

    def semaphore(self, name: str, meant: Semaphore) -> int:
        """The number of a semaphore."""
        made = t.Semaphore(meant.poster, meant.waiter, meant.scope, meant.init)
        number, _ = self.semaphores.setdefault(name, (len(self.semaphores), made))
        return number


def _step(dtype: str, op: str, inputs: tuple[str | float, ...]) -> t.Step:
    """A stage; a number among its inputs becomes the immediate."""
    names: list[str] = []
    imm = 0
    for given in inputs:
        if isinstance(given, str):
            names.append(given)
        else:
            names.append("imm")
            imm = bits(dtype, given)
    return t.Step(op, tuple(names), imm)


def bits(dtype: str, value: float) -> int:
    """The 32 bits of a number in a type; of longer integers those that are extended by sign."""
    row = load().dtypes[dtype]
    if row.is_float:
        return encode(dtype, float(value))
    return int(value) & (1 << min(row.bits, 32)) - 1


def descriptor_of(
    view: View, base: int, pitch: int, slot: tuple[int, int] | None, sources: Sources
) -> t.Descriptor:
    """A view as a descriptor. ``base`` is the buffer's address; ``slot`` the source that counts
    its slots, which lie ``pitch`` bytes apart, and its coefficient."""
    space, dtype = view.buffer.space, view.type
    row = load().dtypes[dtype]
    unit = 1 if space == "iota" else row.bits if row.packed else row.bits // 8
    terms: list[t.Term] = []
    for number, axis in enumerate(view.axes):
        terms += _terms(axis.terms, f"axis{number}", sources)
    moved = tuple((name, coef * row.bits // 8) for name, coef in view.terms)
    if space != "iota":
        terms += _terms(moved, "bytes", sources)
    if slot is not None:
        terms.append(t.Term(slot[0], "bytes", slot[1] * pitch))
    return t.Descriptor(
        space,
        dtype,
        base + view.offset * row.bits // 8 if space != "iota" else 0,
        tuple(t.Axis(a.extent, a.stride * unit, a.start) for a in view.axes),
        tuple(t.Dim(d.size, d.axis, d.step) for d in view.dims),
        view.split,
        tuple(terms),
        drop=view.drop,
        fill=bits(dtype, view.fill),
    )


def _terms(terms: tuple[tuple[str, int], ...], target: str, sources: Sources) -> list[t.Term]:
    found: dict[int, int] = {}
    for name, coef in terms:
        for source, times in sources[name]:
            found[source] = found.get(source, 0) + coef * times
    return [t.Term(source, target, coef) for source, coef in found.items() if coef]
