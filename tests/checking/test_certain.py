"""What is counted whatever the data are, and what of a model is looked at: bodies and functions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from checking.models import mlp, model, node, saved, tensor, weight
from maiacc.checking.page import amount, document, lines, time_of
from maiacc.checking.survey import Survey, survey
from maiacc.frontend.load import load_model
from maiacc.frontend.options import settings_for
from maiacc_isa.machine import load_machine
from support import maiacc


def surveyed(made: onnx.ModelProto, *shapes: str) -> Survey:
    """The survey of a model on the default machine."""
    return survey(load_model(made), settings_for(made, shapes), load_machine("maia200"))


def text_of(found: Survey) -> str:
    """The report."""
    return "\n".join(lines(found, "net.onnx"))


def scalar(name: str, kind: int) -> onnx.ValueInfoProto:
    """An input of one element."""
    return helper.make_tensor_value_info(name, kind, [])


def looping(*more: onnx.ValueInfoProto) -> onnx.ModelProto:
    """x W as often as ``n`` says; ``n`` is 10 unless it is an input."""
    body = helper.make_graph(
        [node("MatMul", ["c", "w"], "d"), node("Identity", ["go"], "on")],
        "body",
        [scalar("i", TensorProto.INT64), scalar("go", TensorProto.BOOL), tensor("c", (4, 4))],
        [scalar("on", TensorProto.BOOL), tensor("d", (4, 4))],
    )
    made = model(
        [node("Loop", ["n", "", "x"], "y", body=body)], {"x": (4, 4)}, {"y": (4, 4)},
        [weight("w", 4, 4)],
    )  # fmt: skip
    made.graph.input.extend(more)
    if not more:
        made.graph.initializer.append(numpy_helper.from_array(np.array(10), "n"))
    return made


def branching(other: str) -> onnx.ModelProto:
    """x W, or another operator on x."""
    then = helper.make_graph([node("MatMul", ["x", "w"], "t")], "a", [], [tensor("t", (4, 4))])
    off = helper.make_graph([node(other, ["x"], "u")], "b", [], [tensor("u", (4, 4))])
    choice = node("If", ["k"], "y", then_branch=then, else_branch=off)
    made = model([choice], {"x": (4, 4)}, {"y": (4, 4)}, [weight("w", 4, 4)])
    made.graph.input.append(scalar("k", TensorProto.BOOL))
    return made


def test_turns_that_are_sure_are_counted() -> None:
    found = surveyed(looping())
    assert found.certain_macs == found.counted.macs == 10 * 64


def test_a_loop_that_nothing_limits_is_no_work_for_sure() -> None:
    found = surveyed(looping(scalar("n", TensorProto.INT64)))
    assert found.certain_macs == 0
    assert found.bound() == (found.moved / found.bandwidth, "hbm")
    assert "0 macs to no limit" in text_of(found)


def test_of_branches_the_cheapest_is_sure() -> None:
    found = surveyed(branching("Relu"))
    assert (found.certain_macs, found.counted.macs) == (0, 64)
    assert "0 macs to 64" in text_of(found)


def test_nodes_of_bodies_and_functions_are_looked_at() -> None:
    found = surveyed(branching("Bernoulli"))
    assert sum(found.nodes.values()) == 3
    assert "2 of 3 nodes" in text_of(found)
    inner = [node("Relu", ["a"], "m"), node("Bernoulli", ["m"], "b")]
    function = helper.make_function(
        "own", "Noise", ["a"], ["b"], inner, [helper.make_opsetid("", 20)]
    )
    made = model([node("Noise", ["x"], "y", domain="own")], {"x": (4,)}, {"y": (4,)})
    made.functions.append(function)
    made.opset_import.append(helper.make_opsetid("own", 1))
    assert surveyed(made).blocked == {"Bernoulli": 1}


def test_of_a_table_the_rows_are_read_and_of_an_unused_input_nothing() -> None:
    made = model([node("Gather", ["w", "i"], "y")], {}, {"y": (4, 256)}, [weight("w", 9000, 256)])
    made.graph.input.append(helper.make_tensor_value_info("i", TensorProto.INT64, [4]))
    made.graph.input.append(tensor("z", (1000, 1000)))
    found = surveyed(made)
    assert found.counted.weights >= 4 * 9000 * 256
    assert 2 * 4 * 4 * 256 + 8 * 4 <= found.moved < 9000


def test_figures_are_none_while_something_stands_in_the_way() -> None:
    found = document(surveyed(mlp("n")), "net.onnx")
    assert found["fits"] is found["macs"] is found["outputs"] is None
    assert set(found) == set(document(surveyed(mlp()), "net.onnx"))
    assert document(surveyed(mlp()), "net.onnx")["outputs"] == {"y": "fp32[8, 4]"}


def test_a_dimension_of_many_inputs_is_asked_for_once() -> None:
    made = model([node("Add", ["x", "z"], "y")], {"x": ("n", 2), "z": ("n", 2)}, {"y": ("n", 2)})
    text = text_of(surveyed(made))
    assert text.count("error[E1309]") == 1
    assert "1 more input" in text


def test_what_was_given_wrongly_comes_first() -> None:
    made = model([node("Add", ["x", "z"], "y")], {"x": ("n", 2), "z": ("n", 2)}, {"y": ("n", 2)})
    found = surveyed(made, "x=3x2", "z=4x2")
    assert [problem.code for problem in found.problems] == ["E1310", "E1304"]


def test_numbers_as_people_read_them() -> None:
    assert time_of(3e-11) == "0.03 ns"
    assert time_of(2.5e-6) == "2.5 us"
    assert amount(1 << 63) == "no limit"


def test_nothing_is_given_twice(tmp_path: Path) -> None:
    path = saved(mlp("n"), tmp_path)
    done = maiacc("check", path, "--shape", "n=3", "--shape", "n=4")
    assert done.code == 1
    assert "E1310" in done.err
    assert maiacc("check", path, "--shape", "n=3", "--shape", "n=3", "--json").code == 0


def test_the_passes_on_the_command_line(tmp_path: Path) -> None:
    path = saved(mlp("n"), tmp_path)
    refused = maiacc("ir", path)
    assert f"at        {path}" in refused.err
    listed = maiacc("ir", path, "--shape", "n=3", "--list")
    assert listed.out.splitlines()[0].split() == ["import", "5", "ops"]
    assert maiacc("ir", path, "--list", "--op", "/y").code == 1
    gone = maiacc("ir", path, "--shape", "n=3", "--op", "/none")
    assert "--after import" in gone.err
    text = tmp_path / "net.ir"
    text.write_text(maiacc("ir", path, "--shape", "n=3").out, "utf-8")
    assert maiacc("ir", str(text), "--shape", "n=4").code == 1
    assert maiacc("ir", str(text), "--diff", "import", "import").out == ""
    other = tmp_path / "net.bin"
    other.write_bytes(Path(path).read_bytes() + b"\xff")
    assert ".onnx" in maiacc("ir", str(other)).err


def test_operators_that_are_not_there() -> None:
    assert "no operator" in maiacc("ops", "zzz").out
    assert json.loads(maiacc("ops", "zzz", "--json").out)["operators"] == []
    assert maiacc("ops", "zzz", "--markdown").code == 1
