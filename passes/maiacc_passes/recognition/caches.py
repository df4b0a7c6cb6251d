"""KV caches: what an input holds with something new behind it, handed out again.

Assumes: canonical form. Promises: all bits. In:

    %1 = concat(%past, %new) {axis=2} : fp32[1, 8, 513, 64]
    return(%1)

Out:

    %1 = cache_append(%past, %new) {axis=2} : fp32[1, 8, 513, 64]
    return(%1)
"""

from __future__ import annotations

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op
from maiacc_passes.rewriting import Replacement, Rule


def cache_append(op: Op, b: Builder) -> Replacement:
    """A concatenation of an input of the model and one other value that the model hands out."""
    if len(op.operands) != 2 or op.region is None or op.region.owner is not None:
        return None
    cache, new = op.operands
    if cache is None or new is None or cache.region is not op.region or new.weight is not None:
        return None
    if not any(user.name == "return" for user in op.result.uses) or cache.type.counts:
        return None
    return b("cache_append", cache, new, axis=op.attrs["axis"])


RULES = (Rule("cache", ("concat",), cache_append),)
