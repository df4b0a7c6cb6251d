"""Error codes: the table and the sources agree, and messages can be acted on."""

from __future__ import annotations

import re

from conftest import ROOT
from maiacc_isa.errors import ErrorList, MaiaccError, Place, codes, printable, render
from maiacc_isa.load import load

SOURCES = [
    *(ROOT / "isa" / "maiacc_isa").rglob("*.py"),
    *(ROOT / "sim" / "maiacc_sim").rglob("*.py"),
    *(ROOT / "passes" / "maiacc_passes").rglob("*.py"),
    *(ROOT / "maiacc").rglob("*.py"),
    *(ROOT / "isa" / "maiacc_isa" / "rows").glob("*.isa"),
]


def test_every_code_used_is_explained_and_every_one_explained_is_used() -> None:
    used = set()
    for path in SOURCES:
        used |= set(re.findall(r"\b[EW]\d{4}\b", path.read_text("utf-8")))
    used = {code for code in used if code not in ("E0123",)}
    assert used == set(codes())


def test_codes_are_in_order_and_complete() -> None:
    rows = codes()
    assert list(rows) == sorted(rows)
    for row in rows.values():
        assert row.title
        assert row.why.endswith(".")
        assert row.fix.endswith((".", "?"))


def test_every_trap_has_a_code_of_its_own() -> None:
    traps = [trap.code for trap in load().traps.values()]
    assert len(set(traps)) == len(traps)
    assert set(traps) <= set(codes())


def test_rendering() -> None:
    error = MaiaccError(
        "E0502",
        "no descriptor x",
        place=Place("a.mist", 3, 7, "  LD0 copy x, y"),
        expected="a, b",
        found="x",
        hint="declare it",
        node="MatMul_0",
    )
    assert render(error) == (
        "error[E0502]: no descriptor x\n"
        "  at        a.mist:3:7\n"
        "  text      LD0 copy x, y\n"
        "  node      MatMul_0\n"
        "  expected  a, b\n"
        "  found     x\n"
        "  try       declare it"
    )
    assert str(ErrorList([error, error])).count("E0502") == 2


def test_no_input_can_paint_the_terminal() -> None:
    assert "\x1b" not in printable("\x1b[31mred\x07")
    error = MaiaccError("E0002", "x", place=Place(file="\x1b]0;title\x07"))
    assert "\x1b" not in str(error)
