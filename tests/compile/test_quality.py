"""Cycles, bytes and words of compiled programs are those that were written down."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from benchmarks import quality
from benchmarks.quality_rows import ROWS, Row

#: Rows that are compiled and timed in a moment.
QUICK = ("GEMM 4096^3", "matrix-vector 8192 x 28672", "gelu 4096 x 8192", "ResNet-50")

KEPT = json.loads(quality.KEPT.read_text("utf-8"))


@pytest.mark.parametrize("name", QUICK)
def test_counts_are_those_that_were_kept(name: str) -> None:
    (row,) = [row for row in ROWS if row.name == name]
    counts, _ = quality.measured(row)
    assert asdict(counts) == KEPT[name], "benchmarks/quality.py --update, if it is better"
    assert counts.cycles >= counts.bound


def test_all_rows_are_kept() -> None:
    assert [row.name for row in ROWS] == list(KEPT)


@pytest.mark.nightly
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_counts_of_all_rows_are_those_that_were_kept(row: Row) -> None:
    counts, _ = quality.measured(row)
    assert asdict(counts) == KEPT[row.name]
