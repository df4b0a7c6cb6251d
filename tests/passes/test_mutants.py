"""Golden files changed in one thing: rules see the change, or what they do is right all the same."""

from __future__ import annotations

import numpy as np
import pytest

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.verify import verify
from passes.equivalence import difference, inputs
from passes.files import CASES, Case
from passes.mutate import mutant
from passes.test_random import unfolded

#: Constants of these types are rounded so much that what is computed from them differs.
ROUNDED = ("fp16[", "bf16[")

FOLDERS = sorted({case.path.parent.name for case in CASES})


def cases_of(folder: str) -> list[Case]:
    """The golden files of a folder."""
    return [case for case in CASES if case.path.parent.name == folder]


def check_mutant(case: Case, module: Module) -> None:
    """The passes of a file on a mutant: legal, and the same results in exact numbers."""
    after = parse_module(print_module(module))
    for one in case.passes():
        unfolded(one).run(after)
        verify(after)
    given = inputs(module)
    try:
        evaluate(module, given)
    except IRError:
        # An index that is outside, for example.
        return
    if not any(name in case.source for name in ROUNDED):
        assert difference(module, after, given, exact=False, lift=True) == "", print_module(module)


def check_mutants(folder: str, seeds: range) -> int:
    """How many mutants there were."""
    count = 0
    for case in cases_of(folder):
        for seed in seeds:
            module = mutant(case.source, seed)
            if module is not None:
                with np.errstate(all="ignore"):
                    check_mutant(case, module)
                count += 1
    return count


@pytest.mark.parametrize("folder", FOLDERS)
def test_passes_are_right_about_mutants(folder: str) -> None:
    assert check_mutants(folder, range(12)) > len(cases_of(folder))


@pytest.mark.nightly
@pytest.mark.parametrize("block", range(10))
@pytest.mark.parametrize("folder", FOLDERS)
def test_passes_are_right_about_many_mutants(folder: str, block: int) -> None:
    check_mutants(folder, range(100 + 40 * block, 140 + 40 * block))
