"""``prove``: everything that can be wrong with a program, decided before it runs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace

from maiacc_isa.lint.deadlock import explain
from maiacc_isa.lint.engine import Deadlock, Engine
from maiacc_isa.lint.findings import Finding, Report, Sites, TooMany
from maiacc_isa.lint.instances import NeedInstances, followed_chips
from maiacc_isa.lint.memory import Owner
from maiacc_isa.lint.regions import normal
from maiacc_isa.lint.rules import check_program
from maiacc_isa.lint.run import Effort, Intervals, NeedSplit, Stop
from maiacc_isa.lint.static import check_words_of
from maiacc_isa.lint.tree import Node
from maiacc_isa.lint.values import Val
from maiacc_isa.lint.written import TooFine, Written
from maiacc_isa.program import Block, Call, If, Program, Tensor, While
from maiacc_isa.program import Node as ControlNode

#: Findings that a quick proof may find where there is nothing wrong.
DOUBTFUL = frozenset({"E0802", "E0803"})

#: Events for the closer looks: a patient one, and one at every instance or iteration.
PATIENT_LIMIT = 60_000
CLOSER_LIMIT = 12_000

#: Cases of runtime scalars that one block is proven for one by one.
CASE_LIMIT = 96


@dataclass
class Memories:
    """What has been written when a block starts or ends, and how often outputs were."""

    written: dict[Owner, Written] = field(default_factory=dict)
    plain_bits: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Memories:
        """An independent copy."""
        return Memories({o: w.copy() for o, w in self.written.items()}, dict(self.plain_bits))


def prove(program: Program, thorough: bool = False) -> Report:
    """Proves a program, or says why it cannot be proven.

    Decides encoding, bounds, alignment, capacities, types and shapes, semaphore rules,
    deadlock with the machine's queue depth, races, reads of what was never written, and that
    outputs are written completely and once. Time follows the words and the periods of loops,
    not trip counts, unless ``thorough`` asks to follow every instance and iteration.
    """
    report = Report(program)
    with contextlib.suppress(TooMany):
        _Prover(program, report, Effort(thorough)).run()
    return report


class _Prover:
    def __init__(self, program: Program, report: Report, effort: Effort) -> None:
        self._program = program
        self._report = report
        self._effort = effort
        self._sites: dict[str, Sites] = {}
        self._trees: dict[str, list[Node]] = {}
        self._alike = True
        self._chips = followed_chips(program)

    def run(self) -> None:
        check_program(self._program, self._report)
        for block in self._program.blocks:
            sites = self._sites[block.name] = Sites(block, self._program)
            tree = check_words_of(self._program, block, self._report, sites)
            if tree is not None:
                self._trees[block.name] = tree
        if self._report.findings:
            return
        memories = Memories()
        for tensor in self._program.tensors:
            if tensor.kind != "output":
                self._initial(tensor, memories)
        memories = self._sequence(self._program.control, memories, once=True)
        if not self._report.findings:
            self._check_outputs(memories)

    def _initial(self, tensor: Tensor, memories: Memories) -> None:
        size = tensor.bytes(self._program.machine.chips) * 8
        if size == 0:
            return
        for chip in self._chips:
            written = memories.written.setdefault(("hbm", chip), Written())
            written.add(normal(Val(tensor.base * 8), [], size))

    # ---- control graph ------------------------------------------------------------------
    def _sequence(self, nodes: tuple[ControlNode, ...], memories: Memories, once: bool) -> Memories:
        for node in nodes:
            if self._report.findings:
                return memories
            if isinstance(node, Call):
                memories = self._block(self._program.block(node.block), memories)
            elif isinstance(node, If):
                then = self._sequence(node.then, memories.copy(), once)
                other = self._sequence(node.other, memories.copy(), once)
                memories = self._merge(then, other)
            elif isinstance(node, While):
                # The body may not run at all, so nothing it writes is relied on; running it
                # from the memories before it covers every turn, since more is written later.
                self._sequence(node.body, memories.copy(), once=False)
        return memories

    def _merge(self, one: Memories, two: Memories) -> Memories:
        written = {
            owner: one.written[owner].intersect(two.written[owner])
            for owner in one.written.keys() & two.written.keys()
        }
        names = one.plain_bits.keys() | two.plain_bits.keys()
        bits = {n: max(one.plain_bits.get(n, 0), two.plain_bits.get(n, 0)) for n in names}
        return Memories(written, bits)

    # ---- one block --------------------------------------------------------------------------
    def _block(self, block: Block, memories: Memories) -> Memories:
        """Proves a block, case by case where trip counts depend on scalars that are fixed for
        it; with very many cases, for any number of turns at once."""
        effort = self._effort
        try:
            results = self._cases(block, memories, effort)
        except NeedInstances:
            effort = replace(effort, every=True)
            results = self._cases(block, memories, effort)
        if results is None:
            results = [self._case(block, memories.copy(), {}, replace(effort, split=False))]
        if not results:
            return memories
        merged = results[0]
        for result in results[1:]:
            merged = self._merge(merged, result)
        return merged

    def _cases(self, block: Block, memories: Memories, effort: Effort) -> list[Memories] | None:
        """What each case leaves behind; None if there are too many cases."""
        cases: list[Intervals] = [{}]
        results: list[Memories] = []
        while cases and not self._report.findings:
            if len(results) + len(cases) > CASE_LIMIT:
                return None
            intervals = cases.pop()
            try:
                results.append(self._case(block, memories.copy(), intervals, effort))
            except NeedSplit as need:
                cases += _halves(intervals, need)
        return results

    def _case(
        self, block: Block, memories: Memories, intervals: Intervals, effort: Effort
    ) -> Memories:
        """Proves a case. Races and unwritten reads that a quick proof finds may come from what it
        did not follow; they count only if a closer look finds some, too."""
        report = self._report
        before = list(report.findings)
        result, found = memories, before
        for closer in _closer(effort):
            if closer.every and not closer.thorough and not self._alike:
                continue
            report.findings[:] = before
            full = False
            try:
                attempt = self._attempt(block, memories.copy(), intervals, closer)
            except TooMany:
                attempt, full = memories, True
            fresh = report.findings[len(before) :]
            if closer.limit and any(f.code == "E0910" for f in fresh):
                continue
            result, found = attempt, list(report.findings)
            if not any(f.code in DOUBTFUL for f in fresh):
                break
        report.findings[:] = found
        if full:
            raise TooMany
        return result

    def _attempt(
        self, block: Block, memories: Memories, intervals: Intervals, effort: Effort
    ) -> Memories:
        report = self._report
        nodes, sites = self._trees[block.name], self._sites[block.name]
        engine = Engine(self._program, block, nodes, report, sites, intervals, effort)
        engine.run.memory.restore_written(memories.written)
        report.instances = max(report.instances, len(engine.run.cast.instances))
        self._alike = engine.run.cast.alike
        report.when = self._when(block, intervals, not effort.split)
        try:
            engine.execute()
        except Deadlock as problem:
            report.add(explain(engine.run, problem.stuck, problem.waiting))
        except Stop:
            pass
        except TooFine:
            message = f"a footprint of block {block.name} is too fine to be followed"
            report.add(Finding("E0910", message))
        finally:
            report.when = None
        for name, bits in engine.run.plain_bits.items():
            memories.plain_bits[name] = memories.plain_bits.get(name, 0) + bits
        return Memories(engine.run.memory.written_copy(), memories.plain_bits)

    def _when(self, block: Block, intervals: Intervals, loose: bool) -> str | None:
        """The case in words: which scalars have which values."""
        parts = []
        for (kind, number, *_), (low, high) in intervals.items():
            name = "a loaded scalar"
            if kind == "par":
                p = self._program.parameters[int(str(number))]
                name = p.name
                if p.step != 1:
                    low, high = p.low + low * p.step, p.low + high * p.step
            elif kind == "in":
                name = block.symbols.registers.get(int(str(number)), f"s{number}")
            parts.append(f"{name} = {low}" if low == high else f"{name} in {low}..{high}")
        if loose:
            parts.append(f"any number of turns, since there are more than {CASE_LIMIT} cases")
        return ", ".join(parts) or None

    # ---- outputs ------------------------------------------------------------------------
    def _check_outputs(self, memories: Memories) -> None:
        machine = self._program.machine
        for tensor in self._program.tensors:
            if tensor.kind == "output":
                self._check_output(tensor, memories, tensor.bytes(machine.chips))

    def _check_output(self, tensor: Tensor, memories: Memories, size: int) -> None:
        low, high = tensor.base * 8, (tensor.base + size) * 8
        for chip in self._chips:
            written = memories.written.get(("hbm", chip), Written())
            try:
                gaps = written.gaps(low, high)
            except TooFine:
                self._report.add(Finding("E0910", f"the writes to {tensor.name} are too fine"))
                return
            if gaps:
                first, last = gaps[0]
                self._report.add(
                    Finding(
                        "E0804",
                        f"output {tensor.name} is not written completely",
                        memory=f"chip {chip}: bytes 0x{first // 8:x} to 0x{-(-last // 8):x}"
                        + (f" and {len(gaps) - 1} more pieces" if len(gaps) > 1 else ""),
                        expected=f"0x{tensor.base:x} to 0x{tensor.base + size:x}",
                        line=self._program.places.get(f"tensor {tensor.name}"),
                    )
                )
                return
        bits = memories.plain_bits.get(tensor.name, 0)
        total = size * 8 * len(self._chips)
        if bits > total:
            self._report.add(
                Finding(
                    "E0805",
                    f"output {tensor.name} is written more than once",
                    expected=f"{total // 8} bytes",
                    found=f"{bits // 8} bytes written",
                    hint="a sum in memory is made by radd or putadd, not by writing twice",
                    line=self._program.places.get(f"tensor {tensor.name}"),
                )
            )


def _closer(effort: Effort) -> list[Effort]:
    """A way to prove, and ways to look closer if it finds something."""
    if effort.thorough:
        return [effort]
    patient = replace(effort, patient=True, limit=PATIENT_LIMIT)
    every = replace(patient, every=True, limit=CLOSER_LIMIT)
    return [effort, patient, every, replace(every, thorough=True)]


def _halves(intervals: Intervals, need: NeedSplit) -> list[Intervals]:
    """The two parts of the interval of an unknown, the upper one first."""
    sym = need.sym
    assert sym.key is not None
    upper = {**intervals, sym.key: (need.cut + 1, sym.high)}
    return [upper, {**intervals, sym.key: (sym.low, need.cut)}]
