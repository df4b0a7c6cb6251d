"""Patterns N:M: of M elements that follow each other along what is summed, at most N are kept.

The machine multiplies two of each aligned four. So a pattern is there if no four elements can have
more than two: N is at most 2 wherever M is 4 or more, and 1:2 has one in each half of a four.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.weights import Array

#: Patterns that are 2:4 at the same time, the one that leaves most freedom first. All of them take
#: as much room and as many cycles as 2:4: two of four are stored, zeros among them.
PATTERNS = ("2:4", "1:2", "2:8", "1:4", "1:8")

#: How it is chosen what is kept; all but the first look at what weights are multiplied by.
METHODS = ("magnitude", "wanda", "sparsegpt")


@dataclass(frozen=True)
class Pattern:
    """``keep`` elements of each ``of``."""

    keep: int
    of: int

    def __str__(self) -> str:
        return f"{self.keep}:{self.of}"

    def chosen(self, scores: Array) -> NDArray[np.bool_]:
        """Which elements are kept: those with the highest scores of each group along the last
        axis, which is a multiple of ``of``; of equals the first ones. NaN counts as infinite."""
        groups = np.nan_to_num(scores, nan=np.inf).reshape(*scores.shape[:-1], -1, self.of)
        order = np.argsort(-groups, axis=-1, kind="stable")[..., : self.keep]
        found = np.zeros(groups.shape, np.bool_)
        np.put_along_axis(found, order, True, -1)
        return found.reshape(scores.shape)

    def holds(self, matrix: Array) -> bool:
        """Whether no group along the last axis has more elements than that which are not zero."""
        groups = matrix.reshape(*matrix.shape[:-1], -1, self.of)
        return bool(np.count_nonzero(groups, axis=-1).max(initial=0) <= self.keep)


def pattern_of(text: str) -> Pattern:
    """A pattern from its text. Raises ``IRError`` E1413 for one that the machine cannot hold."""
    if text not in PATTERNS:
        raise IRError("E1413", f"pattern {text!r}", expected=", ".join(PATTERNS), found=text)
    keep, _, of = text.partition(":")
    return Pattern(int(keep), int(of))
