"""``maiacc run``: values, cycles, files, documents, and how it ends."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

import maiacc
from house.run_programs import DEMO, LOADS, LONG, MANY, STUCK, Said, call
from maiacc.running.arrays import write_arrays
from maiacc.running.sources import document
from maiacc_isa.asm import assemble
from maiacc_isa.container import save
from maiacc_sim.simulate import Options, simulate
from maiacc_sim.tensors import random_inputs
from support import PATHS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the programs."""
    for name, text in (
        ("demo", DEMO), ("loads", LOADS), ("long", LONG), ("many", MANY), ("stuck", STUCK)
    ):  # fmt: skip
        (tmp_path / f"{name}.mist").write_text(text)
    return tmp_path


def run(folder: Path, *arguments: str) -> Said:
    """Runs ``maiacc run`` in a folder; whatever happens, nothing half-written is left."""
    done = call(folder, "run", *arguments)
    assert "Traceback" not in done.err
    assert not [path.name for path in folder.iterdir() if path.name.endswith(".part")]
    return done


def refused(folder: Path, code: str, exit_code: int, *arguments: str) -> str:
    """Runs something that is refused; returns what it says, and checks that no file appears."""
    before = {path.name for path in folder.iterdir()}
    done = run(folder, *arguments)
    assert done.code == exit_code, done.err
    assert f"error[{code}]" in done.err
    assert not done.out
    assert {path.name for path in folder.iterdir()} == before
    return done.err


def demo_run() -> tuple[dict[str, Any], dict[str, Any]]:
    """What the demo gives in this process: the document, and its outputs."""
    program = assemble(DEMO, "demo.mist")
    result = simulate(program, random_inputs(program, 1))
    return document(result), result.outputs


def test_the_document_is_the_simulators(folder: Path) -> None:
    done = run(folder, "demo.mist", "--random", "1", "--json", "--output", "c.npz")
    wanted, outputs = demo_run()
    assert done.code == 0
    shown = json.loads(done.out)
    assert shown == wanted
    assert [row["source"] for row in shown["by_source"]] == ["multiply", "store"]
    assert done.out.count("\n") == 1
    assert not done.err
    with np.load(folder / "c.npz") as found:
        assert list(found) == ["C"]
        assert np.array_equal(found["C"], outputs["C"])
        assert found["C"].dtype == np.uint16


def test_the_summary_says_the_same_as_the_document(folder: Path) -> None:
    done = run(folder, "demo.mist", "--random", "1")
    wanted, _ = demo_run()
    lines = done.out.splitlines()
    assert 10 <= len(lines) <= 15
    assert f"demo.mist on mini: {wanted['cycles']:,} cycles" in lines[0]
    assert f"{wanted['bounds'][wanted['bound']]:,}" in lines[1]
    assert f"{wanted['macs']:,} macs" in done.out
    assert wanted["outputs"][0]["sha256"][:16] in done.out
    tensor = next(row for row in wanted["queues"] if row["queue"] == "TTU")
    share = tensor["busy"] / (tensor["instances"] * wanted["cycles"])
    assert re.search(rf"TTU +{100 * share:.0f} % busy", done.out)
    assert "maiacc profile demo.mist" in lines[-1]


def test_cycles_are_the_same_without_values_and_without_skipping(folder: Path) -> None:
    wanted, _ = demo_run()
    for more in ([], ["--no-skip"]):
        done = run(folder, "demo.mist", "--timing-only", "--json", *more)
        found = json.loads(done.out)
        assert found == {**wanted, "outputs": []}
    timed = run(folder, "long.mist", "--timing-only", "--json")
    assert json.loads(timed.out)["instructions"] == 100 * 1000 * 2 * 4


