"""Loops of a proof: when all control processors stand at a head, what may follow from it.

Two things happen at the heads of loops. A loop whose state repeats is steady, and its remaining
iterations are skipped (``maiacc_isa.lint.steady``). A loop whose trip count is known only at run
time is left when it is steady or at its largest count, in a state that is weaker than every
state it can really be left in.
"""

from __future__ import annotations

import numpy as np

from maiacc_isa.lint.findings import Finding
from maiacc_isa.lint.heads import Head, take_head
from maiacc_isa.lint.instances import Team
from maiacc_isa.lint.leaving import Activation, Entries, weaken
from maiacc_isa.lint.run import Process, Run
from maiacc_isa.lint.steady import LAG_LIMIT, PERIOD_LIMIT, Steady
from maiacc_isa.lint.tree import Leaf, Loop, walk
from maiacc_isa.lint.walker import Frame, Walker

#: Loops with fewer iterations than this are not searched for a steady state.
SHORT = 6

#: Heads remembered of one execution of a loop: a steady state is looked for in the last ones.
HEADS_KEPT = max(3 * PERIOD_LIMIT, LAG_LIMIT) + 2

#: Of so many iterations of a long loop, the first SEARCHED are searched for a steady state.
SEARCHED_OF = 1024
SEARCHED = HEADS_KEPT + PERIOD_LIMIT

#: Different loops with unknown trip counts that one proof tells apart.
CONTEXT_LIMIT = 64


