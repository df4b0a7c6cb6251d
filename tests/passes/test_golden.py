"""Golden tests of passes: a file with what goes in, which passes run, and what comes out.

    passes: canonicalize
    ...text of the IR...
    ----
    ...text of the IR...

``pytest --update-golden`` writes the second text. Both are evaluated on made-up inputs, so that what
is expected is right, not only what came out once. A file with ``_not_`` in its name is a near miss:
what goes in comes out, or in ``recognition`` without the composite after which the file is called.
"""

from __future__ import annotations

import pytest

from maiacc_passes import pipeline
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.verify import verify
from passes.equivalence import difference, inputs
from passes.files import CASES, LINE, Case, written

#: What the texts of a file in ``recognition`` have or lack, by how its name begins.
FOUND = {
    "softmax": "= softmax(",
    "log_softmax": "log_softmax(",
    "layer_norm": "layer_norm(",
    "rms_norm": "rms_norm(",
    "group_norm": "group_norm(",
    "attention": "attention(",
    "rope": "rope(",
    "gelu": "gelu(",
    "silu": "silu(",
    "sigmoid": "sigmoid(",
    "swiglu": "swiglu(",
    "moe_route": "moe_route(",
    "cache_append": "cache_append(",
    # Attributes of composites.
    "causal_attention": "causal=true, offset=2, scale|causal=true, scale",
    "shared_heads": "groups=",
    "masked_zero": "masked_zero=true",
    "normalized_route": "normalize=true",
    "partial_rope": "dims=",
    "bool_mask": ": bool[",
    "usual_scale": "scale=0.5}",
}

#: The composites, each of which has to be found in many spellings.
COMPOSITES = [name for name, text in FOUND.items() if text.endswith("(")]


def found_in(case: Case) -> str:
    """After what a file in ``recognition`` is called."""
    name = case.path.stem
    return max((key for key in FOUND if name.startswith(f"{key}_")), key=len)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_passes_do_what_the_files_say(case: Case, request: pytest.FixtureRequest) -> None:
    before, module = case.module(), case.module()
    verify(module)
    passes = case.passes()
    pipeline.run(module, passes, lambda name, after, changes: verify(after))
    found = print_module(module)
    if request.config.getoption("--update-golden"):
        text = f"{case.head}\n{print_module(before)}{LINE}{found}"
        case.path.write_text(text, "utf-8")
    else:
        assert found == case.expected
    exact = all(one.keeps == "bit" for one in passes)
    for seed in range(2):
        assert difference(before, module, inputs(before, seed), exact) == ""


def test_texts_are_in_their_one_form() -> None:
    for case in written():
        assert print_module(case.module()) == case.source, case.name
        assert print_module(parse_module(case.expected)) == case.expected, case.name


def test_near_misses_are_left_alone() -> None:
    for case in written():
        if case.path.parent.name != "recognition":
            assert (case.source == case.expected) == case.near_miss, case.name


def test_composites_are_found_where_the_names_say() -> None:
    for case in written():
        if case.path.parent.name == "recognition":
            texts = FOUND[found_in(case)].split("|")
            assert any(text in case.expected for text in texts) != case.near_miss, case.name


@pytest.mark.parametrize("composite", COMPOSITES)
def test_composites_have_many_spellings(composite: str) -> None:
    cases = [
        c for c in written() if c.path.parent.name == "recognition" and found_in(c) == composite
    ]
    assert sum(not case.near_miss for case in cases) >= 4
    assert sum(case.near_miss for case in cases) >= 2


def test_there_are_many() -> None:
    assert len(CASES) >= 150
