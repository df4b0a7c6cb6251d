"""``maiacc asm``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from maiacc.files import STANDARD, not_the_input, read_text
from maiacc.output import SCHEMA, save_program
from maiacc_isa.asm import assemble
from maiacc_isa.errors import printable


@click.command(name="asm")
@click.argument("source", type=click.Path(allow_dash=True))
@click.option(
    "-o", "--output", help="The .maia file to write; by default SOURCE's name. - is stdout."
)
@click.option("--target", help="A machine to use instead of the one the text names.")
@click.option("--no-symbols", is_flag=True, help="Leave out names that only people need.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document about what was written.")
def command(
    source: str, output: str | None, target: str | None, no_symbols: bool, as_json: bool
) -> None:
    """Assemble SOURCE, a program text (.mist), into a program file (.maia).

    SOURCE may be -, standard input. The output appears only when it is complete.
    """
    if output is None and source == STANDARD:
        raise click.UsageError("name the output with -o where SOURCE is standard input")
    if as_json and output == STANDARD:
        raise click.UsageError("--json and the program file cannot both go to standard output")
    destination = output or str(Path(source).with_suffix(".maia"))
    not_the_input(destination, source)
    program = assemble(read_text(source), source, target)
    save_program(program, destination, symbols=not no_symbols)
    words = sum(len(block.words) for block in program.blocks)
    descriptors = sum(len(block.descriptors) for block in program.blocks)
    blocks = len(program.blocks)
    click.echo(
        f"{printable(destination)}: {words} words, {descriptors} descriptors, "
        f"{blocks} block{'s' * (blocks != 1)} for {program.machine.name}",
        err=True,
    )
    if as_json:
        document = {
            "schema": SCHEMA,
            "file": printable(source),
            "output": printable(destination),
            "target": program.machine.name,
            "words": words,
            "descriptors": descriptors,
            "blocks": [block.name for block in program.blocks],
        }
        click.echo(json.dumps(document))
