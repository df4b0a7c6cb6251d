"""``maiacc check``."""

from __future__ import annotations

import json
import sys

import click

from maiacc.checking.page import document, lines
from maiacc.checking.survey import survey
from maiacc.commands.shared import model_options
from maiacc.frontend.load import load_model
from maiacc.frontend.options import settings_for
from maiacc.options import TARGET
from maiacc_isa.machine import load_machine


@click.command(name="check")
@click.argument("model", metavar="MODEL.onnx")
@click.option("--target", default=TARGET, show_default=True, help="A machine, or its file.")
@model_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(
    model: str, target: str, shapes: tuple[str, ...], binds: tuple[str, ...], as_json: bool
) -> None:
    """Say what keeps MODEL from running on a machine - all of it at once - or what it needs.

    Exits with 0 if nothing does, 1 if the model or what is given with it is not valid, 2 if it is
    not supported, 3 if it does not fit.
    """
    machine = load_machine(target)
    loaded = load_model(model)
    found = survey(loaded, settings_for(loaded.model, shapes, binds), machine)
    if as_json:
        click.echo(json.dumps(document(found, model)))
    else:
        for line in lines(found, model):
            click.echo(line)
    sys.exit(found.exit_code)
