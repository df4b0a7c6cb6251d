"""A transformer of GPT-2's shape with random weights, in numpy.

A layer is x += attention(norm(x)), x += feed-forward(norm(x)); at the end come a norm and a product
with the vocabulary. Operands of matrix products are rounded to bf16 (activations, queries, keys,
values and unscaled probabilities, too); everything else is fp32.

The reference rounds where the programs do, and comes in two kinds. ``EXACT`` also adds in the
machine's order and takes the machine's functions, so that its logits are those of a program to the
bit. ``QUICK`` is independent of both; there a number close to the middle of two in bf16 may be
rounded the other way, and after some layers all numbers are off by what such a rounding is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import pi, sqrt

import numpy as np

from benchmarks.programs.base import Array, Arrays, bf16, from_bf16, normal
from benchmarks.programs.gpt2_plan import Sizes
from maiacc_isa.function_eval import evaluate

#: Added to the variance.
EPS = 1e-5

#: gelu(x) is x times the sigmoid of x * (GELU[0] + GELU[1] * x * x), which is the form with tanh.
GELU = (2 * sqrt(2 / pi), 2 * sqrt(2 / pi) * 0.044715)


def parameters(sizes: Sizes, seed: int = 0) -> Arrays:
    """Random weights: matrices as codes of bf16 with one row for each column of the product.

    ``qkv`` is layers x (query, key, value) x heads x numbers of a head x width; ``out`` is layers x
    width x heads x numbers of a head; ``norm`` has scale and shift of every normalisation.
    """
    s, rng = sizes, np.random.default_rng(seed)
    dim = s.width // s.heads
    quiet = 1 / sqrt(2 * s.layers)

    def matrix(*shape: int, depth: int, scale: float = 1.0) -> Array:
        return bf16(normal(rng, *shape, scale=scale / sqrt(depth)))

    norm = normal(rng, 2 * s.layers + 1, 2, s.width, scale=0.1)
    norm[:, 0] += 1
    return {
        "qkv": matrix(s.layers, 3, s.heads, dim, s.width, depth=s.width, scale=1.2),
        "qkv_bias": normal(rng, s.layers, 3, s.heads, dim, scale=0.1),
        "out": matrix(s.layers, s.width, s.heads, dim, depth=s.width, scale=quiet),
        "out_bias": normal(rng, s.layers, s.width, scale=0.1),
        "up": matrix(s.layers, s.ffn, s.width, depth=s.width),
        "up_bias": normal(rng, s.layers, s.ffn, scale=0.1),
        "down": matrix(s.layers, s.width, s.ffn, depth=s.ffn, scale=quiet),
        "down_bias": normal(rng, s.layers, s.width, scale=0.1),
        "norm": norm,
        "lm": matrix(s.vocab, s.width, depth=s.width),
    }


def embedded(sizes: Sizes, rows: int, seed: int) -> Array:
    """What stands for the sum of the embeddings of tokens and positions."""
    return normal(np.random.default_rng([seed, 1]), rows, sizes.width)


# ---- steps of the reference ----------------------------------------------------------------------
def rounded(x: Array) -> Array:
    """Numbers as bf16 has them."""
    return from_bf16(bf16(x))


def product(x: Array, w: Array) -> Array:
    """Rows of fp32, rounded to bf16, times a matrix of codes of bf16; rounded once."""
    exact: Array = rounded(x).astype(np.float64) @ from_bf16(w).astype(np.float64).T
    return exact.astype(np.float32)


def fused_product(x: Array, w: Array) -> Array:
    """The same as the tensor unit makes it: k rising, one rounding to fp32 for each."""
    a, b = rounded(x).astype(np.float64), from_bf16(w).astype(np.float64)
    sums = np.zeros((len(a), len(b)), np.float32)
    for k in range(a.shape[1]):
        sums = (sums + np.multiply.outer(a[:, k], b[:, k])).astype(np.float32)
    return sums


def exp(x: Array) -> Array:
    """e to the power x, rounded once."""
    return np.exp(x, dtype=np.float64).astype(np.float32)


def rsqrt(x: Array) -> Array:
    """1 / sqrt(x), rounded once."""
    return (1 / np.sqrt(x, dtype=np.float64)).astype(np.float32)


def gelu(x: Array) -> Array:
    """x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))), rounded once."""
    wide = x.astype(np.float64)
    result: Array = wide / 2 * (1 + np.tanh(sqrt(2 / pi) * (wide + 0.044715 * wide**3)))
    return result.astype(np.float32)


def gated_gelu(x: Array) -> Array:
    """The same by the steps of the programs."""
    factor = x * x * np.float32(GELU[1]) + np.float32(GELU[0])
    result: Array = evaluate("sigmoid", x * factor) * x
    return result


@dataclass(frozen=True)
class Numerics:
    """How a reference computes what has more than one way."""

    product: Callable[[Array, Array], Array]
    exp: Callable[[Array], Array]
    rsqrt: Callable[[Array], Array]
    gelu: Callable[[Array], Array]


QUICK = Numerics(product, exp, rsqrt, gelu)
EXACT = Numerics(fused_product, partial(evaluate, "exp"), partial(evaluate, "rsqrt"), gated_gelu)


def row_sums(x: Array) -> Array:
    """The sum of each row in the machine's order: 32 partial sums, and a tree."""
    *many, n = x.shape
    room = np.zeros((*many, -n % 32), np.float32)
    parts = np.concatenate([x, room], -1).reshape(*many, -1, 32)
    sums = np.zeros((*many, 32), np.float32)
    for i in range(parts.shape[-2]):
        sums = sums + parts[..., i, :]
    while sums.shape[-1] > 1:
        half = sums.shape[-1] // 2
        sums = sums[..., :half] + sums[..., half:]
    return sums


