"""`maiacc run --debug` as a user meets it: commands on standard input, answers on standard output."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Golden
from maiacc.debugging.shell import ALIASES, Shell
from support import PATHS, ROOT

DEMO = ROOT / "maiacc" / "data" / "demo.mist"

ENVIRONMENT = {**os.environ, "PYTHONPATH": PATHS, "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}


def session(program: Path, *commands: str, cwd: Path | None = None) -> str:
    """What a session prints; it must end well."""
    done = subprocess.run(
        [sys.executable, "-m", "maiacc.cli", "run", str(program), "--random", "1", "--debug"],
        input="".join(f"{command}\n" for command in commands),
        capture_output=True, text=True, env=ENVIRONMENT, cwd=cwd, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def changed(folder: Path, old: str, new: str) -> Path:
    """The demo with a piece of its text replaced."""
    text = DEMO.read_text("utf-8")
    assert old in text
    (folder / "changed.mist").write_text(text.replace(old, new), "utf-8")
    return Path("changed.mist")


def test_a_whole_session(golden: Golden, tmp_path: Path) -> None:
    """Steps, breakpoints, watches, looks and ways back, with all that they print."""
    (tmp_path / "demo.mist").write_text(DEMO.read_text("utf-8"), "utf-8")
    commands = (
        "where", "break mm 0.0.1", "break 60", "watch tc 0.1.0", "break", "run", "where", "list",
        "list store", "queues", "queues 0.1", "regs", "regs 0", "print", "print ta(1) 0.0.1 [0:3, :4]",
        "print ta", "print acc [0]", "step", "s 3", "", "next", "n CLD 0.1", "back", "b", "delete 1",
        "run 61", "run", "run", "print tc [-1, 30:32]", "print C 0 [31:34, 0:4]", "to 100", "to 4,000",
        "queues 0.0.0", "delete 2", "delete 3", "c", "step", "back 2", "trap", "quit", "where",
    )  # fmt: skip
    golden("debug/session.txt", session(Path("demo.mist"), *commands, cwd=tmp_path))


def test_a_program_that_hangs(golden: Golden, tmp_path: Path) -> None:
    program = changed(tmp_path, "post(freeA, freeB)", "post(freeB)")
    commands = (
        "where",
        "run mm",
        "step",
        "trap",
        "queues",
        "list",
        "back 2",
        "queues 0.1.0",
        "to 9",
    )
    golden("debug/hangs.txt", session(program, *commands, cwd=tmp_path))


def test_every_command_has_a_line_of_help() -> None:
    shown = session(DEMO, "help", *(f"help {name}" for name in ALIASES), "help nothing")
    for name in Shell.commands():
        assert re.search(rf"^{name}\b.*(\n? {{3,}}\S.*)$", shown, re.MULTILINE), name
    assert "error[E0004]: no command nothing" in shown
    assert all(len(line) <= 100 for line in shown.partition("error[")[0].splitlines())


WRONG = (
    "frobnicate", "step x", "step -1", "step 1 2", "step \u0663", "next XYZ", "next LD0 9", "run nothing",
    "run mm 0.0.9", "run mm 0 0", "to", "to -5", "to 1e3", "back x", "break main:99", "break 'mm",
    "watch", "watch nothing", "watch ta 7.7.7", "delete", "delete 5", "where now", "list nothing",
    "queues 9", "regs x", "print nothing", "print ta(2)", "print ta(x)", "print ta [0", "print ta [99]",
    "print ta [0,0,0]", "print ta [x]", "print ta [0:1:2]", "print ta 0.0.0.0", "help nothing",
    "quit now", "trap 3", "\x1b[31mred", "EOF now", "shell ls", "!ls", "print " + "a" * 5000,
)  # fmt: skip


def test_what_is_wrong_is_one_line_with_a_code() -> None:
    shown = session(DEMO, *WRONG)
    answers = re.split(r"^\[cycle 0\] .*\n", shown, flags=re.MULTILINE)[1:]
    assert len(answers) == len(WRONG) + 1
    for command, answer in zip(WRONG, answers, strict=False):
        assert re.fullmatch(r"error\[E\d{4}\]: .*\n", answer), (command, answer)
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) < 6000


def test_the_end_of_commands_is_the_end() -> None:
    assert session(DEMO).endswith("[cycle 0] \n")
    assert session(DEMO, "step", "q", "step").count("words executed") == 1


def test_ranks_types_and_what_nothing_has_written(tmp_path: Path) -> None:
    (tmp_path / "ranks.mist").write_text(
        "mist 1.0\ntarget mini\n"
        "input V : int8[20] @ 0x0\ninput T : fp32[2, 2, 3] @ 0x40\ninput S : int32[] @ 0x80\n"
        "input B : bool[3] @ 0xc0\ninput E : fp32[0] @ 0x100\n"
        "block main {\n  buffer u : int4[2, 3] @tsram 0x0\n  LD0 sync\n}\n"
    )
    looks = ("V", "V [18:]", "T", "T [1]", "T [:, 1, 2]", "S", "B", "u", "E", "T [5:6]")
    shown = session(Path("ranks.mist"), *(f"print {look}" for look in looks), cwd=tmp_path)
    answers = re.split(r"^\[cycle 0\] .*\n", shown, flags=re.MULTILINE)[1:]
    found = dict(zip(looks, answers, strict=False))
    assert re.search(r"^  \[0\] ( *-?\d){8} \.\.\.$", found["V"], re.MULTILINE)
    assert re.search(r"^  \[18\]( *-?\d){2}$", found["V [18:]"], re.MULTILINE)
    assert re.findall(r"^  (\[.*?\])", found["T"], re.MULTILINE) == [
        "[0, 0, 0]", "[0, 1, 0]", "[1, 0, 0]", "[1, 1, 0]",
    ]  # fmt: skip
    assert re.findall(r"^  (\[.*?\])", found["T [1]"], re.MULTILINE) == ["[1, 0, 0]", "[1, 1, 0]"]
    assert re.findall(r"^  (\[.*?\])", found["T [:, 1, 2]"], re.MULTILINE) == [
        "[0, 1, 2]", "[1, 1, 2]",
    ]  # fmt: skip
    assert re.fullmatch(r"S : int32\[\] in hbm of chip 0\n +-?\d+\n", found["S"])
    assert re.search(r"^  \[0\]( [01]){3}$", found["B"], re.MULTILINE)
    assert "0 of 6 elements written" in found["u"]
    assert found["u"].count("?") == 6
    assert found["E"].splitlines()[0] == "E : fp32[0] in hbm of chip 0"
    assert "error" not in shown


@pytest.mark.parametrize("ending", [b"\x04", b"quit\n"])
def test_a_terminal_shows_what_is_typed_once(ending: bytes) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "maiacc.cli", "run", str(DEMO), "--random", "1", "--debug"]
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env={**ENVIRONMENT, "TERM": "dumb"},
        start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    _read(leader, r"\[cycle 0\] $")
    os.write(leader, b"step 5\n")
    shown = _read(leader, r"\[cycle [1-9]\d*\] $")
    assert shown.count("step 5") == 1
    assert "5 of 224 words executed" in shown
    os.write(leader, ending)
    assert process.wait(timeout=60) == 0
    os.close(leader)


def _read(leader: int, until: str) -> str:
    shown = ""
    while not re.search(until, shown):
        shown += os.read(leader, 4096).decode()
    return shown
