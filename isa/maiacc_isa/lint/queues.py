"""Queues of a proof: words go in, and come out as soon as their waits are met."""

from __future__ import annotations

import numpy as np

from maiacc_isa.lint.findings import Finding
from maiacc_isa.lint.loops import Loops
from maiacc_isa.lint.run import Event, Item, Process, Run
from maiacc_isa.lint.tokens import Clock
from maiacc_isa.lint.touches import Touches
from maiacc_isa.load import load


class Queues:
    """Executes words in their queues and hands tokens on."""

    def __init__(self, run: Run, loops: Loops) -> None:
        self._run = run
        self._loops = loops
        self._touches = Touches(run)
        self._barriers: dict[tuple[str, int, int], Clock] = {}

    def push(self, process: Process, event: Event, issued: Clock | None) -> None:
        """Puts a word into a queue; ``issued`` is what its control processor knows from loads."""
        process.pending.append((event, np.zeros(0, np.int64) if issued is None else issued))

    def pump(self, ready: list[Process]) -> None:
        """Executes everything that can be, starting from these queues."""
        while ready:
            process = ready.pop()
            while process.pending:
                event, clock = process.pending[0]
                members = self._run.members(event.word)
                if not self._run.counters.ready(event.word.waits, process.instance, members):
                    break
                if event.word.name == "BAR" and not self._barrier(process, event):
                    break
                process.pending.popleft()
                ready += self.fire(process, event, clock)

    def fire(self, process: Process, event: Event, issued: Clock) -> list[Process]:
        """Executes a word in its queue; returns the queues its posts may set free."""
        run, word = self._run, event.word
        clock = process.clock
        np.maximum(clock[: len(issued)], issued, out=clock[: len(issued)])
        run.counters.take(word.waits, process.instance, clock, run.members(word))
        run.tick += 1
        run.events += 1
        run.report.simulated += 1
        component = self._loops.component(process, event.context)
        item = Item(("event", process.number, event.index), absent=event.absent)
        self._touches.enter(process, event, component, item)
        process.clock[component] = run.tick
        run.trace.append(item)
        ready: list[Process] = []
        if word.name == "BAR":
            ready += self._peers(process, event)
            process.barriers += 1
        if word.posts:
            ready += self._post(process, event, process.clock.copy())
        return ready

    def _post(self, process: Process, event: Event, clock: Clock) -> list[Process]:
        run = self._run
        ready: list[Process] = []
        members = run.members(event.word)
        most = load().limit("token_max")
        for sem, count in event.word.posts:
            waiter_queue = run.block.semaphores[sem].waiter
            for waiter in run.counters.post(sem, count, process.instance, clock, members):
                counter = run.counters.queues[sem, waiter.number, process.instance.number]
                if len(counter) > most:
                    name = run.sites.text.semaphore_name(sem)
                    site = run.site(event.index, event.iteration, process.instance)
                    message = f"the counter of {name} passes {most:,}"
                    run.report.add(Finding("E0906", message, site))
                    run.stop()
                ready.append(run.processes[waiter.number, waiter_queue])
        return ready

    # ---- barriers -----------------------------------------------------------------------
    def _barrier(self, process: Process, event: Event) -> bool:
        """Whether every chip of the group stands at this barrier or is past it; then joins what
        all of them knew on arriving."""
        key = (process.queue, event.word.fields["group"], process.barriers)
        if key not in self._barriers:
            peers = self._peers(process, event)
            if any(p.barriers < process.barriers or not self._arrived(p) for p in peers):
                return False
            joined = process.clock.copy()
            for other in peers:
                np.maximum(joined, other.clock, out=joined)
                word = other.pending[0][0].word
                members = self._run.members(word)
                self._run.counters.learn(word.waits, other.instance, joined, members)
            self._barriers[key] = joined
        joined = self._barriers[key]
        np.maximum(process.clock[: len(joined)], joined, out=process.clock[: len(joined)])
        return True

    def _arrived(self, process: Process) -> bool:
        """Whether a BAR is at the head of a queue, with all it waits for."""
        if not process.pending or process.pending[0][0].word.name != "BAR":
            return False
        word = process.pending[0][0].word
        members = self._run.members(word)
        return self._run.counters.ready(word.waits, process.instance, members)

    def _peers(self, process: Process, event: Event) -> list[Process]:
        """The queues of all chips that meet at a barrier."""
        chips = self._run.group(event.word)
        return [
            other
            for other in self._run.by_number
            if other.queue == process.queue and other.instance.chip in chips
        ]
