"""Reading what users name on the command line: program texts and program files."""

from __future__ import annotations

import importlib
import os
import sys

from maiacc_isa.atomic import open_plain
from maiacc_isa.container import open_program
from maiacc_isa.errors import MaiaccError, Place
from maiacc_isa.program import Program

#: Largest text file read, in bytes.
TEXT_LIMIT = 16 << 20

#: How standard input and output are called on the command line.
STANDARD = "-"


def read_text(path: str) -> str:
    """The text of a plain UTF-8 file, or of standard input for ``-``.

    Raises ``MaiaccError`` E0002, E0005 or E0006 for what cannot be read as text.
    """
    if path == STANDARD:
        data = sys.stdin.buffer.read(TEXT_LIMIT + 1)
    else:
        with open_plain(path) as file:
            data = file.read(TEXT_LIMIT + 1)
    if len(data) > TEXT_LIMIT:
        raise MaiaccError("E0006", "the text is larger than 16 MiB", place=Place(file=path))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise MaiaccError(
            "E0005",
            "this is not UTF-8 text",
            place=Place(file=path, line=line),
            hint="a .maia file is read by `maiacc disasm` and `maiacc lint`",
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise MaiaccError(
            "E0005", "the text holds a NUL character", place=Place(file=path, line=line)
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _assembled(text: str, path: str, target: str | None) -> Program:
    """The program of a text. The assembler is loaded for texts only: it takes its time."""
    program: Program = importlib.import_module("maiacc_isa.asm").assemble(text, path, target)
    return program


def is_program(path: str) -> bool:
    """Whether a file is a program file (.maia), by its name or its first bytes, and no text.

    Raises ``MaiaccError`` E0002 or E0005 for what cannot be read.
    """
    if path == STANDARD:
        return False
    with open_plain(path) as file:
        return path.endswith(".maia") or file.read(4) == b"PK\x03\x04"


def read_program(path: str, target: str | None = None) -> Program:
    """A program from a .maia file, or from a program text (any other file, or ``-``).

    ``target`` replaces the machine a text names; a .maia file is for its own machine.
    """
    if not is_program(path):
        return _assembled(read_text(path), path, target)
    program = open_program(path)
    if target is not None:
        raise MaiaccError(
            "E0607",
            "a .maia file is written for its machine",
            place=Place(file=path),
            expected=program.machine.name,
            found=target,
            hint="disassemble it and assemble the text with --target",
        )
    return program


def not_the_input(output: str, source: str) -> None:
    """Raises ``MaiaccError`` E0003 if the output would take the place of the input."""
    if STANDARD in (output, source) or not os.path.exists(output):
        return
    if os.path.realpath(output) == os.path.realpath(source):
        raise MaiaccError(
            "E0003",
            "the output would take the place of the input",
            place=Place(file=output),
            hint="choose another name with -o",
        )
