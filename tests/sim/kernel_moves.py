"""Kernels that move data, order them, or compute exactly with integers."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from sim.kernel_example import Answer, Array, Example, Sizes, Wanted, host, rounded, whole


def _codes(rng: np.random.Generator, shape: tuple[int, ...], nan: bool) -> Array:
    """bf16 numbers of all kinds, as codes; with NaNs of any pattern or without."""
    codes = rng.integers(0, 1 << 16, shape).astype(np.uint16)
    return codes if nan else np.where(codes & 0x7FFF > 0x7F80, codes & 0xFF80, codes)


def transpose(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """Y[a, d, b, e, c] = X[a, b, c, d, e], whatever the bits mean."""
    x = _codes(rng, tuple(size[axis] for axis in "abcde"), nan=True)

    def result(*order: int) -> Answer:
        shape = tuple(x.shape[i] for i in (0, 3, 1, 4, 2))
        return {"Y": Wanted(np.ascontiguousarray(x.transpose(order)).reshape(shape))}

    mistakes = {"c and e not turned": lambda: result(0, 3, 1, 2, 4)}
    return Example({"X": x}, result(0, 3, 1, 4, 2), mistakes)


def allgather_ring(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """Every chip has the rows of all chips, whatever the bits mean."""
    x = _codes(rng, (size["chips"], size["n"]), nan=True)
    mistakes = {"rows of other chips": lambda: {"Y": Wanted(np.roll(x, 1, 0))}}
    return Example({"X": x}, {"Y": Wanted(x.copy())}, mistakes)


def allreduce(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """Every chip has the sum over chips of integers, rounded once."""
    chips, n = size["chips"], size["n"]
    x = whole(rng, (chips, n), 256)

    def result(parts: Array) -> Array:
        shards: Array = parts.sum(0).reshape(chips, n // chips)
        return shards

    def stepwise() -> Answer:
        total = np.zeros(n, ml_dtypes.bfloat16)
        for row in x.astype(ml_dtypes.bfloat16):
            total = total + row
        return {"Y": rounded(result(total.astype(np.float64)[None]))}

    mistakes = {
        "the last chip left out": lambda: {"Y": rounded(result(x[:-1]))},
        "shards of other chips": lambda: {"Y": rounded(np.roll(result(x), 1, 0))},
    }
    if chips > 2:
        mistakes["rounded after every chip"] = stepwise
    return Example({"X": host(x, "bf16")}, {"Y": rounded(result(x))}, mistakes)


def index_ops(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """Indices of a transposed table, a masked matrix, a Where of rank 6."""
    n, w, h, q, k = (size[name] for name in ("n", "w", "h", "q", "k"))
    a, b, c, d, e, f = (size[name] for name in "abcdef")
    i = rng.integers(-w * h, w * h, n)
    s, x = _codes(rng, (q, k), nan=False), _codes(rng, (1, b, 1, d, 1, f), nan=False)
    y = _codes(rng, (a, b, c, d, e, f), nan=False)
    m, chosen = rng.random((q, k)) < 0.6, rng.random((a, 1, c, 1, e, 1)) < 0.5

    def result(reach: int = 0, wrap: bool = True, other: bool = False) -> Answer:
        j = np.where((i < 0) & wrap, i + w * h, i)
        seen = m & (np.arange(q)[:, None] + reach >= np.arange(k))
        picked = np.where(chosen != other, x, y)
        kept = np.where(seen, s, np.uint16(0xFF80))
        return {"K": Wanted(j % w * h + j // w), "P": Wanted(kept), "Z": Wanted(picked)}

    mistakes = {
        "a column behind the diagonal": lambda: result(reach=1),
        "the diagonal left out": lambda: result(reach=-1),
        "not counted from the end": lambda: result(wrap=False),
        "the other operand": lambda: result(other=True),
    }
    inputs = {"I": i, "S": s, "M": m, "C": chosen, "X": x, "Y": y}
    return Example(inputs, result(), mistakes)


def cumsum(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """Running sums of any int64, which wrap."""
    bounds = np.iinfo(np.int64)
    x = rng.integers(bounds.min, bounds.max, size["n"], endpoint=True)

    def result(before: int = 0) -> Answer:
        sums = np.cumsum(x.view(np.uint64), dtype=np.uint64).view(np.int64)
        return {"Y": Wanted(sums - before * x)}

    return Example({"X": x}, result(), {"the element itself left out": lambda: result(1)})


def scatter_add(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """Rows of fp32 added at places that repeat, in rising order: the order decides the bits."""
    v, c, n = size["v"], size["c"], size["n"]
    x, u = (rng.standard_normal((rows, c)).astype(np.float32) for rows in (v, n))
    # a few places only, and some outside
    index = rng.integers(-1, min(v, n // 3) + 1, n).astype(np.int32)
    index[rng.random(n) < 0.1] = v

    def result(order: int = 1, clamp: bool = False) -> Answer:
        y = x.copy()
        for row, to in list(zip(u, index.tolist(), strict=True))[::order]:
            if 0 <= to < v or clamp:
                y[min(max(to, 0), v - 1)] += row
        return {"Y": Wanted(y)}

    mistakes = {
        "from the last to the first": lambda: result(-1),
        "indices outside moved inside": lambda: result(clamp=True),
    }
    return Example({"X": x, "U": u, "index": index}, result(), mistakes)


def topk(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """The k largest and their positions; among equals the lower position first."""
    n, k = size["n"], size["k"]
    special = np.array([np.nan, -np.nan, np.inf, -np.inf, 0, -0.0, 1e-45, -1e-45, 1], np.float32)
    kinds: list[Array] = [
        rng.standard_normal(n),
        rng.integers(0, 9, n),
        np.where(np.arange(n) == n // 2, 1, -np.inf),
        rng.choice(special, n),
    ]
    x = kinds[kind].astype(np.float32)

    def result(order: int = 1, last: int = 0) -> Answer:
        # sorted by: not a NaN, falling value, rising position
        at = np.lexsort((order * np.arange(n), np.where(np.isnan(x), 0, -x), ~np.isnan(x)))
        best = np.concatenate([at[: k - last], at[k : k + last]])
        return {"V": Wanted(x[best]), "I": Wanted(best)}

    mistakes = {"the last one missed": lambda: result(last=1)} if k < n else {}
    if kind:
        mistakes["the higher position first"] = lambda: result(-1)
    return Example({"X": x}, result(), mistakes)


def nonzero(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """Places of what is not zero, row-major, with zeros behind; and how many there are."""
    r, c = size["r"], size["c"]
    odd = np.array([1, -2.5, np.nan, np.inf, -1e-45], np.float32)
    zeros = np.array([0, -0.0], np.float32)
    hit = rng.random((r, c)) < (0.3, 0.02, 1.0, 0.0)[kind]
    x = np.where(hit, rng.choice(odd, (r, c)), rng.choice(zeros, (r, c)))

    def result(hits: Array) -> Answer:
        found = np.zeros((2, r * c), np.int64)
        many = int(hits.sum())
        found[:, :many] = np.nonzero(hits)
        return {"I": Wanted(found), "count": Wanted(np.array([many]))}

    mistakes = {
        "-0 counted": lambda: result(x.view(np.uint32) != 0),
        "NaN not counted": lambda: result(hit & ~np.isnan(x)),
    }
    return Example({"X": x}, result(hit), mistakes if kind == 0 else {})
