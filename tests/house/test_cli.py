"""The command line as a user meets it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maiacc.cli import COMMANDS
from support import ROOT, maiacc, run


def test_help_loads_nothing_heavy() -> None:
    code = "import maiacc.cli"
    done = run([sys.executable, "-X", "importtime", "-c", code])
    loaded = {line.split("|")[-1].strip() for line in done.err.splitlines() if "|" in line}
    heavy = {"numpy", "onnx", "llvmlite", "lark", "msgspec", "rich"}
    assert not loaded & heavy
    assert "click" in loaded


def test_programs_are_run_without_the_compiler() -> None:
    code = "import maiacc.commands.run, maiacc.commands.profile"
    done = run([sys.executable, "-X", "importtime", "-c", code])
    loaded = {line.split("|")[-1].strip() for line in done.err.splitlines() if "|" in line}
    assert "maiacc_sim.simulate" in loaded
    assert not loaded & {"maiacc.compiler", "maiacc_passes", "onnx", "llvmlite"}


def test_help_lists_every_command() -> None:
    done = maiacc("--help")
    assert done.code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", done.out, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(name: str) -> None:
    done = maiacc(name, "--help")
    assert done.code == 0
    assert "Usage:" in done.out


def test_version() -> None:
    done = maiacc("--version")
    assert done.code == 0
    assert re.fullmatch(r"maiacc \d+\.\d+\.\d+ \(MIST \d+\.\d+\)\n", done.out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    done = maiacc("completion", shell)
    assert done.code == 0
    assert "_MAIACC_COMPLETE" in done.out


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("asm",), ("lint", "--frobnicate", "x"), ("explain",)]
)
def test_usage_errors_exit_with_1(arguments: tuple[str, ...]) -> None:
    done = maiacc(*arguments)
    assert done.code == 1
    assert "Traceback" not in done.err


def test_explain_code_instruction_stage_and_trap() -> None:
    assert "What to try" in maiacc("explain", "E0802").out
    assert "## Functional model" in maiacc("explain", "mmsp").out
    assert "stage exp" in maiacc("explain", "exp").out
    assert "E1103" in maiacc("explain", "race").out
    unknown = maiacc("explain", "mmps")
    assert unknown.code == 1
    assert "mmsp" in unknown.err


def test_isa_shows_overview_chapter_and_instruction() -> None:
    assert "# MIST: the manual" in maiacc("isa").out
    assert "# Time" in maiacc("isa", "time").out
    assert maiacc("isa", "MMSP").out == maiacc("isa", "mmsp").out
    assert "# MMSP" in maiacc("isa", "mmsp").out
    assert maiacc("isa", "nothing").code == 1


def test_targets_as_json_and_toml() -> None:
    document = json.loads(maiacc("targets", "--json").out)
    assert {row["name"] for row in document["targets"]} >= {"maia200", "maia100", "mini", "mini2"}
    one = json.loads(maiacc("targets", "maia200", "--json").out)
    assert one["constants"]["ttu.block"]["value"] == 32
    peaks = {row["rate"]: row["ops_per_second"] for row in one["peaks"]}
    assert peaks["fp8"] == pytest.approx(4718.6e12, rel=1e-4)
    assert "[ttu]" in maiacc("targets", "mini", "--toml").out


def test_a_users_machine_file_works_wherever_a_name_does(tmp_path: Path) -> None:
    machine = tmp_path / "wide.toml"
    machine.write_text(
        '[machine]\nname = "wide"\ntitle = "mini with wider tiles"\nextends = "mini"\n'
        '[tile]\nbytes_per_cycle = { value = 64, source = "assumption", cite = "what if" }\n'
    )
    done = maiacc("targets", str(machine), "--json")
    assert json.loads(done.out)["constants"]["tile.bytes_per_cycle"]["value"] == 64
    program = tmp_path / "empty.mist"
    program.write_text("mist 1.0\ntarget wide.toml\nblock main {\n  nop\n}\n")
    assert maiacc("lint", str(program)).code == 0
    assert maiacc("lint", str(program), "--target", "mini").code == 0


def test_broken_pipe_is_no_error() -> None:
    script = f"{sys.executable} -m maiacc.cli isa traps | head -1"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT}/isa:{ROOT}/sim:{ROOT}/passes", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("# Traps")


def test_demo_assembles_proves_and_disassembles(tmp_path: Path) -> None:
    done = maiacc("demo", "--mist", cwd=tmp_path)
    assert done.code == 0, done.err
    for word in ("assembled", "proven", "disassembled", "TTU mm"):
        assert word in done.out
    assert not list(tmp_path.iterdir())
