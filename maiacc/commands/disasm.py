"""``maiacc disasm``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from maiacc.files import read_program
from maiacc.output import write_atomically
from maiacc_isa.container import weight_chunks
from maiacc_isa.program import Program
from maiacc_isa.text import disassemble, json_program, weight_layout


@click.command(name="disasm")
@click.argument("source", type=str)
@click.option("-o", "--output", help="Write the text, and beside it large weights, to files.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document with every word.")
def command(source: str, output: str | None, as_json: bool) -> None:
    """Print SOURCE, a program file (.maia), as assembly text.

    The text assembles to the same program. Weights of more than 256 bytes are written to a file
    beside the output, NAME.weights.bin, which the text refers to.
    """
    program = read_program(source)
    if as_json:
        click.echo(json_program(program))
        return
    if output is None:
        click.echo(disassemble(program), nl=False)
        return
    weights_file = f"{Path(output).stem}.weights.bin"
    if weight_layout(program):
        write_atomically(str(Path(output).with_name(weights_file)), _weights(program))
    write_atomically(output, [disassemble(program, weights_file).encode()])


def _weights(program: Program) -> Iterator[bytes]:
    for name in weight_layout(program):
        yield from weight_chunks(program.weights[name], name)
