"""Importing graphs: names to values, node by node, with bodies of control flow and functions."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from onnx import defs

from maiacc.frontend import importers
from maiacc.frontend.folding import folded
from maiacc.frontend.functions import function_body, has_body, with_inputs
from maiacc.frontend.node import Node, node_name
from maiacc.frontend.registry import REFUSED, entry_for
from maiacc.frontend.tensors import weight_of
from maiacc_isa.errors import ErrorList, MaiaccError
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.graph import Location, Module, Region, Value
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.weights import Array

#: Deepest nesting of graphs and functions.
DEPTH = 32


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
        functions: Mapping[tuple[str, str], onnx.FunctionProto],
        folder: Path | None,
    ) -> None:
        self.module = module
        self.opsets = opsets
        self.functions = functions
        self.folder = folder
        self.builder = Builder(module)
        self.problems: list[MaiaccError] = []

    # ---- graphs -----------------------------------------------------------------------------
    def graph(self, graph: onnx.GraphProto, scope: Scope) -> list[Value | None]:
        """Imports the nodes of a graph whose inputs are in scope already; the outputs."""
        for tensor_proto in graph.initializer:
            if tensor_proto.name not in scope.values:
                scope.values[tensor_proto.name] = weight_of(self.module, tensor_proto, self.folder)
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
        inner = self._inner(scope, graph.name)
        names = [info.name for info in graph.input]
        if len(names) != len(types):
            raise MaiaccError(
                "E1302",
                f"the body {graph.name!r} has another number of inputs than it is given",
                expected=str(len(types)),
                found=str(len(names)),
            )
        inner.values.update(zip(names, region.params, strict=True))
        before = len(self.problems)
        with self.builder.inside(region):
            outputs = self.graph(graph, inner)
            if len(self.problems) > before:
                raise _Given
            finish(self.builder, [value for value in outputs if value is not None], "yield")
        return region

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
        try:
            inputs = self._inputs(proto, scope)
            if inputs is not None:
                outputs = self._imported(proto, scope, inputs)
            else:
                self._chosen(proto, scope)
        except _Given:
            pass
        except IRError as problem:
            self.problems.append(_as_error(problem, proto))
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

    def _chosen(self, proto: onnx.NodeProto, scope: Scope) -> tuple[str, int]:
        """The domain and the version of a node's operator. Raises ``MaiaccError`` E1303 for one
        that nobody can import."""
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        name = proto.op_type
        opset = scope.opsets.get(domain)
        if opset is None and domain != "com.microsoft":
            raise MaiaccError(
                "E1302", f"the model uses the domain {domain!r} and does not import it"
            )
        opset = opset or 1
        refused = REFUSED.get((domain, name))
        if refused is not None:
            raise MaiaccError("E1303", f"{name}: {refused.reason}", hint=refused.way_out)
        version = opset
        if domain == "" and defs.has(name, domain):
            try:
                version = defs.get_schema(name, opset, domain).since_version
            except defs.SchemaError:
                version = opset
        known = (domain, name) in self.functions or entry_for(domain, name, version) is not None
        if not known and not has_body(domain, name, opset):
            raise MaiaccError(
                "E1303",
                f"{domain + '.' if domain else ''}{name}, version {version}, is not supported",
                hint="maiacc ops lists what is; export the model without it, or put its function "
                "body into the model",
            )
        return domain, version

    def _imported(
        self, proto: onnx.NodeProto, scope: Scope, inputs: list[Value | None]
    ) -> Sequence[Value | None]:
        domain, version = self._chosen(proto, scope)
        node = Node(proto, domain, version, inputs, scope, self)
        kept = self.builder.location
        if scope.attributes is None:
            self.builder.location = location_of(proto)
        last = self.builder.region.last
        try:
            function = self.functions.get((domain, proto.op_type))
            entry = entry_for(domain, proto.op_type, version)
            if function is not None:
                outputs = self.call(node, function)
            elif entry is not None:
                found = entry.importer(node)
                outputs = [found] if isinstance(found, Value) else list(found)
            else:
                outputs = self.body(node)
            return folded(self.module, self.builder.region, last, outputs)
        finally:
            self.builder.location = kept

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
        opsets = {_domain(o.domain): o.version for o in function.opset_import}
        attributes = {a.name: a for a in function.attribute_proto}
        for attribute in node.proto.attribute:
            attributes[attribute.name] = self.resolved(attribute, node.scope) or attribute
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
            raise _Given
        return [self._output(name, inner) for name in function.output]

    def resolved(self, attribute: onnx.AttributeProto, scope: Scope) -> onnx.AttributeProto | None:
        """An attribute, or the one of the function call that it stands for."""
        if not attribute.ref_attr_name:
            return attribute
        return (scope.attributes or {}).get(attribute.ref_attr_name)

    # ---- constants --------------------------------------------------------------------------
    def known(self, value: Value) -> Array | None:
        """The elements of a value that is constant."""
        if value.weight is None:
            return None
        return value.weight.source.array(value.type)


class _Given(Exception):  # noqa: N818
    """Leaves a node whose problems are noted already."""


def _as_error(problem: IRError, proto: onnx.NodeProto) -> MaiaccError:
    return MaiaccError(
        "E1304" if problem.code in ("E1401", "E1402", "E1403") else problem.code,
        f"{proto.op_type}: {problem.message}",
        node=node_name(proto),
        expected=problem.expected,
        found=problem.found,
        hint=problem.hint,
    )


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def location_of(proto: onnx.NodeProto) -> Location:
    """Where a node comes from, as far as the exporter wrote it down."""
    facts = {fact.key: fact.value for fact in proto.metadata_props}
    scope = facts.get("pkg.torch.onnx.name_scopes", facts.get("namespace", ""))
    trace = facts.get("pkg.torch.onnx.stack_trace", "").strip().splitlines()
    lines = [line.strip() for line in trace if line.strip().startswith("File ")]
    return Location((node_name(proto),), scope, lines[-1] if lines else "")
