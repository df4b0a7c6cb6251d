"""Random proven programs: the native simulator leaves what the reference leaves, and takes as long.

Every byte of every memory, every loaded scalar; every cycle of every queue, and every event.
"""

from __future__ import annotations

from dataclasses import dataclass
from unittest import mock

import numpy as np
import pytest

from maiacc_isa.lint.known import is_proven
from maiacc_sim.native.timing_engine import NativeEngine
from maiacc_sim.native.timing_events import COLUMNS, EventColumns
from maiacc_sim.native.values_run import run_values_natively
from maiacc_sim.pages import Array
from maiacc_sim.scalar_log import Scalars, check_parameters
from maiacc_sim.timing.account import account
from maiacc_sim.values import Executed, run_values
from native import compare
from native.compare import differences, time_differences
from sim.programs import Drawn, draw
from sim.test_random_programs import host_array

#: Programs of a normal run, in pieces; the nightly script takes a hundred times as many.
SEEDS, PIECE = 1000, 20
NIGHTLY, NIGHTLY_PIECE = 100_000, 500

#: Where seeds begin, so that they are not those that other tests draw.
FIRST = 1_000_000

#: One program in so many runs in several threads, too, and, in the nightly script, is timed; in a
#: normal run one in ``TIMED`` is.
SOME, TIMED = 10, 2


@dataclass
class Both:
    """A program executed by both simulators, natively in so many threads each."""

    drawn: Drawn
    reference: Executed
    native: dict[int, Executed]

    def differences(self) -> list[str]:
        """What differs, in words."""
        found = []
        for threads, native in self.native.items():
            where = differences(self.drawn.program, self.reference.memories, native.memories)  # type: ignore[arg-type]
            where += ["the log of scalars"] * (native.log != self.reference.log)
            where += ["the number of words"] * (native.words != self.reference.words)
            where += [f"Python executed {dict(native.asked)}"] * bool(native.asked)
            where += self._outputs(native)
            found += [f"seed {self.drawn.seed}, {threads} threads: {what}" for what in where]
        return found

    def _outputs(self, native: Executed) -> list[str]:
        if native.outputs.keys() != self.reference.outputs.keys():
            return ["the names of outputs"]
        pairs = [(name, native.outputs[name], out) for name, out in self.reference.outputs.items()]
        return [f"output {name}" for name, one, two in pairs if not _same(one, two)]

    def times(self, columns: bool = True) -> list[str]:
        """Which numbers of its timed runs differ."""
        program = self.drawn.program
        numbers = check_parameters(program, self.drawn.parameters)
        log = self.reference.log
        found = time_differences(program, lambda: Scalars(numbers, log), columns)
        return [f"seed {self.drawn.seed}: {what}" for what in found]


def _same(one: Array, two: Array) -> bool:
    """Whether two arrays are the same in type, shape and bytes."""
    return (one.dtype, one.shape, one.tobytes()) == (two.dtype, two.shape, two.tobytes())


def inputs_of(drawn: Drawn) -> dict[str, Array]:
    """The arrays that come with a program."""
    return {
        tensor.name: host_array(tensor, drawn.data[tensor.name])
        for tensor in drawn.program.tensors
        if tensor.kind in ("input", "state")
    }


def both(seed: int, threads: tuple[int, ...]) -> Both | None:
    """The program of a seed, executed; None if it is not proven."""
    drawn = draw(seed)
    program, parameters = drawn.program, drawn.parameters
    if not is_proven(program):
        return None
    inputs = inputs_of(drawn)
    reference = run_values(program, inputs, parameters=parameters)
    native = {
        count: run_values_natively(program, inputs, parameters=parameters, threads=count)
        for count in threads
    }
    return Both(drawn, reference, native)


def campaign(first: int, count: int, every: int) -> tuple[int, list[str]]:
    """How many programs of some seeds are proven, and everything that differs; one in ``every``
    is timed."""
    proven, wrong = 0, []
    for seed in range(FIRST + first, FIRST + first + count):
        done = both(seed, (1, 2, 3) if seed % SOME == 0 else (1,))
        if done is None:
            continue
        proven += 1
        wrong += done.differences()
        if seed % every == 0:
            wrong += done.times()
    return proven, wrong


@pytest.mark.parametrize("first", range(0, SEEDS, PIECE))
def test_both_simulators_do_the_same(first: int) -> None:
    proven, wrong = campaign(first, PIECE, TIMED)
    assert not wrong
    assert proven > 0.7 * PIECE


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(SEEDS, SEEDS + NIGHTLY, NIGHTLY_PIECE))
def test_both_simulators_do_the_same_nightly(first: int) -> None:
    proven, wrong = campaign(first, NIGHTLY_PIECE, SOME)
    assert not wrong
    assert proven > 0.7 * NIGHTLY_PIECE


# ---- the tests can fail -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def done() -> Both:
    """A program that both simulators have executed, with loaded scalars in it."""
    for seed in range(FIRST, FIRST + 100):
        found = both(seed, (1, 2))
        if found is not None and found.reference.log and not found.drawn.program.parameters:
            return found
    raise AssertionError("no seed draws such a program")


def test_a_wrong_byte_in_any_memory_is_seen(done: Both) -> None:
    rng = np.random.default_rng(5)
    assert not done.differences()
    for native in done.native.values():
        memories = native.memories
        for owner, start, data in memories.contents():  # type: ignore[attr-defined]
            at = int(rng.integers(len(data)))
            held = data[at]
            writeable = data.flags.writeable
            if not writeable:
                continue
            data[at] = held ^ 0x10
            (found, *_) = done.differences()
            assert memories.title(owner) in found
            assert f"0x{start + at:x}" in found
            data[at] = held
    assert not done.differences()


def test_a_wrong_scalar_or_count_is_seen(done: Both) -> None:
    native = done.native[2]
    log = next(iter(native.log.values()))
    log[0] += 1
    assert any("log" in found for found in done.differences())
    log[0] -= 1
    with mock.patch.object(native, "words", native.words + 1):
        assert any("number of words" in found for found in done.differences())
    with mock.patch.object(native, "asked", {"copy": 1}):
        assert any("Python executed" in found for found in done.differences())
    name, output = next(iter(native.outputs.items()))
    with mock.patch.dict(native.outputs, {name: output[..., :-1]}):
        assert any(f"output {name}" in found for found in done.differences())
    assert not done.differences()


def test_wrong_times_are_seen(done: Both) -> None:
    assert not done.times()

    def later(engine: object, outcome: object) -> object:
        found = account(engine, outcome)  # type: ignore[arg-type]
        if isinstance(engine, NativeEngine):
            found.cycles += 1
            found.queues[0].busy += 1
            found.port_ticks[-1] += 1
            next(iter(found.words.values())).count += 1
        return found

    with mock.patch.object(compare, "account", later):
        parts = {what.split(": ")[1].split(",")[0] for what in done.times(columns=False)}
    assert parts == {"cycles", "queues", "ports", "words", "executed"}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_wrong_event_is_seen(done: Both, name: str) -> None:
    held = EventColumns.end_block

    def wrong(events: EventColumns, model: object) -> None:
        held(events, model)  # type: ignore[arg-type]
        events._columns[name][len(events) - 1] += 1

    with mock.patch.object(EventColumns, "end_block", wrong):
        assert any(f"column {name}" in what for what in done.times())
