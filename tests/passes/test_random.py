"""Random modules through every pass: what comes out is legal, computes the same, and stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from ir.random_graphs import random_inputs, random_module
from maiacc_passes import canonicalize, pipeline, recognize
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.verify import verify
from maiacc_passes.ir.weights import Data
from maiacc_passes.pipeline import Pass
from maiacc_passes.rewriting import by_op, rewrite
from passes.equivalence import difference
from passes.redundant import expanded_module, redundant_module

#: Makes a module of about so many ops from a seed, always the same.
Make = Callable[[int, int], Module]

#: Kinds of modules, and how many ops they have.
KINDS: dict[str, tuple[Make, int]] = {
    "random": (random_module, 25),
    "redundant": (redundant_module, 40),
    "expanded": (expanded_module, 20),
}

BITS = by_op(rule for rule in (*recognize.RULES, *canonicalize.RULES) if rule.keeps == "bit")


def unfolded(one: Pass) -> Pass:
    """The pass without folding, which rounds what is computed in exact numbers."""
    options = {name: 0 for name in pipeline.options_of(one) if name == "fold_limit"}
    changed: Pass = dataclasses.replace(one, **options)  # type: ignore[type-var]
    return changed


def check_text(module: Module) -> None:
    """What is printed is read, and printed again it is the same."""
    sources = [weight.source for weight in module.weights.values()]
    data = {source.digest: source.value for source in sources if isinstance(source, Data)}
    text = print_module(module)
    read = parse_module(text, data)
    verify(read)
    assert print_module(read) == text


def check_pass(one: Pass, make: Callable[[], Module], given: Mapping[str, Any]) -> None:
    """A pass on a module: legal, the same results, and nothing left to do."""
    before, after = make(), make()
    one.run(after)
    verify(after)
    check_text(after)
    exact = one.keeps == "bit"
    if exact:
        assert difference(before, after, given, exact) == ""
    else:
        exactly = make()
        unfolded(one).run(exactly)
        assert difference(before, exactly, given, exact, lift=True) == ""
    assert one.run(after) == 0


def check_rules(make: Callable[[], Module], given: Mapping[str, Any]) -> None:
    """The rules that keep all bits keep them."""
    before, after = make(), make()
    rewrite(after, BITS)
    verify(after)
    assert difference(before, after, given, exact=True) == ""


def check_pipeline(make: Callable[[], Module]) -> None:
    """All passes of the pipeline one after the other, and once more."""
    module = make()
    passes = [step.made for step in pipeline.PIPELINE]
    pipeline.run(module, passes, lambda name, after, changes: verify(after))
    check_text(module)
    assert [one.run(module) for one in passes] == [0] * len(passes)


def check(kind: str, seed: int) -> None:
    """Everything, for one module."""
    function, ops = KINDS[kind]

    def make() -> Module:
        return function(seed, ops)

    given = random_inputs(make(), seed)
    check_text(make())
    for made in pipeline.PASSES.values():
        check_pass(made(), make, given)
    check_rules(make, given)
    check_pipeline(make)


def check_block(kind: str, first: int, count: int) -> None:
    """Modules of seeds that follow one another."""
    for seed in range(first, first + count):
        with np.errstate(all="ignore"):
            check(kind, seed)


@pytest.mark.parametrize("block", range(5))
@pytest.mark.parametrize("kind", KINDS)
def test_passes_keep_random_modules(kind: str, block: int) -> None:
    check_block(kind, 30 * block, 30)


@pytest.mark.nightly
@pytest.mark.parametrize("block", range(40))
@pytest.mark.parametrize("kind", KINDS)
def test_passes_keep_many_random_modules(kind: str, block: int) -> None:
    check_block(kind, 1000 + 250 * block, 250)
