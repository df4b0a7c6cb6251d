"""A model compiled so that every tensor between kernels can be read afterwards."""

from __future__ import annotations

from collections.abc import Callable

from maiacc.compiler import Compiled, compile_module
from maiacc.options import CompileOptions
from maiacc_isa.machine import Machine, machine_from_values
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module

#: What is said of a model that does not fit HBM.
DOES_NOT_FIT = "E1503"

#: How much more HBM a machine is given that has no room for every tensor at the same time.
MORE = 64


def compile_keeping(
    fresh: Callable[[], Module], machine: Machine, options: CompileOptions
) -> tuple[Compiled, Machine]:
    """The compiled model, and the machine that it is compiled for: the one that was asked for, or
    where that has no room one that has more HBM and is the same else, so that kernels are. Raises
    ``IRError`` for what cannot be compiled at all."""
    try:
        return compile_module(fresh(), machine, keep=True, options=options), machine
    except IRError as problem:
        if problem.code != DOES_NOT_FIT:
            raise
    larger = {**machine.values, "hbm.bytes": MORE * machine.space_bytes("hbm")}
    roomy = machine_from_values(machine.name, machine.title, larger)
    return compile_module(fresh(), roomy, keep=True, options=options), roomy
