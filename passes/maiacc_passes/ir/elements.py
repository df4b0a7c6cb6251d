"""Elements of weights in the text, exact to the bit, and the sources that weights have.

A float is written with the fewest digits that give its bits again. NaNs that no number gives again,
those with a sign or a payload, are written as their bits: ``0xffc00001``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.types import Element, Type
from maiacc_passes.ir.weights import (
    INLINE,
    Array,
    Bytes,
    Data,
    Lazy,
    Missing,
    Source,
    Splat,
    codes,
)
from maiacc_passes.ir.words import (
    attribute_text,
    integer_of,
    quoted,
    shown,
    string_of,
    value_of,
)

_BITS = re.compile(r"0x[0-9a-f]+")
#: The smallest number that fp32 has in full precision.
_NORMAL = 2.0**-126

#: What is rounded to infinity, and the bytes of what is not.
_TOO_LARGE = (2.0 - 2.0**-24) * 2.0**127
_FP32 = struct.Struct("<f")

_DIGEST = re.compile(r"[0-9a-f]{64}")


# ---- writing --------------------------------------------------------------------------------
def elements_text(array: Array, element: Element) -> list[str]:
    """Elements as words."""
    flat = np.asarray(array).reshape(-1)
    if element.kind == "bool":
        return [attribute_text(bool(x)) for x in flat]
    if element.is_int:
        return [str(int(x)) for x in flat]
    return [_float_text(flat[i : i + 1], element) for i in range(flat.size)]


def _float_text(one: Array, element: Element) -> str:
    value = float(one[0])
    if value != value and one.tobytes() != np.array(np.nan).astype(one.dtype).tobytes():
        return f"0x{one.tobytes()[::-1].hex()}"
    return _shortest(value) if element.name == "fp32" else repr(value)


def _shortest(value: float) -> str:
    """The fewest digits that fp32 reads as the value. What numpy writes depends on its version."""
    # Six digits are always right if fewer are, but not where fp32 has fewer itself.
    first = 6 if abs(value) > _NORMAL else 1
    for digits in range(first, 9):
        near = float(f"{value:.{digits}g}")
        if abs(near) < _TOO_LARGE and _FP32.unpack(_FP32.pack(near))[0] == value:
            return repr(near)
    return repr(float(f"{value:.9g}"))


def source_text(source: Source, kind: Type) -> str:
    """Where the elements of a weight are, as the text has it."""
    if isinstance(source, Splat):
        return f"splat {elements_text(source.value, kind.element)[0]}"
    if isinstance(source, Bytes):
        return f"file {quoted(source.path)} {source.offset} {source.size}"
    if isinstance(source, Lazy):
        return f"data {quoted(source.label)}"
    if isinstance(source, Data) and kind.size <= INLINE:
        return f"inline [{', '.join(elements_text(source.value, kind.element))}]"
    return f"data {quoted(source.digest)}"


# ---- reading --------------------------------------------------------------------------------
def source_of(form: str, words: Sequence[str], kind: Type, data: Mapping[str, Array]) -> Source:
    """Where the elements of a weight are, from the form in the text and the words behind it.

    Raises ``IRError`` E1404, and E1405 for ``data`` that are others than a digest says.
    """
    if form == "inline":
        return _inline(words, kind)
    if form == "splat":
        return Splat(_array(words, kind.element).reshape(()))
    if form == "file":
        path, offset, size = words
        return _file(string_of(path), integer_of(offset), integer_of(size), kind)
    return _named(string_of(words[0]), kind, data)


def _inline(words: Sequence[str], kind: Type) -> Data:
    if len(words) != kind.size:
        raise IRError(
            "E1404",
            "a weight has another number of elements than its type",
            expected=f"{kind.size} for {kind}",
            found=str(len(words)),
        )
    return Data(_array(words, kind.element).reshape(kind.shape))


def _file(path: str, offset: int, size: int, kind: Type) -> Bytes:
    if offset < 0 or size != kind.bytes:
        raise IRError(
            "E1404",
            "a weight does not fit its place in the file",
            expected=f"an offset, and {kind.bytes} bytes for {kind}",
            found=f"{offset} {size}",
        )
    return Bytes(path, offset, size)


def _named(label: str, kind: Type, data: Mapping[str, Array]) -> Source:
    """Elements that the text names by their digest, or by a label."""
    if label not in data:
        return Missing(label)
    array = _fitted(label, data[label], kind)
    if not _DIGEST.fullmatch(label):
        return Lazy(label, lambda: array)
    found = Data(array)
    if found.digest != label:
        raise IRError(
            "E1405", "the elements of a weight have changed", expected=label, found=found.digest
        )
    return found


def _fitted(label: str, array: Array, kind: Type) -> Array:
    """An array, or one with the same bytes, as one of a type."""
    wanted = kind.element.numpy
    if array.nbytes != kind.size * wanted.itemsize:
        raise IRError(
            "E1404",
            f"the elements given for a weight are no {kind}: {shown(label)}",
            expected=f"{kind.size * wanted.itemsize} bytes",
            found=f"{array.nbytes} bytes",
        )
    if array.dtype == wanted:
        return array.reshape(kind.shape)
    found = codes(array)
    if kind.element.kind == "bool" and found.size and found.max() > 1:
        raise IRError("E1404", f"truth values that are neither 0 nor 1: {shown(label)}")
    return found.view(wanted).reshape(kind.shape)


def _array(words: Sequence[str], element: Element) -> Array:
    if element.is_float:
        return _float_array(words, element)
    values = [value_of(word) for word in words]
    wanted = bool if element.kind == "bool" else int
    for word, value in zip(words, values, strict=True):
        if type(value) is not wanted or not _holds(element, value):
            raise _no_element(word, element)
    if element.bits == 4:
        return np.array(values, np.int8).astype(element.numpy)
    return np.array(values, element.numpy)


def _holds(element: Element, value: int) -> bool:
    half = 1 << (element.bits - 1)
    return -half <= value < half if element.kind == "int" else 0 <= value < 2 * half


def _float_array(words: Sequence[str], element: Element) -> Array:
    values = [0.0 if _BITS.fullmatch(word) else value_of(word) for word in words]
    for word, value in zip(words, values, strict=True):
        if type(value) is not float:
            raise _no_element(word, element)
    wide = np.array(values, np.float64)
    with np.errstate(all="ignore"):
        found = wide.astype(element.numpy)
        back = found.astype(np.float64)
    wrong = (np.isfinite(wide) != np.isfinite(back)) | (np.isnan(wide) != np.isnan(back))
    bits = found.view(f"u{element.numpy.itemsize}")
    for number, word in enumerate(words):
        if _BITS.fullmatch(word):
            if len(word) != 2 + 2 * element.numpy.itemsize or int(word, 16) >> element.bits:
                raise _no_element(word, element)
            bits[number] = int(word, 16)
        elif wrong[number]:
            raise _no_element(word, element)
    return found


def _no_element(word: str, element: Element) -> IRError:
    what = "integer" if element.is_int else "number" if element.is_float else "truth value"
    return IRError(
        "E1404", "no element of this type", expected=f"{what} of {element.name}", found=shown(word)
    )


# ---- checking -------------------------------------------------------------------------------
def fits(source: Source, kind: Type) -> bool:
    """Whether a source can have elements of a type. Nothing is read."""
    if isinstance(source, Splat | Data):
        shape = () if isinstance(source, Splat) else kind.shape
        return source.value.shape == shape and source.value.dtype == kind.element.numpy
    if isinstance(source, Bytes):
        return source.offset >= 0 and source.size == kind.bytes
    return isinstance(source, Missing | Lazy)
