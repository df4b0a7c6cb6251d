"""Golden files of passes: what goes in, which passes run, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conftest import GOLDEN
from maiacc_passes import pipeline
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.pipeline import Pass

FOLDER = GOLDEN / "passes"

#: What stands between the texts.
LINE = "----\n"

#: In the name of a file whose text some rule must leave alone.
NOT = "_not_"


@dataclass(frozen=True)
class Case:
    """A golden file. ``head`` is its first line."""

    path: Path
    head: str
    source: str
    expected: str

    @property
    def name(self) -> str:
        """The folder and the name, such as ``algebra/add_0``."""
        return str(self.path.relative_to(FOLDER).with_suffix(""))

    @property
    def near_miss(self) -> bool:
        """Whether something must not be found in it."""
        return NOT in self.name

    def passes(self) -> list[Pass]:
        """The passes that run."""
        return [pipeline.made(name) for name in self.head.removeprefix("passes:").split(",")]

    def module(self) -> Module:
        """What goes in."""
        return parse_module(self.source)


def read(path: Path) -> Case:
    """A golden file in its parts."""
    head, _, rest = path.read_text("utf-8").partition("\n")
    source, _, expected = rest.partition(LINE)
    return Case(path, head, source, expected)


CASES = [read(path) for path in sorted(FOLDER.rglob("*.txt"))]


def written() -> list[Case]:
    """The golden files as they are now; they may have been updated."""
    return [read(case.path) for case in CASES]
