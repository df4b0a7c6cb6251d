"""Verification of a model on a machine: compiled so that every tensor between kernels is handed
out, proven, run on the simulator, and judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from maiacc.compiler import Compiled, compile_module, passes_for
from maiacc.options import CompileOptions
from maiacc.verifying.chains import LOST, Passes, apart, ends, propagated
from maiacc.verifying.diagnosing import Piece, given_to, likeness, movable, piece
from maiacc.verifying.judging import SAME, UNJUDGED, WRONG, Judged, Line
from maiacc.verifying.keeping import compile_keeping
from maiacc.verifying.kernels import Kept, kernels
from maiacc.verifying.known import Known
from maiacc_isa.errors import MaiaccError
from maiacc_isa.lint import prove
from maiacc_isa.machine import Machine
from maiacc_isa.program import Program
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module, Op
from maiacc_passes.ir.weights import Array
from maiacc_sim.simulate import Options, simulate

#: What makes the module of a model, anew each time.
Fresh = Callable[[], Module]

#: What operands of contractions are rounded by, as part of their size, by precision.
NARROW = {
    "model": 0.0,
    "bf16": 2.0**-8,
    "fp8": 2.0**-4,
    "mxfp8": 2.0**-4,
    "mxfp4": 2.0**-2,
    "int8": 2.0**-7,
}


@dataclass(frozen=True)
class Asked:
    """What to verify, and how far to go."""

    fresh: Fresh
    machine: Machine
    inputs: Mapping[str, Array]
    options: CompileOptions = field(default_factory=CompileOptions)
    per_op: bool = False
    per_pass: bool = False
    program: Program | None = None


@dataclass
class Verified:
    """What came out. ``findings`` are the prover's, with the nodes that are
    ``blamed`` and the kernels that are ``suspects``; ``kernels``, ``ops``, ``passes`` and
    ``outputs`` say what was judged; ``diverging`` is the op of the module, with the kernels that
    were compiled, where the first wrong kernel is. ``deviation`` is the largest error of an output,
    as part of its largest magnitude. ``roomy``: the machine has no room for all tensors at once,
    so one with more HBM ran the kernels, and its outputs are compared with those of the machine's
    own program. ``seconds`` of the clock by step."""

    kernels: list[Line] = field(default_factory=list)
    ops: list[Line] = field(default_factory=list)
    passes: list[Line] = field(default_factory=list)
    outputs: list[Line] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    blamed: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()
    program_differs: tuple[str, ...] = ()
    compiled: Compiled | None = None
    diverging: Op | None = None
    piece: Piece | None = None
    reproducer: tuple[str, ...] = ()
    cause: str = ""
    deviation: float = 0.0
    roomy: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def wrong(self) -> bool:
        """Whether something is wrong, not only not judged."""
        lines = [*self.kernels, *self.ops, *self.passes, *self.outputs]
        wrong = any(line.verdict == WRONG for line in lines)
        return wrong or bool(self.findings) or bool(self.program_differs)

    @property
    def wrong_kernels(self) -> bool:
        """Whether a kernel is wrong, or cannot be proven."""
        return bool(self.findings) or self.first_kernel is not None

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes of the model that are to blame."""
        for line in (self.first_op, self.first_kernel):
            if line is not None:
                return line.nodes
        return self.blamed

    @property
    def first_kernel(self) -> Line | None:
        """The first kernel that is wrong."""
        return next((line for line in self.kernels if line.verdict == WRONG), None)

    @property
    def first_op(self) -> Line | None:
        """The first op that is wrong alone."""
        return next((line for line in self.ops if line.verdict == WRONG), None)

    @property
    def first_pass(self) -> Line | None:
        """The first pass that is wrong."""
        return next((line for line in self.passes if line.verdict == WRONG), None)


