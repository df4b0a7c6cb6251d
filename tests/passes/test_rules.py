"""Every rule: that some golden file needs it, and that it keeps what it says it keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from maiacc_passes import algebra, canonicalize, contractions, moving, recognize, views
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module, Op
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.verify import verify
from maiacc_passes.rewriting import Replacement, Rule, by_op, rewrite
from passes.equivalence import difference, inputs
from passes.files import CASES, Case

RULES = (*recognize.RULES, *canonicalize.RULES)

FAMILIES = {
    "algebra": algebra.RULES,
    "views": views.RULES,
    "moving": moving.RULES,
    "contractions": contractions.RULES,
    "recognition": recognize.RULES,
}


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each rule applies from now on."""
    found: Counter[str] = Counter()

    def counting(module: Module, rules: Mapping[str, Sequence[Rule]]) -> dict[str, int]:
        done = rewrite(module, rules)
        found.update(done)
        return done

    monkeypatch.setattr(canonicalize, "rewrite", counting)
    return found


def test_names_are_unique_and_ops_exist() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert set(rule.ops) <= OPS.keys(), rule.name
        assert rule.keeps in ("bit", "bound"), rule.name


@pytest.mark.parametrize("folder", FAMILIES)
def test_every_rule_is_applied_in_a_golden_file_of_its_folder(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied = counted(monkeypatch)
    for case in CASES:
        if case.path.parent.name == folder:
            module = case.module()
            for one in case.passes():
                one.run(module)
    names = [rule.name for rule in FAMILIES[folder]]
    assert [name for name in names if not applied[name]] == []


def test_rules_that_keep_all_bits_do() -> None:
    rules = by_op(rule for rule in RULES if rule.keeps == "bit")
    for case in CASES:
        before, after = case.module(), case.module()
        if rewrite(after, rules):
            verify(after)
            assert difference(before, after, inputs(before), exact=True) == "", case.name


def test_passes_find_nothing_in_what_they_made() -> None:
    for case in CASES:
        module = case.module()
        for one in case.passes():
            one.run(module)
        assert [one.run(module) for one in case.passes()] == [0] * len(case.passes()), case.name


# ---- the worklist ---------------------------------------------------------------------------
def case_of(name: str) -> Case:
    """A golden file."""
    return next(case for case in CASES if case.name == name)


def test_rules_that_undo_each_other_are_stopped() -> None:
    other = {"relu": "abs", "abs": "relu"}
    swap = Rule("swap", ("abs", "relu"), lambda op, b: b(other[op.name], *op.operands))
    with pytest.raises(IRError) as problem:
        rewrite(case_of("algebra/relu_twice").module(), by_op([swap]))
    assert problem.value.code == "E1411"
    assert "swap" in problem.value.message


def test_rules_that_give_up_leave_nothing_behind() -> None:
    def give_up(op: Op, b: Builder) -> Replacement:
        b("exp", b("neg", op.operands[0]))
        return None

    case = case_of("algebra/relu_twice")
    module = case.module()
    assert rewrite(module, by_op([Rule("gives up", ("relu",), give_up)])) == {}
    verify(module)
    assert print_module(module) == case.source
