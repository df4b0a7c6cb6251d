"""``maiacc opt``."""

from __future__ import annotations

import sys

import click

from maiacc.output import write_atomically
from maiacc.running.modules import read_module, refusals
from maiacc_passes import pipeline
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.verify import verify


@click.command(name="opt")
@click.argument("source", metavar="FILE.ir", type=click.Path(allow_dash=True))
@click.option(
    "--passes", "names", default="", metavar="A,B:OPTION=VALUE",
    help="Passes in order; maiacc passes lists them.",
)  # fmt: skip
@click.option("--output", "-o", metavar="FILE.ir", help="Where to write; standard output if not.")
def command(source: str, names: str, output: str | None) -> None:
    """Run passes over FILE.ir, a text of the IR (- is standard input), and print what comes out."""
    module = read_module(source)
    with refusals(source):
        passes = [pipeline.made(name) for name in names.split(",") if name.strip()]
        pipeline.run(module, passes, lambda name, after, changes: verify(after))
        text = print_module(module)
    if output is None:
        sys.stdout.write(text)
    else:
        write_atomically(output, [text.encode()])
