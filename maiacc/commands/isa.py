"""``maiacc isa``."""

from __future__ import annotations

import difflib
import json
import sys

import click
from rich.console import Console
from rich.markdown import Markdown

from maiacc.output import SCHEMA
from maiacc_isa.errors import MaiaccError, quote
from maiacc_isa.load import load
from maiacc_isa.manual.build import chapter, chapters
from maiacc_isa.manual.pages import page


@click.command(name="isa")
@click.argument("name", required=False)
@click.option("--raw", is_flag=True, help="Print Markdown even on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(name: str | None, raw: bool, as_json: bool) -> None:
    """Show the manual: an overview, or NAME, an instruction (mmsp) or a chapter (time)."""
    text = manual_text(name or "index")
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "name": name or "index", "markdown": text}))
    elif raw or not sys.stdout.isatty():
        click.echo(text, nl=False)
    else:
        Console().print(Markdown(text))


def manual_text(name: str) -> str:
    """A page of the manual by name. Raises ``MaiaccError`` E0004 if there is none."""
    insn = load().by_mnemonic.get(name.lower())
    if insn is not None:
        return page(insn)
    if name.lower() in chapters():
        return chapter(name.lower())
    near = difflib.get_close_matches(name.lower(), [*load().by_mnemonic, *chapters()], n=3)
    raise MaiaccError(
        "E0004",
        f"the manual has no page `{quote(name)}`",
        expected="an instruction ("
        + ", ".join(load().by_mnemonic)
        + ") or a chapter ("
        + ", ".join(chapters())
        + ")",
        hint=f"did you mean {', '.join(near)}?" if near else None,
    )
