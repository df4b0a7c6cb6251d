"""Words of the tensor unit: every pair of types, scales, sizes around blocks and registers."""

from __future__ import annotations

from functools import partial
from itertools import product
from math import prod

from maiacc_isa.load import load
from maiacc_isa.tables import Axis, Chain, Descriptor, Dim, Step
from native.batches import Batch, Case, Setting
from native.cases_scales import GROUP, SCALES, scaled
from native.choices import (
    FLOATS,
    TYPES,
    Rng,
    chain,
    chance,
    group_of,
    mood,
    one,
    rows_of,
    split,
)
from native.layouts import Want, factors

#: Rows, columns and depths around blocks of 8, registers and what is laid out at a time.
MS = (1, 2, 5, 6, 7, 8, 9, 13, 16, 17, 33)
NS = (1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 128)
KS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 255, 256, 257)

#: Bytes that one matrix may take, so that both and the results fit a tile.
MOST = 9_000

#: Iterations in which words are executed, for the mode ``first``.
TURNS = ((), (0,), (1,), (0, 0), (0, 2), (3, 0), (0, 1, 0))

BLOCK = 8
BLOCKS = 16

PAIRS = tuple((a, b, pair.acc) for pair in load().pairs for a, b in product(pair.left, pair.right))

Sizes = tuple[int, int, int]


