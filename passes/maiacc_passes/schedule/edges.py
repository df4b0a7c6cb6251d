"""Which queues wait for which: semaphores of a kernel, derived from what its words touch.

Assumes that executing words one by one in the order of the text is right. Promises that every
two accesses of different queues to a buffer of a tile, one of them a write, are ordered as in the
text, and that executing in the order of the text never blocks: an access waits for earlier ones
only, or, for a buffer with s slots, for those of s iterations before. By a theorem about marked
graphs no other order of execution blocks either.

    LD0 copy %x <- @x  post(~LD0.TVP.0) wait(~TVP.LD0.2.0)
    TVP map %y <- %x   wait(~LD0.TVP.0) post(~TVP.LD0.2.0)

In the body of a loop an *event* is the work of one queue in one node, a word or an inner loop. An
edge between events of one iteration needs a semaphore without tokens; one to a later iteration
needs as many tokens at the start as iterations lie between. Edges that follow from others are left
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from maiacc_passes.kernel.limits import TOKENS
from maiacc_passes.kernel.model import Buffer, Kernel, Loop, Node, Word, words_of

#: Queues of a cluster's control processor.
CLUSTER = frozenset({"CLD", "CST"})


@dataclass(frozen=True)
class Semaphore:
    """Who posts, who waits, in which scope, and tokens at the start."""

    poster: str
    waiter: str
    scope: str
    init: int = 0


@dataclass
class Event:
    """What a queue does in a node of a body: the buffers it reads and writes."""

    node: int
    queue: str
    reads: set[Buffer] = field(default_factory=set)
    writes: set[Buffer] = field(default_factory=set)

    def shares(self, other: Event, buffer: Buffer) -> bool:
        """Whether both touch a buffer, and one writes it."""
        mine, others = buffer in self.writes, buffer in other.writes
        return (mine and (others or buffer in other.reads)) or (others and buffer in self.reads)


@dataclass(frozen=True)
class Edge:
    """One event happens before another, of as many iterations later."""

    before: int
    after: int
    distance: int = 0


class Edges:
    """Semaphores of a kernel. ``slots`` says how many of each buffer there are."""

    def __init__(self, slots: dict[Buffer, int]) -> None:
        self.slots = slots
        self.semaphores: dict[str, Semaphore] = {}
        self._numbers: dict[tuple[str, str, int], int] = {}

    def kernel(self, kernel: Kernel) -> None:
        """Adds waits, posts and words that only synchronise. When the stores of a kernel are
        complete, so is everything else in it."""
        late = _late(kernel.body, set(kernel.buffers))
        near = next(words_of(kernel.body), None)
        kernel.body = self._body(kernel.body, set(kernel.buffers), set(), once=True)
        if near is not None and late:
            names = [(queue, self._named(queue, "ST", 0)) for queue in late]
            kernel.body += _syncs(names, "posts", near)
            kernel.body += _syncs([("ST", name) for _, name in names], "waits", near)

    def _body(
        self, body: list[Node], own: set[Buffer], outer: set[Buffer], once: bool = False
    ) -> list[Node]:
        """A body with its semaphores. ``own`` buffers are fresh in each iteration of its loop,
        ``outer`` ones are not. What is executed ``once`` has no later iterations."""
        for node in body:
            if isinstance(node, Loop):
                node.body = self._body(node.body, set(node.buffers), outer | own)
        events = _events(body, own | outer)
        edges, known = _within(events)
        if not once:
            edges += _carried(events, known, {b: self.slots.get(b, 1) for b in own}, outer)
        return self._attach(body, events, edges)

    def _attach(self, body: list[Node], events: list[Event], edges: list[Edge]) -> list[Node]:
        before: dict[int, list[tuple[str, str]]] = {}
        behind: dict[int, list[tuple[str, str]]] = {}
        for edge in edges:
            u, v = events[edge.before], events[edge.after]
            name = self._named(u.queue, v.queue, edge.distance)
            behind.setdefault(u.node, []).append((u.queue, name))
            before.setdefault(v.node, []).append((v.queue, name))
        found: list[Node] = []
        for number, node in enumerate(body):
            waits, posts = before.get(number, []), behind.get(number, [])
            if isinstance(node, Word):
                room = TOKENS - len(node.waits)
                node.waits += [name for _, name in waits[:room]]
                waits = waits[room:]
                found += _syncs(waits, "waits", node)
                found.append(node)
                room = TOKENS - len(node.posts)
                node.posts += [name for _, name in posts[:room]]
                found += _syncs(posts[room:], "posts", node)
            else:
                first = next(words_of([node]))
                found += [*_syncs(waits, "waits", first), node, *_syncs(posts, "posts", first)]
        return found

    def _named(self, poster: str, waiter: str, tokens: int) -> str:
        number = self._numbers.get((poster, waiter, tokens), 0)
        self._numbers[poster, waiter, tokens] = number + 1
        name = f"{poster}.{waiter}.{tokens}.{number}"
        scope = "cluster" if {poster, waiter} & CLUSTER else "tile"
        self.semaphores[name] = Semaphore(poster, waiter, scope, tokens)
        return name


def _syncs(tokens: Sequence[tuple[str, str]], what: str, near: Word) -> list[Node]:
    """Words that only wait or post."""
    queues: dict[str, list[str]] = {}
    for queue, name in tokens:
        queues.setdefault(queue, []).append(name)
    found: list[Node] = []
    for queue, names in queues.items():
        for start in range(0, len(names), TOKENS):
            word = Word("sync", queue, {}, location=near.location)
            getattr(word, what).extend(names[start : start + TOKENS])
            found.append(word)
    return found


def _events(body: Sequence[Node], visible: set[Buffer]) -> list[Event]:
    found: list[Event] = []
    for number, node in enumerate(body):
        queues: dict[str, Event] = {}
        for word in words_of([node]):
            event = queues.setdefault(word.queue, Event(number, word.queue))
            event.reads |= {view.buffer for view in word.reads()} & visible
            event.writes |= {view.buffer for view in word.writes()} & visible
        found += queues.values()
    return found


def _late(body: Sequence[Node], visible: set[Buffer]) -> list[str]:
    """Queues whose last words in a body may not be over when its last store is."""
    events = _events(body, visible)
    known = _within(events)[1]
    last = {event.queue: number for number, event in enumerate(events)}
    store = last.pop("ST", None)
    over = {} if store is None else dict(known[store])
    for place in {event.node for event in events if event.queue == "ST"}:
        node = body[place]
        inner = _late(node.body, visible | set(node.buffers)) if isinstance(node, Loop) else []
        for number, event in enumerate(events):
            if event.node == place and event.queue not in inner:
                for queue, at in (*known[number].items(), (event.queue, number)):
                    over[queue] = max(over.get(queue, -1), at)
    return [queue for queue, number in last.items() if over.get(queue, -1) < number]


def _within(events: Sequence[Event]) -> tuple[list[Edge], list[dict[str, int]]]:
    """Edges within an iteration, and for each event the last event of each queue that is
    certainly over when it starts."""
    edges: list[Edge] = []
    known: list[dict[str, int]] = []
    last: dict[str, int] = {}
    for number, event in enumerate(events):
        mine: dict[str, int] = {}
        if event.queue in last:
            earlier = last[event.queue]
            mine = {**known[earlier], event.queue: earlier}
        for other in range(number - 1, -1, -1):
            u = events[other]
            if u.queue == event.queue or u.node == event.node or mine.get(u.queue, -1) >= other:
                continue
            if any(u.shares(event, b) for b in event.reads | event.writes):
                edges.append(Edge(other, number))
                for queue, at in (*known[other].items(), (u.queue, other)):
                    mine[queue] = max(mine.get(queue, -1), at)
        known.append(mine)
        last[event.queue] = number
    return edges, known


def _carried(
    events: Sequence[Event],
    known: Sequence[dict[str, int]],
    own: dict[Buffer, int],
    outer: set[Buffer],
) -> list[Edge]:
    """Edges to later iterations: an instance of a buffer takes the place of the one that is as
    many iterations older as there are slots; buffers of outer loops stay the same."""
    wanted: set[tuple[int, int, int]] = set()
    for i, u in enumerate(events):
        for j, v in enumerate(events):
            # Within an inner loop its own edges go on from one iteration of this to the next.
            if u.queue == v.queue or u.node == v.node:
                continue
            touched = (u.reads | u.writes) & (v.reads | v.writes)
            for buffer in touched:
                if u.shares(v, buffer):
                    distance = own.get(buffer, 1)
                    # In one iteration u is before v: so it is in the next, which is later.
                    if buffer in outer and i < j:
                        continue
                    wanted.add((i, j, distance))
    found: list[Edge] = []
    for i, j, distance in sorted(wanted, key=lambda e: (e[2], -e[0], e[1])):
        if not any(
            e.distance <= distance
            and _leads(events, known, i, e.before)
            and _leads(events, known, e.after, j)
            for e in found
        ):
            found.append(Edge(i, j, distance))
    return found


def _leads(events: Sequence[Event], known: Sequence[dict[str, int]], first: int, then: int) -> bool:
    """Whether an event is over when another of the same iteration is, or they are the same."""
    return first == then or known[then].get(events[first].queue, -1) >= first
