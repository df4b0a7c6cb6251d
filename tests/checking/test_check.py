"""``maiacc check``: exit codes, every blocker at once, and figures that follow from the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from checking.models import chain, mlp, model, node, saved, weight
from maiacc.checking.page import document, lines
from maiacc.checking.survey import Survey, survey
from maiacc.frontend.load import load_model
from maiacc.frontend.options import settings_for
from maiacc_isa.errors import MaiaccError
from maiacc_isa.machine import load_machine
from support import maiacc


def surveyed(made: onnx.ModelProto, *shapes: str, target: str = "maia200") -> Survey:
    """The survey of a model."""
    return survey(load_model(made), settings_for(made, shapes), load_machine(target))


def test_a_model_that_fits() -> None:
    found = surveyed(mlp())
    assert (found.exit_code, found.problems, found.fits) == (0, [], True)
    assert found.counted.macs == 8 * 16 * 32 + 8 * 32 * 4
    assert found.counted.weights == 4 * (16 * 32 + 32 + 32 * 4)
    assert found.moved == found.counted.weights + 4 * 8 * 16 + 4 * 8 * 4
    assert dict(found.composites) == {"silu": 1}
    seconds, side = found.bound()
    assert side == "hbm"
    assert seconds == pytest.approx(found.moved / found.bandwidth)


def test_every_blocker_is_named_at_once() -> None:
    nodes = [
        node("Bernoulli", ["x"], "r"),
        node("Relu", ["r"], "a"),
        node("RandomNormalLike", ["x"], "s"),
        node("NoSuchOperator", ["x"], "t"),
        node("Reshape", ["x", "k"], "u"),
        node("Concat", ["r", "s"], "y", axis=0),
    ]
    made = model(nodes, {"x": (2, "n"), "z": ("m",)}, {"y": (4, 3)}, [weight("k", 2)])
    found = surveyed(made, "n=3")
    codes = sorted(problem.code for problem in found.problems)
    assert codes.count("E1303") == 3
    assert "E1309" in codes
    assert {p.node for p in found.problems if p.code == "E1303"} == {"/r", "/s", "/t"}
    assert found.exit_code == 1
    text = "\n".join(lines(found, "net.onnx"))
    for part in ("Bernoulli", "RandomNormalLike", "NoSuchOperator", "'m'", "3 of 6 nodes"):
        assert part in text


def test_unsupported_operators_alone_exit_with_two() -> None:
    made = model([node("Bernoulli", ["x"], "y")], {"x": (2,)}, {"y": (2,)})
    assert surveyed(made).exit_code == 2


def test_what_does_not_fit_names_the_largest() -> None:
    found = surveyed(mlp("n"), "n=200000", target="mini")
    assert found.exit_code == 3
    assert not found.fits
    text = "\n".join(lines(found, "net.onnx"))
    assert "does not fit" in text
    assert "fp32[200000, 32]" in text


@pytest.mark.parametrize(
    ("shape", "code"), [("n=x", "E1310"), ("q=3", "E1310"), ("x=3", "E1310"), ("x=3x17", "E1310")]
)
def test_shapes_that_do_not_fit_the_model(shape: str, code: str) -> None:
    made = mlp("n")
    try:
        found = surveyed(made, shape)
    except MaiaccError as problem:
        assert problem.code == code
    else:
        assert [problem.code for problem in found.problems] == [code]


def test_values_that_are_bound_are_part_of_the_model() -> None:
    nodes = [node("ReduceSum", ["x", "axes"], "y", keepdims=0)]
    made = model(nodes, {"x": (2, 3)}, {"y": (2,)})
    made.graph.input.append(onnx.helper.make_tensor_value_info("axes", onnx.TensorProto.INT64, [1]))
    found = survey(load_model(made), settings_for(made), load_machine("mini"))
    assert [problem.code for problem in found.problems] == ["E1306"]
    assert "--bind axes=" in str(found.problems[0].hint)
    bound = settings_for(made, binds=["axes=[1]"])
    found = survey(load_model(made), bound, load_machine("mini"))
    assert found.exit_code == 0
    assert found.module.inputs == ["x"]
    for wrong in ("axes=[1.5]", "axes=[[1]]", "axes", "other=1", "axes=[1"):
        with pytest.raises(MaiaccError, match=r"value|no input|fit|rank"):
            survey_of(made, wrong)


def survey_of(made: onnx.ModelProto, bind: str) -> None:
    """Surveys with a value bound; raises the first problem."""
    found = survey(load_model(made), settings_for(made, binds=[bind]), load_machine("mini"))
    for problem in found.problems:
        raise problem


def test_the_document_says_what_the_page_says(tmp_path: Path) -> None:
    path = saved(mlp("batch"), tmp_path)
    done = maiacc("check", path, "--shape", "batch=8", "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    own = document(surveyed(mlp()), path)
    assert found == json.loads(json.dumps(own))
    assert found["macs"] == 8 * 16 * 32 + 8 * 32 * 4
    assert found["ops"]["contract"]["ops"] == 2
    refused = maiacc("check", path, "--json")
    assert refused.code == 1
    assert json.loads(refused.out)["problems"][0]["code"] == "E1309"


def test_ten_thousand_nodes_are_looked_at_in_ten_seconds(tmp_path: Path) -> None:
    done = maiacc("check", saved(chain(10_000), tmp_path))
    assert done.code == 0, done.err
    assert done.cpu_seconds < 20
    assert done.peak_bytes < 600 << 20
