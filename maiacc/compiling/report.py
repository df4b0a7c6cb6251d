"""What is said about a compiled model: ten to fifteen lines, or one document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from maiacc.compiling.build import Built
from maiacc.running.summary import BOUND_NAMES, line, percent, size_text, time_text
from maiacc_isa.errors import printable
from maiacc_isa.program import Program
from maiacc_passes.pruning import Pruned
from maiacc_passes.schedule.arena import Life, arrange
from maiacc_passes.schedule.lives import Lives
from maiacc_passes.schedule.places import UNIT, acc_bytes
from maiacc_passes.schedule.schedule import Placed
from maiacc_sim.bounds import BOUNDS

#: Version of the document.
SCHEMA = 1

#: Steps of the compiler that the summary names, the slowest first.
STEPS = 3

#: Layers with sparse weights that the summary names.
LAYERS = 100


@dataclass(frozen=True)
class Space:
    """Bytes of a memory: the highest used at any time, what there is, and the least that any
    placement of the same kernels needs."""

    peak: int
    capacity: int
    lower_bound: int


def memory(placed: Placed) -> dict[str, Space]:
    """HBM of a chip, memory of a cluster if it is used, and the two memories of a tile."""
    machine, arena = placed.machine, placed.arena
    found = {"hbm": Space(arena.peak, machine.space_bytes("hbm"), arena.bound)}
    if placed.near:
        found["csram"] = _near(placed)
    block = machine.int("ttu.block")
    for name in ("tsram", "acc"):
        peak = least = 0
        for places in (places for part in placed.blocks for places in part.places):
            mine = [buffer for buffer in places.slots if buffer.space == name]
            peak = max(peak, sum(places.pitch[b] * places.slots[b] for b in mine))
            each = [
                acc_bytes(b, block) if name == "acc" else -(-b.bytes // UNIT) * UNIT for b in mine
            ]
            least = max(least, sum(each))
        found[name] = Space(peak, machine.space_bytes(name), least)
    return found


def _near(placed: Placed) -> Space:
    """The memories of clusters, where values lie that are not in HBM."""
    lives, capacity = Lives(placed.plan.steps), placed.machine.space_bytes("csram")
    spans = [Life(b.name, b.bytes, lives.first[b], lives.last[b]) for b in placed.near]
    peak = max(placed.bases[b] + b.bytes for b in placed.near)
    return Space(peak, capacity, min(peak, arrange(spans, 0, capacity).bound))


def weight_bytes(program: Program) -> int:
    """Bytes of all weights."""
    return sum(tensor.bytes() for tensor in program.tensors if tensor.kind == "weight")


def document(built: Built) -> dict[str, Any]:
    """All of it as plain data; its names are stable."""
    program, placed = built.program, built.compiled.placed
    return {
        "schema": SCHEMA,
        "target": program.machine.name,
        "nodes": built.nodes,
        "covered_nodes": built.nodes,
        "macs_graph": built.macs_graph,
        "macs_program": built.work.macs,
        "weight_bytes": weight_bytes(program),
        "instruction_words": sum(len(block.words) for block in program.blocks),
        "descriptors": sum(len(block.descriptors) for block in program.blocks),
        "kernels": len(placed.plan.kernels),
        "seconds": built.seconds,
        "peak_memory_bytes": built.peak,
        "memory": {
            name: {"peak": s.peak, "capacity": s.capacity, "lower_bound": s.lower_bound}
            for name, s in memory(placed).items()
        },
        "bounds": {name: built.work.bounds[name] for name in BOUNDS},
        "warnings": built.options.warnings,
        "sparse": [_layer(report) for report in built.compiled.pruned],
    }


def _layer(report: Pruned) -> dict[str, Any]:
    """A layer with sparse weights."""
    return {
        "nodes": list(report.nodes),
        "weight": report.weight,
        "elements": report.elements,
        "pattern": report.pattern,
        "method": report.method,
        "note": report.note,
        "energy": report.energy,
        "error": report.error if isfinite(report.error) else None,
        "error_of": "calibration" if report.measured else "noise",
        "dense_bytes": report.dense_bytes,
        "sparse_bytes": report.sparse_bytes,
    }


def lines(built: Built, title: str, output: str) -> Iterator[str]:
    """The summary."""
    facts, program, work = document(built), built.program, built.work
    yield f"{printable(title)} on {program.machine.name}: compiled, and proven"
    fused = f"in {facts['kernels']:,} kernels"
    yield line("nodes", f"{built.nodes:,} of {built.nodes:,} {fused}")
    yield line("work", _work(built))
    moved = f"HBM {size_text(work.read['hbm'])} read, {size_text(work.written['hbm'])} written"
    yield line("bytes", f"weights {size_text(facts['weight_bytes'])}; {moved}")
    tables = f"{facts['descriptors']:,} descriptors, {len(program.blocks)} block"
    plural = "s" * (len(program.blocks) != 1)
    yield line("program", f"{facts['instruction_words']:,} words, {tables}{plural}")
    for number, (name, space) in enumerate(memory(built.compiled.placed).items()):
        text = f"{name:<5} {size_text(space.peak)} of {size_text(space.capacity)}"
        least = f", at least {size_text(space.lower_bound)}" if space.lower_bound else ""
        yield line("" if number else "memory", text + least)
    yield line("bound", _bound(built))
    yield line("options", _options(built))
    yield from _pruned(built)
    yield from _rounded(built)
    yield line("time", _time(built))
    yield line("next", _next(built, output))


def _work(built: Built) -> str:
    graph, words = built.macs_graph, built.work.macs
    text = f"{graph:,} macs in the graph, {words:,} in the program"
    if words > graph and words:
        text += f": {percent((words - graph) / words)} of those are padding"
    return text


def _bound(built: Built) -> str:
    bounds, name = built.work.bounds, built.work.bound
    if not bounds[name]:
        return "none: nothing is computed or moved"
    hertz = float(built.program.machine["clock.hz"])
    others = sorted((b for b in BOUNDS if b != name and bounds[b]), key=lambda b: -bounds[b])
    rest = "".join(f", {b} {bounds[b]:,}" for b in others[:2])
    took = time_text(bounds[name] / hertz)
    return f"{bounds[name]:,} cycles ({took}) by {BOUND_NAMES[name]}{rest}"


def _options(built: Built) -> str:
    options = built.options
    parts = [f"precision {options.precision}", f"sparsity {options.sparsity}"]
    if options.sparsity != "none":
        parts[-1] += f" by {options.method}"
    if options.passes is not None:
        parts.append("passes " + (", ".join(options.passes) or "none"))
    if not options.weights:
        parts.append("without weights, to be timed only")
    return ", ".join(parts)


def _pruned(built: Built) -> Iterator[str]:
    """What each layer with sparse weights keeps, and what that costs."""
    reports = built.compiled.pruned
    for number, report in enumerate(reports[:LAYERS]):
        how = "found sparse" if report.found else f"pruned to {report.pattern} by {report.method}"
        how += f" ({report.note})" if report.note else ""
        of = " on the calibration data" if report.measured else ""
        bytes_ = f"{size_text(report.dense_bytes)} -> {size_text(report.sparse_bytes)}"
        yield line(
            "" if number else "sparse",
            f"{printable(', '.join(report.nodes) or report.weight)}: {how}, {bytes_}, "
            f"{100 * report.energy:.4g} % of the energy kept, output{of} off by {report.error:.2g}",
        )
    if len(reports) > LAYERS:
        yield line("", f"... and {len(reports) - LAYERS} more layers")


def _rounded(built: Built) -> Iterator[str]:
    """What rounding the weights costs in each layer, the worst ones first."""
    reports = sorted(built.compiled.rounded, key=lambda report: -report.error)
    for number, report in enumerate(reports[:LAYERS]):
        yield line(
            "" if number else "rounded",
            f"{printable(', '.join(report.nodes) or report.weight)}: output off by "
            f"{report.error:.2g}",
        )
    if len(reports) > LAYERS:
        yield line("", f"... and {len(reports) - LAYERS} more layers, off by less")


def _time(built: Built) -> str:
    steps = sorted(
        ((name, n) for name, n in built.seconds.items() if name != "total"), key=lambda s: -s[1]
    )
    shown = ", ".join(f"{name} {time_text(n)}" for name, n in steps[:STEPS])
    return f"{time_text(built.seconds['total'])} ({shown}); {size_text(built.peak)} of memory"


def _next(built: Built, output: str) -> str:
    if not built.options.weights:
        return f"maiacc run {printable(output)} --timing-only"
    return f"maiacc run {printable(output)} --random 1"
