"""Where ops and problems come from: the nodes of a model."""

from __future__ import annotations

import onnx

from maiacc.frontend.node import node_name
from maiacc_isa.errors import MaiaccError
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Location


def as_error(problem: IRError, proto: onnx.NodeProto) -> MaiaccError:
    """What the IR refuses, as a problem of the node that asked for it."""
    return MaiaccError(
        "E1304" if problem.code in ("E1401", "E1402", "E1403") else problem.code,
        f"{proto.op_type}: {problem.message}",
        node=node_name(proto),
        expected=problem.expected,
        found=problem.found,
        hint=problem.hint,
    )


def location_of(proto: onnx.NodeProto) -> Location:
    """Where a node comes from, as far as the exporter wrote it down."""
    facts = {fact.key: fact.value for fact in proto.metadata_props}
    scope = facts.get("pkg.torch.onnx.name_scopes", facts.get("namespace", ""))
    trace = facts.get("pkg.torch.onnx.stack_trace", "").strip().splitlines()
    lines = [line.strip() for line in trace if line.strip().startswith("File ")]
    return Location((node_name(proto),), scope, lines[-1] if lines else "")
