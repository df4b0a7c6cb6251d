"""What users give beside a model on the command line: shapes and values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx

from maiacc.frontend.model import Settings
from maiacc.running.arrays import read_plain_array
from maiacc_isa.errors import MaiaccError, quote

#: Most elements of a value that is given on the command line.
MOST = 1 << 16


def settings_for(
    model: onnx.ModelProto, shapes: Iterable[str] = (), binds: Iterable[str] = ()
) -> Settings:
    """Settings from ``NAME=1x128`` (an input's shape, or a dimension's size) and ``NAME=VALUE``.

    Raises ``MaiaccError`` E1310 or E1311 for what the model has no place for.
    """
    inputs = {info.name: info for info in model.graph.input}
    dims = {
        dim.dim_param
        for info in model.graph.input
        for dim in info.type.tensor_type.shape.dim
        if dim.dim_param
    }
    given: dict[str, Any] = {}
    sizes: dict[str, int] = {}
    bound: dict[str, Any] = {}
    for text in shapes:
        name, numbers = _shape(text)
        before = given.get(name, (sizes[name],) if name in sizes else numbers)
        if before != numbers:
            raise MaiaccError(
                "E1310",
                f"{quote(name)} is given twice, and not the same",
                expected="x".join(map(str, before)),
                found=quote(text),
            )
        if name in inputs:
            given[name] = numbers
        elif name in dims and len(numbers) == 1:
            sizes[name] = numbers[0]
        else:
            raise MaiaccError(
                "E1310",
                f"the model has no input and no dimension {quote(name)}",
                expected=_known(inputs, dims),
                found=quote(text),
                hint="--shape INPUT=1x128 or --shape DIMENSION=128",
            )
    for text in binds:
        name, separator, value = text.partition("=")
        if not separator or name not in inputs:
            raise MaiaccError(
                "E1311",
                f"the model has no input {quote(name)}" if separator else "no value is given",
                expected=_known(inputs, set()),
                found=quote(text),
                hint="--bind NAME=VALUE, such as --bind axes=[0,2] or --bind k=@k.npy",
            )
        if name in bound:
            raise MaiaccError("E1311", f"{quote(name)} is bound twice", found=quote(text))
        bound[name] = _value(text, value)
    return Settings(given, sizes, bound)


def _known(inputs: Iterable[str], dims: Iterable[str]) -> str:
    names = ", ".join(quote(name) for name in inputs) or "no inputs"
    symbols = ", ".join(quote(name) for name in sorted(dims))
    return f"inputs {names}" + (f"; dimensions {symbols}" if symbols else "")


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, separator, numbers = text.rpartition("=")
    parts = [part for part in numbers.replace(",", "x").split("x") if part]
    if not separator or not all(part.isascii() and part.isdigit() for part in parts):
        raise MaiaccError(
            "E1310",
            "this is no shape",
            expected="NAME=1x128, sizes that are not negative",
            found=quote(text),
        )
    return name, tuple(int(part[:19]) for part in parts)


def _value(text: str, value: str) -> Any:
    if value.startswith("@"):
        return read_plain_array(value[1:], MOST)
    try:
        found = np.asarray(json.loads(value))
    except (ValueError, RecursionError):
        found = np.asarray(None)
    if found.dtype.kind not in "biuf" or found.size > MOST:
        raise MaiaccError(
            "E1311",
            "this is no value",
            expected="a number, a list of numbers, or @FILE.npy",
            found=quote(text),
        )
    return found
