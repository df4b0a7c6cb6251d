"""Writes a recording as a trace, in the form that the file's name asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import BinaryIO, TypeAlias

from maiacc_isa.atomic import AtomicFile
from maiacc_isa.errors import MaiaccError, Place
from maiacc_sim.recording import Recording
from maiacc_sim.trace import chrome, perfetto, selection, text
from maiacc_sim.trace.clock import Clock
from maiacc_sim.trace.selection import Window

Writer: TypeAlias = Callable[[BinaryIO, Recording, Clock, Window, str], None]

#: The forms of traces, by the ending of the file.
ENDINGS: dict[str, Writer] = {
    ".pftrace": perfetto.write,
    ".json": chrome.write,
    ".txt": text.write,
}

#: What the slices of a recording may stand for.
LEVELS = ("instruction", "kernel", "layer")


def write_trace(
    recording: Recording, path: str, window: Window = None, level: str = "instruction"
) -> None:
    """Writes the trace to ``path``; the file appears only when it is complete.

    ``window`` (a, b) keeps the slices that have a cycle in a .. b-1, whole, the flows between
    them, and of counters the values set there and the one in force at a. ``level`` says what
    the slices of the recording are; which they are is the recording's matter. Slices of one
    track must be apart or within each other; one that begins with the one around it has not
    waited. Raises ``MaiaccError`` E1209 for an ending or level that does not exist, and E0003
    if the file cannot be written.
    """
    ending = PurePath(path).suffix.lower()
    if ending not in ENDINGS:
        raise MaiaccError(
            "E1209",
            "the name does not say which kind of trace to write",
            place=Place(file=path),
            expected=f"a name that ends in {', '.join(ENDINGS)}",
            found=ending or "no ending",
            hint=".pftrace opens in Perfetto, .json in Chrome's viewer too, .txt is for grep",
        )
    if level not in LEVELS:
        raise MaiaccError(
            "E1209", f"there is no level {level}", expected=", ".join(LEVELS), found=level
        )
    clock = Clock(recording.clock_hz)
    selection.check(recording, clock)
    with AtomicFile(path) as stream:
        ENDINGS[ending](stream, recording, clock, window, level)
