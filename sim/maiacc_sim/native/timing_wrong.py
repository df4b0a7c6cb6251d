"""What is wrong when the native event model cannot go on, as the reference simulator says it."""

from __future__ import annotations

from typing import Any

import numpy as np

from maiacc_isa.errors import InternalError, MaiaccError
from maiacc_sim.code import Do, Step
from maiacc_sim.native.timing_image import TimingImage
from maiacc_sim.native.timing_state import TimingState
from maiacc_sim.scalars import COUNTER, Sources, assign, read
from maiacc_sim.stuck import Stop, explain
from maiacc_sim.system import QueueOf
from maiacc_sim.traps import Trap


def step_problem(
    hold: TimingState, image: TimingImage, of: QueueOf, word: int
) -> MaiaccError | None:
    """What is wrong with the step that a control processor is at, None if it only needs the variant
    of a word. Raises nothing: what the step raises is returned."""
    instance = of.instance
    sources, asks = hold.sources(instance.number), image.block.words[word]
    control = hold.controls[hold.control_of[instance.number]]
    try:
        if asks.row.control and asks.name != "SLD":
            _control_step(hold, image, sources, asks)
            return InternalError("E0001", f"native code declined a {asks.row.mnemonic}")
        image.recipes[word].key(image.block, sources)
        if asks.name == "SLD":
            taken = int(control["taken"])
            hold.scalars.loaded(instance, Step(Do.SLD, word, asks), taken)
    except MaiaccError as problem:
        return problem
    return None


def _control_step(hold: TimingState, image: TimingImage, sources: Sources, asks: Any) -> None:
    """Executes a control word as Python does, for what it raises."""
    if asks.name == "SET":
        assign(image.block, asks, sources)
    elif asks.name == "LOOP":
        read(image.block, sources, asks["reg"])
    elif asks.name == "PAR":
        hold.scalars.parameter(asks["param"])


def deadlock(hold: TimingState, image: TimingImage, held: Any, stuck: Any) -> Trap:
    """What is wrong when nothing can go on."""
    queues = hold.system.queues
    stops = [Stop(queues[n], _head(hold, n, image), ()) for n in np.flatnonzero(stuck).tolist()]
    for n in range(len(hold.controls)):
        c = hold.controls[n]
        if not c["done"]:
            of = queues[int(c["unit"])]
            sources = hold.sources(of.instance.number)
            iteration = tuple(sources[COUNTER + k] or 0 for k in range(int(c["depth"])))
            steps = image.steps[of.instance.role]
            stops.append(Stop(of, int(steps[int(c["at"])]["word"]), iteration))
    done = frozenset(queues[int(c["unit"])].instance.number for c in hold.controls if c["done"])
    wiring = image.lists.wiring
    return explain(hold.program, wiring, lambda n: int(held[n]), stops, done)


def _head(hold: TimingState, unit: int, image: TimingImage) -> int:
    """The word a queue stands at: one that has begun and waits, or the next one."""
    u = hold.units[unit]
    number = int(u["flying"])
    if number < 0:
        number = int(hold.rings[unit, 1, int(u["head"])])
    return image.made[number].index
