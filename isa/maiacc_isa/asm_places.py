"""Where a view of assembly text lies: a buffer, a tensor, or a memory and an address."""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_isa.asm_errors import fail, unknown
from maiacc_isa.asm_nodes import BufferPlace, Linear, RawPlace, View
from maiacc_isa.asm_sums import Scope, Sums
from maiacc_isa.load import load
from maiacc_isa.program import Buffer, Tensor, tensor_buffer
from maiacc_isa.tables import Term


@dataclass(frozen=True)
class Place:
    """Memory, type and address of a view. ``axes`` are the buffer's extents and strides, None
    where the view writes them out; ``shown`` is how messages call it."""

    space: str
    dtype: str
    base: int
    home: str
    terms: list[Term]
    axes: tuple[tuple[int, int], ...] | None
    shown: str


class Places:
    """The buffers and tensors that views of one block may name."""

    def __init__(
        self, tensors: dict[str, Tensor], buffers: dict[str, Buffer], sums: Sums, chips: int
    ) -> None:
        self._tensors = tensors
        self._chips = chips
        self._buffers = buffers
        self._sums = sums

    def is_buffer(self, name: str) -> bool:
        return name in self._buffers or name in self._tensors

    def place(self, view: View, scope: Scope) -> Place:
        """The place of a view."""
        place = view.place
        home, terms = self._home(place.home, scope)
        if isinstance(place, BufferPlace):
            return self._buffer_place(place, scope, home, terms)
        self._check_raw(place)
        constant, sources = 0, dict[int, int]()
        if place.offset is not None:
            constant, sources = self._sums.collect(place.offset, scope, {})
        terms += [Term(code, "bytes", coef) for code, coef in sources.items()]
        base = place.base + constant
        return Place(place.space, place.dtype, base, home, terms, None, "this view")

    def _check_raw(self, place: RawPlace) -> None:
        spec = load()
        if place.dtype not in spec.dtypes:
            raise unknown(place.pos, "type", place.dtype, spec.dtypes)
        if place.space not in spec.spaces:
            raise unknown(place.pos, "memory", place.space, spec.spaces)

    def _buffer_place(
        self, place: BufferPlace, scope: Scope, home: str, terms: list[Term]
    ) -> Place:
        buffer = self._named(place)
        base = buffer.base
        if place.slot is not None:
            constant, sources = self._sums.collect(place.slot, scope, {})
            base += constant * buffer.pitch
            terms += [Term(code, "bytes", coef * buffer.pitch) for code, coef in sources.items()]
            if buffer.pitch == 0:
                raise fail(
                    place.pos,
                    "E0507",
                    f"{buffer.name} has no slots",
                    hint=f"declare them: buffer {buffer.name} ... slots 2 pitch BYTES",
                )
        if len(buffer.shape) > load().limit("axes"):
            raise fail(
                place.pos,
                "E0507",
                f"{buffer.name} has more than four axes",
                hint="write a raw view: dtype @space address {dims}[axis < extent by stride]",
            )
        shape = buffer.shape or (1,)
        axes = tuple(zip(shape, buffer.strides(), strict=True))
        sizes = ", ".join(str(n) for n in buffer.shape)
        shown = f"{buffer.name} : {buffer.dtype}[{sizes}]"
        return Place(buffer.space, buffer.dtype, base, home, terms, axes, shown)

    def _named(self, place: BufferPlace) -> Buffer:
        if place.name in self._buffers:
            return self._buffers[place.name]
        if place.name in self._tensors:
            return tensor_buffer(self._tensors[place.name], self._chips)
        raise unknown(place.pos, "buffer or tensor", place.name, [*self._buffers, *self._tensors])

    def _home(self, home: Linear | str | None, scope: Scope) -> tuple[str, list[Term]]:
        if home is None:
            return "own", []
        if isinstance(home, str):
            return "all", []
        constant, sources = self._sums.collect(home, scope, {})
        if constant:
            one = load().sources["one"].code
            sources[one] = sources.get(one, 0) + constant
        return "at", [Term(code, "home", coef) for code, coef in sources.items() if coef]
