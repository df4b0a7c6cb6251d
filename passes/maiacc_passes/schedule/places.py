"""How many of each buffer of a tile there are, and where they lie.

A buffer that one queue fills and another one empties has two slots where memory allows, so that
both work at once. Loads of weights may start while the kernel before still runs: their buffers lie
at the low end of the memory in one kernel and at the high end in the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from maiacc_isa.machine import Machine
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Buffer, Kernel, Loop, View, loops_of, words_of
from maiacc_passes.kernel.views import distinct

#: Queues that load.
LOADS = frozenset({"LD0", "LD1", "CLD"})

#: Addresses in a tile are multiples of this many bytes.
UNIT = 64

#: Slots of weights and of what else is loaded, and the part of a tile's memory that they may take,
#: one as the inverse.
SLOTS = ((16, 4, 2), (8, 4, 2), (4, 4, 2), (3, 3, 2), (4, 4, 1), (3, 3, 1), (2, 2, 1))

#: Bytes of weights that get a second slot whatever they are in.
SMALL = 1 << 14


@dataclass
class Places:
    """Slots, their distance in bytes, and the address of the first one, by buffer; ``weights``
    and ``used`` are bytes of a tile's memory."""

    slots: dict[Buffer, int] = field(default_factory=dict)
    pitch: dict[Buffer, int] = field(default_factory=dict)
    base: dict[Buffer, int] = field(default_factory=dict)
    weights: int = 0
    used: int = 0


def acc_bytes(buffer: Buffer, block: int) -> int:
    """What a buffer of accumulators takes: rows and columns of whole blocks."""
    rows, columns = buffer.shape
    return _up(rows, block) * _up(columns, block) * 4


def _up(n: int, unit: int) -> int:
    return -(-n // unit) * unit


def buffers_of(kernel: Kernel) -> list[tuple[Buffer, Loop | None]]:
    """The buffers of a tile in a kernel, and the loop that each is declared in."""
    found: list[tuple[Buffer, Loop | None]] = [(b, None) for b in kernel.buffers]
    for loop in loops_of(kernel.body):
        found += [(b, loop) for b in loop.buffers]
    return found


def _turning(kernel: Kernel) -> set[Loop]:
    """Loops whose body is executed more than once."""
    found: set[Loop] = set()
    stack = [(node, False) for node in kernel.body]
    while stack:
        node, turns = stack.pop()
        if isinstance(node, Loop):
            turns = turns or node.trips > 1
            if turns:
                found.add(node)
            stack += [(inner, turns) for inner in node.body]
    return found


def place(kernel: Kernel, machine: Machine, high: bool) -> Places:
    """Slots and addresses for a kernel; weights at the high end of memory if ``high``. Raises
    ``IRError`` E1502 where one of each does not fit."""
    declared = buffers_of(kernel)
    queues: dict[Buffer, set[str]] = {}
    weights: set[Buffer] = set()
    loaded: set[Buffer] = set()
    for word in words_of(kernel.body):
        for view in (*word.reads(), *word.writes()):
            queues.setdefault(view.buffer, set()).add(word.queue)
        if not all(distinct(view) for view in word.writes()):
            raise IRError(
                "E1501",
                "elements that lie too irregularly for one transfer",
                found=kernel.title or kernel.name,
                nodes=kernel.location.nodes,
            )
        if word.queue in LOADS:
            loaded |= {view.buffer for view in word.writes()}
        if word.weights:
            weights |= {view.buffer for view in word.writes()}
        if word.kind in ("copy", "turn") and _moved(word.views["d"]) > DMA_BYTES:
            raise _refusal(kernel, machine)
    turning = _turning(kernel)
    # Kernels have semaphores in common: one slot more, and the next kernel need not wait for it.
    small = {b for b, loop in declared if loop is not None and b in weights and b.bytes <= SMALL}
    wish = {
        buffer: 2 if buffer in small or (loop in turning and len(queues.get(buffer, ())) > 1) else 1
        for buffer, loop in declared
    }
    capacity = machine.space_bytes("tsram")
    for counts in (wish, {b: 1 if _panel(b) else n for b, n in wish.items()}):
        for many, more, share in SLOTS:
            slots = _more(counts, loaded, weights, (many, more))
            found = _placed(slots, weights, machine, high)
            if found is not None and found.used <= capacity // share:
                return found
    for slots in ({b: _fewer(b, n) for b, n in wish.items()}, dict.fromkeys(wish, 1)):
        found = _placed(slots, weights, machine, high)
        if found is not None:
            return found
    raise _refusal(kernel, machine)


def _moved(view: View) -> int:
    return view.size * ELEMENTS[view.type].bits // 8


def _refusal(kernel: Kernel, machine: Machine) -> IRError:
    return IRError(
        "E1502",
        f"{kernel.title or kernel.name} needs more memory than a tile has",
        expected=f"at most {machine.space_bytes('tsram'):,} bytes and "
        f"{machine.space_bytes('acc'):,} of accumulators, {DMA_BYTES:,} in a transfer",
        found=", ".join(f"{b.name} {b.bytes:,}" for b, _ in buffers_of(kernel)),
        hint="a smaller --shape, a lower --precision, or a --target whose tiles have more memory",
        nodes=kernel.location.nodes,
    )


def _more(
    slots: dict[Buffer, int], loaded: set[Buffer], weights: set[Buffer], more: tuple[int, int]
) -> dict[Buffer, int]:
    """Loads take long to arrive: several of them are on their way at once, of weights, which are
    asked for before the kernel starts, the first number."""
    many, some = more
    return {
        b: (many if b in weights else some)
        if n > 1 and b in loaded and b.space == "tsram" and not _panel(b)
        else n
        for b, n in slots.items()
    }


def _panel(buffer: Buffer) -> bool:
    """Whether it takes several transfers to fill it: there are two of them at most."""
    return buffer.space == "tsram" and buffer.bytes > DMA_BYTES


def _fewer(buffer: Buffer, slots: int) -> int:
    """Accumulators give up their second slot first."""
    return 1 if buffer.space == "acc" else slots


def _placed(
    slots: dict[Buffer, int], weights: set[Buffer], machine: Machine, high: bool
) -> Places | None:
    """Addresses, or None where memory ends."""
    places = Places(slots)
    block = machine.int("ttu.block")
    acc = 0
    for buffer, count in slots.items():
        if buffer.space == "acc":
            size = places.pitch[buffer] = acc_bytes(buffer, block)
            places.base[buffer] = acc
            acc += size * count
    capacity = machine.space_bytes("tsram")
    first = [b for b in slots if b.space == "tsram" and b in weights]
    rest = [b for b in slots if b.space == "tsram" and b not in weights]
    at = 0
    for group in (first, rest):
        for buffer in group:
            size = places.pitch[buffer] = _up(buffer.bytes, UNIT)
            places.base[buffer] = at
            at += size * slots[buffer]
        if group is first:
            places.weights = at
    places.used = at
    if at > capacity or acc > machine.space_bytes("acc"):
        return None
    if high:
        _mirror(places, [*first, *rest], capacity)
    return places


def _mirror(places: Places, buffers: Iterable[Buffer], capacity: int) -> None:
    """Turns addresses around, so that the first buffer ends where memory does."""
    for buffer in buffers:
        end = places.base[buffer] + places.pitch[buffer] * places.slots[buffer]
        places.base[buffer] = capacity - end
