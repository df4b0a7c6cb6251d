"""Words of the tensor unit and of the drain queue."""

from __future__ import annotations

import numpy as np

from maiacc_sim.arith import chains, contraction, reductions
from maiacc_sim.arith.convert import convert
from maiacc_sim.meanings.registry import Context, Meaning, require
from maiacc_sim.operand import Operand
from maiacc_sim.pages import Array
from maiacc_sim.traps import Trap


def mm(w: Context, d: Operand, a: Operand, b: Operand) -> None:
    """d[m, n] (+)= a[m, k] * b[n, k]"""
    scale_a, scale_b, group = _scales(a, b)
    acc = _start(w, d)
    result = contraction.multiply(
        acc, a.read(), a.dtype, b.read(), b.dtype, scale_a, scale_b, group
    )
    d.write(result)


def mmsp(w: Context, d: Operand, a: Operand, b: Operand) -> None:
    """As mm; b holds two values of every four along k, its metadata their positions."""
    require(a.shape[1] % 4 == 0, "K is no multiple of 4", found=a.shape[1])
    meta = b.meta
    expected = (b.shape[0], a.shape[1] // 4)
    found = None if meta is None else meta.shape
    require(found == expected, "2:4 positions do not fit", f"{expected}", found)
    assert meta is not None
    scale_a, scale_b, group = _scales(a, b)
    positions = meta.read()
    acc = _start(w, d)
    result = contraction.multiply_sparse(
        acc, a.read(), a.dtype, b.read(), b.dtype, positions, scale_a, scale_b, group
    )
    d.write(result)


def _start(w: Context, d: Operand) -> Array:
    """What the accumulators hold before the first product."""
    mode = w["mode"]
    depth = max(1, len(w.issue.iteration))
    if mode == "first" and w["level"] >= depth:
        raise Trap("level", f"no loop of level {w['level']} is in force here")
    if mode == "over" or (mode == "first" and w.issue.fresh):
        return np.zeros(d.shape, np.uint32)
    return d.read()


def _scales(
    a: Operand, b: Operand
) -> tuple[contraction.Scales | None, contraction.Scales | None, int]:
    """The scales of both sides, and the length of a group along K. K is that of the left side,
    which is dense."""
    groups = {scaled_groups(x, a.shape[1]) for x in (a, b) if x.scale is not None}
    require(len(groups) < 2, "the scales of the operands have groups of different lengths")
    left, right = (None if x.scale is None else (x.scale.read(), x.scale.dtype) for x in (a, b))
    return left, right, groups.pop() if groups else 0


def scaled_groups(x: Operand, length: int) -> int:
    """Elements of a row of ``length`` that share a scale. Raises ``Trap`` bounds where the scales
    of an operand do not fit it."""
    assert x.scale is not None
    rows, groups = x.scale.shape
    fits = rows == x.shape[0] and (length % groups == 0 if groups else length == 0)
    require(fits, f"the scales of {x.name} do not fit", f"{x.shape[0]} rows", x.scale.shape)
    return length // groups if groups else 0


def accld(w: Context, d: Operand, a: Operand) -> None:
    """d[m, n] = a[m, n], converted exactly"""
    d.write(convert(a.read(), a.dtype, d.dtype))


def accst(
    w: Context,
    d: Operand,
    e: Operand | None,
    a: Operand,
    b: Operand | None,
    c: Operand | None,
) -> None:
    """d[m, n] = chain(a, b, c); e[m] = its second result over n"""
    inputs = [(x.read(), x.dtype) for x in (a, b, c) if x is not None]
    results = chains.run(w.chain, inputs)
    unchanged = a.dtype == d.dtype == "int32" and [s.op for s in w.chain.steps] == ["mov"]
    if unchanged and w.chain.steps[0].inputs == ("a",):
        d.write(inputs[0][0])
    else:
        d.write(chains.leave(w.chain, results, d.dtype))
    if e is not None:
        e.write(reductions.row_stat(w.chain.stat, results))


MEANINGS: tuple[Meaning, ...] = (mm, mmsp, accld, accst)