def test_inputs_come_from_files_and_are_made_up(folder: Path) -> None:
    program = assemble(DEMO)
    inputs = random_inputs(program, 7)
    np.save(folder / "a.npy", inputs["A"].view(ml_dtypes.bfloat16))
    np.save(folder / "b.npy", np.asfortranarray(inputs["B"].astype(">u2")))
    np.savez_compressed(folder / "ab.npz", A=inputs["A"], B=inputs["B"])
    np.savez(folder / "wrong.npz", A=np.zeros((84, 100), np.uint16))
    ways = (
        ["--random", "7"],
        ["--input", "A=a.npy", "--input", "B=b.npy"],
        ["--inputs", "ab.npz"],
        ["--inputs", "wrong.npz", "--input", "A=a.npy", "--random", "7"],
    )
    hashes = set()
    for way in ways:
        done = run(folder, "demo.mist", "--json", *way)
        hashes.add(json.loads(done.out)["outputs"][0]["sha256"])
    result = simulate(program, inputs, options=Options())
    assert hashes == {hashlib.sha256(result.outputs["C"].tobytes()).hexdigest()}


def test_all_missing_inputs_are_named(folder: Path) -> None:
    text = refused(folder, "E1201", 1, "many.mist", "--param", "n=2")
    for name in ("A : bf16[2, 3]", "B : int4[2, 2]", "C : fp32[2, 3]", "S : int64[2]"):
        assert name in text
    assert "missing: A, B, C, S" in text
    done = run(folder, "many.mist", "--param", "n=2", "--random", "-1", "--output", "x.npz")
    assert done.code == 0, done.err
    with np.load(folder / "x.npz") as found:
        assert list(found) == ["S next"]


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("E1205", ["many.mist", "--random", "1"]),
        ("E1205", ["many.mist", "--random", "1", "--param", "n=9"]),
        ("E1202", ["many.mist", "--random", "1", "--param", "m=2"]),
        ("E1202", ["demo.mist", "--random", "1", "--input", "D=d.npy"]),
        ("E0002", ["demo.mist", "--random", "1", "--input", "A=none.npy"]),
        ("E0002", ["demo.mist", "--inputs", "none.npz"]),
        ("E0005", ["demo.mist", "--inputs", "."]),
        ("E1204", ["demo.mist", "--inputs", "demo.mist"]),
        ("E0002", ["none.mist", "--random", "1"]),
        ("E0004", ["demo.mist", "--random", "1", "--target", "nothing"]),
        ("E0003", ["demo.mist", "--random", "1", "--output", "demo.mist"]),
        ("E0003", ["demo.mist", "--random", "1", "--output", "none/c.npz"]),
        ("E0003", ["demo.mist", "--random", "1", "--output", "."]),
        ("E0003", ["demo.mist", "--random", "1", "--output", "x.txt", "--trace", "x.txt"]),
        ("E1209", ["demo.mist", "--random", "1", "--trace", "x.trace"]),
        ("E1209", ["demo.mist", "--random", "1", "--trace", "x.txt", "--trace-window", "5:5"]),
        ("E1209", ["demo.mist", "--random", "1", "--trace", "x.txt", "--trace-window", "a:b"]),
    ],
)
def test_what_cannot_be_run_is_refused(folder: Path, code: str, arguments: list[str]) -> None:
    refused(folder, code, 1, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--input", "A"],
        ["--param", "n=x"],
        ["--random", "x"],
        ["--max-cycles", "0"],
        ["--timing-only", "--random", "1"],
        ["--timing-only", "--output", "c.npz"],
        ["--timing-only", "--sanitize"],
        ["--random", "1", "--log", "x.json"],
        ["--log", "x.json"],
        ["--random", "1", "--trace-window", "0:9"],
        ["--random", "1", "--debug", "--json"],
        ["--random", "1", "--trace", "x.txt", "--trace-level", "atom"],
    ],
)
def test_options_that_make_no_sense_together(folder: Path, arguments: list[str]) -> None:
    done = run(folder, "demo.mist", *arguments)
    assert done.code == 1
    assert "Usage:" in done.err
    assert not done.out


