"""Random programs as text: declarations, and a tree of words.

Whoever makes words only says which buffers they read and write; ``programs_sync`` adds the
semaphores.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from maiacc_isa.load import load
from maiacc_isa.machine import Machine, builtin_machine
from sim import programs_data

ROLES = ("tile", "cluster", "chip")


@dataclass(eq=False)
class Buf:
    """A buffer or tensor. ``scope`` says how far the words that share an instance of it are apart;
    ``ring`` is the register that counts its slots; ``kind`` says what its data are like."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    space: str
    scope: str = "tile"
    slots: int = 1
    ring: str = ""
    kind: str = "any"
    scale: str = ""
    meta: str = ""

    @property
    def bits(self) -> int:
        return load().dtypes[self.dtype].bits

    @property
    def place(self) -> str:
        """How a view of it begins."""
        return f"{self.name}({self.ring})" if self.slots > 1 else self.name


@dataclass(eq=False)
class Op:
    """An engine word, or an SLD (with ``scalar`` as what stands before and behind it)."""

    queue: str
    text: str
    reads: tuple[Buf, ...] = ()
    writes: tuple[Buf, ...] = ()
    mask: str = ""
    bare: bool = False
    scalar: tuple[str, str] | None = None
    waits: list[str] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Line:
    """A control statement; ``roles`` execute it."""

    text: str
    roles: tuple[str, ...] = ("tile",)


@dataclass(eq=False)
class Loop:
    """A loop; the roles that execute it follow from its body."""

    name: str
    trip: str
    body: list[Item]


Item = Op | Line | Loop


def words_of(item: Item) -> Iterator[Op]:
    """All engine words of an item."""
    if isinstance(item, Op):
        yield item
    elif isinstance(item, Loop):
        for inner in item.body:
            yield from words_of(inner)


def roles_of(items: list[Item]) -> set[str]:
    """The roles that anything in a body is for."""
    roles: set[str] = set()
    for item in items:
        if isinstance(item, Op):
            roles.add(load().queues[item.queue].role)
        elif isinstance(item, Line):
            roles |= set(item.roles)
        else:
            roles |= roles_of(item.body)
    return roles


@dataclass
class Host:
    """What all blocks share: the machine, tensors in HBM, parameters, and the dice."""

    rng: random.Random
    target: str
    split: bool
    states: bool = False
    lines: list[str] = field(default_factory=list)
    tensors: dict[str, Buf] = field(default_factory=dict)
    parameters: list[tuple[str, int, int]] = field(default_factory=list)
    used: int = 0

    @property
    def machine(self) -> Machine:
        return builtin_machine(self.target)

    def tensor(
        self, kind: str, dtype: str, shape: tuple[int, ...], data: str = "any", shared: bool = False
    ) -> Buf:
        """A new tensor, at the next place; dealt over the chips unless it is ``shared``."""
        kind = "state" if kind == "output" and self.states else kind
        name = f"{kind[0].upper()}{len(self.tensors)}"
        base = self.used
        split = self.split and kind != "weight" and not shared
        whole = (shape[0] * self.machine.chips, *shape[1:]) if split else shape
        bits = load().dtypes[dtype].bits
        rows = 1
        for extent in shape[:-1]:
            rows *= extent
        size = rows * -(-shape[-1] * bits // 8) * (self.machine.chips if split else 1)
        self.used = base + (size + 63) // 64 * 64 + self.rng.choice((0, 64))
        buf = Buf(name, dtype, shape, "hbm", "chip", kind=data)
        self.tensors[name] = buf
        self.lines.append(
            f"{kind:6} {name} : {dtype}[{', '.join(map(str, whole))}] @ {base}"
            + (" split" if split else "")
            + (f' in "{name}" out "{name} next"' if kind == "state" else "")
            + (f' = hex "{self._bytes(dtype, rows, shape[-1], data)}"' if kind == "weight" else "")
        )
        return buf

    def _bytes(self, dtype: str, rows: int, columns: int, data: str) -> str:
        return programs_data.fill(self.rng, dtype, rows, columns, data).hex()


class Writer:
    """One block in the making."""

    def __init__(self, host: Host, name: str) -> None:
        self.host = host
        self.rng = host.rng
        self.name = name
        self.lines: list[str] = []
        self.items: list[Item] = []
        self.rings: dict[int, str] = {}
        self.registers: list[str] = []
        self._count = 0
        self._used = {"tsram": 0, "csram": 0, "acc": 0}

    def fresh(self, prefix: str) -> str:
        """A name that nothing else has."""
        self._count += 1
        return f"{prefix}{self._count}"

    def declare(self, kind: str, rest: str, prefix: str) -> str:
        """A declaration; returns the name it gives."""
        name = self.fresh(prefix)
        self.lines.append(f"{kind} {name} {rest}")
        return name

    def register(self, prefix: str = "n") -> str:
        """A new scalar register."""
        name = self.fresh(prefix)
        self.lines.append(f"reg {name} = s{len(self.registers) + 2}")
        self.registers.append(name)
        return name

    def buffer(
        self,
        dtype: str,
        shape: tuple[int, ...],
        space: str = "tsram",
        slots: int = 1,
        scope: str = "tile",
        kind: str = "any",
    ) -> Buf:
        """A new buffer, behind those that are there."""
        bits = load().dtypes[dtype].bits
        rows = 1
        for extent in shape[:-1]:
            rows *= extent
        size = rows * -(-shape[-1] * bits // 8)
        pitch = (size + 63) // 64 * 64
        if space == "acc":
            row = self.host.machine.int("ttu.block") * 4
            pitch = (size + row - 1) // row * row
        base = self._used[space]
        self._used[space] = base + slots * pitch
        ring = self.rings.get(slots, "") if slots > 1 else ""
        tail = f" slots {slots} pitch {pitch}" if slots > 1 else ""
        extents = ", ".join(map(str, shape))
        name = self.declare("buffer", f": {dtype}[{extents}] @{space} {base}{tail}", "b")
        return Buf(name, dtype, shape, space, scope, slots, ring, kind)


def rendered(body: list[Item], depth: int) -> list[str]:
    """The statements of a body, indented."""
    lines: list[str] = []
    indent = "  " * depth
    for item in body:
        if isinstance(item, Loop):
            roles = ", ".join(r for r in ROLES if r in roles_of(item.body))
            lines.append(f"{indent}loop {item.name} < {item.trip} on {roles} {{")
            lines += rendered(item.body, depth + 1)
            lines.append(f"{indent}}}")
        elif isinstance(item, Line):
            roles = ", ".join(r for r in ROLES if r in item.roles)
            on = f" on {roles}" if item.roles else ""
            lines.append(f"{indent}{item.text}{on}")
        else:
            lines.append(indent + _word(item))
    return lines


def _word(op: Op) -> str:
    waits = f" wait({', '.join(op.waits)})" if op.waits else ""
    posts = f" post({', '.join(op.posts)})" if op.posts else ""
    if op.scalar:
        return f"{op.scalar[0]}{waits}{posts}{op.scalar[1]}"
    mask = f" mask={op.mask}" if op.mask else ""
    return f"{op.queue} {op.text}{mask}{waits}{posts}"
