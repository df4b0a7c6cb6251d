"""The command line and its files: pipes, several files, documents, and streams that fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isa.repack import members_of, packed
from isa.wrong_files import TEXT
from maiacc.cli import COMMANDS
from maiacc_isa.asm import assemble
from maiacc_isa.container import open_program, save
from support import PATHS, maiacc

EMPTY = "mist 1.0\ntarget mini\nblock b {\n  nop\n}\n"


def shell(script: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a line of bash in which ``maiacc`` is the command line of this checkout."""
    environment = {**os.environ, "PYTHONPATH": PATHS, **more}
    script = f'maiacc() {{ "{sys.executable}" -m maiacc.cli "$@"; }}; set -o pipefail; {script}'
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, cwd=cwd, env=environment, check=False
    )


def test_texts_and_programs_go_through_pipes(tmp_path: Path) -> None:
    (tmp_path / "a.mist").write_text(TEXT)
    done = shell(
        "maiacc asm - -o - < a.mist > piped.maia && maiacc asm a.mist && cmp piped.maia a.maia"
        " && maiacc disasm a.maia -o b.mist && maiacc asm b.mist -o b.maia && cmp a.maia b.maia"
        ' && maiacc lint - < a.mist | grep "^-: "',
        tmp_path,
    )
    assert done.returncode == 1, done.stderr
    assert b"not proven" in done.stdout
    assert b"Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a.maia", "a.mist", "b.maia", "b.mist", "b.weights.bin", "piped.maia",
    ]  # fmt: skip
    assert maiacc("asm", "-").code == 1
    assert maiacc("asm", "-", "-o", "-", "--json").code == 1


def test_several_files_are_proven_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "a.mist").write_text(EMPTY)
    (tmp_path / "b.mist").write_text(EMPTY)
    done = maiacc("lint", "a.mist", "none.mist", "b.mist", cwd=tmp_path)
    assert done.code == 1
    assert done.out.count("proven for mini") == 2
    assert "none.mist" in done.err
    assert maiacc("lint", "a.mist", "b.mist", cwd=tmp_path).code == 0
    document = json.loads(maiacc("lint", "--json", "a.mist", "none.mist", cwd=tmp_path).out)
    assert [row["proven"] for row in document["files"]] == [True, False]
    assert not document["proven"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("asm", "a.mist", "--json"),
        ("disasm", "a.maia", "--json"),
        ("lint", "a.mist", "--json"),
        ("lint", "none.mist", "--json"),
        ("asm", "none.mist", "--json"),
        ("disasm", "a.mist.none", "--json"),
        ("isa", "mm", "--json"),
        ("isa", "none", "--json"),
        ("targets", "--json"),
        ("targets", "mini", "--json"),
        ("targets", "./bad.toml", "--json"),
        ("explain", "E0802", "--json"),
        ("explain", "none", "--json"),
    ],
)
def test_json_is_one_document_and_nothing_else(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "a.mist").write_text(EMPTY)
    (tmp_path / "bad.toml").write_text("[ttu]\nblock = 3\n")
    save(assemble(EMPTY), str(tmp_path / "a.maia"))
    done = maiacc(*arguments, cwd=tmp_path)
    document = json.loads(done.out)
    assert document["schema"] == 1
    assert ("error" in document) == (done.code == 1)
    if done.code == 1:
        problem = document["error"]
        assert problem["code"].startswith("E")
        assert problem["message"]
        assert f"error[{problem['code']}]" in done.err


def test_slips_are_answered(tmp_path: Path) -> None:
    for arguments, meant in (
        (("asmm", "x"), "asm"),
        (("lnit", "x"), "lint"),
        (("lint", "--jsn", "x"), "--json"),
        (("isa", "tiem"), "time"),
        (("explain", "E802"), "E0802"),
    ):
        done = maiacc(*arguments, cwd=tmp_path)
        assert done.code == 1
        assert meant in done.err, done.err


