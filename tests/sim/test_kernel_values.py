"""The kernels of ``examples/mist`` compute what they say, whatever order their words take.

What must come out is worked out in numpy alone (``kernel_products``, ``kernel_moves``,
``kernel_floats``, ``kernel_layers``): to the bit where arithmetic is exact or has a defined order,
and within bounds for every element where functions round. The native simulator executes them; in
other orders, and timed again, the reference does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from examples.test_kernels import WORDS
from maiacc_isa.program import Tensor
from maiacc_sim.memory import Owner
from maiacc_sim.native.machine import NativeMachine
from maiacc_sim.scalar_log import Log, Scalars, check_parameters
from maiacc_sim.simulate import Options, simulate
from maiacc_sim.timing.critical import Link
from maiacc_sim.timing.run import time_program
from maiacc_sim.values import Executed, run_values
from native.compare import differences as memory_differences
from native.compare import time_differences
from sim.kernel_example import Array, numbers
from sim.kernel_values import (
    EDGES,
    MAKERS,
    NIGHTLY,
    ON_LARGE,
    OTHER,
    PLAIN,
    ROUNDING,
    Trial,
    differences,
    example_of,
    program_of,
)

ALL = [
    *(pytest.param(trial, id=str(trial)) for trial in [*PLAIN, *OTHER, *EDGES, *ON_LARGE]),
    *(pytest.param(trial, id=str(trial), marks=pytest.mark.nightly) for trial in NIGHTLY),
]


@dataclass(frozen=True)
class Ran:
    """What a simulation left, as far as it is looked at here. ``parts`` are the cycles of queues
    and control processors, added up; ``words`` were executed with values, ``timed`` without, and
    ``log`` are the scalars that they loaded. ``engine`` executed them, all but those ``asked``."""

    outputs: dict[str, Array]
    cycles: int
    words: int
    timed: int
    of_queues: int
    parts: frozenset[int]
    bounds: dict[str, int]
    path: list[Link]
    log: Log
    engine: str
    asked: int
    notices: tuple[str, ...]


@cache
def ran(trial: Trial) -> Ran:
    """Words in the order of the program; with their times."""
    example, program = example_of(trial), program_of(trial.case)
    result = simulate(program, example.inputs, example.parameters, Options(record=True))
    account, executed = result.timed.account, result.executed
    assert executed is not None
    return Ran(
        result.outputs,
        result.cycles,
        executed.words,
        account.executed,
        sum(use.words for use in account.queues),
        frozenset(use.total for use in account.queues),
        result.timed.totals.bounds,
        result.critical_path(),
        executed.log,
        result.engine,
        executed.asked.total(),
        result.notices,
    )


@pytest.mark.parametrize("trial", ALL)
def test_a_kernel_computes_what_it_says(trial: Trial) -> None:
    assert differences(ran(trial).outputs, example_of(trial).answer) == {}


@pytest.mark.parametrize("trial", ALL)
def test_the_order_of_words_does_not_matter(trial: Trial) -> None:
    """Another order gives the same bits; on ragged sizes, which are small, nothing is seen on
    the way that no semaphore orders."""
    example, program = example_of(trial), program_of(trial.case)
    other = run_values(
        program,
        example.inputs,
        parameters=example.parameters,
        order="late" if trial in PLAIN else 3,
        sanitize=trial in EDGES,
    )
    first = ran(trial).outputs
    assert first.keys() == other.outputs.keys()
    for name, found in other.outputs.items():
        assert found.tobytes() == first[name].tobytes(), name
    for tensor in program.tensors:
        if tensor.kind == "output" and not tensor.split:
            assert len(set(_copies(trial, other, tensor))) == 1, "chips differ"


def _copies(trial: Trial, done: Executed, tensor: Tensor) -> list[bytes]:
    """The bytes of an output on every chip."""
    system, chips = done.memories.system, program_of(trial.case).machine.chips
    owners = [Owner("hbm", system.instance("chip", chip).number) for chip in range(chips)]
    return [done.memories.fetch(o, tensor.base, tensor.bytes()).tobytes() for o in owners]


@pytest.mark.parametrize("trial", ALL)
def test_a_kernel_is_executed_natively(trial: Trial) -> None:
    """Every word of it; and both event models agree on everything."""
    done, program = ran(trial), program_of(trial.case)
    assert (done.engine, done.asked, done.notices) == ("native", 0, ())
    numbers = check_parameters(program, example_of(trial).parameters)
    columns = trial not in NIGHTLY
    assert not time_differences(program, lambda: Scalars(numbers, done.log), columns)
    assert time_program(program, Scalars(numbers, done.log)).cycles == done.cycles


@pytest.mark.parametrize("trial", [*PLAIN, *OTHER, *EDGES], ids=str)
def test_a_kernel_leaves_every_byte_as_the_reference_does(trial: Trial) -> None:
    """In all memories, however many threads execute it."""
    example, program = example_of(trial), program_of(trial.case)
    wanted = run_values(program, example.inputs, parameters=example.parameters)
    for threads in (1, 2):
        machine = NativeMachine(program, threads=threads)
        found = machine.execute(example.inputs, example.parameters)
        assert memory_differences(program, wanted.memories, machine.memories) == []
        assert (found.log, found.words, found.asked.total()) == (wanted.log, wanted.words, 0)


@pytest.mark.parametrize("trial", ALL)
def test_words_and_cycles_of_a_kernel_add_up(trial: Trial) -> None:
    done = ran(trial)
    assert done.words == done.timed == done.of_queues
    assert done.parts == {done.cycles}
    assert 0 < max(done.bounds.values()) <= done.cycles
    assert done.path[0].begin == 0
    assert done.path[-1].end == done.cycles
    assert all(one.end == then.begin for one, then in pairwise(done.path))
    assert sum(link.end - link.begin for link in done.path) == done.cycles


# ---- the tests can fail ---------------------------------------------------------------------


@pytest.mark.parametrize("trial", PLAIN, ids=str)
def test_one_wrong_element_is_noticed(trial: Trial) -> None:
    found, answer = ran(trial).outputs, example_of(trial).answer
    rng = np.random.default_rng(7)
    for name, wanted in answer.items():
        for at in rng.integers(0, wanted.values.size, 20).tolist():
            assert differences(found, answer | {name: wanted.nudged(at)}) == {name: 1}


@pytest.mark.parametrize("trial", [*PLAIN, *OTHER], ids=str)
def test_the_answer_of_another_program_is_noticed(trial: Trial) -> None:
    found, mistakes = ran(trial).outputs, example_of(trial).mistakes
    assert mistakes or trial in OTHER
    unnoticed = [name for name, other in mistakes.items() if not differences(found, other())]
    assert unnoticed == []


@pytest.mark.parametrize("trial", [t for t in PLAIN if t.case.name in ROUNDING], ids=str)
def test_bounds_are_no_wider_than_they_have_to_be(trial: Trial) -> None:
    """Some element uses up a good part of what it is allowed, and half of them some of it."""
    found, most = ran(trial).outputs, []
    for name, wanted in example_of(trial).answer.items():
        if wanted.bound is not None:
            used = np.abs(numbers(found[name]) - wanted.values) / wanted.bound
            assert np.median(used) > 0.01, name
            most.append(used.max())
    assert 0.3 < max(most) <= 1


def test_every_kernel_has_a_trial_and_bounds_only_where_functions_round() -> None:
    assert list(MAKERS) == list(WORDS)
    for trial in PLAIN:
        bounds = [wanted.bound for wanted in example_of(trial).answer.values()]
        assert any(b is not None for b in bounds) == (trial.case.name in ROUNDING)
