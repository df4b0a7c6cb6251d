"""Words of the load, store and network queues: every route, every type, every kind of view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

from maiacc_isa.load import load
from maiacc_isa.tables import Axis, Descriptor, Dim, Term
from native.batches import Batch, Case, Setting
from native.cases_rows import labels
from native.cases_vector import COMBINED, indices, table
from native.choices import (
    COLUMNS,
    TYPES,
    WIDE,
    Rng,
    chance,
    immediate,
    layout,
    mood,
    one,
    size,
)
from native.layouts import ONE, Want, factors

SPEC = load()

#: The register that holds the peer of network words.
PEER = 3


@dataclass(frozen=True)
class Way:
    """A route and a queue that takes it."""

    queue: str
    role: str
    source: str
    destination: str
    home: str

    @property
    def setting(self) -> Setting:
        """Who takes it."""
        return Setting("mini2" if self.role == "chip" else "mini", self.role)

    def home_of(self, writes: bool) -> str:
        """Whose memory a side of the route means: the executing instance's one is its own."""
        space = self.destination if writes else self.source
        own = {"tile": "tsram", "cluster": "csram", "chip": "hbm"}[self.role]
        if self.home == "own" or space == "hbm":
            return "own"
        if self.source == self.destination and self.role != "chip":
            return self.home if writes else "own"
        return "own" if space == own else self.home


def ways() -> Iterator[Way]:
    """Every route with every queue."""
    for route, queue in product(SPEC.routes, SPEC.queues.values()):
        if queue.engine in route.engines and queue.name not in ("NET2", "NET3"):
            if queue.engine == "net" and queue.code > SPEC.queues["NET1"].code:
                continue
            yield Way(queue.name, queue.role, route.source, route.destination, route.home)


WAYS = tuple(ways())
OWN = tuple(way for way in WAYS if way.role != "chip")
NET = tuple(way for way in WAYS if way.role == "chip")

View = Callable[..., int]


def _homed(batch: Batch, home: str) -> tuple[Term, ...]:
    """Terms that say whose memory is meant, now and then one that is not there."""
    if home != "at":
        return ()
    number = 2 if chance(batch.rng, 0.02) else int(batch.rng.integers(2))
    return (Term(ONE, "home", number),) if number else ()


def side(
    batch: Batch, way: Way, name: str, dtype: str, dims: tuple[int, ...], red: tuple[int, ...] = ()
) -> int:
    """The source or destination of a transfer."""
    writes = name == "d"
    space = way.destination if writes else way.source
    home = way.home_of(writes)
    how = layout(batch.rng, writes)
    terms = _homed(batch, home)
    return batch.view(Want(space, dtype, dims, red, how, writes, home, terms))


def _mask(batch: Batch, way: Way) -> dict[str, int]:
    """The instances that receive something."""
    if way.home != "all" or chance(batch.rng, 0.4):
        return {}
    return {"mask": batch.mask(one(batch.rng, ((0,), (1,), (0, 1))))}


def _peer(batch: Batch, name: str) -> dict[str, int]:
    """The chips that a network word goes to."""
    if name == "PUTM":
        return {} if chance(batch.rng, 0.5) else {"group": batch.mask((0, 1))}
    batch.scalar(PEER, 1 if chance(batch.rng, 0.95) else int(batch.rng.integers(-1, 4)))
    return {"peer": PEER}


def _dims(rng: Rng, dtype: str) -> tuple[int, ...]:
    """Some number of elements, as one dim or two."""
    rows, columns = size(rng, [dtype])
    if rows == 1 and chance(rng, 0.7):
        return (columns,)
    if rows and columns and not TYPES[dtype].packed and chance(rng, 0.3):
        return factors(rng, rows * columns)
    return rows, columns


def _move(batch: Batch, rng: Rng, name: str, way: Way, dtype: str) -> None:
    """COPY, RADD and the words of the network."""
    batch.mood = mood(rng)
    dims = _dims(rng, dtype)
    other = dims if len(dims) == 1 or TYPES[dtype].packed else factors(rng, dims[0] * dims[1])
    if 0 in dims:
        other = dims
    extra = _peer(batch, name) if name.startswith("PUT") else {}
    if name == "COPY" or (name == "BCAST" and way.home == "all"):
        extra |= _mask(batch, way)
    fields = {"a": side(batch, way, "a", dtype, dims), "d": side(batch, way, "d", dtype, other)}
    batch.word(name, way.queue, **fields, **extra)


def _turn(batch: Batch, rng: Rng, way: Way, dtype: str) -> None:
    """COPYT."""
    rows, columns = size(rng)
    outer = () if chance(rng, 0.6) or rows > 2 else (one(rng, (1, 2, 3)),)
    a = side(batch, way, "a", dtype, (*outer, rows, columns))
    d = side(batch, way, "d", dtype, (*outer, columns, rows))
    batch.word("COPYT", way.queue, a=a, d=d, **_mask(batch, way))


