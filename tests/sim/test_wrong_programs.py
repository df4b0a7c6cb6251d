"""Wrong programs, run without a proof: they stop where the prover says that they are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isa.test_lint import RIGHT, WRONG
from maiacc_isa.asm import assemble
from maiacc_isa.lint import check_words, prove
from maiacc_isa.program import Program
from maiacc_sim.machine import ORDERS
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.tensors import random_inputs
from maiacc_sim.timing.run import time_program
from maiacc_sim.traps import Trap
from maiacc_sim.values import run_values

#: What a finding of the prover shows itself as when the program runs. A race may let a read come
#: before the write, which then reads what nothing has written.
SEEN_AS = {
    "E0801": {"bounds", "uninitialised", "race"},
    "E0802": {"race", "uninitialised"},
    "E0803": {"uninitialised", "race"},
    "E0804": {"uninitialised"},
    "E0904": {"deadlock"},
    "E0905": {"race"},
    "E0906": {"token_overflow"},
    "E0909": {"deadlock"},
    "E0911": {"deadlock"},
    "E0912": {"deadlock"},
    "E1004": {"level"},
    "E1005": {"scalar_unset"},
    "E1006": {"bounds", "uninitialised"},
    "E1007": {"table_index"},
    "E1009": {"scalar_overflow"},
    "E1010": {"peer"},
}

#: What is wrong with these does not show while they run: an output written twice in order, tokens
#: left over at the end, a column that is read of more rows than some number that comes with the run,
#: an input that is overwritten through a buffer beside it.
UNSEEN = {"output_twice", "unbalanced", "columns_of_some_rows", "runs_into_an_input"}

DYNAMIC = [p for p in WRONG if not check_words(assemble(p.read_text("utf-8"), p.name)).findings]


def _settings(program: Program) -> list[tuple[dict[str, np.ndarray], dict[str, int]]]:
    """Inputs and parameters that reach every way a program can take."""
    drawn = random_inputs(program, 1)
    loads = any(word.name == "SLD" for block in program.blocks for word in block.words)
    if not program.parameters and not loads:
        return [(drawn, {})]
    ends = [{p.name: getattr(p, end) for p in program.parameters} for end in ("low", "high")]
    constant = [{name: np.full_like(a, n) for name, a in drawn.items()} for n in (0, 1)]
    return [(inputs, given) for inputs in (drawn, *constant) for given in ends]


def _traps(program: Program, order: str | int) -> list[Trap]:
    found = []
    for inputs, given in _settings(program):
        try:
            run_values(program, inputs, parameters=given, order=order, sanitize=True)
        except Trap as trap:
            found.append(trap)
    return found


#: One stops behind 65,536 executions, and is run once.
CASES = [
    (p, o) for p in DYNAMIC for o in (*ORDERS, 1) if p.stem != "counter_overflow" or o == "late"
]


@pytest.mark.parametrize(("path", "order"), CASES, ids=lambda x: getattr(x, "stem", str(x)))
def test_a_wrong_program_stops(path: Path, order: str | int) -> None:
    program = assemble(path.read_text("utf-8"), path.name)
    traps = [trap for trap in _traps(program, order) if trap.name != "interval"]
    if path.stem in UNSEEN:
        assert not traps
        return
    findings = prove(program).findings
    names = set().union(*(SEEN_AS[finding.code] for finding in findings))
    assert traps
    assert {trap.name for trap in traps} <= names
    for trap in traps:
        assert trap.code in str(trap)
        assert trap.place is not None or "the host" in trap.message


def test_a_deadlock_is_explained_as_the_prover_explains_it() -> None:
    seen = 0
    for path in DYNAMIC:
        program = assemble(path.read_text("utf-8"), path.name)
        stuck = [f for f in prove(program).findings if f.code == "E0904"]
        if not stuck or program.parameters:
            continue
        seen += 1
        trap = _traps(program, "program")[0]
        assert stuck[0].message == f"deadlock: {trap.message.split(': ')[1].split(' (')[0]}"
        assert stuck[0].site is not None
        assert trap.place is not None
        assert trap.place.word in {f.site.word for f in stuck if f.site}
        with pytest.raises(Trap) as timed:
            time_program(program, Scalars({}))
        assert (timed.value.code, timed.value.place) == (trap.code, trap.place)
        assert timed.value.found == trap.found
    assert seen >= 5


#: A sum of so many products that it takes a minute.
LONG = {"long_integer_sum"}


@pytest.mark.parametrize("path", [p for p in RIGHT if p.stem not in LONG], ids=lambda p: p.stem)
def test_a_right_program_runs_to_its_end(path: Path) -> None:
    program = assemble(path.read_text("utf-8"), path.name)
    given = {p.name: min(p.high, p.low + 3 * p.step) for p in program.parameters}
    # Integers may be scalars, which have intervals.
    inputs = {
        name: np.ones_like(array) if array.dtype.kind == "i" else array
        for name, array in random_inputs(program, 1).items()
    }
    images = set()
    for order in (*ORDERS, 1):
        done = run_values(program, inputs, parameters=given, order=order, sanitize=True)
        images.add(done.memories.digest())
    assert len(images) == 1
