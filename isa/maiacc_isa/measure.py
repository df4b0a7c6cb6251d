"""Sizes, bytes and cycles of a word: what the functions in the rows' formulas mean.

``WordMeasure`` gives a row's expressions their values for one word of a block on a machine.
Sizes that scalars decide count with their largest value unless ``sizes`` gives them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from maiacc_isa import expr as ex
from maiacc_isa import legal
from maiacc_isa.load import load
from maiacc_isa.machine import Machine
from maiacc_isa.operation import TICKS, Operation, View, cdiv
from maiacc_isa.program import Block
from maiacc_isa.spec import Hop, Insn
from maiacc_isa.word import Word


class WordMeasure(Operation):
    """The scope of a row's expressions for one word.

    ``first`` says whether the word is in the first iteration of its loops (see MM).
    """

    def __init__(
        self,
        word: Word,
        block: Block,
        machine: Machine,
        first: bool = False,
        sizes: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        super().__init__(word, block, machine, sizes)
        self._first = first

    # ---- scope --------------------------------------------------------------------------
    def name(self, name: str) -> Any:
        if name in self.views:
            return self.views[name]
        if name in self.letters:
            return self.letters[name]
        if name == "fresh":
            return self._first
        return self.word.fields.get(name, name)

    def path(self, path: str) -> Any:
        head, rest = path.split(".", 1)
        if head in ("m", "limit"):
            return self.machine.evaluate(ex.Path(path), self.link)
        return getattr(self.views[head], rest)

    def function(self, name: str) -> Callable[..., Any]:
        if name in _FUNCTIONS:
            return _FUNCTIONS[name]
        if name in _MEASURES:
            measure = _MEASURES[name]
            return lambda *args: measure(self, *args)
        predicate = legal.PREDICATES[name]
        return lambda *args: predicate(self, *args)

    def evaluate(self, expr: ex.Expr) -> Any:
        """The value of one of the row's expressions."""
        return ex.evaluate(expr, self)

    def transfers(self) -> list[tuple[View, View, int]]:
        """Source, destination and factor of the transfers in the row's occupancy."""
        calls = [call for call in ex.walk(self.word.row.occupancy) if isinstance(call, ex.Call)]
        found = [call for call in calls if call.function == "transfer"]
        a, d, factor = range(3)
        values = [[self.evaluate(arg) for arg in call.args] for call in found]
        return [(v[a], v[d], int(v[factor])) for v in values]

    @cached_property
    def hops(self) -> tuple[View, View, list[tuple[Hop, int]]] | None:
        """Source, destination and ticks at the ports of the first transfer, if there is one."""
        found = self.transfers()
        return (*found[0][:2], transfer_ticks(self, *found[0])) if found else None

    @property
    def occupancy(self) -> int:
        """Cycles the word keeps its queue busy when nothing else uses its ports; at least one."""
        return max(1, int(self.evaluate(self.word.row.occupancy)))

    @property
    def latency(self) -> int:
        """Cycles from the end of occupancy to completion."""
        return int(self.evaluate(self.word.row.latency))


def _transfer(w: WordMeasure, a: View, d: View, factor: int) -> int:
    """Cycles of a transfer without contention: its slowest port."""
    ticks = [ticks for _, ticks in transfer_ticks(w, a, d, factor)]
    return max(1, cdiv(max(ticks, default=0), TICKS))


def transfer_ticks(w: Operation, a: View, d: View, factor: int) -> list[tuple[Hop, int]]:
    """The ports a transfer passes, in order, with the sixteenths of a cycle it occupies each;
    none if it moves nothing. FILL passes the port of its destination only."""
    if not a.n or not d.n:
        return []
    if a is d:
        hops: tuple[Hop, ...] = _last_hop(d.space)
    else:
        route = w.route(a, d)
        hops = route.hops if route is not None else ()
    return [(hop, w.hop_ticks(hop, a, d, factor)) for hop in hops]


