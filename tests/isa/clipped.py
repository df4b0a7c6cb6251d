"""Random programs whose windows are cut by boxes, each instance's in its own way, and wrong ones.

Tensors are passed on by phases: every tile, or every cluster, loads windows of one tensor, perhaps
with a halo, and stores them into another one, in HBM or in the memories of all clusters. Windows are dealt over instances by multiples of
ids and moved by loops; what sticks out at the end is clipped. In some, one thing is changed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

TILES = CLUSTERS = 3

MACHINE = f"""[machine]
name = "nine"
title = "mini with three clusters of three tiles"
extends = "mini"
[chip]
clusters = {{ value = {CLUSTERS}, source = "assumption", cite = "more than stand for all" }}
[cluster]
tiles = {{ value = {TILES}, source = "assumption", cite = "more than stand for all" }}
"""

#: Bytes from tensor to tensor, and where those begin that lie in the memories of clusters.
ROOM = 0x4000
SHARED = 0x20000


@dataclass
class Part:
    """An axis of a tensor, and how it is cut into windows: coordinates from ``start`` plus terms,
    in up to two dims."""

    extent: int
    sizes: list[int]
    start: int = 0
    terms: dict[str, int] = field(default_factory=dict)
    halo: int = 0

    def window(self, name: str, halo: int) -> tuple[list[str], str, int]:
        """Window dims, the sum of coordinates without terms, and how many there are."""
        if len(self.sizes) == 1:
            n = self.sizes[0] + 2 * halo
            return [f"{name}:{n}"], name, n
        a, b = self.sizes
        return [f"{name}0:{a}", f"{name}1:{b}"], f"{b}*{name}0 + {name}1", a * b


@dataclass
class Phase:
    """One pass over a tensor."""

    number: int
    parts: list[Part]
    source: int
    target: int
    loops: list[tuple[str, int]]
    role: str
    slots: int
    drop: bool = True
    join: bool = True
    full: bool = True
    shared: tuple[bool, bool] = (False, False)
    home: str = "[all]"
    strides: list[int] = field(default_factory=list)


def _deal(rng: random.Random, parts: list[Part], role: str, loops: list[tuple[str, int]]) -> None:
    """Deals windows of one or two axes over instances."""
    if role == "cluster":
        ways = [[("cluster", CLUSTERS)]]
    else:
        ways = [[("gtile", CLUSTERS * TILES)]]
        if len(parts) > 1:
            ways += 2 * [[("cluster", CLUSTERS), ("tile", TILES)]]
    way = rng.choice(ways)
    axes = rng.sample(range(len(parts)), len(way))
    for (name, count), axis in zip(way, axes, strict=True):
        part = parts[axis]
        most = 4 if len(parts) < 3 else 2
        size = rng.randint(1, most)
        trip = rng.choice([1, 1, 1, 2, 7, 9]) if len(parts) == 1 else rng.choice([1, 1, 2, 7])
        if count * trip > 30:
            size = 1
        part.sizes = [2, size // 2] if size % 2 == 0 and rng.random() < 0.5 else [size]
        part.terms = {name: size}
        reach = size * count
        part.extent = rng.randint(1, reach) + (trip - 1) * reach
        if trip > 1 or rng.random() < 0.2:
            loop = f"i{len(loops)}"
            loops.append((loop, trip + rng.choice([0, 0, 0, 1, 6])))
            part.terms[loop] = reach


def _phase(rng: random.Random, number: int, source: int, target: int) -> Phase:
    role = rng.choice(["tile", "tile", "tile", "cluster"])
    parts = [Part(n, [n]) for n in (rng.randint(1, 5) for _ in range(rng.choice([1, 2, 2, 3])))]
    loops: list[tuple[str, int]] = []
    _deal(rng, parts, role, loops)
    for part in parts:
        if not part.terms and rng.random() < 0.4 and len(loops) < 2:
            size, trip = rng.randint(1, 2), rng.choice([2, 3, 8])
            part.extent = size * trip - rng.randint(0, size - 1)
            part.sizes = [size]
            part.terms = {f"i{len(loops)}": size}
            loops.append((f"i{len(loops)}", trip))
    rng.shuffle(loops)
    return Phase(number, parts, source, target, loops, role, rng.choice([1, 2]))


def _strides(extents: list[int]) -> list[int]:
    strides: list[int] = []
    step = 4
    for extent in reversed(extents):
        strides.insert(0, step)
        step *= extent
    return strides


def _again(rng: random.Random, first: Phase, number: int, source: int, target: int) -> Phase:
    """Another pass over a tensor of the same shape, dealt in the same or in another way."""
    for _ in range(30):
        phase = _phase(rng, number, source, target)
        if [p.extent for p in phase.parts] == [p.extent for p in first.parts]:
            break
    else:
        parts = [Part(p.extent, list(p.sizes), 0, dict(p.terms)) for p in first.parts]
        loops, role = list(first.loops), first.role
        phase = Phase(number, parts, source, target, loops, role, first.slots)
    for part in phase.parts:
        if len(part.sizes) == 1:
            part.halo = rng.choice([0, 0, 1])
    return phase


def _spoil(rng: random.Random, phase: Phase) -> None:
    """Changes one thing."""
    part = rng.choice([p for p in phase.parts if p.terms] or phase.parts)
    ids = [name for name in part.terms if not name.startswith("i")]
    match rng.randrange(10):
        case 0 if ids:
            part.terms[ids[0]] += rng.choice([-1, 1])
        case 1:
            part.start += rng.choice([-1, 1])
        case 2 if len(part.sizes) == 1:
            part.sizes[0] = max(1, part.sizes[0] + rng.choice([-1, 1]))
        case 3 if phase.loops:
            at = rng.randrange(len(phase.loops))
            name, trip = phase.loops[at]
            phase.loops[at] = (name, max(1, trip + rng.choice([-1, 1])))
        case 4:
            phase.join = False
        case 5:
            phase.drop = False
        case 6 if ids and phase.role == "tile":
            other = rng.choice(["tile", "cluster", "gtile"])
            part.terms[other] = part.terms.pop(ids[0])
        case 7:
            part.extent = max(1, part.extent + rng.choice([-1, 1]))
        case 8:
            phase.full = False
        case 9:
            phase.home = ""


def _view(phase: Phase, base: int, halo: bool) -> str:
    dims, axes = [], []
    for name, part, stride in zip("abc", phase.parts, phase.strides, strict=False):
        h = part.halo if halo else 0
        window, coordinate, _ = part.window(name, h)
        dims += window
        terms = " + ".join([coordinate, *(f"{c}*{term}" for term, c in part.terms.items())])
        start = part.start - h
        axes.append(f"{terms} + {start} < {part.extent} by {stride}".replace("+ -", "- "))
    space = "hbm"
    if phase.shared[not halo]:
        space, base = "csram" + ("" if halo else phase.home), base + SHARED
    return f"fp32 @{space} {base:#x} {{{', '.join(dims)}}}[{', '.join(axes)}]"


def _local(phase: Phase, store: bool) -> tuple[str, int]:
    """The window in the memory of a tile or cluster; a store leaves out the halo."""
    space = "tsram" if phase.role == "tile" else "csram"
    counts = [part.window("a", part.halo)[2] for part in phase.parts]
    strides = _strides(counts)
    dims, axes = [], []
    for name, part, count, stride in zip("abc", phase.parts, counts, strides, strict=False):
        window, coordinate, _ = part.window(name, 0 if store else part.halo)
        dims += window
        shift = f" + {part.halo}" if store and part.halo else ""
        axes.append(f"{coordinate}{shift} < {count} by {stride}")
    size = counts[0] * strides[0]
    base = f"{phase.number * ROOM // 4:#x} + {size}*slot"
    return f"fp32 @{space} {base} {{{', '.join(dims)}}}[{', '.join(axes)}]", size


def _words(phase: Phase) -> list[str]:
    load, store = ("LD0", "ST") if phase.role == "tile" else ("CLD", "CST")
    n = phase.number
    lines = [f"  loop {name} < {trip} on {phase.role} {{" for name, trip in phase.loops]
    fill, _ = _local(phase, store=False)
    drain, _ = _local(phase, store=True)
    source = _view(phase, phase.source * ROOM, halo=True)
    target = _view(phase, phase.target * ROOM, halo=False) + (" drop" if phase.drop else "")
    full = f"wait(full{n})" if phase.full else ""
    lines.append(f"  {load} copy {fill}, {source} wait(free{n}) post(full{n})")
    lines.append(f"  {store} copy {target}, {drain} {full} post(free{n})")
    if phase.slots > 1:
        lines.append(f"  slot = (slot + 1) mod {phase.slots} on {phase.role}")
    return lines + ["  }"] * len(phase.loops)


def program(seed: int) -> str:
    """The text of a program for the machine ``nine``."""
    rng = random.Random(seed)
    count = rng.choice([1, 1, 2, 3])
    phases = [_phase(rng, 0, 0, 1)]
    for number in range(1, count):
        phases.append(_again(rng, phases[0], number, number, number + 1))
    extents = [part.extent for part in phases[0].parts]
    shared = False
    for phase, following in zip(phases, [*phases[1:], None], strict=True):
        phase.strides = _strides(extents)
        both = phase.role == "tile" and following is not None and following.role == "tile"
        phase.shared = (shared, both and rng.random() < 0.5)
        shared = phase.shared[1]
    if rng.random() < 0.65:
        _spoil(rng, rng.choice(phases))
    shape = ", ".join(map(str, extents))
    lines = ["mist 1.0", "target nine", f"input X : fp32[{shape}] @ 0x0"]
    lines.append(f"output Y : fp32[{shape}] @ {count * ROOM:#x}")
    lines += ["block main {", "  reg slot = s0"]
    lines += [f"  buffer S{n} : fp32[{shape}] @hbm {n * ROOM:#x}" for n in range(1, count)]
    lines += _semaphores(phases)
    for before, phase in zip([None, *phases], phases, strict=False):
        lines += [*_join(before, phase), f"  slot = 0 on {phase.role}", *_words(phase)]
    return "\n".join([*lines, "}", ""])


def _semaphores(phases: list[Phase]) -> list[str]:
    lines = []
    for before, phase in zip([None, *phases], phases, strict=False):
        load, store = ("LD0", "ST") if phase.role == "tile" else ("CLD", "CST")
        n = phase.number
        lines.append(f"  sem full{n} : {load} -> {store} {phase.role}")
        lines.append(f"  sem free{n} : {store} -> {load} {phase.role} = {phase.slots}")
        if before is not None and phase.join:
            earlier = "ST" if before.role == "tile" else "CST"
            lines.append(f"  sem join{n} : {earlier} -> {load} chip")
    return lines


def _join(before: Phase | None, phase: Phase) -> list[str]:
    if before is None or not phase.join:
        return []
    load = "LD0" if phase.role == "tile" else "CLD"
    earlier = "ST" if before.role == "tile" else "CST"
    n = phase.number
    return [f"  {earlier} sync post(join{n})", f"  {load} sync wait(join{n})"]
