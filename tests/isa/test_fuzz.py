"""Damaged texts, program files and machine files: a coded refusal, or a program that holds."""

from __future__ import annotations

import json
import random
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from conftest import GOLDEN
from isa.mutate import mutate_bytes, mutate_document, mutate_text
from isa.repack import members_of, packed, signed
from isa.wrong_files import TEXT
from maiacc_isa.asm import assemble
from maiacc_isa.container import check_weights, map_weights, open_program, save
from maiacc_isa.errors import ErrorList, MaiaccError, codes, render
from maiacc_isa.machine import Machine, machine_from_values, parse_machine
from maiacc_isa.machine_text import machine_file_name, machine_text
from maiacc_isa.names import keywords
from maiacc_isa.program import Program
from maiacc_isa.text import disassemble, json_program, weight_layout

#: Cases of each kind in a normal run; the nightly campaign has a hundred times as many.
CASES = 1500
NIGHTLY = 100 * CASES

#: Of 40 seeds, the share of a campaign that one test runs, so that a failure is found again fast.
PARTS = 4

WORDS = [
    *sorted(keywords()), "LD0", "TTU", "TVP", "copy", "mm", "vmap", "s0", "s31", "s32", "L0", "L7",
    "tile", "one", "bf16", "fp32", "int4", "e8m0", "tsram", "acc", "iota", "chain", "v0", "q0",
    "nan", "inf", "mini2", "maia200", "x", '"x y"', '""', "\n", "}\n", "{", "[", "]", "(", ")",
    ",", ";", ":", "->", "..", "=", "<", "*", "+", "-", "|", "@", "@[", "#",
]  # fmt: skip


def _texts() -> list[str]:
    paths = sorted((GOLDEN / "lint").glob("*/*.mist"))
    texts = [path.read_text("utf-8") for path in paths]
    return [TEXT, *(text for text in texts if len(text) < 3000)]


def _coded(problem: MaiaccError) -> None:
    errors = problem.errors if isinstance(problem, ErrorList) else [problem]
    for error in errors:
        assert error.code in codes()
        shown = render(error)
        assert all(line.isprintable() for line in shown.split("\n"))
        assert len(shown) < 4000


def _holds(program: Program, folder: Path) -> None:
    """What a program that was accepted must allow: a text and a file that mean the same.

    Names of a damaged file may be spelt in another order or be left out; the text tells.
    """
    text = disassemble(program)
    assert all(line.isprintable() for line in text.split("\n"))
    weights = [map_weights(program.weights[name]) for name in weight_layout(program)]
    (folder / "weights.bin").write_bytes(b"".join(weights))
    machine = machine_file_name(program.machine)
    if machine is not None:
        (folder / machine).write_text(machine_text(program.machine), "utf-8")
    again = assemble(text, str(folder / "x.mist"))
    assert disassemble(again) == text
    assert [block.words for block in again.blocks] == [block.words for block in program.blocks]
    assert json.loads(json_program(program))
    first, second = folder / "first.maia", folder / "second.maia"
    save(program, str(first))
    loaded = open_program(str(first))
    assert disassemble(loaded) == text
    save(again, str(second))
    one, two = members_of(first.read_bytes()), members_of(second.read_bytes())
    assert {name: one[name] for name in one if not name.endswith(".json")} == {
        name: two[name] for name in two if not name.endswith(".json")
    }


def fuzz_texts(seed: int, cases: int, folder: Path) -> int:
    """Assembles damaged texts; how many were accepted."""
    rng = random.Random(seed)
    texts = _texts()
    accepted = 0
    for _ in range(cases):
        text = mutate_text(rng, rng.choice(texts), WORDS)
        try:
            program = assemble(text, str(folder / "x.mist"))
        except MaiaccError as problem:
            _coded(problem)
            continue
        accepted += 1
        _holds(program, folder)
    return accepted


def fuzz_files(seed: int, cases: int, folder: Path) -> int:
    """Opens damaged files, most of them with digests that fit; how many were accepted."""
    rng = random.Random(seed)
    good: list[dict[str, bytes]] = []
    path = folder / "x.maia"
    for text in rng.sample(_texts(), 12):
        save(assemble(text), str(path))
        good.append(members_of(path.read_bytes()))
    accepted = 0
    for _ in range(cases):
        members = dict(rng.choice(good))
        name = rng.choice(sorted(members))
        if name.endswith(".json"):
            document = json.loads(members[name])
            mutate_document(rng, document)
            members[name] = json.dumps(document).encode()
        else:
            members[name] = mutate_bytes(rng, members[name])
        path.write_bytes(_packed(rng, members))
        try:
            program = open_program(str(path))
            check_weights(str(path))
        except MaiaccError as problem:
            _coded(problem)
            continue
        accepted += 1
        _holds(program, folder)
    return accepted


def _packed(rng: random.Random, members: dict[str, bytes]) -> bytes:
    if rng.randrange(20) == 0:
        return mutate_bytes(rng, packed(members))
    try:
        return signed(members)
    except (KeyError, TypeError, AttributeError):
        # The manifest's own list of members is what was damaged.
        return packed(members)


def fuzz_machines(seed: int, cases: int) -> int:
    """Reads damaged machine files; how many were accepted."""
    rng = random.Random(seed)
    folder = files("maiacc_isa").joinpath("machines")
    texts = [folder.joinpath(f"{name}.toml").read_text("utf-8") for name in ("mini", "mini2")]
    texts.append("\n".join(texts[0].split("\n")[:12]) + '\n[machine]\nextends = "mini"\n')
    words = ["value", "source", "cite", "[", "]", "{", "}", "=", ",", '"x"', "'", "true", "[[a]]"]
    words += ["mini", "maia200", "extends", "published", "link", "\n[ttu]\n", "1979-05-27", "'''"]
    accepted = 0
    for _ in range(cases):
        try:
            machine = parse_machine(mutate_text(rng, rng.choice(texts), words), "x.toml")
        except MaiaccError as problem:
            _coded(problem)
            continue
        accepted += 1
        _machine_holds(machine)
    return accepted


def _machine_holds(machine: Machine) -> None:
    text = machine_text(machine)
    assert tomllib.loads(text)
    assert parse_machine(text, "again.toml").digest == machine.digest
    again = machine_from_values(machine.name, machine.title, dict(machine.values))
    assert again.digest == machine.digest


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_texts(part: int, tmp_path: Path) -> None:
    accepted = fuzz_texts(part, CASES // PARTS, tmp_path)
    assert 0 < accepted < CASES // PARTS


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_program_files(part: int, tmp_path: Path) -> None:
    accepted = fuzz_files(part, CASES // PARTS, tmp_path)
    assert 0 < accepted < CASES // PARTS


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_machine_files(part: int) -> None:
    accepted = fuzz_machines(part, CASES // PARTS)
    assert 0 < accepted < CASES // PARTS


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(40))
def test_many_damaged_inputs(part: int, tmp_path: Path) -> None:
    seed = 1000 + part
    assert fuzz_texts(seed, NIGHTLY // 40, tmp_path)
    assert fuzz_files(seed, NIGHTLY // 40, tmp_path)
    assert fuzz_machines(seed, NIGHTLY // 40)
