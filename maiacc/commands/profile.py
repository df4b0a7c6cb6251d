"""``maiacc profile``."""

from __future__ import annotations

import json
from typing import Any

import click

from maiacc.running import figures, tables
from maiacc.running.asking import request, shared_options
from maiacc.running.critical import collapsed, queue_of, shares, word_of
from maiacc.running.prepare import prepare
from maiacc.running.roofline import roofline
from maiacc.running.sources import document, sources
from maiacc.running.summary import bound_line, headline
from maiacc_isa.program import Program
from maiacc_sim.simulate import Result
from maiacc_sim.timing.critical import Link

#: Rows of a table by itself, and of one among others.
TOP, FEW = 20, 8


@click.command(name="profile")
@shared_options
@click.option(
    "--by", type=click.Choice(["instruction", "source", "queue", "stall"]),
    help="Only this table, and more of it.",
)  # fmt: skip
@click.option("--critical", is_flag=True, help="The words and waits that determine the cycles.")
@click.option(
    "--top", type=click.IntRange(min=0), metavar="N", help="Rows of a table; 0 shows all of them."
)
def command(by: str | None, critical: bool, top: int | None, as_json: bool, **shared: Any) -> None:
    """Show where the cycles of PROG go: by queue, wait, instruction and source, which are the
    nodes of a model.

    Cycles depend on values only through scalars that a program loads. So inputs are needed, and
    values computed, for programs that load some; others are profiled without. The numbers are
    those of `maiacc run`. PROG may be a model (.onnx), or -, standard input.
    """
    asked = request(**shared)
    job = prepare(asked, values=None, record=critical)
    result = job.run()
    if as_json:
        click.echo(json.dumps(profile_document(result, critical)))
        return
    click.echo(click.style(headline(result), bold=True))
    click.echo(bound_line(result) + "\n")
    few = FEW if top is None else top or None
    many = TOP if top is None else top or None
    page = tables.Page()
    if by is None and not critical:
        tables.queue_tables(page, result)
        tables.stall_table(page, result, few)
        tables.instruction_table(page, result, few)
        tables.source_table(page, result, few)
        tables.traffic_tables(page, result)
        tables.roofline_lines(page, result)
    elif by == "queue":
        tables.queue_tables(page, result)
    elif by == "stall":
        tables.stall_table(page, result, many)
    elif by == "instruction":
        tables.instruction_table(page, result, many)
    elif by == "source":
        tables.source_table(page, result, many)
        tables.scope_table(page, result, many)
    if critical:
        tables.critical_tables(page, result, many)


def profile_document(result: Result, critical: bool) -> dict[str, Any]:
    """All of a profile as plain data: what ``run --json`` says, and the rows of all tables."""
    by_node = sources(result)
    peaks = figures.memory_peaks(result.program)
    found = roofline(result)
    whole = document(result) | {
        "stalls": [figures.plain(row) for row in figures.stalls(result)],
        "words": [
            {**figures.plain(row), "spent": _spent(row.spent)}
            for row in figures.instructions(result)
        ],
        "sources": {
            "rows": [{"source": name, **_spent(spent)} for name, spent in by_node.rows],
            "overhead": by_node.overhead,
            "empty": by_node.empty,
            "total": by_node.total,
        },
        "ports": [figures.plain(row) for row in figures.ports(result)],
        "memories": {name: {"used": n, "bytes": all_} for name, (n, all_) in peaks.items()},
        "roofline": {**figures.plain(found), "side": found.side},
    }
    if critical:
        by_queue, on_path = shares(result)
        whole["critical"] = {
            "queues": dict(by_queue),
            "sources": dict(on_path),
            "path": [
                {
                    "times": piece.times,
                    "steps": [
                        {**_link(result.program, s.link), "times": s.times, "cycles": s.cycles}
                        for s in piece.steps
                    ],
                }
                for piece in collapsed(result.critical_path())
            ],
        }
    return whole


def _spent(spent: figures.Spent) -> dict[str, int]:
    return {**figures.plain(spent), "total": spent.total}


def _link(program: Program, link: Link) -> dict[str, Any]:
    """A link as plain data."""
    return {
        "queue": queue_of(link),
        "address": f"{link.block}:{link.index}" if link.index >= 0 else None,
        "text": word_of(program, link),
        "reason": link.reason,
    }
