"""Words of one tile of a group: loads, chains, reductions, stores.

Expressions are cut into chains of at most three stages and three inputs, each of them one word.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from maiacc_passes.ir.graph import NOWHERE, Location
from maiacc_passes.kernel.limits import INPUTS, STAGES
from maiacc_passes.kernel.model import Axis, Buffer, Chain, Dim, Node, Stage, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.drains import drained
from maiacc_passes.lowering.expr import Expr, Tile, constant, leaf
from maiacc_passes.lowering.specials import special
from maiacc_passes.lowering.tiling import Tiling

#: A coordinate that no axis has.
NOWHERE_NEAR = 1 << 31


class Writer:
    """Collects the words and buffers of the innermost body, and loads apart from it."""

    def __init__(self, tiling: Tiling) -> None:
        self.tiling = tiling
        self.words: list[Node] = []
        self.loads: list[tuple[Word, Buffer]] = []
        #: Loops of loads, the load in each, and what they fill.
        self.panels: list[tuple[Node, Word, Buffer]] = []
        self.buffers: list[Buffer] = []
        self.location: Location = NOWHERE
        #: The dims of the largest result, in the order in which they lie in memory.
        self.stored: tuple[int, ...] = ()
        #: The word that made a buffer on the vector unit, and the tiles that it reads.
        self.mapped: dict[Buffer, tuple[Word, dict[str, Tile]]] = {}
        self._loaded: dict[object, Tile] = {}
        self._free: dict[tuple[str, int], list[Buffer]] = {}
        self._left: dict[Expr, int] = {}

    # ---- tiles ----------------------------------------------------------------------------
    def size(self, dims: Sequence[int]) -> int:
        """Elements of a tile with these dims."""
        return prod(self.tiling.tiles[d] for d in dims)

    def tile(self, dtype: str, dims: Sequence[int], name: str = "t", fresh: bool = False) -> Tile:
        """A new tile, its dims in this order, row by row; ``fresh`` ones have a buffer that nobody
        had before."""
        shape = tuple(self.tiling.tiles[d] for d in dims) or (1,)
        size = prod(shape)
        pool = None if fresh else self._free.get((dtype, size))
        if pool:
            buffer = pool.pop()
            self.mapped.pop(buffer, None)
        else:
            buffer = Buffer(f"{name}{len(self.buffers)}", dtype, shape, "tsram")
            self.buffers.append(buffer)
        return Tile(buffer, tuple(dims), self._dense(dims))

    def usual(self, dims: Sequence[int]) -> tuple[int, ...]:
        """Dims in the order of what is stored, if they all occur there; else as they are."""
        if not set(dims) <= set(self.stored):
            return tuple(dims)
        return tuple(sorted(dims, key=self.stored.index))

    def _dense(self, dims: Sequence[int]) -> dict[int, int]:
        strides: dict[int, int] = {}
        step = 1
        for dim in reversed(dims):
            strides[dim] = step
            step *= self.tiling.tiles[dim]
        return strides

    def view(self, tile: Tile, dims: Sequence[int], split: int | None = None) -> View:
        """A tile's elements in the order of dims; those that it lacks repeat."""
        tiles = self.tiling.tiles
        if tile.buffer.space == "iota":
            return self._coordinates(tile, dims, split)
        sides = [Side(tiles[d], tile.strides.get(d, 0)) for d in dims]
        return strided(tile.buffer, sides, split, dtype=tile.dtype)

    def _coordinates(self, tile: Tile, dims: Sequence[int], split: int | None) -> View:
        sizes = [(self.tiling.tiles[d], tile.strides.get(d, 0)) for d in dims]
        if tile.fill is not None:
            # Coordinates outside of the box read as the fill value.
            found: tuple[Dim, ...] = (Dim(prod(n for n, _ in sizes), 0, 0),)
            axis = Axis(1, 0, -1)
            if split is not None:
                found = tuple(Dim(prod(n for n, _ in part), 0, 0) for part in _cut(sizes, split))
            return View(tile.buffer, (axis,), found, len(found[:1]), fill=tile.fill)
        axis = Axis(NOWHERE_NEAR, 0, 0, tile.terms)
        made = tuple(Dim(n, 0, step) for n, step in sizes) or (Dim(1, 0, 0),)
        return View(tile.buffer, (axis,), made, len(made) if split is None else split)

    def coordinates(self, dim: int, dtype: str) -> Expr:
        """The place of each element along a dim."""
        terms = self.tiling.side(dim, 1, box=False).terms
        buffer = Buffer("iota", dtype, (1,), "iota")
        return leaf(Tile(buffer, (dim,), {dim: 1}, terms=terms))

    # ---- loads and stores -------------------------------------------------------------------
    def load(
        self,
        access: Access,
        dims: Sequence[int | None],
        queue: str,
        weights: bool = False,
        fill: float = 0.0,
    ) -> Tile:
        """The part of an access that a tile needs; ``dims`` gives the dim of each of its axes."""
        key = access, tuple(dims), fill
        if key in self._loaded:
            return self._loaded[key]
        steps: dict[int, int] = {}
        for dim, stride, size in zip(dims, access.strides, access.sizes, strict=True):
            if dim is not None and size > 1 and stride:
                steps[dim] = steps.get(dim, 0) + stride
        order = sorted(steps, key=lambda d: (-abs(steps[d]), d))
        dtype = access.dtype or access.buffer.dtype
        shape = tuple(self.tiling.tiles[d] for d in order) or (1,)
        buffer = Buffer(f"l{len(self.loads)}", dtype, shape, "tsram")
        tile = Tile(buffer, tuple(order), self._dense(order))
        source = strided(
            access.buffer,
            [self.tiling.side(d, steps[d]) for d in order],
            offset=access.offset,
            fill=fill,
            dtype=access.dtype,
        )
        views = {"d": self.view(tile, order), "a": source}
        word = Word("copy", queue, views, location=self.location, weights=weights)
        self.loads.append((word, buffer))
        self._loaded[key] = tile
        return tile

    def store(self, tile: Tile, access: Access, dims: Sequence[int | None]) -> None:
        """Elements of a tile to where they go."""
        steps: dict[int, int] = {}
        for dim, stride in zip(dims, access.strides, strict=True):
            if dim is not None:
                steps[dim] = stride
        order = sorted(steps, key=lambda d: (-abs(steps[d]), d))
        sides = [self.tiling.side(d, steps[d]) for d in order]
        target = strided(
            access.buffer,
            [*self.tiling.guards(order), *sides],
            offset=access.offset,
            drop=True,
            dtype=access.dtype,
        )
        views = {"d": target, "a": self.view(tile, order)}
        self.words.append(Word("copy", "ST", views, location=self.location))

    # ---- expressions ------------------------------------------------------------------------
    def count(self, roots: Sequence[Expr]) -> None:
        """Counts the uses of all expressions below some that are wanted."""
        seen: set[Expr] = set()
        stack = list(roots)
        for root in roots:
            root.uses += 1
        while stack:
            expr = stack.pop()
            if expr in seen:
                continue
            seen.add(expr)
            for child in expr.reads():
                child.uses += 1
                stack.append(child)

    def get(self, root: Expr, dims: Sequence[int] | None = None, dtype: str = "") -> Tile:
        """The tile of an expression; the words that make it are written if they are not yet.
        ``dims`` and ``dtype`` say how a result that is not there yet is to be kept."""
        stack = [root]
        while stack:
            expr = stack[-1]
            if expr.tile is not None:
                stack.pop()
                continue
            stages = self._chain(expr) if expr.stage else [expr]
            needed = [x for s in stages for x in s.reads() if x not in stages]
            missing = [x for x in dict.fromkeys(needed) if x.tile is None]
            if missing:
                stack += reversed(missing)
                continue
            wanted = (dims, dtype) if expr is root else (None, "")
            if expr.stage:
                self._write_chain(expr, stages, *wanted)
            else:
                special(self, expr)
            for x in dict.fromkeys(needed):
                self.used(x)
            stack.pop()
        assert root.tile is not None
        return root.tile

    def used(self, expr: Expr) -> None:
        """One reader of an expression is done; the buffer of one without more is free."""
        left = self._left.get(expr, expr.uses) - 1
        self._left[expr] = left
        if left == 0 and expr.tile is not None and expr.op != "leaf":
            buffer = expr.tile.buffer
            if buffer in self.buffers and expr.tile.dtype == "":
                self._free.setdefault((buffer.dtype, buffer.size), []).append(buffer)

    def _chain(self, root: Expr) -> list[Expr]:
        """The stages that end in an expression and fit one word, in order. A move at the end is
        none where another stage's result can leave in its place."""
        stages = [root]
        grown = True
        while grown and len(stages) < STAGES + (root.op == "mov"):
            grown = False
            for stage in stages:
                for child in stage.reads():
                    if child in stages or not self._inlines(child, root, stages):
                        continue
                    trial = [child, *stages]
                    if len(_leaves(trial)) <= INPUTS:
                        stages, grown = trial, True
                        break
                if grown:
                    break
        return stages

    @staticmethod
    def _inlines(child: Expr, root: Expr, stages: Sequence[Expr]) -> bool:
        users = sum(x is child for s in stages for x in s.reads())
        return (
            child.stage
            and not child.forced
            and child.compute == root.compute
            and child.uses == users
            and set(child.dims) == set(root.dims)
            and "round" not in child.fields
            and bool(child.fields.get("zero_div")) == bool(root.fields.get("zero_div"))
        )

    def _write_chain(
        self, expr: Expr, stages: list[Expr], dims: Sequence[int] | None, dtype: str
    ) -> None:
        leaves = _leaves(stages)
        names = dict(zip(leaves, "abc", strict=False))
        if len(stages) > 1 and expr.op == "mov":
            stages = stages[:-1]
        results: dict[Expr, str] = {s: f"r{i}" for i, s in enumerate(stages)}
        written = []
        for stage in stages:
            inputs: list[str | float] = []
            for x in stage.inputs:
                if isinstance(x, Expr):
                    inputs.append(results[x] if x in results else names[x])
                else:
                    inputs.append(x)
            written.append(Stage(stage.op, tuple(inputs)))
        layout = self.usual(expr.dims) if dims is None else tuple(dims)
        result = self.tile(dtype or expr.store, layout)
        fields = expr.fields
        chain = Chain(
            expr.compute,
            tuple(written),
            saturate=bool(fields.get("saturate")),
            round=str(fields.get("round", "rne")),
            zero_div=bool(fields.get("zero_div")),
        )
        by_drain = drained(chain, leaves, result)
        split = max(0, len(layout) - 1) if by_drain else None
        views = {"d": self.view(result, layout, split)}
        for x, name in names.items():
            assert x.tile is not None
            views[name] = self.view(x.tile, layout, split)
        if "a" not in views:
            number = constant(0.0, expr.compute).tile
            assert number is not None
            views["a"] = self.view(number, layout)
        kind, queue = ("drain", "DRN") if by_drain else ("map", "TVP")
        word = Word(kind, queue, views, chain, location=self.location)
        self.words.append(word)
        if not by_drain and len(leaves) == len(views) - 1:
            tiles = {name: x.tile for x, name in names.items() if x.tile is not None}
            self.mapped[result.buffer] = word, {"d": result, **tiles}
        expr.tile = result


def _cut(sizes: Sequence[tuple[int, int]], split: int) -> tuple[Sequence[tuple[int, int]], ...]:
    return sizes[:split], sizes[split:]


def _leaves(stages: Sequence[Expr]) -> list[Expr]:
    """What stages read that none of them makes, accumulators first."""
    found = dict.fromkeys(x for s in stages for x in s.reads() if x not in stages)
    return sorted(found, key=lambda x: x.tile is None or x.tile.buffer.space != "acc")
