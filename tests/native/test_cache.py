"""The user's cache: what is no entry is never taken for one, and nothing fails for lack of a cache."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from maiacc_isa import cache
from support import PATHS

NAME = cache.key("an entry")
CONTENT = b"what was worked out " * 100


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A cache of the test's own with an entry in it; its folder."""
    folder = tmp_path / "cache"
    with mock.patch.dict(os.environ, {cache.VARIABLE: str(folder)}):
        cache.put("kind", NAME, CONTENT)
        assert cache.get("kind", NAME) == CONTENT
        yield folder


def entry(place: Path) -> Path:
    """The file of the entry."""
    return place / f"kind-{NAME}"


# ---- entries ------------------------------------------------------------------------------------


def test_an_entry_is_found_by_kind_and_name(place: Path) -> None:
    assert cache.get("other", NAME) is None
    assert cache.get("kind", cache.key("another entry")) is None
    assert [path.name for path in place.iterdir()] == [entry(place).name]
    cache.put("kind", NAME, b"")
    assert cache.get("kind", NAME) == b""


def test_keys_depend_on_every_part_and_where_it_ends() -> None:
    parts = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ("c", "ab"), ()]
    assert len({cache.key(*part) for part in parts}) == len(parts)
    assert cache.key("a") == cache.key(b"a")


def _flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "magic": _flipped(0),
    "digest": _flipped(len(cache.MAGIC) + 7),
    "content": _flipped(cache.HEADER),
    "last byte": _flipped(-1 % (cache.HEADER + len(CONTENT))),
    "cut off": lambda data: data[:-1],
    "header only": lambda data: data[: cache.HEADER],
    "longer": lambda data: data + b"x",
    "other version": lambda data: data.replace(b"cache 1", b"cache 2"),
    "digest of nothing": lambda data: cache.MAGIC + bytes(32) + data[cache.HEADER :],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_none_and_goes(place: Path, damage: str) -> None:
    path = entry(place)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert cache.get("kind", NAME) is None
    assert not path.exists()
    cache.put("kind", NAME, CONTENT)
    assert cache.get("kind", NAME) == CONTENT


@pytest.mark.parametrize("size", [0, 1, cache.HEADER - 1])
def test_what_is_shorter_than_a_header_is_none(place: Path, size: int) -> None:
    path = entry(place)
    path.write_bytes(path.read_bytes()[:size])
    assert cache.get("kind", NAME) is None
    cache.put("kind", NAME, CONTENT)
    assert cache.get("kind", NAME) == CONTENT


@pytest.mark.parametrize("more", [stat.S_IWGRP, stat.S_IWOTH])
def test_files_that_others_may_write_are_none(place: Path, more: int) -> None:
    entry(place).chmod(0o600 | more)
    assert cache.get("kind", NAME) is None
    entry(place).chmod(0o600)
    assert cache.get("kind", NAME) == CONTENT


def _of_another(found: os.stat_result) -> os.stat_result:
    """What is known of a file, as if another user had it."""
    values = list(found)
    values[stat.ST_UID] += 1
    return os.stat_result(values)


def test_files_of_others_are_none(place: Path) -> None:
    fstat = os.fstat
    with mock.patch("maiacc_isa.cache.os.fstat", lambda file: _of_another(fstat(file))):
        assert cache.get("kind", NAME) is None
    assert cache.get("kind", NAME) == CONTENT


def test_links_pipes_and_folders_are_none(place: Path, tmp_path: Path) -> None:
    path, elsewhere = entry(place), tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert cache.get("kind", NAME) is None
    path.unlink()
    os.mkfifo(path, 0o600)
    assert cache.get("kind", NAME) is None
    path.unlink()
    path.mkdir()
    assert cache.get("kind", NAME) is None
    cache.put("kind", NAME, CONTENT)
    assert path.is_dir()
    assert [p.name for p in place.iterdir()] == [path.name]
    path.rmdir()
    # Writing replaces a link; what it led to stays as it was.
    path.symlink_to(elsewhere)
    cache.put("kind", NAME, b"new")
    assert cache.get("kind", NAME) == b"new"
    assert not path.is_symlink()
    assert elsewhere.read_bytes().endswith(CONTENT)


def test_what_is_too_large_is_neither_kept_nor_read(place: Path) -> None:
    with mock.patch.object(cache, "ENTRY_LIMIT", len(CONTENT) - 1):
        assert cache.get("kind", NAME) is None
        cache.put("kind", cache.key("large"), CONTENT)
    assert cache.get("kind", NAME) == CONTENT
    assert cache.get("kind", cache.key("large")) is None
    with mock.patch.object(cache, "ENTRY_LIMIT", len(CONTENT)):
        assert cache.get("kind", NAME) == CONTENT


# ---- the folder -----------------------------------------------------------------------------------


def test_a_folder_that_others_may_write_to_is_none(place: Path) -> None:
    for mode in (0o770, 0o707, 0o777):
        place.chmod(mode)
        assert cache.folder() is None
        assert cache.get("kind", NAME) is None
        cache.put("kind", cache.key("other"), CONTENT)
    place.chmod(0o700)
    assert cache.get("kind", cache.key("other")) is None
    assert cache.get("kind", NAME) == CONTENT


