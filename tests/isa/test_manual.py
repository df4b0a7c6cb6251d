"""The manual: fresh, complete, and right in what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import ROOT
from maiacc_isa.asm import assemble
from maiacc_isa.errors import codes
from maiacc_isa.lint import prove
from maiacc_isa.load import load
from maiacc_isa.manual.build import build, chapters

DOCS = ROOT / "docs" / "isa"
MANUAL = build()
PAGES = sorted(name for name in MANUAL if name.endswith(".md"))

HEADINGS = [
    "Summary",
    "Syntax",
    "Encoding",
    "Operands and constraints",
    "Functional model",
    "Numerics",
    "Footprint",
    "Traps",
    "Performance",
    "Example",
    "Since",
]

_LINK = re.compile(r"\]\(([^)#]*)(#[^)]*)?\)")
_BLOCK = re.compile(r"^```\n(mist \d.*?)^```$", re.MULTILINE | re.DOTALL)


def test_what_is_committed_is_what_the_rows_say() -> None:
    found = {p.relative_to(DOCS).as_posix(): p.read_text("utf-8") for p in DOCS.rglob("*.*")}
    assert sorted(found) == sorted(MANUAL)
    stale = [name for name, text in MANUAL.items() if found[name] != text]
    assert not stale, "run: python -m maiacc_isa.manual.build docs/isa"


@pytest.mark.parametrize("insn", sorted(load().insns))
def test_every_instruction_has_a_page_with_the_fixed_headings(insn: str) -> None:
    page = MANUAL[f"instructions/{insn}.md"]
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == HEADINGS
    for section in re.split(r"^## .*$", page, flags=re.MULTILINE)[1:]:
        assert section.strip()
    assert f"](instructions/{insn}.md)" in MANUAL["index.md"]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target, anchor in _LINK.findall(MANUAL[page]):
        if "://" in target:
            continue
        path = (Path(page).parent / target).as_posix() if target else page
        parts: list[str] = []
        for part in path.split("/"):
            if part == "..":
                parts.pop()
            elif part != ".":
                parts.append(part)
        name = "/".join(parts)
        assert name in MANUAL, (page, target)
        if anchor and name.endswith(".md"):
            titles = re.findall(r"^#+ (.*)$", MANUAL[name], re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", t).strip().lower().replace(" ", "-") for t in titles}
            assert anchor[1:] in slugs, (page, target, anchor)


#: Texts that are no whole programs: what the examples share, and the tour of the language.
PIECES = {"prelude.md", "assembly.md"}


@pytest.mark.parametrize("page", [p for p in PAGES if _BLOCK.search(MANUAL[p]) and p not in PIECES])
def test_whole_programs_in_the_manual_are_proven(page: str) -> None:
    for text in _BLOCK.findall(MANUAL[page]):
        report = prove(assemble(text, page))
        assert not report.findings, report.findings[0]


def test_the_tour_of_the_language_is_in_the_language(tmp_path: Path) -> None:
    (text,) = _BLOCK.findall(MANUAL["assembly.md"])
    (tmp_path / "v.bin").write_bytes(bytes(8192))
    names = set(re.findall(r"call (\w+)", text)) - {"main"}
    stubs = "".join(f"block {name} {{\n  nop\n}}\n" for name in sorted(names))
    whole = text.replace("control {", stubs + "control {")
    program = assemble(whole, str(tmp_path / "tour.mist"))
    assert [block.name for block in program.blocks] == ["main", *sorted(names)]


@pytest.mark.parametrize("name", [c for c in chapters() if c != "prelude"])
def test_every_chapter_can_be_reached_from_the_first(name: str) -> None:
    if name != "index":
        assert f"({name}.md)" in MANUAL["index.md"]


def test_every_code_of_the_prover_is_in_its_chapter() -> None:
    text = MANUAL["prover.md"]
    for low, high in re.findall(r"E(\d{4}) to E(\d{4})", text):
        text += "".join(f" E{n:04}" for n in range(int(low), int(high) + 1))
    missing = [code for code in codes() if re.match(r"E(07|08|09|10)", code) and code not in text]
    assert not missing


def test_the_worked_example_of_time() -> None:
    """The chapter's numbers, by the chapter's rule, from the machine file."""
    from_hbm, noc, tile = (16 * 512 // 64, -(-16 * 256 // 48), 16 * 256 // 32)
    start = 160
    text = MANUAL["time.md"]
    assert f"HBM {start} to {start + from_hbm} ticks" in text
    assert f"NoC {start} to {start + noc}" in text
    assert f"tile {start} to {start + tile}" in text
    assert f"HBM {start + from_hbm} to {start + 2 * from_hbm};" in text
