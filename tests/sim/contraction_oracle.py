"""Products of matrices as loops over exact scalars."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from maiacc_isa import formats
from maiacc_isa.load import load
from maiacc_sim.arith.contraction import Scales
from maiacc_sim.arith.convert import from_float32
from sim.arith_oracle import Codes, bits32, draw, fma_code, round32, value

PAIRS = sorted({(a, b) for pair in load().pairs for a in pair.left for b in pair.right})
FLOAT_PAIRS = [(a, b) for a, b in PAIRS if load().dtypes[b].is_float]
WEIGHT_PAIRS = [
    (a, b) for a, b in PAIRS if load().dtypes[a].is_float and not load().dtypes[b].is_float
]
INTEGER_PAIRS = [(a, b) for a, b in PAIRS if not load().dtypes[a].is_float]


def moderate(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Codes:
    """Codes whose products neither always overflow nor always vanish."""
    if not load().dtypes[dtype].is_float:
        return draw(rng, dtype, shape)
    values = rng.standard_normal(shape) * 2.0 ** rng.integers(-6, 6, shape)
    return from_float32(values.astype(np.float32), dtype, saturate=True)


def wide(code: int, dtype: str) -> int:
    """The fp32 code of an element."""
    return bits32(float(value(code, dtype)))


def fp64(x: Fraction) -> Fraction:
    """A fraction rounded to fp64."""
    return Fraction(x.numerator / x.denominator)


def add_scaled(acc: int, part: int, scale: float) -> int:
    """fp32(fp64(acc) + fp64(part) * scale): three roundings."""
    x, s = (float(formats.decode("fp32", code)) for code in (acc, part))
    total = x + s * scale
    if not math.isfinite(total) or total == 0:
        return bits32(total)
    product = fp64(Fraction(s) * Fraction(scale))
    return bits32(round32(fp64(Fraction(x) + product)))


def expected(
    acc: Codes,
    a: Codes,
    ta: str,
    terms: list[list[tuple[int, int]]],
    scales: Codes | None,
    group: int,
) -> Codes:
    """The rule of the manual, element by element.

    ``terms[n]`` are the stored values of row n as (k, fp32 code), ``scales[m, n, q]`` the
    product of the scales of group q.
    """
    result = acc.copy()
    for m in range(acc.shape[0]):
        row = [wide(code, ta) for code in a[m].tolist()]
        for n in range(acc.shape[1]):
            total = int(acc[m, n])
            if scales is None:
                for k, code in terms[n]:
                    total = fma_code(row[k], code, total)
            else:
                for q in range(scales.shape[2]):
                    part = 0
                    for k, code in terms[n]:
                        if k // group == q:
                            part = fma_code(row[k], code, part)
                    total = add_scaled(total, part, float(scales[m, n, q]))
            result[m, n] = total
    return result


def dense(b: Codes, tb: str) -> list[list[tuple[int, int]]]:
    return [[(k, wide(code, tb)) for k, code in enumerate(row)] for row in b.tolist()]


def sparse(b: Codes, tb: str, meta: Codes) -> list[list[tuple[int, int]]]:
    rows = []
    for row, nibbles in zip(b.tolist(), meta.tolist(), strict=True):
        places = [4 * q + i for q, x in enumerate(nibbles) for i in (x & 3, x >> 2)]
        rows.append([(k, wide(code, tb)) for k, code in zip(places, row, strict=True)])
    return rows


def accumulators(rng: np.random.Generator, shape: tuple[int, int]) -> Codes:
    values = rng.standard_normal(shape) * 2.0 ** rng.integers(-20, 20, shape)
    return values.astype(np.float32).view(np.uint32)


def same(found: Codes, want: Codes) -> None:
    assert found.dtype == np.uint32
    assert [f"{x:08x}" for x in found.flat] == [f"{x:08x}" for x in want.flat]


def scale_products(
    scale_a: Scales | None, scale_b: Scales | None, rows: int, columns: int, groups: int
) -> Codes:
    """The product of the scales of each element's groups, in fp64."""
    product = np.ones((rows, columns, groups))
    for m in range(rows):
        for n in range(columns):
            for q in range(groups):
                for scale, row in ((scale_a, m), (scale_b, n)):
                    if scale is not None:
                        product[m, n, q] *= float(value(int(scale[0][row, q]), scale[1]))
    return product