@pytest.mark.parametrize("stream", ["> /dev/full", "1>&-", "2>&-", "1>&- 2>&-", "0<&-"])
@pytest.mark.parametrize("command", ["isa traps", "lint a.mist", "disasm a.maia"])
def test_streams_that_are_full_or_closed(tmp_path: Path, stream: str, command: str) -> None:
    (tmp_path / "a.mist").write_text(EMPTY)
    save(assemble(EMPTY), str(tmp_path / "a.maia"))
    done = shell(f"maiacc {command} {stream}", tmp_path)
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr
    assert done.returncode == (1 if "full" in stream else 0), done.stderr
    if "full" in stream:
        assert b"E0003" in done.stderr


@pytest.mark.parametrize(
    "command", ["targets", "targets maia200", "isa functions", "targets --json"]
)
def test_readers_that_go_away(tmp_path: Path, command: str) -> None:
    done = shell(f"maiacc {command} | head -c 5", tmp_path)
    assert b"Traceback" not in done.stderr
    assert b"error" not in done.stderr
    assert len(done.stdout) == 5


def test_locales_without_letters(tmp_path: Path) -> None:
    (tmp_path / "ä.mist").write_text(EMPTY.replace("  nop", '  at "名"\n  nop'))
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = shell(
        "maiacc lint ä.mist && maiacc asm ä.mist -o x.maia && maiacc disasm x.maia && maiacc isa maia",
        tmp_path,
        **ascii_only,
    )
    assert done.returncode == 0, done.stderr
    done = shell("maiacc lint $'\\xff.mist'; maiacc lint --json $'\\xff.mist'", tmp_path)
    assert done.returncode == 1
    assert b"E0002" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_machine_of_ones_own_lies_beside_the_text(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        '[machine]\nname = "mini"\ntitle = "wider"\nextends = "mini"\n'
        '[tile]\nbytes_per_cycle = { value = 64, source = "assumption", cite = "what if" }\n'
    )
    (tmp_path / "a.mist").write_text(EMPTY.replace("target mini", "target own.toml"))
    (tmp_path / "out").mkdir()
    assert maiacc("asm", "a.mist", cwd=tmp_path).code == 0
    assert maiacc("disasm", "a.maia", "-o", "out/a.mist", cwd=tmp_path).code == 0
    assert maiacc("asm", "out/a.mist", cwd=tmp_path).code == 0
    assert (tmp_path / "out" / "a.maia").read_bytes() == (tmp_path / "a.maia").read_bytes()
    shown = maiacc("targets", "out/mini.toml", "--toml", cwd=tmp_path)
    assert "bytes_per_cycle = { value = 64" in shown.out


def test_lint_hashes_weights(tmp_path: Path) -> None:
    text = "mist 1.0\ntarget mini\nweight W : uint8[8] @ 0x0 = [1, 2, 3, 4, 5, 6, 7, 8]\nblock b {\n  nop\n}\n"
    path = tmp_path / "a.maia"
    save(assemble(text), str(path))
    assert maiacc("lint", str(path)).code == 0
    members = members_of(path.read_bytes())
    path.write_bytes(packed({**members, "weights.bin": bytes(8)}))
    done = maiacc("lint", str(path))
    assert done.code == 1
    assert "E0604" in done.err


def test_two_writers_of_one_file_leave_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "a.mist").write_text(TEXT)
    command = [sys.executable, "-m", "maiacc.cli", "asm", "a.mist", "-o", "x.maia"]
    environment = {**os.environ, "PYTHONPATH": PATHS}
    children = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [child.wait(60) for child in children] == [0, 0]
    open_program(str(tmp_path / "x.maia"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mist", "x.maia"]


def test_the_shell_completes_commands_options_and_files(tmp_path: Path) -> None:
    (tmp_path / "a.mist").write_text(EMPTY)

    def completed(words: str, count: int) -> str:
        done = shell(
            f"COMP_WORDS='{words}' COMP_CWORD={count} _MAIACC_COMPLETE=bash_complete maiacc",
            tmp_path,
        )
        return done.stdout.decode()

    for name in COMMANDS:
        assert f"plain,{name}\n" in completed("maiacc ", 1)
    assert "plain,--target" in completed("maiacc asm --ta", 2)
    assert "file," in completed("maiacc lint a", 2)
