"""`maiacc verify` as a command: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner

from compile.broken import MINI, conv_model
from maiacc.commands.compile import command as compile_command
from maiacc.commands.verify import command
from maiacc.compiler import compile_module
from maiacc.frontend.model import import_model
from maiacc_isa.container import open_program, save
from maiacc_passes.lowering import recipes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and its program, which is the current one."""
    monkeypatch.chdir(tmp_path)
    onnx.save(conv_model(), "conv.onnx")
    compiled = compile_module(import_model(conv_model()), MINI)
    save(compiled.program, "conv.maia")
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_the_command_reports_kernels_ops_passes_and_outputs() -> None:
    options = ["conv.onnx", "--target", "mini", "--per-op", "--per-pass"]
    result = CliRunner().invoke(command, options)
    assert result.exit_code == 0, result.output
    for word in ("kernel ", "op ", "pass ", "output ", "the_c", "canonicalize", "verified: "):
        assert word in result.output
    document = json.loads(CliRunner().invoke(command, [*options, "--json"]).output)
    assert document["wrong"] is False
    assert document["verified"] == len(document["kernels"]) > 0
    assert {line["verdict"] for line in document["ops"]} <= {"ok", "equal"}


@pytest.mark.usefixtures("folder")
def test_a_program_is_compared_with_the_one_that_is_judged() -> None:
    result = CliRunner().invoke(command, ["conv.maia", "--model", "conv.onnx"])
    assert result.exit_code == 0, result.output
    other = conv_model()
    other.graph.node[2].op_type = "Abs"
    onnx.save(other, "other.onnx")
    result = CliRunner().invoke(command, ["conv.maia", "--model", "other.onnx"])
    assert result.exit_code == 4
    assert "output y of the program file is not that of the model" in result.output


@pytest.mark.usefixtures("folder")
def test_a_program_is_judged_with_the_options_that_it_has() -> None:
    runner = CliRunner()
    given = ["--target", "mini", "--precision", "bf16", "-o", "narrow.maia"]
    assert runner.invoke(compile_command, ["conv.onnx", *given]).exit_code == 0
    assert open_program("narrow.maia").options == {"precision": "bf16", "sparsity": "none"}
    judge_it = ["narrow.maia", "--model", "conv.onnx"]
    result = runner.invoke(command, judge_it)
    assert result.exit_code == 0, result.output
    result = runner.invoke(command, [*judge_it, "--precision", "model"])
    assert result.exit_code == 4
    assert "is not that of the model compiled again" in result.output


def test_wrong_values_exit_with_4_and_leave_what_reproduces_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(recipes.RECIPES, "relu", lambda m, op, xs: m("mov", *xs))
    options = ["--target", "mini", "--reproducer", "part"]
    result = CliRunner().invoke(command, ["conv.onnx", *options])
    assert result.exit_code == 4
    assert "first wrong kernel: k0, relu" in result.output
    assert (folder / "part.onnx").exists()
    again = ["part.onnx", "--target", "mini", "--inputs", "part.npz", "--json"]
    document = json.loads(CliRunner().invoke(command, again).output)
    assert document["first"]["op"] == "relu"
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert CliRunner().invoke(command, again).exit_code == 0


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_asked_for_is_refused() -> None:
    runner = CliRunner()
    for options in (
        ["conv.maia"],
        ["conv.onnx", "--model", "conv.onnx"],
        ["conv.maia", "--model", "conv.onnx", "--target", "maia200"],
    ):
        result = runner.invoke(command, options)
        assert result.exit_code == 2
        assert "Usage" in result.output
