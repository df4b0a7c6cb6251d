"""Traces as text: a line for each slice, by begin, in aligned columns of which none is empty.

Lines that begin with # say what the trace is, and name the columns. Control characters in texts
are escaped. The wait in front of a slice stands in the slice's line; counters and flows have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from maiacc_isa.errors import printable
from maiacc_sim.recording import Recording, Track
from maiacc_sim.trace import labels
from maiacc_sim.trace.clock import Clock
from maiacc_sim.trace.selection import Window, at, by_begin

#: Slices at a time.
CHUNK = 1 << 14

#: Headings of the first columns; the first one has room for the # in front of it.
NUMBERS = ("  begin", "end", "complete", "stalled")


def write(stream: BinaryIO, recording: Recording, clock: Clock, window: Window, level: str) -> None:
    """Writes the trace. Times are cycles; the clock is named in the head."""
    for name, value in labels.about(recording, window, level).items():
        stream.write(_encoded(f"# {printable(name)}: {printable(value)}\n"))
    slices, words = recording.slices, recording.words
    columns = (slices.begin, slices.end, slices.complete, slices.stalled)
    begin, end, complete, stalled = widths = [
        max(len(name), len(str(int(column.max(initial=0)))))
        for name, column in zip(NUMBERS, columns, strict=True)
    ]
    tracks = _column("track", map(_track, recording.tracks))
    kinds = _columns(
        ("address", "mnemonic", "bytes"), [(w.address, w.mnemonic, str(w.moved)) for w in words]
    )
    stalls = _column("stall", ["-", *recording.stalls])
    texts = _columns(("source", "assembly"), [(w.source, w.text) for w in words])
    heads = [name.rjust(width) for name, width in zip(NUMBERS, widths, strict=True)]
    heads += [column[0] for column in (tracks, kinds, stalls, texts)]
    stream.write(_encoded("# " + "  ".join(heads)[2:].rstrip() + "\n"))
    order = by_begin(slices, window)
    for start in range(0, len(order), CHUNK):
        shown = at(slices, order[start : start + CHUNK], window)
        rows = zip(
            *(a.tolist() for a in (shown.begin, shown.end, shown.complete, shown.stalled)),
            *(a.tolist() for a in (shown.track, shown.word, shown.stall)),
            strict=True,
        )
        lines = [
            f"{b:{begin}}  {e:{end}}  {c:{complete}}  {w:{stalled}}  {tracks[t + 1]}"
            f"  {kinds[k + 1]}  {stalls[s + 2 if w else 1]}  {texts[k + 1]}".rstrip()
            for b, e, c, w, t, k, s in rows
        ]
        stream.write(_encoded("\n".join([*lines, ""])))


def _track(track: Track) -> str:
    """Instance and queue without spaces: chip0/cluster1/tile3/LD0."""
    return "/".join(part.replace(" ", "") for part in (*track.path, track.name))


def _columns(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Several columns side by side: their headings, then the rows."""
    parts = [_column(name, [row[i] for row in rows]) for i, name in enumerate(names)]
    return ["  ".join(cells) for cells in zip(*parts, strict=True)]


def _column(name: str, values: Iterable[str]) -> list[str]:
    """A heading and values, padded to one width; a dash where there is nothing."""
    cells = [name, *(printable(value) or "-" for value in values)]
    width = max(map(len, cells))
    return [cell.ljust(width) for cell in cells]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
