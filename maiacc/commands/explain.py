"""``maiacc explain``."""

from __future__ import annotations

import difflib
import importlib
import json

import click

from maiacc.output import SCHEMA
from maiacc_isa.errors import MaiaccError, codes, quote
from maiacc_isa.load import load
from maiacc_isa.manual.pages import page
from maiacc_isa.spec import Stage, Trap


@click.command(name="explain")
@click.argument("name")
@click.option("--in", "file", metavar="FILE.maia", help="The program of a model that NAME is of.")
@click.option("--no-timing", is_flag=True, help="With --in, leave the timed run out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(name: str, file: str | None, no_timing: bool, as_json: bool) -> None:
    """Explain NAME: an error code (E0802), instruction (mmsp), stage (exp) or trap (race).

    With --in, NAME is a node of the model that the program was compiled from, a part of its name,
    or a kernel (k3): which kernels execute it and with what else, how they are cut into tiles and
    what else was weighed, where operands and results lie, and what bounds it - as predicted, and
    as a run without values takes it.
    """
    if file is not None:
        # This loads the simulator, which other explanations can do without.
        module = importlib.import_module("maiacc.explaining.program")
        facts, page_lines = module.explained(file, name, not no_timing)
        click.echo(json.dumps(facts) if as_json else "\n".join(page_lines))
        return
    if no_timing:
        raise click.UsageError("--no-timing goes with --in")
    text = explanation(name)
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "name": name, "markdown": text}))
    else:
        click.echo(text, nl=False)


def explanation(name: str) -> str:
    """The long text for a name. Raises ``MaiaccError`` E0004 if nothing has it."""
    spec = load()
    code = codes().get(name.upper())
    if code is not None:
        return f"{code.code}: {code.title}\n\n{code.why}\n\nWhat to try: {code.fix}\n"
    insn = spec.by_mnemonic.get(name.lower())
    if insn is not None:
        return page(insn)
    row = spec.stages.get(name.lower()) or spec.traps.get(name.lower())
    if isinstance(row, Stage):
        return _stage(row)
    if isinstance(row, Trap):
        return explanation(row.code)
    known = [*codes(), *spec.by_mnemonic, *spec.stages, *spec.traps]
    near = difflib.get_close_matches(name, known, n=4, cutoff=0.5)
    raise MaiaccError(
        "E0004",
        f"nothing is called `{quote(name)}`",
        expected="an error code, an instruction, a stage or a trap",
        hint=f"did you mean {', '.join(near)}?" if near else "maiacc isa lists the instructions",
    )


def _stage(row: Stage) -> str:
    where = "vector unit and drain" if row.drain else "vector unit"
    classes = " or ".join(row.classes)
    return (
        f"stage {row.name}: {row.doc}\n\n"
        f"inputs {row.inputs}, class {classes}, {row.cost} of a pass's stages, {where}\n"
    )
