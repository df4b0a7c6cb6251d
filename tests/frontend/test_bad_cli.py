"""Bad models at the command line: a message with a code, the right exit code, no traceback."""

from __future__ import annotations

import importlib
from pathlib import Path

import onnx
import pytest

from frontend.bad_models import Case
from support import maiacc

#: Rows, by section and number, and what the command exits with.
ROWS = (
    ("bad_files", "1", 1),
    ("bad_files", "9", 1),
    ("bad_files", "18-opname", 1),
    ("bad_external", "21", 1),
    ("bad_tensors", "41a", 1),
    ("bad_graphs", "51", 1),
    ("bad_calls", "66d", 1),
    ("bad_calls", "67c9999", 1),
    ("bad_calls", "69", 2),
    ("bad_operators", "79a", 1),
)


def _case(section: str, number: str) -> Case:
    cases: tuple[Case, ...] = importlib.import_module(f"frontend.{section}").CASES
    return next(case for case in cases if case.number == number)


@pytest.mark.parametrize(("section", "number", "code"), ROWS)
def test_check(section: str, number: str, code: int, tmp_path: Path) -> None:
    case = _case(section, number)
    path = tmp_path / "model.onnx"
    source = case.make(tmp_path)
    if isinstance(source, Path):
        path = source
    elif isinstance(source, onnx.ModelProto | bytes):
        path.write_bytes(source if isinstance(source, bytes) else source.SerializeToString())
    done = maiacc("check", str(path))
    assert done.code == code, done.out + done.err
    assert any(known in done.out + done.err for known in case.codes)
    assert all(word in done.out + done.err for word in case.words)
    assert "Traceback" not in done.err
    assert done.cpu_seconds < 10