def _fill(batch: Batch, rng: Rng, way: Way, dtype: str) -> None:
    d = side(batch, way, "d", dtype, _dims(rng, dtype))
    value = immediate(rng, dtype) if chance(rng, 0.5) else int(rng.integers(0, 1 << 32))
    batch.word("FILL", way.queue, d=d, value=value)


def _row_table(batch: Batch, dtype: str, rows: int, space: str, columns: int) -> Descriptor:
    """A row of a table, of any type."""
    if not TYPES[dtype].packed:
        return table(batch, dtype, rows, space, columns)
    bits = TYPES[dtype].bits
    pitch = -(-columns * bits // 8) * 8 + 8 * int(batch.rng.integers(3))
    base = batch.take(space, pitch * (rows + 1) // 8, dtype, batch.mood)
    axes, dims = (Axis(rows, pitch), Axis(columns, bits)), (Dim(columns, 1),)
    return Descriptor(space, dtype, base, axes, dims, 0, fill=int(batch.rng.integers(1 << 32)))


def _index(batch: Batch, rng: Rng, name: str, way: Way, dtype: str, oob: str, op: str) -> None:
    """GATHER and SCATTER."""
    batch.mood = mood(rng)
    gathers = name == "GATHER"
    rows, columns = size(rng, [dtype])
    columns = max(columns, 4)
    columns += -columns % 4
    if columns not in COLUMNS and not TYPES[dtype].packed and chance(rng, 0.5):
        columns = one(rng, COLUMNS[:-1])
    space = way.source if gathers else way.destination
    around = _row_table(
        batch, dtype, one(rng, (0, 1, 7, 40 if columns < 40 else 5)), space, columns
    )
    home = way.home_of(not gathers)
    around = replace(around, home=home, terms=_homed(batch, home))
    stray = 0.0 if oob == "trap" and chance(rng, 0.8) else 0.2
    index_space = one(rng, ("tsram", "csram", "hbm") if way.role == "tile" else ("csram", "hbm"))
    numbers = indices(batch, one(rng, ("int32", "int64")), (rows,), around, stray, index_space)
    kept = factors(rng, rows) if rows else (rows,)
    other = side(batch, way, "d" if gathers else "a", dtype, kept, (columns,))
    mine = batch.put(around)
    fields = {"d": other, "a": mine} if gathers else {"d": mine, "a": other, "op": op}
    mask = _mask(batch, way) if gathers else {}
    batch.word(name, way.queue, oob=oob, b=numbers, **fields, **mask)


def dma_cases() -> list[Case]:
    """Every word of the DMA on every route, with every type."""
    cases = []
    for number, (way, dtype) in enumerate(product(OWN, TYPES)):
        named = f"{way.queue} {way.source} {way.destination} {way.home} {dtype}"
        for name, turn in product(("COPY", "BCAST", "RADD", "FILL", "COPYT"), range(3)):
            build: Callable[[Batch, Rng], None] = partial(_move, name=name, way=way, dtype=dtype)
            if name == "BCAST" and (way.queue != "CLD" or way.destination != "tsram"):
                continue
            if name == "BCAST" and way.home != "all":
                continue
            if name == "RADD" and (dtype not in COMBINED or way.home == "all"):
                continue
            if name == "COPYT" and dtype not in WIDE:
                continue
            if name in ("FILL", "COPYT"):
                build = partial(_fill if name == "FILL" else _turn, way=way, dtype=dtype)
            cases.append(Case(f"{name} {named} {turn}", build, way.setting))
        oob = labels("oob")[number % 3]
        cases.append(_indexed("GATHER", way, dtype, oob, "set", named))
        for op in labels("combine"):
            if op == "set" or dtype in COMBINED:
                oob = ("trap", "fill")[number % 2]
                cases.append(_indexed("SCATTER", way, dtype, oob, op, named))
    return cases


def _indexed(name: str, way: Way, dtype: str, oob: str, op: str, named: str) -> Case:
    build = partial(_index, name=name, way=way, dtype=dtype, oob=oob, op=op)
    return Case(f"{name} {named} {oob} {op}", build, way.setting)


def network_cases() -> list[Case]:
    """Every word that writes to another chip, on every route, with every type."""
    cases = []
    for way, dtype, name in product(NET, TYPES, ("PUT", "PUTADD", "PUTM")):
        if name == "PUTADD" and dtype not in COMBINED:
            continue
        for turn in range(3):
            build = partial(_move, name=name, way=way, dtype=dtype)
            named = f"{way.queue} {way.source} {way.destination} {dtype} {turn}"
            cases.append(Case(f"{name} {named}", build, way.setting))
    return cases