def _last_hop(space: str) -> tuple[Hop, ...]:
    """The hop on which every route into a memory ends; none for a memory no route leads to."""
    into = [route for route in load().routes if route.destination == space]
    return into[0].hops[-1:] if into else ()


def moves(row: Insn) -> bool:
    """Whether an instruction moves data along ports: its occupancy is that of a transfer."""
    calls = [call for call in ex.walk(row.occupancy) if isinstance(call, ex.Call)]
    return any(call.function == "transfer" for call in calls)


def _route_latency(w: WordMeasure, a: View, d: View) -> int:
    route = w.route(a, d)
    return 0 if route is None else int(w.machine.evaluate(route.latency, w.link))


def _space_latency(w: WordMeasure, view: View) -> int:
    path = {"hbm": "hbm.latency", "csram": "csram.latency"}.get(view.space)
    return w.machine.int("dma.issue") + (w.machine.int(path) if path else 0)


def _lanes(w: WordMeasure, *views: View | None) -> int:
    """Lanes of the vector unit: by the widest operand or result that is not broadcast."""
    present = [v for v in views if v is not None and v.space != "iota"]
    full = [v for v in present if not v.broadcast] or present
    width = max(v.bits for v in full)
    chain = w.word.fields.get("chain")
    kind = w.chain(chain).dtype if chain is not None else full[0].dtype
    smallest = 16 if load().dtypes[kind].is_float else 8
    width = max(width, smallest)
    return w.machine.int(
        f"tvp.lanes{8 if width <= 8 else 16 if width <= 16 else 32 if width <= 32 else 64}"
    )


def _port_factor(w: WordMeasure, a: View, b: View, m: int, n: int, k: int, sparse: int) -> float:
    """How many times longer an operation takes because of its operand ports, at least 1.

    ``sparse`` is 2 for MMSP: the dense side then supplies twice the K of a cycle, the sparse
    side stored values and metadata. Bytes count in whole granules touched.
    """
    if not m or not n or not k:
        return 1.0
    block, port = w.machine.int("ttu.block"), w.machine.int("ttu.port_bytes")
    latch, granule = w.machine.int("ttu.latch"), w.machine.int("tsram.granule")
    depth = w.machine.kchunk(a.dtype, b.dtype) * sparse
    spread = [v.touched(granule) / v.payload() if v.n else 1.0 for v in (a, b)]
    bytes_a = block * depth * a.bits / 8 * max(1.0, spread[0])
    bytes_b = block * depth // sparse * b.bits / 8 * max(1.0, spread[1])
    if sparse == 2:
        bytes_b += block * depth / 8
    group = load().limit("mx_group")
    bytes_a += block * depth / group if a.descriptor.scale is not None else 0
    bytes_b += block * depth / group if b.descriptor.scale is not None else 0
    rows, columns = min(latch, cdiv(m, block)), min(latch, cdiv(n, block))
    return max(1.0, bytes_a / (columns * port), bytes_b / (rows * port))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "max": max,
    "min": min,
    "ceil": math.ceil,
    "cdiv": cdiv,
    "log2c": lambda n: max(0, (int(n) - 1).bit_length()),
}

_MEASURES: dict[str, Callable[..., Any]] = {
    "blocks": lambda w, n: cdiv(n, w.machine.int("ttu.block")),
    "payload": lambda w, v: v.payload(),
    "lanes": _lanes,
    "passes": lambda w, c: cdiv(w.chain(c).cost, w.machine.int("tvp.stages")),
    "kchunk": lambda w, a, b: w.machine.kchunk(a.dtype, b.dtype),
    "port_factor": _port_factor,
    "pair_acc": lambda w, a, b: legal.pair_acc(a, b),
    "transfer": _transfer,
    "route_latency": _route_latency,
    "space_latency": _space_latency,
    "inputs": lambda w, c: w.chain(c).inputs,
    "group_size": lambda w, g: len(w.block.masks[g - 1].members) if g else w.machine.chips,
}

#: Every function a row may call.
FUNCTIONS = frozenset({*_FUNCTIONS, *_MEASURES, *legal.PREDICATES})
