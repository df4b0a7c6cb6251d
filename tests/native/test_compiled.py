"""Compiled code in the cache: what is damaged or was made for something else is made again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from maiacc_isa import cache
from maiacc_sim.native import core
from maiacc_sim.native.toolchain.host import host
from maiacc_sim.native.toolchain.objects import compile_text


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A cache of the test's own; its folder."""
    folder = tmp_path / "cache"
    with mock.patch.dict(os.environ, {cache.VARIABLE: str(folder)}):
        yield folder


def test_compiled_code_is_kept_and_what_is_damaged_is_made_again(place: Path) -> None:
    load = core._loaded.__wrapped__
    with mock.patch.object(core, "compile_text", wraps=compile_text) as compiled:
        load("timing")
        (path,) = place.glob("native-*")
        good = path.read_bytes()
        flipped = good[:5000] + bytes([good[5000] ^ 1]) + good[5001:]
        load("timing")
        assert compiled.call_count == 1
        for bad in (b"", good[: len(good) // 2], b"\x7fELF" + bytes(5000), flipped):
            path.write_bytes(bad)
            assert load("timing").address("run_events")
            assert path.read_bytes() == good
        assert compiled.call_count == 5
    with mock.patch.dict(os.environ, {cache.VARIABLE: "off"}):
        assert load("timing").address("run_events")


@pytest.mark.parametrize("what", ["host", "source_digest", "rows_digest"])
def test_compiled_code_depends_on_processor_sources_and_rows(place: Path, what: str) -> None:
    load, found = core._loaded.__wrapped__, host()
    other = mock.Mock(key=found.key + " more") if what == "host" else "another digest"
    with mock.patch.object(core, "compile_text", wraps=compile_text) as compiled:
        load("timing")
        with mock.patch.object(core, what, return_value=other):
            load("timing")
        load("timing")
    assert compiled.call_count == 2
    assert len(list(place.glob("native-*"))) == 2
