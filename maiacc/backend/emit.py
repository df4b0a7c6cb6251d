"""A placed plan as a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maiacc.backend.blocks import BlockWriter
from maiacc_isa import program as pr
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.weights import Bytes, Source, codes
from maiacc_passes.kernel.model import Buffer
from maiacc_passes.schedule.flow import Block, Flow, Fork
from maiacc_passes.schedule.schedule import Placed

#: By the name of a kernel, the block of its words, the first of them and the one behind the last.
Spans = dict[str, tuple[str, int, int]]


def program_of(
    placed: Placed, extra: tuple[Buffer, ...] = (), spans: Spans | None = None
) -> pr.Program:
    """The program. ``extra`` buffers are handed out beside the outputs, by their names; ``spans``
    gets the words of each kernel."""
    spans = {} if spans is None else spans
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
    blocks: list[pr.Block] = []
    control = _control(placed.flow, placed, blocks, spans)
    return pr.Program(placed.machine, tuple(tensors), (), tuple(blocks), control, weights)


def _control(
    flow: Sequence[Flow], placed: Placed, blocks: list[pr.Block], spans: Spans
) -> tuple[pr.Node, ...]:
    """The control graph of a flow, whose blocks are written."""
    nodes: list[pr.Node] = []
    for item in flow:
        if isinstance(item, Block):
            name = f"main{len(blocks)}" if blocks else "main"
            writer = BlockWriter(item, placed)
            blocks.append(writer.written(name))
            spans.update((kernel, (name, *words)) for kernel, words in writer.spans.items())
            nodes.append(pr.Call(name))
        elif isinstance(item, Fork):
            then = _control(item.then, placed, blocks, spans)
            other = _control(item.other, placed, blocks, spans)
            nodes.append(pr.If(item.scalar.register, then, other))
        else:
            body = _control(item.body, placed, blocks, spans)
            nodes.append(pr.While(item.scalar.register, item.most, body))
    return tuple(nodes)


def _tensor(name: str, kind: str, buffer: Buffer, placed: Placed) -> pr.Tensor:
    return pr.Tensor(name, kind, buffer.dtype, buffer.shape, placed.bases[buffer])


def _weights(value: Value) -> pr.Weights:
    """Where the bytes of a constant are; what has to be converted is so when it is asked for."""
    assert value.weight is not None
    source, kind = value.weight.source, value.type
    if isinstance(source, Bytes) and kind.element.bits >= 8 and kind.element.kind != "bool":
        return pr.Weights(None, source.path, source.offset, source.size)
    columns = kind.shape[-1] if kind.shape else 1
    size = kind.size // max(1, columns) * -(-columns * kind.element.bits // 8)
    return pr.Weights(size=size, make=_Bytes(source, kind))


@dataclass(frozen=True)
class _Bytes:
    """The bytes of a constant, made when they are asked for."""

    source: Source
    kind: Type

    def __call__(self) -> bytes | memoryview:
        array = self.source.array(self.kind)
        if self.kind.element.bits >= 8:
            flat = np.ascontiguousarray(codes(array)).reshape(-1)
            return flat.data.cast("B") if flat.size else b""
        # Two to a byte, the first in the low half; rows end with whole bytes.
        rows = codes(array).reshape(-1, self.kind.shape[-1] if self.kind.shape else 1)
        rows = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
        return (rows[:, ::2] | rows[:, 1::2] << 4).tobytes()
