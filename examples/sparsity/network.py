"""A small language model in numpy: a transformer over characters, with its gradients.

Every layer is h += attention(norm(h)); h += relu(norm(h) w1) w2. Arrays of activations are [batch,
place, width]. Gradients are written out by hand; a test compares them with differences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Weights: TypeAlias = dict[str, Array]

#: What is added to variances.
EPSILON = 1e-5


@dataclass(frozen=True)
class Shape:
    """Sizes of a model."""

    vocabulary: int
    width: int = 64
    heads: int = 4
    layers: int = 2
    places: int = 64


def start(shape: Shape, seed: int, dtype: type[np.floating[Any]] = np.float32) -> Weights:
    """Weights before training."""
    rng = np.random.default_rng(seed)

    def drawn(*sizes: int) -> Array:
        found: Array = (rng.standard_normal(sizes) / np.sqrt(sizes[0])).astype(dtype)
        return found

    width = shape.width
    found = {
        "tokens": drawn(shape.vocabulary, width) * dtype(np.sqrt(shape.vocabulary) / 10),
        "places": drawn(shape.places, width) * dtype(np.sqrt(shape.places) / 10),
        "gain": np.ones(width, dtype),
        "shift": np.zeros(width, dtype),
        "head": drawn(width, shape.vocabulary),
    }
    for n in range(shape.layers):
        for part, sizes in _sizes(width).items():
            found[f"{n}.{part}"] = drawn(*sizes)
        for norm in ("gain1", "gain2"):
            found[f"{n}.{norm}"] = np.ones(width, dtype)
        for norm in ("shift1", "shift2"):
            found[f"{n}.{norm}"] = np.zeros(width, dtype)
    return found


def _sizes(width: int) -> dict[str, tuple[int, int]]:
    """The matrices of a layer."""
    return {
        "qkv": (width, 3 * width),
        "out": (width, width),
        "up": (width, 4 * width),
        "down": (4 * width, width),
    }


# ---- parts, each with its way back ----------------------------------------------------------
def _norm(x: Array, gain: Array, shift: Array) -> tuple[Array, tuple[Array, Array]]:
    centred = x - x.mean(-1, keepdims=True)
    scale = 1 / np.sqrt(np.square(centred).mean(-1, keepdims=True) + x.dtype.type(EPSILON))
    unit = centred * scale
    return unit * gain + shift, (unit, scale)


def _norm_back(dy: Array, kept: tuple[Array, Array], gain: Array) -> tuple[Array, Array, Array]:
    unit, scale = kept
    d = dy * gain
    dx = d - d.mean(-1, keepdims=True) - unit * (d * unit).mean(-1, keepdims=True)
    return dx * scale, (dy * unit).sum((0, 1)), dy.sum((0, 1))


def _softmax(x: Array) -> Array:
    raised = np.exp(x - x.max(-1, keepdims=True))
    found: Array = raised / raised.sum(-1, keepdims=True)
    return found


def _split(x: Array, heads: int) -> Array:
    """[batch, place, 3 width] as [3, batch, head, place, size]."""
    batch, places, width = x.shape
    return x.reshape(batch, places, 3, heads, width // heads // 3).transpose(2, 0, 3, 1, 4)


def _attention(x: Array, heads: int) -> tuple[Array, tuple[Array, Array]]:
    """What each place takes from those up to it."""
    parts = _split(x, heads)
    q, k, v = parts
    batch, _, places, size = q.shape
    scores = q @ k.swapaxes(-1, -2) / x.dtype.type(np.sqrt(size))
    scores[..., np.triu(np.ones((places, places), np.bool_), 1)] = -np.inf
    shares = _softmax(scores)
    mixed = (shares @ v).transpose(0, 2, 1, 3).reshape(batch, places, heads * size)
    return mixed, (parts, shares)


def _attention_back(dy: Array, kept: tuple[Array, Array]) -> Array:
    parts, shares = kept
    q, k, v = parts
    batch, heads, places, size = q.shape
    d = dy.reshape(batch, places, heads, size).transpose(0, 2, 1, 3)
    dshares = d @ v.swapaxes(-1, -2)
    dscores = shares * (dshares - (dshares * shares).sum(-1, keepdims=True))
    dscores /= dy.dtype.type(np.sqrt(size))
    back = np.stack([dscores @ k, dscores.swapaxes(-1, -2) @ q, shares.swapaxes(-1, -2) @ d])
    return back.transpose(1, 3, 0, 2, 4).reshape(batch, places, 3 * heads * size)


def _flat(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


# ---- the model ------------------------------------------------------------------------------
def loss_and_gradients(
    shape: Shape, w: Weights, tokens: Array, targets: Array
) -> tuple[float, Weights]:
    """The mean cross entropy in nats of ``targets`` [batch, place], and its gradients."""
    h = w["tokens"][tokens] + w["places"]
    trail: list[Any] = []
    for n in range(shape.layers):
        a, norm1 = _norm(h, w[f"{n}.gain1"], w[f"{n}.shift1"])
        mixed, attended = _attention(a @ w[f"{n}.qkv"], shape.heads)
        h = h + mixed @ w[f"{n}.out"]
        b, norm2 = _norm(h, w[f"{n}.gain2"], w[f"{n}.shift2"])
        up = np.maximum(b @ w[f"{n}.up"], 0)
        h = h + up @ w[f"{n}.down"]
        trail.append((a, norm1, mixed, attended, b, norm2, up))
    last, normed = _norm(h, w["gain"], w["shift"])
    shares = _softmax(last @ w["head"])
    there = np.take_along_axis(shares, targets[..., None], -1)
    loss = float(-np.log(there + 1e-30).mean())
    g: Weights = {}
    d = shares.copy()
    np.put_along_axis(d, targets[..., None], there - 1, -1)
    d /= d.dtype.type(targets.size)
    g["head"] = _flat(last).T @ _flat(d)
    dh, g["gain"], g["shift"] = _norm_back(d @ w["head"].T, normed, w["gain"])
    for n in reversed(range(shape.layers)):
        dh = _layer_back(w, g, n, trail.pop(), dh)
    g["places"] = dh.sum(0)
    g["tokens"] = np.zeros_like(w["tokens"])
    np.add.at(g["tokens"], tokens, dh)
    return loss, g


def _layer_back(w: Weights, g: Weights, n: int, kept: Any, dh: Array) -> Array:
    """Fills in the gradients of a layer; gives that of what it was given."""
    a, norm1, mixed, attended, b, norm2, up = kept
    g[f"{n}.down"] = _flat(up).T @ _flat(dh)
    dup = (dh @ w[f"{n}.down"].T) * (up > 0)
    g[f"{n}.up"] = _flat(b).T @ _flat(dup)
    back = _norm_back(dup @ w[f"{n}.up"].T, norm2, w[f"{n}.gain2"])
    g[f"{n}.gain2"], g[f"{n}.shift2"] = back[1:]
    dh = dh + back[0]
    g[f"{n}.out"] = _flat(mixed).T @ _flat(dh)
    dqkv = _attention_back(dh @ w[f"{n}.out"].T, attended)
    g[f"{n}.qkv"] = _flat(a).T @ _flat(dqkv)
    back = _norm_back(dqkv @ w[f"{n}.qkv"].T, norm1, w[f"{n}.gain1"])
    g[f"{n}.gain1"], g[f"{n}.shift1"] = back[1:]
    return dh + back[0]
