"""Words with MX scales: quantising, and values times the scales of their groups."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product

from native.batches import Batch, Case
from native.cases_rows import SPEC, labels, types_of
from native.choices import FLOATS, Rng, chance, mood, one, split

#: Types that scales may have, and lengths of groups.
SCALES = ("fp32", "bf16", "fp16")
GROUP = SPEC.limit("mx_group")


def _quantise(batch: Batch, rng: Rng, d: str, a: str, rule: str) -> None:
    batch.mood = mood(rng)
    rows = one(rng, (0, 1, 2, 5))
    groups = one(rng, (1, 2, 3) if rows > 2 else (1, 2, 3, 5))
    count = rows, groups * GROUP
    space = "acc" if a == "fp32" and chance(rng, 0.2) else "tsram"
    how = one(rng, ("plain", "gaps", "moved"))
    scales = split(batch, "e8m0", (rows, groups), writes=True, how=how)
    source = split(batch, a, count, space=space)
    result = scaled(batch, d, count, scales, writes=True)
    batch.word("VQUANT", "TVP", rule=rule, d=result, a=source)


def scaled(
    batch: Batch,
    dtype: str,
    count: tuple[int, int],
    scales: int | None,
    writes: bool = False,
    meta: int | None = None,
) -> int:
    """A view whose values have scales, or 2:4 positions."""
    number = split(batch, dtype, count, writes)
    found = batch.descriptors.pop(number)
    return batch.put(replace(found, scale=scales, meta=meta))


def quantise_cases() -> list[Case]:
    """Quantising to every MX format."""
    cases = []
    for d, a, rule in product(types_of("VQUANT", "d"), types_of("VQUANT", "a"), labels("mxscale")):
        for turn in range(12):
            build = partial(_quantise, d=d, a=a, rule=rule)
            cases.append(Case(f"quantise {d} of {a} {rule} {turn}", build))
    return cases


def _scale(batch: Batch, rng: Rng, d: str, a: str, kind: str) -> None:
    batch.mood = mood(rng)
    rows = one(rng, (0, 1, 2, 5))
    groups = one(rng, (1, 2, 3))
    group = GROUP if a in FLOATS else one(rng, (16, 32, 48, 64))
    scales = split(batch, kind, (rows, groups))
    source = scaled(batch, a, (rows, groups * group), scales)
    result = split(batch, d, (rows, groups * group), writes=True)
    batch.word("VDEQ", "TVP", d=result, a=source)


def scale_cases() -> list[Case]:
    """Values times their scales, of every type."""
    cases = []
    for d, a in product(types_of("VDEQ", "d"), types_of("VDEQ", "a")):
        for kind, turn in product(("e8m0",) if a in FLOATS else SCALES, range(6)):
            build = partial(_scale, d=d, a=a, kind=kind)
            cases.append(Case(f"scale {d} of {a} by {kind} {turn}", build))
    return cases
