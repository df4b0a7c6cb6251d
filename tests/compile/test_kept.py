"""``maiacc compile --keep-ir`` and ``maiacc ir FILE.maia``: texts of passes in the program file."""

from __future__ import annotations

from pathlib import Path

import pytest

from compile.models import compiled
from house.run_programs import call
from maiacc.compiling import kept
from maiacc_isa.container import open_program
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.verify import verify


def test_texts_are_those_of_the_dump(folder: Path) -> None:
    assert compiled(folder, "--dump-ir", "steps", "--keep-ir").code == 0
    listed = call(folder, "ir", "n.maia", "--list").out.splitlines()
    files = sorted(path for path in (folder / "steps").iterdir() if path.suffix != ".mist")
    assert len(listed) == len(files)
    for line, path in zip(listed, files, strict=True):
        name = line.split()[0]
        text = call(folder, "ir", "n.maia", "--after", name)
        assert text.code == 0, text.err
        assert text.out == path.read_text()
        if text.out.startswith("ir "):
            assert path.name[3:-3] == name.split("#")[0]
            verify(parse_module(text.out))
    assert [line.split()[0] for line in listed[-3:]] == ["fuse", "tile", "schedule"]
    assert call(folder, "ir", "n.maia").out == files[-1].read_text()


def test_first_passes_are_those_of_the_model(folder: Path) -> None:
    assert compiled(folder, "--keep-ir").code == 0
    model = ("net.onnx", "--shape", "batch=5")
    for name in ("import", "canonicalize", "order"):
        found = call(folder, "ir", "n.maia", "--after", name)
        assert found.out == call(folder, "ir", *model, "--after", name).out
    diff = ("--diff", "import", "recognize")
    assert call(folder, "ir", "n.maia", *diff).out == call(folder, "ir", *model, *diff).out
    assert "+  %1 = group" in call(folder, "ir", "n.maia", "--diff", "order", "fuse").out


def test_a_node_is_followed_to_its_kernel(folder: Path) -> None:
    assert compiled(folder, "--keep-ir").code == 0
    node = ("--op", "/up/Relu")
    assert "relu(" in call(folder, "ir", "n.maia", "--after", "fuse", *node).out
    placed = call(folder, "ir", "n.maia", *node).out
    assert placed.startswith("kernel k0: contract, relu")
    assert "kernel k1" not in placed
    unknown = call(folder, "ir", "n.maia", "--op", "/up")
    assert unknown.code == 1
    assert "E1413" in unknown.err


def test_what_is_not_there_is_refused(folder: Path) -> None:
    assert compiled(folder).code == 0
    none = call(folder, "ir", "n.maia", "--after", "fuse")
    assert none.code == 1
    assert "E0603" in none.err
    assert "--keep-ir" in none.err
    assert compiled(folder, "--keep-ir").code == 0
    unknown = call(folder, "ir", "n.maia", "--after", "fold2")
    assert unknown.code == 1
    assert "dce#2" in unknown.err
    assert "E1310" in call(folder, "ir", "n.maia", "--shape", "x=1x32").err


def test_texts_are_bounded_and_hold_no_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = ("compile", "large.onnx", "-o", "n.maia", "--keep-ir")
    assert call(folder, *large).code == 0
    notes = open_program(str(folder / "n.maia")).notes
    assert sum(note.size for note in notes.values()) < 1 << 17
    monkeypatch.setattr(kept, "LARGEST", 600)
    assert call(folder, *large).code == 0
    assert call(folder, "ir", "n.maia", "--after", "import").code == 0
    missing = call(folder, "ir", "n.maia", "--after", "schedule")
    assert missing.code == 1
    assert "E0006" in missing.err
    assert "--dump-ir" in missing.err


def test_the_same_model_gives_the_same_bytes(folder: Path) -> None:
    assert compiled(folder, "--keep-ir").code == 0
    first = (folder / "n.maia").read_bytes()
    assert compiled(folder, "--keep-ir", "--dump-ir", "steps").code == 0
    assert (folder / "n.maia").read_bytes() == first
