"""Machine files for machines that came with a program: what a text of the program refers to."""

from __future__ import annotations

import json
import re

from maiacc_isa.machine import Machine, builtin_machine, builtin_machines


def machine_file_name(machine: Machine) -> str | None:
    """The file a program's text names; None for a machine that comes with maiacc."""
    known = machine.name in builtin_machines()
    if known and builtin_machine(machine.name).digest == machine.digest:
        return None
    return (re.sub(r"[^A-Za-z0-9_-]+", "_", machine.name) or "machine") + ".toml"


def machine_text(machine: Machine) -> str:
    """A machine file with every constant of a machine."""
    lines = ["[machine]", f"name = {_text(machine.name)}", f"title = {_text(machine.title)}", ""]
    tables: dict[str, list[str]] = {}
    for path, value in machine.values.items():
        table, key = path.rsplit(".", 1)
        known = machine.provenance.get(path)
        source = known.source if known else "assumption"
        cite = known.cite if known else "a constant of the program file this text came from"
        number = _text(value) if isinstance(value, str) else repr(value)
        entry = f'{key} = {{ value = {number}, source = "{source}", cite = {_text(cite)} }}'
        tables.setdefault(table, []).append(entry)
    for table, entries in tables.items():
        lines += [f"[{table}]", *entries, ""]
    return "\n".join(lines)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
