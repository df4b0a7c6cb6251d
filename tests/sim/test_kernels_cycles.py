"""The kernels in full size take exactly the cycles, words and bytes of the golden file.

After a change that is meant: ``pytest --nightly --update-golden tests/sim/test_kernels_cycles.py``,
which also renews ``docs/kernels.md``.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.kernel_rows import ROWS, Row
from benchmarks.kernels import (
    VARIANTS,
    Measured,
    document,
    measure,
    program_of,
    reached,
    scalars_of,
    share,
    varied,
)
from conftest import GOLDEN, ROOT
from maiacc_isa.lint import prove
from maiacc_isa.machine import load_machine
from maiacc_sim.timing.run import time_program

FILE = GOLDEN / "timing" / "kernels.json"

DOCUMENT = ROOT / "docs" / "kernels.md"


def committed() -> dict[str, Measured]:
    """The golden file."""
    found: dict[str, Measured] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    return found


def renew(name: str, part: Measured) -> None:
    """Changes an entry of the golden file, and the document when the file is complete."""
    found = committed()
    found[name] = {**found.get(name, {}), **part}
    kept = {row.name: found[row.name] for row in ROWS if row.name in found}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    if all("sensitivity" in kept.get(row.name, {}) for row in ROWS):
        DOCUMENT.write_text(document(kept), "utf-8")


#: Rows that every run times; the others belong to the nightly one.
QUICK = [row for row in ROWS if "16384" not in row.name]

SLOW = [row for row in ROWS if row not in QUICK]


@pytest.mark.parametrize(
    "row",
    [*QUICK, *(pytest.param(row, marks=pytest.mark.nightly) for row in SLOW)],
    ids=lambda row: row.name,
)
def test_a_kernel_takes_exactly_these_cycles(row: Row, request: pytest.FixtureRequest) -> None:
    found = measure(row)
    if request.config.getoption("--update-golden"):
        renew(row.name, found)
    expected = committed()[row.name]
    assert found == {key: expected[key] for key in found}


@pytest.mark.nightly
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_kernel_takes_exactly_these_cycles_with_other_ports(
    row: Row, variant: str, request: pytest.FixtureRequest
) -> None:
    cycles = varied(row, variant)
    if request.config.getoption("--update-golden"):
        before = committed().get(row.name, {}).get("sensitivity", {})
        renew(row.name, {"sensitivity": {**before, variant: cycles}})
    assert cycles == committed()[row.name]["sensitivity"][variant]


def test_the_document_is_made_from_the_golden_file() -> None:
    assert DOCUMENT.read_text("utf-8") == document(committed())


def test_every_row_reaches_what_is_required_or_says_why_not() -> None:
    found = committed()
    assert list(found) == [row.name for row in ROWS]
    for row in ROWS:
        assert reached(row, found)[0] == (not row.missed), row.name


def test_no_row_is_faster_than_its_ideal() -> None:
    found = committed()
    for row in ROWS:
        assert 0 < share(row, found) <= 1
        others = found[row.name]["sensitivity"]
        assert list(others) == list(VARIANTS)
        assert all(n >= row.ideal(load_machine(row.target)) for n in others.values())


@pytest.mark.parametrize("kernel", ["gemm", "sparse_gemm", "mx_gemm"])
def test_a_product_in_several_passes_is_proven(kernel: str) -> None:
    row = replace(ROWS[0], kernel=kernel, target="mini", sizes={"m": 90, "n": 700, "k": 1504})
    program = program_of(row)
    assert len(program.blocks) > 1
    report = prove(program)
    assert report.proven, "\n".join(map(str, report.findings))


def test_skipping_changes_nothing() -> None:
    row = next(row for row in ROWS if row.kernel == "int4_decode")
    program = program_of(row)
    slow = time_program(program, scalars_of(row, program), skip=False)
    assert slow.cycles == committed()[row.name]["cycles"]
