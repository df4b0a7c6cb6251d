"""Which simulator runs, and what is said about it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

from house.run_programs import DEMO, LONG, Said, call
from maiacc_isa.asm import assemble
from maiacc_isa.load import load
from maiacc_isa.program import Program
from maiacc_sim import engines
from maiacc_sim.native import core
from maiacc_sim.native.machine import NativeMachine
from maiacc_sim.native.shared import ASKS
from maiacc_sim.simulate import Options, Result, Session, simulate
from maiacc_sim.tensors import random_inputs
from native.compare import same


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a program that is proven and one that is not."""
    (tmp_path / "demo.mist").write_text(DEMO)
    (tmp_path / "wrong.mist").write_text(LONG.replace("100", "2").replace("1000", "3"))
    return tmp_path


@contextmanager
def no_llvm() -> Iterator[None]:
    """A computer on which the native simulator cannot be loaded."""
    load_module = importlib.import_module

    def refuse(name: str, package: str | None = None) -> ModuleType:
        if name == engines.GATEWAY:
            raise ImportError("No module named 'llvmlite'")
        return load_module(name, package)

    engines.native.cache_clear()
    with mock.patch.object(importlib, "import_module", refuse):
        yield
    engines.native.cache_clear()


@pytest.fixture
def without_llvm() -> Iterator[None]:
    """A test on such a computer."""
    with no_llvm():
        yield


def notes(said: Said) -> list[str]:
    """What a command notes on standard error; it says nothing else there."""
    lines = said.err.splitlines()
    assert said.code == 0, said.err
    assert all(line.startswith("note: ") for line in lines), said.err
    return lines


# ---- which one runs -------------------------------------------------------------------------------


def test_the_native_one_runs_and_says_nothing(folder: Path) -> None:
    done = call(folder, "run", "demo.mist", "--random", "1", "--json")
    assert notes(done) == []
    assert json.loads(done.out)["engine"] == "native"
    assert json.loads(done.out)["notices"] == []
    again = call(folder, "run", "demo.mist", "--random", "1", "--json", "--engine", "reference")
    assert notes(again) == []
    assert {**json.loads(again.out), "engine": "native"} == json.loads(done.out)
    assert json.loads(again.out)["engine"] == "reference"


@pytest.mark.parametrize("command", ["run", "profile"])
@pytest.mark.usefixtures("without_llvm")
def test_without_llvm_the_reference_runs_with_one_note(folder: Path, command: str) -> None:
    random = ["--random", "1"] if command == "run" else []
    done = call(folder, command, "demo.mist", *random, "--json")
    (note,) = notes(done)
    assert "No module named 'llvmlite'" in note
    assert "the reference simulator runs" in note
    assert json.loads(done.out)["engine"] == "reference"
    assert len(notes(call(folder, command, "demo.mist", *random))) == 1
    timed = [command, "demo.mist", "--timing-only", "--json"]
    assert json.loads(call(folder, *timed).out)["engine"] == "reference"
    # Who asks for it is told nothing.
    assert not notes(call(folder, command, "demo.mist", *random, "--engine", "reference"))


def test_without_llvm_the_results_are_the_same() -> None:
    program = assemble(DEMO)
    quick = simulate(program, random_inputs(program, 1), options=Options(record=True))
    with no_llvm():
        slow = simulate(program, random_inputs(program, 1), options=Options(record=True))
    assert (quick.engine, slow.engine) == ("native", "reference")
    assert (len(quick.notices), len(slow.notices)) == (0, 1)
    assert same(slow, quick)
    links = [[(link.begin, link.end) for link in r.critical_path()] for r in (quick, slow)]
    assert links[0] == links[1]


def test_a_library_that_cannot_be_loaded_is_no_native_simulator(folder: Path) -> None:
    engines.native.cache_clear()
    with mock.patch.object(importlib, "import_module", side_effect=OSError("wrong ELF class")):
        found = engines.native()
    engines.native.cache_clear()
    assert found == "no native simulator here (wrong ELF class)"


def test_an_unproven_program_goes_to_the_reference_with_a_note(folder: Path) -> None:
    done = call(folder, "run", "wrong.mist", "--random", "1", "--json")
    (note,) = notes(done)
    assert "not proven" in note
    assert "maiacc lint" in note
    document = json.loads(done.out)
    assert document["engine"] == "reference"
    assert document["notices"] == [note.removeprefix("note: ")]
    # Its times are the native one's all the same, and without values nothing needs a proof.
    timed = call(folder, "run", "wrong.mist", "--timing-only", "--json")
    assert notes(timed) == []
    assert json.loads(timed.out)["engine"] == "native"
    assert json.loads(timed.out)["cycles"] == document["cycles"]


