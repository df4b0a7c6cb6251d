"""The tables that ``maiacc profile`` prints."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table

from maiacc.running import figures
from maiacc.running.critical import REASONS, Piece, collapsed, queue_of, shares, word_of
from maiacc.running.figures import Spent
from maiacc.running.roofline import roofline
from maiacc.running.sources import scopes, sources
from maiacc.running.summary import percent
from maiacc_isa.errors import printable
from maiacc_sim.simulate import Result

#: Wider than any table.
WIDTH = 1000

#: Longest text of a word in a table.
TEXT = 60

#: Columns of a queue's waiting, and of a control processor's.
QUEUE_KINDS = ("semaphore", "port", "barrier", "control", "empty")
CONTROL_KINDS = ("queue", "semaphore", "load", "end")


class Page:
    """Prints tables, each as wide as it is."""

    def table(
        self, title: str, left: Sequence[str], right: Sequence[str], rows: Iterable[Sequence[str]]
    ) -> None:
        """A table with numbers on the right and, behind them, texts on the left."""
        table = Table(box=None, pad_edge=False)
        first, *texts = left
        table.add_column(first, no_wrap=True)
        for heading in right:
            table.add_column(heading, justify="right", no_wrap=True)
        for heading in texts:
            table.add_column(heading, no_wrap=True)
        for row in rows:
            table.add_row(*map(printable, row))
        drawn = io.StringIO()
        Console(file=drawn, width=WIDTH, markup=False, highlight=False, emoji=False).print(table)
        click.echo(click.style(title, bold=True))
        for line in drawn.getvalue().splitlines():
            click.echo(line.rstrip())
        click.echo()

    def line(self, text: str) -> None:
        """A line of text."""
        click.echo(printable(text))


def queue_tables(page: Page, result: Result) -> None:
    """Cycles of queues and of control processors."""
    account = result.timed.account
    for control, title, kinds in (
        (False, "queues: cycles of all instances", QUEUE_KINDS),
        (True, "control processors", CONTROL_KINDS),
    ):
        rows = [
            (
                f"{q.role} {q.queue}",
                *_numbers(q.instances, q.words, q.busy, *(q.kinds.get(kind, 0) for kind in kinds)),
                _number(q.cycles),
                percent(q.utilisation),
            )
            for q in figures.queues(account, control)
        ]
        names = ["room" if kind == "queue" else kind for kind in kinds]
        page.table(title, ["queue"], ["of", "words", "busy", *names, "all", "busy"], rows)


def stall_table(page: Page, result: Result, most: int | None) -> None:
    """What was waited for, the longest first."""
    found = figures.stalls(result)
    rows = [(s.queue, _number(s.cycles), percent(s.share), s.text) for s in found[:most]]
    page.table("waits", ["queue", "for"], ["cycles", "of its cycles"], rows)
    _more(page, len(found), most)


def instruction_table(page: Page, result: Result, most: int | None) -> None:
    """The words that took longest."""
    found = figures.instructions(result)
    rows = [
        (w.address, *_spent(w.spent), _cut(f"{w.queue} {w.text.removeprefix(w.queue).strip()}"))
        for w in found[:most]
    ]
    page.table("instructions: cycles of all instances", ["address", "word"], _SPENT, rows)
    _more(page, len(found), most)


def source_table(page: Page, result: Result, most: int | None) -> None:
    """The sources that took longest, with the rest of their queues' cycles."""
    found = sources(result)
    rows = [(_cut(name), *_spent(spent)) for name, spent in found.rows[:most]]
    left = sum(spent.total for _, spent in found.rows[len(rows) :])
    if left:
        rows.append((f"{len(found.rows) - len(rows)} more", *[""] * 5, _number(left)))
    for name, cycles in found.overhead.items():
        rows.append((name, *[""] * 5, _number(cycles)))
    rows.append(("no words in the queue", *[""] * 5, _number(found.empty)))
    rows.append(("all queues that have words", *[""] * 5, _number(found.total)))
    page.table("sources: cycles of all instances", ["source"], _SPENT, rows)


