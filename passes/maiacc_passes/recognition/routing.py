"""Routing of a mixture of experts: the best experts of each token, and their shares.

Assumes: softmax is recognised. Promises: results up to rounding. In:

    %1 = softmax(%0) {axis=1} : fp32[4, 8]
    %2, %3 = topk(%1) {axis=1, k=2} : fp32[4, 2], int64[4, 2]
    %4 = rsum(%2) {axes=[1], keep=true} : fp32[4, 1]
    %5 = div(%2, %4) : fp32[4, 2]
    return(%5, %3)

Out:

    %1, %2 = moe_route(%0) {k=2, normalize=true} : fp32[4, 2], int64[4, 2]
    return(%1, %2)

A softmax of the best scores is the same as the best of a softmax, divided by their sum.
"""

from __future__ import annotations

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.matching import made_by
from maiacc_passes.rewriting import Replacement, Rule


def best_shares(op: Op, b: Builder) -> Replacement:
    """topk(softmax(scores))."""
    shares = made_by(op.operands[0], "softmax")
    x = None if shares is None else shares.operands[0]
    if shares is None or x is None or shares.attrs["masked_zero"] or not op.attrs["largest"]:
        return None
    last = x.type.rank - 1
    if (shares.attrs["axis"], op.attrs["axis"]) != (last, last) or not _some(op, x):
        return None
    return b.many("moe_route", x, k=op.attrs["k"])


def _some(best: Op, x: Value) -> bool:
    """Whether a choice is of some experts, but not of all."""
    k: int = best.attrs["k"]
    return 0 < k < x.type.shape[-1]


def divided(op: Op, b: Builder) -> Replacement:
    """The best shares divided by their sum."""
    route = made_by(op.operands[0], "moe_route")
    total = made_by(op.operands[1], "rsum")
    if route is None or total is None or route.attrs["normalize"]:
        return None
    best = route.results[0]
    last = best.type.rank - 1
    whole = total.operands[0] is best and total.attrs["keep"] and total.attrs["axes"] == (last,)
    if op.operands[0] is not best or not whole:
        return None
    return _normalized(b, route, route.operands[0])


def _normalized(b: Builder, best: Op, scores: Value | None) -> Value:
    """The shares of a normalised route, whose indices take the place of those of another op: there,
    because they may be used before the shares are."""
    there = Builder(b.module, best.region, best, best.location.merged(b.location))
    made = there.op("moe_route", scores, k=best.attrs["k"], normalize=True)
    best.results[1].replace(made.results[1])
    return made.results[0]


def softmax_of_best(op: Op, b: Builder) -> Replacement:
    """softmax(topk(scores))."""
    best = made_by(op.operands[0], "topk")
    x = None if best is None else best.operands[0]
    if best is None or x is None or not best.attrs["largest"] or op.attrs["masked_zero"]:
        return None
    last = x.type.rank - 1
    if op.operands[0] is not best.results[0] or len(best.results[0].uses) != 1:
        return None
    if (best.attrs["axis"], op.attrs["axis"]) != (last, last) or not _some(best, x):
        return None
    return _normalized(b, best, x)


RULES = (
    Rule("shares of the best", ("topk",), best_shares, "bound"),
    Rule("shares divided by their sum", ("div",), divided, "bound"),
    Rule("softmax of the best", ("softmax",), softmax_of_best, "bound"),
)
