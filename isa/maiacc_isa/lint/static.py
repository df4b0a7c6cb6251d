"""What can be said about words by looking at each of them: the first part of every proof, and what
has to hold before a simulator touches a program."""

from __future__ import annotations

import contextlib

from maiacc_isa.lint.findings import Report, Sites, TooMany
from maiacc_isa.lint.overflow import warn_overflow
from maiacc_isa.lint.rules import check_block, check_program
from maiacc_isa.lint.tree import BadNesting, Node, build
from maiacc_isa.lint.words import WordRules
from maiacc_isa.program import Block, Program


def check_words(program: Program) -> Report:
    """Findings about tables, nesting, types, shapes and queues of a program's words.

    Takes time in proportion to the words. A program without findings may still trap, race or
    hang; ``maiacc_isa.lint.prove`` decides that.
    """
    report = Report(program)
    with contextlib.suppress(TooMany):
        check_program(program, report)
        for block in program.blocks:
            check_words_of(program, block, report, Sites(block, program))
    return report


def check_words_of(
    program: Program, block: Block, report: Report, sites: Sites
) -> list[Node] | None:
    """Checks the words of a block; returns its loops, None if they do not nest."""
    report.words += len(block.words)
    check_block(program, block, report, sites)
    try:
        tree = build(block, sites)
    except BadNesting as problem:
        report.add(problem.finding)
        return None
    found = len(report.findings)
    WordRules(program, block, report, sites).check(tree)
    if found == len(report.findings):
        warn_overflow(program, block, tree, report, sites)
    return tree
