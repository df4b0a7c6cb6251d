"""Tensors of the host that stand for HBM as they are: found once, exchanged at every run.

What is not that simple (tensors that are split, overlap, or are kept as codes that have to be
looked at) goes the way that the reference simulator goes, in ``maiacc_sim.tensors``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.load import load
from maiacc_isa.program import Program, Tensor
from maiacc_sim.memory import Owner
from maiacc_sim.native.memory import NativeMemories, Place
from maiacc_sim.tensors import host_dtype


@dataclass
class Bound:
    """A tensor that is one piece of one memory, the arrays that fit it, and its place. ``lent`` is
    the array that stands there, and ``held`` the bytes of it as long as it does."""

    tensor: Tensor
    dtype: np.dtype[Any]
    place: Place
    lent: NDArray[Any] | None = None
    held: NDArray[Any] | None = None

    def fits(self, value: NDArray[Any] | None) -> bool:
        """Whether an array may stand for the tensor as it is."""
        return (
            value is not None
            and value.dtype == self.dtype
            and value.shape == self.tensor.shape
            and value.flags.c_contiguous
        )

    def lend(self, value: NDArray[Any]) -> None:
        """Lets an array stand for the tensor."""
        if value is self.lent and self.place.piece.data is self.held:
            return
        self.place.exchange(value, fixed=True)
        self.lent, self.held = value, self.place.piece.data


class Bindings:
    """The inputs and outputs of a program, as far as they are simple."""

    def __init__(self, program: Program, memories: NativeMemories) -> None:
        single = program.machine.chips == 1
        found = [self._bound(t, memories) for t in program.tensors if single and _simple(t)]
        bound = [each for each in found if each is not None]
        self._inputs = [b for b in bound if b.tensor.kind == "input"]
        self._outputs = [b for b in bound if b.tensor.kind == "output"]
        taken = {b.tensor.name for b in bound}
        kinds = ("input", "output", "state")
        self._all = all(t.name in taken for t in program.tensors if t.kind in kinds)

    @staticmethod
    def _bound(tensor: Tensor, memories: NativeMemories) -> Bound | None:
        number = memories.system.instance("chip", 0).number
        place = memories.place(Owner("hbm", number), tensor.base, tensor.bytes())
        return None if place is None else Bound(tensor, host_dtype(tensor.dtype), place)

    def exchange(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]] | None:
        """Lends inputs to the machine; outputs, which it writes to. None, and nothing done, if an
        array does not fit or the program has tensors that are not simple."""
        if not self._all or len(inputs) != len(self._inputs):
            return None
        if not all(bound.fits(inputs.get(bound.tensor.name)) for bound in self._inputs):
            return None
        for bound in self._inputs:
            bound.lend(inputs[bound.tensor.name])
        made = {}
        for bound in self._outputs:
            array = np.empty(bound.tensor.shape, bound.dtype)
            bound.place.exchange(array, fixed=False)
            made[bound.tensor.result or bound.tensor.name] = array
        return made


def _simple(tensor: Tensor) -> bool:
    """Whether any array of the right type and shape has the bytes of the tensor."""
    t = load().dtypes[tensor.dtype]
    whole = t.bits == 8 * host_dtype(tensor.dtype).itemsize and t.kind != "bool"
    return tensor.kind in ("input", "output") and not tensor.split and whole