def scope_table(page: Page, result: Result, most: int | None) -> None:
    """The modules that sources are in, for models whose nodes are named by paths."""
    found = scopes(result)
    if found:
        total = sources(result).total
        rows = [(_cut(name), _number(n), percent(n / total)) for name, n in found[:most]]
        page.table("modules", ["module"], ["cycles", "of all"], rows)
        _more(page, len(found), most)


def traffic_tables(page: Page, result: Result) -> None:
    """Bytes by memory, and how busy the ports were."""
    totals = result.timed.totals
    peaks = figures.memory_peaks(result.program)
    spaces = []
    for space in sorted(totals.read | totals.written | dict.fromkeys(peaks, 0)):
        read, written = totals.read[space], totals.written[space]
        rate = (read + written) / result.cycles if result.cycles else 0
        used = [_number(n) for n in peaks[space]] if space in peaks else ["", ""]
        spaces.append((space, _number(read), _number(written), f"{rate:,.1f}", *used))
    headings = ["bytes read", "written", "a cycle", "highest used", "of"]
    page.table("memories", ["memory"], headings, spaces)
    rows = [
        (
            p.kind,
            *_numbers(p.ports),
            f"{p.width:g}",
            _number(p.occupied),
            percent(p.average),
            percent(p.highest),
            p.busiest,
        )
        for p in figures.ports(result)
    ]
    headings = ["ports", "bytes a cycle", "cycles", "occupied", "busiest"]
    page.table("ports", ["port", "which"], headings, rows)


def roofline_lines(page: Page, result: Result) -> None:
    """Where the program lies on the roofline."""
    found = roofline(result)
    if found.intensity is None or not found.macs:
        page.line(f"roofline: {found.macs:,} macs, {found.hbm_bytes:,} bytes of HBM")
        return
    balance = ", ".join(f"{value:.1f} for {rate}" for rate, value in found.balance.items())
    side = "HBM" if found.side == "hbm" else "the tensor units"
    page.line(
        f"roofline: {found.intensity:.1f} macs a byte of HBM; the machine balances at {balance}, "
        f"so the limit would be {side}"
    )
    share = found.macs_per_cycle / found.peak if found.peak else 0.0
    page.line(
        f"          {found.macs_per_cycle:,.1f} macs a cycle, {percent(share)} of {found.peak:,.0f}"
    )


def critical_tables(page: Page, result: Result, most: int | None) -> None:
    """The critical path: by queue, by source, and link by link."""
    by_queue, by_source = shares(result)
    for title, counts in (("queue", by_queue), ("source", by_source)):
        rows = [
            (_cut(name), _number(cycles), percent(cycles / max(result.cycles, 1)))
            for name, cycles in counts[:most]
        ]
        page.table(f"critical path by {title}", [title], ["cycles", "of all"], rows)
    pieces = collapsed(result.critical_path())
    steps = [row for piece in pieces[:most] for row in _piece_rows(result, piece)]
    page.table("critical path, in order", ["", "queue", "word", "begins"], ["cycles"], steps)
    _more(page, len(pieces), most)


def _piece_rows(result: Result, piece: Piece) -> Iterable[tuple[str, ...]]:
    """The lines of a piece; a repeated one is marked in front."""
    for number, step in enumerate(piece.steps):
        mark = "" if piece.times == 1 else "|" if number else f"{piece.times} x"
        times = f"{step.times} x " if step.times > 1 else ""
        word = _cut(times + word_of(result.program, step.link))
        yield mark, _number(step.cycles), queue_of(step.link), word, REASONS[step.link.reason]


# ---- cells --------------------------------------------------------------------------------

_SPENT = ["times", "busy", "semaphore", "port", "other", "all"]


def _spent(spent: Spent) -> list[str]:
    parts = (spent.count, spent.busy, spent.semaphore, spent.port, spent.other, spent.total)
    return _numbers(*parts)


def _number(number: int) -> str:
    return f"{number:,}"


def _numbers(*numbers: int) -> list[str]:
    return [_number(number) for number in numbers]


def _cut(text: str) -> str:
    return text if len(text) <= TEXT else text[: TEXT - 3] + "..."


def _more(page: Page, count: int, most: int | None) -> None:
    if most is not None and count > most:
        page.line(f"{count - most} more: --top 0 shows all")
        page.line("")
