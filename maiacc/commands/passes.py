"""``maiacc passes``."""

from __future__ import annotations

import json

import click

from maiacc.output import SCHEMA
from maiacc_passes.pipeline import PASSES, PIPELINE, options_of


@click.command(name="passes")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(as_json: bool) -> None:
    """List the passes: the pipeline with its reasons, and everything `maiacc opt` takes."""
    if as_json:
        document = {
            "schema": SCHEMA,
            "pipeline": [{"pass": s.name, "reason": s.reason} for s in PIPELINE],
            "passes": [
                {"name": name, "keeps": made.keeps, "options": dict(options_of(made()))}
                for name, made in PASSES.items()
            ],
        }
        click.echo(json.dumps(document))
        return
    click.echo("pipeline:")
    for number, step in enumerate(PIPELINE, 1):
        click.echo(f"  {number}  {step.name:<14} {step.reason}")
    click.echo("\npasses, as `maiacc opt --passes` takes them:")
    for name, made in PASSES.items():
        options = "".join(f":{key}={value}" for key, value in options_of(made()).items())
        click.echo(f"  {name + options:<34} keeps {made.keeps}")
