"""The iteration space of a group: which axes of its values are the same dim.

Axes of size 1 are no dims. Elementwise ops make axes meet from the right, reductions drop some,
transposes permute them; a reshape that only adds or drops axes of size 1 keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.ir.vocabulary.contractions import split_spec

#: Kinds of ops that work element by element, composites that are functions of the machine too.
ELEMENTWISE = (Kind.MAP, Kind.COMPOSITE)

#: An axis of a value.
Place = tuple[Value, int]


class Space:
    """Dims of a group. ``sizes`` are their extents; ``dims`` gives the dim of each axis of a value,
    None for one of size 1."""

    def __init__(self) -> None:
        self._parent: dict[Place, Place] = {}
        self._numbers: dict[Place, int] = {}
        self.sizes: list[int] = []

    def find(self, place: Place) -> Place:
        """The axis that stands for all that are the same."""
        root = place
        while (parent := self._parent.get(root, root)) != root:
            root = parent
        while (parent := self._parent.get(place, place)) != root:
            self._parent[place] = root
            place = parent
        return root

    def link(self, one: Place, other: Place) -> None:
        """Says that two axes are the same dim."""
        a, b = self.find(one), self.find(other)
        if a != b:
            self._parent[b] = a

    def dim(self, place: Place) -> int | None:
        """The number of an axis's dim."""
        value, axis = place
        if value.type.shape[axis] == 1:
            return None
        root = self.find(place)
        if root not in self._numbers:
            self._numbers[root] = len(self.sizes)
            self.sizes.append(value.type.shape[axis])
        return self._numbers[root]

    def dims(self, value: Value) -> tuple[int | None, ...]:
        """The dims of a value's axes."""
        return tuple(self.dim((value, axis)) for axis in range(value.type.rank))

    def of(self, value: Value) -> tuple[int, ...]:
        """The dims that a value has, in the order of its axes."""
        return tuple(dim for dim in self.dims(value) if dim is not None)


def joined(space: Space, ops: Iterable[Op]) -> None:
    """Links the axes of the operands and results of ops; of products only those of a left operand
    that one of the ops makes."""
    made: set[Value] = set()
    for op in ops:
        kind = op.row.kind
        if op.name == "contract" and op.operands[0] in made:
            _summed(space, op)
        made.update(op.results)
        if kind in ELEMENTWISE or op.name == "broadcast":
            for operand in op.operands:
                if operand is not None:
                    for result in op.results:
                        _meet(space, operand, result)
            for result in op.results[1:]:
                _meet(space, op.results[0], result)
        elif kind is Kind.REDUCE:
            _reduced(space, op)
        elif op.name == "transpose":
            source = op.operands[0]
            assert source is not None
            perm = op.attrs["perm"]
            assert isinstance(perm, tuple)
            for axis, origin in enumerate(perm):
                space.link((source, int(origin)), (op.result, axis))
        elif op.name == "reshape" and unit_reshape(op):
            source = op.operands[0]
            assert source is not None
            pairs = zip(_wide(source), _wide(op.result), strict=True)
            for a, b in pairs:
                space.link((source, a), (op.result, b))


def _summed(space: Space, op: Op) -> None:
    """Links the rows of a product and of its left operand."""
    left, _, out = split_spec(str(op.attrs["spec"]))
    source = op.operands[0]
    assert source is not None
    for axis, letter in enumerate(left):
        if letter in out:
            space.link((source, axis), (op.result, out.index(letter)))


def _wide(value: Value) -> list[int]:
    return [axis for axis, size in enumerate(value.type.shape) if size != 1]


def unit_reshape(op: Op) -> bool:
    """Whether a reshape only adds or drops axes of size 1."""
    source = op.operands[0]
    assert source is not None
    shapes = [[n for n in v.type.shape if n != 1] for v in (source, op.result)]
    return shapes[0] == shapes[1]


def _meet(space: Space, one: Value, other: Value) -> None:
    """Axes meet from the right; one of size 1 stretches."""
    a, b = one.type.shape, other.type.shape
    for back in range(1, min(len(a), len(b)) + 1):
        if a[-back] == b[-back] != 1:
            space.link((one, len(a) - back), (other, len(b) - back))


def reduced_axes(op: Op) -> tuple[int, ...]:
    """The axes that a reduction takes away."""
    source = op.operands[0]
    assert source is not None
    rank = source.type.rank
    axes: Sequence[int]
    if "axes" in op.attrs:
        given = op.attrs["axes"]
        assert isinstance(given, tuple)
        axes = [int(a) for a in given]
    else:
        axis = op.attrs["axis"]
        assert isinstance(axis, int)
        axes = [axis]
    return tuple(sorted({a % rank for a in axes})) if rank else ()


def _reduced(space: Space, op: Op) -> None:
    source = op.operands[0]
    assert source is not None
    gone = reduced_axes(op)
    keep = bool(op.attrs["keep"])
    for result in op.results:
        at = 0
        for axis in range(source.type.rank):
            if axis in gone:
                at += keep
                continue
            space.link((source, axis), (result, at))
            at += 1
