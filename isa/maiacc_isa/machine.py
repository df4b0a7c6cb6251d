"""Machines by name or from a file. A machine's values are read by path, ``m["ttu.block"]``.

The constants a file gives are the rows of ``rows/machine.isa``; a file gives all of them,
itself or through ``extends``, and nothing else. This module is what the compiler's passes may
know of the instruction set.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from maiacc_isa.errors import MaiaccError, Place, quote
from maiacc_isa.machine_file import MachineReader
from maiacc_isa.machine_model import Machine, Provenance, Published

#: Largest machine file read, in bytes.
FILE_LIMIT = 1 << 20


def builtin_machines() -> list[str]:
    """Names of the machines that come with maiacc."""
    folder = files("maiacc_isa").joinpath("machines")
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml"))


@cache
def builtin_machine(name: str) -> Machine:
    """A machine that comes with maiacc. Raises ``MaiaccError`` E0004 if there is none."""
    names = builtin_machines()
    if name not in names:
        raise MaiaccError(
            "E0004",
            f"there is no machine `{quote(name)}`",
            expected=", ".join(names) + ", or the path of a .toml file",
            hint="maiacc targets lists the machines",
        )
    text = files("maiacc_isa").joinpath("machines", f"{name}.toml").read_text("utf-8")
    return parse_machine(text, f"{name}.toml")


def load_machine(target: str) -> Machine:
    """A machine by name, or by the path of a TOML file (anything with a `/` or ending in .toml).

    Raises ``MaiaccError`` E0002 to E0006 for what is no such file and ``ErrorList`` of
    E0301 to E0308 with everything that is wrong inside it.
    """
    if not ("/" in target or "\\" in target or target.endswith(".toml")):
        return builtin_machine(target)
    path = Path(target)
    try:
        if path.exists() and not path.is_file():
            raise MaiaccError("E0005", "a machine file is a plain file", place=Place(file=target))
        with path.open("rb") as stream:
            data = stream.read(FILE_LIMIT + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise MaiaccError(
            "E0002", f"the machine file cannot be read: {reason}", place=Place(file=target)
        ) from None
    if len(data) > FILE_LIMIT:
        raise MaiaccError("E0006", "a machine file is at most 1 MiB", place=Place(file=target))
    try:
        return parse_machine(data.decode("utf-8"), target)
    except UnicodeDecodeError:
        raise MaiaccError(
            "E0301", "the machine file is not UTF-8 text", place=Place(file=target)
        ) from None


def parse_machine(text: str, file: str) -> Machine:
    """A machine from the text of a machine file; ``file`` is for messages only."""
    return MachineReader(file, builtin_machine).parse(text)


def machine_from_values(name: str, title: str, values: dict[str, int | float | str]) -> Machine:
    """A machine from plain values, as a program file holds them; they have no provenance.

    Raises ``ErrorList`` with everything that is wrong.
    """
    return MachineReader(name, builtin_machine).from_values(name, title, values)


__all__ = [
    "Machine",
    "Provenance",
    "Published",
    "builtin_machine",
    "builtin_machines",
    "load_machine",
    "machine_from_values",
    "parse_machine",
]
