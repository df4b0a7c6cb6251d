"""Words that no assembler or prover has seen: they trap, and never end in another exception.

Each starts as a legal word of its row; then its descriptors, chain, fields, sizes and the scalars
they depend on are changed.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from maiacc_isa.load import load
from maiacc_isa.machine import builtin_machine
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block, Program
from maiacc_isa.synth import sample_word
from maiacc_isa.tables import Chain, Descriptor, Dim, Mask, Sized, Step, Term
from maiacc_isa.word import Word
from maiacc_sim.executor import Executor
from maiacc_sim.issue import Issue
from maiacc_sim.memory import Memories, Owner
from maiacc_sim.system import System
from maiacc_sim.traps import Trap
from maiacc_sim.views import locate

SPEC = load()
MACHINE = builtin_machine("mini2")
SYSTEM = System(MACHINE)
ROWS = [row for row in SPEC.insns.values() if row.operands or row.format == "word_engine"]
#: Words tried of each row.
TURNS = 60

SHAPES = {"X": 64, "R": 4, "C": 32, "M": 8, "N": 8, "K": 32, "k": 2}


def chain(r: random.Random) -> Chain:
    """Any legal chain of one stage."""
    dtype = r.choice(["fp32", "int8", "uint16", "int32", "int64", "uint64"])
    family = "float" if dtype == "fp32" else "int"
    row = r.choice([s for s in SPEC.stages.values() if family in s.classes])
    inputs = tuple("abc"[min(i, r.randrange(3))] for i in range(row.inputs))
    stat = r.choice(["none", "sum", "max"]) if family == "float" else "none"
    step = Step(
        row.name, tuple("abc"[i] for i in range(row.inputs)) if r.random() < 0.7 else inputs
    )
    return Chain(dtype, (step,), stat, r.random() < 0.5)


def mutated(r: random.Random, d: Descriptor) -> Descriptor:
    """A descriptor with one thing changed, which may well be legal."""
    axis, dims = r.randrange(len(d.axes)), list(d.dims)
    old = d.axes[axis]
    big = r.choice([-1, 0, 1, 3, 8, 1 << 15, (1 << 39) - 1])
    axes = list(d.axes)
    match r.randrange(12):
        case 0:
            axes[axis] = replace(old, extent=r.choice([0, 1, 7, (1 << 32) - 1]))
        case 1:
            axes[axis] = replace(old, stride=big)
        case 2:
            axes[axis] = replace(old, start=r.choice([-5, 2, (1 << 15) - 1]))
        case 3 if dims:
            number = r.randrange(len(dims))
            dims[number] = replace(dims[number], size=r.choice([0, 1, 5, (1 << 20) - 1]))
        case 4:
            dims.append(Dim(r.choice([1, 2]), axis, r.choice([-3, 0, 2])))
        case 5:
            return replace(d, dtype=r.choice(sorted(SPEC.dtypes)))
        case 6:
            return replace(d, space=r.choice(sorted(SPEC.spaces)))
        case 7:
            return replace(d, home=r.choice(["own", "at", "all"]), drop=True)
        case 8:
            target = r.choice(["bytes", "home", f"axis{axis}"])
            return replace(d, terms=(Term(r.randrange(64), target, big or 1),))
        case 9 if dims:
            what = r.choice([f"extent{axis}", f"size{r.randrange(len(dims))}"])
            return replace(d, sized=(Sized(r.randrange(32), what),))
        case 10:
            return replace(d, scale=r.choice([None, 0, 1, 99]), meta=r.choice([None, 0, 1, 99]))
        case 11:
            return replace(d, base=r.choice([1, 64, (1 << 44) - 1]), split=r.randint(0, len(dims)))
    return replace(d, axes=tuple(axes), dims=tuple(dims))


def fields_of(r: random.Random, word: Word) -> dict[str, Any]:
    """Values for the word's own fields."""
    found: dict[str, Any] = {}
    for f in word.row.fields:
        if f.kind.base == "enum":
            found[f.name] = r.choice([x.name for x in SPEC.enums[str(f.kind.table)].labels])
        elif f.kind.base == "flag":
            found[f.name] = r.random() < 0.5
        elif f.kind.base in ("mask", "chain"):
            found[f.name] = r.choice([0, 0, 1, 2, 200])
        elif f.kind.base == "u":
            found[f.name] = r.randrange(1 << min(f.width, 4))
    return found


def execute(r: random.Random, word: Word, block: Block) -> None:
    """Executes a word on some instance that has its queue."""
    role = word.roles[0] if word.row.control else SPEC.queues[str(word.queue)].role
    instance = r.choice([i for i in SYSTEM.instances if i.role == role])
    block = replace(block, words=(word,))
    memories = Memories(SYSTEM, check=False)
    if word.row.meaning == "mmsp":  # zeros are no legal 2:4 positions
        tsram = Owner("tsram", instance.number)
        memories.store(tsram, 0, np.full(memories.size(tsram), 0x44, np.uint8))
    executor = Executor(Program(MACHINE, (), (), (block,), ()), SYSTEM, memories)
    scalars = [r.choice([0, 1, 2, 3, -1, 1 << 46]) for _ in range(64)]
    views = {
        op.name: locate(block, word.fields[op.name], scalars.__getitem__)
        for op in present_operands(word, block.chains)
    }
    iteration = (0,) * r.randrange(3)
    issue = Issue(0, views, r.random() < 0.5, r.randint(-1, 2), iteration)
    if word.row.control:
        executor.load_scalar(block, instance, issue)
    else:
        executor.execute(block, instance, issue)


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_whatever_a_word_says_it_executes_or_traps(name: str) -> None:
    r = random.Random(name)
    executed = trapped = 0
    for turn in range(TURNS):
        row = SPEC.insns[name]
        letters = SHAPES | {"dtype": row.sample.get("dtype", "fp32")}
        word, block = sample_word(row, MACHINE, letters)
        changes = min(turn, r.randrange(3))
        descriptors = list(block.descriptors)
        for _ in range(changes if descriptors else 0):
            number = r.randrange(len(descriptors))
            descriptors[number] = mutated(r, descriptors[number])
        chains = block.chains if turn % 4 < 2 else (chain(r),)
        masks = (Mask(frozenset({0, 1})), Mask(frozenset({r.randrange(4)})))
        block = replace(block, descriptors=tuple(descriptors), chains=chains, masks=masks)
        if "crc" in word.fields:
            word.fields["crc"] = zlib.crc32(bytes(4 * SHAPES["X"]))
        if turn % 3 == 2:
            word = replace(word, fields=word.fields | fields_of(r, word))
        try:
            execute(r, word, block)
            executed += 1
        except Trap as trap:
            trapped += 1
            assert str(trap)
    assert executed + trapped == TURNS
    assert executed >= 5, (executed, trapped)
    assert trapped or not SPEC.insns[name].traps
