"""A placed plan as a program."""

from __future__ import annotations

from maiacc.backend.blocks import BlockWriter
from maiacc_isa import program as pr
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.weights import Bytes, codes
from maiacc_passes.kernel.model import Buffer
from maiacc_passes.schedule.schedule import Placed


def program_of(placed: Placed, extra: tuple[Buffer, ...] = ()) -> pr.Program:
    """The program. ``extra`` buffers are handed out beside the outputs, by their names."""
    plan = placed.plan
    tensors: list[pr.Tensor] = []
    weights: dict[str, pr.Weights] = {}
    for name, buffer in plan.inputs.items():
        tensors.append(_tensor(name, "input", buffer, placed))
    for buffer, value in plan.constants.items():
        tensors.append(_tensor(buffer.name, "weight", buffer, placed))
        weights[buffer.name] = _weights(value)
    for name, output in plan.outputs.items():
        base = placed.bases[output.buffer]
        tensors.append(pr.Tensor(name, "output", output.buffer.dtype, output.shape, base))
    for buffer in extra:
        tensors.append(_tensor(buffer.name, "output", buffer, placed))
    blocks = tuple(
        BlockWriter(block, placed).written("main" if not number else f"main{number}")
        for number, block in enumerate(placed.blocks)
    )
    control = tuple(pr.Call(block.name) for block in blocks)
    return pr.Program(placed.machine, tuple(tensors), (), blocks, control, weights)


def _tensor(name: str, kind: str, buffer: Buffer, placed: Placed) -> pr.Tensor:
    return pr.Tensor(name, kind, buffer.dtype, buffer.shape, placed.bases[buffer])


def _weights(value: Value) -> pr.Weights:
    """Where the bytes of a constant are."""
    assert value.weight is not None
    source = value.weight.source
    if isinstance(source, Bytes) and value.type.element.bits >= 8:
        return pr.Weights(None, source.path, source.offset, source.size)
    data = codes(source.array(value.type)).tobytes()
    return pr.Weights(data, None, 0, len(data))
