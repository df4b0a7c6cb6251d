"""``maiacc verify``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from maiacc.commands.shared import (
    WRONG_VALUES,
    calibration_of,
    compiler_options,
    model_options,
)
from maiacc.compiling.recorded import BIND, SHAPE, check_calibration, given_with, options_of
from maiacc.frontend.load import Loaded, load_model
from maiacc.frontend.model import Settings, import_model
from maiacc.frontend.options import settings_for
from maiacc.options import TARGET, CompileOptions
from maiacc.running.arrays import read_arrays
from maiacc.running.modules import read_module, refusals
from maiacc.verifying.cutting import Cutter
from maiacc.verifying.made_inputs import made_inputs
from maiacc.verifying.report import document, lines
from maiacc.verifying.reproducing import reproducer
from maiacc.verifying.verify import Asked, Fresh, verify
from maiacc_isa.container import check_weights, open_program
from maiacc_isa.machine import load_machine
from maiacc_isa.program import Program, Tensor
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.weights import Array


@click.command(name="verify")
@click.argument("source", metavar="FILE")
@click.option("--model", metavar="MODEL.onnx", help="The model that FILE.maia was compiled from.")
@click.option("--target", metavar="TARGET", help="A machine, or its file; that of FILE.maia.")
@click.option("--inputs", "archive", metavar="FILE.npz", help="Inputs by name.")
@click.option("--seed", type=int, default=0, show_default=True, help="Makes up other inputs.")
@model_options
@compiler_options
@click.option("--per-op", is_flag=True, help="Judge every op in a kernel of its own, too.")
@click.option("--per-pass", is_flag=True, help="Evaluate the model after every pass, too.")
@click.option(
    "--reproducer", "prefix", metavar="PREFIX",
    help="Where to write the smallest part that is wrong: PREFIX.onnx and PREFIX.npz.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(
    source: str,
    model: str | None,
    target: str | None,
    archive: str | None,
    seed: int,
    shapes: tuple[str, ...],
    binds: tuple[str, ...],
    precision: str,
    sparsity: str,
    sparsity_method: str | None,
    calibration: str | None,
    sparsity_layers: str | None,
    per_op: bool,
    per_pass: bool,
    prefix: str | None,
    as_json: bool,
) -> None:
    """Judge what a compiled model computes, kernel by kernel.

    FILE is a model (.onnx), a text of the IR (.ir), or a program (.maia) with its --model, which
    is compiled with the same options if no others are given. The model is compiled so that every
    tensor between kernels is handed out, proven, and run on the simulator. Each kernel is compared
    with exact arithmetic on the inputs that it had, and has to be within the error bound of its own
    arithmetic.

    Exits with 4 for wrong values; the smallest part of the model that is still wrong is written to
    a file then. With 1, 2, 3 as maiacc compile does.
    """
    program: Program | None = None
    if source.lower().endswith(".maia"):
        program = _program(source)
        if model is None:
            raise click.UsageError("a program does not say what it means: give its --model")
        if target is not None and load_machine(target) != program.machine:
            raise click.UsageError("--target is not the machine that the program is for")
    elif model is not None:
        raise click.UsageError("--model goes with a program (.maia)")
    name = model or source
    machine = load_machine(target or TARGET) if program is None else program.machine
    options = CompileOptions(
        machine.name, precision, sparsity, sparsity_layers, True, None, sparsity_method,
        calibration_of(calibration),
    )  # fmt: skip
    if program is not None:
        options = _as_compiled(program, options)
        shapes = shapes or given_with(program, SHAPE)
        binds = binds or given_with(program, BIND)
    with refusals(name):
        fresh, loaded, settings = _reader(name, shapes, binds)
        module = fresh()
        inputs = _inputs(module, archive, seed)
        asked = Asked(fresh, machine, inputs, options, per_op, per_pass, program)
        found = verify(asked, _telling(as_json))
        _telling(as_json)("")
        if found.wrong:
            cutter = None
            if loaded is not None:
                cutter = Cutter(loaded.model, settings, loaded.folder, inputs)
            made = reproducer(asked, found, cutter, found.piece)
            if made is not None:
                found.reproducer = made.write(prefix or f"{Path(name).stem}.wrong")
    if as_json:
        click.echo(json.dumps(document(found)))
    else:
        for line in lines(found):
            click.echo(line)
    if found.wrong:
        sys.exit(WRONG_VALUES)


def _as_compiled(program: Program, options: CompileOptions) -> CompileOptions:
    """The options that a program was compiled with, but for those that are given."""
    context = click.get_current_context()
    names = ("precision", "sparsity", "sparsity_layers", "sparsity_method", "calibration")
    given = {
        name: getattr(options, name)
        for name in names
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    found = replace(options_of(program, program.machine), **given)
    check_calibration(program, found)
    return found


def _program(path: str) -> Program:
    """A program from its file; weights are compared with their digest."""
    program = open_program(path)
    check_weights(path)
    return program


def _reader(
    path: str, shapes: tuple[str, ...], binds: tuple[str, ...]
) -> tuple[Fresh, Loaded | None, Settings]:
    """What makes the module of a model, and the model itself if there is one."""
    if not path.lower().endswith(".onnx"):
        return lambda: read_module(path, shapes, binds), None, Settings()
    loaded = load_model(path)
    settings = settings_for(loaded.model, shapes, binds)
    return lambda: import_model(loaded.model, settings, loaded.folder), loaded, settings


def _inputs(module: Module, archive: str | None, seed: int) -> dict[str, Array]:
    """Inputs from a file, the rest made up. Raises ``MaiaccError`` E1202 to E1204."""
    found = made_inputs(module, seed)
    if archive is None:
        return found
    params = zip(module.inputs, module.main.params, strict=True)
    tensors = {
        name: Tensor(name, "input", value.type.dtype, value.type.shape, 0) for name, value in params
    }
    given = read_arrays(archive, tensors)
    for name, array in given.items():
        dtype = found[name].dtype
        found[name] = array if array.dtype == dtype else array.view(dtype)
    return found


def _telling(as_json: bool) -> Callable[[str], None]:
    """Progress, on a terminal."""
    if as_json or not sys.stderr.isatty():
        return lambda _: None

    def tell(what: str) -> None:
        click.echo(f"\r\033[K{what}", err=True, nl=False)

    return tell
