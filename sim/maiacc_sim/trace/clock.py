"""Cycles as nanoseconds, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from maiacc_isa.errors import InternalError
from maiacc_sim.recording import Ints

#: Clocks that a trace can show, in Hz, and the cycles and nanoseconds it can count. Within
#: these, no step of ``Clock.ns`` leaves 64 bits.
SLOWEST, FASTEST = 1.0, 1e15
LAST_CYCLE = 2**53
LAST_NS = 2**62


class Clock:
    """A clock of ``hz``, which is taken as the exact number that the float is.

    A cycle's nanosecond is rounded down: the one in which it begins, counted from 0. So times
    keep their order, intervals keep their nesting, and at more than 1 GHz a slice of one cycle
    may be 0 ns long. Traces give the cycles beside the times.
    """

    def __init__(self, hz: float) -> None:
        if not SLOWEST <= hz <= FASTEST:
            raise InternalError("E0001", f"no trace can show a clock of {hz} Hz")
        period = Fraction(10**9) / Fraction(hz)
        self._whole, self._part = divmod(period.numerator, period.denominator)
        self._unit = period.denominator
        self.last = min(LAST_CYCLE, int(LAST_NS / period))

    def ns(self, cycles: Ints) -> Ints:
        """floor(cycles * 1e9 / hz), for cycles from 0 to ``last``."""
        whole: Ints = cycles * self._whole
        if not self._part:
            return whole
        # Doubles give the quotient up to 3. What is missing is seen in the remainder, which is
        # small, and so right even where the products before the subtraction wrap.
        guess = (cycles * (self._part / self._unit)).astype(np.int64)
        rest = cycles * self._part - guess * self._unit
        whole += guess
        whole += rest // self._unit
        return whole
