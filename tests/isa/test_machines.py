"""Machine files: values with provenance, published peaks, and every error at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Golden
from maiacc_isa.errors import ErrorList, MaiaccError
from maiacc_isa.load import load
from maiacc_isa.machine import (
    builtin_machine,
    builtin_machines,
    load_machine,
    machine_from_values,
    parse_machine,
)

MINI = 'extends = "mini"'
HEAD = '[machine]\nname = "x"\ntitle = "x"\n'


@pytest.mark.parametrize("name", builtin_machines())
def test_every_constant_says_where_it_comes_from(name: str) -> None:
    machine = builtin_machine(name)
    for path in machine.values:
        known = machine.provenance[path]
        assert known.source in ("published", "derived", "assumption")
        assert len(known.cite) >= 4, path


@pytest.mark.parametrize("name", builtin_machines())
def test_published_figures_follow_from_the_constants(name: str) -> None:
    machine = builtin_machine(name)
    for figure in machine.published:
        value = machine.evaluate(figure.formula)
        assert value == pytest.approx(figure.value, rel=figure.tolerance + 1e-12), figure.name
    if name.startswith("maia"):
        assert len(machine.published) >= 6


def test_the_fp8_peak_of_maia200() -> None:
    """36 tiles x 65,536 operations x 2 GHz."""
    assert builtin_machine("maia200").peak("fp8") == 36 * 65_536 * 2e9


@pytest.mark.parametrize("name", builtin_machines())
def test_golden_values(name: str, golden: Golden) -> None:
    """Rates, capacities and latencies stand still; a change needs a cited source."""
    machine = builtin_machine(name)
    lines = [f"{path} = {value}" for path, value in machine.values.items()]
    golden(f"machines/{name}.txt", "\n".join(lines) + "\n")


def test_digests_tell_machines_apart_and_only_by_values() -> None:
    digests = {builtin_machine(name).digest for name in builtin_machines()}
    assert len(digests) == len(builtin_machines())
    m = builtin_machine("mini")
    assert machine_from_values("other", "name", dict(m.values)).digest == m.digest


def test_extends() -> None:
    text = (
        f"{HEAD}{MINI}\n[ttu]\nblock = {{ value = 16, source = 'assumption', cite = 'what if' }}\n"
    )
    machine = parse_machine(text, "x.toml")
    assert machine["ttu.block"] == 16
    assert machine["tsram.bytes"] == builtin_machine("mini")["tsram.bytes"]


BAD = [
    ("", "E0304"),
    ("[machine\n", "E0301"),
    ("x = " + "9" * 100_000, "E0301"),
    ("a = " + "[" * 100_000, "E0301"),
    (HEAD + MINI + "\n[ttu]\nblock = 3\n", "E0304"),
    (HEAD + MINI + "\n[ttu]\nblock = { value = 0, source = 'assumption', cite = 'x' }\n", "E0305"),
    (HEAD + MINI + "\n[ttu]\nblock = { value = 2.5, source = 'assumption', cite = 'x' }\n", "E0304"),
    (HEAD + MINI + "\n[ttu]\nblock = { value = true, source = 'assumption', cite = 'x' }\n", "E0304"),
    (HEAD + MINI + "\n[ttu]\nblock = { value = 8, source = 'rumour', cite = 'x' }\n", "E0306"),
    (HEAD + MINI + "\n[ttu]\nblock = { value = 8, source = 'assumption' }\n", "E0306"),
    (HEAD + MINI + "\n[ttu]\nblok = { value = 8, source = 'assumption', cite = 'x' }\n", "E0303"),
    (HEAD + MINI + "\n[turbo]\n", "E0303"),
    (HEAD + 'extends = "maia300"\n', "E0308"),
    (HEAD + MINI + "\n[link.0]\nreach = { value = 'xor', source = 'assumption', cite = 'x' }\n", "E0304"),
    (HEAD + MINI + "\n[link.5]\nlatency = { value = 1, source = 'assumption', cite = 'x' }\n", "E0307"),
    (HEAD + MINI + "\n[chip]\nclusters = { value = 200, source = 'assumption', cite = 'x' }\n", "E0307"),
    (HEAD, "E0302"),
    ("machine = 3\n", "E0304"),
    (HEAD + MINI + "\nspeed = 'fast'\n", "E0303"),
    (HEAD + MINI + "\n[[published]]\nname = 'x'\n", "E0304"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code"), BAD)
def test_bad_machine_files(text: str, code: str) -> None:
    with pytest.raises(MaiaccError) as caught:
        parse_machine(text, "bad.toml")
    problem = caught.value
    found = problem.errors if isinstance(problem, ErrorList) else [problem]
    assert code in {error.code for error in found}
    for error in found:
        assert error.place is not None
        assert error.place.file == "bad.toml"


def test_every_error_is_reported_at_once_with_its_key() -> None:
    text = (
        HEAD + MINI + "\n[ttu]\nblock = 3\nblok = 4\nfill = { value = -1 }\n[clock]\nhz = 'fast'\n"
    )
    with pytest.raises(ErrorList) as caught:
        parse_machine(text, "bad.toml")
    labels = {error.place.label for error in caught.value.errors if error.place}
    assert {"ttu.block", "ttu.blok", "ttu.fill", "clock.hz"} <= labels


def test_files_by_path(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f"{HEAD}{MINI}\n")
    assert load_machine(str(path)).name == "x"
    for bad, code in ((tmp_path, "E0005"), (tmp_path / "none.toml", "E0002"), ("a\0b/c", "E0002")):
        with pytest.raises(MaiaccError) as caught:
            load_machine(f"{bad}/" if bad is tmp_path else str(bad))
        assert caught.value.code == code
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(MaiaccError) as caught:
        load_machine(str(path))
    assert caught.value.code == "E0301"
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(MaiaccError) as caught:
        load_machine(str(path))
    assert caught.value.code == "E0006"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(MaiaccError, match="maia200") as caught:
        load_machine("maia2000")
    assert caught.value.code == "E0004"


def test_links_lead_where_their_rule_says() -> None:
    tray = builtin_machine("maia200x4")
    assert tray.chips == 4
    for chip in range(4):
        assert [p for p in range(4) if tray.reaches(0, chip, p)] == [chip ^ 1]
        assert [p for p in range(4) if tray.reaches(1, chip, p)] == [chip ^ 2]
        assert [p for p in range(4) if tray.reaches(3, chip, p)] == [
            p for p in range(4) if p != chip
        ]


def test_capacities() -> None:
    m = builtin_machine("maia200")
    assert m.space_bytes("acc") == 256 * 1024
    assert m.space_bytes("tsram") == 3 << 20
    assert m.instances("tile") == 36
    assert m.kchunk("e4m3", "e2m1") == 32
    assert m.kchunk("fp32", "bf16") == 0
    assert builtin_machine("maia100").kchunk("e2m1", "e2m1") == 0


def test_every_rate_of_the_pairs_is_a_constant() -> None:
    for pair in load().pairs:
        assert f"ttu.kchunk.{pair.rate}" in load().constants
