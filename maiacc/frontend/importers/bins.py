"""Samples in the bins of regions along one axis: which elements they read, and what these weigh."""

from __future__ import annotations

from dataclasses import dataclass

from maiacc.frontend.importers.common import ramp, reshaped, scalar
from maiacc.frontend.importers.interpolation import Taps
from maiacc.frontend.importers.terms import clamped
from maiacc.frontend.node import Node
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Value

#: Samples of a region that can lie beside an element: they are more than half an element apart, so
#: at most four do, and one more at each end for what rounding does.
NEAR = 6


@dataclass
class Bins:
    """Regions [r] along an axis that has an extent: where they start, and how long each of their
    bins is."""

    node: Node
    start: Value
    bin: Value
    bins: int
    extent: int

    @property
    def b(self) -> Builder:
        """Makes ops."""
        return self.node.b

    def line(self, count: int, rank: int, axis: int) -> Value:
        """0, 1, 2 ... along an axis."""
        return ramp(self.node, count, rank, axis, self.start.type.dtype)

    def column(self, x: Value, rank: int) -> Value:
        """A number for each region, with so many axes."""
        return reshaped(self.node, x, (x.type.shape[0], *[1] * (rank - 1)))

    def samples(self, ratio: int) -> Value:
        """The positions [r, bins, ratio] of so many samples in each bin."""
        b, size = self.b, self.column(self.bin, 3)
        at = b("add", self.column(self.start, 3), b("mul", self.line(self.bins, 3, 1), size))
        middle = b("add", self.line(ratio, 3, 2), scalar(self.node, 0.5, size))
        step = b("div", b("mul", middle, size), scalar(self.node, ratio, size))
        return b("add", at, step)

    def outside(self, at: Value) -> Value:
        """Whether positions are further out than one element beside the image."""
        b = self.b
        before = b("lt", at, scalar(self.node, -1, at))
        return b("or", before, b("lt", scalar(self.node, self.extent, at), at))

    def taps(self, ratio: int) -> Taps:
        """The elements before and behind each sample: [r, bins * ratio, 2]."""
        b, at = self.b, self.samples(ratio)
        at = reshaped(self.node, at, (at.type.shape[0], self.bins * ratio, 1))
        inner = clamped(self.node, at, 0, self.extent - 1)
        before = b("floor", inner)
        fraction = b("sub", inner, before)
        rest = b("sub", scalar(self.node, 1, at), fraction)
        weight = b("concat", rest, fraction, axis=2)
        weight = b("select", self.outside(at), scalar(self.node, 0, at), weight)
        index = b("add", b("cvt", before, to="int64"), b.constant([0, 1], "int64"))
        return Taps(clamped(self.node, index, 0, self.extent - 1), weight)


@dataclass
class Covering:
    """Samples along an axis, one for each element that a bin covers, as weights of elements."""

    axis: Bins
    count: Value
    weight: Value
    beside: Value

    @classmethod
    def of(cls, axis: Bins) -> Covering:
        """Samples that can lie beside each element: [r, bins, extent, near]."""
        b, bins, extent = axis.b, axis.bins, axis.extent
        size = axis.column(axis.bin, 4)
        zero, one, half = (scalar(axis.node, x, size) for x in (0, 1, 0.5))
        count = b("max", b("ceil", size), zero)
        some = b("max", count, one)
        step = b("select", b("le", one, count), b("div", size, some), one)
        start = b("mul", axis.line(bins, 4, 1), size)
        start = b("add", axis.column(axis.start, 4), start)
        element = axis.line(extent, 4, 2)
        first = b("sub", b("div", b("sub", b("sub", element, one), start), step), half)
        first = b("max", b("sub", b("ceil", first), one), zero)
        sample = b("add", first, axis.line(NEAR, 4, 3))
        at = b("add", start, b("div", b("mul", b("add", sample, half), size), some))
        inner = clamped(axis.node, at, 0, extent - 1)
        good = b("and", b("lt", sample, count), b("not", axis.outside(at)))
        near = b("le", b("sub", element, one), inner)
        near = b("and", near, b("lt", inner, b("add", element, one)))
        weight = b("sub", one, b("abs", b("sub", inner, element)))
        return cls(axis, count, weight, b("and", good, near))

    def total(self) -> Value:
        """What the samples of a bin weigh together at each element: [r, bins, extent]."""
        b, axis = self.axis.b, self.axis
        found = b("select", self.beside, self.weight, scalar(axis.node, 0, self.weight))
        return b("rsum", found, axes=(3,), keep=False)

    def extremes(self) -> tuple[Value, Value]:
        """The most and the least that a sample weighs at each element: [r, bins, extent]. The most
        is -1 where no sample reads the element."""
        b, axis, weight = self.axis.b, self.axis, self.weight
        most = b("select", self.beside, weight, scalar(axis.node, -1, weight))
        least = b("select", self.beside, weight, scalar(axis.node, 2, weight))
        most = b("rmax", most, axes=(3,), keep=False)
        least = b("rmin", least, axes=(3,), keep=False)
        zero, one = scalar(axis.node, 0, weight), scalar(axis.node, 1, weight)
        element = axis.line(axis.extent, 3, 2)
        start = b("eq", element, zero)
        end = b("eq", element, scalar(axis.node, axis.extent - 1, element))
        # At both ends of the image a sample reads an element with weight 1 and another, or the same
        # one again, with weight 0.
        both = b("and", b("or", start, end), b("eq", most, one))
        least = b("select", both, zero, least)
        # Samples outside read the first element with weight 0.
        out = b("and", self._reaches_out(), start)
        return b("select", out, b("max", most, zero), most), b("select", out, zero, least)

    def _reaches_out(self) -> Value:
        """Whether a bin has samples outside of the image: [r, bins, 1]."""
        b, axis = self.axis.b, self.axis
        size = axis.column(axis.bin, 3)
        count = reshaped(axis.node, self.count, (self.count.type.shape[0], 1, 1))
        start = b("mul", axis.line(axis.bins, 3, 1), size)
        start = b("add", axis.column(axis.start, 3), start)
        half = b(
            "div",
            b("mul", size, scalar(axis.node, 0.5, size)),
            b("max", count, scalar(axis.node, 1, size)),
        )
        first, last = b("add", start, half), b("sub", b("add", start, size), half)
        out = b("or", axis.outside(first), axis.outside(last))
        return b("and", out, b("lt", scalar(axis.node, 0, size), count))
