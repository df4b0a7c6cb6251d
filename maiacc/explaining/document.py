"""What is said about a node or a kernel, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from maiacc.explaining.finding import Found
from maiacc.explaining.measuring import Measures
from maiacc.explaining.record import KernelRow, Record, WayRow
from maiacc_isa.program import Program

#: Version of the document.
SCHEMA = 1

#: From this share of a kernel's cycles on, a unit that is busy for so long is what bounds it.
CLOSE = 0.6

#: What bounds a kernel that no unit keeps busy.
WAITING = "synchronisation"


def document(
    record: Record, program: Program, found: Found, measures: Measures, timed: bool
) -> dict[str, Any]:
    """All that is known about what was found; ``timed`` with a run of the program."""
    not_timed = measures.why_not_timed if timed and found.kernels else "it was not asked for"
    return {
        "schema": SCHEMA,
        "node": found.node,
        "target": program.machine.name,
        "absent": found.why or None,
        "not_timed": not_timed or None,
        "kernels": [
            _kernel(record, program, found, row, layer, measures, not not_timed)
            for row, layer in found.kernels
        ],
    }


def _kernel(
    record: Record,
    program: Program,
    found: Found,
    row: KernelRow,
    layer: int | None,
    measures: Measures,
    timed: bool,
) -> dict[str, Any]:
    block = program.block(row.block)
    first, end = row.words
    own = sum(found.node in block.origin(i) for i in range(first, end)) if found.node else None
    bounds = measures.bounds(row)
    taken = measures.taken(row) if timed else None
    return {
        "name": row.name,
        "title": row.title,
        "layer": layer,
        "layers": len(row.layers),
        "nodes": _nodes(row, layer),
        "words": {"block": row.block, "first": first, "end": end, "of_node": own},
        "space": [
            {"dim": name, "extent": extent, "tile": tile}
            for name, extent, tile in zip(
                row.dims, row.extents, row.chosen.tiles if row.chosen else [], strict=False
            )
        ],
        "loops": [msgspec.to_builtins(loop) for loop in row.loops],
        "macs": row.macs,
        "macs_multiplied": row.padded,
        "chosen": None if row.chosen is None else _way(row, row.chosen),
        "ways": [_way(row, way) for way in row.ways],
        "ways_weighed": row.weighed,
        "rank": row.rank if row.weighed else None,
        "reads": [msgspec.to_builtins(record.tensors[i]) for i in row.reads],
        "writes": [msgspec.to_builtins(record.tensors[i]) for i in row.writes],
        "tile_buffers": [msgspec.to_builtins(local) for local in row.locals],
        "bounds": bounds,
        "measured": None if taken is None else asdict(taken),
        "bound_by": bound_by(bounds, _cycles(row, taken.cycles if taken else 0)),
    }


def _cycles(row: KernelRow, measured: int) -> int:
    """The cycles of all executions: measured or, where they are not, predicted."""
    if measured:
        return measured
    cost = row.chosen.cost if row.chosen is not None else None
    return (cost or 0) * len(row.layers)


def bound_by(bounds: dict[str, int], cycles: int) -> str | None:
    """The unit that is busy for most of a kernel's cycles; waiting for each other and for what
    words take beside their work, if none is. None for what is not known."""
    if not bounds:
        return None
    most = max(bounds, key=lambda name: bounds[name])
    return most if bounds[most] >= CLOSE * cycles else WAITING


def _nodes(row: KernelRow, layer: int | None) -> Sequence[str]:
    """The nodes of a layer, or of all of them."""
    chosen = row.layers if layer is None else [row.layers[layer]]
    return list(dict.fromkeys(node for nodes in chosen for node in nodes))


def _way(row: KernelRow, way: WayRow) -> dict[str, Any]:
    return {
        "tile": way.tiles,
        "loops": [{"dim": row.dims[d], "over": spread} for d, spread in way.order],
        "turns": way.turns,
        "busy_tiles": way.busy,
        "predicted_cycles": way.cost,
        "panel": way.panel,
    }
