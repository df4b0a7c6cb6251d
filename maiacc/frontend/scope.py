"""Importing graphs: names to values, node by node, with bodies of control flow and functions."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from maiacc.frontend import importers
from maiacc.frontend.calls import Key
from maiacc.frontend.choice import Choice, choice
from maiacc.frontend.constants import Constants
from maiacc.frontend.folding import LIMIT, MEMORY, SMALL, folded, origins
from maiacc.frontend.functions import function_body, with_inputs
from maiacc.frontend.header import plain_domain
from maiacc.frontend.limits import DEPTH, LOOKS, PROBLEMS, Allowance, Metered
from maiacc.frontend.node import Given, Node, node_name
from maiacc.frontend.origin import as_error, location_of
from maiacc.frontend.registry import REFUSED
from maiacc.frontend.signature import check_signature, check_types
from maiacc_isa.errors import ErrorList, MaiaccError
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.weights import Array


def load_importers() -> None:
    """Registers all importers."""
    for module in pkgutil.iter_modules(importers.__path__):
        importlib.import_module(f"{importers.__name__}.{module.name}")


@dataclass
class Scope:
    """Names that are visible in a graph. A name bound to None is of a node that was refused;
    ``attributes`` are those of the function call that the graph is the body of."""

    outer: Scope | None = None
    values: dict[str, Value | None] = field(default_factory=dict)
    opsets: Mapping[str, int] = field(default_factory=dict)
    attributes: Mapping[str, onnx.AttributeProto] | None = None
    depth: int = 0

    def find(self, name: str) -> Value | None:
        """What a name means here. Raises ``KeyError`` if it means nothing."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.outer
        raise KeyError(name)


