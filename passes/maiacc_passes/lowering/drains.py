"""What the drain queue can do with accumulators on their way to memory."""

from __future__ import annotations

from collections.abc import Sequence

from maiacc_passes.kernel.model import Chain
from maiacc_passes.lowering.expr import Expr, Tile

#: Stages that drain queues can do.
DRAINED = frozenset({"mov", "add", "mul", "min", "max", "rne"})

#: Types that a drain reads beside accumulators.
SIDES = frozenset({"fp32", "bf16", "fp16", "int8", "uint8", "int32"})

#: Types that a drain writes.
RESULTS = SIDES | {"e4m3", "e5m2", "e2m1", "int16"}


def drained(chain: Chain, leaves: Sequence[Expr], result: Tile) -> bool:
    """Whether the drain queue can do a chain: over accumulators, with simple stages."""
    first = leaves[0].tile if leaves else None
    if first is None or first.buffer.space != "acc" or chain.dtype != "fp32":
        return False
    others = [x.tile for x in leaves[1:]]
    return (
        all(stage.op in DRAINED for stage in chain.stages)
        and all(t is not None and t.buffer.space == "tsram" and t.type in SIDES for t in others)
        and result.type in RESULTS
        and len(leaves) == chain.inputs
    )
