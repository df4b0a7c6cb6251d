"""The tensor unit and the drain queue."""

from __future__ import annotations

import struct
from math import copysign, inf

from sim import plain_chains as chains
from sim import plain_float as pf
from sim.plain_memory import Window
from sim.plain_numbers import (
    PlainTrap,
    convert,
    decode,
    infinite,
    integer,
    nearest,
    row,
    wrap,
    wrapped,
)
from sim.plain_words import Execution

#: A stored value of the right matrix: its k, and its number among those of its row.
Kept = tuple[int, int]


def mm(x: Execution) -> None:
    """MM and MMSP."""
    depth = x.views["a"].columns
    kept = [[(k, k) for k in range(depth)]] * x.views["b"].rows
    if x.word.name == "MMSP":
        kept = _positions(x)
    mode = x.word["mode"]
    over = mode == "over" or (mode == "first" and x.fresh)
    old = None if over else x.read("d")
    a, b = x.matrix("a"), x.matrix("b")
    scales = _Scales(x, depth)
    result = []
    for m, left in enumerate(a):
        for n, right in enumerate(b):
            acc = 0 if old is None else old[m * len(b) + n]
            if row(x.dtype("a")).is_float:
                acc = _float_dot(x, acc, left, right, kept[n], scales, m, n)
            else:
                acc = _integer_dot(x, acc, left, right, kept[n])
            result.append(acc)
    x.write("d", result)


def _positions(x: Execution) -> list[list[Kept]]:
    """For every row of the right matrix, the k of its stored values."""
    meta = x.views["b"].meta
    assert meta is not None
    codes = x.aux(meta)
    result = []
    for n in range(meta.rows):
        kept: list[Kept] = []
        for q in range(meta.columns):
            nibble = codes[n * meta.columns + q]
            first, second = nibble & 3, nibble >> 2
            if not first < second:
                raise PlainTrap("metadata", str(nibble))
            kept += [(4 * q + first, 2 * q), (4 * q + second, 2 * q + 1)]
        result.append(kept)
    return result


def _integer_dot(
    x: Execution, acc: int, left: list[int], right: list[int], kept: list[Kept]
) -> int:
    total = integer(acc, "int32")
    for k, i in kept:
        total += integer(left[k], x.dtype("a")) * integer(right[i], x.dtype("b"))
    return wrap(wrapped(total, "int32"), "int32")


class _Scales:
    """The scales of both operands, by row and group of K."""

    def __init__(self, x: Execution, depth: int) -> None:
        self._tables: list[tuple[Window, list[int]] | None] = []
        self.group = 0
        for name in "ab":
            window = x.views[name].scale
            self._tables.append(None if window is None else (window, x.aux(window)))
            if window is not None and window.columns:
                self.group = depth // window.columns

    @property
    def some(self) -> bool:
        return any(table is not None for table in self._tables)

    def product(self, m: int, n: int, group: int) -> float:
        """The exact product of the scales of two rows."""
        value = 1.0
        for table, r in zip(self._tables, (m, n), strict=True):
            if table is not None:
                window, codes = table
                value *= double(codes[r * window.columns + group], window.d.dtype)
        return value


def _float_dot(
    x: Execution,
    acc: int,
    left: list[int],
    right: list[int],
    kept: list[Kept],
    scales: _Scales,
    m: int,
    n: int,
) -> int:
    types = x.dtype("a"), x.dtype("b")
    if not scales.some:
        return _fma_chain(acc, left, right, kept, types)
    groups: dict[int, list[Kept]] = {q: [] for q in range(len(left) // max(1, scales.group))}
    for k, i in kept:
        groups[k // scales.group].append((k, i))
    for group, members in groups.items():
        part = _fma_chain(0, left, right, members, types)
        total = double(acc, "fp32") + double(part, "fp32") * scales.product(m, n, group)
        acc = single(total)
    return acc


def _fma_chain(
    acc: int, left: list[int], right: list[int], kept: list[Kept], types: tuple[str, str]
) -> int:
    for k, i in kept:
        weight = right[i]
        kind = types[1]
        if not row(kind).is_float:
            weight, kind = convert(weight, kind, "fp32"), "fp32"
        acc = pf.multiply_add(decode(left[k], types[0]), decode(weight, kind), acc)
    return acc


def double(code: int, dtype: str) -> float:
    """The host's fp64 with the value of a code."""
    value = decode(code, dtype)
    if value.kind != "finite":
        return copysign(inf, -value.sign or 1) if value.kind == "inf" else float("nan")
    bits = nearest("fp64", value.sign, value.size, 149)
    (result,) = struct.unpack("<d", bits.to_bytes(8, "little"))
    return float(result)


def single(value: float) -> int:
    """The fp32 bits nearest to an fp64."""
    if value != value:
        return pf.NAN
    sign = int(copysign(1.0, value) < 0)
    if value in (inf, -inf):
        return infinite("fp32", sign)
    top, bottom = abs(value).as_integer_ratio()
    return nearest("fp32", sign, top, bottom.bit_length() - 1)


def accld(x: Execution) -> None:
    """ACCLD."""
    x.write("d", [convert(code, x.dtype("a"), x.dtype("d")) for code in x.read("a")])


def accst(x: Execution) -> None:
    """ACCST."""
    chain, source, to = x.chain, x.dtype("a"), x.dtype("d")
    operands = {name: (x.matrix(name), x.dtype(name)) for name in "abc" if name in x.views}
    plain = [step.op for step in chain.steps] == ["mov"] and chain.steps[0].inputs == ("a",)
    unchanged = plain and source == to == "int32"
    values, stats = [], []
    for m in range(x.views["a"].rows):
        line = []
        for n in range(x.views["a"].columns):
            inputs = [(rows[m][n], dtype) for rows, dtype in operands.values()]
            result = chains.run(chain, inputs)
            line.append(result)
            raw = operands["a"][0][m][n]
            values.append(raw if unchanged else chains.leave(chain, result, to))
        if chain.stat != "none":
            stats.append(chains.float_row(chain.stat, line))
    x.write("d", values)
    if "e" in x.views:
        x.write("e", stats)
