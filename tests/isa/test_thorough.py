"""Quick proofs against thorough ones, which follow every instance and every iteration.

A quick proof may never accept what a thorough one refuses. Programs are the corpus, and right
ones of it with one thing changed at random.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import GOLDEN
from maiacc_isa.asm import assemble
from maiacc_isa.lint import Report, prove
from maiacc_isa.program import Block, Program
from maiacc_isa.word import Word

CORPUS = sorted((GOLDEN / "lint").glob("*/*.mist"))

#: Programs that take too long when every iteration is followed.
LONG = {"counter_overflow", "any_number_of_tokens", "long_integer_sum"}

SHORT = [path for path in CORPUS if path.stem not in LONG]
RIGHT = [path for path in SHORT if path.parent.name == "right"]

Change = Callable[[random.Random, Block], Block | None]


def _change_word(
    rng: random.Random, block: Block, fits: Callable[[Word], bool], new: Callable[[Word], Word]
) -> Block | None:
    places = [i for i, word in enumerate(block.words) if fits(word)]
    if not places:
        return None
    words = list(block.words)
    at = rng.choice(places)
    words[at] = new(words[at])
    return replace(block, words=tuple(words))


def _with(word: Word, field: str, tokens: list[tuple[int, int]]) -> Word:
    if field == "waits":
        return replace(word, waits=tuple(tokens))
    return replace(word, posts=tuple(tokens))


def _drop(field: str) -> Change:
    """A wait or a post is left out."""

    def change(rng: random.Random, block: Block) -> Block | None:
        def without(word: Word) -> Word:
            tokens = list(getattr(word, field))
            tokens.pop(rng.randrange(len(tokens)))
            return _with(word, field, tokens)

        return _change_word(rng, block, lambda word: bool(getattr(word, field)), without)

    return change


def _count(rng: random.Random, block: Block) -> Block | None:
    """A word waits for one token more, or gives one more."""
    field = rng.choice(["waits", "posts"])

    def more(word: Word) -> Word:
        tokens = list(getattr(word, field))
        at = rng.randrange(len(tokens))
        tokens[at] = (tokens[at][0], tokens[at][1] + 1)
        return _with(word, field, tokens)

    return _change_word(rng, block, lambda word: bool(getattr(word, field)), more)


def _tokens(rng: random.Random, block: Block) -> Block | None:
    """A semaphore starts with other tokens; with more, its waiter knows less of its poster."""
    if not block.semaphores:
        return None
    sems = list(block.semaphores)
    at = rng.randrange(len(sems))
    sems[at] = replace(sems[at], init=max(0, sems[at].init + rng.choice([-1, 1, 2, 3, 5])))
    return replace(block, semaphores=tuple(sems))


def _swap(rng: random.Random, block: Block) -> Block | None:
    """Two neighbours change places."""
    words = list(block.words)
    places = [
        i for i in range(len(words) - 1) if not (words[i].row.control or words[i + 1].row.control)
    ]
    if not places:
        return None
    at = rng.choice(places)
    words[at], words[at + 1] = words[at + 1], words[at]
    return replace(block, words=tuple(words))


def _trip(rng: random.Random, block: Block) -> Block | None:
    """A loop runs once more or once less."""

    def fits(word: Word) -> bool:
        return word.name == "LOOP" and word["kind"] == "imm"

    def new(word: Word) -> Word:
        trip = max(0, word["trip"] + rng.choice([-1, 1]))
        return replace(word, fields={**word.fields, "trip": trip})

    return _change_word(rng, block, fits, new)


def _immediate(rng: random.Random, block: Block) -> Block | None:
    """A scalar is set to a neighbour, or a ring has one slot more or less."""

    def new(word: Word) -> Word:
        name = "imm" if word["fn"] == "none" else rng.choice(["imm", "m"])
        return replace(word, fields={**word.fields, name: word[name] + rng.choice([-1, 1])})

    return _change_word(rng, block, lambda word: word.name == "SET", new)


def _origin(rng: random.Random, block: Block) -> Block | None:
    """A view starts one element earlier or later."""
    views = list(block.descriptors)
    at = rng.randrange(len(views)) if views else 0
    if not views or not views[at].axes:
        return None
    axes = list(views[at].axes)
    axis = rng.randrange(len(axes))
    axes[axis] = replace(axes[axis], start=axes[axis].start + rng.choice([-1, 1]))
    views[at] = replace(views[at], axes=tuple(axes))
    return replace(block, descriptors=tuple(views))


CHANGES = [
    _drop("waits"),
    _drop("posts"),
    _count,
    _tokens,
    _tokens,
    _swap,
    _trip,
    _immediate,
    _origin,
]


def _mutant(rng: random.Random, program: Program) -> Program | None:
    at = rng.randrange(len(program.blocks))
    block = rng.choice(CHANGES)(rng, program.blocks[at])
    if block is None:
        return None
    blocks = list(program.blocks)
    blocks[at] = block
    return replace(program, blocks=tuple(blocks))


def _codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


@pytest.mark.parametrize("path", SHORT, ids=lambda p: p.stem)
def test_the_corpus(path: Path) -> None:
    program = assemble(path.read_text(), str(path))
    assert prove(program).proven == prove(program, thorough=True).proven


def _campaign(seed: int, count: int) -> None:
    rng = random.Random(seed)
    programs = [assemble(path.read_text(), str(path)) for path in RIGHT]
    refused = 0
    for number in range(count):
        at = rng.randrange(len(programs))
        mutant = _mutant(rng, programs[at])
        if mutant is None:
            continue
        quick, thorough = prove(mutant), prove(mutant, thorough=True)
        assert quick.proven == thorough.proven, (
            RIGHT[at].stem,
            number,
            _codes(quick),
            _codes(thorough),
        )
        refused += not quick.proven
    assert refused > count / 4


@pytest.mark.parametrize("seed", range(4))
def test_mutants(seed: int) -> None:
    _campaign(seed, 30)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(100, 150))
def test_many_mutants(seed: int) -> None:
    _campaign(seed, 100)
