"""``maiacc compile`` refuses, and fails, without leaving anything half-written."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import onnx
import pytest

from compile.models import NET, compiled, document, layers
from house.run_programs import call
from maiacc.compiler import compile_module
from support import PATHS


# ---- what is refused --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("E1506", ["--precision", "fp3"]),
        ("E1506", ["--sparsity", "4:8"]),
        ("E1506", ["--sparsity-layers", "up"]),
        ("E1506", ["--sparsity", "2:4", "--sparsity-layers", "("]),
        ("E1506", ["--sparsity", "2:4", "--no-weights"]),
        ("E1507", ["--precision", "mxfp4", "--target", "maia100"]),
        ("E1413", ["--passes", "nonsense"]),
        ("E1413", ["--passes", "fold:limit=many"]),
        ("E0004", ["--target", "nothing"]),
        ("E1310", ["--shape", "x=5x33"]),
        ("E1310", ["--shape", "rows=5"]),
        ("E0003", ["-o", "net.onnx"]),
        ("E0003", ["-o", "nowhere/n.maia"]),
        ("E0003", ["-o", "."]),
        ("E0003", ["--dump-ir", "no/where"]),
        ("E0003", ["--dump-ir", "net.onnx"]),
    ],
)
def test_bad_options_leave_nothing(folder: Path, code: str, more: list[str]) -> None:
    before = sorted(folder.rglob("*"))
    done = call(folder, "compile", *NET, *more, "--json")
    assert done.code == 1
    assert f"error[{code}]" in done.err
    assert document(done)["error"]["code"] == code
    assert sorted(folder.rglob("*")) == before


def test_a_batch_without_a_size_is_asked_for(folder: Path) -> None:
    done = call(folder, "compile", "net.onnx")
    assert done.code == 1
    assert "--shape batch=N" in done.err


@pytest.mark.parametrize(
    ("name", "code", "node"), [("noise", "E1303", "noise"), ("doubles", "E1505", "twice")]
)
def test_what_is_not_supported_gives_the_report(
    folder: Path, name: str, code: str, node: str
) -> None:
    done = call(folder, "compile", f"{name}.onnx", "--target", "mini", "-o", "n.maia")
    checked = call(folder, "check", f"{name}.onnx", "--target", "mini")
    assert done.code == checked.code == 2
    assert done.out == checked.out
    assert f"error[{code}]" in done.out
    assert re.search(rf"^  node +{node}$", done.out, re.MULTILINE)
    found = document(call(folder, "compile", f"{name}.onnx", "--target", "mini", "--json"))
    assert found["exit_code"] == 2
    assert {p["code"] for p in (*found["problems"], *found["refused"])} == {code}
    assert not list(folder.glob("*.maia"))
    run = call(folder, "run", f"{name}.onnx", "--random", "1")
    assert run.code == 2
    assert f"error[{code}]" in run.err


def test_what_does_not_fit_is_refused_with_its_tensors(folder: Path) -> None:
    done = call(folder, "compile", "large.onnx", "--target", "mini", "-o", "n.maia")
    assert done.code == 3
    assert "error[E1503]" in done.err
    assert (
        "@w: 25,165,824 bytes, weight fp32[2048, 3072], there all the time, used in k" in done.err
    )
    assert "at most 16,777,216 bytes of HBM" in done.err
    total = 4 * (2048 * 3072 + 4 * 2048 + 4 * 3072)
    assert f"{total:,} bytes, {total - (1 << 24):,} too many, and {total:,} wherever" in done.err
    assert "--precision bf16: weights take up to 12,582,912 bytes less, which would do" in done.err
    assert "maia200 (216,000,000,000 bytes)" in done.err
    assert not (folder / "n.maia").exists()
    assert call(folder, "check", "large.onnx", "--target", "mini").code == 3
    narrow = call(folder, "compile", "large.onnx", "--target", "mini", "--precision", "bf16")
    assert narrow.code == 0, narrow.err


def test_values_that_do_not_fit_are_named_with_their_kernels(folder: Path) -> None:
    onnx.save(layers(rows=300000), str(folder / "tall.onnx"))
    rows = ("tall.onnx", "--target", "mini")
    done = call(folder, "compile", *rows)
    assert done.code == 3
    size = 300000 * 16 * 4
    wanted = rf"k\d+\.0: {size:,} bytes, temp fp32\[300000, 16\], used from k\d+ \(/layer.*\) to k"
    assert re.search(wanted, done.err)
    assert "a smaller --shape: what is no weight takes" in done.err
    found = document(call(folder, "compile", *rows, "--json"))
    assert found["error"]["code"] == "E1503"
    assert "too many" in found["error"]["found"]


# ---- faults -----------------------------------------------------------------------------------
def test_a_program_that_is_not_proven_is_not_written(folder: Path) -> None:

    def broken(*arguments: Any, **options: Any) -> Any:
        """Forgets what the first word waits for."""
        made = compile_module(*arguments, **options)
        block = made.program.blocks[0]
        words = tuple(word.__class__(**{**vars(word), "waits": ()}) for word in block.words)
        wrong = block.__class__(**{**vars(block), "words": words})
        made.program = made.program.__class__(**{**vars(made.program), "blocks": (wrong,)})
        return made

    with patch("maiacc.compiling.build.compile_module", broken):
        done = compiled(folder)
    assert done.code == 5
    assert "error[E0001]" in done.err
    match = re.search(r"report it with what is in (\S+)", done.err)
    assert match is not None
    saved = {path.name: path.read_text() for path in Path(match[1]).iterdir()}
    assert set(saved) == {"report.txt", "module.ir", "program.mist"}
    assert "error[E08" in saved["report.txt"]
    assert not (folder / "n.maia").exists()


def test_a_count_that_is_not_the_simulators_is_a_fault(folder: Path) -> None:

    def miscounted(*arguments: Any, **options: Any) -> Any:
        made = compile_module(*arguments, **options)
        made.placed.plan.kernels[0].padded += 1
        return made

    with patch("maiacc.compiling.build.compile_module", miscounted):
        done = compiled(folder)
    assert done.code == 5
    assert "words multiply" in done.err
    assert not (folder / "n.maia").exists()


@pytest.mark.parametrize("limit", [0, 3000, 20_000])
def test_a_full_disk_leaves_what_was_there(folder: Path, limit: int) -> None:
    (folder / "n.maia").write_bytes(b"before")
    assert call(folder, "compile", *NET, "-o", "warm.maia").code == 0
    before = sorted(folder.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        done = compiled(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.code == 1
    assert "error[E0003]" in done.err
    assert sorted(folder.iterdir()) == before
    assert (folder / "n.maia").read_bytes() == b"before"


def test_an_interrupt_leaves_nothing_half_written(folder: Path) -> None:
    script = (
        "import time, maiacc.cli\n"
        "from maiacc_isa import container\n"
        "whole = container._add_weights\n"
        "def slow(*given):\n"
        "    print('now', flush=True)\n"
        "    time.sleep(60)\n"
        "    return whole(*given)\n"
        "container._add_weights = slow\n"
        "maiacc.cli.main()\n"
    )
    before = sorted(folder.iterdir())
    child = subprocess.Popen(
        [sys.executable, "-c", script, "compile", *NET, "-o", "n.maia"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": PATHS, "PATH": "/usr/bin:/bin"},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "now\n"
    assert len(list(folder.iterdir())) == len(before) + 1
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert not out
    assert "Traceback" not in err
    assert sorted(folder.iterdir()) == before
