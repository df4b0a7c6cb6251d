"""Rows 51 to 65: graphs whose names do not fit together, and graphs that are very large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper

from frontend.bad_external import branch
from frontend.bad_models import Memory, bad, good, model, node, relu, rows, value, weight
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import Run
from maiacc_passes.ir.graph import Module

BOOL, INT64 = TensorProto.BOOL, TensorProto.INT64


def named(name: str, op: str, inputs: str, outputs: str, **attrs: Any) -> onnx.NodeProto:
    """A node with a name of its own."""
    made = node(op, inputs, outputs, **attrs)
    made.name = name
    return made


def _graph(*nodes: onnx.NodeProto, **more: Any) -> Callable[[Path], onnx.ModelProto]:
    return lambda folder: model(*nodes, **more)


def _outputs(count: int) -> Callable[[Path], onnx.ModelProto]:
    def make(folder: Path) -> onnx.ModelProto:
        made = model(relu())
        made.graph.node[0].output.extend(f"y{i}" for i in range(count - 1))
        return made

    return make


def _chain(length: int) -> Callable[[Path], onnx.ModelProto]:
    def make(folder: Path) -> onnx.ModelProto:
        made = model(outputs=[onnx.ValueInfoProto(name=f"v{length}")])
        made.graph.input[0].name = "v0"
        nodes = made.graph.node
        for i in range(length):
            nodes.add(op_type="Relu", input=[f"v{i}"], output=[f"v{i + 1}"])
        return made

    return make


def _fan_out(folder: Path) -> onnx.ModelProto:
    names = [f"a{i}" for i in range(10_000)]
    return model(
        *(named(name, "Relu", "x", name) for name in names), node("Max", " ".join(names), "y")
    )


def _one_weight(folder: Path) -> onnx.ModelProto:
    made = model(weights=[weight("w", [1, 2, 3, 4])], outputs=[onnx.ValueInfoProto(name="v100000")])
    made.graph.input[0].name = "v0"
    for i in range(100_000):
        made.graph.node.add(op_type="Add", input=[f"v{i}", "w"], output=[f"v{i + 1}"])
    return made


def _same(folder: Path) -> onnx.ModelProto:
    made = model(outputs=[value("x")], weights=[weight("x", [1, 2, 3, 4])])
    del made.graph.node[:]
    return made


def _twice_out(folder: Path) -> onnx.ModelProto:
    return model(relu(), outputs=[value("y"), value("y")])


def _names(*names: str) -> Callable[[Path], onnx.ModelProto]:
    """A graph, nodes and values with such names."""

    def make(folder: Path) -> onnx.ModelProto:
        made = model(outputs=[onnx.ValueInfoProto(name=names[-1])])
        made.graph.name = names[0]
        before = "x"
        for name in names:
            made.graph.node.add(op_type="Relu", name=name, input=[before], output=[name])
            before = name
        return made

    return make


def _refused_names(folder: Path) -> onnx.ModelProto:
    made = _names("\x1b[31mred\x07")(folder)
    made.graph.node[0].op_type = "\x1b[31mNone\x07"
    return made


def _ifs(depth: int, known: bool = False) -> onnx.ModelProto:
    """An If in the branches of an If, and so on."""
    inner = branch(node("Relu", "x", "b"))
    for _ in range(depth - 1):
        inner = branch(node("If", "c", "b", then_branch=inner, else_branch=branch(relu("b"))))
    made = model(
        node("If", "c", "y", then_branch=inner, else_branch=branch(relu("b"))),
        inputs=[value("c", (), BOOL), value("x")],
    )
    if known:
        del made.graph.input[0]
        made.graph.initializer.append(weight("c", True, "bool"))
    return made


def _deep(depth: int) -> Memory:
    """The same, deeper than a file can be."""
    made = model(relu())
    graph = made.graph
    for _ in range(depth):
        attribute = graph.node.add(op_type="If", input=["x"], output=["a"]).attribute.add()
        attribute.name, attribute.type = "then_branch", AttributeProto.GRAPH
        graph = attribute.g
        graph.output.add(name="x")
    return Memory(made)


def body(
    nodes: Sequence[onnx.NodeProto], inputs: Sequence[str], outputs: Sequence[str]
) -> onnx.GraphProto:
    """The body of a loop."""
    return helper.make_graph(
        nodes, "body",
        [onnx.ValueInfoProto(name=name) for name in inputs],
        [onnx.ValueInfoProto(name=name) for name in outputs],
    )  # fmt: skip


def _loop(folder: Path) -> onnx.ModelProto:
    """A loop that does not end."""
    graph = body([node("Add", "a a", "b")], ["i", "c", "a"], ["c", "b"])
    return model(
        node("Loop", "m t x", "y", body=graph),
        weights=[weight("m", (1 << 63) - 1, "int64"), weight("t", True, "bool")],
    )


def _runs_out(module: Module, folder: Path) -> None:
    try:
        Run(turns=1000).region(module.main, [np.ones(4, np.float32)])
    except IRError as problem:
        assert problem.code == "E1408"
    else:
        raise AssertionError("an endless loop ended")


def _loops(depth: int) -> onnx.ModelProto:
    """Loops in loops, each of which takes 60 turns and grows its value in each."""
    graph = body([node("Concat", "a x", "b", axis=0)], ["i", "c", "a"], ["c", "b"])
    for _ in range(depth - 1):
        inner = node("Loop", "m t a", "b", body=graph)
        graph = body([inner], ["i", "c", "a"], ["c", "b"])
    weights = [weight("m", 60, "int64"), weight("t", True, "bool")]
    return model(node("Loop", "m t x", "y", body=graph), inputs=[value("x", (1,))], weights=weights)


def _wrong_loop(
    inputs: str, outputs: str, *nodes: onnx.NodeProto, turns: int | None = 3
) -> Callable[[Path], onnx.ModelProto]:
    graph = body(nodes, inputs.split(), outputs.split())
    trip = [value("m", (), INT64)] if turns is None else []
    return lambda folder: model(
        node("Loop", "m t x", "y", body=graph),
        inputs=[value("x"), *trip],
        weights=[weight("t", True, "bool"), *([] if trip else [weight("m", turns, "int64")])],
    )


def _wrong_scan(graph: onnx.GraphProto, count: int = 1) -> Callable[[Path], onnx.ModelProto]:
    return lambda folder: model(
        node("Scan", "x x", "y z", body=graph, num_scan_inputs=count),
        outputs=[onnx.ValueInfoProto(name="y"), onnx.ValueInfoProto(name="z")],
    )


_A, _B = named("first", "Relu", "q", "p"), named("second", "Relu", "p", "q")
_ODD = ("a/b", "with space", 'quote"', "line\nbreak", "../up", "\x1b[31mred", "", "ü", "%")

CASES = rows(
    bad("51", "a circle", "E1302", "first 'q' second", _graph(_A, _B, node("Add", "q p", "y"))),
    bad("51b", "a node that reads itself", "E1302", "first", _graph(named("first", "Add", "x y", "y"))),
    bad("52", "nobody makes it", "E1302", "the_node 'z'", _graph(node("Relu", "z", "y"))),
    bad("53a", "an output twice", "E1302", "y twice", _twice_out),
    bad("53b", "a value is made twice", "E1302", "'y' second",
        _graph(named("first", "Relu", "x", "y"), named("second", "Abs", "x", "y"))),
    bad("53c", "a node makes a value twice", "E1302", "'y' twice", _graph(node("Split", "x", "y y"))),
    bad("53d", "a node makes an input", "E1302", "'x' twice", _graph(node("Relu", "x", "x"), relu())),
    bad("53e", "two inputs of one name", "E1302", "x twice",
        _graph(relu(), inputs=[value("x"), value("x")])),
    bad("53f", "two weights of one name", "E1302", "w twice",
        _graph(relu(), weights=[weight("w", 1), weight("w", 2)])),
    bad("53g", "a body makes what is there outside", "E1302", "'x' twice", lambda folder: model(
        node("If", "c", "y", then_branch=branch(node("Abs", "x", "x"), output="x"),
             else_branch=branch(relu("b"))), inputs=[value("c", (), BOOL), value("x")])),
    bad("54", "out of order", "E1302", "first 'b' second order",
        _graph(named("first", "Relu", "b", "y"), named("second", "Relu", "x", "b"))),
    bad("55a", "a node without outputs", "E1302", "the_node outputs", _graph(node("Relu", "x", ""), relu())),
    bad("55b", "a node of 10^5 outputs", "E1304", "the_node outputs 100000", _outputs(100_000)),
    bad("55c", "a node of 2 million outputs", "E1308", "outputs", _outputs(2_000_000), seconds=4),
    bad("56a", "an output that is not made", "E1302", "'z'",
        _graph(relu(), outputs=[onnx.ValueInfoProto(name="z")])),
    bad("56b", "an output of a body that is not made", "E1302", "'z'", lambda folder: model(
        node("If", "c", "y", then_branch=branch(relu("b"), output="z"), else_branch=branch(relu("b"))),
        inputs=[value("c", (), BOOL), value("x")])),
    good("57", "input, weight and output at once", _same),
    bad("57b", "no outputs", "E1302", "outputs",
        lambda folder: (m := model(relu()), m.graph.ClearField("output"))[0]),
    good("58a", "odd names", _names(*(name for name in _ODD if name))),
    bad("58b", "a name of 1 MB", "E1308", "long", _names("x" * 1_000_000)),
    good("58c", "a name of 16,000 characters", _names("n" * 16_000)),
    bad("58d", "names that paint", "E1303", "\\x1b[31mNone\\x07", _refused_names),
    bad("58e", "an operator without a name", "E1302", "the_node operator", _graph(node("", "x", "y"))),
    bad("59a", "a million nodes and one", "E1308", "nodes", _chain(1_000_001), seconds=10, megabytes=500),
    good("59b", "a chain of 50,000 nodes", _chain(50_000), seconds=6),
    good("60", "one value read 10,000 times", _fan_out),
    good("61", "one weight read 100,000 times", _one_weight, seconds=12),
    good("62a", "Ifs 10 deep", lambda folder: _ifs(10)),
    good("62b", "Ifs 31 deep", lambda folder: _ifs(31)),
    good("62c", "Ifs 31 deep, all decided", lambda folder: _ifs(31, known=True)),
    bad("62d", "Ifs 100 deep", "E1308", "nested", lambda folder: _deep(100)),
    bad("62e", "Ifs 1,000 deep", "E1308", "nested", lambda folder: _deep(1000)),
    good("64", "a loop that does not end", _loop, after=_runs_out),
    bad("64b", "loops in loops that grow", "E1308", "the_node operations", lambda folder: _loops(4), seconds=40),
    bad("65a", "a body of too few inputs", "E1302", "the_node body", _wrong_loop("i c", "c c")),
    bad("65b", "a body of too few outputs", "E1302 E1304", "the_node",
        _wrong_loop("i c a", "c")),
    bad("65c", "a body that changes the element type", "E1306", "the_node --bind m",
        _wrong_loop("i c a", "c b", node("Cast", "a", "b", to=INT64), turns=None)),
    bad("65d", "a condition that is no bool", "E1302 E1303 E1304", "the_node",
        _wrong_loop("i c a", "i a")),
    good("65e", "a scan of a state that grows", _wrong_scan(
        body([node("Concat", "s s", "t", axis=0)], ["s", "e"], ["t", "e"]))),
    bad("65f", "a scan of more than there is", "E1302 E1304", "the_node",
        _wrong_scan(body([], ["s", "e"], ["s", "e"]), 9)),
    bad("65g", "a scan of -1", "E1302 E1304", "the_node",
        _wrong_scan(body([], ["s", "e"], ["s", "e"]), -1)),
    bad("65h", "an If of two shapes", "E1303 E1304", "the_node", lambda folder: model(
        node("If", "c", "y", then_branch=branch(relu("b")),
             else_branch=branch(node("Concat", "x x", "b", axis=0))),
        inputs=[value("c", (), BOOL), value("x")])),
    bad("65i", "an If of too few outputs", "E1302 E1304", "the_node", lambda folder: model(
        node("If", "c", "y z", then_branch=branch(relu("b")), else_branch=branch(relu("b"))),
        inputs=[value("c", (), BOOL), value("x")], outputs=[onnx.ValueInfoProto(name="z")])),
)  # fmt: skip
