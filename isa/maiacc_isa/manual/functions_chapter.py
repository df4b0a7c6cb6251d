"""The chapter on functions: operations, measured errors, and every algorithm as text."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from maiacc_isa import functions
from maiacc_isa.function_rows import Function, Op, Table, to_text


def measured() -> dict[str, dict[str, Any]]:
    """What the sweeps have found, by function."""
    rows = files("maiacc_isa").joinpath("rows", "functions.measured.toml")
    return tomllib.loads(rows.read_text("utf-8"))


def functions_chapter() -> str:
    """Everything below the chapter's introduction."""
    known = functions.load()
    parts = ["## Errors", _errors(list(known.functions.values()))]
    parts += ["## Operations", "Besides `+`, `-` and `*`:", _operations(list(known.ops.values()))]
    parts += ["## Algorithms"]
    for function in known.functions.values():
        parts.append(f"### {function.name}\n\n```\n{to_text(function)}```")
    if known.tables:
        parts.append("## Constant tables")
        parts += [_table(table) for table in known.tables.values()]
    return "\n\n".join(parts)


def _errors(rows: list[Function]) -> str:
    found = measured()
    lines = [
        "Promised and measured error in units in the last place of the correctly rounded result, "
        "wherever the exact result is a normal number. The sweeps are stratified over all "
        "exponents and signs; `benchmarks/function_ulp.py` repeats and extends them.",
        "",
        "| function | stages | promised | measured | at | inputs |",
        "|---|---|---|---|---|---|",
    ]
    for function in rows:
        result = found[function.name]
        lines.append(
            f"| [{function.name}](#{function.name}) | {function.stages} | {function.ulp} | "
            f"{result['worst_ulp']} | {result['worst_at']} | {result['inputs']:,} |"
        )
    return "\n".join(lines)


def _operations(rows: list[Op]) -> str:
    lines = ["| operation | stages | | |", "|---|---|---|---|"]
    for op in rows:
        joined = "may follow a multiplication" if op.addclass else ""
        params = ", ".join(op.params)
        lines.append(f"| `{op.name}({params}) : {op.result}` | {op.cost} | {joined} | {op.doc} |")
    return "\n".join(lines)


def _table(table: Table) -> str:
    digits = {"u32": 8, "i32": 8, "f32": 8, "u64": 16}.get(table.type, 8)
    rows = []
    for start in range(0, len(table.values), table.width):
        row = table.values[start : start + table.width]
        rows.append(" ".join(f"{value:0{digits}x}" for value in row))
    body = "\n".join(rows)
    return f"`{table.name}`: {table.doc} ({table.type}, {table.width} to a row)\n\n```\n{body}\n```"
