"""Builds the manual: every file of ``docs/isa/`` from chapters and rows.

Run ``python -m maiacc_isa.manual.build docs/isa`` to write it; a test compares what is there.
"""

from __future__ import annotations

import re
import sys
from importlib.resources import files
from pathlib import Path

from maiacc_isa.load import load
from maiacc_isa.manual.functions_chapter import functions_chapter
from maiacc_isa.manual.pages import page
from maiacc_isa.manual.svg import draw, pieces
from maiacc_isa.manual.tables import table
from maiacc_isa.spec import BitField
from maiacc_isa.word import word_layout

#: Records whose bits are drawn, besides every instruction.
DRAWN = ("word_engine", "word_control", "descriptor", "chain", "semaphore")

_REQUEST = re.compile(r"\{\{([a-z_ 0-9]+)\}\}")


def chapters() -> list[str]:
    """Names of the chapters; a chapter's text is in ``chapters/NAME.md``."""
    folder = files("maiacc_isa").joinpath("manual", "chapters")
    return sorted(f.name[:-3] for f in folder.iterdir() if f.name.endswith(".md"))


def chapter(name: str) -> str:
    """A chapter with its tables filled in. Raises ``KeyError`` for one that does not exist."""
    if name not in chapters():
        raise KeyError(name)
    text = files("maiacc_isa").joinpath("manual", "chapters", f"{name}.md").read_text("utf-8")

    def fill(match: re.Match[str]) -> str:
        request = match[1]
        return functions_chapter() if request == "functions" else table(request)

    return _REQUEST.sub(fill, text)


def build() -> dict[str, str]:
    """Every file of the manual: path below ``docs/isa`` and text."""
    spec = load()
    result = {f"{name}.md": chapter(name) for name in chapters()}
    for insn in spec.insns.values():
        result[f"instructions/{insn.name}.md"] = page(insn)
        fields = word_layout(insn, spec).fields
        bits = spec.records[insn.format].bits
        result[f"encoding/{insn.mnemonic}.svg"] = _diagram(f"{insn.name}", fields, bits)
    for name in DRAWN:
        record = spec.records[name]
        result[f"encoding/{name}.svg"] = _diagram(name, record.fields, record.bits)
    return result


def _diagram(title: str, fields: tuple[BitField, ...], bits: int) -> str:
    drawn: list[tuple[int, int, str]] = []
    for f in fields:
        for number in range(f.count):
            low = f.low + number * f.width
            name = f.name if f.count == 1 else f"{f.name}[{number}]"
            drawn.append((low + f.width - 1, low, name))
    return draw(title, pieces(drawn, bits), bits)


def write(folder: Path) -> None:
    """Writes the manual into a folder and removes pages that are not part of it any more."""
    wanted = build()
    for old in folder.rglob("*"):
        if old.is_file() and old.relative_to(folder).as_posix() not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
