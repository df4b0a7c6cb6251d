"""Products of one operand with several weights."""

from __future__ import annotations

import numpy as np
import pytest

from compile.checks import inputs_of, module_of
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.verify import verify
from maiacc_passes.siblings import Siblings

TEXT = """ir 1 graph
weight @q : fp32[16, 32] = inline {q}
weight @k : fp32[16, 64] = splat 0.5
weight @b : fp32[32] = inline {b}
weight @c : fp32[64] = splat 2.0
graph (%0: fp32[8, 16] "x", %1: fp32[8, 16] "z") -> ("y0", "y1") {{
  %2 = contract({first}) {{spec="ab,bc->ac"{one}}} : {t}[8, 32]
  %3 = contract({second}) {{spec="ab,bc->ac"}} : fp32[8, 64]
  return(%2, %3)
}}
"""


def module(
    first: str = "%0, @q, @b", second: str = "%0, @k, @c", one: str = "", t: str = "fp32"
) -> Module:
    """Two products."""
    rng = np.random.default_rng(0)
    q, b = (f"[{', '.join(map(str, rng.integers(-3, 4, n).astype(float)))}]" for n in (16 * 32, 32))
    return parse_module(TEXT.format(q=q, b=b, first=first, second=second, one=one, t=t))


@pytest.mark.parametrize(("first", "second"), [("%0, @q, @b", "%0, @k, @c"), ("%0, @q", "%0, @k")])
def test_products_become_one_and_its_columns(first: str, second: str) -> None:
    before, after = module(first, second), module(first, second)
    assert Siblings(36).run(after) == 1
    verify(after)
    assert [op.name for op in after.main][:3] == ["contract", "slice", "slice"]
    assert next(iter(after.main)).result.type.shape == (8, 96)
    inputs = inputs_of(before, 0, False)
    wanted = evaluate(before, inputs)
    for name, array in evaluate(after, inputs).items():
        assert np.array_equal(array, wanted[name])
    assert Siblings(36).run(after) == 0


@pytest.mark.parametrize(
    "other",
    [
        {"second": "%1, @k, @c"},  # another operand
        {"second": "%0, @k"},  # only one has a bias
        {"one": ", to=bf16", "t": "bf16"},  # another type
    ],
)
def test_products_that_differ_stay_apart(other: dict[str, str]) -> None:
    assert Siblings(36).run(module(**other)) == 0


def test_products_with_work_for_all_tiles_stay_apart() -> None:
    assert Siblings(1).run(module()) == 0
    inputs = 'graph (%0: fp32[8, 16] "x", %1: fp32[16, 32] "w") -> ("y", "z") {\n'
    one = '  %{} = contract(%0, %1) {{spec="ab,bc->ac"}} : fp32[8, 32]\n'
    text = f"{inputs}{one.format(2)}{one.format(3)}  return(%2, %3)\n}}\n"
    assert Siblings(36).run(module_of(text)) == 0, "weights are constants"
