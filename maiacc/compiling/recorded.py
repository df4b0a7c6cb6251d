"""What a program was compiled with, kept in its file: how it was asked for, as text by option."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from maiacc.frontend.model import Settings
from maiacc.options import CompileOptions
from maiacc_isa.errors import MaiaccError
from maiacc_isa.machine import Machine
from maiacc_isa.program import Program

#: How options begin that give an input's shape or a dimension's size, and an input's value.
SHAPE, BIND = "shape:", "bind:"

#: What the digest of calibration data is kept under.
CALIBRATION = "calibration"


def recorded(options: CompileOptions, settings: Settings) -> dict[str, str]:
    """Options by name; those that were not given are left out."""
    found = {"precision": options.precision, "sparsity": options.sparsity}
    if options.sparsity_layers is not None:
        found["sparsity-layers"] = options.sparsity_layers
    if options.sparsity_method is not None:
        found["sparsity-method"] = options.sparsity_method
    if options.calibration is not None:
        found[CALIBRATION] = options.calibration.digest
    if not options.weights:
        found["weights"] = "none"
    if options.passes is not None:
        found["passes"] = ",".join(options.passes)
    for name, shape in settings.shapes.items():
        found[SHAPE + name] = "x".join(map(str, shape))
    for name, size in settings.dims.items():
        found[SHAPE + name] = str(size)
    for name, value in settings.values.items():
        found[BIND + name] = json.dumps(np.asarray(value).tolist())
    return found


def options_of(program: Program, machine: Machine) -> CompileOptions:
    """The options that a program was compiled with; those of one that no model was compiled to are
    the usual ones."""
    given: Mapping[str, str] = program.options
    passes = given.get("passes")
    return CompileOptions(
        machine.name,
        given.get("precision", "model"),
        given.get("sparsity", "none"),
        given.get("sparsity-layers"),
        sparsity_method=given.get("sparsity-method"),
        passes=None if passes is None else tuple(filter(None, passes.split(","))),
    )


def check_calibration(program: Program, options: CompileOptions) -> None:
    """Raises ``MaiaccError`` E1506 if a program was pruned by other data than the options have."""
    digest = program.options.get(CALIBRATION)
    given = options.calibration
    if digest is None or options.sparsity == "none":
        return
    if given is None or given.digest != digest:
        raise MaiaccError(
            "E1506",
            "the program was pruned by calibration data, and these are not given",
            expected=f"SHA-256 {digest}",
            found="no --calibration" if given is None else f"SHA-256 {given.digest}",
            hint="give the --calibration FILE.npz that it was compiled with",
        )


def given_with(program: Program, start: str) -> tuple[str, ...]:
    """What was given as ``--shape`` or ``--bind`` (``SHAPE`` or ``BIND``)."""
    found = [(name, value) for name, value in program.options.items() if name.startswith(start)]
    return tuple(f"{name.removeprefix(start)}={value}" for name, value in found)
