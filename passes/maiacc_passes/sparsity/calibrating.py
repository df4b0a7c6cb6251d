"""Evaluates a model on samples and stops at each layer that is to be pruned.

All samples go through an op before the next op is looked at. So each op is evaluated once, and a
layer sees what the layers before it make of the samples with the weights that they were left with.
Layers in loops and branches are met while the op is evaluated that has them inside; they see each
other's dense weights, and the op is evaluated again when all of them are pruned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import Frame, Run, arguments_of
from maiacc_passes.ir.graph import Module, Op
from maiacc_passes.ir.weights import Array
from maiacc_passes.sparsity.activations import Activations
from maiacc_passes.sparsity.layers import Layer

#: The most bytes that values of all samples may have at one time.
ROOM = 4 << 30

Samples = Sequence[Mapping[str, Array]]

#: Prunes a layer by what it saw, and returns the op that is there now.
Prune = Callable[[Layer, Activations], Op]


def calibrate(module: Module, samples: Samples, layers: Sequence[Layer], prune: Prune) -> None:
    """Calls ``prune`` for each layer, in the order of the ops. ``samples`` are inputs of the model.

    Raises ``IRError`` E1409 for inputs that do not fit, E1508 if values of all samples need more
    than ``ROOM`` bytes.
    """
    frames = []
    for sample in samples:
        run = Run()
        frames.append(Frame(run, module.main, arguments_of(run, module, sample)))
    waiting = {layer.op: layer for layer in layers}
    for op in module.main:
        if not waiting:
            return
        inside = [inner for region in op.regions for inner in region.walk()]
        here = [waiting.pop(inner) for inner in (op, *inside) if inner in waiting]
        found = _seen(op, here, frames)
        now = op
        for layer in here:
            made = prune(layer, found.pop(layer.op))
            now = made if layer.op is op else now
        if waiting:
            _step(frames, now)


def _seen(op: Op, layers: Sequence[Layer], frames: Sequence[Frame]) -> dict[Op, Activations]:
    """What layers in an op multiply their weights by."""
    found = {layer.op: Activations(layer.columns) for layer in layers}
    inner = {layer.op: layer for layer in layers if layer.op is not op}
    for frame in frames:
        run = frame.run
        for layer in layers:
            if layer.op is op:
                found[op].add(layer.rows(_read(run, op)))
        if inner:
            _watched(run, op, inner, found)
    return found


def _watched(run: Run, op: Op, inner: Mapping[Op, Layer], found: Mapping[Op, Activations]) -> None:
    def watch(done: Op, _: Sequence[Array]) -> None:
        if done in inner:
            found[done].add(inner[done].rows(_read(run, done)))

    run.watch = watch
    try:
        run.results(op)
    finally:
        run.watch = None


def _read(run: Run, op: Op) -> Array:
    """The left operand."""
    value = op.operands[0]
    assert value is not None
    return run.read(value)


def _step(frames: Sequence[Frame], op: Op) -> None:
    for number, frame in enumerate(frames):
        frame.step(op)
        if number:
            continue
        size = sum(array.nbytes for array in frame.run.values.values()) * len(frames)
        if size > ROOM:
            raise IRError(
                "E1508",
                "the calibration data need too much memory on their way through the model",
                expected=f"at most {ROOM:,} bytes",
                found=f"{size:,} bytes in {len(frames)} samples",
                hint="give fewer samples",
                nodes=op.location.nodes,
            )
