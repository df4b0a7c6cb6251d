"""Sums of windows divided by how many cells count in each.

A count is a product of one number for each axis. Where all windows of an axis count as many, it
is a number of the program; else a strip of ones in a box is summed as the windows are.

    TVP iota %ones <- 1 inside of the axis, 0 outside
    TVP reduce %n[windows] <- %ones[windows | taps]
    TVP map %y <- %x / (%n0 * %n1)
"""

from __future__ import annotations

from collections.abc import Sequence

from maiacc_passes.ir.graph import Location
from maiacc_passes.kernel.model import Axis, Buffer, Dim, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.chunked_words import FAR, Span, mapped, span
from maiacc_passes.lowering.pools_shape import Window
from maiacc_passes.lowering.tiling import Tiling, name_of


def divided(
    sums: Span,
    windows: Sequence[Window | None],
    tiling: Tiling,
    count_pad: bool,
    dtype: str,
    location: Location,
) -> tuple[list[Word], list[Buffer]]:
    """Words that divide sums, and the buffers they need; the last one holds the means."""
    words: list[Word] = []
    buffers: list[Buffer] = []
    strips: list[tuple[int, Buffer]] = []
    number = 1
    for axis, window in enumerate(windows):
        if window is None:
            continue
        counts = set(window.counts(count_pad))
        if len(counts) == 1:
            number *= counts.pop()
            continue
        more, made = _strip(window, axis, tiling, count_pad, location)
        words += more
        buffers += made
        strips.append((axis, made[-1]))
    if len(strips) > 2:
        words.append(_product(strips, sums, buffers, location))
        factors = [_wide(sums, buffers[-1], strips[:2]), _wide(sums, strips[2][1], strips[2:])]
    else:
        factors = [_wide(sums, buffer, [(axis, buffer)]) for axis, buffer in strips]
    result = span("mean", dtype, sums.sizes)
    buffers.append(result.buffer)
    operands = dict(zip("bc", factors, strict=False))
    stages: list[tuple[str, tuple[str | float, ...]]] = []
    divisor: str | float = float(number)
    for name in operands:
        if divisor == 1.0:
            divisor = name
        else:
            stages.append(("mul", (name, divisor)))
            divisor = f"r{len(stages) - 1}"
    stages.append(("div", ("a", divisor)))
    words.append(mapped(location, result.view(), "fp32", stages, a=sums.view(), **operands))
    return words, buffers


def _strip(
    window: Window, axis: int, tiling: Tiling, count_pad: bool, location: Location
) -> tuple[list[Word], list[Buffer]]:
    """How many cells count in each window of a tile along an axis."""
    tile = tiling.tiles[axis]
    reach = window.reach(tile)
    terms = ((name_of(axis), tile * window.step),) if axis in tiling.spreads else ()
    pads = window.before + window.after if count_pad else 0
    box = Axis(window.extent + pads, 0, 0 if count_pad else -window.before, terms)
    # The coordinate on the first axis is always 1, and the fill value 0.
    view = View(Buffer("one", "fp32", (1,), "iota"), (Axis(FAR, 0, 1), box), (Dim(reach, 1, 1),), 1)
    ones = span(f"ones{axis}", "fp32", (reach,))
    made = span(f"n{axis}", "fp32", (tile,))
    taps = strided(ones.buffer, [Side(tile, window.step), Side(window.taps, window.dilation)], 1)
    fields: dict[str, object] = {"op": "sum"}
    words = [
        Word("iota", "TVP", {"d": ones.view(), "a": view}, location=location),
        Word("reduce", "TVP", {"d": made.view(), "a": taps}, None, fields, location),
    ]
    return words, [ones.buffer, made.buffer]


def _product(
    strips: Sequence[tuple[int, Buffer]], sums: Span, buffers: list[Buffer], location: Location
) -> Word:
    """The product of the first two strips, in a buffer that is added to the others."""
    (one, first), (other, second) = strips[:2]
    m, n = sums.sizes[one], sums.sizes[other]
    made = span("nn", "fp32", (m, n))
    buffers.append(made.buffer)
    a = strided(first, [Side(m, 1), Side(n, 0)])
    b = strided(second, [Side(m, 0), Side(n, 1)])
    return mapped(location, made.view(), "fp32", [("mul", ("a", "b"))], a=a, b=b)


def _wide(sums: Span, buffer: Buffer, axes: Sequence[tuple[int, Buffer]]) -> View:
    """A buffer of counts along some axes, repeated along the others."""
    steps: dict[int, int] = {}
    step = 1
    for axis, _ in reversed(axes):
        steps[axis] = step
        step *= sums.sizes[axis]
    return strided(buffer, [Side(size, steps.get(axis, 0)) for axis, size in enumerate(sums.sizes)])
