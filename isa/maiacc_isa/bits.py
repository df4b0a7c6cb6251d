"""Bit layouts at work: one mapping, both ways, for every record of the rows.

A ``Layout`` packs a dictionary of named values into an integer and unpacks it again. Values
are integers; labels of enums; names of types, memories, queues and stages; booleans for
flags; dictionaries for nested records; lists for repeated fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from maiacc_isa.errors import MaiaccError
from maiacc_isa.load import load
from maiacc_isa.spec import BitField, Kind, Record, Spec

Values = dict[str, Any]


def _codes(kind: Kind, spec: Spec) -> dict[str, int] | None:
    """The names a field's codes stand for, if its kind has names."""
    match kind.base:
        case "dtype":
            return {t.name: t.code for t in spec.dtypes.values()}
        case "space":
            return {s.name: s.code for s in spec.spaces.values()}
        case "queue":
            return {q.name: q.code for q in spec.queues.values()}
        case "stage":
            return {s.name: s.code for s in spec.stages.values()}
        case "enum":
            return {label.name: label.code for label in spec.enums[str(kind.table)].labels}
    return None


class _Element:
    """One element of a field: its bits and how they are read and written."""

    def __init__(self, f: BitField, spec: Spec) -> None:
        self.width = f.width
        self.mask = (1 << f.width) - 1
        codes = _codes(f.kind, spec)
        self.by_name = codes
        self.by_code = {code: name for name, code in codes.items()} if codes else None
        self.nested: Layout | None = None
        if f.kind.base in ("axis", "dim", "term", "sized", "step", "semref"):
            self.nested = Layout(spec.records[f.kind.base], spec)
        self.signed = f.kind.base == "s"
        self.flag = f.kind.base == "flag"

    def pack(self, value: Any, what: str) -> int:
        if self.nested is not None:
            return self.nested.pack(value, what)
        if self.by_name is not None:
            if value not in self.by_name:
                names = ", ".join(self.by_name)
                raise MaiaccError(
                    "E0404", f"{what}: no such name", expected=names, found=str(value)
                )
            code = self.by_name[value]
            if code > self.mask:
                raise MaiaccError("E0403", f"{what}: {value} cannot stand here")
            return code
        number = int(value)
        low, high = self.bounds
        if not low <= number <= high:
            raise MaiaccError(
                "E0403", f"{what}: out of range", expected=f"{low} to {high}", found=str(number)
            )
        return number & self.mask

    @property
    def bounds(self) -> tuple[int, int]:
        if self.signed:
            return -(1 << (self.width - 1)), (1 << (self.width - 1)) - 1
        return 0, self.mask

    def unpack(self, bits: int, what: str) -> Any:
        if self.nested is not None:
            return self.nested.unpack(bits, what)
        if self.by_code is not None:
            if bits not in self.by_code:
                raise MaiaccError("E0404", f"{what}: no meaning", found=f"code {bits}")
            return self.by_code[bits]
        if self.flag:
            return bool(bits)
        if self.signed and bits >> (self.width - 1):
            return bits - (1 << self.width)
        return bits


class Layout:
    """A record's bits. ``fields`` may replace the record's own, as instructions do."""

    def __init__(
        self, record: Record, spec: Spec, fields: Iterable[BitField] | None = None
    ) -> None:
        self.bits = record.bits
        self.name = record.name
        self.fields = tuple(record.fields if fields is None else fields)
        self._elements = [(f, _Element(f, spec)) for f in self.fields]
        used = 0
        for f in self.fields:
            used |= ((1 << (f.high - f.low + 1)) - 1) << f.low
        self.reserved = ((1 << record.bits) - 1) & ~used

    def element(self, name: str) -> _Element:
        """How the elements of the named field are read and written."""
        return next(element for f, element in self._elements if f.name == name)

    def pack(self, values: Values, what: str = "") -> int:
        """The bits of the values; a field that is not given is 0.

        Raises ``MaiaccError`` E0403 for a value out of range, E0404 for an unknown name.
        """
        bits = 0
        for f, element in self._elements:
            if f.name not in values:
                continue
            value = values[f.name]
            where = f"{what}.{f.name}" if what else f.name
            if f.count == 1:
                bits |= element.pack(value, where) << f.low
                continue
            if len(value) > f.count:
                raise MaiaccError("E0403", f"{where}: too many", expected=f"at most {f.count}")
            for number, item in enumerate(value):
                low = f.low + number * f.width
                bits |= element.pack(item, f"{where}[{number}]") << low
        return bits

    def unpack(self, bits: int, what: str = "") -> Values:
        """The values of the bits.

        Raises ``MaiaccError`` E0402 for reserved bits that are not zero, E0404 for a code
        without meaning.
        """
        if bits & self.reserved or bits >> self.bits:
            wrong = (bits & self.reserved) or (bits >> self.bits << self.bits)
            low = (wrong & -wrong).bit_length() - 1
            raise MaiaccError(
                "E0402",
                f"{what or self.name}: reserved bit {low} is not zero",
                expected="zero in every bit that no field uses",
            )
        values: Values = {}
        for f, element in self._elements:
            where = f"{what}.{f.name}" if what else f.name
            if f.count == 1:
                values[f.name] = element.unpack(bits >> f.low & element.mask, where)
            else:
                values[f.name] = [
                    element.unpack(bits >> (f.low + n * f.width) & element.mask, f"{where}[{n}]")
                    for n in range(f.count)
                ]
        return values


@cache
def layout(name: str) -> Layout:
    """The layout of a record of this instruction set."""
    spec = load()
    return Layout(spec.records[name], spec)


def to_bytes(bits: int, size: int) -> bytes:
    """Little-endian bytes of a packed value of ``size`` bits."""
    return bits.to_bytes(size // 8, "little")


def records(data: bytes, size: int) -> list[int]:
    """The packed values of ``size`` bits each that follow each other in ``data``.

    Raises ``MaiaccError`` E0605 if the length is no multiple.
    """
    step = size // 8
    if len(data) % step:
        raise MaiaccError(
            "E0605", "a table's length is no multiple of its records", expected=f"{step} bytes each"
        )
    unpack: Callable[[bytes], int] = lambda piece: int.from_bytes(piece, "little")  # noqa: E731
    return [unpack(data[at : at + step]) for at in range(0, len(data), step)]
