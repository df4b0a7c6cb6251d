"""What a model declares of its values, beside what they are when it is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from maiacc.frontend.dtypes import DTYPES, type_name
from maiacc_isa.errors import MaiaccError
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import Type

#: So many contradictions are told.
MOST = 20

_STALE = (
    "export the model again; if only the declaration is out of date, remove it "
    "(graph.value_info) or correct it (graph.output)"
)


def contradictions(graph: onnx.GraphProto, values: Mapping[str, Value | None]) -> list[MaiaccError]:
    """E1310 for each value of a graph that is not what the graph says. Values whose nodes were
    refused are None, and said nothing of."""
    found: list[MaiaccError] = []
    for info in (*graph.output, *graph.value_info):
        value = values.get(info.name)
        if value is not None and info.type.HasField("tensor_type"):
            problem = _contradiction(info, value)
            if problem is not None:
                found.append(problem)
        if len(found) == MOST:
            break
    return [*found, *_two_sizes(graph, values)]


def _contradiction(info: onnx.ValueInfoProto, value: Value) -> MaiaccError | None:
    declared = info.type.tensor_type
    dtype = DTYPES.get(declared.elem_type)
    wrong = declared.elem_type and dtype != value.type.dtype
    if declared.HasField("shape") and not wrong:
        wrong = not _fits(declared.shape.dim, value.type)
    if not wrong:
        return None
    sizes = [_written(dim) for dim in declared.shape.dim]
    shape = f"[{', '.join(sizes)}]" if declared.HasField("shape") else ""
    nodes = value.op.location.nodes if value.op is not None else ()
    return MaiaccError(
        "E1310",
        f"the model declares {info.name!r} as something else than it is",
        node=", ".join(nodes) or info.name,
        expected=f"{dtype or type_name(declared.elem_type)}{shape}",
        found=str(value.type),
        hint=_STALE,
    )


def _fits(dims: Sequence[onnx.TensorShapeProto.Dimension], kind: Type) -> bool:
    """Whether a shape is as declared; sizes without a number fit anything."""
    if len(dims) != kind.rank:
        return False
    for axis, dim in enumerate(dims):
        if not dim.HasField("dim_value") or dim.dim_value < 0:
            continue
        # Of an axis that is bounded, less than the bound may exist.
        extent = kind.shape[axis]
        if dim.dim_value > extent or (dim.dim_value < extent and not kind.count(axis)):
            return False
    return True


def _written(dim: onnx.TensorShapeProto.Dimension) -> str:
    return str(dim.dim_value) if dim.HasField("dim_value") else str(dim.dim_param or "?")


def _two_sizes(graph: onnx.GraphProto, values: Mapping[str, Value | None]) -> list[MaiaccError]:
    """E1310 for names of sizes that inputs give different sizes."""
    sizes: dict[str, tuple[int, str]] = {}
    found: list[MaiaccError] = []
    for info in graph.input:
        value = values.get(info.name)
        if value is None:
            continue
        for dim, extent in zip(info.type.tensor_type.shape.dim, value.type.shape, strict=False):
            if not dim.dim_param:
                continue
            before, where = sizes.setdefault(dim.dim_param, (extent, info.name))
            if before != extent:
                found.append(
                    MaiaccError(
                        "E1310",
                        f"the size {dim.dim_param!r} has two values",
                        node=info.name,
                        expected=f"{before}, as in input {where!r}",
                        found=f"{extent} in input {info.name!r}",
                    )
                )
    return found[:MOST]
