"""``maiacc demo``: a trained classifier on digits that it has not seen."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import maiacc
from house.run_programs import call
from maiacc.demos import digits
from support import ROOT


def test_it_shows_accuracy_and_cycles_and_leaves_nothing(tmp_path: Path) -> None:
    done = call(tmp_path, "demo", "--target", "mini")
    assert done.code == 0, done.err
    right, count, share = re.findall(r"(\d+) of (\d+) held-out digits are right: (.*)%", done.out)[
        0
    ]
    assert int(count) == 360
    assert int(right) >= 346
    assert float(share) == pytest.approx(100 * int(right) / int(count), abs=0.05)
    assert re.search(r"^4  timed +[\d,]+ cycles, [\d.]+ for a digit$", done.out, re.MULTILINE)
    assert re.search(r"^2  proven", done.out, re.MULTILINE)
    assert re.search(r"\d+ % /layer1/Gemm", done.out)
    trace = re.search(r"^6  traced +(\S+);", done.out, re.MULTILINE)
    assert trace is not None
    assert Path(trace[1]).stat().st_size
    assert not list(tmp_path.iterdir())


def test_its_files_go_on_from_there(tmp_path: Path) -> None:
    done = call(tmp_path, "demo", "-o", ".")
    assert done.code == 0, done.err
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        *("digits.onnx", "digits.npz", "digits-labels.npy", "digits.maia", "digits.pftrace")
    }
    run = call(tmp_path, "run", "digits.maia", "--inputs", "digits.npz", "--output", "out.npz")
    assert run.code == 0, run.err
    with np.load(tmp_path / "out.npz") as found:
        digit, scores = found["digit"], found["scores"]
    assert np.array_equal(digit, scores.argmax(1))
    again = ["compile", "digits.onnx", "--shape", "batch=360", "-o", "again.maia"]
    assert call(tmp_path, *again).code == 0
    assert (tmp_path / "again.maia").read_bytes() == (tmp_path / "digits.maia").read_bytes()


def test_its_values_are_those_of_the_model() -> None:
    data = files("maiacc.data")
    proto = onnx.load_from_string(data.joinpath(digits.MODEL).read_bytes())
    with data.joinpath(digits.PICTURES).open("rb") as file, np.load(file) as archive:
        image = archive["image"][:20]
    program = maiacc.compile(proto, "mini", {"batch": 20})
    found = program.run({"image": image}).outputs
    scores, digit = ReferenceEvaluator(proto).run(None, {"image": image})
    assert np.abs(found["scores"] - scores).max() < 1e-5 * np.abs(scores).max()
    assert np.array_equal(found["digit"], digit)


def test_a_kernel_written_by_hand_is_there_too(tmp_path: Path) -> None:
    done = call(tmp_path, "demo", "--mist")
    assert done.code == 0
    assert "every bit as numpy has it" in done.out
    assert call(tmp_path, "demo", "--mist", "--target", "mini").code == 1
    for more in ([], ["--mist"]):
        refused = call(tmp_path, "demo", *more, "-o", "nowhere")
        assert refused.code == 1
        assert "error[E0003]" in refused.err
    assert not list(tmp_path.iterdir())


def test_it_is_small_and_needs_no_library_of_its_training() -> None:
    data = files("maiacc.data")
    for name in (digits.MODEL, digits.PICTURES, digits.LABELS):
        assert len(data.joinpath(name).read_bytes()) < 20_000
    for path in (ROOT / "maiacc").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any((name or "").startswith("sklearn") for name in names)


def test_every_package_and_its_data_are_in_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    found = set()
    for name, folder in project["package-dir"].items():
        for path in (ROOT / folder).rglob("__init__.py"):
            parts = path.parent.relative_to(ROOT / folder).parts
            found.add(".".join((name, *parts)))
    assert set(project["packages"]) == found
    patterns = project["package-data"]["maiacc.data"]
    data = [p for p in (ROOT / "maiacc" / "data").iterdir() if p.is_file() and p.suffix != ".py"]
    assert all(any(path.match(pattern) for pattern in patterns) for path in data)
