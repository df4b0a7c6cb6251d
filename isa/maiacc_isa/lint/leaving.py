"""Leaving a loop that may have run any number of times, in a state that holds for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.lint.heads import Head
from maiacc_isa.lint.memory import Owner
from maiacc_isa.lint.run import Run
from maiacc_isa.lint.tokens import Clock
from maiacc_isa.lint.tree import Loop, walk
from maiacc_isa.lint.values import Sym, Val
from maiacc_isa.lint.walker import SCALAR_LIMIT, Frame, Walker
from maiacc_isa.lint.written import Written

#: One mark for each entry of a clock.
Entries: TypeAlias = NDArray[np.bool_]


@dataclass(eq=False)
class Activation:
    """One execution of a loop by the control processors that take part."""

    loop: Loop
    unknown: bool
    low: int
    most: int
    context: int
    members: list[Walker] = field(default_factory=list)
    frames: dict[int, Frame] = field(default_factory=dict)
    heads: dict[int, Head] = field(default_factory=dict)
    start: Head | None = None
    written: dict[Owner, Written] = field(default_factory=dict)
    clocks: list[Clock] = field(default_factory=list)
    tokens: list[tuple[Clock | None, ...]] = field(default_factory=list)


def weaken(run: Run, activation: Activation, inside: Entries) -> None:
    """Leaves the loop in a state that holds however often it has run.

    What is known of events outside the loop is what was known at the first head at which
    it can be left; what is known of events inside is what a steady iteration knows. ``inside``
    says which entries of clocks are of events inside.
    """
    start = activation.start
    assert start is not None
    for process, before in zip(run.by_number, activation.clocks, strict=True):
        _lower(process.clock, before, inside)
    for counter, old in zip(run.counters.queues.values(), activation.tokens, strict=True):
        for position, before_token in enumerate(old[: len(counter)]):
            token = counter[position]
            if token is None:
                continue
            token = token.copy()
            if before_token is None:
                before_token = np.zeros(0, np.int64)
            _lower(token, before_token, inside)
            counter[position] = token
    run.memory.restore_written(activation.written)
    run.memory.blur(start.tick)
    for member in activation.members:
        _forget_registers(member, activation)


def _forget_registers(member: Walker, activation: Activation) -> None:
    """Registers that the loop sets hold something that depends on how often it ran."""
    start = activation.start
    assert start is not None
    before = start.registers[id(member)]
    moduli = _moduli(activation.loop)
    for number, value in enumerate(member.registers):
        old = before[number]
        if value is not None and old is not None and value.same(old):
            continue
        if old is None or value is None:
            member.registers[number] = None
            continue
        low, high = (
            (0, moduli[number] - 1) if number in moduli else (-SCALAR_LIMIT, SCALAR_LIMIT - 1)
        )
        private = next(
            (
                s.instance
                for s in activation.frames[id(member)].value.terms
                if s.instance is not None
            ),
            None,
        )
        name = f"s{number} after {activation.loop.name}"
        member.registers[number] = Val(0, {Sym(name, low, high, private): 1})


def _lower(clock: Clock, before: Clock, inside: Entries) -> None:
    old = np.zeros(len(clock), np.int64)
    old[: len(before)] = before[: len(clock)]
    outside = ~inside[: len(clock)]
    clock[outside] = np.minimum(clock[outside], old[outside])


def _moduli(loop: Loop) -> dict[int, int]:
    """Registers that a loop sets by remainders only, and the length of each ring."""
    found: dict[int, set[int]] = {}
    for node, _ in walk([loop]):
        word = node.word
        if "dest" in word.fields:
            modulus = word["m"] if word.name == "SET" and word["fn"] == "mod" else 0
            found.setdefault(word["dest"], set()).add(modulus)
    return {reg: max(sizes) for reg, sizes in found.items() if 0 not in sizes}
