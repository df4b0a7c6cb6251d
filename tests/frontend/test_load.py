"""Models are read from files: what is read, how much of it, and how large models stay cheap."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from frontend.bad_external import added, outside
from frontend.bad_models import model, node, relu, simple, value, weight
from maiacc.frontend.load import load_model
from maiacc.frontend.model import import_model
from maiacc_isa.errors import ErrorList, MaiaccError
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.weights import Bytes, Data
from support import run


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(simple().SerializeToString())
    loaded = load_model(path)
    assert loaded.model == simple()
    assert (loaded.folder, loaded.file, loaded.notes) == (tmp_path, str(path), ())


def test_a_model_in_memory() -> None:
    loaded = load_model(simple())
    assert (loaded.folder, loaded.file) == (None, "")


def test_what_an_exporter_hands_over() -> None:
    class Program:
        model_proto = simple()

    assert load_model(Program()).model is Program.model_proto


@pytest.mark.parametrize("thing", [None, 3, b"bytes", object()])
def test_what_is_no_model(thing: object) -> None:
    with pytest.raises(MaiaccError) as caught:
        load_model(thing)
    assert caught.value.code == "E1301"
    assert caught.value.found == type(thing).__name__


def test_training_is_noted_and_left_aside() -> None:
    made = simple()
    made.training_info.add()
    (note,) = load_model(made).notes
    assert "training_info" in note


def test_all_that_is_wrong_with_versions_is_told_at_once(tmp_path: Path) -> None:
    made = model(relu(), opset=99)
    made.opset_import.add(domain="", version=4)
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(ErrorList) as caught:
        load_model(path)
    assert [problem.code for problem in caught.value.errors] == ["E1303", "E1302", "E1303"]
    assert all(problem.place is not None for problem in caught.value.errors)


def test_raw_data_are_not_copied_again() -> None:
    module = import_model(model(node("MatMul", "x w", "y"), weights=[weight("w", np.ones((4, 4)))]))
    source = module.weights["w"].source
    assert isinstance(source, Data)
    assert not source.value.flags.owndata


def test_external_data_are_mapped_and_only_when_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    path = tmp_path / "m.onnx"
    path.write_bytes(added(outside()).SerializeToString())
    loaded = load_model(path)
    module = import_model(loaded.model, folder=loaded.folder)
    source = module.weights["the_weight"].source
    assert isinstance(source, Bytes)
    assert source.path == str(tmp_path / "w.bin")
    assert evaluate(module, {"x": np.zeros(4, np.float32)})["y"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("offset", [0, 1, 3])
@pytest.mark.parametrize(
    ("dtype", "number", "expected"),
    [
        (TensorProto.FLOAT, b"\0\0\x80\x3f", 1.0),
        (TensorProto.FLOAT16, b"\0\x3c", 1.0),
        (TensorProto.BFLOAT16, b"\x80\x3f", 1.0),
        (TensorProto.INT4, b"\xf1", 1.0),
        (TensorProto.BOOL, b"\1", 1.0),
        (TensorProto.FLOAT8E4M3FN, b"\x38", 1.0),
        (TensorProto.INT64, b"\1" + bytes(7), 1.0),
    ],
)
def test_external_data_of_every_width(
    tmp_path: Path, dtype: int, number: bytes, expected: float, offset: int
) -> None:
    """Elements need not be aligned in their file."""
    (tmp_path / "w.bin").write_bytes(bytes(offset) + number)
    proto = outside(offset=str(offset))
    proto.data_type = dtype
    proto.dims[:] = [1]
    made = model(node("Identity", "the_weight", "y"), weights=[proto])
    del made.graph.input[:]
    assert float(evaluate(import_model(made, folder=tmp_path), {})["y"][0]) == expected


def test_a_body_that_is_repeated_has_its_constants_once() -> None:
    """A loop that is written out shares the weights in its body."""
    inner = onnx.helper.make_graph(
        [node("Concat", "a k", "b", axis=0)], "body",
        [onnx.ValueInfoProto(name=name) for name in ("i", "c", "a")],
        [onnx.ValueInfoProto(name=name) for name in ("c", "b")],
        [weight("k", np.zeros(1 << 20))],
    )  # fmt: skip
    loop = node("Loop", "m t x", "y", body=inner)
    weights = [weight("m", 20, "int64"), weight("t", True, "bool")]
    module = import_model(model(loop, weights=weights))
    assert len({name for name in module.weights if name.startswith("k")}) == 1


def _large(folder: Path, layers: int = 100, width: int = 2600) -> Path:
    """A chain of products of 2.7 GB, in a file of zeros that takes no room."""
    size = width * width * 4
    with open(folder / "weights.bin", "wb") as file:
        file.truncate(layers * size)
    made = model(inputs=[value("v0", (1, width))], outputs=[value(f"v{layers}", (1, width))])
    for i in range(layers):
        made.graph.node.add(op_type="MatMul", input=[f"v{i}", f"w{i}"], output=[f"v{i + 1}"])
        proto = outside("weights.bin", offset=str(i * size), length=str(size))
        proto.name = f"w{i}"
        proto.dims[:] = [width, width]
        made.graph.initializer.append(proto)
    path = folder / "large.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def test_a_model_of_2700_megabytes_is_imported_at_once(tmp_path: Path) -> None:
    """In less than 5 seconds and 300 MB, all of Python included."""
    path = _large(tmp_path)
    code = (
        "from maiacc.frontend.load import load_model\n"
        "from maiacc.frontend.model import import_model\n"
        "import sys\n"
        "loaded = load_model(sys.argv[1])\n"
        "module = import_model(loaded.model, folder=loaded.folder)\n"
        "print(sum(weight.type.bytes for weight in module.weights.values()))\n"
    )
    done = run([sys.executable, "-c", code, str(path)])
    assert done.code == 0, done.err
    assert int(done.out) == 2_704_000_000
    assert done.cpu_seconds < 5
    assert done.peak_bytes < 300e6


def test_a_large_list_of_floats_is_read_as_a_block() -> None:
    """Not element by element: half a million in no time."""
    proto = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[500_000])
    proto.float_data.extend([1.5] * 500_000)
    made: Any = model(node("Identity", "w", "y"), weights=[proto])
    del made.graph.input[:]
    source = import_model(made).weights["w"].source
    assert isinstance(source, Data)
    assert source.value.dtype == np.float32
    assert (source.value == 1.5).all()
