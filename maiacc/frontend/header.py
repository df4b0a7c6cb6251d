"""Versions a model says it is of: of the format, and of the operators of each domain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx
from onnx import defs

from maiacc_isa.errors import MaiaccError

#: Versions of the format and of the operators that are read.
IR_VERSIONS, OPSETS = range(3, 15), range(6, 29)

#: What commands exit with for a model that is legal and not supported.
UNSUPPORTED = 2

#: Domains whose versions are those of ONNX itself.
ONNX_DOMAINS = ("", "ai.onnx")


def header_problems(model: onnx.ModelProto) -> list[MaiaccError]:
    """What is wrong with a model before one looks at its nodes: E1301, E1302, E1303."""
    if not model.ir_version:
        return [MaiaccError("E1301", "the model has no IR version")]
    if not model.HasField("graph"):
        return [MaiaccError("E1301", "the model has no graph")]
    if model.ir_version not in IR_VERSIONS:
        return [_version("the IR version", model.ir_version, IR_VERSIONS)]
    wrong = next((text for text in _texts(model.graph) if not is_text(text)), None)
    if wrong is not None:
        return [not_text("a name in the graph", wrong)]
    problems = opset_problems(_as_first_read(model), "the model")
    given = any(o.domain in ONNX_DOMAINS for o in model.opset_import)
    if not given and any(node.domain in ONNX_DOMAINS for node in model.graph.node):
        problems.append(
            MaiaccError("E1302", "the model does not say which version of ONNX it is of")
        )
    return problems


def _texts(graph: onnx.GraphProto) -> Iterator[object]:
    """What is looked at before the whole graph is checked."""
    for info in graph.input:
        yield info.name
        for dim in info.type.tensor_type.shape.dim:
            yield dim.dim_param
    for node in graph.node:
        yield node.op_type
        yield node.domain


def _as_first_read(model: onnx.ModelProto) -> list[onnx.OperatorSetIdProto]:
    """The versions a model needs. An opset older than any that is read is the first one that is, if
    none of the model's operators has changed since."""
    found = []
    for entry in model.opset_import:
        old = plain_domain(entry.domain) == "" and 0 < entry.version < OPSETS.start
        if old and all(_unchanged(node, entry.version) for node in model.graph.node):
            entry = onnx.OperatorSetIdProto(domain=entry.domain, version=OPSETS.start)
        found.append(entry)
    return found


def _unchanged(node: onnx.NodeProto, version: int) -> bool:
    name = node.op_type
    if plain_domain(node.domain) or any(a.HasField("g") for a in node.attribute):
        return False
    try:
        then, now = (defs.get_schema(name, opset, "") for opset in (version, OPSETS.start))
    except defs.SchemaError:
        return False
    return then.since_version == now.since_version


def opset_problems(imports: Iterable[onnx.OperatorSetIdProto], owner: str) -> list[MaiaccError]:
    """What is wrong with the versions that a model or a function says it needs."""
    problems: list[MaiaccError] = []
    seen: set[str] = set()
    for entry in imports:
        if not is_text(entry.domain):
            problems.append(not_text("a domain", entry.domain))
            continue
        domain = plain_domain(entry.domain)
        if domain in seen:
            called = f"domain {domain!r}" if domain else "the domain of ONNX"
            problems.append(MaiaccError("E1302", f"{owner} imports {called} twice"))
        seen.add(domain)
        if not domain and entry.version not in OPSETS:
            problems.append(_version("the opset", entry.version, OPSETS))
        elif not 1 <= entry.version < 1 << 31:
            problems.append(
                MaiaccError("E1302", f"{owner} imports version {entry.version} of {domain!r}")
            )
    return problems


def plain_domain(domain: str) -> str:
    """A domain by the one name it has here: that of ONNX is empty."""
    return "" if domain in ONNX_DOMAINS else domain


def is_text(value: object) -> bool:
    """Whether a name is one; protobuf hands out bytes for what is not UTF-8."""
    return isinstance(value, str)


def not_text(what: str, found: object) -> MaiaccError:
    """The refusal of a name that is not UTF-8."""
    return MaiaccError("E1302", f"{what} is not UTF-8", found=repr(found)[:60])


def _version(what: str, found: int, good: range) -> MaiaccError:
    newer = found >= good.stop
    problem = MaiaccError(
        "E1303",
        f"{what} of the model, {found}, is {'newer' if newer else 'older'} than any that is read",
        expected=f"{good.start} to {good.stop - 1}",
        found=str(found),
        hint="onnx.version_converter.convert_version converts models",
    )
    problem.exit_code = UNSUPPORTED
    return problem
