"""Rows 21 to 38: data in files beside the model, or elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from frontend.bad_models import Memory, bad, good, model, node, relu, rows, value
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module

ENTRIES = tuple[tuple[str, str], ...]


def outside(location: str = "w.bin", **facts: str) -> TensorProto:
    """fp32[4] in a file."""
    proto = TensorProto(name="the_weight", data_type=TensorProto.FLOAT, dims=[4])
    proto.data_location = TensorProto.EXTERNAL
    for key, text in (("location", location), *facts.items()):
        proto.external_data.add(key=key, value=text)
    return proto


def _file(folder: Path, name: str = "w.bin", size: int = 16) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(np.arange(size // 4, dtype="<f4").tobytes() + bytes(size % 4))
    return path


def added(proto: TensorProto) -> onnx.ModelProto:
    """x + the weight."""
    return model(node("Add", "x the_weight", "y"), weights=[proto])


def _at(location: str, **facts: str) -> Callable[[Path], onnx.ModelProto]:
    """A weight at a place, with a good file beside the model."""

    def make(folder: Path) -> onnx.ModelProto:
        _file(folder)
        return added(outside(location, **facts))

    return make


def _link(folder: Path) -> onnx.ModelProto:
    (folder / "w.bin").symlink_to(_file(folder.parent, "elsewhere.bin"))
    return added(outside())


def _link_inside(folder: Path) -> onnx.ModelProto:
    (folder / "w.bin").symlink_to(_file(folder, "data/real.bin"))
    return added(outside())


def _linked_folder(folder: Path) -> onnx.ModelProto:
    path = _file(folder.parent, "other/w.bin")
    (folder / "data").symlink_to(path.parent, target_is_directory=True)
    return added(outside("data/w.bin"))


def _cache(folder: Path) -> Path:
    """The layout of Hugging Face's cache: files are links to blobs."""
    home, blobs = folder / "snapshots" / "abc" / "onnx", folder / "blobs"
    home.mkdir(parents=True)
    _file(folder, "blobs/0001")
    (blobs / "0002").write_bytes(added(outside()).SerializeToString())
    (home / "w.bin").symlink_to("../../../blobs/0001")
    (home / "model.onnx").symlink_to("../../../blobs/0002")
    return home / "model.onnx"


def _hard_link(folder: Path) -> onnx.ModelProto:
    os.link(_file(folder.parent, "hard.bin"), folder / "w.bin")
    return added(outside())


def _special(make: Callable[[Path], Any]) -> Callable[[Path], onnx.ModelProto]:
    def made(folder: Path) -> onnx.ModelProto:
        make(folder / "w.bin")
        return added(outside())

    return made


def _twice(folder: Path) -> onnx.ModelProto:
    _file(folder)
    proto = outside(offset="0")
    proto.external_data.add(key="offset", value="4")
    return added(proto)


def _short(folder: Path) -> onnx.ModelProto:
    _file(folder, size=15)
    return added(outside())


def _overlapping(folder: Path) -> onnx.ModelProto:
    _file(folder, size=24)
    second = outside(offset="8", length="16")
    second.name = "second"
    made = model(node("Add", "the_weight second", "y"), weights=[outside(), second])
    del made.graph.input[:]
    return made


def _sum(module: Module, folder: Path) -> None:
    assert evaluate(module, {})["y"].tolist() == [2, 4, 6, 8]


def _read(module: Module, folder: Path) -> None:
    found = evaluate(module, {"x": np.ones(4, np.float32)})
    assert found["y"].tolist() == [1, 2, 3, 4]


def _changed(how: Callable[[Path], Any]) -> Callable[[Module, Path], None]:
    """The file is another one when it is read."""

    def after(module: Module, folder: Path) -> None:
        how(folder / "w.bin")
        try:
            _read(module, folder)
        except IRError as problem:
            assert problem.code == "E1405"
        else:
            raise AssertionError("the file was read")

    return after


def _rewrite(path: Path) -> None:
    os.utime(path, ns=(0, 0))


def _replace(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def _both(folder: Path) -> onnx.ModelProto:
    _file(folder)
    proto = outside()
    proto.raw_data = bytes(16)
    return added(proto)


# ---- tensors that are no initializers of the model ---------------------------------------------
BAD = outside("../x")


def _attribute(folder: Path) -> onnx.ModelProto:
    return model(node("Constant", "", "y", value=BAD))


def _sparse(values: TensorProto, indices: TensorProto) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=values, indices=indices, dims=[10])


def _sparse_value(folder: Path) -> onnx.ModelProto:
    good_values = helper.make_tensor("v", TensorProto.FLOAT, [4], [1, 2, 3, 4])
    indices = TensorProto(data_type=TensorProto.INT64)
    indices.MergeFrom(outside("../x"))
    indices.data_type = TensorProto.INT64
    return model(node("Constant", "", "y", sparse_value=_sparse(good_values, indices)))


def _sparse_initializer(folder: Path) -> onnx.ModelProto:
    made = model(relu())
    indices = helper.make_tensor("i", TensorProto.INT64, [4], [0, 1, 2, 3])
    made.graph.sparse_initializer.append(_sparse(BAD, indices))
    return made


def branch(*nodes: onnx.NodeProto, weights: Any = (), output: str = "b") -> onnx.GraphProto:
    """The body of an If."""
    return helper.make_graph(nodes, "body", [], [onnx.ValueInfoProto(name=output)], list(weights))


