"""Rows 66 to 71: functions, versions and domains, and declarations that contradict the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper

from frontend.bad_external import branch
from frontend.bad_models import bad, good, model, node, relu, rows, value
from maiacc.frontend.model import Settings
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module

BOOL, INT64 = TensorProto.BOOL, TensorProto.INT64


def function(
    name: str, *nodes: onnx.NodeProto, inputs: str = "a", outputs: str = "b", attributes: str = ""
) -> onnx.FunctionProto:
    """A function of the domain f."""
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("f", 1)]
    return helper.make_function(
        "f", name, inputs.split(), outputs.split(), nodes, opsets, attributes.split()
    )


def call(name: str, inputs: str, outputs: str, **attrs: Any) -> onnx.NodeProto:
    """A call of one."""
    return node(name, inputs, outputs, domain="f", **attrs)


def _calls(
    *functions: onnx.FunctionProto, node: onnx.NodeProto | None = None
) -> Callable[[Path], Any]:
    return lambda folder: model(node or call("F", "x", "y"), functions=functions, domains=["f"])


def _doubling(depth: int, last: onnx.NodeProto, branches: bool = False) -> list[onnx.FunctionProto]:
    """Functions each of which calls the next one twice."""
    found = [function(f"F{depth}", last)]
    for i in range(depth):
        twice = [call(f"F{i + 1}", "a", "m"), call(f"F{i + 1}", "m", "b")]
        if branches:
            sides = [branch(call(f"F{i + 1}", "a", "b")) for _ in range(2)]
            twice = [node("Cast", "a", "c", to=BOOL),
                     node("If", "c", "b", then_branch=sides[0], else_branch=sides[1])]  # fmt: skip
        found.append(function(f"F{i}", *twice))
    return found


def _opsets(*imports: tuple[str, int], op: onnx.NodeProto | None = None) -> Callable[[Path], Any]:
    def make(folder: Path) -> onnx.ModelProto:
        made = model(op or relu())
        del made.opset_import[:]
        made.opset_import.extend(helper.make_opsetid(*entry) for entry in imports)
        return made

    return make


def _ir(version: int) -> Callable[[Path], onnx.ModelProto]:
    def make(folder: Path) -> onnx.ModelProto:
        made = model(relu())
        made.ir_version = version
        return made

    return make


def _attribute(**fields: Any) -> Callable[[Path], onnx.ModelProto]:
    """A Clip of old with an attribute of such fields."""

    def make(folder: Path) -> onnx.ModelProto:
        made = model(node("Elu", "x", "y"))
        made.graph.node[0].attribute.add(**{"name": "alpha", **fields})
        return made

    return make


def _twice(folder: Path) -> onnx.ModelProto:
    made = model(node("Elu", "x", "y", alpha=1.0))
    made.graph.node[0].attribute.add(name="alpha", type=AttributeProto.FLOAT, f=2.0)
    return made


def _refers(name: str, **fields: Any) -> onnx.NodeProto:
    made = node("Elu", "a", "b")
    made.attribute.add(name="alpha", type=AttributeProto.FLOAT, ref_attr_name=name, **fields)
    return made


def _declared(
    shape: Sequence[int | str] | None, dtype: int = TensorProto.FLOAT, inner: bool = False
) -> Any:
    def make(folder: Path) -> onnx.ModelProto:
        made = model(node("Relu", "x", "m"), node("Abs", "m", "y"))
        if inner:
            made.graph.value_info.append(value("m", shape, dtype))
        else:
            made.graph.output[0].CopyFrom(value("y", shape, dtype))
        return made

    return make


def _two_sizes(folder: Path) -> onnx.ModelProto:
    return model(
        node("Concat", "x z", "y", axis=0), inputs=[value("x", ("n",)), value("z", ("n",))]
    )


def _is_elu(alpha: float) -> Callable[[Module, Path], None]:
    def after(module: Module, folder: Path) -> None:
        x = np.array([-1, 1, 2, 3], np.float32)
        assert abs(evaluate(module, {"x": x})["y"][0] - alpha * np.expm1(-1)) < 1e-6

    return after


def _overloads(folder: Path) -> onnx.ModelProto:
    functions = [function("F", node("Elu", "a", "b", alpha=v)) for v in (1.0, 3.0)]
    functions[1].overload = "other"
    made = model(call("F", "x", "y"), functions=functions, domains=["f"])
    made.graph.node[0].overload = "other"
    return made


_F = AttributeProto.FLOAT

CASES = rows(
    bad("63", "Ifs whose branches share what grows", "E1308", "large f.F0",
        _calls(*_doubling(30, node("Relu", "a", "b"), branches=True), node=call("F0", "x", "y"))),
    bad("66a", "a function that calls itself", "E1302", "f.F calls", _calls(function("F", call("F", "a", "b")))),
    bad("66b", "two that call each other", "E1302", "f.F calls f.G calls f.F", _calls(
        function("F", call("G", "a", "b")), function("G", call("F", "a", "b")))),
    bad("66c", "one that calls itself in a branch", "E1302", "f.F calls f.F", _calls(function(
        "F", node("Cast", "a", "c", to=BOOL), node("If", "c", "b", then_branch=branch(
            call("F", "a", "b")), else_branch=branch(node("Relu", "a", "b")))))),
    bad("66d", "2^30 calls", "E1308", "f.F0 1.61e+09",
        _calls(*_doubling(29, node("Relu", "a", "b")), node=call("F0", "x", "y"))),
    bad("66e", "2^1,000 calls", "E1308", "large",
        _calls(*_doubling(1000, node("Relu", "a", "b")), node=call("F0", "x", "y"))),
    good("66f", "2^8 calls", _calls(*_doubling(8, node("Relu", "a", "b")), node=call("F0", "x", "y"))),
    bad("66g", "40 functions deep", "E1308", "nested", _calls(
        *(function(f"F{i}", call(f"F{i + 1}", "a", "b")) for i in range(40)),
        function("F40", node("Relu", "a", "b")), node=call("F0", "x", "y"))),
    bad("66h", "two functions of one name", "E1302", "f.F same", _calls(
        function("F", node("Relu", "a", "b")), function("F", node("Abs", "a", "b")))),
    good("66i", "two overloads", _overloads, after=_is_elu(3)),
    bad("66j", "a function reads what is not there", "E1302", "'x'", _calls(
        function("F", node("Add", "a x", "b")))),
    bad("66k", "a function hands out what is not there", "E1302", "'F' 'b'", _calls(
        function("F", node("Relu", "a", "c")))),
    bad("66l", "an input twice", "E1302", "'F' a twice", _calls(
        function("F", node("Relu", "a", "b"), inputs="a a"))),
    bad("66m", "a body in a function reads an input that is left out", "E1302", "'y' left",
        _calls(function("F", node("Cast", "a", "c", to=BOOL), node(
            "If", "c", "b", then_branch=branch(node("Relu", "o", "b")),
            else_branch=branch(node("Relu", "a", "b"))), inputs="a o"))),
    bad("67a", "no version of ONNX", "E1302", "version", _opsets(("f", 1))),
    bad("67b", "two versions of ONNX", "E1302", "twice", _opsets(("", 21), ("ai.onnx", 20))),
    *(bad(f"67c{n}", f"opset {n}", "E1303", f"{n} 6 to 28", _opsets(("", n)))
      for n in (0, -1, 5, 9999)),
    bad("67d", "a domain that is not imported", "E1302", "the_node 'other'",
        _opsets(("", 21), op=node("Relu", "x", "y", domain="other"))),
    bad("67e", "a domain that nobody knows", "E1303", "the_node other.Relu",
        _opsets(("", 21), ("other", 1), op=node("Relu", "x", "y", domain="other"))),
    bad("67f", "version 0 of a domain", "E1302", "'other'", _opsets(("", 21), ("other", 0))),
    bad("67g", "an operator of a later version", "E1304", "the_node Gelu",
        _opsets(("", 13), op=node("Gelu", "x", "y"))),
    good("67h", "opset 6", _opsets(("", 6))),
    good("67i", "opset 28", _opsets(("", 28))),
    bad("68a", "IR version 0", "E1301", "version", _ir(0)),
    bad("68b", "IR version 999", "E1303", "999 3 to 14", _ir(999)),
    bad("68c", "IR version -1", "E1303", "-1", _ir(-1)),
    bad("69", "an operator that is not", "E1303", "the_node NoSuch maiacc ops",
        lambda folder: model(node("NoSuch", "x", "y"))),
    bad("70a", "an output of 5, not 4", "E1310", "the_node 'y' [5] [4]", _declared([5])),
    bad("70b", "an output of two axes", "E1310", "the_node 'y'", _declared([4, 1])),
    bad("70c", "an output of integers", "E1310", "the_node int64", _declared([4], INT64)),
    bad("70d", "an output of strings", "E1310", "the_node STRING", _declared([4], TensorProto.STRING)),
    bad("70e", "a value of 5, not 4", "E1310", "the_node 'm'", _declared([5], inner=True)),
    bad("70f", "a value of integers", "E1310", "the_node 'm'", _declared([4], INT64, inner=True)),
    good("70g", "an output of named size", _declared(["n"])),
    good("70h", "an output without a shape", _declared(None)),
    good("71a", "a size for two inputs", _two_sizes, settings=Settings(dims={"n": 3})),
    bad("71b", "a size of two values", "E1310", "'n' 3 4", _two_sizes,
        settings=Settings(shapes={"x": (3,), "z": (4,)})),
    bad("71c", "a size without a value", "E1309", "'n' 'x' --shape n=N", _two_sizes),
    bad("71d", "another shape than declared", "E1310", "'x' 4 5", lambda folder: model(relu()),
        settings=Settings(shapes={"x": (5,)})),
    bad("71e", "a negative size", "E1310", "'x' -3", _two_sizes, settings=Settings(dims={"n": -3})),
    bad("71f", "another rank than declared", "E1310", "'x' rank", lambda folder: model(relu()),
        settings=Settings(shapes={"x": (2, 2)})),
    bad("85a", "an attribute of another kind", "E1304", "the_node alpha FLOAT INT",
        lambda folder: model(node("Elu", "x", "y", alpha=1))),
    bad("85b", "a value of another kind than the attribute's", "E1302", "the_node 'alpha'",
        _attribute(type=_F, i=1)),
    bad("85c", "two values", "E1302", "the_node 'alpha'", _attribute(type=_F, f=1.0, i=1)),
    bad("85d", "no kind", "E1302", "the_node 'alpha'", _attribute(f=1.0)),
    bad("85e", "an attribute twice", "E1302", "the_node 'alpha' twice", _twice),
    bad("85f", "a reference outside of a function", "E1302", "the_node alpha",
        _attribute(type=_F, ref_attr_name="beta")),
    bad("85g", "a value and a reference", "E1302", "the_node alpha", _calls(
        function("F", _refers("beta", f=1.0), attributes="beta"))),
    bad("85h", "a reference to nothing", "E1302", "the_node beta", _calls(function("F", _refers("beta")))),
    good("85i", "a reference to what is not given", _calls(
        function("F", _refers("beta"), attributes="beta")), after=_is_elu(1)),
    good("85j", "a reference through two functions", _calls(
        function("G", _refers("gamma"), attributes="gamma"),
        function("F", (n := call("G", "a", "b"), n.attribute.add(
            name="gamma", type=_F, ref_attr_name="beta"))[0], attributes="beta")), after=_is_elu(1)),
    bad("85k", "an attribute that the operator has not", "E1304", "the_node beta alpha",
        lambda folder: model(node("Elu", "x", "y", beta=1.0))),
    bad("85l", "a tensor that is not there", "E1302", "the_node value", lambda folder: model(
        (n := node("Constant", "", "y"), n.attribute.add(
            name="value", type=AttributeProto.TENSOR))[0])),
    bad("85m", "two million integers", "E1308", "the_node axes", lambda folder: model(
        node("Squeeze", "x", "y", axes=[0] * 2_000_000)), seconds=4),
    bad("85n", "too many inputs", "E1304", "the_node inputs 3", lambda folder: model(
        node("Add", "x x x", "y"))),
    bad("85o", "too few inputs", "E1304", "the_node inputs", lambda folder: model(
        node("Add", "x", "y"))),
    bad("85p", "an input left out", "E1304", "the_node input 0", lambda folder: model(
        node("Add", "- x", "y"))),
    bad("85q", "a required attribute left out", "E1304", "the_node axis", lambda folder: model(
        node("Concat", "x x", "y"))),
    bad("85r", "a nameless attribute", "E1302", "the_node name", _attribute(name="", type=_F, f=1.0)),
)  # fmt: skip
