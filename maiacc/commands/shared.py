"""Options that commands on models have in common, and what these exit with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from maiacc.compiling.calibration import Calibration
from maiacc.options import METHODS, PRECISIONS, SPARSITIES

F = TypeVar("F", bound=Callable[..., Any])

#: What a command exits with for values that are wrong.
WRONG_VALUES = 4


def model_options(command: F) -> F:
    """Adds ``--shape`` and ``--bind``, which go to ``settings_for``."""
    return _added(
        command,
        click.option(
            "--shape", "shapes", multiple=True, metavar="NAME=1x128",
            help="The shape of an input, or the size of a dimension (NAME=128).",
        ),
        click.option(
            "--bind", "binds", multiple=True, metavar="NAME=VALUE",
            help="The value of an input that decides shapes, axes or trip counts: a number, a "
            "list, @FILE.npy.",
        ),
    )  # fmt: skip


def compiler_options(command: F) -> F:
    """Adds ``--precision``, ``--sparsity`` and what belongs to it, which go to
    ``CompileOptions``."""
    return _added(
        command,
        click.option(
            "--precision", default="model", show_default=True, metavar="|".join(PRECISIONS),
            help="What contractions are computed in; `model` keeps the types that it has.",
        ),
        click.option(
            "--sparsity", default="none", show_default=True, metavar="|".join(SPARSITIES),
            help="Prune weights of contractions.",
        ),
        click.option(
            "--sparsity-method", metavar="|".join(METHODS),
            help="How to choose what is kept: sparsegpt with --calibration, else magnitude.",
        ),
        click.option(
            "--calibration", metavar="FILE.npz",
            help="Inputs by name, many of each, that weights are pruned by.",
        ),
        click.option(
            "--sparsity-layers", metavar="REGEX", help="Nodes to prune that would be left out."
        ),
    )  # fmt: skip


def calibration_of(path: str | None) -> Calibration | None:
    """The data of ``--calibration``."""
    return None if path is None else Calibration(path)


def _added(command: F, *options: Callable[[F], F]) -> F:
    for option in reversed(options):
        command = option(command)
    return command
