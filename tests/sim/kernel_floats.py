"""Layer normalisation and attention: real numbers, compared within derived bounds."""

from __future__ import annotations

import numpy as np

from sim.kernel_bounds import (
    FUNCTION,
    U,
    as_bf16,
    product_error,
    scaled_scores,
    weighted,
)
from sim.kernel_example import Answer, Array, Example, Sizes, Wanted, host, reals


def layernorm(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """Y = (X - mean) / sqrt(variance + eps) G + B for every row.

    The mean is a sum of n numbers times a rounded constant: off by (n + 2) u of the mean magnitude.
    A difference is off by that and a rounding; the variance by what this does to the squares, and
    (n + 5) u for rounding squares, sum, constants and addition. Its inverse root is off by what
    it would be of a number smaller by that, and by the function's own error. Then two products and
    an addition.
    """
    rows, n, small = size["rows"], size["columns"], 1e-5
    x = reals(rng, (rows, n), middle=3)
    # variances of 0 and of about eps
    x[0], x[1] = 1.5, np.where(rng.random(n) < 0.5, 1, 1 + 2.0**-7)
    g, b = reals(rng, (n,)), reals(rng, (n,))

    def result(free: int = 0, eps: float = small, shift: int = 0) -> Answer:
        mean = x.mean(1, keepdims=True)
        d = x - mean
        spread = (d * d).sum(1, keepdims=True) / (n - free) + eps
        m_off = (n + 2) * U * np.abs(x).mean(1, keepdims=True)
        d_off = m_off + U * (np.abs(d) + m_off)
        moved = (d_off * (2 * np.abs(d) + d_off)).mean(1, keepdims=True)
        s_off = moved + (n + 5) * U * (spread + moved)
        root = 1 / np.sqrt(spread)
        # computed squares are not negative
        least = np.maximum(spread - s_off, 0.999 * eps)
        r_off = (1 + FUNCTION) / np.sqrt(least) - root
        unit, u_off = d * root, product_error(d, d_off, root, r_off)
        scale = np.roll(g, shift)
        y, y_off = unit * scale + b, product_error(unit, u_off, scale, np.zeros(n))
        return {"Y": as_bf16(y, y_off + U * (np.abs(y) + y_off))}

    mistakes = {
        "divided by n - 1": lambda: result(free=1),
        "without eps": lambda: result(eps=1e-20),
        "the scale of the column before": lambda: result(shift=1),
    }
    inputs = {"X": host(x, "bf16"), "G": host(g, "bf16"), "B": host(b, "bf16")}
    return Example(inputs, result(), mistakes)


def attention(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """O = softmax(Q K^T / sqrt(dim), only keys up to the query) V."""
    heads, seq, dim = size["heads"], size["seq"], size["dim"]
    q, k, v = (reals(rng, (heads, seq, dim), spread) for spread in (2, 2, 1))
    scores, error = scaled_scores(q, k)

    def result(behind: int = 0, factor: float = 1.0, order: int = 1) -> Answer:
        # the first query has its own key whatever is left out
        seen = np.tri(seq, k=behind) + np.eye(seq) * (np.arange(seq) == 0) > 0
        return {"O": weighted(np.where(seen, scores * factor, -np.inf), error, v[::order])}

    mistakes = {
        "one key behind the query": lambda: result(behind=1),
        "the query's own key left out": lambda: result(behind=-1),
        "scores not scaled": lambda: result(factor=np.sqrt(dim)),
        "values of other heads": lambda: result(order=-1),
    }
    inputs = {name: host(x, "bf16") for name, x in zip("QKV", (q, k, v), strict=True)}
    return Example(inputs, result(), mistakes)


def kv_decode(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """O = softmax(q [K; new key]^T / sqrt(dim)) [V; new value], and the caches with both."""
    pairs, group, dim, rows = (size[name] for name in ("pairs", "group", "dim", "capacity"))
    past = (2 * rows // 3, 1, 31, 32, 33, rows - 1)[kind]
    q = reals(rng, (pairs, group, dim), 2)
    k, v = reals(rng, (pairs, past + 1, dim), 2), reals(rng, (pairs, past + 1, dim))
    inputs = {"Q": host(q, "bf16"), "NK": host(k[:, past], "bf16"), "NV": host(v[:, past], "bf16")}

    def cache(known: Array, used: int) -> Array:
        """Rows of a cache in use; the others are NaN, which nobody may read."""
        codes = np.full((pairs, rows, dim), 0x7FC1, np.uint16)
        codes[:, :used] = host(known[:, :used], "bf16").view(np.uint16)
        return codes

    def result(first: int = 0, last: int = past + 1, at: int = past) -> Answer:
        scores, error = scaled_scores(q, k[:, first:last])
        k_next, v_next = cache(k, past), cache(v, past)
        k_next[:, at], v_next[:, at] = (x.view(np.uint16) for x in (inputs["NK"], inputs["NV"]))
        return {
            "O": weighted(scores, error, v[:, first:last]),
            "K next": Wanted(k_next),
            "V next": Wanted(v_next),
        }

    mistakes = {
        "the new row left out": lambda: result(last=past),
        "the first row left out": lambda: result(first=1),
        "the new row one too low": lambda: result(at=past - 1),
    }
    inputs |= {"K": cache(k, past), "V": cache(v, past)}
    return Example(inputs, result(), mistakes, {"past": past})