def test_traps_deadlocks_and_budgets_end_with_6(folder: Path) -> None:
    outputs = ["--output", "c.npz", "--save-log", "l.json", "--trace", "t.txt"]
    text = refused(folder, "E1116", 6, "stuck.mist", "--random", "1", *outputs)
    assert "DRN waits for stored" in text
    assert "\n            ST waits for result" in text
    refused(folder, "E1116", 6, "stuck.mist", "--timing-only")
    refused(folder, "E1206", 6, "demo.mist", "--random", "1", "--max-cycles", "100", *outputs)
    refused(folder, "E1206", 6, "demo.mist", "--timing-only", "--max-cycles", "100")
    refused(folder, "E1206", 6, "demo.mist", "--random", "1", "--max-memory", "1000")
    refused(folder, "E1206", 6, "demo.mist", "--random", "1", "--max-memory", "100000")
    forever = LONG.replace("100 ", "1000000 ").replace("1000 ", "1000000 ")
    (folder / "forever.mist").write_text(forever)
    refused(folder, "E1206", 6, "forever.mist", "--random", "1")
    refused(folder, "E1206", 6, "forever.mist", "--timing-only", "--trace", "t.txt",
            "--max-cycles", str(10**17))  # fmt: skip
    done = run(folder, "stuck.mist", "--random", "1", "--json")
    assert done.code == 6
    assert json.loads(done.out)["error"]["code"] == "E1116"


def test_races_are_found_while_running(folder: Path) -> None:
    racing = DEMO.replace("= 2\n  sem fullB", "= 3\n  sem fullB")
    assert racing != DEMO
    (folder / "race.mist").write_text(racing)
    refused(folder, "E1103", 6, "race.mist", "--random", "1", "--sanitize")
    assert run(folder, "demo.mist", "--random", "1", "--sanitize").code == 0


def test_values_that_take_long_are_announced_and_can_be_interrupted(folder: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "maiacc.cli", "run", "long.mist", "--random", "1",
         "--output", "c.npz"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
        env={**os.environ, "PYTHONPATH": PATHS},
    )  # fmt: skip
    assert child.stderr is not None
    first = child.stderr.readline()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert re.match(r"computing the values will take about \d+ minutes: 800,000 words", first)
    assert child.returncode == 130
    assert not out
    assert "Traceback" not in err
    assert not list(folder.glob("*c.npz*"))


def test_outputs_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    arrays: dict[str, NDArray[Any]] = {
        "a/b": np.arange(6).reshape(2, 3),
        "c": np.array(1.5, np.float32),
    }
    for name in ("one.npz", "two.npz"):
        write_arrays(str(tmp_path / name), arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz") as found:
        assert np.array_equal(found["a/b"], arrays["a/b"])
        assert found["c"].shape == ()


@pytest.mark.parametrize("ending", [".pftrace", ".json", ".txt"])
def test_traces(folder: Path, ending: str) -> None:
    name = f"t{ending}"
    assert run(folder, "demo.mist", "--random", "1", "--trace", name).code == 0
    whole = (folder / name).stat().st_size
    arguments = ["--timing-only", "--trace", name, "--trace-window", "100:200"]
    assert run(folder, "demo.mist", *arguments).code == 0
    assert 0 < (folder / name).stat().st_size < whole / 5
    arguments = ["--timing-only", "--trace", name, "--trace-level", "layer"]
    assert run(folder, "demo.mist", *arguments).code == 0
    data = (folder / name).read_bytes()
    assert b"block main" in data
    assert b"bcast" not in data


def test_programs_come_from_files_and_through_pipes(folder: Path) -> None:
    program = assemble(DEMO, "demo.mist")
    save(program, str(folder / "demo.maia"))
    wanted, _ = demo_run()
    done = run(folder, "demo.maia", "--random", "1", "--json")
    assert json.loads(done.out) == wanted
    refused(folder, "E0607", 1, "demo.maia", "--random", "1", "--target", "mini2")
    piped = subprocess.run(
        [sys.executable, "-m", "maiacc.cli", "run", "-", "--random", "1", "--json"],
        input=DEMO, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": PATHS},
    )  # fmt: skip
    assert json.loads(piped.stdout) == wanted


def test_the_python_side_is_the_same(folder: Path) -> None:
    program = maiacc.read_program(str(folder / "demo.mist"))
    result = maiacc.simulate(program, maiacc.random_inputs(program, 1))
    assert maiacc.document(result) == demo_run()[0]
    assert set(maiacc.__all__) <= {*dir(maiacc), "__version__"}
    for name in maiacc.__all__:
        assert getattr(maiacc, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = maiacc.nothing
