"""From a module to a program: passes, lowering, schedule, words."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from maiacc.backend.emit import Spans, program_of
from maiacc.options import CompileOptions
from maiacc_isa.machine import Machine
from maiacc_isa.program import Program
from maiacc_passes import pipeline
from maiacc_passes.attending import Room
from maiacc_passes.cleaning import CommonSubexpressions, DeadCode
from maiacc_passes.cloning import Clone
from maiacc_passes.empties import Empties
from maiacc_passes.expanding import Expand
from maiacc_passes.folding import Fold
from maiacc_passes.fusing import Fuse
from maiacc_passes.hoisting import Hoist
from maiacc_passes.integer import Integer
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module
from maiacc_passes.kernel.plan import Plan
from maiacc_passes.lowering.control_form import Turns
from maiacc_passes.lowering.lower import lower
from maiacc_passes.precision import Precision
from maiacc_passes.pruning import Prune, Pruned
from maiacc_passes.rounding import Rounded
from maiacc_passes.schedule.schedule import Placed, schedule
from maiacc_passes.siblings import Siblings
from maiacc_passes.splitting import SplitK
from maiacc_passes.triangles import Triangles

#: Called after each step with its name and the module.
After = Callable[[str, Module], None]

#: Called with the kernels before they are placed.
Tiled = Callable[[Plan], None]


@dataclass
class Compiled:
    """A program, and what it was made from: the module whose groups are its kernels, and where
    everything was placed. ``seconds`` by step; ``pruned`` are the layers with sparse weights,
    ``rounded`` those whose weights were rounded; ``spans`` are the words of each kernel."""

    module: Module
    placed: Placed
    program: Program
    seconds: dict[str, float] = field(default_factory=dict)
    pruned: list[Pruned] = field(default_factory=list)
    rounded: list[Rounded] = field(default_factory=list)
    spans: Spans = field(default_factory=dict)


def passes_for(
    options: CompileOptions, machine: Machine, alone: bool = False
) -> list[pipeline.Pass]:
    """The passes that make groups of a module, in their order. Raises ``IRError`` E1413."""
    tiles, block = machine.tiles * machine.clusters, machine.int("ttu.block")
    passes: list[pipeline.Pass]
    if options.passes is None:
        passes = [step.made for step in pipeline.PIPELINE]
    else:
        passes = [pipeline.made(name) for name in options.passes]
    passes += [
        Integer(),
        Triangles(),
        Expand(),
        Empties(),
        Fold(),
        CommonSubexpressions(),
        DeadCode(),
    ]
    samples = options.calibration.samples if options.calibration is not None else None
    prune = Prune(options.sparsity, options.sparsity_layers or "", options.method, samples)
    passes += [prune] if options.weights else []
    passes += [
        Siblings(tiles, block),
        Precision(options.precision, measure=options.weights),
        Turns(),
        Hoist(),
        SplitK(tiles, machine.clusters, block),
        Clone(),
        DeadCode(),
        Fuse(
            tiles=tiles,
            whole=machine.space_bytes("tsram") // 48,
            room=Room(machine.space_bytes("tsram"), machine.int("ttu.acc_blocks"), block),
            alone=alone,
        ),
    ]
    return passes


def compile_module(
    module: Module,
    machine: Machine,
    after: After | None = None,
    keep: bool = False,
    options: CompileOptions | None = None,
    tiled: Tiled | None = None,
    alone: bool = False,
) -> Compiled:
    """Compiles a module as the frontend imports it; the module is changed. ``keep`` hands out
    every tensor between kernels, too; ``alone`` gives every op a
    kernel of its own. Raises ``IRError``, ``MaiaccError``."""
    options = options or CompileOptions()
    options.check(machine)
    seconds: dict[str, float] = {}
    passes = passes_for(options, machine, alone)
    for one in passes:
        start = time.process_time()
        one.run(module)
        seconds[one.name] = seconds.get(one.name, 0.0) + time.process_time() - start
        if after is not None:
            after(one.name, module)
    start = time.process_time()
    plan = lower(module, machine, plain=keep)
    seconds["tile"] = time.process_time() - start
    if tiled is not None:
        tiled(plan)
    start = time.process_time()
    placed = schedule(plan, machine, keep)
    seconds["schedule"] = time.process_time() - start
    start = time.process_time()
    extra = tuple(b for b in placed.bases if b in placed.always and b.kind == "temp" and keep)
    given = {output.buffer for output in plan.outputs.values()}
    spans: Spans = {}
    program = program_of(placed, tuple(b for b in extra if b not in given), spans)
    seconds["emit"] = time.process_time() - start
    pruned = [report for one in passes if isinstance(one, Prune) for report in one.reports]
    rounded = [report for one in passes if isinstance(one, Precision) for report in one.reports]
    return Compiled(module, placed, program, seconds, pruned, rounded, spans)


def refusals(
    module: Module, machine: Machine, options: CompileOptions | None = None
) -> list[IRError]:
    """Everything that keeps a module from being compiled but its size: groups that nothing makes
    words of. The module is changed."""
    refused: list[IRError] = []
    try:
        for one in passes_for(options or CompileOptions(weights=False), machine):
            one.run(module)
        lower(module, machine, refused)
    except IRError as problem:
        refused.append(problem)
    return refused
