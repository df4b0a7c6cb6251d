"""Bad models are refused with a code and the place, fast, and without ever crashing."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from frontend.bad_models import Case
from support import ROOT, run

SECTIONS = ("bad_files", "bad_external", "bad_tensors", "bad_graphs", "bad_calls", "bad_operators")


def cases(section: str) -> tuple[Case, ...]:
    """The rows of a section."""
    found: tuple[Case, ...] = importlib.import_module(f"frontend.{section}").CASES
    return found


@pytest.mark.parametrize("section", SECTIONS)
def test_every_row(section: str, tmp_path: Path) -> None:
    """Each row is imported in a process of its own; time and memory are gated at twice the
    limits that the rows have."""
    tmp_path.chmod(0o755)
    command = [sys.executable, "-m", "frontend.bad_child", section, str(tmp_path)]
    done = run(command, ROOT / "tests", 280)
    found = {row["number"]: row for row in map(json.loads, done.out.splitlines())}
    wrong = [line for case in cases(section) for line in _wrong(case, found.get(case.number))]
    assert not wrong, "\n".join([*wrong, done.err[-2000:]])


def _wrong(case: Case, row: dict[str, object] | None) -> list[str]:
    """What is not as it should be of a row."""
    if row is None:
        return [f"{case}: no outcome"]
    if "crash" in row:
        return [f"{case}: {row['crash']}"]
    found = []
    code, text = str(row["code"]), str(row["text"])
    if "*" not in case.codes and code not in (case.codes or ("",)):
        found.append(f"{case}: expected {case.codes or 'no refusal'}, found {code} {text}")
    elif not all(word in text for word in case.words):
        found.append(f"{case}: {case.words} are not all in: {text}")
    if len(text) > 4000 or "\x1b" in text:
        found.append(f"{case}: the message cannot be printed: {text[:200]!r}")
    if float(str(row["seconds"])) > 2 * case.seconds:
        found.append(f"{case}: took {row['seconds']} s of {case.seconds}")
    if int(str(row["bytes"])) > 2 * case.megabytes * 1e6:
        found.append(f"{case}: took {int(str(row['bytes'])) >> 20} MB of {case.megabytes}")
    return found
