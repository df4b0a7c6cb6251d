"""How far rounding may move a result: bounds for every element, derived and not measured.

u below is the unit roundoff of fp32. A sum of products by n fused operations in any order is off
by at most n u / (1 - n u) times the sum of the magnitudes, a sum of n numbers by the same. Terms in
u^2 are covered by ``U`` being a thousandth larger than u; fp32 numbers below its normal ones by
``TINY``.
"""

from __future__ import annotations

import numpy as np

from sim.kernel_example import Array, Wanted

#: Unit roundoff of fp32, see above; relative error of rounding to fp16 and to bf16.
U, HALF, BRAIN = 1.001 * 2.0**-24, 1.001 * 2.0**-11, 1.001 * 2.0**-8

#: Relative error of a transcendental function of two units in the last place.
FUNCTION = 1.001 * 2.0**-22

#: More than many roundings of numbers too small to be normal in fp32 or bf16 make.
TINY = 2.0**-110


def fused(terms: int, magnitudes: Array) -> Array:
    """Error of so many fused multiply-adds with that sum of magnitudes."""
    result: Array = terms * U / (1 - terms * U) * magnitudes
    return result


def half_ulp(sizes: Array, digits: int = 8) -> Array:
    """Half the distance of neighbours in a format with so many significant bits, above a size."""
    exponent = np.maximum(np.frexp(sizes)[1] - 1, -126)
    result: Array = np.ldexp(1.0, exponent - digits)
    return result


def in_bf16(values: Array, error: Array) -> Array:
    """Error of numbers that are off by ``error`` and then rounded to bf16."""
    result: Array = error + half_ulp(np.abs(values) + error)
    return result


def as_bf16(values: Array, error: Array) -> Wanted:
    """An output in bf16, of numbers that are off by ``error`` before they are rounded."""
    return Wanted(values, in_bf16(values, error + TINY))


# ---- functions of numbers that are off --------------------------------------------------------


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x)."""
    result: Array = 0.5 + 0.5 * np.tanh(0.5 * x)
    return result


def sigmoid_error(x: Array, error: Array) -> Array:
    """Error of a sigmoid whose argument is off: its slope s (1 - s) changes by at most 0.1."""
    s = sigmoid(x)
    result: Array = error * (s * (1 - s) + 0.1 * error) + FUNCTION
    return result


def tanh_error(x: Array, error: Array) -> Array:
    """Error of a tanh whose argument is off: its slope 1 - t^2 changes by at most 0.77."""
    result: Array = error * (1 - np.tanh(x) ** 2 + 0.77 * error) + FUNCTION
    return result


def silu_error(x: Array, error: Array) -> Array:
    """Error of x sigmoid(x), whose slope is at most 1.1."""
    result: Array = 1.1 * error + FUNCTION * np.abs(x * sigmoid(x))
    return result


def product_error(a: Array, a_error: Array, b: Array, b_error: Array) -> Array:
    """Error of a product of two numbers that are off, rounded to fp32."""
    exact = np.abs(a) * b_error + np.abs(b) * a_error + a_error * b_error
    result: Array = exact + U * (np.abs(a * b) + exact)
    return result


# ---- softmax --------------------------------------------------------------------------------


def softmax(scores: Array) -> Array:
    """e^x / sum of e^x over the last axis."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    result: Array = powers / powers.sum(-1, keepdims=True)
    return result


def scaled_scores(q: Array, k: Array) -> tuple[Array, Array]:
    """q k^T / sqrt(dim) over the last two axes, and its error: fused multiply-adds, then a product
    with a constant of fp32 that is itself rounded (and written with ten digits)."""
    dim = q.shape[-1]
    turned, factor = np.swapaxes(k, -1, -2), 1 / np.sqrt(dim)
    scores, sizes = (q @ turned) * factor, (np.abs(q) @ np.abs(turned)) * factor
    return scores, fused(dim, sizes) + 3 * U * np.abs(scores)


def weighted(scores: Array, error: Array, values: Array) -> Wanted:
    """softmax(scores) values as the attention kernels compute it; masked scores are -inf.

    Keys come in blocks, n keys in at most n of them. With m the largest score so far, a block has
        X = fp16(s - m)    P = bf16(exp X)    l = l alpha + sum of exp X    O = O alpha + P values
    where alpha = exp(old m - m). The result is bf16(O * (1 / l)).

    What is subtracted cancels in O / l, whatever it is; the alphas behind a block multiply to
    exp(m - last m), so with D = last m - s every key ends up with e^-D. Relative errors of that:
    e^error for the score; |X| <= D + errors, so rounding X in fp32 and fp16 makes e^((u + 2^-11)|X|
    + 2^-25), the last for subnormals of fp16; exp two units in the last place, alphas as many and
    u |old m - m| <= u D in all, and the update of O and l two roundings for every block. Together
    e^E. Weights in O are off by 2^-8 more, those in l are not: l sums before the rounding. So
        |O / l - o| <= (sum p |v| (e^E (1 + 2^-8) - 1) + |o| sum p (e^E - 1)) / (1 - sum p (e^E - 1))
    """
    n = scores.shape[-1]
    depth = scores.max(-1, keepdims=True) - scores
    depth = np.where(np.isinf(depth), 0.0, depth)
    p, error = softmax(scores), np.where(np.isfinite(scores), error, 0.0)
    reach = depth + error + error.max(-1, keepdims=True)
    steps = n * (FUNCTION + 3 * U)
    grown = np.exp(error + (HALF + 3 * U) * reach + 2.0**-25 + FUNCTION + steps)
    o, sizes = p @ values, np.abs(values)
    below = (p * (grown - 1)).sum(-1, keepdims=True) + n * U
    above = (p * (grown * (1 + BRAIN) * (1 + n * U) - 1)) @ sizes
    off = (above + np.abs(o) * below) / (1 - below)
    return as_bf16(o, off + 3 * U * (np.abs(o) + off))
