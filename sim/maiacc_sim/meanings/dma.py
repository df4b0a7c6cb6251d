"""Words of the load and store queues."""

from __future__ import annotations

import numpy as np

from maiacc_sim.arith.combining import combine
from maiacc_sim.arith.convert import container, decode
from maiacc_sim.meanings.registry import Context, Meaning, require
from maiacc_sim.operand import Operand, constant
from maiacc_sim.pages import Ints
from maiacc_sim.traps import Trap
from maiacc_sim.views import Bools


def copy(w: Context, d: Operand, a: Operand) -> None:
    """d[i] = a[i]"""
    d.write(a.read())


def copyt(w: Context, d: Operand, a: Operand) -> None:
    """d[o, j, i] = a[o, i, j]"""
    *outer, rows, columns = a.located.sizes
    require(d.located.sizes == (*outer, columns, rows), "the last two sizes are not exchanged")
    d.write(a.read().reshape(a.located.sizes).swapaxes(-1, -2))


def fill(w: Context, d: Operand) -> None:
    """d[i] = value"""
    d.write(np.full(d.shape, constant(w["value"], d.dtype), container(d.dtype)))


def radd(w: Context, d: Operand, a: Operand) -> None:
    """d[i] = d[i] + a[i]"""
    d.meet(d.places, a.read(), lambda old, new: combine("add", old, new, d.dtype))


def gather(w: Context, d: Operand, a: Operand, b: Operand) -> None:
    """d[i, c] = a[c] with its coordinate on axis 0 replaced by origin + b[i]"""
    rows, inside = _rows(w, a, b)
    codes = np.full((len(rows), len(a.places)), a.fill, container(a.dtype))
    codes[inside] = a.read_at(a.rows_at(rows[inside]))
    d.write(codes)


def scatter(w: Context, d: Operand, a: Operand, b: Operand) -> None:
    """d[c] with its coordinate on axis 0 replaced by origin + b[i] meets a[i, c], i rising"""
    rows, inside = _rows(w, d, b)
    codes = a.read().reshape(len(rows), len(d.places))[inside]
    op = w["op"]
    join = None if op == "set" else lambda old, new: combine(op, old, new, d.dtype)
    d.meet(d.rows_at(rows[inside]), codes, join)


def _rows(w: Context, target: Operand, b: Operand) -> tuple[Ints, Bools]:
    """Coordinates on axis 0 that the indices b name, and which of them are in force.

    Raises ``Trap`` index for one outside, where the word says so.
    """
    index = decode(b.read(), b.dtype).reshape(-1)
    origin, extent = target.located.origin[0], target.located.extents[0]
    # Compared with Python integers, which numpy does exactly; sums could leave 64 bits.
    below, above = index < -origin, index >= extent - origin
    inside = ~(below | above)
    if w["oob"] == "trap" and not inside.all():
        raise Trap(
            "index",
            f"index {int(np.flatnonzero(~inside)[0])} of {b.name} lies outside axis 0",
            expected=f"{-origin} .. {extent - origin - 1}",
            found=str(index[~inside][0]),
        )
    # The sums in force lie in the axis, so that arithmetic modulo 2^64 gives them exactly.
    sums = (index.astype(np.uint64) + np.uint64(origin % (1 << 64))).view(np.int64)
    rows: Ints = np.where(inside, sums, 0)
    if w["oob"] == "clamp":
        require(extent > 0 or not len(rows), "no row is the nearest of an axis of extent 0")
        return np.where(below, 0, np.where(above, extent - 1, rows)), np.ones_like(inside)
    return rows, inside


MEANINGS: tuple[Meaning, ...] = (copy, copyt, fill, radd, gather, scatter)
