"""Copies that native code puts off: whatever comes near them, bytes are as if they had been made.

Native code leaves small copies as they are, since looking for them takes longer; here none is too
small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest

from maiacc_isa.asm import assemble
from maiacc_isa.lint.known import is_proven
from maiacc_isa.program import Program
from maiacc_sim.memory import Owner
from maiacc_sim.native import memory
from maiacc_sim.native.machine import NativeMachine
from maiacc_sim.native.memory import NativeMemories
from maiacc_sim.pages import Array
from maiacc_sim.tensors import give_inputs
from maiacc_sim.traps import Trap
from maiacc_sim.values import run_values
from native.alias_programs import HOST, alias_text
from native.aliased import aliases, onward
from native.compare import differences
from native.test_random import FIRST, SEEDS, both
from native.twin import Twin, same_trap
from sim.drive import Run

#: Random programs of a normal run and of the nightly one, in pieces: some of those that are
#: executed without aliases, too, so that they are proven once.
SOME, PIECE = 200, 20
NIGHTLY, NIGHTLY_PIECE = 5000, 500

#: Programs about aliases: of a normal run and of the nightly one, in pieces.
CLOSE, CLOSE_PIECE = 100, 20
CLOSE_NIGHTLY, CLOSE_NIGHTLY_PIECE = 5000, 500


@pytest.fixture(autouse=True)
def _no_copy_is_too_small() -> Iterator[None]:
    with mock.patch.object(memory, "LEAST", 1):
        yield


# ---- random programs --------------------------------------------------------------------------


def random_programs(first: int, count: int) -> None:
    """Executes the programs of some seeds by both simulators; many end with copies put off."""
    proven, wrong, late = 0, [], 0
    for seed in range(first, first + count):
        done = both(seed, (1, 2) if seed % 4 == 0 else (1,))
        if done is None:
            continue
        proven += 1
        late += aliases(done.native[1].memories) > 0  # type: ignore[arg-type]
        wrong += done.differences()
    assert not wrong
    assert proven > 0.7 * count
    assert late > 0.3 * count


@pytest.mark.parametrize("first", range(FIRST, FIRST + SOME, PIECE))
def test_random_programs_leave_the_same(first: int) -> None:
    random_programs(first, PIECE)


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(FIRST + SEEDS, FIRST + SEEDS + NIGHTLY, NIGHTLY_PIECE))
def test_random_programs_leave_the_same_nightly(first: int) -> None:
    random_programs(first, NIGHTLY_PIECE)


# ---- programs about aliases -------------------------------------------------------------------


@dataclass
class Close:
    """A program about aliases on a machine that has executed it."""

    seed: int
    program: Program
    machine: NativeMachine

    def run(self, turn: int) -> list[str]:
        """Executes it by both simulators with other inputs each turn; what differs, in words."""
        rng = np.random.default_rng([self.seed, turn])
        inputs: dict[str, Array] = {
            "X": rng.integers(0, 256, HOST, np.uint8),
            "K": rng.integers(0, 60, 16, np.int32),
        }
        reference = run_values(self.program, inputs)
        self.inputs = inputs  # what is put off is still there
        native = self.machine.execute(inputs)
        self.late, self.onward = aliases(self.machine.memories), onward(self.machine)
        found = differences(self.program, reference.memories, self.machine.memories)
        found += [f"Python executed {dict(native.asked)}"] * bool(native.asked)
        for name, output in reference.outputs.items():
            found += [f"output {name}"] * (output.tobytes() != native.outputs[name].tobytes())
        return [f"seed {self.seed}, turn {turn}: {what}" for what in found]


def close(seed: int) -> Close:
    """The program of a seed."""
    program = assemble(alias_text(seed), f"seed {seed}")
    return Close(seed, program, NativeMachine(program, None, 1 + seed % 3))


def close_programs(first: int, count: int) -> None:
    """Executes the programs of some seeds twice by both simulators; most end with copies put off."""
    wrong, late, stored = [], 0, 0
    for seed in range(first, first + count):
        done = close(seed)
        assert is_proven(done.program)
        for turn in range(2):
            wrong += done.run(turn)
            late += done.late > 0
            stored += done.onward > 0
    assert not wrong
    assert late > count
    assert stored > 0


@pytest.mark.parametrize("first", range(0, CLOSE, CLOSE_PIECE))
def test_programs_about_aliases_leave_the_same(first: int) -> None:
    close_programs(first, CLOSE_PIECE)


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(CLOSE, CLOSE + CLOSE_NIGHTLY, CLOSE_NIGHTLY_PIECE))
def test_programs_about_aliases_leave_the_same_nightly(first: int) -> None:
    close_programs(first, CLOSE_NIGHTLY_PIECE)


# ---- words that trap --------------------------------------------------------------------------

#: The last word would overwrite what was loaded, or a part of it, with what it reads there.
TRAPS = """mist 1.0
target mini
input X : uint8[512] @ 0x0
input K : int32[16] @ 0x400
block main {{
  buffer t : uint8[512] @tsram 0x0
  buffer n : int32[16] @tsram 0x200
  LD0 copy n{{i:16}}[i], K{{i:16}}[i]
  LD0 copy t{{i:512}}[i], X{{i:512}}[i]
  TVP vgather t{{i:16}}[{start} + i], t{{}}[{table}], n{{i:16}}[i] oob=trap
}}
"""


@pytest.mark.parametrize("start", [0, 100, 496])
def test_what_a_word_that_traps_would_have_overwritten_is_still_there(start: int) -> None:
    program = assemble(TRAPS.format(start=start, table=(start + 200) % 400))
    rng = np.random.default_rng(start)
    inputs: dict[str, Array] = {"X": rng.integers(0, 256, 512, np.uint8)}
    inputs["K"] = np.array([*range(15), 500], np.int32)
    reference, twin, block = Run(program, inputs, check=False), Twin(program), program.blocks[0]
    give_inputs(program, twin.machine.memories, inputs)
    tile = reference.system.instance("tile", 0, 0, 0)
    for index in range(2):
        reference.word(block, index, tile)
    twin.words(block, range(2), [tile])
    before = aliases(twin.machine.memories)
    with pytest.raises(Trap) as wanted:
        reference.word(block, 2, tile)
    with pytest.raises(Trap) as found:
        twin.words(block, [2], [tile])
    assert not same_trap(wanted.value, found.value)
    assert before == 2
    assert not twin.differences(reference.memories)


# ---- the tests can fail -----------------------------------------------------------------------


def test_other_bytes_that_stand_for_a_memory_are_seen() -> None:
    done = close(5)
    settle = NativeMemories.settle

    def wrong(memories: NativeMemories, owner: Owner) -> None:
        for alias in memories._aliases.get(owner, ())[:1]:
            alias["origin"] += 1
        settle(memories, owner)

    assert not done.run(1)
    with mock.patch.object(NativeMemories, "settle", wrong):
        assert any("bytes from" in what for what in done.run(2))
    assert not done.run(3)


def test_without_aliases_none_are_counted() -> None:
    with mock.patch.object(memory, "LEAST", 1 << 40):
        done = close(5)
        assert not done.run(0)
    assert done.late == 0
