"""Models that are named where a program is expected: they are compiled, and run at once.

This loads the compiler, which takes longer than a small program runs: it is imported when there is
a model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from maiacc.compiling.build import Watch, build
from maiacc.compiling.progress import progress
from maiacc.frontend.load import load_model
from maiacc.frontend.options import settings_for
from maiacc.options import TARGET, CompileOptions
from maiacc.running.modules import refusals
from maiacc_isa.machine import load_machine
from maiacc_isa.program import Program


def compiled(
    path: str,
    target: str | None,
    shapes: Iterable[str],
    binds: Iterable[str],
    precision: str,
    values: bool,
) -> Program:
    """The program of a model, proven. ``values`` False leaves values of weights out.

    Raises ``MaiaccError`` for what stands in the way; its exit code is that of ``maiacc compile``.
    """
    options = CompileOptions(target or TARGET, precision, weights=values)
    machine = load_machine(options.target)
    with refusals(path):
        loaded = load_model(path)
        settings = settings_for(loaded.model, shapes, binds)
        with progress(f"compiling {path}") as tell:
            built = build(loaded, settings, machine, options, Watch(tell))
    return replace(built.program, file=path)
