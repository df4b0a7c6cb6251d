"""``maiacc.compile`` and ``maiacc.Program``."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import maiacc
from compile.models import doubles, images, info, large, meaning, model, network
from house.run_programs import call
from maiacc_sim import tensors
from support import PATHS

SHAPES = {"batch": 5}


@pytest.fixture(scope="module")
def program() -> maiacc.Program:
    """The network on the smallest machine."""
    return maiacc.compile(network(), target="mini", shapes=SHAPES)


def test_a_model_is_a_path_a_proto_or_what_an_exporter_returns(
    program: maiacc.Program, tmp_path: Path
) -> None:
    path = tmp_path / "n.onnx"
    onnx.save(network(), str(path))
    x = images()
    wanted = meaning(network(), x)
    for given in (str(path), path, network(), SimpleNamespace(model_proto=network())):
        made = maiacc.compile(given, "mini", {"x": (5, 32)})
        assert made.code.blocks == program.code.blocks
        assert np.array_equal(made.run({"x": x}).outputs["y"], wanted)
    with pytest.raises(maiacc.MaiaccError) as refused:
        maiacc.compile(b"bytes", "mini")
    assert refused.value.code == "E1301"


def test_a_program_says_what_it_is(program: maiacc.Program) -> None:
    assert program.machine.name == "mini"
    assert {n: (t.dtype, t.shape) for n, t in program.inputs.items()} == {"x": ("fp32", (5, 32))}
    assert {n: (t.dtype, t.shape) for n, t in program.outputs.items()} == {"y": ("fp32", (5, 10))}
    assert program.stats is not None
    assert program.stats["nodes"] == 3
    assert maiacc.prove(program.code).proven


def test_it_is_saved_and_loaded(program: maiacc.Program, tmp_path: Path) -> None:
    program.save(tmp_path / "n.maia")
    loaded = maiacc.Program.load(tmp_path / "n.maia")
    x = images(seed=2)
    one, other = program.run({"x": x}), loaded.run({"x": x})
    assert np.array_equal(one.outputs["y"], other.outputs["y"])
    assert one.cycles == other.cycles
    assert loaded.stats is None
    loaded.save(tmp_path / "again.maia")
    assert (tmp_path / "n.maia").read_bytes() == (tmp_path / "again.maia").read_bytes()
    data = bytearray((tmp_path / "n.maia").read_bytes())
    data[data.find(np.float32(2).tobytes() * 1)] ^= 1
    (tmp_path / "n.maia").write_bytes(data)
    with pytest.raises(maiacc.MaiaccError) as refused:
        maiacc.Program.load(tmp_path / "n.maia")
    assert refused.value.code.startswith("E06")


def test_weights_are_mapped_once_however_often_it_runs() -> None:
    program = maiacc.compile(network(), "mini", SHAPES)
    mapped: Counter[str] = Counter()
    whole = tensors.load_weights

    def counted(*given: Any) -> None:
        mapped["times"] += 1
        whole(*given)

    with patch("maiacc_sim.native.machine.load_weights", counted):
        for seed in range(3):
            x = images(seed=seed)
            assert np.array_equal(program.run({"x": x}).outputs["y"], meaning(network(), x))
        assert mapped["times"] == 1
        timed = program.run(options=maiacc.Options(values=False))
    assert mapped["times"] == 1
    assert timed.cycles == program.run({"x": x}).cycles
    assert not timed.outputs


def test_everything_a_run_can_show(program: maiacc.Program, tmp_path: Path) -> None:
    result = program.run({"x": images()}, options=maiacc.Options(record=True))
    maiacc.write_trace(result.recording(), str(tmp_path / "t.pftrace"))
    assert (tmp_path / "t.pftrace").stat().st_size
    document = maiacc.document(result)
    assert document["macs"] == (program.stats or {})["macs_program"]
    assert {row["source"] for row in document["by_source"]} >= {"/down/MatMul"}
    reference = program.run({"x": images()}, options=maiacc.Options(engine="reference"))
    assert np.array_equal(reference.outputs["y"], result.outputs["y"])


def test_inputs_are_what_the_model_says(program: maiacc.Program) -> None:
    lists = program.run({"x": images().tolist()})
    assert np.array_equal(lists.outputs["y"], meaning(network(), images()))
    for given, code in (
        ({}, "E1201"),
        ({"x": images(), "z": images()}, "E1202"),
        ({"x": images(4)}, "E1203"),
        ({"x": images().astype(np.float64)}, "E1203"),
    ):
        with pytest.raises(maiacc.MaiaccError) as refused:
            program.run(given)
        assert refused.value.code == code
    with pytest.raises(maiacc.MaiaccError) as refused:
        program.run({"x": images()}, options=maiacc.Options(limits=maiacc.Limits(cycles=10)))
    assert refused.value.code == "E1206"


def test_outputs_have_the_types_of_the_model() -> None:
    node = helper.make_node("Add", ["x", "x"], ["y"], name="twice")
    ends = [info(name, [3], TensorProto.BFLOAT16) for name in "xy"]
    program = maiacc.compile(model([node], ends[:1], ends[1:]), "mini")
    x = np.array([1, -2, 0.5]).astype(ml_dtypes.bfloat16)
    found = program.run({"x": x}).outputs["y"]
    assert found.dtype == ml_dtypes.bfloat16
    assert found.astype(np.float32).tolist() == [2, -4, 1]


def test_values_of_inputs_become_part_of_the_program() -> None:
    node = helper.make_node("Reshape", ["x", "shape"], ["y"], name="r")
    ends = [info("x", [2, 3]), info("shape", [2], TensorProto.INT64)]
    proto = model([node], ends, [info("y", ["a", "b"])])
    with pytest.raises(maiacc.MaiaccError) as refused:
        maiacc.compile(proto, "mini")
    assert (refused.value.code, refused.value.exit_code) == ("E1306", 2)
    program = maiacc.compile(proto, "mini", values={"shape": [3, 2]})
    assert set(program.inputs) == {"x"}
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(program.run({"x": x}).outputs["y"], x.reshape(3, 2))


def test_layers_that_are_alike_are_counted_as_often_as_they_are_executed() -> None:
    rng = np.random.default_rng(0)
    weights: dict[str, Any] = {
        f"w{n}": rng.integers(-1, 2, (16, 16)).astype(np.float32) for n in range(6)
    }
    nodes = []
    for n in range(6):
        nodes.append(helper.make_node("MatMul", [f"x{n}", f"w{n}"], [f"m{n}"], name=f"/{n}/MatMul"))
        nodes.append(helper.make_node("Relu", [f"m{n}"], [f"x{n + 1}"], name=f"/{n}/Relu"))
    proto = model(nodes, [info("x0", [8, 16])], [info("x6", [8, 16])], weights)
    program = maiacc.compile(proto, "mini")
    assert program.stats is not None
    assert program.stats["macs_graph"] == 6 * 8 * 16 * 16
    x = rng.integers(-1, 2, (8, 16)).astype(np.float32)
    found = program.run({"x0": x})
    assert maiacc.document(found)["macs"] == program.stats["macs_program"]
    assert program.stats["macs_program"] % 6 == 0
    for weight in weights.values():
        x = np.maximum(x @ weight, 0)
    assert np.array_equal(found.outputs["x6"], x)


def test_refusals_are_errors_with_a_code_and_a_node() -> None:
    for made, options, code, exit_code, node in (
        (doubles, {}, "E1505", 2, "twice"),
        (large, {}, "E1503", 3, None),
        (network, {}, "E1309", 1, None),
        (network, {"shapes": SHAPES, "precision": "fp5"}, "E1506", 1, None),
        (network, {"shapes": SHAPES, "passes": ["none"]}, "E1413", 1, None),
        (network, {"shapes": {"batch": -1}}, "E1310", 1, None),
    ):
        with pytest.raises(maiacc.MaiaccError) as refused:
            maiacc.compile(made(), target="mini", **options)
        error = refused.value
        assert (error.code, error.exit_code) == (code, exit_code)
        assert error.node == node


def test_the_api_is_what_the_command_line_does(program: maiacc.Program, tmp_path: Path) -> None:
    onnx.save(network(), str(tmp_path / "n.onnx"))
    done = call(tmp_path, "compile", "n.onnx", "--target", "mini", "--shape", "batch=5")
    assert done.code == 0
    program.save(tmp_path / "api.maia")
    assert (tmp_path / "api.maia").read_bytes() == (tmp_path / "n.maia").read_bytes()


def test_importing_maiacc_stays_quick() -> None:
    code = "import maiacc, sys; sys.exit('onnx' in sys.modules or 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": PATHS}, check=False)
    assert done.returncode == 0
    assert {"compile", "Program", "CompileOptions"} <= set(dir(maiacc))
