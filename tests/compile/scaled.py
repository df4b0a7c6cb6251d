"""Parametric cases by seed: a small module of some family, compiled, proven, run and compared.

Where every bit is known, because only whole numbers are added up or elements are only moved, the
machine has to give the IR's bits; else it has to be within the bounds of what rounding costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

# Rules of the families.
import maiacc.verifying.bounds_moves
import maiacc.verifying.bounds_pairs  # noqa: F401
from compile import scaled_mixed, scaled_moves, scaled_products, scaled_rows
from compile.scaled_draw import Draw
from maiacc.compiler import Compiled, compile_module
from maiacc.verifying.chains import propagated
from maiacc.verifying.judging import UNJUDGED, in_type, judge, worthless
from maiacc.verifying.known import Known
from maiacc_isa.errors import MaiaccError
from maiacc_isa.lint.known import is_proven
from maiacc_isa.machine import load_machine
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.weights import Array
from maiacc_sim.simulate import Options, simulate

TARGETS = ("mini", "maia200")

#: Families, and how often each is drawn.
FAMILIES: dict[str, tuple[int, Callable[[Draw], Sequence[Value]]]] = {
    "matmul": (5, scaled_products.matmul),
    "conv": (4, scaled_products.conv),
    "attention": (2, scaled_products.attention),
    "pool": (2, scaled_rows.pool),
    "norm": (2, scaled_rows.norm),
    "softmax": (2, scaled_rows.softmax),
    "reduce": (4, scaled_rows.reduce),
    "transpose": (2, scaled_moves.transpose),
    "concat": (2, scaled_moves.concat),
    "gather": (2, scaled_moves.gather),
    "elementwise": (3, scaled_moves.elementwise),
    "slices": (3, scaled_moves.slices),
    "mixed": (0, scaled_mixed.mixed),
}
_TURNS = [name for name, (often, _) in FAMILIES.items() for _ in range(often)]

#: Outcomes: the bits that are meant; within bounds; bounds that say too little; a refusal by code;
#: and what is wrong.
SAME, NEAR, LOOSE, REFUSED, BAD = "same", "near", "loose", "refused", "wrong"

#: How far off an element without a bound may be, as a part of the largest one.
ROUGH = 0.02


@dataclass
class Case:
    """A module with its inputs. ``exact``: every bit of its outputs is known. A compilation changes
    the module."""

    seed: int
    target: str
    family: str
    module: Module
    inputs: dict[str, Array]
    exact: bool

    def __str__(self) -> str:
        ops = ", ".join(_described(op.name, op.operands) for op in list(self.module.main)[:-1])
        return f"seed {self.seed} on {self.target}, {self.family}: {ops}"


def _described(name: str, operands: Iterable[Value | None]) -> str:
    return f"{name}({', '.join(str(x.type) for x in operands if x is not None)})"


@dataclass
class Outcome:
    """What came of a case; ``why`` is the code of a refusal, or what is wrong."""

    verdict: str
    why: str = ""


@dataclass
class Tally:
    """What came of many cases."""

    verdicts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


def case(seed: int, family: str = "") -> Case:
    """The case of a seed: even ones are for the small machine, two in ten are of several steps."""
    rng = np.random.default_rng(seed)
    target = TARGETS[seed % 2]
    drawn = _TURNS[int(rng.integers(len(_TURNS)))]
    name = family or ("mixed" if seed % 10 >= 8 else drawn)
    draw = Draw(rng, load_machine(target))
    module = draw.done(FAMILIES[name][1](draw))
    return Case(seed, target, name, module, draw.given, draw.exact)


def run(one: Case) -> Outcome:
    """Compiles a case, proves and runs the program, and compares what it hands out."""
    with np.errstate(all="ignore"):
        wanted = evaluate(one.module, one.inputs, lift=not one.exact)
        try:
            compiled = compile_module(one.module, load_machine(one.target))
        except (IRError, MaiaccError) as problem:
            return Outcome(REFUSED, problem.code)
        if not is_proven(compiled.program):
            return Outcome(BAD, "not proven")
        result = simulate(compiled.program, one.inputs, options=Options(engine="native"))
        outputs = zip(compiled.module.outputs, compiled.module.main.outputs, strict=True)
        found = {
            name: in_type(result.outputs[name], value.type.dtype, value.type.shape)
            for name, value in outputs
            if value is not None
        }
        return _same(found, wanted) if one.exact else _near(one, compiled, found, wanted)


def _same(found: dict[str, Array], wanted: dict[str, Array]) -> Outcome:
    for name, array in wanted.items():
        judged = judge(name, found[name], Known(array))
        if judged.wrong:
            what = f"{judged.found} for {judged.exact} at {judged.where}"
            return Outcome(BAD, f"{judged.wrong} of {judged.size}: {what}, {judged.box}")
    return Outcome(SAME)


def _near(
    one: Case, compiled: Compiled, found: dict[str, Array], wanted: dict[str, Array]
) -> Outcome:
    known = propagated(compiled.module, one.inputs, 0.0, narrowed=False)
    loose = False
    for name, array in wanted.items():
        bound = _closed(known[name].slack, array, found[name])
        meant = Known(array, np.maximum(bound, EDGE))
        judged = judge(name, found[name], meant)
        if judged.wrong:
            what = f"{judged.found} for {judged.exact} +- {judged.bound:.3g} at {judged.where}"
            return Outcome(BAD, f"{judged.wrong} of {judged.size}: {what}, {judged.box}")
        loose |= judged.verdict == UNJUDGED or worthless(Known(array, known[name].slack))
    return Outcome(LOOSE if loose else NEAR)


#: What is smaller may become 0: where an exponential overflows fp32, what is divided by it does,
#: and it is known to, but it does not in float64.
EDGE = 2.0**-110


def _closed(bound: Array, exact: Array, found: Array) -> Array:
    """Bounds, also where none is known: no family decides anything by real numbers, so that only
    what may overflow is open."""
    size = np.abs(exact)
    most = float(np.max(size, where=np.isfinite(size), initial=0.0))
    limit = 6e4 if found.dtype == np.float16 else 3e38
    return np.where(np.isinf(bound) & ~(size > limit), ROUGH * most, bound)


def campaign(seeds: Iterable[int]) -> Tally:
    """Runs the cases of some seeds."""
    tally = Tally()
    for seed in seeds:
        one = case(seed)
        text = str(one)
        outcome = run(one)
        tally.verdicts[outcome.verdict] += 1
        if outcome.verdict == REFUSED:
            tally.refused[outcome.why] += 1
        if outcome.verdict == BAD:
            tally.wrong.append(f"{text}: {outcome.why}")
        elif outcome.verdict != SAME and outcome.verdict != NEAR:
            tally.other.append(f"{text}: {outcome.verdict} {outcome.why}")
    return tally
