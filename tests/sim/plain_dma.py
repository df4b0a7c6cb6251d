"""The load, store and network queues: copies, gathers, scatters, sums in memory."""

from __future__ import annotations

from sim.plain_chains import combine
from sim.plain_memory import Place, Window, constant
from sim.plain_numbers import PlainTrap, integer
from sim.plain_words import Execution


def copy(x: Execution) -> None:
    """COPY, BCAST, PUT and PUTM."""
    x.write("d", x.read("a"))


def copyt(x: Execution) -> None:
    """COPYT: d[..., j, i] = a[..., i, j]."""
    codes = x.read("a")
    *_, rows, columns = x.views["a"].sizes
    turned = []
    for outer in range(0, len(codes), max(1, rows * columns)):
        for j in range(columns):
            turned += [codes[outer + i * columns + j] for i in range(rows)]
    x.write("d", turned)


def fill(x: Execution) -> None:
    """FILL."""
    window = x.views["d"]
    x.write("d", [constant(x.word["value"], window.d.dtype)] * (window.rows * window.columns))


def radd(x: Execution) -> None:
    """RADD and PUTADD."""
    window, added = x.views["d"], x.read("a")
    for place in x.targets("d"):
        old = x.memories.elements(window, place)
        new = [combine("add", o, a, window.d.dtype) for o, a in zip(old, added, strict=True)]
        x.memories.store(window, place, new)


def gather(x: Execution) -> None:
    """GATHER and VGATHER."""
    a = x.views["a"]
    place = x.place(a)
    result = []
    for code in x.read("b"):
        row = _index(x, a, code)
        for where in a.coordinates():
            if row is None:
                result.append(a.fill)
            else:
                result.append(x.memories.element(a, place, [row, *where[1:]]))
    x.write("d", result)


def scatter(x: Execution) -> None:
    """SCATTER and VSCATTER."""
    d, values, indices = x.views["d"], x.read("a"), x.read("b")
    (place,) = x.targets("d")
    width = d.rows * d.columns
    for i, code in enumerate(indices):
        row = _index(x, d, code)
        if row is None:
            continue
        for where, value in zip(d.coordinates(), values[i * width : (i + 1) * width], strict=True):
            _combine(x, d, place, [row, *where[1:]], value)


def _combine(x: Execution, d: Window, place: Place, where: list[int], value: int) -> None:
    old = 0
    if x.word["op"] != "set":
        old = x.memories.element(d, place, where)
    x.memories.put(d, place, where, combine(x.word["op"], old, value, d.d.dtype))


def _index(x: Execution, window: Window, code: int) -> int | None:
    """The coordinate on axis 0 that an index means; None where nothing is meant."""
    where = window.origin[0] + integer(code, x.dtype("b"))
    last = window.extents[0] - 1
    if 0 <= where <= last:
        return where
    match x.word["oob"]:
        case "trap":
            raise PlainTrap("index", str(where))
        case "clamp":
            if last < 0:
                raise PlainTrap("bounds", "nothing to take instead")
            return 0 if where < 0 else last
    return None
