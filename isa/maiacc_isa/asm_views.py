"""Views of assembly text, and the descriptor table of a block that they fill."""

from __future__ import annotations

import math
from typing import Any

from maiacc_isa import formats
from maiacc_isa.asm_errors import fail, placed, unknown
from maiacc_isa.asm_nodes import AxisText, Bound, Pos, View
from maiacc_isa.asm_places import Place, Places
from maiacc_isa.asm_sums import Scope, Sums
from maiacc_isa.load import load
from maiacc_isa.names import default_name, named
from maiacc_isa.table_codec import decode_descriptor, encode_descriptor
from maiacc_isa.tables import Axis, Descriptor, Dim, Sized, Term

#: Coordinates that fit the signed field `start` of an axis.
START_LIMIT = 1 << 15


class Views:
    """The descriptor table of a block, filled from views."""

    def __init__(self, places: Places, sums: Sums) -> None:
        self._places = places
        self._sums = sums
        self._numbers: dict[str, int] = {}
        self._table: list[Descriptor | None] = []
        self._anonymous: dict[Descriptor, int] = {}
        #: Lines of the declarations, by what they declare.
        self.lines: dict[str, int] = {}

    # ---- the table ----------------------------------------------------------------------
    def reserve(self, name: str, pos: Pos) -> None:
        """Gives a named view its number."""
        if name in self._numbers:
            raise fail(pos, "E0503", f"descriptor {name} is declared twice")
        self._numbers[name] = len(self._table)
        self.lines[f"descriptor {len(self._table)}"] = pos.line
        self._table.append(None)

    def define(self, name: str, view: View | str, scope: Scope, pos: Pos) -> None:
        """Enters a named view, written out or as its bits."""
        resolved = self._resolve(view, scope) if isinstance(view, View) else _from_bits(view, pos)
        self._table[self._numbers[name]] = resolved

    def number(self, operand: Any, scope: Scope) -> int:
        """The number of a descriptor that a word names or writes out."""
        if isinstance(operand, View):
            descriptor = self._resolve(operand, scope)
            if descriptor not in self._anonymous:
                self._anonymous[descriptor] = len(self._table)
                self.lines[f"descriptor {len(self._table)}"] = operand.pos.line
                self._table.append(descriptor)
            return self._anonymous[descriptor]
        name = str(operand)
        if name not in self._numbers:
            pos = Pos(operand.line or 0, operand.column or 0)
            view = f"a buffer is used through a view such as {name}{{i:8, j:8}}[i, j]"
            hint = view if self._places.is_buffer(name) else None
            problem = unknown(pos, "descriptor", name, self._numbers, hint)
            problem.hint = hint or problem.hint
            raise problem
        return self._numbers[name]

    def dtype(self, number: int) -> str:
        """The type of a descriptor's elements."""
        descriptor = self._table[number]
        return descriptor.dtype if descriptor else "fp32"

    def descriptors(self) -> tuple[Descriptor, ...]:
        return tuple(d for d in self._table if d is not None)

    def names(self) -> dict[int, str]:
        """Names that are not the default ones, by number."""
        by_number = {number: name for name, number in self._numbers.items()}
        names = [by_number.get(i, default_name("v", i)) for i in range(len(self._table))]
        return named(names, "v")

    # ---- views --------------------------------------------------------------------------
    def _resolve(self, view: View, scope: Scope) -> Descriptor:
        with placed(view.pos):
            descriptor = self._descriptor(view, scope)
            encode_descriptor(descriptor)
            return descriptor

    def _descriptor(self, view: View, scope: Scope) -> Descriptor:
        place = self._places.place(view, scope)
        dims = {name: 0 for name, _ in view.dims}
        if len(dims) < len(view.dims):
            raise fail(view.pos, "E0503", "two dims have the same name")
        if place.axes is not None and len(place.axes) != len(view.axes):
            raise fail(
                view.pos,
                "E0507",
                "a view has one expression per axis",
                expected=f"{len(place.axes)} for {place.shown}",
                found=str(len(view.axes)),
            )
        axis_of: dict[str, int] = {}
        axes, terms = [], list(place.terms)
        sized: list[Sized] = []
        for number, text in enumerate(view.axes):
            before = dict(dims)
            constant, sources = self._sums.collect(text.at, scope, dims)
            axis_of |= {name: number for name in dims if dims[name] != before[name]}
            extent, stride, reg = self._bounds(text, place, number)
            if reg is not None:
                sized.append(Sized(reg, f"extent{number}"))
            start = constant if -START_LIMIT <= constant < START_LIMIT else 0
            axes.append(Axis(extent, stride, start))
            if start != constant:
                one = load().sources["one"].code
                sources[one] = sources.get(one, 0) + constant
            terms += [Term(code, f"axis{number}", coef) for code, coef in sources.items() if coef]
        window = []
        for number, (name, bound) in enumerate(view.dims):
            size, reg = self._size(bound)
            if reg is not None:
                sized.append(Sized(reg, f"size{number}"))
            window.append(Dim(size, axis_of.get(name, 0), dims[name]))
        return Descriptor(
            place.space,
            place.dtype,
            place.base,
            tuple(axes),
            tuple(window),
            view.split,
            tuple(terms),
            tuple(sized),
            place.home,
            **self._options(view, place.dtype),
        )

    def _options(self, view: View, dtype: str) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for name, value in view.options:
            key = "fill" if name == "bits" else name
            if key in options:
                raise fail(view.pos, "E0503", f"{name} stands twice in this view")
            if name in ("scale", "meta"):
                if value not in self._numbers:
                    raise unknown(view.pos, "descriptor", value, self._numbers)
                options[key] = self._numbers[value]
            elif name == "drop":
                options[key] = True
            else:
                options[key] = value if name == "bits" else _fill(value, dtype, view.pos)
        return options

    def _size(self, bound: Bound) -> tuple[int, int | None]:
        if bound.static is None:
            raise fail(
                bound.pos,
                "E0507",
                "a size from a register needs a largest value",
                expected=f"{bound.reg} of 128",
            )
        return bound.static, None if bound.reg is None else self._reg(bound)

    def _reg(self, bound: Bound) -> int:
        code = self._sums.source(str(bound.reg), bound.pos, ())
        if code >= load().limit("scalars"):
            raise fail(bound.pos, "E0507", f"{bound.reg} is not a scalar register")
        return code

    def _bounds(self, text: AxisText, place: Place, number: int) -> tuple[int, int, int | None]:
        """Extent, stride and the register of the extent, if one gives it."""
        extent, stride = place.axes[number] if place.axes is not None else (None, None)
        reg = None
        if text.bound is not None:
            reg = None if text.bound.reg is None else self._reg(text.bound)
            extent = text.bound.static if text.bound.static is not None else extent
        if text.stride is not None:
            stride = text.stride
        if stride is None and place.space == "iota":
            stride = 0
        if extent is None or stride is None:
            raise fail(
                text.at.pos,
                "E0507",
                "an axis of a raw view needs its extent and stride",
                expected="expression < extent by stride",
            )
        return extent, stride, reg


