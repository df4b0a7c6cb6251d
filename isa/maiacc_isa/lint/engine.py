"""The untimed run of a block that a proof consists of.

Control processors issue words in program order; queues execute them as soon as their waits are
met. Because every semaphore has one poster and one waiter, the outcome does not depend on the
order in which that happens, so one run decides deadlock. Vector clocks say which events are
ordered whatever the timing; loops that have become steady are skipped by
``maiacc_isa.lint.steady``.
"""

from __future__ import annotations

from maiacc_isa.lint.findings import Finding, Report, Sites
from maiacc_isa.lint.first import reads_first
from maiacc_isa.lint.loops import Loops
from maiacc_isa.lint.queues import Queues
from maiacc_isa.lint.run import Effort, Event, Intervals, Item, NeedSplit, Process, Run, Stop
from maiacc_isa.lint.tokens import Clock
from maiacc_isa.lint.touched import Problem
from maiacc_isa.lint.tree import Leaf, Loop, Node
from maiacc_isa.lint.turns import Turns
from maiacc_isa.lint.values import Sym, Val
from maiacc_isa.lint.walker import Frame, Trap, Walker
from maiacc_isa.load import load
from maiacc_isa.program import Block, Program
from maiacc_isa.word import Word

#: Events that one block may take before the proof is given up.
EVENT_LIMIT = 400_000

#: The queue that stands for a role's control processor.
CONTROL_QUEUES = {q.role: q.name for q in load().queues.values() if q.engine == "control"}


