"""Results that go straight to an output: which outputs may stand for scratch memory, and that
whoever reads there later finds what the reference finds. Random programs do the rest
(``test_aliases``)."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest

from maiacc_isa.asm import assemble
from maiacc_isa.lint.known import is_proven
from maiacc_isa.program import Program
from maiacc_sim.memory import Owner
from maiacc_sim.native import machine, memory
from maiacc_sim.native.machine import NativeMachine
from maiacc_sim.native.onward import written_once
from maiacc_sim.pages import Array
from maiacc_sim.traps import Trap
from maiacc_sim.values import Executed, run_values
from native.aliased import onward
from native.compare import differences


@pytest.fixture(autouse=True)
def _no_copy_is_too_small() -> Iterator[None]:
    with mock.patch.object(memory, "LEAST", 1):
        yield


# ---- which outputs --------------------------------------------------------------------------

WRITES = """mist 1.0
target mini
input  X : int32[4, 64] @ 0x0
output Y : int32[4, 64] @ 0x400
output Z : int32[4, 64] @ 0x800
block main {{
  reg n = s0
  buffer t : int32[64] @tsram 0x0
  sem done : LD0 -> ST tile
  LD0 copy t{{i:64}}[i], X{{m:1, i:64}}[gtile, i] post(done)
  n = 1 on tile
  ST copy Z{{m:1, i:64}}[gtile, i], t{{i:64}}[i] wait(done)
  ST {word}
}}
control {{
  {control}
}}
"""

PLAIN = "copy Y{m:1, i:64}[gtile, i], t{i:64}[i]"


@pytest.mark.parametrize(
    ("word", "control", "found"),
    [
        (PLAIN, "call main", "YZ"),
        (PLAIN, "if s0 { call main } else { call main }", "YZ"),
        (PLAIN, "if s0 { while s0 max 2 { call main } } else { call main }", ""),
        (PLAIN.replace(", i]", ", i] drop", 1), "call main", "Z"),
        (PLAIN.replace("m:1, i:64}[gtile", "m:n of 1, i:64}[gtile", 1), "call main", "Z"),
        (PLAIN.replace("copy", "radd"), "call main", "Z"),
        ("fill Y{m:1, i:64}[gtile, i] value=3", "call main", "Z"),
        (PLAIN.replace("Y", "Z"), "call main", "YZ"),
    ],
)
def test_outputs_of_plain_copies_are_written_once(word: str, control: str, found: str) -> None:
    program = assemble(WRITES.format(word=word, control=control))
    spans = {"Y": (0x400, 0x800), "Z": (0x800, 0xC00)}
    assert sorted(written_once(program)) == [spans[name] for name in found]


# ---- what is read later -----------------------------------------------------------------------

READS = """mist 1.0
target mini
input  X : int32[4, 64] @ 0x0
output Y : int32[4, 64] @ 0x400
output Z : int32[4, 64] @ 0x800
block first {{
  buffer t : int32[64] @tsram 0x0
  sem full : LD0 -> TVP tile
  sem done : TVP -> ST tile
  chain more : int32 = {chain}
  LD0 copy t{{i:64}}[i], X{{m:1, i:64}}[gtile, i] post(full)
  TVP vmap t{{i:64}}[i], t{{i:64}}[i] chain=more wait(full) post(done)
  ST copy Y{{m:1, i:64}}[gtile, {order}], t{{i:64}}[i] wait(done)
}}
block second {{
  buffer t : int32[64] @tsram 0x0
  sem done : TVP -> ST tile
  chain more : int32 = add(a, 5)
  TVP vmap t{{i:32}}[16 + i], t{{i:32}}[16 + i] chain=more post(done)
  ST copy Z{{m:1, i:64}}[gtile, i], t{{i:64}}[i] wait(done)
}}
control {{
  call first
  {second}
}}
"""


def ready(chain: str = "add(a, 3)", order: str = "i", second: str = "call second") -> Program:
    """The program; both blocks are proven."""
    text = READS.format(chain=chain, order=order, second=second)
    if not second:
        text = text.replace("output Z : int32[4, 64] @ 0x800\n", "")
        start = text.index("block second")
        text = text[:start] + text[text.index("control") :]
    program = assemble(text)
    assert is_proven(program)
    return program


def inputs() -> dict[str, Array]:
    """Numbers of which none is 0."""
    return {"X": np.arange(1, 257, dtype=np.int32).reshape(4, 64)}


def wrong(program: Program, one: Executed, two: NativeMachine, outputs: dict[str, Array]) -> bool:
    """Whether anything differs."""
    same = all(outputs[name].tobytes() == x.tobytes() for name, x in one.outputs.items())
    return not same or bool(differences(program, one.memories, two.memories))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_output_stands_for_scratch_memory(threads: int) -> None:
    program, given = ready(second=""), inputs()
    native = NativeMachine(program, threads=threads)
    for _ in range(2):
        done = native.execute(given)
        assert onward(native) == 4 * 256
        assert not wrong(program, run_values(program, given), native, done.outputs)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_next_block_reads_and_overwrites_some_of_it(threads: int) -> None:
    program, given = ready(), inputs()
    native = NativeMachine(program, threads=threads)
    for _ in range(2):
        done = native.execute(given)
        assert not wrong(program, run_values(program, given), native, done.outputs)


def test_a_copy_in_another_order_is_made() -> None:
    program, given = ready(order="63 - i", second=""), inputs()
    native = NativeMachine(program)
    done = native.execute(given)
    assert onward(native) == 0
    assert not wrong(program, run_values(program, given), native, done.outputs)


def test_a_memory_that_puts_nothing_off_is_written() -> None:
    program, given = ready(second=""), inputs()
    with mock.patch.object(memory.NativeMemories, "_loosen"):
        native = NativeMachine(program)
    done = native.execute(given)
    assert onward(native) == 0
    assert not wrong(program, run_values(program, given), native, done.outputs)


def test_outputs_that_may_be_written_twice_do_not_stand_for_anything() -> None:
    program, given = ready(second=""), inputs()
    with mock.patch.object(machine, "written_once", return_value=[]):
        native = NativeMachine(program)
    done = native.execute(given)
    assert onward(native) == 0
    assert not wrong(program, run_values(program, given), native, done.outputs)


def test_a_word_that_traps_has_written_to_neither_place() -> None:
    program, given = ready("divt(5, a)", second=""), inputs()
    given["X"][2, 63] = 0
    native = NativeMachine(program)
    with pytest.raises(Trap) as wanted:
        run_values(program, given)
    with pytest.raises(Trap) as found:
        native.execute(given)
    assert found.value.message == wanted.value.message
    tile = native.system.instance("tile", 0, 1, 0)
    place = Owner("tsram", tile.number)
    assert np.array_equal(native.memories.fetch(place, 0, 256).view(np.int32), given["X"][2])
