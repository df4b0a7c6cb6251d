"""Elementwise words: every stage, every pair of types, chains of all kinds, second results."""

from __future__ import annotations

from functools import partial
from itertools import product

from maiacc_isa.load import load
from native.batches import Batch, Case
from native.choices import (
    INTS,
    NUMBERS,
    Rng,
    chain,
    chance,
    flat,
    mood,
    one,
    rows_of,
    size,
    split,
    stages_of,
)

#: Types that chains compute in.
CHAIN_INTS = tuple(name for name in INTS if load().dtypes[name].bits >= 8)

STATS = tuple(label.name for label in load().enums["stat"].labels if label.name != "none")

#: How often each combination is tried.
TURNS = 4


def _space(rng: Rng, dtype: str) -> str:
    """A memory that an operand of a chain may lie in."""
    if dtype in ("fp32", "int32") and chance(rng, 0.15):
        return "acc"
    if not load().dtypes[dtype].packed and chance(rng, 0.06):
        return "iota"
    return "tsram"


def _map(
    batch: Batch,
    rng: Rng,
    ops: tuple[str, ...],
    dtype: str,
    d: str | None = None,
    a: str | None = None,
    stat: str | None = None,
    place: tuple[int, str, str] | None = None,
) -> None:
    """A VMAP, or with a second result a VMAPR. ``place``: the number of an operand, the memory it
    is to lie in, and its type."""
    types = NUMBERS if dtype == "fp32" else (*INTS, "bool")
    batch.mood = mood(rng)
    made = chain(rng, ops, dtype, stat or "none")
    kinds = [a or one(rng, types), one(rng, types), one(rng, types)][: max(made.inputs, 1)]
    where = [_space(rng, kind) for kind in kinds]
    if place is not None:
        at = min(place[0], len(kinds) - 1)
        where[at], kinds[at] = place[1:]
    result = d or (kinds[0] if chance(rng, 0.3) else one(rng, types))
    count = size(rng, [result, *kinds])
    if made.inputs > 1 and result in ("int64", "uint64"):
        count = min(count[0], 2), min(count[1], 64)
    view = flat if stat is None else split
    fields = {
        name: view(batch, kind, count, space=space)
        for name, kind, space in zip("abc", kinds, where, strict=False)
    }
    if kinds[0] == result and where[0] == "tsram" and chance(rng, 0.3):
        # In place: the view must be one that may be written.
        fields["a"] = fields["d"] = view(batch, result, count, writes=True)
    else:
        fields["d"] = view(batch, result, count, writes=True)
    if stat is not None:
        fields["e"] = rows_of(batch, "fp32", count[0], writes=True)
    name = "VMAP" if stat is None else "VMAPR"
    batch.word(name, "TVP", chain=batch.chain(made), **fields)


def map_cases() -> list[Case]:
    """Every stage with every type of its first operand, every pair of types, and chains."""
    cases = []
    for op, a, turn in product(stages_of("float"), NUMBERS, range(TURNS)):
        build = partial(_map, ops=(op,), dtype="fp32", a=a)
        cases.append(Case(f"map {op} of {a} {turn}", build))
    for op, dtype, turn in product(stages_of("int"), CHAIN_INTS, range(TURNS)):
        build = partial(_map, ops=(op,), dtype=dtype)
        cases.append(Case(f"map {op} in {dtype} {turn}", build))
    for d, a, op in product(NUMBERS, NUMBERS, ("mov", "add", "relu", "lt")):
        build = partial(_map, ops=(op,), dtype="fp32", d=d, a=a)
        cases.append(Case(f"map {op} {d} of {a}", build))
    for dtype, d, a in product(CHAIN_INTS, (*INTS, "bool"), (*INTS, "bool")):
        build = partial(_map, ops=("mov",), dtype=dtype, d=d, a=a)
        cases.append(Case(f"map mov {d} of {a} in {dtype}", build))
    return cases


def chain_cases() -> list[Case]:
    """Chains of two and three stages."""
    cases = []
    floats, ints = stages_of("float"), stages_of("int")
    for op, turn in product(floats, range(16)):
        cases.append(Case(f"chain {op} float {turn}", partial(_chain, first=op, dtype="fp32")))
    for op, dtype, turn in product(ints, CHAIN_INTS, range(3)):
        cases.append(Case(f"chain {op} {dtype} {turn}", partial(_chain, first=op, dtype=dtype)))
    return cases


def _chain(batch: Batch, rng: Rng, first: str, dtype: str) -> None:
    others = stages_of("float" if dtype == "fp32" else "int")
    ops = [first, *(one(rng, others) for _ in range(int(rng.integers(1, 3))))]
    rng.shuffle(ops)
    _map(batch, rng, tuple(ops), dtype)


def stat_cases() -> list[Case]:
    """Second results."""
    cases = []
    for stat, op, turn in product(STATS, stages_of("float"), range(TURNS)):
        build = partial(_map, ops=(op,), dtype="fp32", stat=stat)
        cases.append(Case(f"stat {stat} of {op} {turn}", build))
    for stat, d, a in product(STATS, NUMBERS, NUMBERS):
        build = partial(_map, ops=("mov",), dtype="fp32", d=d, a=a, stat=stat)
        cases.append(Case(f"stat {stat} {d} of {a}", build))
    return cases


def place_cases() -> list[Case]:
    """Every operand in accumulators and as coordinates, of every type."""
    cases = []
    wide = [name for name in NUMBERS if load().dtypes[name].bits >= 8]
    places = [(at, "acc", t) for at in range(3) for t in ("fp32", "int32")]
    places += [(at, "iota", t) for at in range(3) for t in wide]
    for place, stat, turn in product(places, (None, "sum"), range(4)):
        build = partial(_map, ops=("madd",), dtype="fp32", stat=stat, place=place)
        cases.append(Case(f"place {place} {stat} {turn}", build))
        if place[2] in (*INTS, "bool") and stat is None:
            build = partial(_map, ops=("madd",), dtype=CHAIN_INTS[turn], place=place)
            cases.append(Case(f"place {place} in {CHAIN_INTS[turn]}", build))
    return cases
