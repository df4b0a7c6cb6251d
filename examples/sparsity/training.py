"""Trains the language model on a text that comes with Python: the topics of ``help()``."""

from __future__ import annotations

from dataclasses import dataclass
from pydoc_data import topics

import numpy as np

from examples.sparsity.network import Array, Shape, Weights, loss_and_gradients, start

#: The part of the text that is not trained on: its end.
HELD = 0.1

#: Windows in a step, and the largest step of Adam, which falls to nothing along half a cosine.
BATCH, RATE = 32, 3e-3


@dataclass(frozen=True, eq=False)
class Text:
    """Characters as numbers."""

    characters: str
    seen: Array
    held: Array

    def windows(self, part: Array, count: int, places: int, seed: int) -> tuple[Array, Array]:
        """Pieces at random, and what follows each character: [count, places] twice."""
        starts = np.random.default_rng(seed).integers(0, len(part) - places - 1, count)
        found = part[starts[:, None] + np.arange(places + 1)]
        return found[:, :-1], found[:, 1:]


def text() -> Text:
    """The topics in alphabetical order; what differs from version to version is little."""
    whole = "".join(topics.topics[name] for name in sorted(topics.topics))
    characters = "".join(sorted(set(whole)))
    number = {character: i for i, character in enumerate(characters)}
    codes = np.array([number[character] for character in whole], np.int64)
    cut = int(len(codes) * (1 - HELD))
    return Text(characters, codes[:cut], codes[cut:])


def train(shape: Shape, data: Text, steps: int, seed: int) -> Weights:
    """Weights after so many steps of Adam. The same seed gives the same weights."""
    w = start(shape, seed)
    first = {name: np.zeros_like(x) for name, x in w.items()}
    second = {name: np.zeros_like(x) for name, x in w.items()}
    for step in range(1, steps + 1):
        tokens, targets = data.windows(data.seen, BATCH, shape.places, seed * 1_000_003 + step)
        _, g = loss_and_gradients(shape, w, tokens, targets)
        rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps)) * min(1, step / 50)
        for name, x in w.items():
            first[name] = 0.9 * first[name] + 0.1 * g[name]
            second[name] = 0.99 * second[name] + 0.01 * np.square(g[name])
            mean, square = first[name] / (1 - 0.9**step), second[name] / (1 - 0.99**step)
            x -= (rate * mean / (np.sqrt(square) + 1e-8)).astype(x.dtype)
    return w
