"""From end to end: what the program hands out beside exact arithmetic on the model, and each pass
beside the one before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from maiacc.verifying.bounds import Bounds
from maiacc.verifying.judging import (
    OPEN_,
    SAME,
    UNJUDGED,
    WITHIN,
    WRONG,
    Judged,
    Line,
    judge,
    worthless,
)
from maiacc.verifying.known import Known, numbers
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.weights import Array

Arrays = Mapping[str, Array]

#: What float64 loses on the way through a model, as a part of the largest magnitude.
LOST = 1e-9

#: Constants that passes compute are rounded to fp32: twice its unit roundoff.
FOLDED = 2.0**-23


def propagated(module: Module, inputs: Arrays, factors: float, narrowed: bool) -> dict[str, Known]:
    """The outputs of a module in exact arithmetic, and how far off a program may be that rounds as
    its kernels do."""
    bounds = Bounds(lifted=True, factors=factors, narrowed=narrowed)
    arguments = [Known(np.asarray(inputs[name])) for name in module.inputs]
    found = bounds.region(module.main, arguments)
    return dict(zip(module.outputs, found, strict=True))


def ends(found: Arrays, exact: Arrays, known: Mapping[str, Known]) -> list[Line]:
    """What the program hands out beside exact arithmetic on the model, with the bounds of
    ``known``. A bound that is too wide is not judged by."""
    lines = []
    for name, array in exact.items():
        bound = known[name].bound
        if bound is None and np.array_equal(
            numbers(known[name]), array.astype(np.float64), equal_nan=True
        ):
            meant = Known(array)
        else:
            meant = Known(array, known[name].slack)
        judged = judge(name, found[name], meant)
        if judged.verdict in (WITHIN, OPEN_, WRONG) and worthless(meant):
            # No bound excuses what is no number.
            judged.verdict = WRONG if _odd(found[name], array) else UNJUDGED
        lines.append(Line(name, (), (), [judged]))
    return lines


def _odd(found: Array, exact: Array) -> bool:
    """Whether something is infinite or no number that should not be."""
    x, y = found.astype(np.float64), exact.astype(np.float64)
    return bool((~np.isfinite(x) & np.isfinite(y)).any())


def apart(a: Arrays, b: Arrays) -> float:
    """The largest difference of two sets of outputs, as part of the largest magnitude of each; 0
    only where all are equal. Differences in what is no number are infinite."""
    most = 0.0
    for name, array in a.items():
        x, y = array.astype(np.float64), b[name].astype(np.float64)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        if same.all():
            continue
        with np.errstate(all="ignore"):
            off = np.where(same, 0.0, np.abs(x - y))
        off = np.where(np.isnan(off), np.inf, off)
        scale = float(np.abs(x[np.isfinite(x)]).max(initial=0.0))
        most = max(most, float(off.max()) / (scale or 1.0))
    return most


@dataclass
class Passes:
    """Watches a compilation: after each pass the module is evaluated and compared with what it was
    before. ``lines`` say how far apart; ``anchor`` is what is meant after passes that change it on
    purpose."""

    inputs: Arrays
    changes: Mapping[str, str] = field(default_factory=dict)
    promises: Mapping[str, str] = field(default_factory=dict)
    narrow: float = 0.0
    lines: list[Line] = field(default_factory=list)
    _bits: dict[str, Array] = field(default_factory=dict)
    _exact: dict[str, Array] = field(default_factory=dict)
    _noise: float = 0.0
    _mark: int = 0

    def start(self, module: Module) -> None:
        """The module as it was imported."""
        self._bits = evaluate(module, self.inputs)
        self._exact = evaluate(module, self.inputs, lift=True)
        self._noise = apart(self._exact, self._bits)

    def __call__(self, name: str, module: Module) -> None:
        """A pass is done."""
        mark = _fingerprint(module)
        if mark == self._mark:
            size = sum(x.size for x in self._bits.values())
            self.lines.append(Line(name, (), (), [Judged(name, SAME, size=size)], "no change"))
            return
        self._mark = mark
        bits = evaluate(module, self.inputs)
        judged = Judged(name, SAME, size=sum(x.size for x in bits.values()))
        note = ""
        if apart(self._bits, bits):
            exact = evaluate(module, self.inputs, lift=True)
            judged.error = apart(self._exact, exact)
            judged.verdict, judged.bound, note = self._verdict(name, module, bits, exact)
            self._exact = exact
        self._bits = bits
        self.lines.append(Line(name, (), (), [judged], note))

    def _verdict(
        self, name: str, module: Module, bits: Arrays, exact: Arrays
    ) -> tuple[str, float, str]:
        """Of a pass that changed bits."""
        error = apart(self._exact, exact)
        if name in self.changes:
            return UNJUDGED, float("inf"), self.changes[name]
        if any(_odd(bits[x], self._bits[x]) for x in bits):
            return WRONG, 0.0, "makes what is infinite or no number"
        if error <= LOST:
            return WITHIN, LOST, "the same in exact arithmetic"
        if self.promises.get(name) == "bit":
            return WRONG, 0.0, "promises all bits"
        factor = FOLDED
        if name in ("precision", "integer"):
            factor += self.narrow
        known = propagated(module, self.inputs, factor, narrowed=bool(self.narrow))
        lines = ends(exact, self._exact, known)
        bound = max(_part(x) for x in known.values())
        verdicts = {line.verdict for line in lines}
        if WRONG in verdicts:
            return WRONG, bound, ""
        if UNJUDGED not in verdicts:
            return WITHIN, bound, ""
        if name == "precision" and self.narrow:
            return UNJUDGED, bound, "the bound is wider than it is worth"
        # What rounding to fp32 does to this model is measured; constants do no more.
        noise = 4 * self._noise + LOST
        return (WITHIN if error <= noise else WRONG), noise, "beside the rounding of fp32, measured"


def _fingerprint(module: Module) -> int:
    """Another number where a pass has changed something."""
    ops = tuple(
        (id(op), op.name, tuple(map(id, op.operands)), repr(op.attrs)) for op in module.main.walk()
    )
    return hash(ops)


def _part(known: Known) -> float:
    exact = numbers(known)
    most = float(np.abs(exact[np.isfinite(exact)]).max(initial=0.0))
    return float(known.slack.max(initial=0.0)) / (most or 1.0)
