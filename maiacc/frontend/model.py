"""A whole model as a module of the IR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from maiacc.frontend.calls import key_of
from maiacc.frontend.declared import contradictions
from maiacc.frontend.dtypes import DTYPES, type_name
from maiacc.frontend.limits import Exhausted, check_size
from maiacc.frontend.scope import Importing, Scope, load_importers
from maiacc.frontend.wellformed import check_model
from maiacc_isa.errors import ErrorList, MaiaccError
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.types import ELEMENTS, Type, tensor
from maiacc_passes.ir.weights import Array, Data


@dataclass(frozen=True)
class Settings:
    """What a user gives beside the model: shapes of inputs by name, sizes of named dimensions, and
    values of inputs that decide shapes, axes or trip counts."""

    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


NOTHING = Settings()


def import_model(
    model: onnx.ModelProto, settings: Settings = NOTHING, folder: Path | None = None
) -> Module:
    """The module of a model, with everything static. External data are read from ``folder``.

    Raises ``ErrorList`` with everything that stands in the way.
    """
    module, problems = imported(model, settings, folder)
    if problems:
        raise ErrorList(problems)
    return module


def imported(
    model: onnx.ModelProto, settings: Settings = NOTHING, folder: Path | None = None
) -> tuple[Module, list[MaiaccError]]:
    """The module of a model as far as it can be imported, and everything that stands in the way."""
    load_importers()
    module = Module()
    problems = check_model(model, folder)
    if problems:
        return module, problems
    opsets = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
    functions = {key_of(f.domain, f.name, f.overload): f for f in model.functions}
    nodes = len(model.graph.node) + sum(len(function.node) for function in model.functions)
    importing = Importing(module, opsets, functions, folder, nodes)
    scope = Scope(opsets=opsets)
    try:
        _bind_inputs(importing, model.graph, scope, settings)
        outputs = importing.graph(model.graph, scope)
    except ErrorList as problem:
        return module, [*importing.problems, *problem.errors]
    except MaiaccError as problem:
        return module, [*importing.problems, problem]
    except Exhausted as problem:
        return module, [*importing.problems, problem.problem]
    except MemoryError:
        message = "importing the model needs more memory than there is"
        return module, [*importing.problems, MaiaccError("E1308", message)]
    importing.problems += contradictions(model.graph, scope.values)
    if not importing.problems and None in outputs:
        name = model.graph.output[outputs.index(None)].name
        message = f"output {name!r} needs an input of a function that is left out"
        importing.problems.append(MaiaccError("E1302", message, node=name))
    if not importing.problems:
        finish(importing.builder, [value for value in outputs if value is not None])
        module.outputs = [info.name for info in model.graph.output]
    return module, importing.problems


def _bind_inputs(
    importing: Importing, graph: onnx.GraphProto, scope: Scope, settings: Settings
) -> None:
    """Gives every input of the model a value: a parameter, a constant, or None if it has no
    static type."""
    constants = {proto.name for proto in graph.initializer}
    problems: list[MaiaccError] = []
    for info in graph.input:
        if info.name in constants and info.name not in settings.values:
            continue
        try:
            kind = _type_of(info, settings)
            if info.name in settings.values:
                array = _bound(info.name, kind, settings.values[info.name])
                kind = tensor(kind.dtype, array.shape)
                scope.values[info.name] = importing.module.add_weight(info.name, kind, Data(array))
            else:
                scope.values[info.name] = importing.module.add_input(info.name, kind)
        except ErrorList as problem:
            problems += problem.errors
            scope.values[info.name] = None
        except MaiaccError as problem:
            problems.append(problem)
            scope.values[info.name] = None
    importing.problems += problems


def _type_of(info: onnx.ValueInfoProto, settings: Settings) -> Type:
    """The static type of an input. Raises ``MaiaccError`` E1305, E1309 or E1310."""
    if not info.type.HasField("tensor_type"):
        raise MaiaccError("E1305", f"input {info.name!r} is no tensor")
    proto = info.type.tensor_type
    if proto.elem_type not in DTYPES:
        raise MaiaccError(
            "E1305",
            f"input {info.name!r} has elements of type {type_name(proto.elem_type)}",
            expected=", ".join(ELEMENTS),
        )
    dtype = DTYPES[proto.elem_type]
    given = settings.shapes.get(info.name)
    if info.name in settings.values:
        given = np.shape(settings.values[info.name])
    if not proto.HasField("shape"):
        if given is None:
            raise MaiaccError(
                "E1309",
                f"input {info.name!r} has no shape",
                hint=f"--shape {info.name}=1x128",
            )
        return check_size(tensor(dtype, tuple(given)), info.name)
    dims = list(proto.shape.dim)
    if given is not None and len(given) != len(dims):
        bound = info.name in settings.values
        what = "value bound to" if bound else "shape given for"
        raise MaiaccError(
            "E1311" if bound else "E1310",
            f"the {what} input {info.name!r} has another rank",
            expected=str(len(dims)),
            found=f"{len(given)}: {list(given)}",
        )
    shape, problems = [], []
    for axis, dim in enumerate(dims):
        try:
            size = None if given is None else given[axis]
            shape.append(_size(info.name, axis, dim, size, settings))
        except MaiaccError as problem:
            problems.append(problem)
    if problems:
        raise ErrorList(problems)
    return check_size(tensor(dtype, tuple(shape)), info.name)


def _size(
    name: str,
    axis: int,
    dim: onnx.TensorShapeProto.Dimension,
    given: int | None,
    settings: Settings,
) -> int:
    # Some exporters write -1 for a size that is open.
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        if given is not None and given != dim.dim_value:
            raise MaiaccError(
                "E1310",
                f"the shape given for input {name!r} contradicts the model at axis {axis}",
                expected=str(dim.dim_value),
                found=str(given),
            )
        return int(dim.dim_value)
    size = settings.dims.get(dim.dim_param) if given is None else given
    if size is None:
        called = f"dimension {dim.dim_param!r}" if dim.dim_param else f"axis {axis}"
        hint = f"--shape {dim.dim_param}=N" if dim.dim_param else f"--shape {name}=..."
        raise MaiaccError("E1309", f"{called} of input {name!r} has no size", hint=hint)
    if size < 0:
        raise MaiaccError("E1310", f"input {name!r} is given a negative size", found=str(size))
    return int(size)


def _bound(name: str, kind: Type, value: Any) -> Array:
    """The value that a user gives an input. Raises ``MaiaccError`` E1311."""
    array = np.asarray(value)
    exact = array.astype(kind.element.numpy)
    if array.shape != kind.shape or (
        array.dtype != exact.dtype and not np.array_equal(array, exact)
    ):
        raise MaiaccError(
            "E1311",
            f"the value bound to input {name!r} does not fit",
            expected=str(kind),
            found=f"{array.dtype}{list(array.shape)}",
        )
    return exact
