"""Kernels that multiply integers: every sum is exact, and is rounded once to bf16."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from sim.kernel_example import (
    Answer,
    Array,
    Example,
    Sizes,
    cut,
    host,
    most,
    product,
    rounded,
    whole,
)


def _twice(values: Array) -> Array:
    """Numbers rounded to bf16, as float64."""
    result: Array = values.astype(np.float32).astype(ml_dtypes.bfloat16).astype(np.float64)
    return result


def _answers(name: str, a: Array, b: Array, inputs: dict[str, Array], unit: float = 1.0) -> Example:
    """The example of a product a times b, and what goes wrong with products."""
    right, half = product(a, b, unit), a.shape[-1] // 2

    def halves() -> Answer:
        first, second = a[:, :half] @ b[:half], a[:, half:] @ b[half:]
        return {name: rounded(_twice(first) + _twice(second))}

    mistakes = {
        "cut off instead of rounded": lambda: {name: cut(right)},
        "without the last of K": lambda: {name: rounded(a[:, :-1] @ b[:-1])},
        "halves of K summed in bf16": halves,
    }
    return Example(inputs, {name: rounded(right)}, mistakes)


def gemm(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """C = A B^T in fp8 or bf16."""
    dtype, k = {8: "e4m3", 16: "bf16"}[size["bits"]], size["k"]
    a, b = (whole(rng, (size[rows], k), most(k, dtype)) for rows in "mn")
    return _answers("C", a, b.T, {"A": host(a, dtype), "B": host(b, dtype)})


def _plain(size: Sizes, rng: np.random.Generator, *names: str) -> Example:
    """The product of two row-major bf16 matrices."""
    m, n, k = (size[name] for name in "mnk")
    a, b = whole(rng, (m, k), most(k, "bf16")), whole(rng, (k, n), most(k, "bf16"))
    left, right, result = names
    return _answers(result, a, b, {left: host(a, "bf16"), right: host(b, "bf16")})


def gemm_simple(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """C = A B in bf16; so is ``ksplit``."""
    return _plain(size, rng, "A", "B", "C")


def matvec(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """Y = X W in bf16."""
    return _plain(size, rng, "X", "W", "Y")


def int4_decode(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """Y = X (W S)^T: int4 weights with a scale for every group of a row."""
    m, n, k, group = (size[name] for name in ("m", "n", "k", "group"))
    # scales are multiples of a quarter below 4
    x = whole(rng, (m, k), min(256, (1 << 24) // (k * 8 * 15)))
    w = rng.integers(-8, 8, (n, k)).astype(np.float64)
    s = rng.integers(1, 16, (n, k // group)) / 4
    inputs = {"X": host(x, "bf16"), "W": host(w, "int4"), "S": host(s, "bf16")}
    made = _answers("Y", x, (w * np.repeat(s, group, 1)).T, inputs, 0.25)
    other = w * np.repeat(np.roll(s, 1, 1), group, 1)
    made.mistakes["the scale of the group before"] = lambda: {"Y": rounded(x @ other.T)}
    return made


def mx_gemm(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """C = (A SA) (B SB)^T in fp4, with scales for 32 of K that are powers of two."""
    m, n, k = (size[name] for name in "mnk")
    choices = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    values, scales = [], []
    inputs: dict[str, Array] = {}
    for name, rows in (("A", m), ("B", n)):
        values.append(rng.choice(choices, (rows, k)) * rng.choice([-1, 1], (rows, k)))
        scales.append(np.exp2(rng.integers(-2, 3, (rows, k // 32))))
        # codes of e2m1 tell -0 from 0: both are drawn
        inputs |= {name: host(values[-1], "e2m1"), f"S{name}": host(scales[-1], "e8m0")}
    a, b = (v * np.repeat(s, 32, 1) for v, s in zip(values, scales, strict=True))
    made = _answers("C", a, b.T, inputs, 2.0**-6)
    other = values[1] * np.repeat(np.roll(scales[1], 1, 1), 32, 1)
    made.mistakes["the scale of the group before"] = lambda: {"C": rounded(a @ other.T)}
    return made


def sparse_gemm(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """C = A W^T in fp8, where two of four along K are stored: values V at positions P."""
    m, n, k = (size[name] for name in "mnk")
    a, v = whole(rng, (m, k), most(k, "e4m3")), whole(rng, (n, k // 2), most(k, "e4m3"))
    p = rng.choice(np.array([4, 8, 9, 12, 13, 14], np.uint8), (n, k // 4))

    def dense(first: Array, second: Array) -> Array:
        w = np.zeros((n, k // 4, 4))
        np.put_along_axis(w, first[..., None], v[:, 0::2, None], 2)
        np.put_along_axis(w, second[..., None], v[:, 1::2, None], 2)
        return w.reshape(n, k)

    low, high = (p & 3).astype(np.int64), (p >> 2).astype(np.int64)
    inputs = {"A": host(a, "e4m3"), "V": host(v, "e4m3"), "P": p}
    made = _answers("C", a, dense(low, high).T, inputs)
    made.mistakes["positions exchanged"] = lambda: {"C": rounded(a @ dense(high, low).T)}
    return made


# ---- convolutions ---------------------------------------------------------------------------


def _windows(x: Array, stride: int, before: int) -> Array:
    """[batch, oh, ow, 3, 3, channels]: what goes into each position; a ring of zeros around."""
    ring = (before, 2 - before)
    padded = np.pad(x, ((0, 0), ring, ring, (0, 0)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    return np.moveaxis(seen[:, ::stride, ::stride], 3, -1)


def _convolution(size: Sizes, rng: np.random.Generator, stride: int) -> Example:
    b, h, w, c, o = (size[name] for name in ("batch", "h", "w", "c", "o"))
    x = whole(rng, (b, h, w, c), most(9 * c, "bf16"))
    f = whole(rng, (3, 3, c, o), most(9 * c, "bf16"))

    def result(before: int = 1, upside: int = 1) -> Array:
        seen = _windows(x, stride, before)
        flat = seen.reshape(-1, 9 * c)
        return product(flat, f[::upside].reshape(9 * c, o)).reshape(*seen.shape[:3], o)

    mistakes = {
        "cut off instead of rounded": lambda: {"Y": cut(result())},
        "zeros behind instead of around": lambda: {"Y": rounded(result(before=0))},
        "weights upside down": lambda: {"Y": rounded(result(upside=-1))},
    }
    inputs = {"X": host(x, "bf16"), "W": host(f, "bf16")}
    return Example(inputs, {"Y": rounded(result())}, mistakes)


def conv(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """3 x 3 convolution of stride 2."""
    return _convolution(size, rng, 2)


def conv_im2col(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """3 x 3 convolution."""
    return _convolution(size, rng, size["stride"])


def depthwise(size: Sizes, rng: np.random.Generator, kind: int) -> Example:
    """3 x 3 convolution, each channel by itself."""
    b, h, w, c = (size[name] for name in ("batch", "h", "w", "c"))
    x, f = whole(rng, (b, h, w, c), 256), whole(rng, (3, 3, c), 256)

    def result(before: int = 1, channel: int = 0) -> Array:
        seen = _windows(x, 1, before)
        assert 9 * 256 * 256 <= 1 << 24
        sums: Array = np.einsum("bhwklc,klc->bhwc", seen, np.roll(f, channel, 2))
        return sums

    mistakes = {
        "cut off instead of rounded": lambda: {"Y": cut(result())},
        "zeros behind instead of around": lambda: {"Y": rounded(result(before=0))},
        "the weights of the channel before": lambda: {"Y": rounded(result(channel=1))},
    }
    inputs = {"X": host(x, "bf16"), "W": host(f, "bf16")}
    return Example(inputs, {"Y": rounded(result())}, mistakes)
