"""maiacc: from an ONNX model to a proven program for a documented accelerator, and its cycles.

What the command line does is here for Python, too. Names are loaded when they are first used, so
that importing this package stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from maiacc_isa.errors import MaiaccError
from maiacc_isa.version import __version__

if TYPE_CHECKING:
    from maiacc.files import read_program
    from maiacc.options import CompileOptions
    from maiacc.program import Program, compile
    from maiacc.running.arrays import write_arrays
    from maiacc.running.sources import document
    from maiacc_isa.asm import assemble
    from maiacc_isa.container import save
    from maiacc_isa.lint import prove
    from maiacc_sim.machine import Limits
    from maiacc_sim.simulate import Options, Result, Session, simulate
    from maiacc_sim.tensors import random_inputs
    from maiacc_sim.trace.write import write_trace

#: Where each name is defined.
_HOMES = {
    "CompileOptions": "maiacc.options",
    "Limits": "maiacc_sim.machine",
    "Options": "maiacc_sim.simulate",
    "Program": "maiacc.program",
    "Result": "maiacc_sim.simulate",
    "Session": "maiacc_sim.simulate",
    "assemble": "maiacc_isa.asm",
    "compile": "maiacc.program",
    "document": "maiacc.running.sources",
    "prove": "maiacc_isa.lint",
    "random_inputs": "maiacc_sim.tensors",
    "read_program": "maiacc.files",
    "save": "maiacc_isa.container",
    "simulate": "maiacc_sim.simulate",
    "write_arrays": "maiacc.running.arrays",
    "write_trace": "maiacc_sim.trace.write",
}

__all__ = [
    "CompileOptions",
    "Limits",
    "MaiaccError",
    "Options",
    "Program",
    "Result",
    "Session",
    "__version__",
    "assemble",
    "compile",
    "document",
    "prove",
    "random_inputs",
    "read_program",
    "save",
    "simulate",
    "write_arrays",
    "write_trace",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return __all__
