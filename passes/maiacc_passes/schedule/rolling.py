"""Layers that are alike become one, executed as often as there are layers.

Assumes: kernels in order, not placed yet. Promises all bits: the same words touch the same
elements.

    k0  k1 k2 k3  k4 k5 k6  k7 k8 k9  k10      becomes      k0  3 x (k1 k2 k3)  k10

Kernels are alike if they are the same but for the buffers in HBM that they touch. Of these, a
buffer of a layer

- is the same in all layers; or
- is a weight, an input or an output of its own in each layer: those of all layers are *stacked*,
  so far apart that the number of the layer times a distance leads from one to the next; or
- is made in the layer, and nobody else looks at it; or
- is handed from layer to layer: all layers use one buffer, which a layer writes after its last
  look at what the layer before has left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from maiacc_passes.kernel.model import Buffer, Kernel, Loop, Node, View, loops_of, words_of
from maiacc_passes.kernel.plan import Plan, Rolled, Step
from maiacc_passes.schedule.arena import UNIT

#: Layers that are worth it, and kernels that a layer may have.
LEAST, MOST = 3, 200

#: The variable that counts layers.
LAYER = "layer"


@dataclass
class _Seen:
    """A kernel without its buffers in HBM, and these in the order in which it names them."""

    form: tuple[object, ...]
    buffers: tuple[Buffer, ...]


def roll(plan: Plan) -> None:
    """Rolls the longest run of layers that are alike, if there is one."""
    if not all(isinstance(step, Kernel) for step in plan.steps):
        return
    kernels = plan.kernels
    seen = [_look(kernel) for kernel in kernels]
    numbers: dict[object, int] = {}
    labels = [numbers.setdefault(s.form, len(numbers)) for s in seen]
    for start, period, count in _runs(labels):
        made = _Layers(plan, kernels, seen, start, period, count).rolled()
        if made is not None:
            plan.steps = made
            return


def _runs(labels: Sequence[int]) -> list[tuple[int, int, int]]:
    """Runs of equal pieces: start, period, how many; those first that leave least kernels."""
    found: list[tuple[int, int, int]] = []
    for period in range(1, min(MOST, len(labels) // LEAST) + 1):
        length = 0
        for end in range(period, len(labels) + 1):
            same = end < len(labels) and labels[end] == labels[end - period]
            if same:
                length += 1
                continue
            count = length // period + 1
            if count >= LEAST and period > 1:
                first = end - length - period
                spare = length + period - count * period
                found += [(first + skip, period, count) for skip in range(min(spare, period) + 1)]
                # One layer less, where the first or the last one is different in its buffers.
                found += [(first + skip, period, count - 1) for skip in range(spare + period + 1)]
            length = 0
    good = [run for run in found if run[2] >= LEAST]
    return sorted(set(good), key=lambda r: (-(r[2] - 1) * r[1], r[1], r[0]))[:64]


# ---- what a kernel looks like ---------------------------------------------------------------
def _look(kernel: Kernel) -> _Seen:
    local: dict[Buffer, int] = {}
    outside: dict[Buffer, int] = {}
    for number, buffer in enumerate([*kernel.buffers, *_declared(kernel)]):
        local[buffer] = number
    parts = tuple(_node(node, local, outside) for node in kernel.body)
    own = tuple(_kind(b) for b in kernel.buffers)
    return _Seen((parts, own), tuple(outside))


def _declared(kernel: Kernel) -> list[Buffer]:
    return [buffer for loop in loops_of(kernel.body) for buffer in loop.buffers]


def _kind(buffer: Buffer) -> tuple[object, ...]:
    return buffer.dtype, buffer.shape, buffer.space, buffer.shared


def _node(node: Node, local: dict[Buffer, int], outside: dict[Buffer, int]) -> tuple[object, ...]:
    if isinstance(node, Loop):
        body = tuple(_node(inner, local, outside) for inner in node.body)
        own = tuple(_kind(b) for b in node.buffers)
        return "loop", node.variable, node.trips, node.spread, own, body
    views = tuple((name, _view(v, local, outside)) for name, v in node.views.items())
    fields = tuple(sorted((k, repr(v)) for k, v in node.fields.items()))
    return node.kind, node.queue, views, node.chain, fields, node.weights


def _view(
    view: View | None, local: dict[Buffer, int], outside: dict[Buffer, int]
) -> tuple[object, ...] | None:
    if view is None:
        return None
    buffer = view.buffer
    place: tuple[object, ...]
    if buffer in local:
        place = "own", local[buffer]
    elif buffer.space == "iota":
        place = _kind(buffer)
    else:
        root = buffer.root
        number = outside.setdefault(root, len(outside))
        place = "hbm", number, root.dtype, root.shape, buffer.offset, buffer.terms
    beside = (_view(view.meta, local, outside), _view(view.scale, local, outside))
    shape = (view.axes, view.dims, view.split, view.offset, view.terms)
    return (place, shape, repr(view.fill), view.drop, view.dtype, beside)


# ---- layers ---------------------------------------------------------------------------------
@dataclass
class _Layers:
    """A run of layers, and what becomes of their buffers: ``carried`` replaces a buffer by the
    one that all layers use, ``stacks`` are buffers that lie one behind the other."""

    plan: Plan
    kernels: list[Kernel]
    seen: list[_Seen]
    start: int
    period: int
    count: int
    carried: dict[Buffer, Buffer] = field(default_factory=dict)
    stacks: dict[Buffer, list[Buffer]] = field(default_factory=dict)
    handed: set[Buffer] = field(default_factory=set)

    def rolled(self) -> list[Step] | None:
        """The steps of the plan with the run rolled, or None where buffers do not allow it."""
        tables = self._tables()
        if tables is None or not self._sort(tables):
            return None
        stop = self.start + self.period * self.count
        body = self.kernels[self.start : self.start + self.period]
        for number, kernel in enumerate(body):
            others = self.kernels[self.start + number : stop : self.period][1:]
            kernel.layers = [each.location.nodes for each in (kernel, *others)]
            kernel.macs += sum(other.macs for other in others)
            kernel.padded += sum(other.padded for other in others)
            for other in others:
                kernel.location = kernel.location.merged(other.location)
                for mine, theirs in zip(words_of(kernel.body), words_of(other.body), strict=True):
                    mine.location = mine.location.merged(theirs.location)
            self._change(kernel, turning=True)
        before, after = self.kernels[: self.start], self.kernels[stop:]
        for kernel in (*before, *after):
            self._change(kernel, turning=False)
        self.plan.stacks += self.stacks.values()
        return [*before, Rolled(body, self.count, LAYER), *after]

    def _tables(self) -> list[dict[Buffer, Buffer]] | None:
        """For each layer, which of its buffers stands for which of the first layer."""
        first = self.seen[self.start : self.start + self.period]
        found: list[dict[Buffer, Buffer]] = []
        for layer in range(self.count):
            table: dict[Buffer, Buffer] = {}
            back: dict[Buffer, Buffer] = {}
            at = self.start + layer * self.period
            for mine, theirs in zip(first, self.seen[at : at + self.period], strict=True):
                for a, b in zip(mine.buffers, theirs.buffers, strict=True):
                    if table.setdefault(a, b) is not b or back.setdefault(b, a) is not a:
                        return None
            found.append(table)
        return found

    def _sort(self, tables: list[dict[Buffer, Buffer]]) -> bool:
        """Whether every buffer is of one of the four kinds; enters what becomes of them."""
        given = {*self.plan.inputs.values(), *self.plan.constants}
        handed = self.handed = {o.buffer for o in self.plan.outputs.values()}
        writes = self._written()
        for buffer in tables[0]:
            column = [table[buffer] for table in tables]
            if all(b is buffer for b in column):
                if buffer in writes:
                    return False
            elif all(b in given for b in column) or all(b in handed for b in column):
                if len({b.dtype for b in column} | {b.shape for b in column}) != 2:
                    return False
                self.stacks[buffer] = column
            elif not self._temporary(buffer, column, tables, buffer in writes):
                return False
        return all(self._alone(stack) for stack in self.stacks.values())

    def _temporary(
        self,
        buffer: Buffer,
        column: list[Buffer],
        tables: list[dict[Buffer, Buffer]],
        written: bool,
    ) -> bool:
        """Whether buffers of later layers are made there, or handed on."""
        temps = all(b.kind == "temp" and b not in self.handed for b in column[1:])
        return temps and (self._made(column, written) or self._handed(buffer, column, tables))

    def _alone(self, stack: list[Buffer]) -> bool:
        """Whether no buffer of a stack is in another one."""
        others = [b for s in self.stacks.values() if s is not stack for b in s]
        return len(set(stack)) == len(stack) and not set(stack) & set(others)

    def _written(self) -> set[Buffer]:
        body = self.kernels[self.start : self.start + self.period]
        return {
            v.buffer.root
            for k in body
            for w in words_of(k.body)
            for v in w.writes()
            if v.buffer.space == "hbm"
        }

    def _users(self, buffer: Buffer) -> list[int]:
        return [n for n, seen in enumerate(self.seen) if buffer in seen.buffers]

    def _made(self, column: list[Buffer], written: bool) -> bool:
        """Whether a buffer is made in each layer, and only looked at there."""
        if not written:
            return False
        for layer, buffer in enumerate(column):
            low = self.start + layer * self.period
            if any(not low <= n < low + self.period for n in self._users(buffer)):
                return False
        return True

    def _handed(
        self, buffer: Buffer, column: list[Buffer], tables: list[dict[Buffer, Buffer]]
    ) -> bool:
        """Whether layers hand a buffer on: what layer 1 reads for it, layer 0 has written for
        another one. Both become the buffer that the first layer reads."""
        following = [b for b, second in tables[0].items() if second is column[1]]
        if len(following) != 1:
            # The one that is written: its turn comes with the one that is read.
            return buffer in self._results(tables)
        (result,) = following
        chain = [buffer, *(table[result] for table in tables)]
        read = [table[buffer] for table in tables]
        fits = all(a is b for a, b in zip(chain[:-1], read, strict=True))
        same = len({(b.dtype, b.size) for b in chain}) == 1
        if not fits or not same or buffer.kind != "temp" or chain[-1].kind != "temp":
            return False
        if not self._ordered(buffer, result):
            return False
        for other in chain[1:]:
            self.carried[other] = buffer
        return True

    def _results(self, tables: list[dict[Buffer, Buffer]]) -> set[Buffer]:
        """Buffers of the first layer that the second one reads in another's place."""
        second = set(tables[1].values())
        return {b for b in tables[0] if b in second}

    def _ordered(self, read: Buffer, written: Buffer) -> bool:
        """Whether a layer reads the one buffer for the last time before it writes the other; and
        nobody behind the run wants what only the first layer was given."""
        stop = self.start + self.period * self.count
        layer = range(self.start, self.start + self.period)
        reads = [n for n in self._users(read) if n in layer]
        writes = [n for n in self._users(written) if n in layer]
        later = [n for n in self._users(read) if n >= stop]
        return bool(reads) and bool(writes) and max(reads) < min(writes) and not later

    # ---- changing kernels ---------------------------------------------------------------------
    def _change(self, kernel: Kernel, turning: bool) -> None:
        for word in words_of(kernel.body):
            word.views = {name: self._changed(v, turning) for name, v in word.views.items()}

    def _changed(self, view: View, turning: bool) -> View:
        buffer = self.carried.get(view.buffer, view.buffer)
        terms = view.terms
        if turning and buffer in self.stacks:
            terms = (*terms, (LAYER, pitch(buffer)))
        return replace(
            view,
            buffer=buffer,
            terms=terms,
            meta=None if view.meta is None else self._changed(view.meta, turning),
            scale=None if view.scale is None else self._changed(view.scale, turning),
        )


def pitch(buffer: Buffer) -> int:
    """The distance of neighbours in a stack, in elements."""
    return -(-buffer.bytes // UNIT) * UNIT * 8 // buffer.element.bits
