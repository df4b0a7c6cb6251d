"""Why nothing can go on: who waits for whom, and the circle if there is one."""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_isa.lint.engine import CONTROL_QUEUES
from maiacc_isa.lint.findings import Finding, Site
from maiacc_isa.lint.run import Process, Run
from maiacc_isa.lint.walker import Walker
from maiacc_isa.word import Word


@dataclass
class Wait:
    """A stuck queue or control processor: what it needs, and the queue that should give it: a
    token, or room for another word."""

    who: str
    site: Site
    needs: str
    process: Process | None
    gives: Process | None
    needs_token: bool = True


def explain(run: Run, stuck: list[Process], waiting: list[Walker]) -> Finding:
    """The finding for a block that cannot end."""
    waits = [_queue_wait(run, process) for process in stuck]
    waits += [_walker_wait(run, walker) for walker in waiting]
    first = _circle(waits) or _roots(waits)
    places = {str(p.instance) for w in first for p in (w.process, w.gives) if p is not None}
    lines = [_line(run, wait, len(places) > 1) for wait in first[:6]]
    circle = _circle(waits) is not None
    message = "deadlock: a circle of waits" if circle else "deadlock: waits for what never comes"
    other = first[1].site if len(first) > 1 else None
    return Finding(
        "E0904",
        message,
        first[0].site,
        other,
        found="\n".join([*lines, *(["..."] if len(first) > 6 else [])]),
        expected="every wait to be met by a post that can still happen",
        hint="count posts and waits of the semaphore over an iteration, and its first tokens",
    )


def _line(run: Run, wait: Wait, places: bool) -> str:
    """What one queue or control processor waits for, and what is the matter with the giver.

    ``places`` says whether several instances are involved and have to be told apart.
    """

    def name(process: Process) -> str:
        return f"{process.queue} of {process.instance}" if places else process.queue

    who = name(wait.process) if wait.process is not None else wait.who
    text = f"{who} waits for {wait.needs}"
    giver = wait.gives
    if giver is None:
        return text
    if wait.process is None and not wait.needs_token:
        return f"{text}, where nothing moves"
    if giver.pending:
        return f"{text}, which {name(giver)} should post but is stuck itself"
    walker = next(w for w in run.walkers if giver.instance in w.team.members)
    if walker.finished:
        return f"{text}, but {name(giver)} has executed all its words"
    return f"{text}, but no word of {name(giver)} has been issued that posts it"


def _queue_wait(run: Run, process: Process) -> Wait:
    event, _ = process.pending[0]
    site = run.sites.site(event.index, event.iteration, str(process.instance))
    who = f"{process.queue} of {process.instance}"
    needs, gives = _missing(run, process, event.word)
    if event.word.name == "BAR":
        needs = "the other chips at the barrier"
    return Wait(who, site, needs, process, gives)


def _missing(run: Run, process: Process, word: Word) -> tuple[str, Process | None]:
    members = run.members(word)
    for sem, count in word.waits:
        lacking = run.counters.missing(sem, count, process.instance, members)
        if lacking:
            name = run.sites.text.semaphore_name(sem)
            have = len(run.counters.queues[sem, process.instance.number, lacking[0]])
            poster = run.block.semaphores[sem].poster
            return f"{name} ({have} of {count} tokens)", run.processes.get((lacking[0], poster))
        if not run.counters.posters(sem, process.instance):
            name = run.sites.text.semaphore_name(sem)
            return f"{name}, which nobody posts to {process.instance}", None
    return "nothing", None


def _walker_wait(run: Run, walker: Walker) -> Wait:
    node = walker.node()
    index = node.index if node is not None else len(run.block.words) - 1
    member = walker.team.members[0]
    site = run.sites.site(index, walker.iteration(), str(member))
    who = f"the control processor of {member}"
    if node is not None and node.word.name == "SLD":
        queue = CONTROL_QUEUES[walker.team.role]
        process = run.processes[member.number, queue]
        needs, gives = _missing(run, process, node.word)
        return Wait(who, site, needs, process, gives)
    queue = str(node.word.queue) if node is not None else ""
    full = run.processes.get((member.number, queue))
    depth = run.program.machine.int("queue.depth")
    needs = f"room in {queue} ({depth} words deep, all taken)"
    return Wait(who, site, needs, None, full, needs_token=False)


def _roots(waits: list[Wait]) -> list[Wait]:
    """Those whose giver is not stuck itself first, and of equal ones only the first."""
    kept: dict[tuple[str, int], Wait] = {}
    for wait in sorted(waits, key=lambda w: w.gives is not None and bool(w.gives.pending)):
        kept.setdefault((wait.who.split(" of ")[0], wait.site.word), wait)
    return list(kept.values())


def _circle(waits: list[Wait]) -> list[Wait] | None:
    """A circle of waits, each for a queue that is stuck in the next."""
    by_process = {id(w.process): w for w in waits if w.process is not None}
    for start in waits:
        path: list[Wait] = []
        at: Wait | None = start
        while at is not None and at not in path:
            path.append(at)
            at = by_process.get(id(at.gives)) if at.gives is not None else None
        if at is not None:
            return path[path.index(at) :]
    return None