class Importing:
    """A model being imported. Refusals are collected: ``problems`` holds all of them."""

    def __init__(
        self,
        module: Module,
        opsets: Mapping[str, int],
        functions: Mapping[Key, onnx.FunctionProto],
        folder: Path | None,
        nodes: int = 0,
    ) -> None:
        self.module = module
        self.opsets = opsets
        self.functions = functions
        self.folder = folder
        self.builder = Metered(module, nodes)
        self.problems: list[MaiaccError] = []
        self._folded_bytes = 0
        self._looks = Allowance(LOOKS)
        self.constants = Constants(module, folder)

    # ---- graphs -----------------------------------------------------------------------------
    def graph(self, graph: onnx.GraphProto, scope: Scope) -> list[Value | None]:
        """Imports the nodes of a graph whose inputs are in scope already; the outputs."""
        constants, problems = self.constants.of_graph(graph)
        self.problems += problems
        # An input that has a value has it instead of the initializer of its name.
        scope.values.update({**constants, **scope.values})
        for proto in graph.node:
            self.node(proto, scope)
        return [self._output(info.name, scope) for info in graph.output]

    def _output(self, name: str, scope: Scope) -> Value | None:
        try:
            return scope.find(name)
        except KeyError:
            raise MaiaccError(
                "E1302", f"the graph hands out {name!r}, which no node makes"
            ) from None

    def region(self, graph: onnx.GraphProto, scope: Scope, types: Sequence[Type] = ()) -> Region:
        """A graph as a region, ended by ``yield``. Raises ``MaiaccError``."""
        region = Region(types)
        with self.builder.inside(region):
            outputs = self.inline(graph, scope, region.params)
            finish(self.builder, [value for value in outputs if value is not None], "yield")
        return region

    def inline(
        self, graph: onnx.GraphProto, scope: Scope, arguments: Sequence[Value]
    ) -> list[Value | None]:
        """The outputs of a graph for some inputs, its nodes where the builder is."""
        inner = self._inner(scope, graph.name)
        if len(graph.input) != len(arguments):
            raise MaiaccError(
                "E1302",
                f"the body {graph.name!r} has another number of inputs than it is given",
                expected=str(len(arguments)),
                found=str(len(graph.input)),
            )
        inner.values.update(zip((info.name for info in graph.input), arguments, strict=True))
        before = len(self.problems)
        outputs = self.graph(graph, inner)
        if len(self.problems) > before or None in outputs:
            raise Given
        return outputs

    def _inner(self, scope: Scope, name: str) -> Scope:
        if scope.depth >= DEPTH:
            raise MaiaccError(
                "E1308", f"graphs are nested deeper than {DEPTH}: {name!r}", expected=f"{DEPTH}"
            )
        return Scope(scope, {}, scope.opsets, scope.attributes, scope.depth + 1)

    # ---- nodes ------------------------------------------------------------------------------
    def node(self, proto: onnx.NodeProto, scope: Scope) -> None:
        """Imports a node; a refusal is noted and its outputs are unknown."""
        outputs: Sequence[Value | None] = [None] * len(proto.output)
        self.builder.spend()
        if len(self.problems) >= PROBLEMS:
            raise MaiaccError("E1308", f"there are more than {PROBLEMS} problems")
        try:
            inputs = self._inputs(proto, scope)
            if inputs is not None:
                outputs = self._imported(proto, scope, inputs)
            else:
                self._chosen(proto, scope)
        except Given:
            pass
        except IRError as problem:
            self.problems.append(as_error(problem, proto))
        except ErrorList as problem:
            self.problems += problem.errors
        except MaiaccError as problem:
            problem.node = problem.node or node_name(proto)
            self.problems.append(problem)
        for name, value in zip(proto.output, [*outputs, *[None] * len(proto.output)], strict=False):
            if not name:
                continue
            if name in scope.values:
                self.problems.append(
                    MaiaccError("E1302", f"two nodes make {name!r}", node=node_name(proto))
                )
            scope.values[name] = value

    def _inputs(self, proto: onnx.NodeProto, scope: Scope) -> list[Value | None] | None:
        """The inputs; None if one of them comes from a node that was refused."""
        found: list[Value | None] = []
        for name in proto.input:
            if not name:
                found.append(None)
                continue
            try:
                value = scope.find(name)
            except KeyError:
                raise MaiaccError(
                    "E1302",
                    f"{proto.op_type} reads {name!r}, which nothing before it makes",
                    node=node_name(proto),
                ) from None
            if value is None:
                return None
            found.append(value)
        return found

    def _chosen(self, proto: onnx.NodeProto, scope: Scope) -> tuple[str, Choice]:
        """The domain of a node's operator, and how it is imported. Raises ``MaiaccError`` E1303 for
        one that nobody can import."""
        domain = plain_domain(proto.domain)
        name = proto.op_type
        opset = scope.opsets.get(domain)
        if opset is None and domain != "com.microsoft":
            raise MaiaccError(
                "E1302", f"the model uses the domain {domain!r} and does not import it"
            )
        found = choice(domain, name, opset or 1)
        if found.how == "refused":
            refused = REFUSED[domain, name]
            raise MaiaccError("E1303", f"{name}: {refused.reason}", hint=refused.way_out)
        if (domain, name, proto.overload) in self.functions:
            return domain, found
        if found.how == "missing":
            raise MaiaccError(
                "E1303",
                f"{domain + '.' if domain else ''}{name}, version {found.version}, "
                "is not supported",
                hint="maiacc ops lists what is; export the model without it, or put its function "
                "body into the model",
            )
        check_signature(proto, domain, found.version)
        return domain, found

    def _imported(
        self, proto: onnx.NodeProto, scope: Scope, inputs: list[Value | None]
    ) -> Sequence[Value | None]:
        domain, chosen = self._chosen(proto, scope)
        node = Node(proto, domain, chosen.version, inputs, scope, self)
        kept = self.builder.location
        if scope.attributes is None:
            self.builder.location = location_of(proto)
        last = self.builder.region.last
        try:
            function = self.functions.get((domain, proto.op_type, proto.overload))
            entry = chosen.entry
            if function is not None:
                outputs = self.call(node, function)
            else:
                check_types(node)
                found = self.body(node) if entry is None else entry.importer(node)
                outputs = [found] if isinstance(found, Value) else list(found)
            return self._made(node, last, outputs)
        finally:
            self.builder.location = kept

    def _made(
        self, node: Node, last: Op | None, outputs: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        """What a node makes, as constants if nothing but constants is needed."""
        if any(node.wants(number) for number in range(len(outputs), len(node.proto.output))):
            node.fail("E1304", "it does not make so many outputs", expected=str(len(outputs)))
        limit = LIMIT if self._folded_bytes < MEMORY else SMALL
        found = folded(self.module, self.builder.region, last, outputs, limit)
        for old, new in zip(outputs, found, strict=True):
            if new is not None and new is not old:
                self._folded_bytes += new.type.bytes
        return found

    # ---- functions --------------------------------------------------------------------------
    def body(self, node: Node) -> Sequence[Value | None]:
        """The outputs of a node by its operator's function body. Refuses with E1303."""
        kinds = [None if x is None else x.type for x in node.inputs]
        opset = node.scope.opsets.get(node.domain, 1)
        function = function_body(node.proto, node.domain, opset, kinds)
        if function is None:
            node.unsupported("there is no function body for these inputs", "export it expanded")
        return self.call(node, function)

    def call(self, node: Node, function: onnx.FunctionProto) -> Sequence[Value | None]:
        """The outputs of a function for a node's inputs and attributes."""
        inner = self._inner(node.scope, function.name)
        opsets = {plain_domain(o.domain): o.version for o in function.opset_import}
        attributes = {a.name: a for a in function.attribute_proto}
        for attribute in node.proto.attribute:
            value = self.resolved(attribute, node.scope)
            # One that refers to what is not given is as if it were left out.
            if value is not None:
                attributes[attribute.name] = value
        inner = Scope(None, {}, {**node.scope.opsets, **opsets}, attributes, inner.depth)
        inputs = [*node.inputs, *[None] * len(function.input)]
        inner.values.update(zip(function.input, inputs, strict=False))
        before = len(self.problems)
        for proto in function.node:
            left_out = [n if n and inner.values.get(n, 0) is not None else "" for n in proto.input]
            if left_out != list(proto.input):
                proto = with_inputs(proto, left_out)
            self.node(proto, inner)
        if len(self.problems) > before:
            for problem in self.problems[before:]:
                problem.node = node.name
            raise Given
        return [self._output(name, inner) for name in function.output]

    def resolved(self, attribute: onnx.AttributeProto, scope: Scope) -> onnx.AttributeProto | None:
        """An attribute, or the one of the function call that it stands for."""
        if not attribute.ref_attr_name:
            return attribute
        return (scope.attributes or {}).get(attribute.ref_attr_name)

    # ---- constants --------------------------------------------------------------------------
    def origins(self, value: Value) -> list[str]:
        """The inputs of the model that a value depends on, in their order."""
        return origins(self.module, value, self._looks)

    def known(self, value: Value) -> Array | None:
        """The elements of a value that is constant."""
        return None if value.weight is None else value.weight.source.array(value.type)
