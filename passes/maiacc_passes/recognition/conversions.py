"""Composites between conversions: they are computed in a wider type anyway.

Assumes: composites are recognised. Promises: results up to rounding. In:

    %1 = cvt(%0) {to=fp32} : fp32[2, 8]
    %2 = softmax(%1) {axis=1} : fp32[2, 8]
    %3 = cvt(%2) {to=fp16} : fp16[2, 8]

Out:

    %1 = softmax(%0) {axis=1} : fp16[2, 8]
"""

from __future__ import annotations

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.vocabulary.formulas import wide_name
from maiacc_passes.matching import made_by, widened
from maiacc_passes.rewriting import Replacement, Rule

#: Composites of one operand that is computed with, and perhaps scales, biases and attributes.
ALONE = (
    "softmax", "log_softmax", "layer_norm", "rms_norm", "group_norm", "gelu", "silu", "softplus",
)  # fmt: skip


def between_conversions(op: Op, b: Builder) -> Replacement:
    """narrow(f(wide(x))) = f(x)."""
    inner = made_by(op.operands[0], *ALONE)
    x = None if inner is None else widened(inner.operands[0])
    if inner is None or x is None or x.type is not op.result.type or len(inner.result.uses) > 1:
        return None
    if inner.result.type.dtype != wide_name(x.type.element):
        return None
    return b(inner.name, x, *inner.operands[1:], **inner.attrs)


RULES = (Rule("composite between conversions", ("cvt",), between_conversions, "bound"),)
