"""The pipeline as data, names and options of passes, samples in docstrings, and the commands."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from maiacc_passes import (
    algebra,
    canonicalize,
    cleaning,
    contractions,
    folding,
    moving,
    ordering,
    pipeline,
    recognize,
    views,
)
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.verify import verify
from passes.equivalence import difference, inputs
from passes.files import FOLDER, read
from passes.samples import GIVEN, PASSES, module_text, sample_of
from passes.test_zoo import comparable
from support import Outcome, maiacc
from zoo import zoo

FILES: dict[str, ModuleType] = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        *(algebra, views, moving, contractions, cleaning, folding, canonicalize, recognize),
        *(ordering, *recognize.FAMILIES),
    )
}


# ---- data -----------------------------------------------------------------------------------
def test_the_pipeline_says_why() -> None:
    assert [step.name for step in pipeline.PIPELINE] == ["canonicalize", "recognize", "order"]
    for step in pipeline.PIPELINE:
        assert step.name in pipeline.PASSES
        assert len(step.reason) > 20
    for before, after, why in pipeline.ORDER:
        assert {before, after} <= pipeline.PASSES.keys()
        assert why


def test_a_wrong_order_is_refused() -> None:
    first, second, third = pipeline.PIPELINE
    pipeline.check_order((first, second, third), pipeline.ORDER)
    pipeline.check_order((first, first, second), pipeline.ORDER)
    pipeline.check_order((second,), pipeline.ORDER)
    for steps in ((second, first, third), (second, first, second)):
        with pytest.raises(IRError) as problem:
            pipeline.check_order(steps, pipeline.ORDER)
        assert problem.value.code == "E1412"
        assert "canonicalize has to come before recognize" in problem.value.message


def test_every_pass_has_a_name_and_a_promise() -> None:
    for name, made in pipeline.PASSES.items():
        one = made()
        assert (one.name, one.keeps) == (name, one.keeps)
        assert one.keeps in ("bit", "bound")


# ---- names and options ----------------------------------------------------------------------
def test_options_are_read() -> None:
    assert pipeline.made(" fold ") == folding.Fold()
    assert pipeline.made("fold:limit=65536") == folding.Fold(limit=65536)
    assert pipeline.made("fold:limit=1:growth=2") == folding.Fold(1, 2)
    assert pipeline.made("canonicalize:fold_limit=0") == canonicalize.Canonicalize(0)
    assert pipeline.options_of(pipeline.made("fold:growth=3")) == {"limit": 1 << 20, "growth": 3}
    assert pipeline.options_of(pipeline.made("dce")) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no pass ''"),
        ("fuse", "there is no pass 'fuse'"),
        ("Fold", "there is no pass 'Fold'"),
        ("fold:size=1", "pass fold has no option 'size'"),
        ("dce:limit=1", "pass dce has no option 'limit'"),
        ("fold:limit", "option limit of pass fold"),
        ("fold:limit=", "option limit of pass fold"),
        ("fold:limit=many", "option limit of pass fold"),
        ("fold:limit=1.5", "option limit of pass fold"),
    ],
)
def test_what_is_no_pass_is_refused(text: str, message: str) -> None:
    with pytest.raises(IRError) as problem:
        pipeline.made(text)
    assert problem.value.code == "E1413"
    assert problem.value.message == message
    assert problem.value.expected


def test_the_callback_sees_every_pass() -> None:
    module = read(FOLDER / "algebra" / "add_0.txt").module()
    seen = []
    passes = [pipeline.made("fold"), pipeline.made("canonicalize"), pipeline.made("order")]
    pipeline.run(module, passes, lambda name, after, changes: seen.append((name, changes)))
    assert seen == [("fold", 0), ("canonicalize", 1), ("order", 0)]
    pipeline.run(module, passes)


# ---- samples --------------------------------------------------------------------------------
def test_every_file_has_a_sample() -> None:
    assert FILES.keys() == GIVEN.keys()
    for name, module in FILES.items():
        text = module.__doc__ or ""
        assert "Assumes: " in text, name
        assert "Promises: " in text, name
        assert sample_of(text) is not None, name


@pytest.mark.parametrize("name", FILES)
def test_samples_are_what_passes_do(name: str) -> None:
    sample = sample_of(FILES[name].__doc__ or "")
    assert sample is not None
    before, after = (parse_module(module_text(name, lines)) for lines in sample)
    verify(before)
    verify(after)
    assert difference(before, after, inputs(before), exact=False) == ""
    passes = [pipeline.made(text) for text in PASSES.get(name, "recognize").split(",")]
    pipeline.run(before, passes, lambda name, after, changes: verify(after))
    assert comparable(before) == comparable(after)


# ---- commands -------------------------------------------------------------------------------
def good(*arguments: str) -> Outcome:
    """A call that succeeds and says nothing on standard error."""
    found = maiacc(*arguments)
    assert (found.code, found.err) == (0, "")
    return found


def test_opt_runs_passes_over_a_text(tmp_path: Path) -> None:
    case = read(FOLDER / "recognition" / "swiglu_plain.txt")
    source, out = tmp_path / "in.ir", tmp_path / "out.ir"
    source.write_text(case.source, "utf-8")
    assert good("opt", str(source), "--passes", "recognize").out == case.expected
    assert good("opt", str(source)).out == case.source
    good("opt", str(source), "--passes", "canonicalize, recognize,order", "-o", str(out))
    assert out.read_text("utf-8") == case.expected


def test_opt_needs_no_values_of_large_weights(tmp_path: Path) -> None:
    source = tmp_path / "in.ir"
    weight = f'weight @w : fp32[32] = data "{"0" * 64}"'
    lines = ["%1 = exp(@w) : fp32[32]", "%2 = mul(%1, %0) : fp32[32]", "return(%2)"]
    source.write_text(
        f'ir 1 graph\n{weight}\ngraph (%0: fp32[32] "x") -> ("y") {{\n'
        + "\n".join(lines)
        + "\n}\n",
        "utf-8",
    )
    found = good("opt", str(source), "--passes", "canonicalize,recognize,order").out
    assert weight in found
    assert "= mul(%0, %1)" in found or "= mul(%1, %0)" in found


def test_opt_refuses_what_is_no_pass(tmp_path: Path) -> None:
    source = tmp_path / "in.ir"
    source.write_text(read(FOLDER / "algebra" / "add_0.txt").source, "utf-8")
    found = maiacc("opt", str(source), "--passes", "fold:limit=many")
    assert found.code != 0
    assert "E1413" in found.err
    assert "Traceback" not in found.err


def test_ir_shows_the_stages(tmp_path: Path) -> None:
    model = tmp_path / "mlp.onnx"
    onnx.save(zoo.build("mlp_digits"), str(model))
    listed = good("ir", str(model), "--list").out.splitlines()
    assert [line.split()[0] for line in listed] == ["import", "canonicalize", "recognize", "order"]
    assert " changes" in listed[1]
    first = good("ir", str(model), "--after", "import").out
    last = good("ir", str(model)).out
    assert first.count("mk,nk->mn") == last.count("ab,cb->ac") == 3
    changed = good("ir", str(model), "--diff", "import", "order").out.splitlines()
    assert changed[:2] == ["--- import", "+++ order"]
    assert any(line.startswith("+") and "ab,cb->ac" in line for line in changed)


def test_ir_shows_what_came_from_a_node(tmp_path: Path) -> None:
    model = zoo.build("mlp_digits")
    node = next(node.name for node in model.graph.node if node.op_type in ("Gemm", "MatMul"))
    path = tmp_path / "mlp.onnx"
    onnx.save(model, str(path))
    lines = good("ir", str(path), "--op", node).out.splitlines()
    assert any(" contract(" in line for line in lines)
    found = maiacc("ir", str(path), "--op", "nothing of that name")
    assert found.code != 0
    assert "E1413" in found.err


def test_passes_are_listed() -> None:
    document = json.loads(good("passes", "--json").out)
    assert [row["pass"] for row in document["pipeline"]] == [s.name for s in pipeline.PIPELINE]
    assert {row["name"]: row["keeps"] for row in document["passes"]} == {
        name: made.keeps for name, made in pipeline.PASSES.items()
    }
    assert {"limit", "growth"} == next(
        row["options"].keys() for row in document["passes"] if row["name"] == "fold"
    )
