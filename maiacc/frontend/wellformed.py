"""Graphs whose names fit together: one pass over a model before anything is made of it.

Whatever a name stands for is made once, and before it is read. The pass takes time and memory in
proportion to the model, and trusts nothing that protobuf lets through.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from maiacc.frontend.attributes import attribute_problem
from maiacc.frontend.calls import MAIN, Calls, Key, key_of, title
from maiacc.frontend.header import header_problems, is_text, opset_problems
from maiacc.frontend.limits import DEPTH, ITEMS, NAME, NODES
from maiacc.frontend.tensors import check_tensor
from maiacc_isa.errors import MaiaccError, quote

#: So many problems are told of a model that is not well formed.
MOST = 20


def check_model(model: onnx.ModelProto, folder: Path | None = None) -> list[MaiaccError]:
    """What is wrong with a model that no operator has to be known for: E1301, E1302, E1303, E1307
    and E1308. External data are looked up in ``folder``."""
    problems = header_problems(model)
    if problems:
        return problems
    checker = _Checker(folder)
    with contextlib.suppress(_Enough):
        checker.model(model)
    return checker.problems


class _Enough(Exception):  # noqa: N818  ends the pass
    pass


@dataclass
class _Body:
    """A graph or a function at hand. ``names`` are what is made in it so far, ``outer`` those of
    the graphs around it; ``owner`` is the function it is in, ``attributes`` are that function's."""

    nodes: Sequence[onnx.NodeProto]
    names: set[str]
    outer: tuple[set[str], ...]
    owner: Key
    attributes: frozenset[str] | None

    def has(self, name: str) -> bool:
        """Whether a name means something here."""
        return name in self.names or any(name in names for names in self.outer)


