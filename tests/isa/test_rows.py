"""The rows are the only description: change one, and everything made from it changes."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from conftest import ROOT
from maiacc_isa import check, measure
from maiacc_isa.errors import MaiaccError
from maiacc_isa.expr import to_text
from maiacc_isa.load import ROW_FILES, load, parse, parse_expr
from maiacc_isa.machine import builtin_machine, builtin_machines
from maiacc_isa.measure import WordMeasure
from maiacc_isa.spec import Spec
from maiacc_isa.synth import sample_word
from maiacc_isa.word import word_layout


def rows() -> list[tuple[str, str]]:
    folder = files("maiacc_isa").joinpath("rows")
    return [(name, folder.joinpath(name).read_text("utf-8")) for name in ROW_FILES]


def changed(old: str, new: str) -> list[tuple[str, str]]:
    """The rows with one piece of text replaced."""
    found = [name for name, text in rows() if old in text]
    assert len(found) == 1, f"{old!r} occurs in {found}"
    return [(name, text.replace(old, new, 1)) for name, text in rows()]


def test_the_rows_are_consistent() -> None:
    spec = load()
    assert len(spec.insns) == 39
    assert set(spec.by_mnemonic) == {name.lower() for name in spec.insns}


def test_every_bit_of_every_word_has_one_owner() -> None:
    spec = load()
    for insn in spec.insns.values():
        owner: dict[int, str] = {}
        for f in word_layout(insn, spec).fields:
            for bit in range(f.low, f.high + 1):
                assert bit not in owner, f"{insn.name}: bit {bit}"
                owner[bit] = f.name


def test_functions_of_the_rows_are_the_ones_that_have_a_meaning() -> None:
    assert check.FUNCTIONS == measure.FUNCTIONS


@pytest.mark.parametrize("name", sorted(load().insns))
@pytest.mark.parametrize("target", builtin_machines())
def test_formulas_are_defined_and_positive(name: str, target: str) -> None:
    machine = builtin_machine(target)
    if name in ("PUT", "PUTADD", "PUTM", "GRANT", "BAR") and machine.links == 0:
        pytest.fail("every built-in machine has a link")
    word, block = sample_word(load().insns[name], machine)
    m = WordMeasure(word, block, machine)
    assert m.occupancy >= 1
    assert m.latency >= 0
    for require in word.row.requires:
        if not word.row.control:
            assert m.evaluate(require.test), require.message


# ---- wrong rows are refused ---------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("insn MM 0x20", "insn MM 0x21"),
        ("queue TVP 1 of tile", "queue TVP 0 of tile"),
        ("dtype bf16 1", "dtype bf16 0"),
        ("stage add 2", "stage add 4"),
        ("field mode 13:12 enum(accumulate) \"overwrite or accumulate\"\n  field level 16:14",
         "field mode 14:12 enum(accumulate) \"overwrite or accumulate\"\n  field level 16:14"),
        ("fill 1014:983 u", "fill 1014:982 u"),
        ("base 64:21 u", "base 64:20 u"),
        ("axis[4] 416:65 axis", "axis[4] 415:65 axis"),
        ("rank 17:15 u", "rank 17:15 nothing"),
        ("latency m.ttu.fill\n  meaning mm\n", "latency m.ttu.full\n  meaning mm\n"),
        ("K <= limit.mm_k \"K is at most 65,536\"\n  require E0702 scales_fit(a, b) \"scales: e8m0 per 32 of K",
         "Q <= limit.mm_k \"K is at most 65,536\"\n  require E0702 scales_fit(a, b) \"scales: e8m0 per 32 of K"),
        ("occupancy passes(chain) * cdiv(X,", "occupancy steps(chain) * cdiv(X,"),
        ("traps bounds, uninitialised, level, metadata", "traps bounds, surprise"),
        ("acc 1 \"is added to them\"", "acc 2 \"is added to them\""),
        ("pair {bf16} {bf16}", "pair {bf16} {bf17}"),
        ("via tile(source), noc(payload)", "via tile(source), bus(payload)"),
        ("  write d\n  occupancy cdiv(M * N * 4", "  occupancy cdiv(M * N * 4"),
        ("require E0701 d.bits >= 8 \"types below 8 bits are not gathered\"",
         "require E0701 d.weight >= 8 \"types below 8 bits are not gathered\""),
    ],
)  # fmt: skip
def test_contradictions_are_refused(old: str, new: str) -> None:
    with pytest.raises(MaiaccError) as caught:
        parse(changed(old, new))
    assert caught.value.code == "E0202", caught.value


@pytest.mark.parametrize(
    "text",
    ["insn", "insn X 0x99 format word_engine { }", "dtype x { }", '"', "limit a = b", "((("],
)
def test_what_is_no_row_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(MaiaccError) as caught:
        parse([*rows(), ("extra.isa", f"# line 1\n{text}\n")])
    assert caught.value.code in ("E0201", "E0202")
    if caught.value.code == "E0201":
        assert caught.value.place is not None
        assert caught.value.place.file == "extra.isa"
        assert caught.value.place.line in (2, 3)


# ---- changed rows change everything made from them --------------------------------------------
def outputs(spec: Spec) -> dict[str, object]:
    """What is made from the instruction table, in forms that can be compared."""
    machine = builtin_machine("maia200")
    result: dict[str, object] = {}
    for insn in spec.insns.values():
        layout = word_layout(insn, spec)
        result[f"{insn.name} bits"] = [(f.name, f.high, f.low, str(f.kind)) for f in layout.fields]
        result[f"{insn.name} opcode"] = insn.opcode
        result[f"{insn.name} mnemonic"] = insn.mnemonic
        result[f"{insn.name} time"] = (to_text(insn.occupancy), to_text(insn.latency))
        result[f"{insn.name} rules"] = [to_text(r.test) for r in insn.requires]
        result[f"{insn.name} footprint"] = [(a.mode, a.operand, a.whole) for a in insn.accesses]
        if spec is load():
            word, block = sample_word(insn, machine)
            result[f"{insn.name} cycles"] = WordMeasure(word, block, machine).occupancy
    return result


@pytest.mark.parametrize(
    ("old", "new", "affected"),
    [
        ("insn VRED 0x31", "insn VRED 0x3d", "VRED opcode"),
        ("insn VRED 0x31", "insn VREDUCE 0x31", "VREDUCE mnemonic"),
        ("field k 18:12 u", "field k 17:12 u", "VTOPK bits"),
        ("occupancy 2 * cdiv(R * C, lanes(a, a, a, a))", "occupancy 3 * cdiv(R * C, lanes(a, a, a, a))",
         "VQUANT time"),
        ("require E0703 k >= 1 and k <= limit.topk", "require E0703 k >= 1 and k < limit.topk",
         "VTOPK rules"),
        ("  read d whole when op != set\n  write d whole\n  occupancy cdiv(X, m.tvp.gather)",
         "  read d when op != set\n  write d\n  occupancy cdiv(X, m.tvp.gather)", "VSCATTER footprint"),
    ],
)  # fmt: skip
def test_a_changed_row_changes_what_is_made_from_it(old: str, new: str, affected: str) -> None:
    before, after = outputs(load()), outputs(parse(changed(old, new)))
    assert before.get(affected) != after[affected]
    untouched = {k for k in after if not k.startswith(affected.split()[0]) and "cycles" not in k}
    for key in untouched & set(before):
        assert before[key] == after[key], f"{key} changed with {affected}"


def test_there_is_no_second_list_of_mnemonics() -> None:
    """No source outside the rows names more than a few instructions."""
    names = set(load().insns)
    # The compiler says which instruction each kind of word becomes.
    table = ROOT / "maiacc" / "backend" / "words.py"
    for folder in ("isa/maiacc_isa", "maiacc"):
        for path in set((ROOT / folder).rglob("*.py")) - {table}:
            words = set(re.findall(r"[\"']([A-Z]+)[\"']", path.read_text("utf-8")))
            listed = words & names
            assert len(listed) <= 10, f"{path} names {sorted(listed)}"


@pytest.mark.parametrize(
    "text",
    ["1 + 2 * 3", "(1 + 2) * 3", "not (a and b) or c", "a if b == c else d", "x in {p, q}",
     "f(a, -b) // 2", "m.ttu.block * 2.5", "a - (b - c)", "a - b - c", "-(a + b)"],
)  # fmt: skip
def test_expressions_print_as_they_parse(text: str) -> None:
    expr = parse_expr(text)
    assert parse_expr(to_text(expr)) == expr
    assert to_text(expr) == text


@pytest.mark.parametrize("name", ["MM", "MMSP"])
@pytest.mark.parametrize("empty", ["M", "N"])
def test_a_multiply_of_nothing_takes_a_cycle(name: str, empty: str) -> None:
    machine = builtin_machine("mini")
    sizes = {"M": 8, "N": 8, "K": 64, empty: 0}
    word, block = sample_word(load().insns[name], machine, sizes)
    assert WordMeasure(word, block, machine).occupancy == 1
