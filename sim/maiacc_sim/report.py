"""The document that ``maiacc run --json`` prints; its names are stable."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import numpy as np

from maiacc_isa.version import TIMING_VERSION
from maiacc_sim.bounds import BOUNDS
from maiacc_sim.result import Result
from maiacc_sim.timing.account import Account, QueueUse

#: Version of the document.
SCHEMA = 1

#: Kinds of waiting that are about something with a name; the others are plain numbers.
NAMED = ("semaphore", "port", "queue")


def document(result: Result) -> dict[str, Any]:
    """A run as plain data.

    ``cycles`` is a pair [low, high] for a run without data whose scalars are not known; all else
    is then that of the highest values.
    """
    timed = result.timed
    cycles: int | list[int] = timed.cycles
    if result.low is not None:
        cycles = sorted([result.low.cycles, timed.cycles])
    totals = timed.totals
    types = {t.result or t.name: t.dtype for t in result.program.tensors}
    return {
        "schema": SCHEMA,
        "target": result.program.machine.name,
        "cycles": cycles,
        "seconds_at_clock": result.seconds,
        "bounds": {name: totals.bounds[name] for name in BOUNDS},
        "bound": totals.bound,
        "queues": queue_rows(timed.account),
        "bytes": {
            space: {"read": totals.read[space], "written": totals.written[space]}
            for space in sorted(totals.read | totals.written)
        },
        "macs": totals.macs,
        "instructions": totals.instructions,
        "outputs": [
            {
                "name": name,
                "dtype": types[name],
                "shape": list(value.shape),
                "sha256": hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest(),
            }
            for name, value in sorted(result.outputs.items())
        ],
        "timing_version": TIMING_VERSION,
        "engine": result.engine,
        "notices": list(result.notices),
    }


def queue_rows(account: Account) -> list[dict[str, Any]]:
    """Cycles of every queue and control processor, added up over its instances."""
    return [
        {"role": role, "queue": name, "instances": len(uses), **_row(uses)}
        for (role, name), uses in account.by_queue().items()
    ]


def _row(uses: list[QueueUse]) -> dict[str, Any]:
    waits: Counter[tuple[str, str]] = Counter()
    for use in uses:
        waits.update(use.waits)
    control = uses[0].queue.row.engine == "control"
    kinds = ("queue", "semaphore", "load", "end") if control else QUEUE_KINDS
    row: dict[str, Any] = {"words": sum(u.words for u in uses), "busy": sum(u.busy for u in uses)}
    for kind in kinds:
        named = {what: n for (k, what), n in sorted(waits.items()) if k == kind}
        key = "room" if kind == "queue" else kind
        row[key] = named if kind in NAMED else sum(named.values())
    return row


#: What the cycles of a queue are, besides busy.
QUEUE_KINDS = ("semaphore", "port", "barrier", "control", "empty")
