"""The README and the guides show what commands really print, and their links lead somewhere."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from maiacc_isa.manual.build import build
from support import PATHS, ROOT

DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "*.md",
        "isa/*.md",
        "sim/*.md",
        "passes/*.md",
        "docs/*.md",
        "examples/mist/*.md",
    )
    for path in ROOT.glob(pattern)
)

#: Documents whose console blocks are executed, each in a folder of its own, with the number of
#: commands of ours they have at least.
EXECUTED = {
    "README.md": 12,
    "docs/compiling.md": 10,
    "docs/debugging.md": 8,
    "docs/models.md": 8,
    "docs/running.md": 10,
    "docs/sparsity.md": 4,
    "docs/verifying.md": 4,
}

#: The two commands of the README, each alone in its block.
RUN = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/maiacc demo"
TEST = (
    "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest -n 2"
)


@dataclass(frozen=True)
class Step:
    """A command of a console block and what stands below it."""

    line: int
    command: str
    output: tuple[str, ...]


def console_steps(text: str) -> list[Step]:
    """The commands of every ```console block; `$ ` begins one, `> ` goes on with it."""
    steps: list[Step] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            steps.append(Step(number, line[2:], ()))
        elif inside and re.match(r">( |$)", line) and not steps[-1].output:
            last = steps.pop()
            steps.append(Step(last.line, f"{last.command}\n{line[2:]}", ()))
        elif inside:
            last = steps.pop()
            steps.append(Step(last.line, last.command, (*last.output, line)))
    return steps


def agrees(shown: tuple[str, ...], found: tuple[str, ...]) -> bool:
    """Whether an output is the one shown, in which a line `...` stands for any lines."""
    if not shown:
        return not found
    if shown[0] == "...":
        return any(agrees(shown[1:], found[at:]) for at in range(len(found) + 1))
    return bool(found) and shown[0] == found[0] and agrees(shown[1:], found[1:])


def blocks(text: str) -> list[str]:
    """What stands in the fenced blocks of a document."""
    return re.findall(r"^```\w*\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", sorted(EXECUTED))
def test_what_a_document_shows_is_what_happens(name: str, tmp_path: Path) -> None:
    command = tmp_path / "bin" / "maiacc"
    command.parent.mkdir()
    for path, arguments in ((command, "-m maiacc.cli"), (command.with_name("python3"), "")):
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {
        "PATH": f"{command.parent}:/usr/bin:/bin",
        "PYTHONPATH": PATHS,
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "LC_ALL": "C.UTF-8",
    }
    steps = console_steps((ROOT / name).read_text("utf-8"))
    ours = [step for step in steps if step.command.startswith("maiacc ")]
    assert len(ours) >= EXECUTED[name]
    for step in steps:
        done = subprocess.run(
            ["bash", "-c", step.command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=environment,
            timeout=60,
            check=False,
        )
        found = tuple(line.rstrip() for line in done.stdout.rstrip("\n").split("\n"))
        found = () if found == ("",) else found
        assert agrees(step.output, found), (
            f"{name}:{step.line}: `{step.command}` prints\n{done.stdout}"
        )


@pytest.mark.parametrize(
    ("shown", "found", "same"),
    [
        ("a\n...\nc", "a\nb\nb\nc", True),
        ("...\nc", "c", True),
        ("a\n...", "a", True),
        ("a", "a\nb", False),
        ("a\n...\nd", "a\nb\nc", False),
        ("...\na\n...", "b\nc", False),
    ],
)
def test_elided_lines(shown: str, found: str, same: bool) -> None:
    assert agrees(tuple(shown.split("\n")), tuple(found.split("\n"))) is same


def test_the_readme_gives_the_two_commands_each_alone_in_its_block() -> None:
    found = blocks((ROOT / "README.md").read_text("utf-8"))
    assert found.count(RUN) == 1
    assert found.count(TEST) == 1


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    path = ROOT / name
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    manual = {f"docs/isa/{page}" for page in build()}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        inside = linked.relative_to(ROOT).as_posix()
        assert inside in manual or linked.exists(), f"{name} links to {target}"
        if anchor and linked.suffix == ".md" and inside not in manual:
            titles = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in anchors, f"{name} links to {target}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_documents_name_exist(name: str) -> None:
    """Paths in code spans that begin with a folder of the repository."""
    text = (ROOT / name).read_text("utf-8")
    manual = {f"docs/isa/{page}" for page in build()} | {"docs/isa", "docs/isa/"}
    for span in re.findall(r"`([a-z]+/[\w./-]*)`", text):
        if span.split("/")[0] not in {
            "isa",
            "sim",
            "passes",
            "maiacc",
            "tests",
            "docs",
            "examples",
        }:
            continue
        assert span in manual or (ROOT / span).exists(), f"{name} names {span}"
