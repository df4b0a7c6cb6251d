"""The event model against the table of programs whose cycles were derived by hand."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maiacc_isa.operation import TICKS, cdiv
from maiacc_sim.simulate import Options, Result, simulate
from maiacc_sim.tensors import random_inputs
from maiacc_sim.timing.account import QueueUse
from sim.cycles_table import FILES, Entry, read


def _run(entry: Entry, **options: Any) -> Result:
    inputs = random_inputs(entry.program, 0)
    inputs |= {name: np.array(values, inputs[name].dtype) for name, values in entry.values.items()}
    return simulate(entry.program, inputs, entry.params, Options(**options))


def _parts(use: QueueUse) -> dict[str, int]:
    parts: Counter[str] = Counter({"busy": use.busy})
    for (kind, _), cycles in use.waits.items():
        parts[kind] += cycles
    return dict(+parts)


def _named(use: QueueUse, kind: str) -> dict[str, int]:
    return {what: cycles for (k, what), cycles in use.waits.items() if k == kind}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_engine_counts_what_was_derived(path: Path) -> None:
    entry = read(path)
    result = _run(entry)
    assert result.cycles == entry.cycles
    uses = {str(use.queue): use for use in result.timed.account.queues}
    for name, parts in (entry.queues | entry.controls).items():
        assert _parts(uses[name]) == {k: n for k, n in parts.items() if n}, name
    for name, parts in entry.ports.items():
        assert _named(uses[name], "port") == parts, name
    for name, parts in entry.waits.items():
        assert _named(uses[name], "semaphore") == parts, name
    account = result.timed.account
    ticks = dict(zip(account.port_names, account.port_ticks, strict=True))
    for name, count in entry.ticks.items():
        assert ticks[name] == count, name
    bounds = result.timed.totals.bounds
    assert {name: bounds[name] for name in entry.bounds} == entry.bounds


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_way_of_running_counts_the_same(path: Path) -> None:
    """With every event recorded, without data, and without skipping repeated turns."""
    entry = read(path)
    result = _run(entry, record=True)
    assert result.cycles == entry.cycles
    path_ = result.critical_path()
    assert sum(link.end - link.begin for link in path_) == entry.cycles
    assert all(a.end == b.begin for a, b in itertools.pairwise(path_))
    assert result.executed is not None
    for skip in (True, False):
        options = Options(values=False, log=result.executed.log, skip=skip)
        assert simulate(entry.program, None, entry.params, options).cycles == entry.cycles


def test_ticks_of_a_port_are_its_bound() -> None:
    entry = read(next(path for path in FILES if path.stem == "one_load"))
    account = _run(entry).timed.account
    hbm = [
        t for kind, t in zip(account.port_kinds, account.port_ticks, strict=True) if kind == "hbm"
    ]
    assert _run(entry).timed.totals.bounds["hbm"] == cdiv(max(hbm), TICKS)
