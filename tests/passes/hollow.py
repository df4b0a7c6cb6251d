"""Models of the zoo whose large weights are holes in a file: they cost nothing, and say nothing.

Weights that are made by a rule of random numbers are zeros in a sparse file; tables that the
architecture needs are real.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from maiacc.frontend.model import Settings, import_model
from maiacc_passes.ir.graph import Module
from zoo import zoo

FILE = "weights.bin"

#: Where weights begin in the file.
ALIGNED = 4096


def hollow_module(name: str, folder: Path) -> Module:
    """A model of the zoo as it is imported; its weights are zeros in ``folder``."""
    sidecar = zoo.info(name)
    model = zoo.skeleton(name)
    made: dict[str, Any] = {}
    at = 0
    for spec in sidecar["tensors"]:
        if spec["fill"]["rule"] == "normal":
            at += _external(model, spec, at)
            continue
        made[spec["name"]] = zoo.tensor(spec, 0, made)
        model.graph.initializer.append(numpy_helper.from_array(made[spec["name"]], spec["name"]))
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / FILE, "wb") as file:
        file.truncate(at)
    return import_model(model, Settings(dims=sidecar.get("dims", {})), folder)


def _external(model: onnx.ModelProto, spec: dict[str, Any], at: int) -> int:
    """Adds a weight that lies in the file; how much room it takes there."""
    dtype = np.dtype(spec["dtype"])
    size: int = math.prod(spec["shape"]) * dtype.itemsize
    proto = model.graph.initializer.add(
        name=spec["name"],
        data_type=helper.np_dtype_to_tensor_dtype(dtype),
        dims=spec["shape"],
        data_location=onnx.TensorProto.EXTERNAL,
    )
    for key, value in (("location", FILE), ("offset", str(at)), ("length", str(size))):
        entry = proto.external_data.add()
        entry.key, entry.value = key, value
    return -(-size // ALIGNED) * ALIGNED
