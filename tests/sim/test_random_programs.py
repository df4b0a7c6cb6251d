"""Random proven programs: the reference simulator leaves what the plain machine leaves.

Two machines that share no code, each with an order of its own: every byte of every memory.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from maiacc_isa.load import load
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block, If, Tensor, While, walk_control
from maiacc_sim.scalar_log import Scalars, check_parameters
from maiacc_sim.tensors import host_dtype, unpack
from maiacc_sim.timing.run import time_program
from maiacc_sim.values import Executed, run_values
from sim.plain import PlainMachine
from sim.programs import Drawn, draw

#: Seeds of a normal run, in pieces; the nightly script takes many more.
SEEDS, PIECE = 600, 20
NIGHTLY, NIGHTLY_PIECE = 20_600, 200

Image = dict[str, dict[int, int]]


def host_array(tensor: Tensor, parts: list[bytes]) -> NDArray[Any]:
    """What the host gives for a tensor, of the bytes of each chip."""
    data = b"".join(parts) if tensor.split else parts[0]
    codes = unpack(np.frombuffer(data, np.uint8), tensor.dtype, tensor.shape)
    kind = host_dtype(tensor.dtype)
    return codes.astype(kind) if kind == np.bool_ else codes.view(kind)


def plain_image(drawn: Drawn, order: int | str) -> Image:
    """Every byte that the plain machine has written."""
    machine = PlainMachine(drawn.program, drawn.parameters)
    machine.load(drawn.data)
    machine.run(order)
    image = {}
    for place, contents in machine.memories.contents.items():
        parts = [f"{place.kind} of chip {place.chip}"]
        parts += [f"cluster {place.cluster}"] if place.cluster >= 0 else []
        parts += [f"tile {place.tile}"] if place.tile >= 0 else []
        if contents:
            image[" ".join(parts)] = contents
    return image


def execute(drawn: Drawn, order: int | str) -> Executed:
    """A run of the reference simulator."""
    inputs = {
        tensor.name: host_array(tensor, drawn.data[tensor.name])
        for tensor in drawn.program.tensors
        if tensor.kind in ("input", "state")
    }
    return run_values(drawn.program, inputs, parameters=drawn.parameters, order=order)


def reference_image(done: Executed) -> Image:
    """Every byte that the reference simulator has written."""
    memories = done.memories
    return {
        memories.title(owner): dict(zip(offsets.tolist(), values.tolist(), strict=True))
        for owner, offsets, values in memories.image()
    }


def same(seed: int) -> bool:
    """Compares the two machines on the program of a seed; whether the program was proven."""
    drawn = draw(seed)
    if not drawn.report.proven:
        return False
    expected = plain_image(drawn, seed)
    done = execute(drawn, seed + 1)
    found = reference_image(done)
    for name in expected.keys() | found.keys():
        a, b = expected.get(name, {}), found.get(name, {})
        wrong = sorted(at for at in a.keys() | b.keys() if a.get(at) != b.get(at))
        assert not wrong, f"seed {seed}: {name}, byte {wrong[0]} and {len(wrong) - 1} others"
    same_times(drawn, done)
    return True


def same_times(drawn: Drawn, done: Executed) -> None:
    """The event model executes as many words, and skipping repeated turns changes no cycle."""
    scalars = Scalars(check_parameters(drawn.program, drawn.parameters), done.log)
    quick = time_program(drawn.program, scalars).account
    whole = time_program(drawn.program, scalars, skip=False).account
    assert quick.executed == done.words, f"seed {drawn.seed}"
    assert quick.cycles == whole.cycles, f"seed {drawn.seed}"
    for a, b in zip(quick.queues, whole.queues, strict=True):
        assert (a.busy, a.waits) == (b.busy, b.waits), f"seed {drawn.seed}: {a.queue}"


@pytest.mark.parametrize("first", range(0, SEEDS, PIECE))
def test_both_machines_leave_the_same_memories(first: int) -> None:
    proven = [same(seed) for seed in range(first, first + PIECE)]
    assert sum(proven) > 0.7 * PIECE


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(SEEDS, NIGHTLY, NIGHTLY_PIECE))
def test_both_machines_leave_the_same_memories_nightly(first: int) -> None:
    proven = [same(seed) for seed in range(first, first + NIGHTLY_PIECE)]
    assert sum(proven) > 0.7 * NIGHTLY_PIECE


@pytest.mark.parametrize("seed", range(SEEDS, SEEDS + 10))
def test_the_order_of_execution_does_not_matter(seed: int) -> None:
    drawn = draw(seed)
    assert drawn.report.proven
    first = plain_image(drawn, "ready")
    assert plain_image(drawn, "last") == first
    assert plain_image(drawn, 5) == first
    assert reference_image(execute(drawn, "late")) == first


def test_a_seed_gives_one_program() -> None:
    for seed in range(20):
        one, two = draw(seed), draw(seed)
        assert (one.text, one.data, one.parameters) == (two.text, two.data, two.parameters)
        states = [t for t in one.program.tensors if t.kind in ("input", "state")]
        for tensor in states:
            assert host_array(tensor, one.data[tensor.name]).size == prod(tensor.shape)


# ---- what the programs contain ------------------------------------------------------------

Seen = set[tuple[str, ...]]


def features(block: Block) -> Seen:
    """Rows, types, pairs, stages, labels of fields, and ways to use views."""
    seen: Seen = set()
    for word in block.words:
        seen.add(("row", word.name))
        for field in word.row.fields:
            if field.kind.base == "enum":
                seen.add(("label", word.name, field.name, str(word[field.name])))
        if word.row.control:
            continue
        operands = {
            op.name: block.descriptors[word[op.name]] for op in present_operands(word, block.chains)
        }
        for name, d in operands.items():
            seen |= {("type", d.dtype), ("home", d.home), ("drop", str(d.drop))}
            seen.add(("space", name, d.space))
            seen |= {("sized", sized.what[:-1]) for sized in d.sized}
        if word.name in ("MM", "MMSP"):
            a, b = operands["a"], operands["b"]
            seen.add(("pair", word.name, a.dtype, b.dtype))
        if word.fields.get("mask"):
            seen.add(("mask",))
    for chain in block.chains:
        family = "float" if chain.dtype == "fp32" else "int"
        seen |= {("stage", family, step.op) for step in chain.steps}
        seen |= {("chain", chain.dtype), ("stat", chain.stat), ("round", chain.round)}
    return seen | {("scope", sem.scope) for sem in block.semaphores}


def wanted() -> Seen:
    """Everything that the rows have."""
    spec = load()
    seen: Seen = {("row", name) for name in spec.insns} | {("type", name) for name in spec.dtypes}
    seen |= {
        ("pair", word, a, b)
        for word in ("MM", "MMSP")
        for pair in spec.pairs
        for a in pair.left
        for b in pair.right
    }
    seen |= {("stage", family, s.name) for s in spec.stages.values() for family in s.classes}
    seen |= {("stat", x.name) for x in spec.enums["stat"].labels}
    seen |= {("scope", x.name) for x in spec.enums["scope"].labels}
    seen |= {("home", x.name) for x in spec.enums["home"].labels}
    for insn in spec.insns.values():
        for field in insn.fields:
            if field.kind.base == "enum":
                labels = spec.enums[str(field.kind.table)].labels
                seen |= {("label", insn.name, field.name, x.name) for x in labels}
    # A scatter is never clamped.
    seen -= {("label", name, "oob", "clamp") for name in ("SCATTER", "VSCATTER")}
    return seen | {("sized", "size"), ("sized", "extent"), ("drop", "True"), ("mask",)}


@pytest.mark.nightly
def test_everything_the_rows_have_occurs() -> None:
    missing, control = wanted(), set()
    for seed in range(2000):
        program = draw(seed).program
        control |= {type(node) for node in walk_control(program.control)}
        for block in program.blocks:
            missing -= features(block)
    assert not missing
    assert {If, While} <= control


def test_most_things_the_rows_have_occur_soon() -> None:
    everything = wanted()
    seen: Seen = set()
    for seed in range(150):
        for block in draw(seed).program.blocks:
            seen |= features(block)
    assert len(everything & seen) > 0.7 * len(everything)
