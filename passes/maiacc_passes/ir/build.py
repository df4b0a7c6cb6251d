"""Making ops: types of results follow from the table, locations from whoever builds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from maiacc_passes.ir.graph import NOWHERE, Location, Module, Op, Region, Value
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.types import Type, element_of, tensor
from maiacc_passes.ir.weights import Array, Data, Splat

#: Constants of at most so many bytes are kept once each.
SHARED = 64


class Builder:
    """Puts ops into a region: at its end, or in front of the op ``before``.

    ``b("add", x, y)`` makes an op and gives its only result, ``b.many`` gives all results, and
    ``b.op`` the op itself.
    """

    def __init__(
        self,
        module: Module,
        region: Region | None = None,
        before: Op | None = None,
        location: Location = NOWHERE,
    ) -> None:
        self.module = module
        self.region = module.main if region is None else region
        self.before = before
        self.location = location
        self._shared: dict[tuple[Type, bytes], Value] = {}

    def op(
        self, name: str, *operands: Value | None, regions: Sequence[Region] = (), **attrs: Any
    ) -> Op:
        """A new op. Raises ``IRError`` where the row does not allow it."""
        row = OPS[name]
        full = row.full_attrs(attrs)
        while operands and operands[-1] is None:
            operands = operands[:-1]
        kinds = [None if value is None else value.type for value in operands]
        types = row.result_types(full, kinds, regions)
        op = Op(row, operands, full, types, regions, self.location)
        self.region.insert(op, self.before)
        return op

    def __call__(
        self, name: str, *operands: Value | None, regions: Sequence[Region] = (), **attrs: Any
    ) -> Value:
        """A new op's only result."""
        return self.op(name, *operands, regions=regions, **attrs).result

    def many(
        self, name: str, *operands: Value | None, regions: Sequence[Region] = (), **attrs: Any
    ) -> list[Value]:
        """A new op's results."""
        return self.op(name, *operands, regions=regions, **attrs).results

    def again(self, op: Op, operands: Sequence[Value | None]) -> list[Value]:
        """An op like another, without regions, with other operands."""
        attrs: dict[str, Any] = dict(op.attrs)
        return self.many(op.name, *operands, **attrs)

    @contextmanager
    def inside(self, region: Region) -> Iterator[Region]:
        """Builds at the end of another region for a while."""
        kept = self.region, self.before
        self.region, self.before = region, None
        try:
            yield region
        finally:
            self.region, self.before = kept

    def constant(self, value: Array | float | bool | Sequence[Any], dtype: str = "") -> Value:
        """A constant of the module: an array, or a number or list with an element type."""
        array = np.asarray(value) if not dtype else _as(value, dtype)
        kind = tensor(element_of(array.dtype).name, array.shape)
        if array.nbytes > SHARED:
            return self.module.add_weight("c", kind, Data(array))
        key = kind, array.tobytes()
        found = self._shared.get(key)
        if found is None or found.weight is None or found.weight.name not in self.module.weights:
            found = self._shared[key] = self.module.add_weight("c", kind, Data(array))
        return found

    def splat(self, value: float, kind: Type) -> Value:
        """A constant whose elements are all the same."""
        scalar = _as(value, kind.dtype)
        return self.module.add_weight("c", kind, Splat(scalar))


def _as(value: Any, dtype: str) -> Array:
    element = tensor(dtype).element
    return np.asarray(value).astype(element.numpy)
