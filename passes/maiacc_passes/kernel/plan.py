"""A model as kernels: what is executed in which order, and the tensors in HBM."""

from __future__ import annotations

from dataclasses import dataclass, field

from maiacc_passes.ir.graph import Value
from maiacc_passes.kernel.model import Buffer, Kernel


@dataclass(frozen=True)
class Output:
    """A tensor that is handed out: a buffer, and the shape that the model has for it."""

    buffer: Buffer
    shape: tuple[int, ...]


@dataclass
class Plan:
    """``inputs`` and ``outputs`` are buffers by the name that the model has for them;
    ``constants`` are buffers that come with the program, and the values that they hold."""

    kernels: list[Kernel] = field(default_factory=list)
    inputs: dict[str, Buffer] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    constants: dict[Buffer, Value] = field(default_factory=dict)
