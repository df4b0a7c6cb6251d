"""What commands write: files that are complete under their name, and documents."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from maiacc.files import STANDARD
from maiacc_isa.atomic import AtomicFile
from maiacc_isa.container import save
from maiacc_isa.errors import ErrorList, MaiaccError, Place
from maiacc_isa.program import Program

#: Version of the JSON documents.
SCHEMA = 1


def write_atomically(path: str, chunks: Iterable[bytes | memoryview]) -> None:
    """Writes a file that appears under its name when all has been written.

    Raises ``MaiaccError`` E0003 if it cannot be written.
    """
    with AtomicFile(path) as file:
        for chunk in chunks:
            file.write(chunk)


def check_destination(path: str) -> None:
    """Refuses a file to write that is a folder or in none, before the work is done.

    Raises ``MaiaccError`` E0003.
    """
    real = Path(path).resolve()
    if path == STANDARD or (real.parent.is_dir() and not real.is_dir()):
        return
    problem = "it is a folder" if real.is_dir() else "there is no such folder"
    raise MaiaccError("E0003", f"cannot be written: {problem}", place=Place(file=path))


def save_program(program: Program, path: str, symbols: bool, jobs: int = 1) -> None:
    """Writes a program file; to standard output, unless that is a terminal, for ``-``. ``jobs`` are
    threads that work on weights."""
    if path != STANDARD:
        save(program, path, symbols, jobs)
        return
    if sys.stdout.isatty():
        raise MaiaccError(
            "E0003",
            "a program file is not written to a terminal",
            hint="name a file with -o, or pipe the output",
        )
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "program.maia"
        save(program, str(whole), symbols, jobs)
        with whole.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


def error_document(problem: MaiaccError) -> dict[str, Any]:
    """What a JSON document says about an error; several are under ``errors``."""
    document: dict[str, Any] = {
        "code": problem.code,
        "message": problem.message,
        "place": str(problem.place or Place()),
        "line": problem.place.line if problem.place else None,
        "column": problem.place.column if problem.place else None,
        "node": problem.node,
        "expected": problem.expected,
        "found": problem.found,
        "hint": problem.hint,
    }
    if isinstance(problem, ErrorList):
        document["errors"] = [error_document(error) for error in problem.errors]
    return document
