"""Names in views and scalar expressions of assembly text, and the descriptors they make."""

from __future__ import annotations

import math
import re
from typing import Any

from maiacc_isa import formats
from maiacc_isa.asm_nodes import AxisText, Bound, BufferPlace, Linear, Pos, RawPlace, View
from maiacc_isa.errors import MaiaccError, Place
from maiacc_isa.load import load
from maiacc_isa.names import default_name, named
from maiacc_isa.program import Buffer, Tensor
from maiacc_isa.tables import Axis, Descriptor, Dim, Sized, Term, encode_descriptor

#: The loops around a statement, outermost first: name and roles.
Scope = tuple[tuple[str, tuple[str, ...]], ...]

#: Coordinates that fit the signed field `start` of an axis.
START_LIMIT = 1 << 15


def fail(pos: Pos, code: str, message: str, **more: str | None) -> MaiaccError:
    """An error at a place in the text."""
    return MaiaccError(code, message, place=Place(line=pos.line, column=pos.column), **more)


class Views:
    """The descriptor table of a block, filled from views."""

    def __init__(
        self,
        tensors: dict[str, Tensor],
        buffers: dict[str, Buffer],
        registers: dict[str, int],
    ) -> None:
        self._tensors = tensors
        self._buffers = buffers
        self._registers = registers
        self._loops: dict[str, set[int]] = {}
        self._numbers: dict[str, int] = {}
        self._table: list[Descriptor | None] = []
        self._anonymous: dict[Descriptor, int] = {}
        self.places: dict[str, int] = {}

    # ---- the table ----------------------------------------------------------------------
    def set_loops(self, levels: dict[str, set[int]]) -> None:
        """Tells at which levels each loop name of the block occurs."""
        self._loops = levels

    def reserve(self, name: str, pos: Pos) -> None:
        """Gives a named view its number."""
        if name in self._numbers:
            raise fail(pos, "E0503", f"descriptor {name} is declared twice")
        self._numbers[name] = len(self._table)
        self.places[f"descriptor {len(self._table)}"] = pos.line
        self._table.append(None)

    def define(self, name: str, view: View, scope: Scope) -> None:
        """Enters a named view."""
        self._table[self._numbers[name]] = self._resolve(view, scope)

    def number(self, operand: Any, scope: Scope) -> int:
        """The number of a descriptor that a word names or writes out."""
        if isinstance(operand, View):
            descriptor = self._resolve(operand, scope)
            if descriptor not in self._anonymous:
                self._anonymous[descriptor] = len(self._table)
                self.places[f"descriptor {len(self._table)}"] = operand.pos.line
                self._table.append(descriptor)
            return self._anonymous[descriptor]
        name = str(operand)
        if name not in self._numbers:
            pos = Pos(operand.line or 0, operand.column or 0)
            known = ", ".join(list(self._numbers)[:40]) or "none declared"
            hint = f"a view such as {name}{{i:8, j:8}}[i, j]" if name in self._buffers else None
            raise fail(pos, "E0502", f"no descriptor {name}", expected=known, hint=hint)
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

    # ---- names --------------------------------------------------------------------------
    def source(self, name: str, pos: Pos, scope: Scope) -> int:
        """The code of a register, loop counter or id."""
        sources = load().sources
        for level in range(len(scope) - 1, -1, -1):
            if scope[level][0] == name:
                return sources["L"].code + level
        if name in self._registers:
            return sources["s"].code + self._registers[name]
        match = re.fullmatch(r"([sL])(\d{1,2})", name)
        if match and int(match[2]) < sources[match[1]].count:
            return sources[match[1]].code + int(match[2])
        if name in sources and sources[name].count == 1:
            return sources[name].code
        levels = self._loops.get(name, set())
        if len(levels) == 1:
            return sources["L"].code + next(iter(levels))
        if levels:
            raise fail(pos, "E0502", f"loop {name} stands at several levels; write L0 to L7 here")
        known = ["s0 to s31", "L0 to L7", *sources, *self._registers, *self._loops]
        raise fail(pos, "E0502", f"no scalar {name}", expected=", ".join(known[2:]))

    def scalar(self, linear: Linear, scope: Scope) -> dict[str, int | str]:
        """The fields x1, c1, x2, c2 and imm of a SET."""
        imm, terms = self._collect(linear, scope, {})
        self._at_most_two(terms, linear.pos)
        return self._terms(terms) | {"imm": imm}

    def lesser(self, kind: str, one: Linear, two: Linear, scope: Scope) -> dict[str, int | str]:
        """The fields of a SET for the minimum or maximum of two sums.

        One sum of up to two sources and a constant, in either order, or two sums of one source.
        """
        sums = [self._collect(linear, scope, {}) for linear in (one, two)]
        if not sums[0][1]:
            sums.reverse()
        (imm, terms), (bound, others) = sums
        low, high = -(1 << 16), 1 << 16
        if not others and (low <= imm < high or len(terms) > 1):
            self._at_most_two(terms, one.pos)
            return self._terms(terms) | {"fn": kind, "imm": bound, "m": imm}
        if not others:
            # The sum's constant is too wide for `m`: the bound becomes a multiple of one.
            bound, others = 0, {load().sources["one"].code: bound}
        if len(terms) > 1 or len(others) > 1:
            raise fail(
                one.pos,
                "E0507",
                "a minimum reads two values: two in one sum, or one in each",
                hint="compute a part of it into another register first",
            )
        return self._terms(terms | {}, others) | {"fn": f"{kind}2", "imm": imm, "m": bound}

    def _terms(self, *sums: dict[int, int]) -> dict[str, int | str]:
        """x1, c1, x2 and c2 of sums, in order."""
        fields: dict[str, int | str] = {}
        pairs = [pair for terms in sums for pair in terms.items()]
        for number, (code, coef) in enumerate(pairs, 1):
            fields |= {f"x{number}": code, f"c{number}": coef}
        return fields

    def _at_most_two(self, terms: dict[int, int], pos: Pos) -> None:
        if len(terms) > 2:
            raise fail(
                pos,
                "E0507",
                "a scalar word reads at most two values",
                hint="compute a part of it into another register first",
            )

    def _collect(
        self, linear: Linear, scope: Scope, dims: dict[str, int]
    ) -> tuple[int, dict[int, int]]:
        """Constant and coefficients by source; dims are taken out into ``dims``."""
        constant, terms = 0, dict[int, int]()
        for coef, name, pos in linear.parts:
            if name is None:
                constant += coef
            elif name in dims:
                if dims[name]:
                    raise fail(pos, "E0507", f"dim {name} stands twice in this view")
                dims[name] = coef
            else:
                code = self.source(name, pos, scope)
                terms[code] = terms.get(code, 0) + coef
        return constant, {code: coef for code, coef in terms.items() if coef}

    # ---- views --------------------------------------------------------------------------
    def _resolve(self, view: View, scope: Scope) -> Descriptor:
        try:
            descriptor = self._descriptor(view, scope)
            encode_descriptor(descriptor)
            return descriptor
        except MaiaccError as problem:
            if problem.place is None:
                raise fail(
                    view.pos,
                    problem.code,
                    problem.message,
                    expected=problem.expected,
                    found=problem.found,
                ) from None
            raise

    def _descriptor(self, view: View, scope: Scope) -> Descriptor:
        place = self._place(view, scope)
        dims = {name: 0 for name, _ in view.dims}
        if len(dims) < len(view.dims):
            raise fail(view.pos, "E0503", "two dims have the same name")
        axis_of: dict[str, int] = {}
        axes, terms = [], list(place["terms"])
        sized: list[Sized] = []
        natural = place["axes"]
        if natural is not None and len(natural) != len(view.axes):
            raise fail(
                view.pos,
                "E0507",
                "a view has one expression per axis",
                expected=f"{len(natural)} axes",
                found=str(len(view.axes)),
            )
        for number, text in enumerate(view.axes):
            before = dict(dims)
            constant, sources = self._collect(text.at, scope, dims)
            axis_of |= {name: number for name in dims if dims[name] != before[name]}
            default = natural[number] if natural is not None else None
            extent, stride, reg = self._bounds(text, default, place["space"])
            if reg is not None:
                sized.append(Sized(reg, f"extent{number}"))
            start = constant if -START_LIMIT <= constant < START_LIMIT else 0
            axes.append(Axis(extent, stride, start))
            if start != constant:
                sources[load().sources["one"].code] = constant
            terms += [Term(code, f"axis{number}", coef) for code, coef in sources.items()]
        window = []
        for number, (name, bound) in enumerate(view.dims):
            size, reg = self._size(bound)
            if reg is not None:
                sized.append(Sized(reg, f"size{number}"))
            window.append(Dim(size, axis_of.get(name, 0), dims[name]))
        return Descriptor(
            space=place["space"],
            dtype=place["dtype"],
            base=place["base"],
            axes=tuple(axes),
            dims=tuple(window),
            split=view.split,
            terms=tuple(terms),
            sized=tuple(sized),
            home=place["home"],
            **self._options(view, place["dtype"]),
        )

    def _options(self, view: View, dtype: str) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for name, value in view.options:
            if name in ("scale", "meta"):
                if value not in self._numbers:
                    raise fail(view.pos, "E0502", f"no descriptor {value}")
                options[name] = self._numbers[value]
            elif name == "drop":
                options["drop"] = True
            else:
                options["fill"] = value if name == "bits" else _fill(value, dtype, view.pos)
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
        code = self.source(str(bound.reg), bound.pos, ())
        if code >= load().limit("scalars"):
            raise fail(bound.pos, "E0507", f"{bound.reg} is not a scalar register")
        return code

    def _bounds(
        self, text: AxisText, natural: tuple[int, int] | None, space: str
    ) -> tuple[int, int, int | None]:
        """Extent, stride and the register of the extent, if one gives it."""
        extent, stride = natural if natural is not None else (None, None)
        reg = None
        if text.bound is not None:
            reg = None if text.bound.reg is None else self._reg(text.bound)
            extent = text.bound.static if text.bound.static is not None else extent
        if text.stride is not None:
            stride = text.stride
        if stride is None and load().spaces[space].role and space == "iota":
            stride = 0
        if extent is None or stride is None:
            raise fail(
                text.at.pos,
                "E0507",
                "an axis of a raw view needs its extent and stride",
                expected="expression < extent by stride",
            )
        return extent, stride, reg

    def _place(self, view: View, scope: Scope) -> dict[str, Any]:
        place = view.place
        home, terms = self._home(place.home, scope)
        if isinstance(place, RawPlace):
            self._check_raw(place)
            constant, sources = 0, dict[int, int]()
            if place.offset is not None:
                constant, sources = self._collect(place.offset, scope, {})
            terms += [Term(code, "bytes", coef) for code, coef in sources.items()]
            base = place.base + constant
            return {
                "space": place.space,
                "dtype": place.dtype,
                "base": base,
                "axes": None,
                "home": home,
                "terms": terms,
            }
        return self._buffer_place(place, scope, home, terms)

    def _check_raw(self, place: RawPlace) -> None:
        spec = load()
        if place.dtype not in spec.dtypes:
            raise fail(
                place.pos, "E0502", f"no type {place.dtype}", expected=", ".join(spec.dtypes)
            )
        if place.space not in spec.spaces:
            raise fail(
                place.pos, "E0502", f"no memory {place.space}", expected=", ".join(spec.spaces)
            )

    def _buffer_place(
        self, place: BufferPlace, scope: Scope, home: str, terms: list[Term]
    ) -> dict[str, Any]:
        if place.name in self._buffers:
            buffer = self._buffers[place.name]
        elif place.name in self._tensors:
            t = self._tensors[place.name]
            buffer = Buffer(t.name, t.dtype, t.shape, "hbm", t.base)
        else:
            known = ", ".join([*self._buffers, *self._tensors][:40])
            raise fail(place.pos, "E0502", f"no buffer or tensor {place.name}", expected=known)
        base = buffer.base
        if place.slot is not None:
            constant, sources = self._collect(place.slot, scope, {})
            base += constant * buffer.pitch
            terms += [Term(code, "bytes", coef * buffer.pitch) for code, coef in sources.items()]
            if buffer.pitch == 0:
                raise fail(place.pos, "E0507", f"buffer {buffer.name} has no slots")
        if len(buffer.shape) > load().limit("axes"):
            raise fail(
                place.pos,
                "E0507",
                f"{buffer.name} has more than four axes",
                hint="write a raw view: dtype @space address {dims}[axis < extent by stride]",
            )
        shape = buffer.shape or (1,)
        axes = tuple(zip(shape, buffer.strides(), strict=True))
        return {
            "space": buffer.space,
            "dtype": buffer.dtype,
            "base": base,
            "axes": axes,
            "home": home,
            "terms": terms,
        }

    def _home(self, home: Linear | str | None, scope: Scope) -> tuple[str, list[Term]]:
        if home is None:
            return "own", []
        if isinstance(home, str):
            return "all", []
        constant, sources = self._collect(home, scope, {})
        if constant:
            sources[load().sources["one"].code] = constant
        return "at", [Term(code, "home", coef) for code, coef in sources.items()]


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
        raise fail(pos, "E0507", f"not a value of {dtype}")
    return value & 0xFFFFFFFF if t.bits > 32 else value & (1 << t.bits) - 1
