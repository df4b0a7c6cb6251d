"""The smallest model that still goes wrong: nodes cut out of the model, or else the text of a
kernel, with its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import onnx

from maiacc.frontend.model import import_model
from maiacc.output import write_atomically
from maiacc.running.arrays import write_arrays
from maiacc.verifying.cutting import Cut, Cutter
from maiacc.verifying.diagnosing import Piece
from maiacc.verifying.judging import WRONG
from maiacc.verifying.verify import Asked, Verified, per_pass, verify
from maiacc_isa.errors import MaiaccError
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.files import save_text
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.weights import Array, Data

#: How often what is cut out is widened by what makes its inputs.
WIDER = 2

#: Models of more nodes are not searched node by node.
SEARCHED = 2000


@dataclass(frozen=True)
class Reproducer:
    """A model in ONNX (bytes), or a module of the IR where no nodes of the model go wrong alone;
    its inputs; and how many nodes or ops it has."""

    model: bytes | None
    module: Module | None
    inputs: Mapping[str, Array]
    size: int

    def write(self, prefix: str) -> tuple[str, ...]:
        """Writes the files; their names. Raises ``MaiaccError`` E0003, ``IRError`` E1405."""
        paths = f"{prefix}.onnx" if self.model is not None else f"{prefix}.ir", f"{prefix}.npz"
        if self.model is not None:
            write_atomically(paths[0], [self.model])
        else:
            assert self.module is not None
            save_text(self.module, paths[0])
        write_arrays(paths[1], self.inputs)
        return paths


def reproducer(
    asked: Asked, found: Verified, cutter: Cutter | None, piece: Piece | None
) -> Reproducer | None:
    """The smallest part that still goes wrong when it is verified alone; None if there is none."""
    plain = replace(asked, per_op=False, per_pass=False, program=None)
    if cutter is not None:
        for cut in _cuts(cutter, found):
            if _wrong(plain, cut, only_passes=not found.wrong_kernels):
                model = cut.model.SerializeToString(deterministic=True)
                return Reproducer(model, None, cut.inputs, len(cut.model.graph.node))
    if piece is not None and found.wrong_kernels:
        again = replace(plain, fresh=lambda: piece.module, inputs=piece.inputs)
        module = _in_memory(piece.module)
        if verify(again).wrong:
            return Reproducer(None, module, piece.inputs, len(list(module.main)) - 1)
    return None


def _cuts(cutter: Cutter, found: Verified) -> Iterator[Cut]:
    """What may go wrong alone, the smallest first."""
    for nodes in _chosen(cutter, found):
        try:
            yield cutter.cut(nodes)
        except (MaiaccError, IRError):
            continue


def _chosen(cutter: Cutter, found: Verified) -> Iterator[list[onnx.NodeProto]]:
    names = found.diverging.location.nodes if found.diverging is not None else found.blamed
    if names:
        nodes = cutter.named(names)
        if len(nodes) > 1 and found.first_op is not None:
            yield cutter.named(found.first_op.nodes)
        for _ in range(WIDER + 1):
            yield nodes
            nodes = cutter.wider(nodes)
        return
    for start in (0, 1):
        for node in cutter.nodes[:SEARCHED]:
            yield [node] if not start else cutter.wider([node])


def _wrong(asked: Asked, cut: Cut, only_passes: bool) -> bool:
    again = replace(asked, fresh=lambda: import_model(cut.model), inputs=cut.inputs)
    try:
        if only_passes:
            return any(line.verdict == WRONG for line in per_pass(again))
        return verify(again).wrong
    except (MaiaccError, IRError):
        return False


def _in_memory(module: Module) -> Module:
    """The module with its constants read, so that they are written beside it."""
    for weight in module.weights.values():
        weight.source = Data(weight.source.array(weight.type))
    return module
