"""Faults of the compiler itself: what is needed to see one again is saved, and where is said."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from maiacc.options import CompileOptions
from maiacc_isa.errors import InternalError, Place
from maiacc_isa.program import Program
from maiacc_isa.text import disassemble
from maiacc_isa.version import __version__
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.printer import print_module

#: Findings that the message repeats; the saved file has all of them.
SHOWN = 3


def internal_error(
    what: str,
    findings: Sequence[str],
    options: CompileOptions,
    file: str,
    module: Module,
    program: Program,
) -> InternalError:
    """The error, with a folder beside it that holds what is wrong, the module and the program."""
    folder = Path(tempfile.mkdtemp(prefix="maiacc-internal-error-"))
    head = [f"maiacc {__version__}, Python {sys.version}", f"model {file or '-'}", f"{options}"]
    texts = {
        "report.txt": "\n".join([*head, "", what, "", "\n\n".join(findings), ""]),
        "module.ir": print_module(module),
        "program.mist": disassemble(program),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    return InternalError(
        "E0001",
        f"the compiler made a wrong program, which is not written: {what}",
        place=Place(file=file) if file else None,
        found="\n".join(findings[:SHOWN]) or None,
        hint=f"report it with what is in {folder}",
    )
