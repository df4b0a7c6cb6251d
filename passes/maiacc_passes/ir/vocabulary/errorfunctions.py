"""The error function and its complement for arrays, in float64 and to some units in its last place.

Up to 1 erf(x) / x is a polynomial of x * x; beyond it (1 + 2x) exp(x * x) erfc(x) is one of
u = A + B / (x + 3.75), which is -1 at 1 and 1 at 28, where erfc is 0. Both were interpolated with
50 digits in the zeros of Chebyshev polynomials and are exact to 1e-17.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from maiacc_passes.ir.weights import Array

_SMALL = (
    1.1283791670955126, -0.37612638903183754, 0.1128379167095512, -0.02686617064512984,
    0.0052239776254232985, -0.000854832702193483, 0.00012055332902888736,
    -1.4925647567519332e-05, 1.6462045441468418e-06, -1.6364642158167616e-07,
    1.4792401209404813e-08, -1.216456005728345e-09, 8.709045129053106e-11,
    -4.230945824295338e-12,
)  # fmt: skip
_LARGE = (
    1.2246403583537577, -0.09250172705321681, 0.009685754737063205, 0.014852222600663585,
    -0.014817403997449472, 0.008787961236765817, -0.0038968133462417213, 0.001335086130312233,
    -0.00033881537611874375, 5.2667612674498065e-05, 5.965929491532113e-07,
    -2.7638472272591358e-06, 5.829465174099287e-07, 4.1989212488033545e-08,
    -4.1882318499290916e-08, 3.501308474527605e-09, 2.298777848519985e-09,
    -4.5277049662187315e-10, -1.181686203610743e-10, 2.8673857595378484e-11,
    5.049126822200213e-12,
)  # fmt: skip
_A, _B = 1.3518518518518519, -11.171296296296296

#: How many elements are worked on at a time, so that they stay in the cache.
_PIECE = 1 << 13


def erf(x: Array) -> Array:
    """The error function."""
    return _by_pieces(x, _erf)


def erfc(x: Array) -> Array:
    """1 - erf(x), with all its digits where it is small."""
    return _by_pieces(x, _erfc)


def _by_pieces(x: Array, function: Callable[[Array], Array]) -> Array:
    flat = x.reshape(-1)
    found = np.empty(flat.shape, np.float64)
    for first in range(0, flat.size, _PIECE):
        part = slice(first, first + _PIECE)
        found[part] = function(flat[part].astype(np.float64))
    return found.reshape(x.shape)


def _erf(x: Array) -> Array:
    size = np.abs(x)
    return np.where(size <= 1, _near(x), np.copysign(1 - _far(size), x))


def _erfc(x: Array) -> Array:
    size = np.abs(x)
    tail = _far(size)
    return np.where(size <= 1, 1 - _near(x), np.where(x < 0, 2 - tail, tail))


def _near(x: Array) -> Array:
    """erf of numbers from -1 to 1; of others anything."""
    x = np.clip(x, -1, 1)
    return x * _polynomial(_SMALL, x * x)


def _far(x: Array) -> Array:
    """erfc of numbers from 1 on; of others anything."""
    x = np.clip(x, 1, 28)
    curve = _polynomial(_LARGE, _A + _B / (x + 3.75))
    # The square of the leading bits is exact, so that the power has no error of its own.
    high = x.astype(np.float32).astype(np.float64)
    power = np.exp(-high * high) * np.exp((high - x) * (high + x))
    return np.asarray(power * curve / (1 + 2 * x))


def _polynomial(factors: Sequence[float], x: Array) -> Array:
    found = np.full_like(x, factors[-1])
    for factor in reversed(factors[:-1]):
        found *= x
        found += factor
    return found
