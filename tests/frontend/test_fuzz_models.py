"""Mutated models are imported or refused with a code; nothing else happens."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from frontend.fuzz_seeds import seeds
from maiacc.frontend.model import import_model
from support import ROOT, run


def test_what_is_mutated_is_good() -> None:
    for model in seeds():
        import_model(model)


def _faults(start: int, count: int, folder: Path, *options: str) -> list[str]:
    """The faults of some mutations, in a process of its own. Some mutations are good models."""
    arguments = [str(start), str(count), str(folder), *options]
    done = run([sys.executable, "-m", "frontend.fuzz_child", *arguments], ROOT / "tests", 3500)
    *faults, last = done.out.splitlines() or [done.err[-2000:]]
    assert done.code == 0, done.err[-2000:]
    assert all(int(number) > count // 300 for number in last.split())
    return faults


def test_mutated_models(tmp_path: Path) -> None:
    assert _faults(0, 2_000, tmp_path) == []


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(10))
def test_many_mutated_models(part: int, tmp_path: Path) -> None:
    assert _faults(1_000_000 + 5_000 * part, 5_000, tmp_path, "nightly") == []
