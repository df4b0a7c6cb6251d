"""Causal attention in blocks of rows."""

from __future__ import annotations

import numpy as np
import pytest

from compile.checks import inputs_of
from maiacc_passes import triangles
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.verify import verify
from maiacc_passes.triangles import Triangles

TEXT = """ir 1 graph
graph (%0: fp32[2, 4, {rows}, 8] "q", %1: fp32[2, 2, {keys}, 8] "k", \
%2: fp32[2, 2, {keys}, 6] "v"{mask}) -> ("y") {{
  %9 = attention(%0, %1, %2{given}) {{scale=0.5, groups=2, {attrs}}} : fp32[2, 4, {rows}, 6]
  return(%9)
}}
"""


def module(rows: int, keys: int, attrs: str, mask: str = "") -> Module:
    """One attention."""
    named = f', %3: {mask} "m"' if mask else ""
    given = ", %3" if mask else ""
    return parse_module(TEXT.format(rows=rows, keys=keys, attrs=attrs, mask=named, given=given))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triangles, "LEAST", 1)


@pytest.mark.parametrize(
    ("rows", "keys", "attrs", "blocks"),
    [
        (12, 12, "causal=true", 3),
        (13, 13, "causal=true", 4),
        (8, 20, "causal=true, offset=12", 2),
        (12, 12, "causal=true, window=2", 3),
        (12, 6, "causal=true, offset=-5, masked_zero=true", 3),
    ],
)
def test_blocks_see_the_same(rows: int, keys: int, attrs: str, blocks: int) -> None:
    before, after = module(rows, keys, attrs), module(rows, keys, attrs)
    assert Triangles(rows=4, keys=4).run(after) == 1
    verify(after)
    made = [op for op in after.main if op.name == "attention"]
    assert len(made) == blocks
    inputs = inputs_of(before, 0, False)
    wanted, found = (evaluate(x, inputs, lift=True)["y"] for x in (before, after))
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_the_first_block_sees_the_first_keys_only() -> None:
    after = module(12, 12, "causal=true")
    Triangles(rows=4, keys=4).run(after)
    seen = [op.operands[1] for op in after.main if op.name == "attention"]
    assert [value.type.shape[2] for value in seen if value is not None] == [4, 8, 12]


@pytest.mark.parametrize(
    ("rows", "attrs", "mask"),
    [
        (12, "causal=false", ""),
        (4, "causal=true", ""),
        (12, "causal=true", "fp32[1, 1, 12, 12]"),
    ],
)
def test_others_are_left(rows: int, attrs: str, mask: str) -> None:
    after = module(rows, 12, attrs, mask)
    assert Triangles(rows=4, keys=4).run(after) == 0
    assert [op.name for op in after.main][:-1] == ["attention"]