def test_a_folder_of_others_is_none(place: Path) -> None:
    with mock.patch("maiacc_isa.cache.os.getuid", return_value=place.stat().st_uid + 1):
        assert cache.folder() is None
        assert cache.get("kind", NAME) is None


def test_a_link_to_a_folder_is_none(place: Path) -> None:
    link = place.parent / "link"
    link.symlink_to(place)
    with mock.patch.dict(os.environ, {cache.VARIABLE: str(link)}):
        assert cache.folder() is None
        assert cache.get("kind", NAME) is None


def test_folders_are_made_for_their_user_alone(place: Path) -> None:
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry(place).stat().st_mode) == 0o600


@pytest.mark.parametrize("word", ["off", "OFF"])
def test_the_cache_is_turned_off(place: Path, word: str) -> None:
    with mock.patch.dict(os.environ, {cache.VARIABLE: word}):
        assert cache.folder() is None
        assert cache.get("kind", NAME) is None
        cache.put("kind", cache.key("other"), CONTENT)
    assert len(list(place.iterdir())) == 1
    assert not Path(word).exists()


def test_a_place_that_cannot_be_a_folder_is_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "file", tmp_path / "file" / "inside", Path("/proc/none/here")):
        with mock.patch.dict(os.environ, {cache.VARIABLE: str(place)}):
            assert cache.folder() is None
            cache.put("kind", NAME, CONTENT)
            assert cache.get("kind", NAME) is None


def test_without_a_name_the_folder_is_the_systems(tmp_path: Path) -> None:
    for system, variables, wanted in (
        ("linux", {"XDG_CACHE_HOME": str(tmp_path / "x")}, tmp_path / "x" / "maiacc"),
        ("linux", {"XDG_CACHE_HOME": "not/absolute"}, tmp_path / ".cache" / "maiacc"),
        ("linux", {}, tmp_path / ".cache" / "maiacc"),
        ("darwin", {}, tmp_path / "Library" / "Caches" / "maiacc"),
        ("win32", {"LOCALAPPDATA": str(tmp_path / "l")}, tmp_path / "l" / "maiacc" / "cache"),
        ("win32", {}, tmp_path / "AppData" / "Local" / "maiacc" / "cache"),
    ):
        with (
            mock.patch.dict(os.environ, {"HOME": str(tmp_path), **variables}, clear=True),
            mock.patch.object(sys, "platform", system),
        ):
            assert cache.folder() == wanted


def test_the_oldest_entries_go_first(place: Path) -> None:
    names = [cache.key(str(n)) for n in range(6)]
    size = cache.HEADER + len(CONTENT)
    os.utime(entry(place), (1, 1))
    for number, name in enumerate(names):
        cache.put("kind", name, CONTENT)
        os.utime(place / f"kind-{name}", (10 + number, 10 + number))
    (place / "new-left over").write_bytes(bytes(size))
    os.utime(place / "new-left over", (2, 2))
    with mock.patch.object(cache, "FOLDER_LIMIT", 4 * size):
        cache.put("kind", cache.key("last"), CONTENT)
    kept = {path.name for path in place.iterdir()}
    assert kept == {f"kind-{name}" for name in (*names[3:], cache.key("last"))}


def test_there_are_never_too_many_entries(place: Path) -> None:
    names = [cache.key(str(n)) for n in range(5)]
    os.utime(entry(place), (1, 1))
    with mock.patch.object(cache, "NUMBER_LIMIT", 3):
        for number, name in enumerate(names):
            cache.put("kind", name, CONTENT)
            os.utime(place / f"kind-{name}", (10 + number, 10 + number))
    assert {path.name for path in place.iterdir()} == {f"kind-{name}" for name in names[2:]}


def test_a_full_disk_is_no_trouble(place: Path) -> None:
    before = entry(place).read_bytes()
    for function in ("replace", "fdopen"):
        with mock.patch(f"maiacc_isa.cache.os.{function}", side_effect=OSError(28, "full")):
            cache.put("kind", NAME, b"other")
    assert entry(place).read_bytes() == before
    assert [path.name for path in place.iterdir()] == [entry(place).name]


WRITER = """
import sys
from maiacc_isa import cache
name, own = cache.key("shared"), sys.argv[1].encode()
seen = set()
for turn in range(150):
    cache.put("kind", name, own * (1000 + turn))
    found = cache.get("kind", name)
    assert found is None or found == found[:1] * len(found) and 1000 <= len(found) < 1150, found
    seen.add(found and found[:1])
print(*sorted(x.decode() for x in seen if x))
"""


def test_writers_at_the_same_time_leave_whole_entries(place: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": PATHS}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, letter], env=environment, stdout=subprocess.PIPE
        )
        for letter in "abc"
    ]
    seen = [process.communicate(timeout=60)[0].decode().split() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert all(letter in found for letter, found in zip("abc", seen, strict=True))
    last = cache.get("kind", cache.key("shared"))
    assert last is not None
    assert len(last) == 1149
    assert not [path for path in place.iterdir() if path.name.startswith("new-")]
