"""The vector unit."""

from __future__ import annotations

import zlib

from sim import plain_chains as chains
from sim import plain_float as pf
from sim.plain_numbers import (
    UNIT,
    PlainTrap,
    convert,
    decode,
    largest,
    nearest,
    row,
)
from sim.plain_words import Execution


def vmap(x: Execution) -> None:
    """VMAP and VMAPR."""
    chain = x.chain
    operands = [(x.read(name), x.dtype(name)) for name in "abc" if name in x.views]
    inputs = [[(code, dtype) for code in codes] for codes, dtype in operands]
    if not inputs:
        x.write("d", [])
        return
    results = [chains.run(chain, list(element)) for element in zip(*inputs, strict=True)]
    x.write("d", [chains.leave(chain, code, x.dtype("d")) for code in results])
    if "e" in x.views:
        d = x.views["d"]
        rows = [results[r * d.columns : (r + 1) * d.columns] for r in range(d.rows)]
        x.write("e", [chains.float_row(chain.stat, line) for line in rows])


def vred(x: Execution) -> None:
    """VRED."""
    carried = x.read("b") if x.word["carry"] else None
    x.write(
        "d",
        [
            chains.reduce_row(
                x.word["op"], line, x.dtype("a"), x.dtype("d"), carried[r] if carried else None
            )
            for r, line in enumerate(x.rows("a"))
        ],
    )


def vscan(x: Execution) -> None:
    """VSCAN."""
    carried = x.read("b") if x.word["carry"] else None
    result = []
    for r, line in enumerate(x.rows("a")):
        first = carried[r] if carried else None
        result += chains.scan_row(x.word["op"], line, x.dtype("a"), x.dtype("d"), first)
    x.write("d", result)


def vquant(x: Execution) -> None:
    """VQUANT."""
    to, scale = x.dtype("d"), x.views["d"].scale
    assert scale is not None
    values, exponents = [], []
    for line in x.rows("a"):
        for start in range(0, len(line), 32):
            group = [convert(code, x.dtype("a"), "fp32") for code in line[start : start + 32]]
            code, quotients = _quantised(group, to, x.word["rule"])
            exponents.append(code)
            values += quotients
    x.write("d", values)
    x.memories.store(scale, x.place(scale), exponents)


def _quantised(group: list[int], to: str, rule: str) -> tuple[int, list[int]]:
    numbers = [decode(code, "fp32") for code in group]
    if any(n.kind != "finite" for n in numbers):
        return 0xFF, [0] * len(group)
    top = max(n.size for n in numbers)
    best = decode(largest(row(to)), to).size
    if rule == "floor":
        # floor(log2) of both, counted in units.
        power = top.bit_length() - best.bit_length() if top else -127
        power = max(-127, min(127, power))
    else:
        fits = (p for p in range(-127, 128) if _at_most(top, best, p))
        power = next(fits, 127)
    codes = [nearest(to, n.sign, n.size, UNIT + power, saturate=True) for n in numbers]
    return power + 127, codes


def _at_most(top: int, best: int, power: int) -> bool:
    """Whether top <= best * 2**power."""
    return top << max(0, -power) <= best << max(0, power)


def vdeq(x: Execution) -> None:
    """VDEQ."""
    source, scale = x.dtype("a"), x.views["a"].scale
    assert scale is not None
    scales = x.aux(scale)
    columns = x.views["a"].columns
    group = columns // scale.columns if scale.columns else 1
    result = []
    for r, line in enumerate(x.rows("a")):
        for c, code in enumerate(line):
            if not row(source).is_float:
                code = convert(code, source, "fp32")
            factor = scales[r * scale.columns + c // group]
            product = _scaled(code, source, factor, scale.d.dtype)
            result.append(convert(product, "fp32", x.dtype("d")))
    x.write("d", result)


def _scaled(code: int, source: str, factor: int, kind: str) -> int:
    """The fp32 product of a value and its scale, rounded once."""
    value = decode(code, source if row(source).is_float else "fp32")
    scale = decode(factor, kind)
    sign = value.sign ^ scale.sign
    if "nan" in (value.kind, scale.kind):
        return pf.NAN
    if "inf" in (value.kind, scale.kind):
        zero = any(v.kind == "finite" and v.size == 0 for v in (value, scale))
        return pf.NAN if zero else pf.INF | sign << 31
    return nearest("fp32", sign, value.size * scale.size, 2 * UNIT)


def vcvt(x: Execution) -> None:
    """VCVT."""
    source, to = x.dtype("a"), x.dtype("d")
    rule, saturate = x.word["round"], x.word["saturate"]
    x.write("d", [convert(code, source, to, saturate, rule) for code in x.read("a")])


def vsel(x: Execution) -> None:
    """VSEL."""
    region, to = x.views["c"], x.dtype("d")
    others = x.read("b") if x.word["other"] else None
    fill = x.views["c"].d.fill
    # The region's view is of type bool; its fill value is one of d's type.
    outside = (fill - (fill >> 31 << 32)) & ((1 << row(to).bits) - 1)
    result = []
    for i, (where, code) in enumerate(zip(region.coordinates(), x.read("a"), strict=True)):
        if region.inside(where):
            result.append(convert(code, x.dtype("a"), to))
        else:
            result.append(outside if others is None else others[i])
    x.write("d", result)


def viota(x: Execution) -> None:
    """VIOTA."""
    x.write("d", x.read("a"))


def vtopk(x: Execution) -> None:
    """VTOPK."""
    values: list[int] = []
    positions: list[int] = []
    for line in x.rows("a"):
        best = chains.order(line, x.dtype("a"), not x.word["least"])[: x.word["k"]]
        values += [line[p] for p in best]
        positions += best
    x.write("d", values)
    x.write("e", positions)


def vsort(x: Execution) -> None:
    """VSORT."""
    payload = x.matrix("b") if x.word["payload"] else None
    keys: list[int] = []
    riders: list[int] = []
    for r, line in enumerate(x.rows("a")):
        places = chains.order(line, x.dtype("a"), x.word["descending"])
        keys += [line[p] for p in places]
        riders += places if payload is None else [payload[r][p] for p in places]
    x.write("d", keys)
    x.write("e", riders)


def check(x: Execution) -> None:
    """ASSERT."""
    bits = row(x.dtype("a")).bits
    data = b"".join(code.to_bytes(bits // 8, "little") for code in x.read("a"))
    if zlib.crc32(data) != x.word["crc"]:
        raise PlainTrap("assertion")