def _from_bits(text: str, pos: Pos) -> Descriptor:
    """A descriptor given as hexadecimal bytes."""
    with placed(pos):
        size = load().records["descriptor"].bits // 8
        return decode_descriptor(hex_bits(text, size, pos))


def hex_bits(text: str, size: int, pos: Pos) -> int:
    """The bits of hexadecimal bytes, the first the lowest, of which there must be ``size``."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != size:
        raise fail(
            pos,
            "E0507",
            "not hexadecimal bytes",
            expected=f"{2 * size} hexadecimal digits",
            found=f"{len(text)} characters",
        )
    return int.from_bytes(data, "little")


def _fill(value: Any, dtype: str, pos: Pos) -> int:
    """The fill bits of a number written in the text."""
    t = load().dtypes[dtype]
    if isinstance(value, str):
        if value not in ("inf", "nan"):
            raise fail(pos, "E0502", f"no value {value}", expected="a number, inf or nan")
        value = math.inf if value == "inf" else math.nan
    if t.is_float:
        return formats.encode(dtype, float(value))
    if not isinstance(value, int) or not -(1 << 31) <= value < 1 << 32:
        raise fail(
            pos, "E0507", f"not a value of {dtype}", expected="an integer of 32 bits, or bits 0x..."
        )
    return value & 0xFFFFFFFF if t.bits > 32 else value & (1 << t.bits) - 1
