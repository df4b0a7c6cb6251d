"""Programs executed word by word, in program order and without waits.

That is one of the legal orders wherever producers stand before consumers, and loops have constant
trip counts. Nothing of a scheduler is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.asm import assemble
from maiacc_isa.lint import prove
from maiacc_isa.load import load
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block, Program
from maiacc_isa.word import Word
from maiacc_sim.executor import Executor
from maiacc_sim.issue import Issue
from maiacc_sim.memory import Memories, Watcher
from maiacc_sim.scalars import COUNTER, REGISTER, Sources, assign, fresh_sources, read
from maiacc_sim.system import Instance, System
from maiacc_sim.tensors import load_inputs, read_outputs
from maiacc_sim.views import locate

Arrays = dict[str, NDArray[Any]]


class Run:
    """A program's memories, and its words executed one after the other."""

    def __init__(
        self,
        program: Program,
        values: Mapping[str, NDArray[Any]],
        watcher: Watcher | None = None,
        check: bool = True,
    ) -> None:
        self.program = program
        self.system = System(program.machine)
        self.memories = Memories(self.system, watcher, check)
        self.executor = Executor(program, self.system, self.memories)
        self.sources = [fresh_sources(instance) for instance in self.system.instances]
        self.loaded: list[int] = []
        load_inputs(program, self.memories, values)

    def block(self, block: Block) -> None:
        """Executes all words of a block."""
        for index, iteration in _walk(block, 0, len(block.words), ()):
            word = block.words[index]
            roles = word.roles if word.row.control else (load().queues[str(word.queue)].role,)
            for instance in self.system.instances:
                if instance.role in roles:
                    self.word(block, index, instance, iteration)

    def word(
        self, block: Block, index: int, instance: Instance, iteration: tuple[int, ...] = ()
    ) -> None:
        """Executes one word on one instance."""
        word, sources = block.words[index], self.sources[instance.number]
        for level in range(load().limit("loops")):
            sources[COUNTER + level] = iteration[level] if level < len(iteration) else None
        if word.name == "SET":
            assign(block, word, sources)
        elif word.name == "SLD":
            issue = self.issue(block, index, sources, iteration)
            value = self.executor.load_scalar(block, instance, issue)
            sources[REGISTER + word["dest"]] = value
            self.loaded.append(value)
        elif not word.row.control:
            issue = self.issue(block, index, sources, iteration)
            self.executor.execute(block, instance, issue)

    def issue(
        self, block: Block, index: int, sources: Sources, iteration: tuple[int, ...]
    ) -> Issue:
        """What a control processor would push."""
        word = block.words[index]
        source = partial(read, block, sources)
        views = {
            op.name: locate(block, word.fields[op.name], source)
            for op in present_operands(word, block.chains)
        }
        peer = source(REGISTER + word["peer"]) if "peer" in word.fields else -1
        return Issue(index, views, _fresh(word, iteration), peer, iteration)


def _fresh(word: Word, iteration: tuple[int, ...]) -> bool:
    if word.fields.get("mode") != "first":
        return False
    last = word["level"] + word["span"] if word["span"] else len(iteration)
    return not any(iteration[word["level"] : last])


def _walk(
    block: Block, first: int, behind: int, iteration: tuple[int, ...]
) -> Iterator[tuple[int, tuple[int, ...]]]:
    at = first
    while at < behind:
        word = block.words[at]
        if word.name == "LOOP":
            end = at + 1 + word["length"]
            for turn in range(word["trip"]):
                yield from _walk(block, at + 1, end, (*iteration, turn))
            at = end
        else:
            yield at, iteration
        at += 1


def run(text: str, values: Arrays, proven: bool = False, watcher: Watcher | None = None) -> Arrays:
    """The outputs of a program's text; ``proven`` also holds it to the prover."""
    program = assemble(text)
    if proven:
        report = prove(program)
        assert not report.findings, report.findings
    done = Run(program, values, watcher)
    for block in program.blocks:
        done.block(block)
    return read_outputs(program, done.memories)


def bf16(values: Any) -> NDArray[np.uint16]:
    """bf16 codes of numbers that bf16 has exactly."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    assert not (bits & 0xFFFF).any()
    return (bits >> 16).astype(np.uint16)


def from_bf16(codes: NDArray[Any]) -> NDArray[np.float32]:
    """The numbers of bf16 codes."""
    return (codes.astype(np.uint32) << 16).view(np.float32)
