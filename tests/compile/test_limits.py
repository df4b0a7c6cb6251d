"""The limits that the compiler keeps to are those of the tables, which it may not read."""

from __future__ import annotations

import pytest

from maiacc_isa.load import load
from maiacc_passes.kernel import limits
from maiacc_passes.schedule import flow

ISA = load()


@pytest.mark.parametrize(
    ("name", "mine"),
    [
        ("axes", limits.AXES),
        ("dims", limits.DIMS),
        ("terms", limits.TERMS),
        ("stages", limits.STAGES),
        ("dma_bytes", limits.DMA_BYTES),
        ("mx_group", limits.GROUP),
        ("topk", limits.TOPK),
        ("mm_k", limits.SUM),
    ],
)
def test_a_limit_is_that_of_the_table(name: str, mine: int) -> None:
    assert ISA.limits[name].value == mine


@pytest.mark.parametrize(
    ("record", "name", "below"),
    [
        ("dim", "size", limits.SIZE),
        ("dim", "step", limits.STEP),
        ("axis", "start", limits.START),
        ("axis", "extent", limits.EXTENT),
    ],
)
def test_a_field_has_room_for_what_lies_below_the_limit(record: str, name: str, below: int) -> None:
    (field,) = [f for f in ISA.records[record].fields if f.name == name]
    bits = field.high - field.low + 1 - (field.kind.base == "s")
    assert below <= 1 << bits


def test_a_word_has_as_many_operands_waits_and_posts() -> None:
    fields = ISA.records["word_engine"].fields
    operands = [f for f in fields if f.kind.base == "desc" and "operand" in f.doc]
    assert len(operands) == limits.INPUTS
    for kind in ("wait", "post"):
        assert len([f for f in fields if f.name.startswith(kind)]) == limits.TOKENS


def test_blocks_are_cut_before_they_are_full() -> None:
    assert ISA.limits["descriptors"].value > flow.DESCRIPTORS
    assert ISA.limits["chains"].value > flow.CHAINS
