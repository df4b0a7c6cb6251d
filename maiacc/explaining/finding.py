"""Which kernels a name means: an ONNX node, a part of its name, or a kernel."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

from maiacc.explaining.record import KernelRow, Record
from maiacc_isa.errors import MaiaccError, quote

#: Names that are offered where none or several fit.
NEAR = 6


@dataclass
class Found:
    """What a name means: kernels with the number of the layer that is meant (None: all of them),
    and the node; with neither kernel, ``why`` no kernel executes the node."""

    node: str | None
    kernels: list[tuple[KernelRow, int | None]] = field(default_factory=list)
    why: str = ""


def find(record: Record, name: str) -> Found:
    """What is called so. Raises ``MaiaccError`` E0004 with names that are near."""
    kernels = {kernel.name: kernel for kernel in record.kernels}
    nodes = _nodes(record)
    if name in nodes:
        return _node(record, name)
    number = f"k{name}" if re.fullmatch(r"\d+", name) else name
    if number in kernels:
        return Found(None, [(kernels[number], None)])
    held = [node for node in nodes if name and name.lower() in node.lower()]
    if len(held) == 1:
        return _node(record, held[0])
    near = held or difflib.get_close_matches(name, [*nodes, *kernels], n=NEAR, cutoff=0.4)
    listed = ", ".join(map(quote, near[:NEAR]))
    more = f" and {len(near) - NEAR:,} more" if len(near) > NEAR else ""
    hint = f"did you mean {listed}{more}?" if near else f"kernels are {_range(record)}"
    many = f"{len(held):,} nodes have {quote(name)} in their names"
    raise MaiaccError(
        "E0004",
        many if held else f"no node and no kernel is called {quote(name)}",
        expected="the name of an ONNX node, a part that only one has, or a kernel",
        hint=hint,
    )


def _nodes(record: Record) -> dict[str, None]:
    """All nodes, in the order of kernels."""
    executed = [node for kernel in record.kernels for layer in kernel.layers for node in layer]
    return dict.fromkeys([*executed, *(n for some in record.absent.values() for n in some)])


def _node(record: Record, node: str) -> Found:
    found = Found(node)
    for kernel in record.kernels:
        layers = [number for number, nodes in enumerate(kernel.layers) if node in nodes]
        if layers:
            # What is common to all layers belongs to no one of them.
            one = len(kernel.layers) > 1 and len(layers) == 1
            found.kernels.append((kernel, layers[0] if one else None))
    if not found.kernels:
        found.why = next(why for why, nodes in record.absent.items() if node in nodes)
    return found


def _range(record: Record) -> str:
    names = [kernel.name for kernel in record.kernels]
    return " to ".join(dict.fromkeys([*names[:1], *names[-1:]])) or "not there: nothing is computed"
