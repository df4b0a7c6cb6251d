"""Long sums over few results, dealt over clusters."""

from __future__ import annotations

import numpy as np
import pytest

from compile.checks import inputs_of, module_of
from maiacc.verifying.report import lines
from maiacc.verifying.verify import Asked
from maiacc.verifying.verify import verify as verified
from maiacc_isa.machine import load_machine
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.verify import verify
from maiacc_passes.splitting import SplitK

#: A product of some rows, what is summed, and columns; then a reduction of what is made of it.
TEXT = """graph (%0: {t}[{m}, {k}] "x", %1: {t}[{k}, {n}] "w", %2: fp32[{n}] "b") -> ("y", "z") {{
  %3 = contract(%0, %1, %2) {{spec="ab,bc->ac", to={to}}} : {to}[{m}, {n}]
  %4 = {last}
  return(%3, %4)
}}
"""

ROWS = "rsum(%3) {{axes=[1], keep=true}} : {to}[{m}, 1]"
ALONE = "relu(%3) : {to}[{m}, {n}]"


def text(
    m: int = 64, k: int = 2048, n: int = 768, t: str = "bf16", to: str = "fp32", last: str = ROWS
) -> str:
    """A module's text."""
    given = {"m": m, "k": k, "n": n, "t": t, "to": to}
    return TEXT.format(last=last.format(**given), **given)


@pytest.mark.parametrize(("t", "to"), [("bf16", "fp32"), ("fp32", "fp32"), ("bf16", "bf16")])
def test_parts_are_dealt_and_added(t: str, to: str) -> None:
    module, before = (module_of(text(t=t, to=to)) for _ in range(2))
    assert SplitK(36, 4).run(module) == 1
    verify(module)
    ops = {op.name: op for op in module.main}
    assert ops["contract"].attrs["spec"] == "adb,dbc->dac"
    assert ops["contract"].result.type.shape == (4, 64, 768)
    assert list(ops)[:4] == ["reshape", "contract", "rsum", "add"]
    inputs = inputs_of(before, 0, True)
    wanted = evaluate(before, inputs)
    for name, array in evaluate(module, inputs).items():
        assert np.array_equal(array, wanted[name]), "sums of whole numbers are exact"
    assert SplitK(36, 4).run(module) == 0


@pytest.mark.parametrize(
    "other",
    [
        text(last=ALONE),  # nobody reads rows: adding would be a kernel
        text(k=1024),  # too short
        text(k=2056),  # does not divide
        text(m=16),  # weights are all there is to load
        text(n=4096),  # every tile has work
        text(n=64),  # and too few would have
    ],
)
def test_sums_are_left_alone_where_it_does_not_pay(other: str) -> None:
    assert SplitK(36, 4).run(module_of(other)) == 0


def test_one_cluster_has_nothing_to_deal() -> None:
    assert SplitK(36, 1).run(module_of(text())) == 0


@pytest.mark.parametrize("whole", [False, True])
def test_a_split_product_is_verified(whole: bool) -> None:
    machine, source = load_machine("maia200"), text(n=256)
    inputs = inputs_of(module_of(source), 0, whole)
    found = verified(Asked(lambda: module_of(source), machine, inputs))
    assert not found.wrong, "\n".join(lines(found))
    assert found.compiled is not None
    assert any("contract" in line.ops and "add" not in line.ops for line in found.kernels)
