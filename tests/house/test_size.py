"""Files and functions stay small enough to be read at once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from conftest import ROOT

FILES = sorted(
    path
    for folder in ("isa", "sim", "passes", "maiacc", "tests", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
)

LINES = 300
FUNCTION = 60


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_and_functions_are_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            end = node.end_lineno or node.lineno
            # What a function prints as it stands is not code to be followed.
            strings = [n for n in ast.walk(node) if isinstance(n, ast.JoinedStr | ast.Constant)]
            texts = sum(
                (n.end_lineno or n.lineno) - n.lineno
                for n in strings
                if n.end_lineno and n.end_lineno - n.lineno > 8
            )
            assert end - node.lineno + 1 - texts <= FUNCTION, (node.name, end - node.lineno + 1)
