"""Inputs of ``decode70b.py`` and what it computes, by numpy: for sizes small enough for that."""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.programs.base import Array, Arrays, bf16, from_bf16, normal
from benchmarks.programs.decode70b import EPS, SHARES, streams
from benchmarks.programs.decode70b_words import TILE, Sizes, products
from maiacc_isa.formats import decode

#: Codes of e4m3 that are no numbers.
NANS = (0x7F, 0xFF)


@cache
def _numbers() -> Array:
    """The numbers of all codes of e4m3."""
    return np.array([np.nan if code in NANS else decode("e4m3", code) for code in range(256)])


def to_fp8(x: Array) -> Array:
    """The codes of the nearest numbers of e4m3, the even one of two, the largest for more."""
    known = _numbers()[:0x7F]
    size = np.minimum(np.abs(x), known[-1])
    above = np.searchsorted(known, size)
    below = np.maximum(above - 1, 0)
    left, right = size - known[below], known[above] - size
    up = (right < left) | ((right == left) & (above % 2 == 0))
    codes: Array = np.where(up, above, below) | np.where(np.signbit(x), 0x80, 0)
    return codes.astype(np.uint8)


def fp8(x: Array) -> Array:
    """Numbers rounded to e4m3."""
    rounded: Array = _numbers()[to_fp8(x)]
    return rounded


def inputs(sizes: Sizes, seed: int = 0) -> Arrays:
    """A row, caches, and the streams of weights, normally distributed."""
    s, rng = sizes, np.random.default_rng(seed)
    cache_ = (s.layers * s.kv_heads, s.context, TILE)
    given = {name: to_fp8(normal(rng, *cache_)) for name in "KV"}
    weights = to_fp8(normal(rng, sum(streams(s)), TILE, TILE))
    return {"X": normal(rng, s.hidden), "W": weights, **given}


def matrices(s: Sizes, stream: Array) -> dict[str, Array]:
    """[time, matrix, result, K]: the matrix of each product, out of the streams of all workers."""
    found = {
        p.name: np.empty((p.times, p.matrices, p.columns * TILE, p.depth * TILE))
        for p in products(s)
    }
    tiles, at = _numbers()[stream], 0
    for worker in range(s.workers):
        for time in range(s.layers + 1):
            for p in products(s):
                if (p.name == "out") != (time == s.layers):
                    continue
                first, behind = (p.first(w, s.workers) for w in (worker, worker + 1))
                for column in range(first, behind):
                    for matrix in range(p.matrices):
                        part = tiles[at : at + p.depth].transpose(1, 0, 2).reshape(TILE, -1)
                        rows = slice(column * TILE, (column + 1) * TILE)
                        found[p.name][time % p.times, matrix, rows] = part
                        at += p.depth
    return found


def normalised(x: Array) -> Array:
    """A row in fp8 whose numbers have squares of mean 1."""
    return fp8(x / np.sqrt((x * x).mean() + EPS))


def times(weights: Array, row: Array) -> Array:
    """A product, scaled as the program does."""
    result: Array = weights @ row / np.sqrt(len(row))
    return result


def attended(s: Sizes, heads: Array, keys: Array, values: Array) -> Array:
    """What the heads see, in bf16. ``keys`` and ``values`` are [head, position, number]."""
    found = []
    for kv in range(s.kv_heads):
        scores = heads[kv * s.group : (kv + 1) * s.group] @ keys[kv].T / np.sqrt(TILE)
        power = np.exp(scores - scores.max(1, keepdims=True))
        shares = fp8(power / power.sum(1, keepdims=True) * SHARES)
        found.append(shares @ values[kv] / SHARES)
    return from_bf16(bf16(np.concatenate(found).reshape(-1)))


def reference(sizes: Sizes, given: Arrays) -> Arrays:
    """The logits and the caches."""
    s, x = sizes, given["X"].astype(np.float64)
    w = matrices(s, given["W"])
    shape = (s.layers, s.kv_heads, s.context, TILE)
    keys, values = (given[name].copy().reshape(shape) for name in "KV")
    for layer in range(s.layers):
        rows = to_fp8(times(w["qkv"][layer, 0], normalised(x))).reshape(-1, TILE)
        keys[layer, :, -1] = rows[s.heads : s.heads + s.kv_heads]
        values[layer, :, -1] = rows[s.heads + s.kv_heads :]
        known = _numbers()
        seen = attended(s, known[rows[: s.heads]], known[keys[layer]], known[values[layer]])
        x = x + times(w["o"][layer, 0], fp8(seen))
        gate, up = (times(part, normalised(x)) for part in w["gate"][layer])
        gated = from_bf16(bf16(gate / (1 + np.exp(-gate)) * up))
        x = x + times(w["down"][layer, 0], fp8(gated))
    flat = (s.layers * s.kv_heads, s.context, TILE)
    logits = times(w["out"][0, 0], normalised(x))
    return {"Y": logits, "K next": keys.reshape(flat), "V next": values.reshape(flat)}
