"""Elements of weights in the text, exact to the bit, and the sources that weights have.

A float is written with the fewest digits that give its bits again. NaNs that no number gives again,
those with a sign or a payload, are written as their bits: ``0xffc00001``.
"""

from __future__ import annotations

import re
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
    text = str(one[0]) if element.name == "fp32" else repr(float(one[0]))
    if _float_array([text], element).tobytes() == one.tobytes():
        return text
    return f"0x{one.tobytes()[::-1].hex()}"


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
    codes = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if kind.element.kind == "bool" and codes.size and codes.max() > 1:
        raise IRError("E1404", f"truth values that are neither 0 nor 1: {shown(label)}")
    return codes.view(wanted).reshape(kind.shape)


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
    found = np.zeros(len(words), element.numpy)
    codes = found.view(f"u{element.numpy.itemsize}")
    for number, word in enumerate(words):
        if _BITS.fullmatch(word):
            digits = 2 * element.numpy.itemsize
            if len(word) != 2 + digits or int(word, 16) >> element.bits:
                raise _no_element(word, element)
            codes[number] = int(word, 16)
            continue
        value = value_of(word)
        if type(value) is not float:
            raise _no_element(word, element)
        with np.errstate(all="ignore"):
            found[number] = np.float64(value).astype(element.numpy)
        back = float(found[number])
        if np.isfinite(value) != np.isfinite(back) or np.isnan(value) != np.isnan(back):
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