class Loops:
    """The loops in force of all control processors of a proof."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._activations: dict[tuple[object, ...], Activation] = {}
        self._of: dict[int, list[Activation]] = {}
        self._contexts: dict[tuple[object, ...], int] = {}
        self._offsets = {0: 0}
        self._parents = {0: 0}
        self._steady = Steady(run)
        self._wide: dict[int, bool] = {}

    # ---- contexts -----------------------------------------------------------------------
    def context(self, walker: Walker) -> int:
        """A number for the loops of unknown trip count that the walker is in; 0 for none."""
        stack = self._of.get(id(walker), [])
        return stack[-1].context if stack else 0

    def component(self, process: Process, context: int) -> int:
        """The entry of clocks for the events of a queue in a context.

        Events in a loop that may not be executed at all have an entry of their own: knowing
        them must not mean knowing what came before the loop.
        """
        return self._offsets[context] + process.number

    def _new_context(self, outer: int, loop: Loop, frame: Frame) -> int:
        key = (outer, loop.index, frame.value.key)
        if key not in self._contexts:
            run = self._run
            number = len(self._contexts) + 1
            if number > CONTEXT_LIMIT:
                run.give_up("too many different loops whose trip counts only data decide")
            self._contexts[key] = number
            self._parents[number] = outer
            self._offsets[number] = run.width
            run.widen()
        return self._contexts[key]

    # ---- entering and leaving ---------------------------------------------------------------
    def entered(self, walker: Walker, frame: Frame) -> None:
        """A control processor has started a loop."""
        loop = frame.loop
        key = (loop.index, *walker.key()[: 2 * len(walker.frames) - 2])
        activation = self._activations.get(key)
        if activation is None:
            unknown = frame.trip is None
            outer = self.context(walker)
            context = self._new_context(outer, loop, frame) if unknown else outer
            low = max(0, frame.value.low)
            activation = Activation(loop, unknown, low, frame.most, context)
            self._activations[key] = activation
            if unknown:
                self._check_private(walker, frame)
        elif unknown_differs(activation, frame):
            self._check_semaphores(walker, frame)
        self._check_shared(activation, walker, frame)
        activation.members.append(walker)
        activation.frames[id(walker)] = frame
        self._of.setdefault(id(walker), []).append(activation)

    def left(self, walker: Walker, frame: Frame) -> None:
        """A control processor has ended its innermost loop."""
        activation = self._of[id(walker)].pop()
        activation.members.remove(walker)
        if not activation.members:
            for key, value in list(self._activations.items()):
                if value is activation:
                    del self._activations[key]
            if not self._activations:
                self._run.trace.clear()

    def _check_shared(self, activation: Activation, walker: Walker, frame: Frame) -> None:
        """The roles that share a loop take the same number of turns, instance by instance."""
        for other in activation.members:
            if other.team.role == walker.team.role or not _related(other.team, walker.team):
                continue
            value = activation.frames[id(other)].value
            if not value.same(frame.value):
                run = self._run
                run.report.add(
                    Finding(
                        "E0912",
                        f"loop {frame.loop.name} is shared by roles that take different numbers of "
                        "turns",
                        run.sites.site(frame.loop.index, walker.iteration()[:-1]),
                        expected=f"{value}, as on role {other.team.role}",
                        found=f"{frame.value} on role {walker.team.role}",
                        hint="a loop for each role, joined by semaphores behind them",
                    )
                )
                run.stop()

    def _check_private(self, walker: Walker, frame: Frame) -> None:
        """A trip count that differs between instances may not pass tokens between them."""
        if any(sym.instance is not None for sym in frame.value.terms):
            self._check_semaphores(walker, frame)

    def _check_semaphores(self, walker: Walker, frame: Frame) -> None:
        run = self._run
        for node, _ in walk([frame.loop]):
            tokens = (*node.word.waits, *node.word.posts) if isinstance(node, Leaf) else ()
            for sem, _ in tokens:
                if run.block.semaphores[sem].scope != "tile":
                    name = run.sites.text.semaphore_name(sem)
                    run.report.add(
                        Finding(
                            "E0911",
                            f"{name} reaches other instances, which may run loop {frame.loop.name} "
                            "another number of times",
                            run.sites.site(node.index),
                            expected="semaphores of scope tile, or one trip count for all",
                        )
                    )
                    return

    # ---- heads --------------------------------------------------------------------------
    def arrive(self, walker: Walker, frame: Frame) -> list[Walker]:
        """A control processor stands at a head; returns those that leave the loop now."""
        activation = self._of[id(walker)][-1]
        count = frame.counter
        for member in activation.members:
            own = activation.frames[id(member)]
            at_head = member.frames[-1] is own and member.path[-1] == 0
            if own.counter != count or not at_head:
                return []
        if activation.unknown:
            return self._unknown_head(activation, count)
        short = min(f.trip or 0 for f in activation.frames.values()) < SHORT
        if not short and not self._run.effort.thorough:
            self._known_head(activation, count)
        return []

    def _known_head(self, activation: Activation, count: int) -> None:
        trips = [activation.frames[id(m)].trip or 0 for m in activation.members]
        if count % SEARCHED_OF >= SEARCHED:
            return
        self._remember(activation, count)
        if count + 1 >= min(trips):
            return
        skipped = self._steady.skip(
            activation.members, activation.heads, count, min(trips) - 1 - count
        )
        if skipped:
            self._restart(activation, count + skipped)

    def _restart(self, activation: Activation, count: int) -> None:
        activation.heads.clear()
        self._remember(activation, count)

    def _remember(self, activation: Activation, count: int) -> Head:
        """Takes the present head and forgets one that is too old to be compared."""
        head = activation.heads[count] = take_head(self._run, activation.members)
        activation.heads.pop(count - HEADS_KEPT, None)
        return head

    def _unknown_head(self, activation: Activation, count: int) -> list[Walker]:
        head = self._remember(activation, count)
        if count == activation.low:
            activation.start = head
            activation.written = self._run.memory.written_copy()
            activation.clocks = [process.clock.copy() for process in self._run.by_number]
            activation.tokens = self._run.counters.clocks()
        if activation.start is not None and not self._balanced(activation, head):
            self._run.stop()
        done = count >= activation.most
        if not done and count > activation.low:
            left = activation.most - count
            members, heads = activation.members, activation.heads
            done = bool(self._steady.skip(members, heads, count, left, all_or_none=True))
        if not done:
            return []
        weaken(self._run, activation, self._inside(activation))
        return list(activation.members)

    def _balanced(self, activation: Activation, head: Head) -> bool:
        start = activation.start
        assert start is not None
        if start.levels == head.levels and start.waiting == head.waiting:
            return True
        run = self._run
        names = []
        for (sem, _, _), before, after in zip(
            run.counters.queues, start.levels, head.levels, strict=True
        ):
            name = run.sites.text.semaphore_name(sem)
            if before != after and name not in names:
                names.append(name)
        run.report.add(
            Finding(
                "E0909",
                f"loop {activation.loop.name} runs a number of times known only at run time, "
                f"and its body is not balanced: {', '.join(names) or 'words are left waiting'}",
                run.sites.site(activation.loop.index),
                expected="as many tokens posted as waited for, semaphore by semaphore",
                hint="put the words that pass tokens to each other into the same loop",
            )
        )
        return False

    def _inside(self, activation: Activation) -> Entries:
        """The entries of clocks that are of events inside a loop."""
        run = self._run
        inside = np.zeros(run.width, dtype=bool)
        for context, offset in self._offsets.items():
            if self._within(context, activation.context):
                inside[offset : offset + len(run.by_number)] = True
        return inside

    def _within(self, context: int, outer: int) -> bool:
        while context:
            if context == outer:
                return True
            context = self._parents[context]
        return False


def _related(one: Team, two: Team) -> bool:
    """Whether an instance of one contains, or is contained in, an instance of the other."""
    a, b = one.members[0], two.members[0]
    same_cluster = a.cluster == b.cluster or min(a.cluster, b.cluster) < 0
    return a.chip == b.chip and same_cluster


def unknown_differs(activation: Activation, frame: Frame) -> bool:
    """Whether another member's unknown trip count is not the same value."""
    if not activation.unknown:
        return False
    other = next(iter(activation.frames.values()))
    return not other.value.same(frame.value)
