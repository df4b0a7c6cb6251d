"""``maiacc compile``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from time import process_time

import click

from maiacc.checking import page
from maiacc.checking.survey import survey
from maiacc.commands.shared import (
    WRONG_VALUES,
    calibration_of,
    compiler_options,
    model_options,
)
from maiacc.compiling.build import Built, Watch, build
from maiacc.compiling.dump import Dump
from maiacc.compiling.kept import Kept
from maiacc.compiling.progress import progress
from maiacc.compiling.report import document, lines
from maiacc.files import STANDARD, not_the_input
from maiacc.frontend.load import Loaded, load_model
from maiacc.frontend.model import Settings, import_model
from maiacc.frontend.options import settings_for
from maiacc.options import TARGET, CompileOptions
from maiacc.output import check_destination, save_program
from maiacc.running.asking import MOST_THREADS
from maiacc.running.modules import refusals
from maiacc.verifying.made_inputs import made_inputs
from maiacc.verifying.report import lines as judged
from maiacc.verifying.verify import Asked, Verified
from maiacc.verifying.verify import verify as verify_model
from maiacc_isa.errors import MaiaccError
from maiacc_isa.machine import Machine, load_machine
from maiacc_passes.ir.graph import Module

#: What a command exits with for a model that the compiler does not support.
UNSUPPORTED = 2


@click.command(name="compile")
@click.argument("model", metavar="MODEL.onnx")
@click.option(
    "-o", "--output", metavar="FILE.maia",
    help="Where to write the program; beside the model if not. - is stdout.",
)  # fmt: skip
@click.option("--target", default=TARGET, show_default=True, help="A machine, or its file.")
@model_options
@compiler_options
@click.option("--no-weights", is_flag=True, help="Leave values of weights out: to be timed only.")
@click.option(
    "--passes", "names", metavar="A,B:OPTION=VALUE",
    help="Graph passes to run in place of those of the pipeline, as maiacc opt takes them.",
)  # fmt: skip
@click.option("--dump-ir", "folder", metavar="DIR", help="Write the text after every step.")
@click.option("--verify", is_flag=True, help="Judge what it computes, as maiacc verify does.")
@click.option("--keep-ir", is_flag=True, help="Keep the text after every pass in the file.")
@click.option(
    "--jobs", type=click.IntRange(0, MOST_THREADS), default=0, metavar="N",
    help="Threads that work on weights; 0, the default, is one on each processor.",
)  # fmt: skip
@click.option("--no-record", is_flag=True, help="Leave out what maiacc explain reads.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(
    model: str,
    output: str | None,
    target: str,
    shapes: tuple[str, ...],
    binds: tuple[str, ...],
    precision: str,
    sparsity: str,
    sparsity_method: str | None,
    calibration: str | None,
    sparsity_layers: str | None,
    no_weights: bool,
    names: str | None,
    folder: str | None,
    verify: bool,
    keep_ir: bool,
    jobs: int,
    no_record: bool,
    as_json: bool,
) -> None:
    """Compile MODEL for a machine, prove the program, and write it to a file (.maia).

    Exits with 1 if the model or what is given with it is not valid, 2 if it is not supported - with
    the report of maiacc check -, 3 if it does not fit, and 4 if --verify finds wrong values; the
    file is written only if none of it is so.
    """
    output = str(Path(model).with_suffix(".maia")) if output is None else output
    if output == STANDARD and as_json:
        raise click.UsageError("-o - writes the program to standard output, and nothing else")
    if verify and no_weights:
        raise click.UsageError("--verify needs the values that --no-weights leaves out")
    passes = None if names is None else tuple(n for n in names.split(",") if n.strip())
    options = CompileOptions(
        target, precision, sparsity, sparsity_layers, not no_weights, passes, sparsity_method,
        calibration_of(calibration),
    )  # fmt: skip
    machine = load_machine(target)
    options.check(machine)
    not_the_input(output, model)
    check_destination(output)
    loaded = load_model(model)
    settings = settings_for(loaded.model, shapes, binds)
    watch = Watch(record=not no_record, everything=keep_ir)
    built = _built(loaded, settings, machine, options, (folder, keep_ir), watch, as_json)
    verified = _verified(built) if verify else None
    if verified is not None and verified.wrong:
        for line in judged(verified):
            click.echo(line, err=as_json)
        sys.exit(WRONG_VALUES)
    for warning in options.warnings:
        click.echo(f"warning: {warning}", err=True)
    clock = process_time()
    save_program(built.program, output, symbols=True, jobs=jobs or os.cpu_count() or 1)
    built.wrote(process_time() - clock)
    if as_json:
        click.echo(json.dumps(document(built)))
    elif output != STANDARD:
        _say(built, verified, model, output)


def _say(built: Built, verified: Verified | None, model: str, output: str) -> None:
    """The summary, and what the judges have found."""
    for number, line in enumerate(lines(built, model, output)):
        click.echo(click.style(line, bold=not number))
    for line in () if verified is None else judged(verified):
        click.echo(line)


def _built(
    loaded: Loaded,
    settings: Settings,
    machine: Machine,
    options: CompileOptions,
    texts: tuple[str | None, bool],
    asked: Watch,
    as_json: bool,
) -> Built:
    """The compiled model. What is not supported is reported as ``maiacc check`` does. ``texts``
    after each step go to a folder, if there is one, and into the file, if they are to."""
    folder, keep = texts
    with progress(f"compiling {loaded.file}") as tell, refusals(loaded.file):
        watch = replace(asked, tell=tell)
        dumps: list[Dump | Kept] = []
        if folder is not None:
            dumps.append(Dump(folder, watch))
        if keep:
            dumps.append(Kept(dumps[-1].watch if dumps else watch))
        try:
            watch = dumps[-1].watch if dumps else watch
            built = build(loaded, settings, machine, options, watch)
        except MaiaccError as problem:
            if problem.exit_code != UNSUPPORTED:
                raise
            refused = problem
        else:
            for dump in dumps:
                dump.built(built)
            return built
    _report(loaded, settings, machine, refused, as_json)
    sys.exit(UNSUPPORTED)


def _verified(built: Built) -> Verified:
    """What ``maiacc verify`` finds."""
    loaded, settings = built.loaded, built.settings

    def fresh() -> Module:
        return import_model(loaded.model, settings, loaded.folder)

    with progress(f"verifying {loaded.file}") as tell, refusals(loaded.file):
        inputs = made_inputs(fresh(), seed=0)
        asked = Asked(fresh, built.program.machine, inputs, built.options, program=built.program)
        return verify_model(asked, tell)


def _report(
    loaded: Loaded, settings: Settings, machine: Machine, refused: MaiaccError, as_json: bool
) -> None:
    """What ``maiacc check`` says, with what the compiler refused if it does not say so itself."""
    found = survey(loaded, settings, machine)
    codes = {problem.code for problem in (*found.problems, *found.refused)}
    if refused.code not in codes:
        found.refused.append(refused)
    if as_json:
        click.echo(json.dumps(page.document(found, loaded.file)))
        return
    for line in page.lines(found, loaded.file):
        click.echo(line)