@pytest.mark.parametrize("options", [{"sanitize": True}, {"order": "late"}, {"order": 3}])
def test_what_the_native_one_does_not_do_the_reference_does(options: dict[str, Any]) -> None:
    program = assemble(DEMO)
    inputs = random_inputs(program, 2)
    with mock.patch.object(NativeMachine, "execute", side_effect=AssertionError):
        result = simulate(program, inputs, options=Options(**options))
    assert result.engine == "reference"
    assert result.notices == ()
    assert same(result, simulate(program, inputs))


def test_the_command_line_sends_sanitised_runs_to_the_reference(folder: Path) -> None:
    done = call(folder, "run", "demo.mist", "--random", "1", "--json", "--sanitize")
    assert notes(done) == []
    assert json.loads(done.out)["engine"] == "reference"


def test_threads_change_nothing(folder: Path) -> None:
    found = []
    for threads in ("0", "1", "3", "7"):
        done = call(folder, "run", "demo.mist", "--random", "4", "--json", "--threads", threads)
        assert notes(done) == []
        found.append(json.loads(done.out))
    assert all(document == found[0] for document in found)
    program = assemble(DEMO)
    with mock.patch("maiacc_sim.native.gateway.NativeMachine", wraps=NativeMachine) as made:
        Session(program, Options(threads=3)).run(random_inputs(program, 1))
    assert made.call_args.args[2] == 3


# ---- words without a kernel ------------------------------------------------------------------------


def _without(mnemonic: str, program: Program, inputs: dict[str, Any], threads: int = 0) -> Result:
    """A run on a machine that has no kernel for an instruction."""
    kernel_of = core.kernel_of
    with mock.patch(
        "maiacc_sim.native.image.kernel_of",
        lambda row: 0 if row.mnemonic == mnemonic else kernel_of(row),
    ):
        return simulate(program, inputs, options=Options(threads=threads))


@pytest.mark.parametrize("mnemonic", ["mm", "copy", "accst"])
def test_words_without_a_kernel_are_executed_and_counted(mnemonic: str) -> None:
    program = assemble(DEMO)
    inputs = random_inputs(program, 3)
    wanted = simulate(program, inputs)
    found = _without(mnemonic, program, inputs)
    assert same(wanted, found)
    assert found.engine == "native"
    assert found.executed is not None
    uses = found.timed.account.words
    words = program.blocks[0].words
    count = sum(use.count for (_, at), use in uses.items() if words[at].row.mnemonic == mnemonic)
    assert found.executed.asked == {mnemonic: count}
    assert found.notices == (
        f"{count:,} words were executed by the reference: {count:,} {mnemonic}",
    )


@pytest.mark.parametrize("mnemonic", ["mm", "copy"])
def test_a_word_that_two_threads_ask_for_is_executed_once(mnemonic: str) -> None:
    """A thread that takes an instance before it sees that another has stopped comes back with the
    same word."""
    program, threads = assemble(DEMO), NativeMachine._threads
    inputs = random_inputs(program, 3)
    wanted = _without(mnemonic, program, inputs, 1)

    def both_ask(machine: NativeMachine) -> list[int]:
        reasons = threads(machine)
        if ASKS not in reasons:
            return reasons
        asking = machine.state.scratch[reasons.index(ASKS)].record[0]
        for each in machine.state.scratch:
            each.record[0]["instance"] = asking["instance"]
            each.record[0]["queue"] = asking["queue"]
        return [ASKS] * len(reasons)

    with mock.patch.object(NativeMachine, "_threads", both_ask):
        found = _without(mnemonic, program, inputs, 2)
    assert same(wanted, found)
    assert found.notices == wanted.notices


def test_a_row_needs_a_family_and_the_family_a_kernel() -> None:
    row = load().insns["MM"]
    assert core.kernel_of(row)
    assert core.kernel_of(replace(row, native=None)) == 0
    assert core.kernel_of(replace(row, native="no_such_family")) == 0
    families = {family for members in core.FAMILIES.values() for family in members}
    named = {insn.native for insn in load().insns.values() if insn.native is not None}
    assert named == families
    engine_words = [insn for insn in load().insns.values() if not insn.control]
    assert [i.name for i in engine_words if i.native is None and i.name != "SYNC"] == []
