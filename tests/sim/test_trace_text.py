"""Traces as text: one aligned line for each slice, by begin, that grep and awk can work with."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from maiacc_isa.errors import printable
from maiacc_sim.recording import Recording, Slices, WordInfo
from maiacc_sim.trace import text
from maiacc_sim.trace.write import write_trace
from sim.trace_samples import empty, encodable, inside, sample


def written(
    recording: Recording, folder: Path, window: tuple[int, int] | None = None
) -> tuple[list[str], list[str]]:
    """Lines of the head and lines of slices."""
    write_trace(recording, str(folder / "t.txt"), window)
    lines = (folder / "t.txt").read_text("utf-8").split("\n")
    assert lines.pop() == ""
    heads = [line for line in lines if line.startswith("#")]
    assert lines[: len(heads)] == heads
    return heads, lines[len(heads) :]


def cells(recording: Recording, window: tuple[int, int] | None) -> list[tuple[str, ...]]:
    """What the lines have to say, by begin and track."""
    rows = zip(
        *(getattr(recording.slices, n).tolist() for n in Slices.__annotations__), strict=True
    )
    found = []
    for track, word, begin, end, complete, stall, stalled in sorted(
        rows, key=lambda r: (r[2], r[0])
    ):
        info, place = recording.words[word], recording.tracks[track]
        if inside(begin, end, window):
            where = "/".join(p.replace(" ", "") for p in (*place.path, place.name))
            why = recording.stalls[stall] if stalled else "-"
            texts = (
                where,
                info.address,
                info.mnemonic,
                str(info.moved),
                why,
                info.source,
                info.text,
            )
            numbers = map(str, (begin, end, complete, stalled))
            found.append((*numbers, *(encodable(printable(t)) or "-" for t in texts)))
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hostile", [False, True])
def test_lines_are_the_slices_by_begin(tmp_path: Path, seed: int, hostile: bool) -> None:
    recording = sample(seed, hostile)
    for window in (None, (recording.cycles // 3, recording.cycles // 2)):
        _, lines = written(recording, tmp_path, window)
        # Columns are padded, so that spaces between them tell nothing about the cells.
        squeezed = [re.sub(r"\s+", " ", line).strip() for line in lines]
        wanted = cells(recording, window)
        assert sorted(squeezed) == sorted(
            re.sub(r"\s+", " ", " ".join(row)).strip() for row in wanted
        )
        begins = [int(line.split()[0]) for line in lines]
        assert begins == [int(row[0]) for row in wanted]


def test_columns_are_aligned_and_named(tmp_path: Path) -> None:
    recording = sample(1)
    heads, lines = written(recording, tmp_path)
    names = ["begin", "end", "complete", "stalled", "track", "address", "mnemonic", "bytes",
             "stall", "source", "assembly"]  # fmt: skip
    assert heads[-1].split() == ["#", *names]
    for column, name in enumerate(names):
        at = re.search(rf"\b{name}\b", heads[-1])
        assert at
        for line in lines:
            split = re.split(r" {2,}", line.strip())
            assert len(split) == len(names)
            if column < 4:
                assert line[: at.end()].split()[-1] == split[column]
                assert line[at.end()] == " "
            else:
                assert line[at.start() :].startswith(split[column])
    waits = [line for line in lines if "full (LD0)" in line]
    assert len(waits) == sum(row[8] == "full (LD0)" for row in cells(recording, None)) > 0


def test_every_slice_is_one_printable_line(tmp_path: Path) -> None:
    recording = sample(1, hostile=True)
    heads, lines = written(recording, tmp_path)
    assert len(lines) == len(recording.slices)
    assert all(line.isprintable() for line in (*heads, *lines))


def test_the_head_says_what_it_is(tmp_path: Path) -> None:
    recording = replace(sample(0), clock_hz=1.5e9, title="t", cycles=7, meta={"a": "b\nc"})
    heads, _ = written(recording, tmp_path, (3, 9))
    assert heads[:-1] == [
        "# title: t", "# clock_hz: 1500000000", "# cycles: 7", "# level: instruction",
        "# window: 3:9", "# a: b\\nc",
    ]  # fmt: skip


def test_nothing_happened(tmp_path: Path) -> None:
    heads, lines = written(empty(sample(0)), tmp_path)
    assert heads
    assert not lines


def test_chunks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = replace(sample(4), words=[WordInfo(f"b:{i}", "op", "t", "s", i) for i in range(12)])
    whole = written(recording, tmp_path)
    monkeypatch.setattr(text, "CHUNK", 7)
    assert written(recording, tmp_path) == whole
