"""What is said about a node or a kernel, as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from maiacc.explaining.document import WAITING
from maiacc.running.summary import BOUND_NAMES, percent, size_text
from maiacc_isa.errors import printable

#: Names of nodes and bounds that a line has room for.
NODES, BOUNDS = 12, 4

#: Why no kernel executes a node.
ABSENT = {
    "view": "it only says how what is there is looked at: no word is executed for it",
    "control": "control processors do it, which set the scalars that steer the program",
    "folded": "passes have computed it, merged it into others, or found nobody who uses it; "
    "maiacc ir --diff shows where",
}

#: Spaces as they are written.
SPACES = {"hbm": "HBM", "csram": "CSRAM", "tsram": "TSRAM", "acc": "ACC"}


def lines(facts: dict[str, Any]) -> Iterator[str]:
    """The page of a document."""
    node, kernels = facts["node"], facts["kernels"]
    if node is not None:
        where = ", ".join(kernel["name"] for kernel in kernels)
        plural = "s" * (len(kernels) != 1)
        text = f"kernel{plural} {where}" if kernels else f"no kernel: {ABSENT[facts['absent']]}"
        yield f"{printable(node)}: {text}"
    for kernel in kernels:
        if node is not None:
            yield ""
        yield from _kernel(kernel, node, facts["not_timed"])


def _kernel(kernel: dict[str, Any], node: str | None, not_timed: str | None) -> Iterator[str]:
    layers = kernel["layers"]
    which = "" if kernel["layer"] is None else f"layer {kernel['layer'] + 1} of "
    among = f"; {which}{layers} layers, one after the other" if layers > 1 else ""
    yield f"kernel {kernel['name']}: {kernel['title'] or 'moves elements'}{among}"
    others = [name for name in kernel["nodes"] if name != node]
    shown = ", ".join(map(printable, others[:NODES]))
    more = f" and {len(others) - NODES:,} more" if len(others) > NODES else ""
    yield _line("nodes" if node is None else "with", shown + more or "nothing else")
    words = kernel["words"]
    own = "" if words["of_node"] is None else f", {words['of_node']} of them from this node"
    count = words["end"] - words["first"]
    yield _line("words", f"{words['block']}:{words['first']} to {words['end'] - 1}: {count}{own}")
    if kernel["macs_multiplied"]:
        whole = f", {layers} layers" if layers > 1 else ""
        both = f"{kernel['macs']:,} macs of {kernel['macs_multiplied']:,} multiplied{whole}"
        yield _line("work", both)
    yield from _space(kernel)
    yield from _tried(kernel)
    yield from _memory(kernel)
    yield from _cycles(kernel, not_timed)


def _line(name: str, text: str) -> str:
    return f"  {name:<9} {text}"


# ---- how it is cut --------------------------------------------------------------------------
def _space(kernel: dict[str, Any]) -> Iterator[str]:
    space = [f"{row['dim']} {row['extent']:,}" for row in kernel["space"]]
    if space:
        yield _line("space", " x ".join(space))
    loops = []
    for loop in kernel["loops"]:
        spread = f" over {loop['spread']}" if loop.get("spread") else ""
        loops.append(f"{loop['name']}{spread} < {loop['trips']:,}")
    yield _line("loops", ", ".join(loops) or "none: everything at once, in one tile")


def _tried(kernel: dict[str, Any]) -> Iterator[str]:
    chosen, weighed, rank = kernel["chosen"], kernel["ways_weighed"], kernel["rank"]
    if chosen is None:
        yield _line("cut", "nothing was searched: such a kernel has one form, the loops above")
        return
    if not weighed:
        yield _line("cut", f"tiles of {_tile(chosen['tile'])}: the first of a fixed list that fits")
        return
    if rank >= weighed:
        why = "none of them fits, so that the smallest tiles there are were taken"
    elif rank:
        why = f"number {rank + 1} is the first that fits a tile's memories and queues"
    else:
        why = "the cheapest one fits"
    ways = f"{weighed:,} ways weighed" if weighed > 1 else "one way"
    yield _line("cut", f"{ways}, by predicted cycles; {why}")
    rows: list[tuple[str, ...]] = [("tile", "loops", "turns", "tiles", "predicted", "")]
    listed = list(kernel["ways"])
    for number, way in enumerate(listed):
        note = "chosen" if number == rank else "does not fit" if number < rank else ""
        rows.append(_row(way, note))
    if rank >= len(listed):
        rows.append(_row(chosen, "chosen"))
    yield from _table(rows)


def _row(way: dict[str, Any], note: str) -> tuple[str, ...]:
    loops = ", ".join(
        f"{loop['dim']} over {loop['over']}" if loop["over"] else loop["dim"]
        for loop in way["loops"]
    )
    cost = way["predicted_cycles"]
    price = "-" if cost is None else f"{cost:,}"
    counts = f"{way['turns']:,}", f"{way['busy_tiles']:,}", price
    loops += ", rows stay" if way["panel"] else ""
    return (_tile(way["tile"]), loops or "none", *counts, note)


def _tile(sizes: Sequence[int]) -> str:
    return " x ".join(f"{n:,}" for n in sizes) or "one element"


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Columns side by side, numbers on the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            text.rjust(width) if 2 <= i <= 4 else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield ("            " + "  ".join(cells)).rstrip()


# ---- where things lie -----------------------------------------------------------------------
def _memory(kernel: dict[str, Any]) -> Iterator[str]:
    for title, key in (("reads", "reads"), ("writes", "writes")):
        for number, tensor in enumerate(kernel[key]):
            yield _line("" if number else title, _tensor(tensor))
    for number, local in enumerate(kernel["tile_buffers"]):
        slots = f"{local['slots']} x " if local["slots"] > 1 else ""
        text = f"{printable(local['name'])}  {_type(local)}, {SPACES[local['space']]} of a tile, "
        text += slots + size_text(local["bytes"])
        shared = "; one load for all tiles of a cluster" if local.get("shared") else ""
        yield _line("" if number else "tile", text + shared)


def _tensor(tensor: dict[str, Any]) -> str:
    first, last = tensor["first"], tensor["last"]
    used = first if first == last else f"{first} to {last}"
    life = f"always there, used in {used}" if tensor.get("stays") else f"lives in {used}"
    copies = tensor.get("copies", 1)
    many = f"; one of {copies}, a layer each" if copies > 1 else ""
    place = f"{SPACES[tensor['space']]} 0x{tensor['base']:x}"
    named = f"{printable(tensor['name'])}  {tensor['kind']} {_type(tensor)}"
    return f"{named}, {size_text(tensor['bytes'])}, {place}, {life}{many}"


def _type(row: dict[str, Any]) -> str:
    return f"{row['dtype']}[{', '.join(map(str, row['shape']))}]"


# ---- what it takes --------------------------------------------------------------------------
def _cycles(kernel: dict[str, Any], not_timed: str | None) -> Iterator[str]:
    layers = kernel["layers"]
    each = f", {layers} executions" if layers > 1 else ""
    bounds = sorted(kernel["bounds"].items(), key=lambda item: -item[1])
    shown = ", ".join(f"{BOUND_NAMES[name]} {cycles:,}" for name, cycles in bounds[:BOUNDS])
    yield _line("least", (shown + f" cycles{each}") if shown else "nothing is computed or moved")
    chosen = kernel["chosen"]
    if chosen is not None and chosen["predicted_cycles"] is not None:
        times = f" for each of {layers} layers" if layers > 1 else ""
        yield _line("predicted", f"{chosen['predicted_cycles']:,} cycles{times}, by the cost model")
    measured = kernel["measured"]
    if measured is None:
        yield _line("measured", f"not: {not_timed}")
    else:
        cycles, whole = measured["cycles"], measured["of"]
        parts = ", ".join(
            f"{queue} {percent(n / cycles)}" for queue, n in measured["queues"].items()
        )
        share = f"{percent(cycles / whole)} of the program's {whole:,}" if whole else ""
        on = f"; of them on words of {parts}" if parts else ""
        hidden = "0 cycles of the critical path: others take longer at the same time"
        text = f"{cycles:,} cycles of the critical path{each}, {share}{on}" if cycles else hidden
        yield _line("measured", text)
    if kernel["bound_by"] is not None:
        yield _line("bound", _bound(kernel, bounds))


def _bound(kernel: dict[str, Any], bounds: Sequence[tuple[str, int]]) -> str:
    by = kernel["bound_by"]
    if by != WAITING:
        return f"by {BOUND_NAMES[by]}"
    name, cycles = bounds[0]
    measured = kernel["measured"]
    chosen = kernel["chosen"] or {"predicted_cycles": 0}
    of = (measured or {}).get("cycles") or (chosen["predicted_cycles"] or 0) * kernel["layers"]
    busiest = f"the busiest, {BOUND_NAMES[name].removeprefix('the ')}, works for"
    return f"by synchronisation and latency: {busiest} {percent(cycles / of)} of these cycles"
