"""The texts of a ``.pftrace``: written once, and from then on numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from maiacc_sim.recording import Ints, Recording
from maiacc_sim.trace import labels, schema, wire
from maiacc_sim.trace.wire import Column, Part


class Interned:
    """Texts of one kind and their numbers, from 1."""

    def __init__(self, field: int) -> None:
        self._field = field
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The text's number; a new one if it has none."""
        return self._numbers.setdefault(text, len(self._numbers) + 1)

    def numbers(self, texts: Iterable[str]) -> Ints:
        """The numbers of several texts."""
        return np.array([self.number(text) for text in texts], np.int64)

    @property
    def width(self) -> int:
        """The width of a varint for the numbers so far."""
        return wire.width(len(self._numbers))

    def entries(self) -> Iterator[bytes]:
        """The fields of ``interned_data`` that give the texts."""
        for text, iid in self._numbers.items():
            entry = wire.number(schema.INTERNED_IID, iid) + wire.text(schema.INTERNED_TEXT, text)
            yield wire.data(self._field, entry)


class Names:
    """All texts of a trace's slices; arrays give the numbers for each word and each reason."""

    def __init__(self, recording: Recording, level: str) -> None:
        self._categories = Interned(schema.INTERNED_DATA_EVENT_CATEGORIES)
        self.level = self._categories.number(level)
        self.wait = self._categories.number(labels.WAIT)
        words = recording.words
        self._events = Interned(schema.INTERNED_DATA_EVENT_NAMES)
        self.mnemonic = self._events.numbers(word.mnemonic for word in words)
        self.waits = self._events.numbers(labels.wait_name(s) for s in recording.stalls)
        self._texts = Interned(schema.INTERNED_DATA_DEBUG_ANNOTATION_STRING_VALUES)
        self.address = self._texts.numbers(word.address for word in words)
        self.assembly = self._texts.numbers(word.text for word in words)
        self.source = self._texts.numbers(word.source for word in words)
        self.moved = np.array([word.moved for word in words], np.int64)
        self.stalls = self._texts.numbers(recording.stalls)
        self._annotations = Interned(schema.INTERNED_DATA_DEBUG_ANNOTATION_NAMES)

    def event(self, column: str) -> tuple[Part, ...]:
        """An event's name, by a column of numbers."""
        return wire.tag(schema.TRACK_EVENT_NAME_IID), Column(column, self._events.width)

    def text(self, name: str, column: str) -> tuple[Part, ...]:
        """An annotation with a text, by a column of numbers."""
        value = Column(column, self._texts.width)
        return self._annotation(name, schema.DEBUG_ANNOTATION_STRING_VALUE_IID, value)

    def number(self, name: str, column: str, width: int) -> tuple[Part, ...]:
        """An annotation with a number of ``width`` bytes from a column."""
        return self._annotation(name, schema.DEBUG_ANNOTATION_UINT_VALUE, Column(column, width))

    def _annotation(self, name: str, field: int, value: Column) -> tuple[Part, ...]:
        iid = self._annotations.number(name)
        return wire.message(
            schema.TRACK_EVENT_DEBUG_ANNOTATIONS,
            wire.number(schema.DEBUG_ANNOTATION_NAME_IID, iid),
            wire.tag(field),
            value,
        )

    def entries(self) -> Iterator[bytes]:
        """The fields of ``interned_data`` that give all texts used so far."""
        for texts in (self._categories, self._events, self._annotations, self._texts):
            yield from texts.entries()
