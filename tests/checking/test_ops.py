"""``maiacc ops`` and the page made from the same table."""

from __future__ import annotations

import json

import pytest
from onnx import defs

from conftest import ROOT
from maiacc.checking.operators import page, support
from maiacc.frontend.registry import ENTRIES, REFUSED
from maiacc_isa.errors import MaiaccError
from support import maiacc


def test_the_page_is_fresh() -> None:
    assert (ROOT / "docs" / "operators.md").read_text("utf-8") == page()


def test_every_operator_is_supported_or_refused_with_a_way_out() -> None:
    for row in support():
        assert row.how in ("native", "body", "refused"), row
        assert row.how != "refused" or (row.reason and row.way_out)


@pytest.mark.parametrize("opset", [6, 7, 11, 13, 17, 20, 23, 28])
def test_no_opset_has_an_operator_that_is_forgotten(opset: int) -> None:
    missing = [row.name for row in support(opset) if row.how == "missing"]
    assert not missing


def test_importers_are_of_operators_that_exist() -> None:
    known = {schema.name for schema in defs.get_all_schemas() if not schema.domain}
    support()
    # onnxruntime writes these into the default domain.
    extra = {"SimplifiedLayerNormalization"}
    assert {name for domain, name in ENTRIES if not domain} <= known | extra
    # What old exporters wrote, and was never part of a version, is refused by name, too.
    assert {"Bernoulli", "ImageDecoder", "ATen"} <= {name for domain, name in REFUSED if not domain}


def test_opsets_that_are_not_read() -> None:
    with pytest.raises(MaiaccError, match="opset 5"):
        support(5)
    assert maiacc("ops", "--opset", "99").code == 1


def test_the_command_lists_and_counts() -> None:
    done = maiacc("ops", "gemm", "--json")
    names = {row["name"] for row in json.loads(done.out)["operators"]}
    assert "Gemm" in names
    assert "native" in maiacc("ops", "Conv").out
