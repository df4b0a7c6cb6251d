"""``maiacc ops``."""

from __future__ import annotations

import dataclasses
import json

import click

from maiacc.checking.operators import page, support
from maiacc.output import SCHEMA
from maiacc_isa.errors import printable


@click.command(name="ops")
@click.argument("name", required=False)
@click.option("--opset", type=int, metavar="N", help="An opset of the default domain; the latest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--markdown", is_flag=True, help="The page of the documentation.")
def command(name: str | None, opset: int | None, as_json: bool, markdown: bool) -> None:
    """List the ONNX operators and whether they are supported; those with NAME in them, if given."""
    if markdown and (name or opset is not None or as_json):
        raise click.UsageError("--markdown writes the whole page; it takes nothing else")
    if markdown:
        click.echo(page(), nl=False)
        return
    rows = [row for row in support(opset) if name is None or name.lower() in row.title.lower()]
    if as_json:
        operators = [dataclasses.asdict(row) for row in rows]
        click.echo(json.dumps({"schema": SCHEMA, "operators": operators}))
        return
    if not rows:
        click.echo(f"no operator of this opset has {printable(name or '')} in its name")
        return
    width = max(len(row.title) for row in rows)
    for row in rows:
        reason = f": {row.reason}; {row.way_out}" if row.way_out else ""
        click.echo(f"{row.title:<{width}} {row.since:>3}  {row.how}{reason}")
    kinds = ("native", "body", "refused", "missing")
    counts = {how: number for how in kinds if (number := sum(row.how == how for row in rows))}
    click.echo(
        f"{len(rows)} operator{'' if len(rows) == 1 else 's'}: "
        + ", ".join(f"{n} {how}" for how, n in counts.items())
    )
