"""``maiacc disasm``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from maiacc.files import STANDARD, not_the_input, read_program
from maiacc.output import write_atomically
from maiacc_isa.container import weight_chunks
from maiacc_isa.machine_text import machine_file_name, machine_text
from maiacc_isa.program import Program
from maiacc_isa.text import disassemble, json_program, weight_layout


@click.command(name="disasm")
@click.argument("source", type=click.Path(allow_dash=True))
@click.option(
    "-o", "--output", help="Write the text, and what belongs to it, to files. - is stdout."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document with every word.")
def command(source: str, output: str | None, as_json: bool) -> None:
    """Print SOURCE, a program file (.maia), as assembly text.

    The text assembles to the same program. With -o, weights of more than 256 bytes are written to
    a file beside the output, NAME.weights.bin, and a machine that does not come with maiacc to
    its machine file; the text refers to both.
    """
    program = read_program(source)
    if as_json:
        click.echo(json_program(program))
        return
    if output is None or output == STANDARD:
        click.echo(disassemble(program), nl=False)
        if weight_layout(program):
            click.echo("weights are not part of this text; -o FILE writes them beside it", err=True)
        return
    not_the_input(output, source)
    weights_file = f"{Path(output).stem}.weights.bin"
    machine_file = machine_file_name(program.machine)
    text = disassemble(program, weights_file).encode()
    # The text comes last: while it is missing, nothing refers to the other files.
    if weight_layout(program):
        write_atomically(str(Path(output).with_name(weights_file)), _weights(program))
    if machine_file is not None:
        machine = machine_text(program.machine).encode()
        write_atomically(str(Path(output).with_name(machine_file)), [machine])
    write_atomically(output, [text])


def _weights(program: Program) -> Iterator[bytes | memoryview]:
    for name in weight_layout(program):
        yield from weight_chunks(program.weights[name], name)
