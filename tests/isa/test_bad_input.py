"""Bad files through the command line: a code, in bounded time and memory, and nothing written."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import GOLDEN
from isa.test_machines import HEAD as MACHINE
from isa.test_machines import MINI
from isa.wrong_files import TEXT, WRONG_FILES
from isa.wrong_texts import DECLARATIONS, HEAD
from maiacc_isa.asm import assemble
from maiacc_isa.container import save
from support import PATHS, Outcome, maiacc

#: What a bad input may cost, at most twice of which is tolerated: CPU seconds and bytes.
CPU, MEMORY = 2 * 2.0, 2 * 300 * 10**6


def gate(done: Outcome) -> None:
    """Holds a refusal to what every refusal must be."""
    assert done.code == 1, done.err
    assert "Traceback" not in done.err + done.out
    assert "internal error" not in done.err + done.out
    assert re.search(r"error\[E\d{4}\]", done.err + done.out) or '"code"' in done.out
    assert done.cpu_seconds < CPU, done.cpu_seconds
    assert done.peak_bytes < MEMORY, done.peak_bytes


def verdicts(folder: Path, names: list[str]) -> dict[str, set[str]]:
    """The codes that one run of `lint` gives each of many files."""
    done = maiacc("lint", "--json", *names, cwd=folder)
    assert "Traceback" not in done.err
    assert done.code == 1, done.err
    document: dict[str, Any] = json.loads(done.out)
    found = {}
    for row in document["files"]:
        assert not row["proven"], row["file"]
        problem = row.get("error")
        findings = row.get("findings", [])
        nested = problem.get("errors", [problem]) if problem else findings
        found[row["file"]] = {entry["code"] for entry in nested}
    assert list(found) == names
    return found


def block(lines: str) -> str:
    """A program of which only these lines may be wrong."""
    return f"{HEAD}block main {{\n{DECLARATIONS}{lines}\n}}\n"


RANDOM = random.Random(5)

SMALL_TEXTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "E0501"),
    "one byte": (b"x", "E0501"),
    "random": (RANDOM.randbytes(4096), "E0005"),
    "hello": (b"hello\n", "E0501"),
    "NUL": (HEAD.encode() + b"block \0 {\n}\n", "E0005"),
    "not UTF-8": (HEAD.encode() + b"block \xff\xfe {\n}\n", "E0005"),
    "UTF-16": (HEAD.encode("utf-16"), "E0005"),
    "unterminated quotes": (block('  at "MatMul').encode(), "E0501"),
    "line feed in quotes": (block('  at "Mat\nMul"').encode(), "E0501"),
    "carriage returns": (block("  oops").replace("\n", "\r\n").encode(), "E0501"),
    "byte order mark": (b"\xef\xbb\xbf" + block("  oops").encode(), "E0501"),
    "control characters": (block("  \x07\x1b[2J").encode(), "E0501"),
    "gzip": (b"\x1f\x8b\x08" + bytes(60), "E0005"),
    "ELF": (b"\x7fELF\x02\x01\x01" + bytes(60), "E0005"),
    "zip of something else": (b"PK\x03\x04" + bytes(60), "E0605"),
    "pickle": (b"\x80\x04\x95cos\nsystem\n.", "E0005"),
    "negative base": (block("  desc w = bf16 @tsram -8 {i:8}[i < 8 by 2]").encode(), "E0403"),
    "dims of 2^63": (block("  desc w = t{i:9223372036854775808, j:1}[i, j]").encode(), "E0403"),
    "dim of 0": (block("  LD0 copy t(0){i:0, j:64}[i, j], X{i:0, j:64}[i, j]").encode(), "E0804"),
    "beyond HBM": (block("  LD0 copy t(0){i:8}[0, i], bf16 @hbm 0xfffff8 {i:8}[i < 8 by 2]").encode(), "E0801"),
    "beyond TSRAM": (block("  LD0 copy bf16 @tsram 0xfff8 {i:8}[i < 8 by 2], X{i:8}[0, i]").encode(), "E0801"),
    "misaligned": (block("  LD0 copy bf16 @tsram 0x1 {i:8}[i < 8 by 2], X{i:8}[0, i]").encode(), "E0704"),
    "bits of nothing": (block('  bits "ff"').encode(), "E0507"),
    "loops that do not nest": (block('  bits "03010000000000000000000000000000"').encode(), "E1003"),
    "path as a machine": (b'mist 1.0\ntarget "/etc/passwd"\nblock b {\n}\n', "E0507"),
    "folder as a machine": (b'mist 1.0\ntarget ".."\nblock b {\n}\n', "E0004"),
    "weights elsewhere": (HEAD.encode() + b'weight W : uint8[4] @ 0x4000 = file "../../etc/hostname" at 0 size 4\nblock b {\n}\n', "E0510"),
    "weights by a link": (HEAD.encode() + b'weight W : uint8[4] @ 0x4000 = file "link" at 0 size 4\nblock b {\n}\n', "E0510"),
    "weights before the file": (HEAD.encode() + b'weight W : uint8[4] @ 0x4000 = file "plain" at -4 size 4\nblock b {\n}\n', "E0510"),
    "weights in a folder": (HEAD.encode() + b'weight W : uint8[4] @ 0x4000 = file "folder" at 0 size 4\nblock b {\n}\n', "E0510"),
}  # fmt: skip


def test_small_texts(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    (tmp_path / "plain").write_bytes(bytes(8))
    (tmp_path / "folder").mkdir()
    for name, (data, _) in SMALL_TEXTS.items():
        (tmp_path / f"{name}.mist").write_bytes(data)
    found = verdicts(tmp_path, [f"{name}.mist" for name in SMALL_TEXTS])
    for name, (_, code) in SMALL_TEXTS.items():
        assert code in found[f"{name}.mist"], (name, found[f"{name}.mist"])


def test_programs_that_hang_or_read_what_nothing_wrote(tmp_path: Path) -> None:
    """What waits for whom is part of the report."""
    names = {"circle": "E0904", "missing_post": "E0904", "uninitialised_rows": "E0803"}
    names |= {
        "register_not_set": "E1005",
        "writes_outside": "E0801",
        "no_sync_before_drain": "E0802",
    }
    paths = [str(GOLDEN / "lint" / "wrong" / f"{name}.mist") for name in names]
    found = verdicts(tmp_path, paths)
    for path, code in zip(paths, names.values(), strict=True):
        assert code in found[path]
    done = maiacc("lint", paths[0])
    gate(done)
    assert re.search(r"wait", done.out)


def test_program_files(tmp_path: Path) -> None:
    save(assemble(TEXT), str(tmp_path / "good.maia"))
    good = (tmp_path / "good.maia").read_bytes()
    expected = {}
    for number, wrong in enumerate(WRONG_FILES):
        (tmp_path / f"{number}.maia").write_bytes(wrong.change(good))
        expected[f"{number}.maia"] = {wrong.code}
    rng = random.Random(11)
    for number in range(40):
        data = bytearray(good[: rng.randrange(len(good))] if number % 2 else good)
        if not number % 2:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (tmp_path / f"damaged{number}.maia").write_bytes(data)
    found = verdicts(tmp_path, [*expected, *(f"damaged{n}.maia" for n in range(40))])
    for name, codes in expected.items():
        assert found[name] == codes, WRONG_FILES[int(name.split(".")[0])].name
    for command in ("disasm", "asm"):
        gate(maiacc(command, "damaged0.maia", cwd=tmp_path))
    assert not (tmp_path / "damaged0.mist").exists()


def constant(value: str) -> str:
    """A machine file with one constant of its own."""
    return f"{MACHINE}{MINI}\n[ttu]\nblock = {{ value = {value}, source = 'assumption', cite = 'test' }}\n"


MACHINES: dict[str, tuple[str, str]] = {
    "empty": ("", "E0304"),
    "no_toml": ("[machine\n", "E0301"),
    "nothing_given": (MACHINE, "E0302"),
    "list": ("machine = []\n", "E0304"),
    "text": (constant("'8'"), "E0304"),
    "boolean": (constant("true"), "E0304"),
    "date": (constant("2020-01-01"), "E0304"),
    "nan": (constant("nan"), "E0304"),
    "zero": (constant("0"), "E0305"),
    "negative": (constant("-8"), "E0305"),
    "huge": (constant("9" * 18), "E0305"),
    "huger": (constant("9" * 5000), "E0301"),
    "infinite": (f"{MACHINE}{MINI}\n[clock]\nhz = {{ value = inf, source = 'assumption', cite = 'test' }}\n", "E0305"),
    "not_a_number": (f"{MACHINE}{MINI}\n[clock]\nhz = {{ value = nan, source = 'assumption', cite = 'test' }}\n", "E0305"),
    "links": (f"{MACHINE}{MINI}\n[net]\nlinks = {{ value = 100000000, source = 'assumption', cite = 'test' }}\n", "E0305"),
    "negative_links": (f"{MACHINE}{MINI}\n[net]\nlinks = {{ value = -1, source = 'assumption', cite = 'test' }}\n", "E0305"),
    "itself": ("[machine]\nname = 'x'\ntitle = 'x'\nextends = 'itself.toml'\n", "E0308"),
    "circle": ("[machine]\nname = 'x'\ntitle = 'x'\nextends = './itself.toml'\n", "E0308"),
    "path": ("[machine]\nname = 'x'\ntitle = 'x'\nextends = '../../etc/passwd'\n", "E0308"),
    "extends_list": ("[machine]\nname = 'x'\ntitle = 'x'\nextends = ['mini']\n", "E0304"),
    "source_list": (f"{MACHINE}{MINI}\n[ttu]\nblock = {{ value = 8, source = ['published'], cite = 'x' }}\n", "E0306"),
    "deep": ("a." * 100_000 + "b = 1\n", "E0301"),
    "deep_list": ("a = " + "[" * 100_000, "E0301"),
    "many_keys": (MACHINE + MINI + "\n[ttu]\n" + "".join(f"k{i} = 1\n" for i in range(20_000)), "E0303"),
    "formula": (f"{MACHINE}{MINI}\n[[published]]\nname = 'x'\nvalue = 1\nunit = 'x'\nformula = '{'(' * 3000}'\ntolerance = 0\ncite = 'x'\n", "E0304"),
    "escape": ('[machine]\nname = "\\u001b[31m"\ntitle = "x"\n', "E0304"),
}  # fmt: skip


def test_machine_files(tmp_path: Path) -> None:
    for name, (text, _) in MACHINES.items():
        (tmp_path / f"{name}.toml").write_text(text)
        program = f"mist 1.0\ntarget {name}.toml\nblock b {{\n  nop\n}}\n"
        (tmp_path / f"{name}.mist").write_text(program)
    found = verdicts(tmp_path, [f"{name}.mist" for name in MACHINES])
    for name, (_, code) in MACHINES.items():
        assert code in found[f"{name}.mist"], (name, found[f"{name}.mist"])


@pytest.mark.parametrize("name", ["many_keys", "huger", "deep", "formula"])
def test_large_machine_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(MACHINES[name][0])
    gate(maiacc("targets", str(path)))


LARGE_TEXTS: dict[str, Callable[[], str]] = {
    "brackets alone": lambda: "(" * 1_000_000,
    "braces": lambda: HEAD + "block main {\n" + "{" * 1_000_000,
    "brackets on lines": lambda: HEAD + "block main {\n" + "loop k < 2 {\n" * 35_000,
    "closing brackets": lambda: HEAD + "}" * 1_000_000,
    "nested sums": lambda: block("  slot = " + "(" * 39 + "1" + ")" * 39),
    "long number": lambda: block("  slot = " + "9" * 100_000),
    "long hexadecimal": lambda: block("  slot = 0x" + "f" * 100_000),
    "long float": lambda: block("  chain c : fp32 = add(a, 0." + "0" * 100_000 + "1)"),
    "large exponent": lambda: block("  chain c : fp32 = add(a, 0x1p" + "9" * 100 + ")"),
    "long name": lambda: block("  " + "x" * 1_000_000 + " = 1"),
    "long quoted name": lambda: block('  LD0 copy "' + "x" * 1_000_000 + '", v'),
    "long line": lambda: block("  slot = 1" + " + 1" * 1_000_000),
    "long view": lambda: block("  desc w = t{" + ", ".join("i:1" for _ in range(300_000)) + "}[0, 0]"),
    "long sum": lambda: block("  slot = 1" + " + 1" * 2000),
    "long type": lambda: HEAD + "input Z : bf16[" + ", ".join(["2"] * 2400) + "] @ 0x0\nblock b {\n}\n",
    "many values": lambda: block("  table big = [" + "1, " * 1_000_000 + "1]"),
    "many declarations": lambda: block("".join(f"  mask m{i} = {{1}}\n" for i in range(100_000))),
    "many masks": lambda: block("".join(f"  mask m{i} = {{1}}\n" for i in range(3000))),
    "many tensors of a name": lambda: HEAD + "input X : bf16[1] @ 0x0\n" * 3000 + "block b {\n}\n",
    "many blocks": lambda: HEAD + "".join(f"block b{i} {{\n}}\n" for i in range(5000)),
    "many controls": lambda: HEAD + "block b {\n}\ncontrol {\n" + "if s0 {\n" * 30 + "}\n" * 31,
    "too large": lambda: "#" * ((16 << 20) + 1),
    "quotes": lambda: HEAD + '"' * 1_000_000,
    "backslashes": lambda: HEAD + '"' + "\\" * 1_000_000,
    "comments": lambda: "#\n" * 39_000,
    "blank lines": lambda: "\n" * 39_000,
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE_TEXTS)
def test_large_texts(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.mist"
    path.write_text(LARGE_TEXTS[name]())
    done = maiacc("asm", str(path))
    gate(done)
    assert len(done.err) < 5000
    assert [p.name for p in tmp_path.iterdir()] == ["bad.mist"]


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.maia").mkdir()
    os.mkfifo(tmp_path / "pipe.mist")
    (tmp_path / "loop.mist").symlink_to("loop.mist")
    (tmp_path / "good.mist").write_text("mist 1.0\ntarget mini\nblock b {\n  nop\n}\n")
    names = ["folder.maia", "pipe.mist", "loop.mist", "none.maia", "/dev/zero", "/dev/null"]
    found = verdicts(tmp_path, names)
    expected = ["E0005", "E0005", "E0002", "E0002", "E0005", "E0005"]
    assert [found[name] for name in names] == [{code} for code in expected]
    for target in ("/dev/zero.toml", "./pipe.mist", "./folder.maia", "/dev/zero"):
        gate(maiacc("lint", "good.mist", "--target", target, cwd=tmp_path))


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    text = tmp_path / "good.mist"
    text.write_text("mist 1.0\ntarget mini\nblock b {\n  nop\n}\n")
    for output in ("none/x.maia", ".", "good.mist"):
        gate(maiacc("asm", "good.mist", "-o", output, cwd=tmp_path))
    for output in ("none/x.mist", "good.maia"):
        maiacc("asm", "good.mist", cwd=tmp_path)
        gate(maiacc("disasm", "good.maia", "-o", output, cwd=tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["good.maia", "good.mist"]
    assert "mist 1.0" in text.read_text()


def test_interrupted_while_reading_leaves_with_130(tmp_path: Path) -> None:
    """The interrupt comes when the command is known to read: it has taken what a pipe holds."""
    child = subprocess.Popen(
        [sys.executable, "-m", "maiacc.cli", "asm", "-", "-o", "x.maia"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": PATHS},
    )
    assert child.stdin is not None
    child.stdin.write(b"# a comment\n" * 20_000)
    child.stdin.flush()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert b"Traceback" not in err
    assert not list(tmp_path.iterdir())
