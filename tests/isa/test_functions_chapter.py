"""The manual's chapter on functions: complete enough to implement every function from it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from isa.function_reader import OPERATIONS, Chapter, constants, read
from isa.function_samples import bits_of, points, spread
from maiacc_isa.function_rows import FunctionSet
from maiacc_isa.functions import load, parse
from maiacc_isa.manual.build import chapter
from maiacc_isa.manual.functions_chapter import language, measured

NAMES = list(load().functions)


@pytest.fixture(scope="module")
def markdown() -> str:
    return chapter("functions")


@pytest.fixture(scope="module")
def reader(markdown: str) -> Chapter:
    return read(markdown)


def test_everything_has_its_section(reader: Chapter) -> None:
    assert list(reader.functions) == NAMES
    assert list(reader.tables) == list(load().tables)
    assert set(OPERATIONS) == set(load().ops)


@pytest.mark.parametrize("name", NAMES)
def test_the_printed_algorithm_is_the_row(name: str, reader: Chapter) -> None:
    row, printed = load().functions[name], reader.functions[name]
    head = f'doc "{row.doc}" method "{row.method}" special "{row.special}" ulp {row.ulp}\n'
    text = printed.text.replace("{\n", "{\n" + head, 1)
    known = FunctionSet(load().ops, load().tables, {})
    assert parse(text, "functions.md", known).functions == {name: row}


@pytest.mark.parametrize("name", NAMES)
def test_printed_stages_and_bits_are_those_of_the_statements(name: str, reader: Chapter) -> None:
    statements = reader.functions[name].statements
    for (_, expression, comment), row in zip(
        statements, load().functions[name].statements, strict=True
    ):
        stages, *bits = re.findall(r"[0-9a-f]+", comment)
        assert int(stages) == row.cost
        assert [int(number, 16) for number in bits] == list(constants(expression)), expression


@pytest.mark.parametrize("name", list(load().tables))
def test_the_printed_table_is_the_row(name: str, reader: Chapter) -> None:
    table, printed = load().tables[name], reader.tables[name]
    assert [value for row in printed.rows for value in row] == list(table.values)
    assert {len(row) for row in printed.rows} == {table.width}
    assert printed.floats == (table.type == "f32")


def test_the_language_operations_and_errors_are_printed(markdown: str) -> None:
    assert language() in markdown
    for op in load().ops.values():
        (line,) = (line for line in markdown.splitlines() if line.startswith(f"| `{op.name}("))
        assert line.replace("\\", "").endswith(f"| {op.doc} |")
        assert len(re.split(r"(?<!\\)\|", line)) == 6
    for name, result in measured().items():
        (line,) = (line for line in markdown.splitlines() if line.startswith(f"| [{name}]"))
        *inputs, output = result["cases"][0]
        assert f"| {result['ulp']} | {' '.join(inputs)} | {output} |" in line
        assert f"| {load().functions[name].stages} | {load().functions[name].ulp} |" in line


@pytest.mark.parametrize("name", NAMES)
def test_the_check_cases_are_those_measured(name: str, reader: Chapter) -> None:
    cases = [[int(bits, 16) for bits in case] for case in measured()[name]["cases"]]
    assert reader.functions[name].cases == cases


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_the_chapter_gets_every_bit(name: str, reader: Chapter) -> None:
    for *inputs, result in reader.functions[name].cases[::4]:
        assert reader.run(name, *inputs) == result
    step = len(points(name)[0]) // 150 + 1
    some = [
        np.concatenate([special[::step], other[:: len(other) // 300]])
        for special, other in zip(points(name), spread(name), strict=True)
    ]
    for *row, result in zip(*(x.view(np.uint32) for x in some), bits_of(name, *some), strict=True):
        inputs = [int(bits) for bits in row]
        assert reader.run(name, *inputs) == int(result), [hex(bits) for bits in inputs]