def sizes(rng: Rng, a: str, b: str, multiple: int = 1) -> Sizes:
    """M, N and K that fit the accumulators and the memory of a tile."""
    while True:
        m, n, k = one(rng, MS), one(rng, NS), one(rng, KS)
        if chance(rng, 0.02):
            m, n, k = one(rng, ((0, n, k), (m, 0, k), (m, n, 0)))
        k += -k % multiple
        widths = TYPES[a].bits, TYPES[b].bits
        blocks = -(-m // BLOCK) * -(-n // BLOCK)
        if blocks <= BLOCKS and m * k * widths[0] <= 8 * MOST and n * k * widths[1] <= 8 * MOST:
            return m, n, k


def accumulators(batch: Batch, dtype: str, m: int, n: int) -> int:
    """A view of accumulators: rows are whole block rows apart."""
    rng = batch.rng
    pitch = -(-max(n, 1) // BLOCK) * BLOCK * 4
    room = BLOCKS * BLOCK * BLOCK * 4 - pitch * max(m, 1)
    base = 4 * BLOCK * int(rng.integers(room // (4 * BLOCK) + 1))
    kept = factors(rng, m)
    axes = [Axis(prod(kept), pitch), Axis(max(n, 1), 4)]
    dims = [Dim(size, 0, prod(kept[at + 1 :])) for at, size in enumerate(kept)]
    red = (n,)
    if n and n % BLOCK == 0 and chance(rng, 0.3):
        red = (n // BLOCK, BLOCK)  # type: ignore[assignment]
    dims += [Dim(size, 1, prod(red[at + 1 :])) for at, size in enumerate(red)]
    return batch.put(Descriptor("acc", dtype, base, tuple(axes), tuple(dims), len(kept)))


def matrix(
    batch: Batch, dtype: str, rows: int, k: int, scales: int | None = None, meta: int | None = None
) -> int:
    """A matrix whose last dims are reduced."""
    if scales is None and meta is None:
        return split(batch, dtype, (rows, k))
    return scaled(batch, dtype, (rows, k), scales, meta=meta)


def drained(batch: Batch, acc: int, dtype: str, m: int, n: int) -> None:
    """Stores accumulators as they are."""
    made = batch.chain(Chain("fp32", (Step("mov", ("a",)),)))
    d = batch.view(Want("tsram", dtype, (m,), (n,), "plain", writes=True))
    batch.word("ACCST", "DRN", chain=made, d=d, a=acc)


def _scales(batch: Batch, rng: Rng, pair: tuple[str, str], shape: Sizes) -> list[int | None]:
    """Scales of the two matrices, or of one, or none."""
    (a, b), (m, n, k) = pair, shape
    if a in FLOATS and b not in FLOATS:
        return [None, split(batch, one(rng, SCALES), (n, k // 16))]
    found: list[int | None] = [None, None]
    if k % GROUP == 0 and k and TYPES[a].bits <= 8 and a in FLOATS:
        which = one(rng, ((True, True), (True, False), (False, True), (False, False)))
        for at, rows in enumerate((m, n)):
            if which[at]:
                found[at] = split(batch, "e8m0", (rows, k // GROUP))
    return found


def _multiple(a: str, b: str, scaled_: bool) -> int:
    """What K is a multiple of."""
    if a in FLOATS and b not in FLOATS:
        return 16
    if scaled_:
        return GROUP
    return max({4: 2, 6: 4}.get(TYPES[t].bits, 1) for t in (a, b))


def _mode(rng: Rng, turn: tuple[int, ...]) -> dict[str, object]:
    """How a product meets the accumulators."""
    if not turn:
        return {"mode": one(rng, ("over", "acc"))}
    level = int(rng.integers(len(turn)))
    span = int(rng.integers(len(turn) - level + 1))
    return {"mode": "first", "level": level, "span": span}


def _multiply(
    batch: Batch, rng: Rng, a: str, b: str, acc: str, turn: tuple[int, ...], scaled_: bool
) -> None:
    batch.mood = one(rng, ("tame", "tame", "tame", "mixed", "wild"))
    shape = m, n, k = sizes(rng, a, b, _multiple(a, b, scaled_))
    if k == 0 and (a in FLOATS) != (b in FLOATS):
        shape = m, n, k = m, n, 16
    d = accumulators(batch, acc, m, n)
    if chance(rng, 0.4):
        kinds = ("int32",) if acc == "int32" else ("fp32", "bf16", "fp16")
        values = split(batch, one(rng, kinds), (m, n))
        batch.word("ACCLD", "TTU", d=d, a=values)
    for again in range(1 + chance(rng, 0.3)):
        scales = _scales(batch, rng, (a, b), shape)
        left, right = matrix(batch, a, m, k, scales[0]), matrix(batch, b, n, k, scales[1])
        mode = {"mode": "acc"} if again else _mode(rng, turn)
        batch.word("MM", "TTU", d=d, a=left, b=right, **mode)
    drained(batch, d, acc, m, n)


def _sparse(
    batch: Batch, rng: Rng, a: str, b: str, acc: str, turn: tuple[int, ...], scaled_: bool
) -> None:
    batch.mood = one(rng, ("tame", "tame", "mixed", "wild"))
    # Positions of a row fill whole bytes.
    multiple = max(_multiple(a, b, scaled_), 8)
    m, n, k = sizes(rng, a, b, multiple)
    shape = m, n, k = m, max(n, 1), max(k, multiple)
    d = accumulators(batch, acc, m, n)
    scales = _scales(batch, rng, (a, b), shape)
    meta = split(batch, "sp24", (n, k // 4), how=one(rng, ("plain", "gaps")))
    if n and chance(rng, 0.1):
        # A nibble that says nothing.
        image = batch.images[batch.owner("tsram")]
        image[batch.descriptors[meta].base] = int(rng.integers(256))
    left, right = matrix(batch, a, m, k, scales[0]), matrix(batch, b, n, k // 2, scales[1], meta)
    batch.word("MMSP", "TTU", d=d, a=left, b=right, **_mode(rng, turn))
    drained(batch, d, acc, m, n)


def product_cases() -> list[Case]:
    """Products of every pair of types, dense and sparse, plain and scaled, in every mode."""
    cases = []
    for (a, b, acc), turn, scaled_ in product(PAIRS, TURNS, (False, True)):
        setting = Setting(iteration=turn)
        for name, build, count in (("mm", _multiply, 8), ("mmsp", _sparse, 4)):
            for number in range(count if not turn else 1):
                made = partial(build, a=a, b=b, acc=acc, turn=turn, scaled_=scaled_)
                what = f"{name} {a} {b} {turn} {scaled_} {number}"
                cases.append(Case(what, made, setting))
    return cases


# ---- accumulators -------------------------------------------------------------------------------
DRAIN = tuple(s.name for s in load().stages.values() if s.drain)
RESULTS = load().insns["ACCST"].operand_by_name["d"].types or ()
SIDES = load().insns["ACCST"].operand_by_name["b"].types or ()


def _load(batch: Batch, rng: Rng, acc: str, a: str) -> None:
    batch.mood = mood(rng)
    m, n, _ = sizes(rng, a, a)
    d = accumulators(batch, acc, m, n)
    batch.word("ACCLD", "TTU", d=d, a=split(batch, a, (m, n)))
    drained(batch, d, acc, m, n)


def _drain(batch: Batch, rng: Rng, acc: str, d: str, ops: tuple[str, ...], stat: str) -> None:
    batch.mood = mood(rng)
    made = chain(rng, ops, "fp32", stat, drain=True)
    kinds = [one(rng, SIDES), one(rng, SIDES)][: max(made.inputs - 1, 0)]
    m, n, _ = sizes(rng, "fp32", "fp32", group_of([d]))
    n += -n % group_of([d])
    while -(-m // BLOCK) * -(-n // BLOCK) > BLOCKS:
        m -= 1
    source = accumulators(batch, acc, m, n)
    if chance(rng, 0.5):
        kind = "int32" if acc == "int32" else "fp32"
        batch.word("ACCLD", "TTU", d=source, a=split(batch, kind, (m, n)))
    fields = {name: split(batch, kind, (m, n)) for name, kind in zip("bc", kinds, strict=False)}
    if stat != "none":
        fields["e"] = rows_of(batch, "fp32", m, writes=True)
    result = split(batch, d, (m, n), writes=True)
    batch.word("ACCST", "DRN", chain=batch.chain(made), d=result, a=source, **fields)


def accumulator_cases() -> list[Case]:
    """Loads of accumulators, and drains through every stage to every type."""
    cases = []
    for acc, a, turn in product(("fp32", "int32"), ("fp32", "bf16", "fp16", "int32"), range(8)):
        if (acc == "int32") == (a == "int32"):
            build = partial(_load, acc=acc, a=a)
            cases.append(Case(f"accld {acc} {a} {turn}", build))
    for acc, d, stat in product(("fp32", "int32"), RESULTS, ("none", "sum", "max", "absmax")):
        for op in DRAIN:
            build = partial(_drain, acc=acc, d=d, ops=(op,), stat=stat)
            cases.append(Case(f"accst {acc} {d} {stat} {op}", build))
        for turn in range(6):
            build = partial(_drains, acc=acc, d=d, stat=stat)
            cases.append(Case(f"accst {acc} {d} {stat} chain {turn}", build))
    return cases


def _drains(batch: Batch, rng: Rng, acc: str, d: str, stat: str) -> None:
    ops = tuple(one(rng, DRAIN) for _ in range(int(rng.integers(2, 4))))
    _drain(batch, rng, acc, d, ops, stat)
