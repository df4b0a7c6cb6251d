"""``maiacc explain NODE --in FILE``: what the compiler chose, from the program file alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compile.models import compiled, document
from conftest import Golden
from house.run_programs import call
from maiacc_isa.container import open_program, read_note, save

TARGETS = ("mini", "maia200")


def facts(folder: Path, name: str, *more: str, file: str = "n.maia") -> dict[str, Any]:
    """The document about a name."""
    return document(call(folder, "explain", name, "--in", file, "--json", *more))


def made(folder: Path, model: str, target: str, *more: str) -> None:
    """Compiles a model to n.maia."""
    done = call(folder, "compile", f"{model}.onnx", "--target", target, "-o", "n.maia", *more)
    assert done.code == 0, done.err


def test_a_page_says_all_of_it(folder: Path, golden: Golden) -> None:
    assert compiled(folder).code == 0
    pages = [call(folder, "explain", name, "--in", "n.maia") for name in ("Gemm", "k1")]
    assert not any(page.code or page.err for page in pages)
    golden("explain/network.txt", "\n".join(page.out for page in pages))


@pytest.mark.parametrize("target", TARGETS)
def test_the_chosen_way_is_the_cheapest_that_fits(folder: Path, target: str) -> None:
    made(folder, "net", target, "--shape", "batch=70")
    (kernel,) = facts(folder, "/up/Gemm")["kernels"]
    assert "/up/Relu" in kernel["nodes"]
    costs = [way["predicted_cycles"] for way in kernel["ways"]]
    assert costs == sorted(costs)
    assert len(costs) == min(8, kernel["ways_weighed"]) > 1
    assert kernel["ways"][kernel["rank"]] == kernel["chosen"]
    assert {row["dim"]: row["extent"] for row in kernel["space"]} == {
        "rows": 70,
        "columns": 48,
        "sums": 32,
    }
    assert {t["name"]: t["bytes"] for t in kernel["reads"]} == {
        "x": 70 * 32 * 4,
        "@w1": 32 * 48 * 4,
        "@b1": 48 * 4,
    }
    (written,) = kernel["writes"]
    assert (written["first"], written["last"], written["space"]) == ("k0", "k1", "csram")


@pytest.mark.parametrize("target", TARGETS)
def test_kernels_share_the_cycles_of_the_program(folder: Path, target: str) -> None:
    made(folder, "net", target, "--shape", "batch=70")
    both = [facts(folder, name)["kernels"][0] for name in ("k0", "k1")]
    run = document(call(folder, "run", "n.maia", "--timing-only", "--json"))
    for kernel in both:
        assert kernel["measured"]["of"] == run["cycles"]
        assert max(kernel["bounds"].values()) <= run["cycles"]
        assert sum(kernel["measured"]["queues"].values()) == kernel["measured"]["cycles"]
    total = sum(kernel["measured"]["cycles"] for kernel in both)
    assert 0.5 * run["cycles"] < total <= run["cycles"]


@pytest.mark.parametrize("target", TARGETS)
def test_nodes_of_all_layers_are_found(folder: Path, target: str) -> None:
    made(folder, "layers", target)
    seen = set()
    for layer in range(5):
        for op in ("MatMul", "Tanh", "Sum", "Add"):
            found = facts(folder, f"/layer.{layer}/{op}", "--no-timing")["kernels"]
            assert found
            for kernel in found:
                assert f"/layer.{layer}/{op}" in kernel["nodes"]
                seen.add((kernel["name"], kernel["layer"], kernel["layers"]))
    rolled = {(layer, count) for _, layer, count in seen if count > 1}
    (count,) = {count for _, count in rolled}
    assert count >= 3
    assert {layer for layer, _ in rolled} == set(range(count))


@pytest.mark.parametrize("target", TARGETS)
def test_every_kind_of_kernel_is_explained(folder: Path, target: str) -> None:
    made(folder, "kinds", target)
    for name in ("gathered", "softened", "best", "running", "largest", "joined", "squared"):
        found = facts(folder, name)
        assert found["kernels"], name
        for kernel in found["kernels"]:
            assert kernel["bounds"]
            assert kernel["measured"]["cycles"] >= 0
        page = call(folder, "explain", name, "--in", "n.maia", "--no-timing")
        assert page.code == 0
        assert ("weighed" in page.out) or ("nothing was searched" in page.out) or "fits" in page.out
    for name, why in (("viewed", "view"), ("nothing", "folded")):
        found = facts(folder, name)
        assert found["absent"] == why or found["kernels"]
    assert "no kernel" in call(folder, "explain", "nothing", "--in", "n.maia").out


def test_names_that_are_near_are_offered(folder: Path) -> None:
    made(folder, "layers", "mini")
    several = call(folder, "explain", "matmul", "--in", "n.maia")
    assert several.code == 1
    assert "E0004" in several.err
    assert "/layer.0/MatMul" in several.err
    assert "/layer.3/Tanh" in call(folder, "explain", "/layer.3/Tonh", "--in", "n.maia").err
    assert call(folder, "explain", "layer.3/tanh", "--in", "n.maia").code == 0
    assert facts(folder, "0")["kernels"] == facts(folder, "k0")["kernels"]


def test_a_file_without_a_record_says_so(folder: Path) -> None:
    assert compiled(folder, "--no-record").code == 0
    done = call(folder, "explain", "Gemm", "--in", "n.maia")
    assert done.code == 1
    assert "E0603" in done.err
    assert "--no-record" in done.err
    assert read_note(str(folder / "n.maia"), "record.json") is None


def test_all_that_was_weighed_is_kept_if_asked_for(folder: Path) -> None:
    done = call(
        folder, *("compile", "net.onnx", "--shape", "batch=70", "-o", "n.maia", "--keep-ir")
    )
    assert done.code == 0
    (kernel,) = facts(folder, "Gemm", "--no-timing")["kernels"]
    assert len(kernel["ways"]) == kernel["ways_weighed"] > 8


def test_a_program_that_is_saved_again_keeps_its_notes(folder: Path) -> None:
    assert compiled(folder).code == 0
    path = folder / "n.maia"
    save(open_program(str(path)), str(folder / "again.maia"))
    assert (folder / "again.maia").read_bytes() == path.read_bytes()


def test_a_record_that_was_changed_is_refused(folder: Path) -> None:
    assert compiled(folder).code == 0
    program = open_program(str(folder / "n.maia"))
    data = json.loads(read_note(str(folder / "n.maia"), "record.json") or b"")
    changes: tuple[dict[str, Any], ...] = ({"kernels": 3}, {"tensors": []}, {"more": 1})
    for change in changes:
        note = json.dumps(data | change).encode()
        kept = type(program.weights["@w1"])(note, size=len(note))
        program.notes["record.json"] = kept
        save(program, str(folder / "bad.maia"))
        done = call(folder, "explain", "Gemm", "--in", "bad.maia")
        assert done.code == 1
        assert "E0606" in done.err
