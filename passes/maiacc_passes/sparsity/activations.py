"""What is known of the rows that a layer multiplies its weight by.

For rows x_1, x_2, ... (the matrix X) that is H = X^T X, in float64, and the norm of each column,
the root of H's diagonal. The error of other weights follows from H:
||X (W - V)^T||^2 = sum of (W - V) H * (W - V).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from maiacc_passes.ir.weights import Array

#: The most columns for which H is kept: 2 GiB of float64, and as much again twice while it is
#: inverted. Llama-3-8B has 14,336.
COLUMNS = 1 << 14

#: Rows that are kept instead of H where there are more columns.
SAMPLES = 256


@dataclass(eq=False)
class Activations:
    """Sums over the rows of ``columns`` elements that ``add`` was given."""

    columns: int
    whole: bool = field(init=False)
    rows: int = field(default=0, init=False)
    squares: Array = field(init=False)
    hessian: Array | None = field(default=None, init=False)
    _sample: list[Array] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.whole = self.columns <= COLUMNS
        self.squares = np.zeros(self.columns)
        if self.whole:
            self.hessian = np.zeros((self.columns, self.columns))

    def add(self, pieces: Iterable[Array]) -> None:
        """More rows, in pieces [n, columns] of float64."""
        for piece in pieces:
            with np.errstate(all="ignore"):
                self.squares += np.square(piece).sum(0)
                if self.hessian is not None:
                    self.hessian += piece.T @ piece
            room = SAMPLES - sum(map(len, self._sample))
            if not self.whole and room > 0:
                # Some of each piece, so that the last samples are seen as well as the first.
                self._sample.append(piece[:: -(-len(piece) // 16)][:room].copy())
            self.rows += len(piece)

    @property
    def finite(self) -> bool:
        """Whether no value was infinite or NaN, and none so large that its square is."""
        return bool(np.isfinite(self.squares).all())

    @property
    def norms(self) -> Array:
        """||X_j||_2 of each column."""
        return np.sqrt(self.squares)

    def error(self, dense: Array, pruned: Array) -> float:
        """How far results are off with other weights [rows, columns], relative to the results:
        Frobenius norms; from a sample of rows where H is not kept."""
        with np.errstate(all="ignore"):
            off, whole = self._norm(dense - pruned), self._norm(dense)
        if not (np.isfinite(off) and np.isfinite(whole)):
            return float("nan")
        return float(off / whole) if whole else float(off > 0)

    def _norm(self, weights: Array) -> float:
        if self.hessian is not None:
            return float(np.sqrt(max(0.0, float(np.sum((weights @ self.hessian) * weights)))))
        rows = np.concatenate(self._sample) if self._sample else np.zeros((1, self.columns))
        return float(np.linalg.norm(rows @ weights.T))
