"""Cycles by what they were spent for: nodes of a model, modules of nodes, named overhead."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from maiacc.running.figures import NO_SOURCE, Spent, engine_words, spent_on
from maiacc_sim import report
from maiacc_sim.simulate import Result
from maiacc_sim.timing.account import Reason, WordUse

#: Semaphores of programs that the compiler made, by how their names begin, that order kernels and
#: nothing within one: what is waited for them is of no node.
JOINS = ("join.", "early.")

#: What such waits are called.
BETWEEN = "waiting for the kernel before"


@dataclass(frozen=True)
class Sources:
    """Cycles by source; a word of several nodes is a source of its own. With ``overhead``, cycles
    that are of no node by name, and ``empty``, those for which queues that have words at all had
    none, they are ``total``: all cycles of these queues."""

    rows: list[tuple[str, Spent]]
    overhead: dict[str, int]
    empty: int
    total: int


def sources(result: Result) -> Sources:
    """The cycles of all queues that have words, by what the words came from."""
    groups: dict[str, list[WordUse]] = {}
    between = 0
    for block, use in engine_words(result):
        name = ", ".join(block.origin(use.index)) or NO_SOURCE
        waits = Counter({reason: n for reason, n in use.waits.items() if not _joins(reason)})
        between += use.waits.total() - waits.total()
        groups.setdefault(name, []).append(replace(use, waits=waits))
    rows = sorted(((n, spent_on(uses)) for n, uses in groups.items()), key=lambda r: -r[1].total)
    account = result.timed.account
    used = [u for u in account.queues if u.words and u.queue.row.engine != "control"]
    empty = sum(use.of_kind("empty") for use in used)
    overhead = {BETWEEN: between} if between else {}
    return Sources(rows, overhead, empty, len(used) * account.cycles)


def _joins(reason: Reason) -> bool:
    """Whether something was waited for that lies between kernels."""
    kind, name = reason
    return kind == "semaphore" and name.startswith(JOINS)


#: Sources that ``by_source`` names.
COSTLY = 10


def by_source(result: Result) -> list[dict[str, Any]]:
    """The most expensive sources, which are the nodes of a compiled model: cycles of all queues
    that have words, and their share."""
    found = sources(result)
    rows = [(name, spent) for name, spent in found.rows if name != NO_SOURCE]
    return [
        {
            "source": name,
            "cycles": spent.total,
            "busy": spent.busy,
            "share": spent.total / found.total if found.total else 0.0,
        }
        for name, spent in rows[:COSTLY]
    ]


def scopes(result: Result) -> list[tuple[str, int]]:
    """The cycles of sources by the module that their first node is in, as its name says: all of a
    path but its last part. The most expensive first; empty if no node has a path."""
    found: Counter[str] = Counter()
    for name, spent in sources(result).rows:
        scope, slash, _ = name.split(", ")[0].rpartition("/")
        found[(scope or "/") if slash else OUTSIDE] += spent.total
    return [] if set(found) <= {OUTSIDE, "/"} else found.most_common()


#: Nodes whose names are no paths.
OUTSIDE = "(no module)"


def document(result: Result) -> dict[str, Any]:
    """The document that ``maiacc run --json`` prints: the simulator's, and ``by_source``."""
    return report.document(result) | {"by_source": by_source(result)}
