"""Single words of every kind: types, sizes at edges, views, bit patterns; all bytes as the reference
leaves them, all traps as it says them, and none of the words that do not trap left to Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest

from maiacc_isa.load import load
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block
from native.batch_check import Outcome, check, tried
from native.batches import batches
from native.layouts import LAYOUTS, Want, lay
from native.shapes import FAMILIES, again, sample
from native.twin import Twin

#: How often the nightly script takes every case, and cases of one test.
TURNS, PART = 10, 4000

Seen = set[tuple[str, ...]]

#: Layouts in which every element has its own place.
NOTHING_SHARED = ("plain", "joined", "gaps", "turned", "skips", "back", "moved")

#: Families some of whose words trap.
TRAPPING = (
    "map", "chain", "stat", "place", "convert", "gather", "scatter", "assert", "product",
    "accumulator", "dma", "network", "sized",
)  # fmt: skip


def judged(family: str, outcome: Outcome) -> None:
    """What every run of cases of a family must leave."""
    assert not outcome.wrong, "\n".join(outcome.wrong[:40])
    assert outcome.words > 2 * sum(outcome.traps.values()) or family == "assert"
    assert outcome.traps or family not in TRAPPING


@pytest.mark.parametrize("family", FAMILIES)
def test_words_do_what_the_reference_does(family: str) -> None:
    judged(family, tried(sample(family)))


@pytest.mark.nightly
@pytest.mark.parametrize("turn", range(TURNS))
@pytest.mark.parametrize("family", FAMILIES)
def test_all_words_do_what_the_reference_does(family: str, turn: int) -> None:
    cases = [again(case, turn) for case in FAMILIES[family]()]
    total = Outcome()
    for first in range(0, len(cases), PART):
        total.add(tried(cases[first : first + PART]))
    judged(family, total)


# ---- what is tried ----------------------------------------------------------------------------


def features(block: Block) -> Iterator[tuple[str, ...]]:
    """What the words of a block have of what rows offer."""
    for word in block.words:
        for op in present_operands(word, block.chains):
            d = block.descriptors[word[op.name]]
            yield word.name, op.name, "type", d.dtype
            yield word.name, op.name, "space", d.space
            yield "home", d.home
            for what, there in (("drop", d.drop), ("scale", d.scale), ("meta", d.meta)):
                if there not in (None, False):
                    yield word.name, op.name, what
        for field in word.row.fields:
            if field.kind.base in ("enum", "flag") and not word.row.control:
                yield word.name, field.name, str(word[field.name])
    for chain in block.chains:
        family = "float" if load().dtypes[chain.dtype].is_float else "int"
        for number, step in enumerate(chain.steps):
            yield "stage", step.op, family
            for place, source in enumerate(step.inputs):
                yield "input", str(number), str(place), source
        yield "stat", chain.stat
        yield "in", chain.dtype


def wanted() -> Seen:
    """What rows offer. GRANT and BAR move nothing; every case is about one word that does."""
    spec = load()
    found: Seen = {("home", label.name) for label in spec.enums["home"].labels}
    for insn in spec.insns.values():
        if insn.control or not insn.operands:
            continue
        for op in insn.operands:
            found |= {(insn.name, op.name, "space", space) for space in op.spaces}
            found |= {(insn.name, op.name, "type", t) for t in op.types or ()}
        for field in insn.fields:
            if field.kind.base == "enum":
                labels = spec.enums[str(field.kind.table)].labels
                found |= {(insn.name, field.name, label.name) for label in labels}
            if field.kind.base == "flag":
                found |= {(insn.name, field.name, str(value)) for value in (True, False)}
    found |= {("stage", s.name, family) for s in spec.stages.values() for family in s.classes}
    found |= {("stat", label.name) for label in spec.enums["stat"].labels}
    # A scatter is never clamped.
    return found - {(name, "oob", "clamp") for name in ("SCATTER", "VSCATTER")}


def test_everything_that_rows_offer_is_tried() -> None:
    missing = wanted()
    for family in FAMILIES:
        for batch in batches(sample(family)):
            missing -= set(features(batch.block))
    assert not missing


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_made(layout: str) -> None:
    rng = np.random.default_rng(1)
    made = [lay(rng, Want("tsram", "fp32", (4,), (16,), layout)) for _ in range(20)]
    assert (len({str(p.descriptor) for p in made}) > 1) == (layout not in ("plain", "joined"))
    assert (min(p.size for p in made) >= 4 * 4 * 16) == (layout in NOTHING_SHARED)


# ---- the tests can fail -----------------------------------------------------------------------


@pytest.mark.parametrize("family", ["reduce", "product", "scatter", "network"])
def test_a_wrong_byte_is_blamed_on_its_word(family: str) -> None:
    """A word of the batch writes one byte more than it should."""
    batch = next(batches(sample(family)[:20]))
    execute = Twin.words

    def wrong(twin: Twin, block: Block, indices: list[int], *more: Any) -> None:
        execute(twin, block, indices, *more)
        if 9 in indices:
            for owner, pieces in twin.machine.memories.pieces.items():
                if owner == batch.owner("hbm" if family == "network" else "tsram"):
                    pieces[0].data[-1] ^= 1

    assert not check(batch).wrong
    with mock.patch.object(Twin, "words", wrong):
        blamed = [line for line in check(batch).wrong if line.startswith("  case")]
    assert len(blamed) == 1
    assert batch.cases[9] in blamed[0]


def test_words_left_to_python_are_noticed() -> None:
    (batch,) = batches(sample("select")[:20])
    with mock.patch("maiacc_sim.native.image.kernel_of", return_value=0):
        outcome = check(batch)
    assert any("Python executed" in line for line in outcome.wrong)


def test_other_traps_are_noticed() -> None:
    (batch,) = batches(sample("assert")[:10])
    assert check(batch).traps["assertion"]
    with mock.patch("native.batch_check.same_trap", return_value=["other"]):
        assert any("other" in line for line in check(batch).wrong)
