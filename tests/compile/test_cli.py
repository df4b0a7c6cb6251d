"""``maiacc compile``, and models where ``run`` and ``profile`` take programs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from compile.models import NET, compiled, document, images, info, meaning, model, network
from house.run_programs import call
from maiacc.compiler import passes_for
from maiacc.options import CompileOptions
from maiacc_isa.container import open_program
from maiacc_isa.lint import prove
from maiacc_isa.machine import load_machine
from support import PATHS

#: The keys of the document of a compilation, in their order.
KEYS = (
    *("schema", "target", "nodes", "covered_nodes", "macs_graph", "macs_program", "weight_bytes"),
    *("instruction_words", "descriptors", "kernels", "seconds", "peak_memory_bytes", "memory"),
    *("bounds", "warnings", "sparse"),
)


# ---- what it writes and says ----------------------------------------------------------------
def test_a_model_becomes_a_proven_program_that_computes_its_values(folder: Path) -> None:
    done = compiled(folder)
    assert done.code == 0, done.err
    assert not done.err
    lines = done.out.splitlines()
    assert 10 <= len(lines) <= 15
    assert lines[0] == "net.onnx on mini: compiled, and proven"
    assert lines[-1].endswith("maiacc run n.maia --random 1")
    assert prove(open_program(str(folder / "n.maia"))).proven
    x = images()
    np.savez(folder / "x.npz", x=x)
    done = call(folder, "run", "n.maia", "--inputs", "x.npz", "--output", "y.npz")
    assert done.code == 0, done.err
    with np.load(folder / "y.npz") as found:
        assert list(found) == ["y"]
        assert np.array_equal(found["y"], meaning(network(), x))


def test_the_document_counts_what_the_simulator_counts(folder: Path) -> None:
    facts = document(compiled(folder, "--json"))
    assert tuple(facts) == KEYS
    run = document(call(folder, "run", "n.maia", "--random", "1", "--json"))
    assert facts["macs_program"] == run["macs"]
    assert facts["bounds"] == run["bounds"]
    assert facts["macs_graph"] == 5 * (32 * 48 + 48 * 10) <= facts["macs_program"]
    assert facts["weight_bytes"] == 4 * (32 * 48 + 48 + 48 * 10)
    assert facts["nodes"] == facts["covered_nodes"] == 3
    program = open_program(str(folder / "n.maia"))
    assert facts["instruction_words"] == sum(len(b.words) for b in program.blocks)
    assert facts["descriptors"] == sum(len(b.descriptors) for b in program.blocks)
    for space in facts["memory"].values():
        assert 0 < space["lower_bound"] <= space["peak"] <= space["capacity"]
    steps = sum(seconds for name, seconds in facts["seconds"].items() if name != "total")
    passes = [one.name for one in passes_for(CompileOptions(), load_machine("mini"))]
    around = ("import", *passes, "tile", "schedule", "emit", "prove", "count", "write", "total")
    assert tuple(facts["seconds"]) == tuple(dict.fromkeys(around))
    assert steps == pytest.approx(facts["seconds"]["total"], abs=0.05)
    assert facts["peak_memory_bytes"] > 1 << 20


def test_the_same_model_gives_the_same_bytes(folder: Path) -> None:
    assert compiled(folder).code == 0
    first = (folder / "n.maia").read_bytes()
    assert compiled(folder, "--verify").code == 0
    assert (folder / "n.maia").read_bytes() == first


@pytest.mark.parametrize("more", [(), ("--precision", "bf16"), ("--precision", "mxfp4")])
def test_any_number_of_jobs_gives_the_same_bytes(folder: Path, more: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    weights: dict[str, NDArray[np.generic]] = {
        f"w{n}": rng.standard_normal((64, 64)).astype(np.float32) for n in range(9)
    }
    nodes = [
        helper.make_node("MatMul", [f"x{n}" if n else "x", f"w{n}"], [f"x{n + 1}"], name=f"n{n}")
        for n in range(9)
    ]
    ends = [info(name, [4, 64]) for name in ("x", "x9")]
    onnx.save(model(nodes, ends[:1], ends[1:], weights), str(folder / "many.onnx"))
    found = set()
    for jobs in ("1", "2", "5", "0"):
        done = call(folder, "compile", "many.onnx", "-o", "n.maia", "--jobs", jobs, *more)
        assert done.code == 0, done.err
        found.add((folder / "n.maia").read_bytes())
    assert len(found) == 1


def test_the_program_is_written_beside_the_model_or_to_a_pipe(folder: Path) -> None:
    assert call(folder, "compile", *NET).code == 0
    command = f"{sys.executable} -m maiacc.cli compile {' '.join(NET)} -o - | cmp - net.maia"
    environment = {"PYTHONPATH": PATHS, "PATH": "/usr/bin:/bin"}
    shell = ["bash", "-o", "pipefail", "-c", command]
    done = subprocess.run(shell, cwd=folder, env=environment, check=False)
    assert done.returncode == 0


def test_every_step_can_be_read(folder: Path) -> None:
    assert compiled(folder, "--dump-ir", "steps").code == 0
    names = sorted(path.name for path in (folder / "steps").iterdir())
    assert names[0] == "00-import.ir"
    assert [int(name[:2]) for name in names] == list(range(len(names)))
    steps = [name[3:] for name in names]
    assert steps[-4:] == ["fuse.ir", "kernel.txt", "placed.txt", "program.mist"]
    assert {"canonicalize.ir", "expand.ir"} <= set(steps)
    texts = {name[3:]: (folder / "steps" / name).read_text() for name in names}
    kernel, placed = texts["kernel.txt"], texts["placed.txt"]
    assert re.search(r'^kernel k0: .*relu.* !"/up/Gemm", "/up/Relu"$', kernel, re.MULTILINE)
    assert re.search(r"^ +TTU multiply %acc\{.*\} *\[.*\] <- %a.*, %b", kernel, re.MULTILINE)
    assert "wait(" not in kernel
    assert "0x" not in kernel
    assert re.search(r"^ +for \w+ over gtile < \d+ \{$", placed, re.MULTILINE)
    assert re.search(r"^ +TTU multiply .* wait\(.*\)", placed, re.MULTILINE)
    assert re.search(r"^ +tile acc\S* : fp32\[.*\] @acc 0x", placed, re.MULTILINE)
    (folder / "again.mist").write_text(call(folder, "disasm", "n.maia").out)
    assert texts["program.mist"] == (folder / "again.mist").read_text()


def test_precision_and_sparsity_are_asked_for(folder: Path) -> None:
    plain = document(compiled(folder, "--json"))
    narrow = document(compiled(folder, "--json", "--precision", "bf16"))
    assert narrow["weight_bytes"] < plain["weight_bytes"]
    done = compiled(folder, "--sparsity", "2:4", "--sparsity-layers", "down")
    assert re.search(
        r"sparse +/down/MatMul: pruned to 2:4 by magnitude, .* % of the energy kept", done.out
    )


def test_the_program_says_what_was_asked_for(folder: Path) -> None:
    assert compiled(folder, "--sparsity", "2:4", "--passes", "canonicalize,cse").code == 0
    found = open_program(str(folder / "n.maia")).options
    shapes = {key: value for key, value in found.items() if key.startswith("shape:")}
    assert shapes
    asked = {"precision": "model", "sparsity": "2:4", "passes": "canonicalize,cse"}
    assert found == asked | shapes


def test_passes_are_chosen(folder: Path) -> None:
    facts = document(compiled(folder, "--json", "--passes", "canonicalize,cse"))
    assert "recognize" not in facts["seconds"]
    assert {"canonicalize", "cse"} <= set(facts["seconds"])


def test_a_program_without_weights_is_timed(folder: Path) -> None:
    assert compiled(folder).code == 0
    timed = document(call(folder, "run", "n.maia", "--timing-only", "--json"))
    size = (folder / "n.maia").stat().st_size
    assert compiled(folder, "--no-weights").code == 0
    assert (folder / "n.maia").stat().st_size < size - 4 * 32 * 48
    again = document(call(folder, "run", "n.maia", "--timing-only", "--json"))
    assert again["cycles"] == timed["cycles"]
    assert call(folder, "lint", "n.maia").code == 0
    (folder / "n.mist").write_text(call(folder, "disasm", "n.maia").out)
    assert call(folder, "asm", "n.mist", "-o", "m.maia").code == 0
    refused = call(folder, "run", "n.maia", "--random", "1")
    assert refused.code == 1
    assert "error[E1210]" in refused.err


# ---- run and profile ------------------------------------------------------------------------
def test_run_compiles_and_runs_in_one_go(folder: Path) -> None:
    assert compiled(folder).code == 0
    stored = document(call(folder, "run", "n.maia", "--random", "3", "--json"))
    done = call(folder, "run", *NET, "--random", "3", "--json", "--output", "y.npz")
    found = document(done)
    assert not done.err
    assert found == stored
    assert [output["name"] for output in found["outputs"]] == ["y"]
    rows = found["by_source"]
    assert 0 < len(rows) <= 10
    assert {node for row in rows for node in row["source"].split(", ")} <= {
        *("/up/Gemm", "/up/Relu", "/down/MatMul")
    }
    assert [row["cycles"] for row in rows] == sorted((r["cycles"] for r in rows), reverse=True)
    narrow = call(folder, "run", *NET, "--timing-only", "--precision", "bf16", "--json")
    assert document(narrow)["bytes"]["hbm"]["read"] < found["bytes"]["hbm"]["read"]


def test_every_cycle_is_of_a_node_or_of_named_overhead(folder: Path) -> None:
    profile = document(call(folder, "profile", *NET, "--json"))["sources"]
    spent = sum(row["total"] for row in profile["rows"])
    overhead = sum(profile["overhead"].values())
    assert spent + overhead + profile["empty"] == profile["total"]
    assert overhead > 0
    done = call(folder, "profile", *NET, "--by", "source")
    assert re.search(r"^/up/Gemm.* [\d,]+$", done.out, re.MULTILINE)
    assert re.search(r"^waiting for the kernel before +[\d,]+$", done.out, re.MULTILINE)
    assert re.search(r"^/up +[\d,]+ +\d+ %$", done.out, re.MULTILINE)


def test_options_of_models_go_with_models(folder: Path) -> None:
    assert compiled(folder).code == 0
    for more in (["--shape", "batch=5"], ["--bind", "x=1"], ["--precision", "bf16"]):
        done = call(folder, "run", "n.maia", "--random", "1", *more)
        assert done.code == 1
        assert "go with a model" in done.err
