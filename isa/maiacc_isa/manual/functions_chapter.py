"""The chapter on functions: the language, operations, errors, and every algorithm to the bit.

Everything is printed from the rows, the comment of ``functions.lark`` that says what the rows
mean, and what the sweeps measured. A test reads the chapter back and compares the rows.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

from maiacc_isa import functions
from maiacc_isa.function_rows import (
    Apply,
    Arith,
    Call,
    Const,
    Expr,
    Free,
    Function,
    Lookup,
    Op,
    Product,
    Statement,
    Table,
    constant_text,
    expr_text,
)

#: Check cases to a line, by the number of parameters.
CASES_PER_LINE = {1: 4, 2: 3}


def measured() -> dict[str, dict[str, Any]]:
    """What the sweeps have found, by function."""
    rows = files("maiacc_isa").joinpath("rows", "functions.measured.toml")
    return tomllib.loads(rows.read_text("utf-8"))


def functions_chapter() -> str:
    """Everything below the chapter's introduction."""
    known, found = functions.load(), measured()
    parts = ["## The language", f"```\n{language()}\n```"]
    parts += ["## Operations", OPERATIONS, _operations(list(known.ops.values()))]
    parts += ["## Errors", ERRORS, _errors(list(known.functions.values()), found)]
    parts += ["## Algorithms", ALGORITHMS]
    parts += [_section(function, found[function.name]) for function in known.functions.values()]
    parts += ["## Constant tables", TABLES, *map(_table, known.tables.values())]
    return "\n\n".join(parts)


OPERATIONS = (
    "`+`, `-` and `*` on f32, `div` and `sqrt` are those of IEEE 754, rounded to nearest, ties to "
    "even. Besides:"
)

ERRORS = (
    "Every function takes every f32: subnormals, infinities and NaN included. The promise is an "
    "error of at most so many units in the last place of the correctly rounded result, wherever "
    "the exact result is a normal number. The measured error is the largest over all results, "
    "the subnormal ones too (their unit is 2^-149); the exact results were computed in float64."
)

ALGORITHMS = (
    "Each line is a statement; after the `#` stand the stages it takes and the bits of its f32 "
    "constants, from left to right and with the sign as written. The check cases are the worst "
    "inputs found, with the results of the machine, all as bits: whoever implements a function "
    "must get these."
)

TABLES = (
    "The row number, then the entries of the row, as bits. `table[i, c]` is column `c`, counted "
    "from 0, of row `i` modulo the number of rows."
)


def language() -> str:
    """What a function's text means: the opening comment of its grammar."""
    text = files("maiacc_isa").joinpath("functions.lark").read_text("utf-8")
    opening = text.split("\n\n")[0].splitlines()
    return "\n".join(line.removeprefix("//").removeprefix(" ") for line in opening)


def _operations(rows: list[Op]) -> str:
    lines = ["| operation | stages | first argument | meaning |", "|---|---|---|---|"]
    for op in rows:
        joined = "may be a product" if op.addclass else ""
        params = ", ".join(op.params)
        lines.append(
            f"| `{op.name}({params}) : {op.result}` | {op.cost} | {joined} | {_cell(op.doc)} |"
        )
    return "\n".join(lines)


def _errors(rows: list[Function], found: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| function | stages | promised | measured | at | result | inputs tried |",
        "|---|---|---|---|---|---|---|",
    ]
    for function in rows:
        result = found[function.name]
        *inputs, output = result["cases"][0]
        lines.append(
            f"| [{function.name}](#{function.name}) | {function.stages} | {function.ulp} | "
            f"{result['ulp']} | {' '.join(inputs)} | {output} | {_coverage(result)} |"
        )
    return "\n".join(lines)


def _prose(text: str) -> str:
    """A text of the rows as Markdown: its asterisks are powers and products."""
    return text.replace("*", "\\*")


def _cell(text: str) -> str:
    """The same inside a table, where a bar would end the cell."""
    return _prose(text).replace("|", "\\|")


def _coverage(result: dict[str, Any]) -> str:
    return "all 2^32" if result["exhaustive"] else f"{result['inputs']:,} samples"


def _section(function: Function, result: dict[str, Any]) -> str:
    """One function: what it is, how it works, what it promises, its text, cases to check by."""
    *inputs, output = result["cases"][0]
    arguments = ", ".join(
        f"{name} = {_value(bits)}" for (name, _), bits in zip(function.params, inputs, strict=True)
    )
    parts = [
        f"### {function.name}",
        _prose(function.doc),
        f"**Method.** {_prose(function.method)}",
        f"**Special values.** {_prose(function.special)}",
        f"**Error.** Promised: at most {function.ulp} ulp. Largest found: {result['ulp']} ulp, at "
        f"{arguments}, where the result is {_value(output)}; tried: {_coverage(result)}.",
        f"**Cost.** {function.stages} stages.",
        f"```\n{algorithm(function)}\n```",
        f"Check cases:\n\n```\n{_cases(function, result['cases'])}\n```",
    ]
    return "\n\n".join(parts)


def _value(bits: str) -> str:
    """An f32 as its bits and as the number they stand for."""
    return f"`{bits}` ({constant_text(Const('f32', int(bits, 16)))})"


def algorithm(function: Function) -> str:
    """The statements of a function in its language, each with its stages and constants."""
    params = ", ".join(f"{name}: {kind}" for name, kind in function.params)
    texts = [_statement(statement) for statement in function.statements]
    width = max(map(len, texts))
    lines = [f"function {function.name}({params}) : {function.result} {{"]
    for text, statement in zip(texts, function.statements, strict=True):
        bits = "".join(f" {const.bits:08x}" for const in _constants(statement.expr))
        lines.append(f"  {text:<{width}}  # {statement.cost}{bits and f' ({bits.strip()})'}")
    return "\n".join([*lines, "}"])


def _statement(statement: Statement) -> str:
    head = "return" if statement.target == "return" else f"{statement.target} ="
    return f"{head} {expr_text(statement.expr)}"


def _constants(expr: Expr | Product) -> list[Const]:
    """The f32 constants of a right side, in the order they are written."""
    match expr:
        case Const():
            return [expr] if expr.type == "f32" else []
        case Free():
            return _constants(expr.arg)
        case Product():
            return [*_constants(expr.a), *_constants(expr.b)]
        case Arith(form="c-a*b", args=(a, b, c)):
            return [const for arg in (c, a, b) for const in _constants(arg)]
        case Arith() | Apply() | Call():
            return [const for arg in expr.args for const in _constants(arg)]
        case Lookup():
            return _constants(expr.index)
        case _:
            return []


def _cases(function: Function, cases: list[list[str]]) -> str:
    """Inputs and results of the recorded cases, several to a line."""
    texts = [" ".join(inputs) + " -> " + output for *inputs, output in cases]
    count = CASES_PER_LINE[len(function.params)]
    lines = (texts[start : start + count] for start in range(0, len(texts), count))
    return "\n".join("    ".join(line).replace("0x", "") for line in lines)


def _table(table: Table) -> str:
    digits = 16 if table.type == "u64" else 8
    lines = []
    for row in range(table.rows):
        values = table.values[row * table.width : (row + 1) * table.width]
        lines.append(f"{row:3}: " + " ".join(f"{value:0{digits}x}" for value in values))
    body = "\n".join(lines)
    title = f"### Table {table.name}\n\n{_prose(table.doc)}"
    return f"{title} ({table.rows} rows of {table.width} {table.type})\n\n```\n{body}\n```"
