"""Logs, arrays and program files that are damaged or hostile: each is refused by its code, soon and in
little memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from house.run_programs import DEMO, LOADS, call
from house.test_arrays import fields, header, npy, npz, refused
from isa.repack import members_of, packed, with_json
from maiacc.running.scalar_logs import read_log, write_log
from maiacc_isa.asm import assemble
from maiacc_isa.container import save
from maiacc_isa.errors import MaiaccError
from maiacc_sim.simulate import Options, simulate
from maiacc_sim.tensors import random_inputs
from support import maiacc as child

# ---- logs ---------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> tuple[Path, Any]:
    """A log of the program that loads scalars, and the program."""
    program = assemble(LOADS)
    executed = simulate(program, random_inputs(program, 2)).executed
    assert executed is not None
    path = tmp_path / "l.json"
    write_log(str(path), program, executed.log)
    assert read_log(str(path), program) == executed.log
    return path, program


BAD_LOGS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "schema": lambda d: d.update(schema=2),
    "machine": lambda d: d.update(machine="0"),
    "program": lambda d: d.update(program="\x1b[31m"),
    "isa": lambda d: d.update(isa=[9, 9]),
    "timing": lambda d: d.update(timing=99),
    "no timing": lambda d: d.pop("timing"),
    "more": lambda d: d.update(more=1),
    "numbers": lambda d: d.update(values=[1]),
    "text": lambda d: d["values"].update({"chip 0 cluster 0 tile 0": ["3"]}),
    "no such tile": lambda d: d["values"].update({"chip 9": [3]}),
    "a list": lambda d: [d],
    "out of its interval": lambda d: d["values"].update({"chip 0 cluster 0 tile 0": [10**20]}),
    "too short": lambda d: d["values"].update({"chip 0 cluster 0 tile 0": []}),
    "not there": lambda d: d["values"].clear(),
}


@pytest.mark.parametrize("name", BAD_LOGS)
def test_logs_that_do_not_fit(name: str, log: tuple[Path, Any]) -> None:
    path, program = log
    document = json.loads(path.read_text())
    changed = BAD_LOGS[name](document)
    path.write_text(json.dumps(changed if isinstance(changed, list) else document))

    def replay() -> None:
        simulate(program, options=Options(values=False, log=read_log(str(path), program)))

    with pytest.raises(MaiaccError) as caught:
        replay()
    assert caught.value.code == "E1207"
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 200_000, b"\xff", b"null", bytes(100)])
def test_files_that_are_no_logs(text: bytes, log: tuple[Path, Any]) -> None:
    path, program = log
    path.write_bytes(text)
    refused("E1207", lambda: read_log(str(path), program))


# ---- program files ------------------------------------------------------------------------


def test_weights_are_hashed_before_their_first_use(tmp_path: Path) -> None:
    text = (
        "mist 1.0\ntarget mini\nweight W : uint8[8] @ 0x0 = [1, 2, 3, 4, 5, 6, 7, 8]\n"
        "block b {\n  nop\n}\n"
    )
    path = tmp_path / "a.maia"
    save(assemble(text), str(path))
    assert call(tmp_path, "run", "a.maia").code == 0
    path.write_bytes(packed({**members_of(path.read_bytes()), "weights.bin": bytes(8)}))
    done = call(tmp_path, "run", "a.maia", "--output", "x.npz")
    assert done.code == 1
    assert "E0604" in done.err
    assert not (tmp_path / "x.npz").exists()
    assert call(tmp_path, "run", "a.maia", "--timing-only").code == 0


def test_files_of_another_time_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.maia"
    save(assemble(DEMO), str(path))
    path.write_bytes(with_json("manifest.json", lambda m: m.update(timing=99))(path.read_bytes()))
    done = call(tmp_path, "run", "a.maia", "--random", "1")
    assert done.code == 1
    assert "E1208" in done.err


def test_hostile_programs_and_arrays_take_little(tmp_path: Path) -> None:
    """What a refusal costs: about as much as starting, whatever sizes are claimed."""
    (tmp_path / "demo.mist").write_text(DEMO)
    (tmp_path / "bomb.npz").write_bytes(npz({"A.npy": npy(np.zeros((14000, 14000), np.uint16))}))
    (tmp_path / "lie.npy").write_bytes(header(fields("'<u2'", "(84, 100)"), bytes(10)))
    huge = "mist 1.0\ntarget maia200\ninput X : fp32[1000000, 50000] @ 0x0\nblock b {\n  nop\n}\n"
    (tmp_path / "huge.mist").write_text(huge)
    for code, exit_code, arguments in (
        ("E1203", 1, ["demo.mist", "--random", "1", "--inputs", "bomb.npz"]),
        ("E1204", 1, ["demo.mist", "--random", "1", "--input", "A=lie.npy"]),
        ("E1206", 6, ["huge.mist", "--random", "1"]),
    ):
        done = child("run", *arguments, "--output", "x.npz", cwd=tmp_path)
        assert done.code == exit_code
        assert code in done.err, done.err
        assert done.cpu_seconds < 5
        assert done.peak_bytes < 300 << 20
        assert not list(tmp_path.glob("*x.npz*"))
