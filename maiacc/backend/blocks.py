"""A block of kernels as a block of words: loops, registers, sources of loop variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from maiacc.backend import words as w
from maiacc.backend.loops import BOTH, DEEP, TILE, differ, loop_head, roles_of
from maiacc.backend.tables import Tables, descriptor_of
from maiacc_isa import program as pr
from maiacc_isa import word as isa
from maiacc_isa.errors import MaiaccError
from maiacc_isa.load import load
from maiacc_isa.machine import Machine
from maiacc_passes.kernel.model import Buffer, Kernel, Loop, Node, View, Word, words_of
from maiacc_passes.kernel.plan import Assign, Load, Scalar
from maiacc_passes.lowering.tiling import instances
from maiacc_passes.schedule.flow import Block
from maiacc_passes.schedule.places import Places, buffers_of
from maiacc_passes.schedule.schedule import Placed


@dataclass
class _Scope:
    """Where values are to be had in the loops around a word: sources of loop variables, and the
    registers that count slots, by loop (None outside of all) and number of slots."""

    sources: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    slots: dict[tuple[Loop | None, int], int] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    depth: int = 0


class BlockWriter:
    """Writes the words of one block."""

    def __init__(self, block: Block, placed: Placed) -> None:
        self.block = block
        self.placed = placed
        self.machine: Machine = placed.machine
        self.tables = Tables()
        self.words: list[isa.Word] = []
        self.origins: list[tuple[str, ...]] = []
        #: Where the words of each kernel begin, and where they end.
        self.spans: dict[str, tuple[int, int]] = {}
        self._origin: tuple[str, ...] = ()
        codes = load().sources
        self._code = {name: codes[name].code for name in ("L", "tile", "cluster", "gtile")}
        self._registers = self._ids = 0
        self._places = Places()
        self._declared: dict[Buffer, Loop | None] = {}
        self._live: dict[int, Scalar] = {}
        self._set: set[int] = set()
        taken = (scalar.register for scalar in placed.plan.scalars.values())
        self._limit = min(taken, default=load().limit("scalars"))

    def written(self, name: str) -> pr.Block:
        """The block."""
        for scalar in self.block.expected:
            self._reads(scalar)
        self._turns()
        self._origin = self.block.origin
        for word in self.block.scalars:
            self._scalar(word)
        self._origin = ()
        self._add(w.end(tuple(load().roles)))
        return pr.Block(
            name,
            tuple(self.words),
            tuple(self.tables.descriptors),
            tuple(self.tables.chains),
            tuple(made for _, made in self.tables.semaphores.values()),
            live_in=tuple(pr.LiveIn(n, s.low, s.high) for n, s in sorted(self._live.items())),
            buffers=self._arena(),
            origins=tuple(self.origins),
            symbols=pr.Symbols(
                semaphores={number: key for key, (number, _) in self.tables.semaphores.items()}
            ),
        )

    def _turns(self) -> None:
        """The kernels: once, or in the turns of a loop around them all."""
        block, scope = self.block, _Scope()
        if block.turns is None:
            self._kernels(scope)
            return
        variable, count = block.turns
        words = [word for kernel in block.kernels for word in words_of(kernel.body)]
        roles = BOTH if any(word.queue in w.CLUSTER for word in words) else TILE
        scope.sources[variable], scope.depth = ((self._code["L"], 1),), 1
        self._around(block.head)
        head = len(self.words)
        self._add(w.loop(roles, 0, count, 0))
        self._kernels(scope)
        self.words[head] = w.loop(roles, 0, count, len(self.words) - head - 1)
        self._add(w.end_loop(roles, 0))
        self._around(block.tail)

    def _kernels(self, scope: _Scope) -> None:
        for kernel, places in zip(self.block.kernels, self.block.places, strict=True):
            inner = _Scope(dict(scope.sources), depth=scope.depth)
            first = len(self.words)
            self._kernel(kernel, places, inner)
            self.spans[kernel.name] = (first, len(self.words))

    def _around(self, words: Sequence[Word]) -> None:
        for word in words:
            self._origin = word.location.nodes
            self._word(word, _Scope())

    def _arena(self) -> tuple[pr.Buffer, ...]:
        """The part of HBM where values lie that are not tensors of the host."""
        arena = self.placed.arena
        size = arena.peak - arena.start
        found = [pr.Buffer("arena", "uint8", (size,), "hbm", arena.start)] if size else []
        # What lies in a stack is reached from the first of it.
        for number, stack in enumerate(self.placed.plan.stacks):
            low, last = self.placed.bases[stack[0]], stack[-1]
            size = self.placed.bases[last] + last.bytes - low
            found.append(pr.Buffer(f"stack{number}", "uint8", (size,), "hbm", low))
        return tuple(found)

    def _add(self, word: isa.Word) -> None:
        self.words.append(word)
        self.origins.append(self._origin)

    # ---- scalars that outlive kernels ------------------------------------------------------
    def _reads(self, scalar: Scalar) -> int:
        """The register of a scalar, which the block finds set unless it has set it."""
        if scalar.register not in self._set:
            known = self._live.setdefault(scalar.register, scalar)
            assert (known.low, known.high) == (scalar.low, scalar.high), "one interval in a block"
        return scalar.register

    def _scalar(self, word: Load | Assign) -> None:
        dest = word.dest
        if isinstance(word, Load):
            operand = self._descriptor(word.view, False, _Scope())
            self._add(w.load_register(dest.register, operand, dest.low, dest.high))
        else:
            terms = tuple((self._reads(scalar), coef) for scalar, coef in word.terms)
            roles = tuple(load().roles) if word.everywhere else ("chip",)
            self._add(w.assign(roles, dest.register, word.imm, terms, word.function, word.m))
        self._set.add(dest.register)

    # ---- loops ----------------------------------------------------------------------------
    def _kernel(self, kernel: Kernel, places: Places, scope: _Scope) -> None:
        self._places = places
        self._declared = dict(buffers_of(kernel))
        self._registers = self._ids = 0
        self._origin = kernel.location.nodes
        self._slots(kernel.body, None, scope)
        self._nodes(kernel.body, scope)

    def _nodes(self, nodes: list[Node], scope: _Scope) -> None:
        for node in nodes:
            if isinstance(node, Loop):
                self._loop(node, scope)
            else:
                self._origin = node.location.nodes or self._origin
                self._word(node, scope)

    def _slots(self, body: list[Node], loop: Loop | None, scope: _Scope) -> None:
        """Registers that count the slots of every loop of a kernel, set to 0."""
        for node in body:
            if isinstance(node, Loop):
                counts = sorted({self._places.slots[b] for b in node.buffers} - {1})
                for count in counts:
                    register = self._register()
                    scope.slots[node, count] = register
                    self._add(w.set_register(roles_of(node), register))
                self._slots(node.body, node, scope)

    def _register(self, ids: bool = False) -> int:
        """A register of a kernel. Those that hold numbers of instances are others than those that
        count slots, in all kernels: so the prover sees that instances differ in addresses only."""
        if self._registers + self._ids >= self._limit:
            raise MaiaccError("E1504", "a kernel needs more registers than there are")
        if ids:
            self._ids += 1
            return self._limit - self._ids
        self._registers += 1
        return self._registers - 1

    def _loop(self, loop: Loop, scope: _Scope) -> None:
        roles = roles_of(loop)
        inner = _Scope(dict(scope.sources), scope.slots, dict(scope.levels), scope.depth)
        own = self._own_trips(loop, roles, scope.depth)
        looped, head = loop.trips > 1 or own is not None, len(self.words)
        if looped:
            self._add(loop_head(loop, roles, scope.depth, own, 0))
            inner.levels[loop.variable] = scope.depth
            inner.depth += 1
        inner.sources[loop.variable] = self._variable(loop, scope.depth, roles)
        self._nodes(loop.body, inner)
        for (owner, count), register in scope.slots.items():
            if owner is loop:
                step = w.set_register(roles, register, 1, ((register, 1),), count)
                self._add(step)
        if looped:
            length = len(self.words) - head - 1
            self.words[head] = loop_head(loop, roles, scope.depth, own, length)
            self._add(w.end_loop(roles, scope.depth))

    def _own_trips(self, loop: Loop, roles: tuple[str, ...], depth: int) -> int | None:
        """The register with the trips of each instance of a loop that some walk once less: what
        they would load for nothing is not loaded."""
        count = instances(self.machine, loop.spread)
        if depth >= DEEP or not differ(loop, roles, count):
            return None
        register, terms = self._register(ids=True), ((self._code[loop.spread], -1),)
        self._add(w.assign(roles, register, loop.pieces - 1 + count, terms, "div", count))
        return register

    def _variable(
        self, loop: Loop, level: int, roles: tuple[str, ...]
    ) -> tuple[tuple[int, int], ...]:
        """Sources whose sum is the value of a loop's variable."""
        counter = self._code["L"] + level
        if not loop.spread:
            return ((counter, 1),) if loop.trips > 1 else ()
        mine = self._code[loop.spread]
        if loop.trips == 1:
            return ((mine, 1),)
        register = self._register(ids=True)
        terms = ((mine, 1), (counter, instances(self.machine, loop.spread)))
        own = TILE if loop.spread != "cluster" else roles
        self._add(w.set_register(own, register, 0, terms))
        return ((register, 1),)

    # ---- words ----------------------------------------------------------------------------
    def _word(self, word: Word, scope: _Scope) -> None:
        operands = {}
        for name, view in word.views.items():
            everywhere = name == "d" and (
                (word.queue == "CLD" and view.buffer.space == "tsram")
                or view.buffer.root in self.placed.near
            )
            operands[name] = self._descriptor(view, everywhere, scope)
        chain = None if word.chain is None else self.tables.chain(word.chain)
        self._add(
            w.instruction(
                word,
                operands,
                chain,
                _fresh(word, scope),
                self._tokens(word.waits),
                self._tokens(word.posts),
            )
        )

    def _descriptor(self, view: View, everywhere: bool, scope: _Scope) -> int:
        """The number of a view's descriptor; ``everywhere``: in all tiles of a cluster, or in all
        clusters."""
        buffer = view.buffer
        slot = None
        if buffer in self._declared:
            base, pitch = self._places.base[buffer], self._places.pitch[buffer]
            count = self._places.slots[buffer]
            if count > 1:
                slot = (scope.slots[self._declared[buffer], count], 1)
        elif buffer.space == "iota":
            base = pitch = 0
        else:
            base, pitch = self.placed.bases[buffer.root], 0
            offset, terms = view.offset + buffer.offset, (*view.terms, *buffer.terms)
            view = replace(view, offset=offset, terms=terms)
        sources = dict(scope.sources)
        for name in view.variables() - sources.keys():
            sources[name] = ((self._reads(self.placed.plan.scalars[name]), 1),)
        made = descriptor_of(view, base, pitch, slot, sources)
        if view.meta is not None:
            made = replace(made, meta=self._descriptor(view.meta, everywhere, scope))
        if view.scale is not None:
            made = replace(made, scale=self._descriptor(view.scale, everywhere, scope))
        if buffer.root in self.placed.near:
            made = replace(made, space="csram")
        if everywhere:
            made = replace(made, home="all")
        return self.tables.descriptor(made)

    def _tokens(self, names: list[str]) -> tuple[isa.Token, ...]:
        semaphores = self.block.semaphores
        return tuple((self.tables.semaphore(name, semaphores[name]), 1) for name in names)


def _fresh(word: Word, scope: _Scope) -> dict[str, object]:
    """When a product overwrites the accumulators: in the first iteration of the loops that its
    field ``over`` names."""
    if word.kind not in ("multiply", "multiply_sparse"):
        return {}
    loops = word.fields.get("over", ())
    assert isinstance(loops, tuple)
    levels = sorted(scope.levels[name] for name in loops if name in scope.levels)
    if word.fields.get("mode") == "acc":
        return {"mode": "acc"}
    if not levels:
        return {"mode": "over"}
    return {"mode": "first", "level": levels[0]}
