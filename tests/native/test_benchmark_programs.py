"""The programs that measurements are made with compute what they should, and take the cycles that
the golden file has."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.programs import elementwise, gemm
from benchmarks.programs.decode70b_words import Sizes as Decode
from benchmarks.programs.resnet_plan import Sizes as Resnet
from benchmarks.programs.run import AnySizes, program, timed
from support import run

Golden = Callable[[str, str], None]

CHECKS = ("check", "gpt2_check")

SIZES: dict[str, AnySizes] = {
    "gemm": gemm.Sizes(),
    "exp": elementwise.Sizes("exp"),
    "gelu": elementwise.Sizes("gelu"),
    "layernorm": elementwise.Sizes("layernorm"),
    "resnet": Resnet(),
    "decode70b": Decode(),
}


@pytest.mark.parametrize("name", CHECKS)
def test_small_ones_agree_with_numpy_and_with_the_reference(name: str) -> None:
    done = run([sys.executable, "-m", f"benchmarks.programs.{name}"], limit=200)
    assert done.code == 0, done.out + done.err
    assert "left to Python" not in done.out


def test_cycles_are_those_of_the_golden_file(tmp_path: Path, golden: Golden) -> None:
    lines = []
    for name, sizes in SIZES.items():
        folder = tmp_path / name
        folder.mkdir()
        time = timed(program(sizes, folder))
        lines.append(f"{name}: {time.cycles} cycles, {time.account.executed} words\n")
    golden("native/cycles.txt", "".join(lines))


def test_a_step_of_a_large_model_takes_as_long_without_skipping(tmp_path: Path) -> None:
    made = program(Decode(layers=8), tmp_path)
    short, long = timed(made), timed(made, skip=False)
    assert short.account.skipped > short.account.executed // 2
    assert long.account.skipped == 0
    assert replace(short.account, skipped=0, system=long.account.system) == long.account
