"""The reference simulator: executes a program with its data, by queues and semaphores.

A word is executed when it is at the head of its queue and the tokens it waits for are there, never
merely because the program comes to it. In which order words that could go are taken is a choice
(``order``); a program that has been proven gives the same values in all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from maiacc_isa.program import Program
from maiacc_sim.machine import Limits, Machine
from maiacc_sim.memory import Memories
from maiacc_sim.scalar_log import Log
from maiacc_sim.tensors import load_inputs, read_outputs

Arrays = dict[str, NDArray[Any]]


@dataclass
class Executed:
    """What a run with values leaves behind. ``words`` counts engine words and scalar loads,
    ``asked`` those by instruction that a native run left to the reference simulator. Native
    ``memories`` have inputs and outputs in common with the caller, and may leave in them what a
    program copied: they are what the run left as long as nobody changes an array."""

    outputs: Arrays
    log: Log
    memories: Memories
    words: int
    asked: Counter[str] = field(default_factory=Counter)


def run_values(
    program: Program,
    inputs: Mapping[str, NDArray[Any]],
    *,
    parameters: Mapping[str, int] | None = None,
    order: str | int = "program",
    sanitize: bool = False,
    limits: Limits | None = None,
) -> Executed:
    """Executes a program whose words are legal (see ``maiacc_isa.lint.check_words``).

    ``order`` is one of ``maiacc_sim.machine.ORDERS`` or the seed of a random one; ``sanitize``
    looks for accesses that nothing orders. Raises ``Trap``, ``Stopped`` E1206 beyond the
    limits, and for inputs and parameters ``MaiaccError`` E1201 to E1205.
    """
    machine = Machine(program, parameters or {}, order, sanitize, limits or Limits())
    load_inputs(program, machine.memories, inputs)
    machine.run()
    outputs = read_outputs(program, machine.memories)
    return Executed(outputs, machine.log, machine.memories, machine.words)
