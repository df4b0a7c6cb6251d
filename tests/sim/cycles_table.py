"""The programs of ``tests/sim/cycles`` and what their comments say of their cycles.

Above each program stands its derivation by hand, then lines for machines:

    # cycles: 53
    # queue LD0 of chip 0 cluster 0 tile 0: control=3 busy=8 empty=42
    # control TCP of chip 0 cluster 0 tile 0: busy=5 end=48
    # ports LD0 of chip 0 cluster 0 tile 1: hbm=8
    # waits LD0 of chip 0 cluster 0 tile 1: free=20
    # ticks hbm of chip 0: 128
    # bounds: hbm=8
    # param p = 3
    # values N = [9, 9, 3]

``queue`` and ``control`` say where every cycle went: parts not named are 0, and the sum is the
program's cycles. ``ports`` and ``waits`` divide the parts ``port`` and ``semaphore`` of a queue
among ports and semaphores; ``ticks`` is how long a port served in all.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias, TypeVar

from maiacc_isa.asm import assemble
from maiacc_isa.program import Program

FOLDER = Path(__file__).resolve().parent / "cycles"
FILES = sorted(FOLDER.glob("*.mist"))

#: What a cycle of a queue, and of a control processor, can go to.
QUEUE_PARTS = ("busy", "port", "semaphore", "barrier", "control", "empty")
CONTROL_PARTS = ("busy", "queue", "semaphore", "load", "end")

Parts: TypeAlias = dict[str, int]
T = TypeVar("T")

_WORDS = re.compile(r"# (cycles|queue|control|ports|waits|ticks|bounds|param|values)\b")
_COUNT = re.compile(r"# cycles: (\d+)")
_PARTS = re.compile(r"# (queue|control|ports|waits) (\w+ of chip [a-z0-9 ]+):((?: \w+=\d+)+)")
_TICKS = re.compile(r"# ticks (\w+ of chip [a-z0-9 ]+): (\d+)")
_BOUNDS = re.compile(r"# bounds:((?: \w+=\d+)+)")
_PARAM = re.compile(r"# param (\w+) = (-?\d+)")
_VALUES = re.compile(r"# values (\w+) = (\[.*\])")


@dataclass
class Entry:
    """A program of the table with what is derived for it. Queues, control processors and ports
    are named as ``maiacc_sim.system.QueueOf`` prints them: ``LD0 of chip 0 cluster 0 tile 0``."""

    path: Path
    cycles: int = -1
    queues: dict[str, Parts] = field(default_factory=dict)
    controls: dict[str, Parts] = field(default_factory=dict)
    ports: dict[str, Parts] = field(default_factory=dict)
    waits: dict[str, Parts] = field(default_factory=dict)
    ticks: dict[str, int] = field(default_factory=dict)
    bounds: Parts = field(default_factory=dict)
    params: Parts = field(default_factory=dict)
    values: dict[str, list[int]] = field(default_factory=dict)

    @cached_property
    def program(self) -> Program:
        """The program itself."""
        return assemble(self.path.read_text("utf-8"), str(self.path))


class BadLineError(Exception):
    """A line that begins like one for machines and is none, or says something twice."""


def read(path: Path) -> Entry:
    """The table's entry in a file."""
    return parse(path.read_text("utf-8"), path)


def parse(text: str, path: Path) -> Entry:
    """The table's entry in a text. Raises ``BadLineError``."""
    entry = Entry(path)
    for line in text.splitlines():
        if _WORDS.match(line):
            _line(entry, line)
    if entry.cycles < 0:
        raise BadLineError(f"{path.name}: no line `# cycles:`")
    return entry


def _line(entry: Entry, line: str) -> None:
    bad = BadLineError(f"{entry.path.name}: {line}")
    if found := _COUNT.fullmatch(line):
        if entry.cycles >= 0:
            raise bad
        entry.cycles = int(found[1])
    elif found := _PARTS.fullmatch(line):
        tables = {
            "queue": entry.queues,
            "control": entry.controls,
            "ports": entry.ports,
            "waits": entry.waits,
        }
        _once(tables[found[1]], found[2], _parts(found[3], bad), bad)
    elif found := _TICKS.fullmatch(line):
        _once(entry.ticks, found[1], int(found[2]), bad)
    elif found := _BOUNDS.fullmatch(line):
        entry.bounds |= _parts(found[1], bad)
    elif found := _PARAM.fullmatch(line):
        _once(entry.params, found[1], int(found[2]), bad)
    elif found := _VALUES.fullmatch(line):
        _once(entry.values, found[1], [int(value) for value in json.loads(found[2])], bad)
    else:
        raise bad


def _parts(text: str, bad: BadLineError) -> Parts:
    """The numbers of ``name=number`` pairs."""
    result: Parts = {}
    for pair in text.split():
        name, number = pair.split("=")
        _once(result, name, int(number), bad)
    return result


def _once(table: dict[str, T], key: str, value: T, bad: BadLineError) -> None:
    if key in table:
        raise bad
    table[key] = value
