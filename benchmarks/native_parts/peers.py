"""What the native simulator is compared with: onnxruntime and numpy, on one thread."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numpy as np
import onnx
import onnxruntime

from benchmarks.programs.base import Array, Arrays
from zoo.zoo import build, inputs


def onnxruntime_of(name: str, folder: Path) -> Callable[[], Any]:
    """Runs a network of the zoo."""
    path = folder / f"{name}.onnx"
    onnx.save(build(name), str(path))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = inputs(name, seed=1)
    return lambda: session.run(None, feed)


def sgemm(given: Arrays) -> Callable[[], Array]:
    """numpy's product of matrices of the same size."""
    a = np.ones((given["A"].shape[0], given["A"].shape[1]), np.float32)
    b = np.ones((given["A"].shape[1], given["B"].shape[0]), np.float32)
    return lambda: a @ b


def exp(given: Arrays) -> Callable[[], Array]:
    """numpy's exp."""
    x = given["X"]
    return lambda: np.exp(x)


def gelu(given: Arrays) -> Callable[[], Array]:
    """gelu with tanh, written in numpy."""
    x, half, one = given["X"], np.float32(0.5), np.float32(1)
    inner, cubic = np.float32(0.7978845608), np.float32(0.044715)
    return lambda: half * x * (one + np.tanh(inner * (x + cubic * x * x * x)))


def layernorm(given: Arrays) -> Callable[[], Array]:
    """Layer normalisation written in numpy."""
    x, scale, shift, eps = given["X"], given["G"], given["B"], np.float32(1e-5)

    def run() -> Array:
        away = x - x.mean(-1, keepdims=True)
        spread = (away * away).mean(-1, keepdims=True)
        found: Array = away / np.sqrt(spread + eps) * scale + shift
        return found

    return run


def surroundings() -> str:
    """The computer, the libraries, and how busy the computer is."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].split(":")[1].strip() if names else cpu
    load = ", ".join(f"{x:.2f}" for x in os.getloadavg())
    versions = f"numpy {np.__version__}, onnxruntime {onnxruntime.__version__}"
    return f"{cpu}, {os.cpu_count()} processors, load {load}\n{versions}, {llvmlite.__version__=}"
