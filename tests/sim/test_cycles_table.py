"""The table of cycles derived by hand: its numbers fit together, and the prover takes its
programs."""

from __future__ import annotations

import re
from math import prod
from pathlib import Path

import pytest

from maiacc_isa.lint import prove
from maiacc_isa.load import load
from maiacc_sim.system import CONTROL_QUEUE, System
from sim.cycles_table import (
    CONTROL_PARTS,
    FILES,
    QUEUE_PARTS,
    BadLineError,
    Entry,
    Parts,
    parse,
    read,
)

TABLE = [read(path) for path in FILES]

each = pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.path.stem)


def _bound_of(port: str) -> str:
    """The bound that a port counts for."""
    if port.startswith("link"):
        return "network"
    return {"remote": "csram"}.get(port, port)


@each
def test_every_cycle_goes_somewhere(entry: Entry) -> None:
    assert entry.queues or entry.controls
    for table, known in ((entry.queues, QUEUE_PARTS), (entry.controls, CONTROL_PARTS)):
        for name, parts in table.items():
            assert set(parts) <= set(known), name
            assert sum(parts.values()) == entry.cycles, name


@each
def test_ports_and_semaphores_share_what_was_waited(entry: Entry) -> None:
    for name, parts in entry.ports.items():
        assert sum(parts.values()) == entry.queues[name]["port"], name
    both: dict[str, Parts] = entry.queues | entry.controls
    for name, parts in entry.waits.items():
        assert sum(parts.values()) == both[name]["semaphore"], name


@each
def test_names_are_those_of_the_program(entry: Entry) -> None:
    program = entry.program
    system = System(program.machine)
    controls = set(CONTROL_QUEUE.values())
    queues = {str(queue) for queue in system.queues if queue.name not in controls}
    assert {*entry.queues, *entry.ports} <= queues
    assert set(entry.controls) <= {str(queue) for queue in system.queues} - queues
    semaphores = {name for block in program.blocks for name in block.symbols.semaphores.values()}
    assert {name for parts in entry.waits.values() for name in parts} <= semaphores
    served = {name for parts in entry.ports.values() for name in parts}
    served |= {re.sub(r"^link\d", "link", name).split()[0] for name in entry.ticks}
    assert served <= set(load().ports)
    places = {str(instance) for instance in system.instances}
    assert {name.partition(" of ")[2] for name in entry.ticks} <= places


@each
def test_what_the_host_gives_is_what_the_program_takes(entry: Entry) -> None:
    program = entry.program
    assert set(entry.params) == {parameter.name for parameter in program.parameters}
    for parameter in program.parameters:
        assert parameter.low <= entry.params[parameter.name] <= parameter.high
    sizes = {t.name: prod(t.shape) for t in program.tensors}
    assert {name: len(values) for name, values in entry.values.items()} == {
        name: sizes.get(name) for name in entry.values
    }


@each
def test_no_bound_is_above_the_cycles(entry: Entry) -> None:
    assert all(bound <= entry.cycles for bound in entry.bounds.values())
    for name, ticks in entry.ticks.items():
        port = name.split()[0]
        assert -(-ticks // 16) <= entry.bounds.get(_bound_of(port), entry.cycles), name


@each
def test_the_prover_takes_the_program(entry: Entry) -> None:
    report = prove(entry.program)
    assert report.proven, "\n".join(map(str, report.findings))
    assert not report.warnings


def test_the_table_is_large_enough() -> None:
    assert len(TABLE) >= 36
    used = {word.name for entry in TABLE for block in entry.program.blocks for word in block.words}
    assert set(load().insns) - used == set()


@pytest.mark.parametrize(
    "text",
    [
        "# cycles: 3\n# cycles: 4",
        "# queue LD0 of chip 0: busy=1",
        "# cycles: 3\n# queue LD0: busy=3",
        "# cycles: 3\n# queue LD0 of chip 0: busy=1 busy=2",
        "# cycles: 3\n# queue LD0 of chip 0: busy=3\n# queue LD0 of chip 0: empty=3",
        "# cycles: 3\n# control TCP of chip 0: busy 3",
        "# cycles: 3\n# ticks hbm: 12",
        "# cycles: 3\n# values N = 12",
    ],
)
def test_a_line_that_says_nothing_is_noticed(text: str) -> None:
    with pytest.raises(BadLineError):
        parse(text, Path("x.mist"))