class Engine:
    """Runs one block. Findings go to the report."""

    def __init__(
        self,
        program: Program,
        block: Block,
        nodes: list[Node],
        report: Report,
        sites: Sites,
        intervals: Intervals,
        effort: Effort,
    ) -> None:
        run = self.run = Run(program, block, report, sites, intervals, effort)
        for team in run.cast.teams:
            walker = Walker(team, block, program, nodes, run.derived, intervals)
            run.walkers.append(walker)
        self._loops = Loops(run)
        self._queues = Queues(run, self._loops)
        self._loads: dict[tuple[object, ...], Val] = {}
        self._turns = Turns()
        self._depth = program.machine.int("queue.depth")
        self._loaded_clocks: dict[int, Clock] = {}

    def execute(self) -> None:
        """Executes the block. Raises ``Stop`` when it cannot be carried to its end, and
        ``NeedSplit`` when a trip count depends on a value that is fixed for the block."""
        run = self.run
        limit = run.effort.limit or EVENT_LIMIT
        for walker in run.walkers:
            self._turns.add(walker)
        while (turn := self._turns.next(run.events)) is not None:
            if self._step(turn):
                self._turns.add(turn)
            else:
                self._turns.park(turn, run.events)
            if run.events > limit:
                run.give_up(f"more than {limit:,} events after skipping steady loops")
        self._finish()

    def _step(self, walker: Walker) -> bool:
        """One node of a control processor; whether it could go on."""
        node = walker.node()
        if node is None:
            self._end_of_body(walker)
        elif isinstance(node, Loop):
            self._enter(walker, node)
        elif node.word.row.control:
            return self._control(walker, node)
        else:
            return self._issue(walker, node)
        return True

    def _trap(self, walker: Walker, index: int, problem: Trap) -> Stop:
        """Reports what a control word runs into."""
        site = self.run.site(index, walker.iteration(), self._who(walker))
        finding = Finding(problem.code, problem.message, site, expected=problem.expected)
        self.run.report.add(finding)
        return Stop()

    def _who(self, walker: Walker) -> str:
        return walker.team.role if self.run.cast.alike else str(walker.team.members[0])

    # ---- loops --------------------------------------------------------------------------
    def _enter(self, walker: Walker, loop: Loop) -> None:
        if not walker.takes_part(loop):
            walker.path[-1] += 1
            return
        try:
            trip = walker.trip(loop)
        except Trap as problem:
            raise self._trap(walker, loop.index, problem) from None
        run = self.run
        run.trace.append(Item(("loop", walker.team, loop.index, trip.key)))
        if trip.high <= 0:
            walker.path[-1] += 1
            return
        if run.effort.split:
            _split(trip)
        frame = walker.enter(loop, trip)
        self._loops.entered(walker, frame)
        self._at_head(walker, frame)

    def _end_of_body(self, walker: Walker) -> None:
        if not walker.frames:
            walker.finished = True
            return
        frame = walker.frames[-1]
        frame.counter += 1
        walker.path[-1] = 0
        if frame.trip is not None and frame.counter >= frame.trip:
            self._leave(walker)
        else:
            self._at_head(walker, frame)

    def _leave(self, walker: Walker) -> None:
        self._loops.left(walker, walker.frames[-1])
        walker.leave()

    def _at_head(self, walker: Walker, frame: Frame) -> None:
        """A control processor arrives at the first word of a loop's body."""
        for other in self._loops.arrive(walker, frame):
            self._leave(other)

    # ---- control words ------------------------------------------------------------------
    def _control(self, walker: Walker, leaf: Leaf) -> bool:
        word = leaf.word
        if walker.team.role not in word.roles or word.name in ("NOP", "MARK", "END"):
            walker.path[-1] += 1
            return True
        if word.name == "SLD":
            return self._sld(walker, leaf)
        if word.name == "PAR":
            walker.parameter(word)
        else:
            try:
                assigned = walker.assign(leaf)
            except Trap as problem:
                raise self._trap(walker, leaf.index, problem) from None
            self.run.trace.append(Item(("set", walker.team, leaf.index), assigned))
        walker.path[-1] += 1
        return True

    def _sld(self, walker: Walker, leaf: Leaf) -> bool:
        """The control processors of the team load a scalar, all when all can."""
        run, word = self.run, leaf.word
        queue = CONTROL_QUEUES[walker.team.role]
        members = walker.team.members
        if not all(run.counters.ready(word.waits, member) for member in members):
            return False
        event = self._event(walker, leaf)
        for member in members:
            process = run.processes[member.number, queue]
            self._queues.push(process, event, self._loaded_clocks.get(member.number))
            self._queues.pump([process])
            self._loaded_clocks[member.number] = process.clock.copy()
        walker.registers[word["dest"]] = self._loaded(walker, word, event)
        walker.path[-1] += 1
        return True

    def _loaded(self, walker: Walker, word: Word, event: Event) -> Val:
        """The unknown that a load gives: the same for the same place and the same writes."""
        low, high = word["low"], word["high"]
        if low == high or not event.touches:
            return Val(low) if low == high else Val(0, {Sym("a load", low, high): 1})
        key, private = self._load_key(walker, event)
        name = self.run.sites.text.word(event.index).split(" = ")[0]
        if not private and not walker.frames:
            return walker.fixed(("sld", *key), name, low, high)
        key = (*key, low, high)
        if key not in self._loads:
            shared = len(walker.team.members) == 1
            number = walker.team.members[0].number if private and not shared else None
            self._loads[key] = Val(0, {Sym(name, low, high, number): 1})
        return self._loads[key]

    def _load_key(self, walker: Walker, event: Event) -> tuple[tuple[object, ...], bool]:
        """What tells one loaded value from another, and whether instances differ in it."""
        run, touch = self.run, event.touches[0]
        instance = walker.team.members[0]
        owner = run.memory.owners(touch, instance, None, [])[0]
        ids = (run.cast.tile_sym, run.cast.cluster_sym)
        region = touch.region
        private = touch.space == "tsram" or any(s in region.base.terms for s in ids)
        private = private or region.cut is not None
        key = (owner, region.base.key, region.guard, run.memory.lanes(owner).writes)
        return (*key, instance.number) if private else key, private

    # ---- engine words -------------------------------------------------------------------
    def _event(self, walker: Walker, leaf: Leaf) -> Event:
        """The word with its touches at this iteration. Raises ``Stop`` for a scalar trap."""
        level = reads_first(leaf.word)
        if level is not None and level >= max(1, len(walker.frames)):
            problem = Trap("E1004", f"no loop of level {level} is in force here")
            raise self._trap(walker, leaf.index, problem)
        first = level is not None and walker.fresh(level, leaf.word["span"])
        peer = None
        try:
            found = self.run.footprints.touches(leaf.index, walker.source, first)
            if "peer" in leaf.word.fields:
                peer = walker.source(leaf.word["peer"])
        except Trap as problem:
            raise self._trap(walker, leaf.index, problem) from None
        for wrong in found.problems:
            self._problem(walker, leaf.index, wrong)
        context, iteration = self._loops.context(walker), walker.iteration()
        return Event(leaf.index, leaf.word, found.touches, found.absent, iteration, context, peer)

    def _problem(self, walker: Walker, index: int, problem: Problem) -> None:
        site = self.run.site(index, walker.iteration(), self._who(walker))
        self.run.report.add(
            Finding(
                problem.code,
                problem.message,
                site,
                memory=problem.memory,
                expected=problem.expected,
            )
        )

    def _issue(self, walker: Walker, leaf: Leaf) -> bool:
        """Pushes a word into its queue, for all instances of the team, when all have room."""
        queue = str(leaf.word.queue)
        if walker.team.role != load().queues[queue].role:
            walker.path[-1] += 1
            return True
        processes = [self.run.processes[m.number, queue] for m in walker.team.members]
        if any(len(process.pending) >= self._depth for process in processes):
            return False
        event = self._event(walker, leaf)
        walker.path[-1] += 1
        for process in processes:
            known = self._loaded_clocks.get(process.instance.number)
            self._queues.push(process, event, known)
        for process in processes:
            self._queues.pump([process])
        return True

    # ---- the end ------------------------------------------------------------------------
    def _finish(self) -> None:
        """All control processors are through, or stuck; queues must be empty and balanced."""
        run = self.run
        stuck = [process for process in run.by_number if process.pending]
        waiting = [walker for walker in run.walkers if not walker.finished]
        if stuck or waiting:
            raise Deadlock(stuck, waiting)
        for (sem, waiter, poster), counter in run.counters.queues.items():
            init = run.block.semaphores[sem].init
            if len(counter) != init:
                name = run.sites.text.semaphore_name(sem)
                who = f"{run.cast.instances[poster]} to {run.cast.instances[waiter]}"
                run.report.add(
                    Finding(
                        "E0905",
                        f"semaphore {name} is not balanced at the end of block {run.block.name}",
                        expected=f"{init} tokens, as at the start",
                        found=f"{len(counter)} ({who})",
                        line=run.block.places.get(f"semaphore {sem}"),
                    )
                )
                break


class Deadlock(Stop):
    """Nothing can go on. ``stuck`` queues have words, ``waiting`` control processors too."""

    def __init__(self, stuck: list[Process], waiting: list[Walker]) -> None:
        super().__init__("deadlock")
        self.stuck = stuck
        self.waiting = waiting


def _split(trip: Val) -> None:
    """A trip count that depends on values fixed for the block is proven value by value."""
    cuts = [sym.halfway() for sym in trip.terms]
    if cuts and cuts[0] is not None and None not in cuts:
        raise NeedSplit(*cuts[0])
