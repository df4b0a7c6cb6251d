"""Whatever a program file holds, running it natively ends as a run may end: no crash, no hang, no
memory but the machine's own touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from house.run_programs import DEMO, LOADS, MANY
from maiacc_isa.asm import assemble
from maiacc_isa.errors import codes
from maiacc_isa.program import Program
from native import hostile
from native.child import child
from sim.programs import draw
from support import kernel

#: Kernels that mutants are made of, with sizes that take few words.
KERNELS: dict[str, tuple[str, dict[str, int]]] = {
    "attention": ("mini", {}),
    "moe": ("mini", {}),
    "topk": ("mini", {}),
    "nonzero": ("mini", {}),
    "scatter_add": ("mini", {}),
    "int4_decode": ("mini", {}),
    "mx_gemm": ("mini", {}),
    "sparse_gemm": ("mini", {}),
    "conv": ("mini", {}),
    "lstm": ("mini", {}),
    "layernorm": ("mini", {}),
    "transpose": ("mini", {}),
    "allreduce": ("mini2", {}),
    "allgather_ring": ("mini2", {}),
}

#: Random programs among the bases, by seed.
DRAWN = (1, 3, 6, 7, 12, 14, 19, 20)

#: What a run may end with beside a code of the list of errors.
KNOWN = {"refused", "illegal", "values"}

#: Mutants of a normal run and of the nightly one, and of one child process.
MUTANTS, NIGHTLY, PIECE = 300, 20_000, 500


def programs() -> dict[str, Callable[[], Program]]:
    """Every base."""
    found: dict[str, Callable[[], Program]] = {
        "demo": lambda: assemble(DEMO),
        "loads": lambda: assemble(LOADS),
        "many": lambda: assemble(MANY),
    }
    for name, (target, sizes) in KERNELS.items():
        found[name] = lambda name=name, target=target, sizes=sizes: kernel(name, target, sizes)  # type: ignore[misc]
    for seed in DRAWN:
        found[f"drawn {seed}"] = lambda seed=seed: draw(seed).program  # type: ignore[misc]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all bases as files."""
    found = tmp_path_factory.mktemp("bases")
    hostile.write_bases(found, programs())
    return found


def outcomes(folder: Path, first: int, count: int) -> Counter[str]:
    """How mutants ended, by outcome."""
    done = child("native.hostile", folder, first, count)
    lines = done.out.splitlines()
    assert done.code == 0, f"the process ended with {lines[-1:]}: {done.err[-3000:]}"
    assert [int(line.split()[0]) for line in lines] == list(range(first, first + count))
    found = Counter(line.split(" ", 1)[1] for line in lines)
    unknown = set(found) - {*KNOWN, *codes()}
    assert not unknown, [line for line in lines if line.split(" ", 1)[1] in unknown][:20]
    return found


def judged(found: Counter[str]) -> None:
    """Mutants ended in many ways, and many of them got somewhere."""
    total = found.total()
    assert found["values"] > total // 10
    assert sum(found[code] for code in found if code.startswith("E11")) > total // 50
    assert found["refused"] < 2 * total // 3


def test_mutants_of_program_files_end_well(folder: Path) -> None:
    judged(outcomes(folder, 0, MUTANTS))


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(MUTANTS, MUTANTS + NIGHTLY, PIECE))
def test_many_mutants_of_program_files_end_well(folder: Path, first: int) -> None:
    judged(outcomes(folder, first, PIECE))


def test_no_page_may_be_written_and_executed() -> None:
    """What the compiler made is executable, and then no longer writable."""
    done = child("native.pages")
    assert done.code == 0, done.err
    assert done.out.split() == ["executable", "more", "both", "same"]