class _Clock:
    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.last = time.monotonic()

    def __call__(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self.last
        self.last = now


def verify(asked: Asked, tell: Callable[[str], None] = lambda _: None) -> Verified:
    """Verifies. ``tell`` hears what is done next. Raises ``MaiaccError``, ``IRError`` for what
    cannot be compiled or run."""
    found = Verified()
    clock = _Clock(found.seconds)
    tell("evaluating the model")
    exact = evaluate(asked.fresh(), asked.inputs, lift=True)
    clock("evaluate")
    tell("compiling")
    compiled, machine = compile_keeping(asked.fresh, asked.machine, asked.options)
    found.compiled, found.roomy = compiled, machine is not asked.machine
    if found.roomy and asked.program is None:
        own = compile_module(asked.fresh(), asked.machine, options=asked.options)
        asked = replace(asked, program=own.program)
    asked = replace(asked, machine=machine)
    clock("compile")
    arrays = _run(found, compiled, asked.inputs, tell, clock)
    if arrays is None:
        return found
    if asked.program is not None:
        found.program_differs = _compared(asked.program, compiled, asked.inputs, arrays)
        clock("program")
    kept = Kept(compiled, {**asked.inputs, **arrays})
    for op, line in kernels(kept):
        tell(f"kernel {line.name}")
        found.kernels.append(line)
        if line.verdict == WRONG and found.diverging is None:
            _diagnosed(found, asked, kept, op)
    clock("kernels")
    tell("end to end")
    known = _ends(found, asked, compiled, exact, arrays)
    clock("ends")
    if asked.per_pass or _changed(asked, exact, known, found):
        tell("passes")
        found.passes = per_pass(asked)
        clock("passes")
    if asked.per_op:
        tell("ops")
        found.ops = per_op(asked)
        clock("ops")
    return found


def _changed(
    asked: Asked, exact: Mapping[str, Array], known: Mapping[str, Known], found: Verified
) -> bool:
    """Whether passes seem to have changed what the model means: by more than constants that are
    rounded to fp32, which is less than what the program itself is off by."""
    if asked.options.precision != "model" or asked.options.sparsity != "none":
        return False
    changed = apart(exact, {name: x.exact for name, x in known.items()})
    return changed > LOST and changed >= found.deviation / 2


def _diagnosed(found: Verified, asked: Asked, kept: Kept, op: Op) -> None:
    """The first wrong kernel: which of its ops is wrong alone, and what its values look like."""
    found.diverging = op
    given = given_to(kept, op)
    if not movable(op):
        return
    found.cause = likeness(op, given, [kept.read(value) for value in op.results])
    found.piece = piece(op, given)
    if asked.per_op:
        return
    part = replace(
        asked,
        fresh=lambda: piece(op, given).module,
        inputs=found.piece.inputs,
        options=replace(asked.options, passes=(), precision="model", sparsity="none"),
    )
    try:
        found.ops = per_op(part)
    except (IRError, MaiaccError) as problem:
        found.cause = found.cause or f"its ops cannot be compiled one by one: {problem.message}"


def _run(
    found: Verified,
    compiled: Compiled,
    inputs: Mapping[str, Array],
    tell: Callable[[str], None],
    clock: _Clock,
) -> dict[str, Array] | None:
    """What the simulator hands out, if the program is proven."""
    tell("proving")
    report = prove(compiled.program)
    clock("prove")
    if not report.proven:
        found.findings = [str(finding) for finding in report.findings]
        sites = [f.site for f in report.findings if f.site is not None]
        found.blamed = tuple(dict.fromkeys(node for site in sites for node in site.origin))
        found.suspects = tuple(
            kernel.name
            for kernel in compiled.placed.plan.kernels
            if set(kernel.location.nodes) & set(found.blamed)
        )
        return None
    tell("running")
    result = simulate(compiled.program, dict(inputs), options=Options(engine="native"))
    clock("run")
    return dict(result.outputs)


def _ends(
    found: Verified,
    asked: Asked,
    compiled: Compiled,
    exact: Mapping[str, Array],
    arrays: Mapping[str, Array],
) -> dict[str, Known]:
    narrow = asked.options.precision != "model"
    known = propagated(compiled.module, asked.inputs, 2.0**-23, narrowed=narrow)
    handed = {}
    for name, value in zip(compiled.module.outputs, compiled.module.main.outputs, strict=True):
        assert value is not None
        array, element = arrays[name], value.type.element
        handed[name] = array if array.dtype == element.numpy else array.view(element.numpy)
    found.outputs = ends(handed, exact, known)
    found.deviation = apart(exact, handed)
    if asked.options.sparsity != "none":
        for line in found.outputs:
            line.tensors[0].verdict, line.note = UNJUDGED, "weights were pruned, as asked"
    return known


def _compared(
    program: Program, compiled: Compiled, inputs: Mapping[str, Array], arrays: Mapping[str, Array]
) -> tuple[str, ...]:
    """Outputs of a program that are not, to the bit, those of the one that was judged."""
    result = simulate(program, dict(inputs), options=Options(engine="native"))
    names = compiled.module.outputs
    return tuple(
        name
        for name in names
        if name not in result.outputs
        or result.outputs[name].shape != arrays[name].shape
        or result.outputs[name].tobytes() != arrays[name].tobytes()
    )


def per_pass(asked: Asked) -> list[Line]:
    """The module after each pass beside the module before it."""
    changes = {"prune": "drops weights, as asked"} if asked.options.sparsity != "none" else {}
    promises = {one.name: one.keeps for one in passes_for(asked.options, asked.machine)}
    watch = Passes(asked.inputs, changes, promises, NARROW[asked.options.precision])
    module = asked.fresh()
    watch.start(module)
    compile_module(module, asked.machine, after=watch, options=asked.options)
    return watch.lines


def per_op(asked: Asked) -> list[Line]:
    """Every op in a kernel of its own."""
    compiled = compile_module(
        asked.fresh(), asked.machine, keep=True, options=asked.options, alone=True
    )
    report = prove(compiled.program)
    if not report.proven:
        text = str(report.findings[0]).splitlines()[0]
        return [Line("program", (), (), [Judged("program", WRONG)], text)]
    result = simulate(compiled.program, dict(asked.inputs), options=Options(engine="native"))
    kept = Kept(compiled, {**asked.inputs, **result.outputs})
    return [line for _, line in kernels(kept)]


__all__ = ["SAME", "Asked", "Verified", "np", "per_op", "per_pass", "verify"]
