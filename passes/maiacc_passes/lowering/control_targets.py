"""What a region hands out goes where it is wanted: renamed buffers, second stores, or copies.

    k1.0 = contract(h, @r)      h = turn0's state
    k2.0 = tanh(k1.0)           reads h no more: it may write h itself
    yield(k2.0)

A buffer that is made in the region takes the place of its target where nobody needs what the target
held before. Otherwise it is copied when the region ends, first into something of its own where a
target is also a source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from maiacc_passes.kernel.model import Buffer, Kernel, Loop, Node, View, Word, words_of
from maiacc_passes.kernel.plan import Load, Scalars, Step, walk
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.control_moves import Move

Renamed = Callable[[Buffer], Buffer]


def reads_of(step: Step) -> Iterator[View]:
    """The views that a step reads, inner steps included."""
    for inner in walk([step]):
        if isinstance(inner, Kernel):
            for word in words_of(inner.body):
                yield from word.reads()
        elif isinstance(inner, Scalars):
            yield from (word.view for word in inner.words if isinstance(word, Load))


def writes_of(step: Step) -> Iterator[View]:
    """The views that a step writes, inner steps included."""
    for inner in walk([step]):
        if isinstance(inner, Kernel):
            for word in words_of(inner.body):
                yield from word.writes()


def may_replace(steps: Sequence[Step], made: Buffer, target: Buffer) -> bool:
    """Whether nothing touches a target once something writes what is to take its place."""
    root = target.root
    written = [n for n, s in enumerate(steps) if any(v.buffer.root is made for v in writes_of(s))]
    touched = [
        n
        for n, s in enumerate(steps)
        if any(v.buffer.root is root for v in (*reads_of(s), *writes_of(s)))
    ]
    last = max(touched, default=-1)
    if not written or last < written[0]:
        return bool(written)
    step = steps[last]
    alone = written == [last] and isinstance(step, Kernel)
    return alone and isinstance(step, Kernel) and _in_place(step, made, root)


def _in_place(kernel: Kernel, made: Buffer, target: Buffer) -> bool:
    """Whether each tile stores elements of a buffer where it has loaded those of the target, and
    nobody else has: all of them at the same places, and what is stored comes from what is loaded.
    """
    words = list(words_of(kernel.body))
    stores = [word for word in words if any(v.buffer is made for v in word.writes())]
    loads = [word for word in words if any(v.buffer is target for v in word.reads())]
    if len(stores) != 1 or not _stores(stores[0], made):
        return False
    (store,) = stores
    place = _place(store.views["d"])
    for load in loads:
        if load.kind != "copy" or load.queue not in ("LD0", "LD1"):
            return False
        if _place(load.views["a"]) != place or not _leads(words, load, store):
            return False
    touched = (v for w in words for v in (*w.reads(), *w.writes()) if v.buffer.root is target)
    return sum(1 for _ in touched) == len(loads)


def _place(view: View) -> tuple[object, ...]:
    return view.axes, view.dims, view.offset, view.terms


def _leads(words: Sequence[Word], load: Word, store: Word) -> bool:
    """Whether what is stored is computed from what is loaded."""
    fed = {view.buffer for view in load.writes()}
    for word in words[words.index(load) + 1 : words.index(store)]:
        if any(view.buffer in fed for view in word.reads()):
            fed |= {view.buffer for view in word.writes()}
    return store.views["a"].buffer in fed


def replaced(steps: Sequence[Step], made: Buffer, target: Buffer) -> Renamed:
    """Puts a target in the place of a buffer, and of its parts; gives what became of each."""
    known: dict[Buffer, Buffer] = {made: target}

    def renamed(buffer: Buffer) -> Buffer:
        if buffer not in known and buffer.of is made:
            offset, terms = target.offset + buffer.offset, (*target.terms, *buffer.terms)
            known[buffer] = replace(buffer, of=target.root, offset=offset, terms=terms)
        return known.get(buffer, buffer)

    for step in walk(steps):
        if isinstance(step, Kernel):
            for word in words_of(step.body):
                word.views = {n: _moved(view, renamed) for n, view in word.views.items()}
        elif isinstance(step, Scalars):
            step.words = [
                replace(word, view=_moved(word.view, renamed)) if isinstance(word, Load) else word
                for word in step.words
            ]
    return renamed


def _moved(view: View, renamed: Renamed) -> View:
    buffer = renamed(view.buffer)
    return view if buffer is view.buffer else replace(view, buffer=buffer)


def doubled(steps: Sequence[Step], made: Buffer, target: Buffer) -> bool:
    """Stores everything that goes into a buffer to a target as well, if its steps do nothing but
    store it."""
    kernels: list[Kernel] = []
    for step in steps:
        if any(view.buffer.root is made.root for view in writes_of(step)):
            if not isinstance(step, Kernel):
                return False
            kernels.append(step)
    words = [word for kernel in kernels for word in words_of(kernel.body)]
    for word in words:
        for view in word.writes():
            if view.buffer.root is made.root and not _stores(word, made):
                return False
    for kernel in kernels:
        kernel.body = _twice(kernel.body, made, target)
    return bool(kernels)


def _stores(word: Word, made: Buffer) -> bool:
    return word.kind == "copy" and word.queue == "ST" and word.views["d"].buffer is made


def _twice(body: Sequence[Node], made: Buffer, target: Buffer) -> list[Node]:
    found: list[Node] = []
    for node in body:
        found.append(node)
        if isinstance(node, Loop):
            node.body = _twice(node.body, made, target)
        elif _stores(node, made):
            views = {**node.views, "d": replace(node.views["d"], buffer=target)}
            found.append(replace(node, views=views, waits=[], posts=[]))
    return found


def apart(moves: Sequence[Move], fresh: Callable[[Access], Access]) -> list[list[Move]]:
    """Moves in turns that do not depend on each other: what is also a target is copied first."""
    moves = [move for move in moves if not _stays(move)]
    targets = {move.target.buffer.root for move in moves}
    first: list[Move] = []
    then: list[Move] = []
    for move in moves:
        source = move.source
        if isinstance(source, Access) and source.buffer.root in targets:
            kept = fresh(source)
            first.append(Move(kept, source))
            move = Move(move.target, kept)
        then.append(move)
    return [turn for turn in (first, then) if turn]


def _stays(move: Move) -> bool:
    """Whether a value is where it is to go."""
    source, target = move.source, move.target
    return (
        isinstance(source, Access)
        and source.buffer is target.buffer
        and source.dense
        and target.dense
        and not source.dtype
    )
