"""A model before it is compiled: every blocker, what it would need, and a bound on its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import onnx

from maiacc.checking.certain import certain_macs, weight_bytes_read
from maiacc.checking.refusal import refusal
from maiacc.compiler import refusals
from maiacc.frontend.choice import choice
from maiacc.frontend.header import plain_domain
from maiacc.frontend.load import Loaded
from maiacc.frontend.model import Settings, imported
from maiacc_isa.errors import MaiaccError
from maiacc_isa.machine import Machine
from maiacc_passes.counting import Count, count
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.table import Kind
from maiacc_passes.pipeline import PIPELINE, run

#: Codes of refusals of what is legal and not supported; the others are of what is not legal.
UNSUPPORTED = ("E1303", "E1305", "E1306")

#: Codes of refusals of shapes and values of inputs.
GIVEN = ("E1309", "E1310", "E1311")


@dataclass
class Survey:
    """What ``maiacc check`` found. ``nodes`` and ``blocked`` are counts of ONNX nodes by operator,
    those of bodies and functions among them; ``counted`` is of the canonical graph, as far as there
    is one; ``certain_macs`` is what of its work is done whatever the data are, ``moved`` the bytes
    that cross HBM at least; ``refused`` is what the compiler has no words for, and ``notes`` are
    about what of the model is left aside."""

    model: onnx.ModelProto
    machine: Machine
    module: Module
    problems: list[MaiaccError]
    nodes: Mapping[str, int] = field(default_factory=dict)
    blocked: Mapping[str, int] = field(default_factory=dict)
    counted: Count = field(default_factory=Count)
    composites: Mapping[str, int] = field(default_factory=dict)
    certain_macs: int = 0
    moved: int = 0
    refused: list[MaiaccError] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    @property
    def needed(self) -> int:
        """Bytes of HBM that the model needs: weights, inputs, and the values that exist at once."""
        return self.counted.weights + max(self.counted.peak, self.counted.outputs)

    @property
    def available(self) -> int:
        """Bytes of HBM of the machine."""
        return self.machine.int("hbm.bytes") * self.machine.chips

    @property
    def fits(self) -> bool:
        """Whether the machine has room for it."""
        return self.needed <= self.available

    @property
    def exit_code(self) -> int:
        """0; 1 if the model or what was given is not valid; 2 if it is not supported, by the
        importer or the compiler; 3 if it does not fit."""
        if any(problem.code not in UNSUPPORTED for problem in self.problems):
            return 1
        if self.problems or any(problem.code != "E1502" for problem in self.refused):
            return 2
        return 0 if self.fits and not self.refused else 3

    # ---- the machine's bound ------------------------------------------------------------------
    @property
    def intensity(self) -> float:
        """Multiply-adds for each byte that has to cross HBM."""
        return self.certain_macs / self.moved if self.moved else 0.0

    def peak(self, rate: str = "bf16") -> float:
        """Multiply-adds a second of all chips."""
        return self.machine.peak(rate) / 2 * self.machine.chips

    @property
    def bandwidth(self) -> float:
        """Bytes of HBM a second of all chips."""
        a_cycle = self.machine.int("hbm.bytes_per_cycle") * float(self.machine["hbm.efficiency"])
        return a_cycle * float(self.machine["clock.hz"]) * self.machine.chips

    def bound(self, rate: str = "bf16") -> tuple[float, str]:
        """Seconds that no program can be below, and what limits it: compute or hbm. A roofline of
        the whole model: S. Williams, A. Waterman, D. Patterson, Roofline, CACM 52 (2009)."""
        compute = self.certain_macs / self.peak(rate)
        memory = self.moved / self.bandwidth
        return (compute, "compute") if compute >= memory else (memory, "hbm")


def survey(loaded: Loaded, settings: Settings, machine: Machine) -> Survey:
    """Looks at a model. What is wrong with it is collected, not raised."""
    module, problems = imported(loaded.model, settings, loaded.folder)
    # What was given wrongly is the cause of what does not fit behind it.
    problems = sorted(problems, key=lambda problem: problem.code not in GIVEN)
    found = Survey(loaded.model, machine, module, problems, notes=loaded.notes)
    found.nodes = Counter(_title(node) for node, _ in nodes_of(loaded.model))
    found.blocked = _blocked(loaded.model)
    if not problems:
        run(module, [step.made for step in PIPELINE])
        found.counted = count(module)
        found.certain_macs = certain_macs(module)
        found.moved = _moved(module, found.counted)
        found.composites = Counter(op.name for op in module.main if op.row.kind is Kind.COMPOSITE)
        found.refused = [refusal(problem) for problem in refusals(module, machine)]
    return found


def _moved(module: Module, counted: Count) -> int:
    """Bytes that cross HBM at least: weights and inputs that are used are read, of tables the rows
    that are looked up, and outputs are written."""
    used = sum(value.type.bytes for value in module.main.params if value.uses)
    return weight_bytes_read(module) + used + counted.outputs


def _title(node: onnx.NodeProto) -> str:
    domain = node.domain.removeprefix("ai.onnx")
    return f"{domain}.{node.op_type}" if domain else node.op_type


def nodes_of(model: onnx.ModelProto) -> Iterator[tuple[onnx.NodeProto, Mapping[str, int]]]:
    """All nodes, those of bodies and functions among them, each with the opsets that it is of."""
    parts = [(model.graph.node, model.opset_import)]
    parts += [(function.node, function.opset_import) for function in model.functions]
    for nodes, imports in parts:
        opsets = {o.domain: o.version for o in imports}
        left = [iter(nodes)]
        while left:
            node = next(left[-1], None)
            if node is None:
                left.pop()
                continue
            yield node, opsets
            for attribute in node.attribute:
                graphs = [attribute.g] if attribute.HasField("g") else []
                left += [iter(graph.node) for graph in (*graphs, *attribute.graphs)]


def _blocked(model: onnx.ModelProto) -> dict[str, int]:
    """Nodes whose operator nobody can import, by operator."""
    functions = {(plain_domain(f.domain), f.name) for f in model.functions}
    found: Counter[str] = Counter()
    for node, opsets in nodes_of(model):
        domain = plain_domain(node.domain)
        how = choice(domain, node.op_type, opsets.get(domain) or opsets.get(node.domain) or 1).how
        own = how == "missing" and (domain, node.op_type) in functions
        if how in ("refused", "missing") and not own:
            found[_title(node)] += 1
    return found
