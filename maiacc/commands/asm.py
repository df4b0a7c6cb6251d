"""``maiacc asm``."""

from __future__ import annotations

from pathlib import Path

import click

from maiacc.files import read_text
from maiacc_isa.asm import assemble
from maiacc_isa.container import save


@click.command(name="asm")
@click.argument("source", type=str)
@click.option("-o", "--output", help="The .maia file to write; by default SOURCE's name.")
@click.option("--target", help="A machine to use instead of the one the text names.")
@click.option("--no-symbols", is_flag=True, help="Leave out names that only people need.")
def command(source: str, output: str | None, target: str | None, no_symbols: bool) -> None:
    """Assemble SOURCE, a program text (.mist), into a program file (.maia)."""
    program = assemble(read_text(source), source, target)
    destination = output or str(Path(source).with_suffix(".maia"))
    save(program, destination, symbols=not no_symbols)
    words = sum(len(block.words) for block in program.blocks)
    descriptors = sum(len(block.descriptors) for block in program.blocks)
    click.echo(
        f"{destination}: {words} words, {descriptors} descriptors, "
        f"{len(program.blocks)} block{'s' * (len(program.blocks) != 1)} for {program.machine.name}",
        err=True,
    )