class _Checker:
    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.problems: list[MaiaccError] = []
        self.left = NODES
        self.functions: set[Key] = set()
        self.calls = Calls()

    def wrong(
        self, message: str, node: str = "", found: str = "", hint: str = "", code: str = "E1302"
    ) -> None:
        """Notes a problem; leaves if there are many."""
        self.note(MaiaccError(code, message, node=node, found=found or None, hint=hint or None))

    def note(self, problem: MaiaccError) -> None:
        """The same of a problem that is told by others."""
        self.problems.append(problem)
        if len(self.problems) >= MOST:
            raise _Enough

    def text(self, what: str, *values: object, node: str = "") -> bool:
        """Whether names are ones."""
        for value in values:
            if not is_text(value):
                self.wrong(f"{what} is not UTF-8", node, repr(value)[:60])
                return False
            if len(str(value)) > NAME:
                self.wrong(f"{what} is too long", node, quote(str(value)), code="E1308")
                return False
        return True

    def count(self, what: str, number: int, most: int = ITEMS, node: str = "") -> None:
        """Leaves if there are too many of something."""
        if number > most:
            self.wrong(
                f"there are too many {what}", node, f"{number}, of at most {most}", "", "E1308"
            )
            raise _Enough

    # ---- models and functions ---------------------------------------------------------------
    def model(self, model: onnx.ModelProto) -> None:
        self.count("functions", len(model.functions), NODES)
        for function in model.functions:
            texts = (function.domain, function.name, function.overload)
            if not self.text("the name of a function", *texts):
                continue
            key = key_of(*texts)
            if key in self.functions or not function.name:
                self.wrong("two functions have the same name, or one has none", title(key))
            self.functions.add(key)
        for function in model.functions:
            self.function(function)
        if not len(model.graph.output):
            self.wrong("the model has no outputs")
        self.graph(model.graph, (), MAIN, None, 0)
        self.problems += [] if self.problems else self.calls.problems()

    def function(self, function: onnx.FunctionProto) -> None:
        called = f"function {function.name!r}"
        self.problems += opset_problems(function.opset_import, called)
        names = [*function.input, *function.output, *function.attribute]
        defaults = function.attribute_proto
        for part in (names, defaults):
            self.count(f"inputs, outputs or attributes of {called}", len(part))
        if not self.text(f"a name in {called}", *names, *(a.name for a in defaults)):
            return
        attributes = [*function.attribute, *(attribute.name for attribute in defaults)]
        self.unique(f"an attribute of {called}", attributes)
        for attribute in defaults:
            self.attribute(attribute, function.name, None)
        own = set(self.unique(f"an input of {called}", function.input))
        key = key_of(function.domain, function.name, function.overload)
        body = _Body(function.node, own, (), key, frozenset(attributes))
        self.body(body, 1)
        self.outputs(function.output, body, called)

    def unique(self, what: str, names: Iterable[str]) -> Iterable[str]:
        """Names, of which each is there once and none is empty."""
        seen: set[str] = set()
        for name in names:
            if name in seen or not name:
                self.wrong(f"{what} is there twice" if name else f"{what} has no name", name)
            seen.add(name)
        return seen

    # ---- graphs -----------------------------------------------------------------------------
    def graph(
        self,
        graph: onnx.GraphProto,
        outer: tuple[set[str], ...],
        owner: Key,
        attributes: frozenset[str] | None,
        depth: int,
    ) -> None:
        if depth > DEPTH:
            self.wrong(
                f"graphs are nested deeper than {DEPTH}", quote(str(graph.name)), code="E1308"
            )
            raise _Enough
        for what, part in (
            ("inputs", graph.input), ("outputs", graph.output), ("initializers", graph.initializer),
            ("sparse initializers", graph.sparse_initializer), ("value infos", graph.value_info),
        ):  # fmt: skip
            self.count(what, len(part), NODES)
        inputs = [info.name for info in graph.input]
        weights = [
            *(proto.name for proto in graph.initializer),
            *(proto.values.name for proto in graph.sparse_initializer),
        ]
        names = (*inputs, *weights, *(info.name for info in graph.output))
        if not self.text("the name of an input, output or initializer", *names):
            return
        for info in graph.input:
            sizes = (dim.dim_param for dim in info.type.tensor_type.shape.dim)
            self.text(f"the name of a size of input {info.name!r}", *sizes)
        body = _Body(graph.node, set(self.unique("an input", inputs)), outer, owner, attributes)
        body.names |= set(self.unique("an initializer", weights))
        # Those of the model itself are all made into constants, and checked by that.
        if depth or owner != MAIN:
            for proto in graph.initializer:
                self.tensor(proto, "")
        for sparse in graph.sparse_initializer:
            self.tensor(sparse.values, "")
            self.tensor(sparse.indices, "")
        self.body(body, depth)
        outputs = [info.name for info in graph.output]
        if not depth and owner == MAIN:
            self.unique("an output of the model", outputs)
        self.outputs(outputs, body, "the graph")

    def outputs(self, names: Iterable[str], body: _Body, who: str) -> None:
        """What is handed out has to be there."""
        for name in names:
            if not body.has(name):
                self.wrong(f"{who} hands out {name!r}, which no node makes", name)

    def body(self, body: _Body, depth: int) -> None:
        self.left -= len(body.nodes)
        if self.left < 0:
            self.count("nodes", NODES - self.left, NODES)
        for number, node in enumerate(body.nodes):
            called = f"node {number}"
            texts = (node.name, node.op_type, node.domain, node.overload)
            sides = (("inputs", node.input), ("outputs", node.output))
            for what, names in sides:
                self.count(f"{what} of {called}", len(names))
            if not self.text("a name of a node", *texts, *node.input, *node.output, node=called):
                raise _Enough
            called = node.name or next(filter(None, node.output), node.op_type) or called
            facts = (text for fact in node.metadata_props for text in (fact.key, fact.value))
            if not all(map(is_text, facts)):
                self.wrong("what the exporter wrote about a node is not UTF-8", called)
            self.node(node, body, called, depth)

    # ---- nodes ------------------------------------------------------------------------------
    def node(self, node: onnx.NodeProto, body: _Body, called: str, depth: int) -> None:
        if not node.op_type:
            self.wrong("a node says no operator", called)
        for name in node.input:
            if name and not body.has(name):
                self.undefined(name, node, body, called)
        self.count(f"attributes of {called}", len(node.attribute))
        seen: set[str] = set()
        for attribute in node.attribute:
            if attribute.name in seen:
                self.wrong(f"the attribute {attribute.name!r} is there twice", called)
            seen.add(attribute.name)
            if self.attribute(attribute, called, body.attributes):
                for graph in (attribute.g, *attribute.graphs):
                    inner = (body.names, *body.outer)
                    self.graph(graph, inner, body.owner, body.attributes, depth + 1)
        if not any(node.output):
            self.wrong(f"{node.op_type} makes nothing: it has no outputs", called)
        for name in node.output:
            if name and body.has(name):
                self.wrong(f"{name!r} is made twice", called)
            body.names.add(name)
        body.names.discard("")
        key = key_of(node.domain, node.op_type, node.overload)
        self.calls.add(body.owner, key if key in self.functions else None)

    def undefined(self, name: str, node: onnx.NodeProto, body: _Body, called: str) -> None:
        """Notes that a node reads what is not there: because it comes later, or at all."""
        maker = next((other for other in body.nodes if name in other.output), None)
        if maker is None:
            self.wrong(f"{node.op_type} reads {name!r}, which nothing makes", called)
            return
        self.wrong(
            f"{node.op_type} reads {name!r} before it is made",
            called,
            f"it is made by {maker.name or maker.op_type!r}, which is not before it",
            "nodes stand in the order in which they are computed; in a circle there is none",
        )

    def attribute(
        self, attribute: onnx.AttributeProto, called: str, declared: frozenset[str] | None
    ) -> bool:
        """Whether an attribute is a graph or graphs, which are to be checked."""
        if not self.text("the name of an attribute", attribute.name, attribute.ref_attr_name):
            return False
        problem = attribute_problem(attribute, declared)
        if problem is not None:
            problem.node = called
            self.note(problem)
            return False
        kinds = onnx.AttributeProto
        if attribute.type in (kinds.TENSOR, kinds.TENSORS):
            for proto in (attribute.t,) if attribute.HasField("t") else attribute.tensors:
                self.tensor(proto, called)
        elif attribute.type in (kinds.SPARSE_TENSOR, kinds.SPARSE_TENSORS):
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                self.tensor(sparse.values, called)
                self.tensor(sparse.indices, called)
        return attribute.type in (kinds.GRAPH, kinds.GRAPHS)

    def tensor(self, proto: onnx.TensorProto, called: str) -> None:
        """Notes what is wrong with the data of a tensor."""
        if not self.text("the name of a tensor", proto.name, node=called):
            return
        try:
            check_tensor(proto, self.folder)
        except MaiaccError as problem:
            problem.node = called
            self.note(problem)