@dataclass(frozen=True)
class Cache:
    """Keys and values of the tokens before, codes of bf16: layers x heads x tokens x numbers."""

    keys: Array
    values: Array


@dataclass(frozen=True)
class Model:
    """Weights by layer. ``hidden`` units of the feed-forward part are summed up at a time, which
    are a cluster's."""

    weights: Arrays
    hidden: int
    numerics: Numerics = QUICK

    def forward(self, x: Array, cache: Cache | None = None) -> tuple[Array, Array]:
        """Logits of every row of x; keys and values of these rows, layer by layer, as codes."""
        norms, fresh = self.weights["norm"], []
        for i in range(len(norms) // 2):
            layer = {name: w[i] for name, w in self.weights.items() if name not in ("norm", "lm")}
            past = None if cache is None else (cache.keys[i], cache.values[i])
            heads, kv = self._attention(layer, self._norm(x, norms[2 * i]), past)
            fresh.append(kv)
            added = self.numerics.product(heads, layer["out"].reshape(x.shape[-1], -1))
            x = x + (added + layer["out_bias"])
            x = self._feed_forward(layer, x, self._norm(x, norms[2 * i + 1]))
        return self.numerics.product(self._norm(x, norms[-1]), self.weights["lm"]), np.stack(fresh)

    def _norm(self, x: Array, scale_shift: Array) -> Array:
        """Every row without its mean, divided by its deviation, scaled and shifted."""
        one = np.float32(1 / x.shape[-1])
        centred = x - row_sums(x) * one
        variance = row_sums(centred * centred) * one + np.float32(EPS)
        result: Array = centred * self.numerics.rsqrt(variance) * scale_shift[0] + scale_shift[1]
        return result

    def _attention(
        self, layer: Arrays, x: Array, cache: tuple[Array, Array] | None
    ) -> tuple[Array, Array]:
        """Heads side by side for normalised rows x, each of which sees itself, the rows before it
        and the cache; and the keys and values of x."""
        heads, dim = layer["qkv"].shape[1:3]
        qkv = self.numerics.product(x, layer["qkv"].reshape(-1, x.shape[-1]))
        codes = bf16(qkv + layer["qkv_bias"].reshape(-1))
        q, k, v = codes.reshape(-1, 3, heads, dim).transpose(1, 2, 0, 3)
        fresh = np.stack([k, v])
        if cache is not None:
            k, v = (np.concatenate(pair, 1) for pair in zip(cache, (k, v), strict=True))
        shape = q.shape[1], k.shape[1]
        behind = np.triu(np.ones(shape, np.bool_), shape[1] - shape[0] + 1)
        result = np.empty((shape[0], heads, dim), np.float32)
        for h in range(heads):
            scores = self.numerics.product(from_bf16(q[h]), k[h]) * np.float32(1 / sqrt(dim))
            scores = np.where(behind, np.float32(-np.inf), scores)
            below = scores - scores.max(-1, keepdims=True)
            powers = self.numerics.exp(below)
            weighted = self.numerics.product(powers, v[h].T)
            result[:, h] = weighted * (np.float32(1) / row_sums(powers))
        return result.reshape(-1, heads * dim), fresh

    def _feed_forward(self, layer: Arrays, x: Array, normed: Array) -> Array:
        """x and what the feed-forward part adds to it, for normalised rows."""
        units = self.numerics.gelu(self.numerics.product(normed, layer["up"]) + layer["up_bias"])
        for at in range(0, units.shape[-1], self.hidden):
            own = slice(at, at + self.hidden)
            added = self.numerics.product(units[:, own], layer["down"][:, own])
            x = x + (added if at else added + layer["down_bias"])
        return x
