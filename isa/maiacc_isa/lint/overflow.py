"""Warnings about sums of integer products that may leave the 32 bits of an accumulator."""

from __future__ import annotations

from maiacc_isa.lint.findings import Report, Sites
from maiacc_isa.lint.tree import Loop, Node, walk
from maiacc_isa.load import load
from maiacc_isa.measure import WordMeasure
from maiacc_isa.operation import View
from maiacc_isa.program import Block, Program


def warn_overflow(
    program: Program, block: Block, tree: list[Node], report: Report, sites: Sites
) -> None:
    """Warns of multiplies whose sum may pass 2^31 - 1 before the accumulators are overwritten.

    Counts K of a word times the turns of the loops it accumulates over, for operands of the
    largest magnitude; turns that only registers know are not counted.
    """
    for node, around in walk(tree):
        if isinstance(node, Loop) or node.word.row.meaning not in ("mm", "mmsp"):
            continue
        measure = WordMeasure(node.word, block, program.machine)
        d, a, b = (measure.views[name] for name in "dab")
        if d is None or a is None or b is None or d.dtype != "int32":
            continue
        turns = _turns(node.word.fields, around)
        stored = a.red if node.word.row.meaning == "mm" else b.red
        most = _magnitude(a) * _magnitude(b) * stored * turns
        if most >= 1 << 31:
            report.warn(
                "W0701",
                f"{stored * turns:,} products of {a.dtype} and {b.dtype} are added up, as much as "
                f"{most:,}; int32 wraps",
                sites.site(node.index),
                "drain and add partial sums in fp32, if the values can be that large",
            )


def _turns(fields: dict[str, object], around: tuple[Loop, ...]) -> int:
    """Turns of the loops over which a word surely goes on accumulating."""
    if fields["mode"] != "first":
        return 1
    total = 1
    for loop in around:
        if loop.level >= int(str(fields["level"])) and loop.word["kind"] == "imm":
            total *= max(1, loop.word["trip"])
    return total


def _magnitude(view: View) -> int:
    """Largest magnitude of an integer type."""
    dtype = load().dtypes[view.dtype]
    return max(-dtype.low, dtype.high)
