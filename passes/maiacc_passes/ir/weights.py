"""Constants of a module: where their bytes are, read when they are needed.

A pass that does not change a weight never reads it. One that does wraps it or makes a new one.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.types import ELEMENTS, Element, Type

Array = NDArray[Any]

#: A weight of at most so many elements is written into the text.
INLINE = 16


@dataclass(frozen=True)
class Splat:
    """Every element is the same; ``value`` is an array of shape ()."""

    value: Array

    def array(self, kind: Type) -> Array:
        """The elements, without a copy of each."""
        return np.broadcast_to(self.value, kind.shape)


@dataclass(frozen=True)
class Data:
    """Elements that are in memory already."""

    value: Array = field(repr=False)

    def array(self, kind: Type) -> Array:
        """The elements."""
        return self.value

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the bytes."""
        return hashlib.sha256(codes(self.value).data).hexdigest()


@dataclass(frozen=True)
class Bytes:
    """Elements that lie in a file: mapped when they are first read. Sub-byte elements are packed,
    the first in the low bits; everything is little-endian. ``stamp`` is that of the file that is
    meant; without one any file of the name is."""

    path: str
    offset: int
    size: int
    stamp: tuple[int, ...] = ()

    def array(self, kind: Type) -> Array:
        """The elements. Raises ``IRError`` E1405 where the file does not hold them."""
        return unpacked(mapped(self.path, self.offset, self.size, self.stamp), kind)


@dataclass(frozen=True)
class Missing:
    """Elements that a text names by their digest, and that nobody gave."""

    digest: str

    def array(self, kind: Type) -> Array:
        """Raises ``IRError`` E1406."""
        raise IRError(
            "E1406",
            f"the values of a weight are not known: SHA-256 {self.digest[:16]}...",
            hint="give the model file, or the .weights file that was written beside the text",
        )


@dataclass(frozen=True)
class Lazy:
    """Elements that a function makes each time they are asked for, such as those of a file in a
    format of its own; ``label`` says what they are."""

    label: str
    make: Callable[[], Array] = field(repr=False, compare=False)

    def array(self, kind: Type) -> Array:
        """The elements."""
        return self.make()


_FOUR_BITS = {element.numpy for element in ELEMENTS.values() if element.bits == 4}

Source = Splat | Data | Bytes | Missing | Lazy


def stamp_of(facts: os.stat_result) -> tuple[int, ...]:
    """What is another when a file has changed, or another file has its name."""
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def mapped(path: str, offset: int, size: int, stamp: tuple[int, ...] = ()) -> NDArray[np.uint8]:
    """Bytes of a file, mapped. Raises ``IRError`` E1405."""
    try:
        with open(path, "rb") as file:
            if stamp and stamp_of(os.fstat(file.fileno())) != stamp:
                raise IRError("E1405", f"a file of weights has changed since it was found: {path}")
            length = file.seek(0, 2)
            if offset < 0 or size < 0 or offset + size > length:
                raise IRError(
                    "E1405",
                    f"a weight lies outside its file: {path}",
                    expected=f"bytes {offset} to {offset + size}",
                    found=f"{length} bytes",
                )
            if size == 0:
                return np.zeros(0, np.uint8)
            view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as problem:
        raise IRError("E1405", f"{path}: {problem.strerror or problem}") from problem
    return np.frombuffer(view, np.uint8, size, offset)


def codes(array: Array) -> NDArray[np.uint8]:
    """The bytes of elements that are in memory. Those of four bits have the upper half of a byte,
    which says nothing, cleared."""
    found: NDArray[np.uint8] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return found & np.uint8(15) if array.dtype in _FOUR_BITS else found


def unpacked(data: NDArray[np.uint8], kind: Type) -> Array:
    """Bytes in memory as elements: a view, unless elements are smaller than a byte."""
    element = kind.element
    if element.kind == "bool":
        return np.not_equal(data, 0).reshape(kind.shape)
    if element.bits >= 8:
        return data.view(element.numpy).reshape(kind.shape)
    low, high = data & 15, data >> 4
    codes = np.stack([low, high], -1).reshape(-1)[: kind.size]
    return _four_bits(codes, element).reshape(kind.shape)


def _four_bits(codes: NDArray[np.uint8], element: Element) -> Array:
    if element.kind == "int":
        codes = np.where(codes > 7, codes | 0xF0, codes).astype(np.uint8)
    return codes.view(element.numpy)
