"""A model becomes a proven program: what ``maiacc.compile`` and the commands share."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from maiacc.checking.refusal import EXIT_CODES, refusal
from maiacc.checking.survey import UNSUPPORTED, nodes_of
from maiacc.compiler import After, Compiled, Tiled, compile_module
from maiacc.compiling.faults import internal_error
from maiacc.compiling.recorded import recorded
from maiacc.explaining.record import NAME as RECORD
from maiacc.explaining.record import note_of
from maiacc.explaining.recording import recorded as chosen
from maiacc.frontend.load import Loaded
from maiacc.frontend.model import Settings, import_model
from maiacc.frontend.node import node_name
from maiacc.options import CompileOptions
from maiacc_isa.errors import ErrorList, MaiaccError, Place
from maiacc_isa.lint import prove
from maiacc_isa.lint.known import is_proven
from maiacc_isa.machine import Machine
from maiacc_isa.program import Program
from maiacc_passes.counting import count
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module
from maiacc_passes.kernel.model import Kernel
from maiacc_passes.kernel.plan import Rolled, Step, walk
from maiacc_sim.bounds import Totals
from maiacc_sim.estimate import expected_work

#: Told what happens now, for progress.
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Watch:
    """Who looks on: ``tell`` hears what is done next, ``after`` sees the module after each pass,
    ``tiled`` the kernels before they are placed. With ``record`` the program says what was chosen
    and, with ``everything``, all that was weighed."""

    tell: Tell = lambda _: None
    after: After = lambda *_: None
    tiled: Tiled = lambda _: None
    record: bool = True
    everything: bool = False


@dataclass
class Built:
    """A program with what was counted on the way. ``macs_graph`` are the model's multiply-adds,
    ``work`` is what the simulator counts in the program; ``seconds`` of the processor by step;
    ``peak`` is the most memory that this process has had, in bytes."""

    loaded: Loaded
    settings: Settings
    options: CompileOptions
    compiled: Compiled
    program: Program
    work: Totals
    nodes: int
    macs_graph: int
    seconds: dict[str, float] = field(default_factory=dict)
    peak: int = 0

    def wrote(self, seconds: float) -> None:
        """Enters what writing the file has taken."""
        total = self.seconds.pop("total")
        self.seconds |= {"write": seconds, "total": total + seconds}
        self.peak = _peak()


def build(
    loaded: Loaded,
    settings: Settings,
    machine: Machine,
    options: CompileOptions,
    watch: Watch | None = None,
) -> Built:
    """Imports, compiles and proves.

    Raises ``MaiaccError``: what the importer refuses, E1413 for passes, E1501 to E1507; its exit
    code is 2 for what is not supported and 3 for what does not fit. ``InternalError`` E0001 for a
    program that cannot be proven.
    """
    watch = watch or Watch()
    options.check(machine)
    seconds: dict[str, float] = {}
    clock = _Clock(seconds)
    watch.tell("importing")
    module = _imported(loaded, settings)
    clock("import")
    macs: list[int] = []

    def after(name: str, changed: Module) -> None:
        if name == _COUNTED:
            macs[:] = [count(changed).macs]
        watch.tell(name)
        watch.after(name, changed)

    watch.after("import", module)
    macs.append(count(module).macs)
    compiled = _compiled(loaded, module, machine, options, replace(watch, after=after))
    clock("")
    seconds |= compiled.seconds
    program = compiled.program
    watch.tell("proving")
    _prove(loaded, program, module, options)
    clock("prove")
    watch.tell("counting")
    work = expected_work(program, {})
    clock("count")
    _counted(loaded, compiled, work, options)
    program = replace(program, options=recorded(options, settings))
    if watch.record:
        named = [node_name(node) for node, _ in nodes_of(loaded.model)]
        note = note_of(chosen(compiled, named, watch.everything))
        program = replace(program, notes={} if note is None else {RECORD: note})
    if not options.weights:
        program = replace(program, weights={})
    seconds["total"] = clock.total
    nodes = sum(1 for _ in nodes_of(loaded.model))
    return Built(
        loaded, settings, options, compiled, program, work, nodes, macs[0], seconds, _peak()
    )


#: The pass behind which multiply-adds of the graph are counted: one spelling, nothing expanded.
_COUNTED = "canonicalize"


class _Clock:
    """Seconds of the processor since the last look."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.start = self.last = time.process_time()

    def __call__(self, name: str) -> None:
        now = time.process_time()
        if name:
            self.seconds[name] = now - self.last
        self.last = now

    @property
    def total(self) -> float:
        """Since it was made."""
        return time.process_time() - self.start


def _peak() -> int:
    """The most memory that this process has had, in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _imported(loaded: Loaded, settings: Settings) -> Module:
    """The module of a model. Raises ``ErrorList`` of all that stands in the way."""
    try:
        return import_model(loaded.model, settings, loaded.folder)
    except ErrorList as problem:
        legal = all(error.code in UNSUPPORTED for error in problem.errors)
        problem.exit_code = 2 if legal else 1
        for error in problem.errors:
            error.place = error.place or _place(loaded)
        raise


def _compiled(
    loaded: Loaded, module: Module, machine: Machine, options: CompileOptions, watch: Watch
) -> Compiled:
    try:
        return compile_module(
            module, machine, after=watch.after, options=options, tiled=watch.tiled
        )
    except IRError as problem:
        raise refusal(problem, loaded.file) from None
    except MaiaccError as problem:
        problem.exit_code = EXIT_CODES.get(problem.code, problem.exit_code)
        raise


def _place(loaded: Loaded) -> Place | None:
    return Place(file=loaded.file) if loaded.file else None


def _prove(loaded: Loaded, program: Program, module: Module, options: CompileOptions) -> None:
    """Nothing is handed out that the prover does not accept."""
    if is_proven(program):
        return
    findings = [str(finding) for finding in prove(program).findings]
    what = f"the program has {len(findings)} findings"
    raise internal_error(what, findings, options, loaded.file, module, program)


def _counted(loaded: Loaded, compiled: Compiled, work: Totals, options: CompileOptions) -> None:
    """What the compiler thinks that its words multiply is what the simulator counts."""
    padded = _multiplied(compiled.placed.plan.steps)
    if padded is not None and padded != work.macs:
        what = f"words multiply {work.macs:,} times, and kernels are to do so {padded:,} times"
        raise internal_error(what, [], options, loaded.file, compiled.module, compiled.program)


def _multiplied(steps: Sequence[Step]) -> int | None:
    """What the words of steps multiply; None if data decide how often kernels are executed."""
    found = 0
    for step in steps:
        if not isinstance(step, Kernel | Rolled):
            return None
        # Kernels that stand for those of several layers have the counts of all of them.
        found += sum(kernel.padded for kernel in walk([step]) if isinstance(kernel, Kernel))
    return found
