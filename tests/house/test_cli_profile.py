"""``maiacc profile``: its numbers are those of ``run``, and its parts add up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from house.run_programs import DEMO, LOADS, call
from maiacc.running.critical import collapsed
from maiacc_sim.timing.critical import Link


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the programs."""
    (tmp_path / "demo.mist").write_text(DEMO)
    (tmp_path / "loads.mist").write_text(LOADS)
    return tmp_path


def document(folder: Path, command: str, *arguments: str) -> dict[str, Any]:
    """What a command says with --json."""
    done = call(folder, command, *arguments, "--json")
    assert done.code == 0, done.err
    assert not done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


@pytest.mark.parametrize("name", ["demo.mist", "loads.mist"])
def test_the_numbers_are_those_of_run(folder: Path, name: str) -> None:
    ran = document(folder, "run", name, "--random", "1")
    profiled = document(folder, "profile", name, "--random", "1", "--critical")
    same = set(ran) - {"outputs"}
    assert {key: profiled[key] for key in same} == {key: ran[key] for key in same}
    queues = {row["queue"]: row for row in ran["queues"]}
    for name, row in queues.items():
        waits = [s for s in profiled["stalls"] if s["queue"] == name]
        for kind in ("semaphore", "port"):
            by_name: dict[str, int] = {}
            for stall in waits:
                if stall["kind"] == kind:
                    by_name[stall["name"]] = by_name.get(stall["name"], 0) + stall["cycles"]
            assert by_name == row.get(kind, {})
        words = [w["spent"] for w in profiled["words"] if w["queue"] == name]
        if words:
            assert sum(w["busy"] for w in words) == row["busy"]
            assert sum(w["count"] for w in words) == row["words"]


@pytest.mark.parametrize("name", ["demo.mist", "loads.mist"])
def test_parts_add_up_to_the_total(folder: Path, name: str) -> None:
    found = document(folder, "profile", name, "--random", "1", "--critical")
    sources = found["sources"]
    assert sum(row["total"] for row in sources["rows"]) + sources["empty"] == sources["total"]
    parts = ("busy", "semaphore", "port", "other")
    for row in sources["rows"]:
        assert sum(row[part] for part in parts) == row["total"]
    critical = found["critical"]
    assert sum(critical["queues"].values()) == found["cycles"]
    assert sum(critical["sources"].values()) == found["cycles"]
    steps = [step for piece in critical["path"] for step in piece["steps"]]
    assert sum(step["cycles"] for step in steps) == found["cycles"]
    for row in found["ports"]:
        assert 0 <= row["average"] <= row["highest"] <= 1


def test_roofline_and_memories(folder: Path) -> None:
    found = document(folder, "profile", "demo.mist")
    roof = found["roofline"]
    moved = sum(found["bytes"]["hbm"].values())
    assert roof["macs"] == 2097152
    assert roof["intensity"] == pytest.approx(2097152 / moved)
    # 8 x 8 lanes, 2 deep, on 4 tiles; 64 bytes of HBM a cycle.
    assert roof["peak"] == 8 * 8 * 2 * 4
    assert roof["balance"] == {"bf16": 8.0}
    assert roof["side"] == "compute"
    assert found["memories"]["tsram"] == {"used": 0x2800, "bytes": 65536}


def test_scalars_that_are_not_known_give_a_pair(folder: Path) -> None:
    ran = document(folder, "run", "loads.mist", "--random", "2")
    low, high = document(folder, "profile", "loads.mist")["cycles"]
    assert low < ran["cycles"] < high
    assert document(folder, "profile", "loads.mist", "--random", "2")["cycles"] == ran["cycles"]
    text = call(folder, "profile", "loads.mist", "--by", "queue").out
    assert f"{low:,} to {high:,} cycles" in text


def test_a_log_replays_the_scalars(folder: Path) -> None:
    ran = document(folder, "run", "loads.mist", "--random", "2", "--save-log", "l.json")
    for command in (("run", "--timing-only"), ("profile",)):
        found = document(folder, *command, "loads.mist", "--log", "l.json")
        assert found["cycles"] == ran["cycles"]


@pytest.mark.parametrize(
    ("by", "shown", "other"),
    [
        ("queue", "tile LD0", "product from TTU"),
        ("stall", "product from TTU", "tile LD0"),
        ("instruction", "main:12", "tile LD0"),
        ("source", "all queues that have words", "tile LD0"),
    ],
)
def test_one_table_alone(folder: Path, by: str, shown: str, other: str) -> None:
    done = call(folder, "profile", "demo.mist", "--by", by, "--top", "2")
    assert done.code == 0
    assert shown in done.out
    assert other not in done.out
    assert not [line for line in done.out.splitlines() if line != line.rstrip()]


def test_all_tables_together(folder: Path) -> None:
    done = call(folder, "profile", "demo.mist")
    for title in ("queues:", "control processors", "waits", "instructions:", "sources:",
                  "memories", "ports", "roofline:"):  # fmt: skip
        assert f"\n{title}" in done.out
    assert "demo.mist on mini: " in done.out
    hidden = call(folder, "profile", "demo.mist", "--by", "stall", "--top", "1").out
    assert "more: --top 0 shows all" in hidden
    assert "more:" not in call(folder, "profile", "demo.mist", "--by", "stall", "--top", "0").out


def test_what_repeats_in_a_path_is_said_once() -> None:
    def path(text: str) -> list[Link]:
        return [
            Link(f"{name} of tile {at}", "b", ord(name), at, at + 1, "behind")
            for at, name in enumerate(text)
        ]

    def shown(text: str) -> str:
        return " ".join(
            f"{piece.times}("
            + "".join(f"{s.times}{chr(s.link.index)}" for s in piece.steps)
            + f"){sum(s.cycles for s in piece.steps)}"
            for piece in collapsed(path(text))
        )

    assert shown("") == ""
    assert shown("abc") == "1(1a)1 1(1b)1 1(1c)1"
    assert shown("aaab") == "1(3a)3 1(1b)1"
    assert shown("xaabaaby") == "1(1x)1 2(2a1b)6 1(1y)1"
    assert shown("ababab") == "3(1a1b)6"
    assert shown("ababcababc") == "2(1a1b1a1b1c)10"
