"""Rows as bytes and back: trees of frozen dataclasses, tuples, dicts and plain values.

Reading ``rows/`` takes a third of a second, which every command would spend. What was read is kept
in the cache instead, under a name that depends on the text of the rows and on the code that read
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from maiacc_isa import cache

#: The sources that decide what is read and written here.
READERS = (
    "check.py", "expr.py", "frozen.py", "function_parse.py", "function_rows.py", "row_parse.py",
    "row_reader.py", "spec.py", "spec_machine.py",
)  # fmt: skip

#: What stands in front of the items of a tuple and of a dict; a class has its number there.
TUPLE, DICT = -1, -2


@lru_cache
def _readers() -> str:
    return cache.key(*(files("maiacc_isa").joinpath(name).read_bytes() for name in READERS))


class Codec:
    """Writes and reads trees whose dataclasses are among ``classes``."""

    def __init__(self, classes: Sequence[type]) -> None:
        self.classes = list(classes)
        self.numbers = {kind: number for number, kind in enumerate(classes)}
        self.names = [[f.name for f in fields(kind)] for kind in classes]

    def encode(self, tree: Any) -> bytes:
        return msgspec.json.encode(self._plain(tree))

    def _plain(self, tree: Any) -> Any:
        if is_dataclass(tree):
            number = self.numbers[type(tree)]
            return [number, *(self._plain(getattr(tree, name)) for name in self.names[number])]
        if isinstance(tree, tuple):
            return [TUPLE, *map(self._plain, tree)]
        if isinstance(tree, dict):
            return [DICT, *(self._plain(part) for item in tree.items() for part in item)]
        assert tree is None or isinstance(tree, str | int | float | bool), type(tree)
        return tree

    def decode(self, data: bytes) -> Any:
        return self._tree(msgspec.json.decode(data))

    def _tree(self, plain: Any) -> Any:
        if not isinstance(plain, list):
            return plain
        number, *parts = plain
        parts = [self._tree(part) if isinstance(part, list) else part for part in parts]
        if number == TUPLE:
            return tuple(parts)
        if number == DICT:
            return dict(zip(parts[::2], parts[1::2], strict=True))
        return self.classes[number](*parts)


def classes_of(*modules: Any) -> list[type]:
    """The dataclasses that modules define, in a fixed order."""
    return [
        kind
        for module in modules
        for _, kind in sorted(vars(module).items())
        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__
    ]


def kept(kind: str, codec: Codec, parts: Sequence[str], make: Any) -> Any:
    """What ``make()`` gives, from the cache if it was made before from the same ``parts``."""
    name = cache.key(_readers(), *parts)
    data = cache.get(kind, name)
    if data is not None:
        return codec.decode(data)
    made = make()
    cache.put(kind, name, codec.encode(made))
    return made
