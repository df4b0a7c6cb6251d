"""``maiacc ops``."""

from __future__ import annotations

import dataclasses
import json

import click

from maiacc.checking.operators import page, support
from maiacc.output import SCHEMA


@click.command(name="ops")
@click.argument("name", required=False)
@click.option("--opset", type=int, metavar="N", help="An opset of the default domain; the latest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--markdown", is_flag=True, help="The page of the documentation.")
def command(name: str | None, opset: int | None, as_json: bool, markdown: bool) -> None:
    """List the ONNX operators and whether they are supported; those with NAME in them, if given."""
    if markdown:
        click.echo(page(), nl=False)
        return
    rows = [row for row in support(opset) if name is None or name.lower() in row.title.lower()]
    if as_json:
        operators = [dataclasses.asdict(row) for row in rows]
        click.echo(json.dumps({"schema": SCHEMA, "operators": operators}))
        return
    for row in rows:
        reason = f": {row.reason}; {row.way_out}" if row.way_out else ""
        click.echo(f"{row.title:<36} {row.since:>3}  {row.how}{reason}")
    counts = {how: sum(row.how == how for row in rows) for how in ("native", "body", "refused")}
    click.echo(f"{len(rows)} operators: " + ", ".join(f"{n} {how}" for how, n in counts.items()))
