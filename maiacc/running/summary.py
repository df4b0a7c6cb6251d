"""The summary that ``maiacc run`` prints: what happened, what bounds it, where to look next."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from maiacc.running.figures import QueueFigures, Stall, memory_peaks, queues, stalls
from maiacc_isa.errors import printable
from maiacc_sim.bounds import BOUNDS, ENGINE_BOUND
from maiacc_sim.simulate import Result

#: Queues shown, and reasons to wait shown of each.
QUEUES, REASONS = 6, 2

#: Outputs shown.
OUTPUTS = 4

#: A wait that takes less of a queue's cycles is not worth a word.
WORTH = 0.01

#: From this share of the cycles on, a bound says all there is to say.
CLOSE = 0.9

#: What a bound is about.
BOUND_NAMES = {
    "compute": "the tensor units",
    "vector": "the vector units",
    "hbm": "the HBM",
    "csram": "the CSRAM",
    "network": "the links between chips",
    "drain": "the drains",
    "noc": "the way between clusters and HBM",
    "tile": "the DMA ports of the tiles",
}


def summary(result: Result, source: str) -> list[str]:
    """Ten to fifteen lines about a run."""
    reasons = stalls(result)
    lines = [headline(result), bound_line(result)]
    totals = result.timed.totals
    hbm = totals.read["hbm"], totals.written["hbm"]
    lines.append(
        line(
            "work",
            f"{totals.instructions:,} words, {totals.macs:,} macs, HBM {size_text(hbm[0])} read, "
            f"{size_text(hbm[1])} written",
        )
    )
    lines += _queue_lines(result, reasons)
    peaks = memory_peaks(result.program)
    parts = [
        f"{name} {size_text(used)} of {size_text(all_)}" for name, (used, all_) in peaks.items()
    ]
    lines.append(line("memory", ", ".join(parts)))
    lines += _outputs(result)
    lines.append(line("next", advice(result, reasons, source)))
    return lines


def headline(result: Result) -> str:
    """Which program on which machine, cycles and time."""
    machine = result.program.machine
    hertz = float(machine["clock.hz"])
    low, high = sorted((result.cycles if result.low is None else result.low.cycles, result.cycles))
    cycles, seconds = f"{high:,}", time_text(high / hertz)
    if low != high:
        cycles, seconds = f"{low:,} to {cycles}", f"{time_text(low / hertz)} to {seconds}"
    unknown = "" if result.low is None else "; loaded scalars at the ends of their intervals"
    title = printable(result.title if result.title != "-" else "program")
    return f"{title} on {machine.name}: {cycles} cycles, {seconds} at {hertz / 1e9:g} GHz{unknown}"


def bound_line(result: Result) -> str:
    """The largest lower bound, how far the run is above it, and the next ones."""
    bounds, name = result.timed.totals.bounds, result.timed.totals.bound
    most = bounds[name]
    if not most:
        return line("bound", "none: nothing was computed or moved")
    others = sorted((b for b in BOUNDS if b != name and bounds[b]), key=lambda b: -bounds[b])
    rest = "".join(f", {b} {bounds[b]:,}" for b in others[:2])
    return line(
        "bound", f"{most:,} by {BOUND_NAMES[name]} ({result.cycles / most:.2f} x that){rest}"
    )


def _queue_lines(result: Result, reasons: list[Stall]) -> Iterator[str]:
    """The busiest queues, each with what it waited for."""
    rows = sorted(
        (q for q in queues(result.timed.account) if q.words), key=lambda q: -q.busy / q.cycles
    )
    for number, row in enumerate(rows[:QUEUES]):
        own = [s for s in reasons if s.queue == row.queue and s.share >= WORTH][:REASONS]
        waits = ", ".join(f"{percent(s.share)} for {s.text}" for s in own)
        text = f"{row.queue:<5} {percent(row.utilisation):>4} busy"
        if row.used < row.instances:
            text += f" on {row.used} of {row.instances}"
        yield line("" if number else "queues", text + (f", waited {waits}" if waits else ""))
    if len(rows) > QUEUES:
        rest = ", ".join(f"{q.queue} {percent(q.utilisation)}" for q in rows[QUEUES:])
        yield line("", rest)


def _outputs(result: Result) -> Iterator[str]:
    types = {t.result or t.name: t.dtype for t in result.program.tensors}
    outputs = sorted(result.outputs.items())
    for number, (name, value) in enumerate(outputs[:OUTPUTS]):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        shape = ", ".join(map(str, value.shape))
        text = f"{printable(name)} : {types[name]}[{shape}]  sha256 {digest[:16]}"
        yield line("" if number else "output", text)
    if len(outputs) > OUTPUTS:
        yield line("", f"... and {len(outputs) - OUTPUTS} more")


def advice(result: Result, reasons: list[Stall], source: str) -> str:
    """What to look at next."""
    command = f"maiacc profile {printable(source)}"
    bound = result.timed.totals.bound
    if not result.timed.totals.bounds[bound]:
        return f"maiacc lint {printable(source)}"
    if result.timed.share >= CLOSE:
        return f"less work for {BOUND_NAMES[bound]}: {command} --by instruction"
    busiest = _limiting(result)
    own = [s for s in reasons if busiest is not None and s.queue == busiest.queue]
    if own and own[0].share >= WORTH:
        first = own[0]
        behind = f", so look at {first.poster}" if first.poster else ""
        return f"{first.queue} waits for {first.text}{behind}: {command} --critical"
    return f"{command} --critical"


def _limiting(result: Result) -> QueueFigures | None:
    """The busiest queue of the engine that the bound is about, or of all."""
    rows = [q for q in queues(result.timed.account) if q.words]
    engines = {u.queue.name: u.queue.row.engine for u in result.timed.account.queues}
    bound = result.timed.totals.bound
    bounding = [q for q in rows if ENGINE_BOUND.get(engines[q.queue]) == bound]
    return max(bounding or rows, key=lambda q: q.utilisation, default=None)


# ---- numbers for people -------------------------------------------------------------------
def line(name: str, text: str) -> str:
    """A line of a summary: what it is about, and what there is to say."""
    return f"  {name:<8} {text}"


def percent(share: float) -> str:
    """A share, without promising more digits than it has."""
    return f"{100 * share:.0f} %" if share >= 0.005 or share == 0 else "<1 %"


def size_text(count: int) -> str:
    """A number of bytes."""
    for unit, size in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} B"


def time_text(seconds: float) -> str:
    """A time."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.4g} {unit}"
    return f"{seconds / 1e-9:.4g} ns"
