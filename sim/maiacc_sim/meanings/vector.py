"""Words of the vector unit."""

from __future__ import annotations

import zlib

import numpy as np

from maiacc_isa.load import load
from maiacc_sim.arith import chains, ordering, quantise, reductions
from maiacc_sim.arith.convert import container, convert
from maiacc_sim.meanings.dma import gather, scatter
from maiacc_sim.meanings.registry import Context, Meaning, require
from maiacc_sim.meanings.tensor import scaled_groups
from maiacc_sim.operand import Operand, constant
from maiacc_sim.pages import Array
from maiacc_sim.traps import Trap


def _run(w: Context, d: Operand, *operands: Operand | None) -> Array:
    """The results of the chain, in its type and the shape of d."""
    inputs = [(x.read().reshape(d.shape), x.dtype) for x in operands if x is not None]
    return chains.run(w.chain, inputs)


def _carried(b: Operand | None) -> Array | None:
    return None if b is None else b.read().reshape(-1)


def vmap(w: Context, d: Operand, a: Operand, b: Operand | None, c: Operand | None) -> None:
    """d[i] = chain(a[i], b[i], c[i])"""
    d.write(chains.leave(w.chain, _run(w, d, a, b, c), d.dtype))


def vmapr(
    w: Context, d: Operand, e: Operand, a: Operand, b: Operand | None, c: Operand | None
) -> None:
    """d[r, c] = chain(...); e[r] = its second result over c"""
    results = _run(w, d, a, b, c)
    d.write(chains.leave(w.chain, results, d.dtype))
    e.write(reductions.row_stat(w.chain.stat, results))


def vred(w: Context, d: Operand, a: Operand, b: Operand | None) -> None:
    """d[r] = b[r] op (op over c of a[r, c])"""
    d.write(reductions.reduce_rows(w["op"], a.read(), a.dtype, d.dtype, _carried(b)))


def vscan(w: Context, d: Operand, a: Operand, b: Operand | None) -> None:
    """d[r, c] = b[r] op a[r, 0] op ... op a[r, c]"""
    d.write(reductions.scan_rows(w["op"], a.read(), a.dtype, d.dtype, _carried(b)))


def vquant(w: Context, d: Operand, a: Operand) -> None:
    """d[r, c] = a[r, c] / scale of its group of 32; the scales are written too"""
    group, length = scaled_groups(d, d.shape[1]), load().limit("mx_group")
    require(group in (0, length), f"MX scales are for groups of {length}", found=group)
    assert d.scale is not None
    values, scales = quantise.vquant(a.read(), a.dtype, d.dtype, w["rule"])
    d.write(values)
    d.scale.write(scales)


def vdeq(w: Context, d: Operand, a: Operand) -> None:
    """d[r, c] = a[r, c] * scale of its group"""
    scaled_groups(a, a.shape[1])
    assert a.scale is not None
    d.write(quantise.vdeq(a.read(), a.dtype, a.scale.read(), a.scale.dtype, d.dtype))


def vcvt(w: Context, d: Operand, a: Operand) -> None:
    """d[i] = convert(a[i])"""
    d.write(convert(a.read(), a.dtype, d.dtype, w["saturate"], w["round"]))


def vsel(w: Context, d: Operand, a: Operand, b: Operand | None, c: Operand) -> None:
    """d[i] = a[i] if c[i] lies in its box, else b[i] or the fill value of c"""
    inside = c.inside().reshape(-1)
    chosen = convert(a.read(), a.dtype, d.dtype).reshape(-1)
    if b is not None:
        other = b.read().reshape(-1)
    else:
        fill = constant(c.located.descriptor.fill, d.dtype)
        other = np.full(len(inside), fill, container(d.dtype))
    d.write(np.where(inside, chosen, other))


def viota(w: Context, d: Operand, a: Operand) -> None:
    """d[i] = the coordinate of a[i] on axis 0, or whether it lies in the box"""
    d.write(a.read())


def vtopk(w: Context, d: Operand, e: Operand, a: Operand) -> None:
    """d[r, j] = the j-th best of a[r, :], e[r, j] its position"""
    k, columns = w["k"], a.shape[1]
    require(k <= columns or not a.shape[0], "k exceeds the length of a row", f"<= {columns}", k)
    codes = a.read()
    positions = ordering.topk_rows(codes, a.dtype, k, w["least"])
    d.write(np.take_along_axis(codes, positions, axis=1))
    e.write(positions.astype(container(e.dtype)))


def vsort(w: Context, d: Operand, e: Operand, a: Operand, b: Operand | None) -> None:
    """d[r, :] = a[r, :] in order; e[r, :] = b[r, :] in that order, or the positions"""
    codes = a.read()
    positions = ordering.sort_rows(codes, a.dtype, w["descending"])
    payload = positions if b is None else np.take_along_axis(b.read(), positions, axis=1)
    d.write(np.take_along_axis(codes, positions, axis=1))
    e.write(payload.astype(container(e.dtype)))


def vgather(w: Context, d: Operand, a: Operand, b: Operand) -> None:
    """As GATHER with rows of one element"""
    gather(w, d, a, b)


def vscatter(w: Context, d: Operand, a: Operand, b: Operand) -> None:
    """As SCATTER with rows of one element"""
    scatter(w, d, a, b)


def assert_(w: Context, a: Operand) -> None:
    """crc32(bytes of a) == crc"""
    found = zlib.crc32(a.read().tobytes())
    if found != w["crc"]:
        message = "an ASSERT found other contents"
        raise Trap("assertion", message, expected=f"0x{w['crc']:08x}", found=f"0x{found:08x}")


MEANINGS: tuple[Meaning, ...] = (
    vmap,
    vred,
    vmapr,
    vquant,
    vdeq,
    vcvt,
    vsel,
    viota,
    vtopk,
    vscan,
    vsort,
    vgather,
    vscatter,
    assert_,
)