def _body(folder: Path) -> onnx.ModelProto:
    fine = branch(node("Relu", "x", "b"))
    wrong = branch(node("Add", "x the_weight", "b"), weights=[BAD])
    return model(
        node("If", "c", "y", then_branch=fine, else_branch=wrong),
        inputs=[value("c", (), TensorProto.BOOL), value("x")],
    )


def _untaken(folder: Path) -> onnx.ModelProto:
    made = _body(folder)
    del made.graph.input[0]
    made.graph.initializer.append(helper.make_tensor("c", TensorProto.BOOL, [], [True]))
    return made


def _function(folder: Path) -> onnx.ModelProto:
    function = helper.make_function(
        "f", "F", ["a"], ["b"],
        [node("Constant", "", "k", value=BAD), node("Add", "a k", "b")],
        [helper.make_opsetid("", 21)],
    )  # fmt: skip
    return model(node("F", "x", "y", domain="f"), functions=[function], domains=["f"])


def _training(folder: Path) -> onnx.ModelProto:
    made = model(relu())
    made.training_info.add().algorithm.initializer.append(BAD)
    return made


CASES = rows(
    good("20c", "a good file", lambda folder: _at("w.bin")(folder), after=_read),
    good("20d", "in a folder below", lambda folder: (
        _file(folder, "a/b/w.bin", 32), added(outside("./a/b/w.bin", offset="0", length="16")))[1],
        after=_read),
    bad("21", "above the folder", "E1307", "the_weight ../../etc/hostname", _at("../../etc/hostname")),
    bad("22a", "up and down", "E1307", "the_weight a/../../x", _at("a/../../x")),
    bad("22b", "up and down again", "E1307", "the_weight", _at("a/../w.bin")),
    bad("23", "from the root", "E1307", "the_weight /etc/hostname", _at("/etc/hostname")),
    bad("24a", "from a drive", "E1307", "the_weight", _at("C:\\x")),
    bad("24b", "from a drive, with a slash", "E1307", "the_weight", _at("C:/x")),
    bad("24c", "on another computer", "E1307", "the_weight", _at("\\\\host\\share")),
    bad("24d", "up with a backslash", "E1307", "the_weight", _at("..\\x")),
    bad("25", "a link out of the folder", "E1307", "the_weight link", _link),
    good("25b", "a link inside the folder", _link_inside, after=_read),
    good("25c", "links as in Hugging Face's cache", _cache),
    bad("26", "a folder that is a link", "E1307", "the_weight link", _linked_folder),
    bad("27", "a hard link", "E1307", "the_weight hard", _hard_link),
    bad("28a", "nowhere", "E1307", "the_weight", _at("")),
    bad("28b", "the folder itself", "E1307", "the_weight", _at(".")),
    bad("28c", "a folder", "E1307", "the_weight plain", _special(Path.mkdir)),
    bad("28d", "a pipe", "E1307", "the_weight plain", _special(os.mkfifo)),
    bad("28e", "an endless name", "E1307", "the_weight", _at("x" * 100_000)),
    bad("28f", "a name with a slash behind it", "E1307", "the_weight", _at("w.bin/")),
    bad("29", "a zero byte", "E1307", "the_weight", _at("w.bin\0.txt")),
    bad("30a", "offset -1", "E1307", "the_weight offset", _at("w.bin", offset="-1")),
    bad("30b", "length -1", "E1307", "the_weight length", _at("w.bin", length="-1")),
    bad("30c", "offset 0x10", "E1307", "the_weight offset", _at("w.bin", offset="0x10")),
    bad("30d", "an offset in other digits", "E1307", "the_weight offset", _at("w.bin", offset="٣")),
    bad("30e", "an offset of 5,000 digits", "E1307", "the_weight offset",
        _at("w.bin", offset="9" * 5000)),
    bad("31", "length 2^50", "E1307", "the_weight 1125899906842624",
        _at("w.bin", length=str(1 << 50))),
    bad("31b", "a length that does not fit the shape", "E1307", "the_weight 16",
        _at("w.bin", length="12")),
    bad("32", "behind the end", "E1307", "the_weight outside", _at("w.bin", offset="1")),
    bad("33", "an unknown key", "E1307", "the_weight __class__", _at("w.bin", __class__="x")),
    bad("34", "a key twice", "E1307", "the_weight twice", _twice),
    bad("35", "no file", "E1307", "the_weight missing.bin", _at("missing.bin")),
    bad("35b", "no folder", "E1307", "the_weight path", lambda folder: Memory(added(outside()))),
    bad("36a", "a byte short", "E1307", "the_weight 15", _short),
    good("36b", "a file that gets shorter", _at("w.bin"),
         after=_changed(lambda path: os.truncate(path, 15))),
    good("36c", "a file that is written again", _at("w.bin"), after=_changed(_rewrite)),
    good("36d", "a file that becomes a link", _at("w.bin"), after=_changed(_replace)),
    good("37", "two weights in the same bytes", _overlapping, after=_sum),
    bad("38a", "in an attribute", "E1307", "the_node ../x", _attribute),
    bad("38b", "in a sparse attribute", "E1307", "the_node ../x", _sparse_value),
    bad("38c", "in a sparse initializer", "E1307", "the_weight ../x", _sparse_initializer),
    bad("38d", "in a body", "E1307", "the_weight ../x", _body),
    bad("38e", "in a body that is never run", "E1307", "the_weight ../x", _untaken),
    bad("38f", "in a function", "E1307", "the_node ../x", _function),
    good("38g", "in training_info, which is not read", _training),
    bad("38h", "in a file and in the model", "E1307", "the_weight raw_data", _both),
)  # fmt: skip
