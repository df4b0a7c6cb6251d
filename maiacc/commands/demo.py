"""``maiacc demo``."""

from __future__ import annotations

import click

from maiacc.demos import digits, kernel
from maiacc.options import TARGET


@click.command(name="demo")
@click.option("-o", "--output", metavar="DIR", help="A folder to keep all files in.")
@click.option("--target", help=f"A machine, or its file; {TARGET} if none is given.")
@click.option("--mist", is_flag=True, help="Show a kernel that is written by hand instead.")
def command(output: str | None, target: str | None, mist: bool) -> None:
    """Compile, prove and run a small classifier on real handwritten digits.

    Model and digits come with maiacc. Shows how many digits are right, the cycles and where they
    went. With --mist: assemble, prove, run and disassemble a double-buffered matrix multiply, then
    change one number of it and see why it is refused. Leaves nothing in the folder it is called in;
    a trace of the run goes to a temporary one unless --output names a folder.
    """
    if mist and target is not None:
        raise click.UsageError("--mist shows a program, which is for its machine")
    if mist:
        kernel.show(output)
    else:
        digits.show(target or TARGET, output)
