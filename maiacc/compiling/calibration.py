"""Data to calibrate with: inputs of a model as users would give them, many at a time.

An array has the name of an input. It is a stack of samples in one of two ways: it has one more axis
in front, or the first axis, the batch, is a multiple of that of the input. An array of one sample
goes with each sample of the others, such as positions that are always the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from maiacc.running.arrays import read_stacks
from maiacc_isa.atomic import open_plain
from maiacc_isa.errors import MaiaccError, Place, quote
from maiacc_isa.program import Tensor
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.weights import Array
from maiacc_sim.tensors import FOREIGN, title

#: The most bytes of all arrays of a file.
LIMIT = 1 << 30

#: Bytes that are read at once for the digest of a file.
PIECE = 1 << 20


@dataclass(frozen=True)
class Calibration:
    """Samples from a file (``path``, .npz), or from ``arrays`` by the names of inputs."""

    path: str = ""
    arrays: Mapping[str, ArrayLike] | None = field(default=None, compare=False, repr=False)

    def samples(self, module: Module) -> list[dict[str, Array]]:
        """The inputs of a model for each sample.

        Raises ``MaiaccError``: E0002 or E0005 for a file that cannot be read, E1204 for one that is
        no archive of arrays or has more than ``LIMIT`` bytes, E1202 for names that are no inputs,
        E1201 for inputs without data, E1203 for other types or shapes, E1508 for no samples, for
        numbers of samples that differ, and for values that are infinite or NaN.
        """
        kinds = {
            name: value.type for name, value in zip(module.inputs, module.main.params, strict=True)
        }
        place = Place(file=self.path) if self.path else None
        given = self._read(kinds)
        missing = [name for name in kinds if name not in given]
        if missing:
            raise MaiaccError(
                "E1201",
                f"there are no calibration data for {quote(missing[0])}",
                place=place,
                expected=", ".join(f"{quote(name)} : {kind}" for name, kind in kinds.items()),
                found="missing: " + quote(", ".join(missing)),
                hint="numpy.savez(FILE, NAME=ARRAY, ...) with an array for each input",
            )
        stacks = {name: _stack(given[name], kind) for name, kind in kinds.items()}
        return _dealt(stacks, place)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the file, or of the arrays with their names, types and shapes. Raises
        ``MaiaccError`` E0002 or E0005."""
        found = hashlib.sha256()
        if self.arrays is None:
            with open_plain(self.path) as file:
                while piece := file.read(PIECE):
                    found.update(piece)
            return found.hexdigest()
        for name, given in sorted(self.arrays.items()):
            array = np.ascontiguousarray(given)
            found.update(f"{name} {array.dtype} {array.shape} ".encode())
            found.update(array.reshape(-1).view(np.uint8).data)
        return found.hexdigest()

    def _read(self, kinds: Mapping[str, Type]) -> dict[str, Array]:
        """Arrays in the types of the inputs."""
        if self.arrays is not None:
            return {name: _checked(name, a, kinds) for name, a in self.arrays.items()}
        tensors = {
            name: Tensor(name, "input", kind.dtype, kind.shape, 0) for name, kind in kinds.items()
        }
        found = read_stacks(self.path, tensors, LIMIT, lambda t, shape: _fits(t.shape, shape))
        return {
            name: array.view(kinds[name].element.numpy) if kinds[name].dtype in FOREIGN else array
            for name, array in found.items()
        }


def _fits(one: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether an array of a shape is a stack of samples of another."""
    stacked = len(shape) == len(one) + 1 and tuple(shape[1:]) == tuple(one)
    batch = bool(one) and len(shape) == len(one) and tuple(shape[1:]) == tuple(one[1:])
    return stacked or (batch and one[0] > 0 and shape[0] % one[0] == 0)


def _checked(name: str, given: ArrayLike, kinds: Mapping[str, Type]) -> Array:
    """Raises ``MaiaccError`` E1202, E1203."""
    array = np.asarray(given)
    kind = kinds.get(name)
    if kind is None:
        expected = quote(", ".join(kinds)) or "no inputs"
        raise MaiaccError(
            "E1202", f"the model has no input {quote(name)}", expected=expected, found=quote(name)
        )
    if array.dtype != kind.element.numpy or not _fits(kind.shape, array.shape):
        tensor = Tensor(name, "input", kind.dtype, kind.shape, 0)
        raise MaiaccError(
            "E1203",
            f"the array for {quote(name)} does not fit",
            expected=f"{title(tensor)}, or many of them",
            found=f"{array.dtype}{list(array.shape)}",
            hint="one more axis in front, or a multiple of the batch",
        )
    return array


def _stack(array: Array, kind: Type) -> Array:
    """[samples, *shape of the input]."""
    return array.reshape(-1, *kind.shape) if prod(kind.shape) else array[:0]


def _dealt(stacks: Mapping[str, Array], place: Place | None) -> list[dict[str, Array]]:
    """The inputs for each sample. Raises ``MaiaccError`` E1508."""
    counts = {name: len(array) for name, array in stacks.items()}
    count = max(counts.values(), default=0)
    text = ", ".join(f"{quote(name)}: {n}" for name, n in counts.items())
    if not count or not min(counts.values()):
        raise MaiaccError(
            "E1508",
            "there are no samples to calibrate with",
            place=place,
            expected="one sample at least",
            found=text or "a model without inputs",
            hint="a few dozen inputs like those that the model is used on",
        )
    if any(n not in (1, count) for n in counts.values()):
        raise MaiaccError(
            "E1508",
            "inputs have different numbers of samples",
            place=place,
            expected="the same number for all of them, or 1",
            found=text,
        )
    for name, array in stacks.items():
        if array.dtype.kind not in "biu" and not np.isfinite(array.astype(np.float64)).all():
            raise MaiaccError(
                "E1508",
                f"the samples of {quote(name)} are not all finite",
                place=place,
                expected="no infinity and no NaN",
                hint="look at how the data were made",
            )
    return [
        {name: array[min(number, len(array) - 1)] for name, array in stacks.items()}
        for number in range(count)
    ]
