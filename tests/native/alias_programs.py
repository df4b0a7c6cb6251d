"""Random programs that load, read and overwrite parts of a small memory, in one order for all words.

Loads are of bytes of inputs, so native code puts most of them off. Whatever a word does then meets
what was put off: all of it, parts of it, several at once, or what was put off from somewhere that
was itself put off.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

#: Bytes of the memory of a tile and of a cluster, and of what stands in HBM.
ROOM, HOST = 512, 2048

#: Bytes of an output for what is stored as soon as it is computed, for each tile.
ONWARD = 1024

#: Turns of a loop.
TURNS = 3

HEAD = f"""mist 1.0
target mini
input  X : uint8[{HOST}] @ 0x0
weight W : uint8[{HOST}] @ {HOST} = hex "WEIGHT"
input  K : int32[16] @ {2 * HOST}
output Y : uint8[4, {ROOM}] @ {3 * HOST}
output Z : uint8[2, {ROOM}] @ {4 * HOST}
output V : uint8[4, {ONWARD}] @ {6 * HOST}
output U : int32[4, {ONWARD // 4}] @ {8 * HOST}
block main {{
  buffer t : uint8[{ROOM}] @tsram 0x0
  buffer w : int32[{ROOM // 4}] @tsram 0x0
  buffer n : int32[16] @tsram {ROOM}
  buffer r : uint8[{ONWARD}] @tsram {2 * ROOM}
  buffer q : int32[{ONWARD // 4}] @tsram {2 * ROOM}
  buffer c : uint8[{ROOM}] @csram 0x0
  buffer z : uint8[4, {ROOM}] @hbm {5 * HOST}
  chain sum : int32 = add(a, b)
  chain more : int32 = add(a, 3)
"""

#: Queues of the tile that copy; TVP computes.
COPIES = ("LD0", "LD1", "ST")


class Writer:
    """A program in the making. A word waits for the one before it if that is in another queue."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.words: list[tuple[str, str]] = []
        #: The first and the last word of a loop.
        self.first = self.last = -1
        #: Elements of the last two outputs that are written.
        self.stored = {"V": 0, "U": 0}

    def word(self, queue: str, text: str) -> None:
        """A word."""
        self.words.append((queue, text))

    def part(self, unit: int = 1) -> tuple[int, int]:
        """Some elements side by side: small ones, large ones, and what begins or ends where others
        may."""
        rng, room = self.rng, ROOM // unit
        grain = rng.choice((1, 4, 16, 64)) if unit == 1 else rng.choice((1, 4, 16))
        size = min(grain * rng.randint(1, 6), room)
        return grain * rng.randrange((room - size) // grain + 1), size

    def apart(self, size: int) -> tuple[int, int] | None:
        """Where two parts of that size begin that do not overlap."""
        if 2 * size > ROOM:
            return None
        first = self.rng.randrange(ROOM - 2 * size + 1)
        second = first + size + self.rng.randrange(ROOM - first - 2 * size + 1)
        return (first, second) if self.rng.random() < 0.5 else (second, first)

    @property
    def turn(self) -> str:
        """What an index depends on inside the loop."""
        return " + 16*round" if self.first >= 0 > self.last else ""

    def text(self) -> str:
        """The program."""
        lines, semaphores = [], set[str]()
        queues = [queue for queue, _ in self.words]
        roles = "tile, cluster" if "CLD" in queues[self.first : self.last] else "tile"
        for number, (queue, word) in enumerate(self.words):
            before, then = queues[max(number - 1, 0)], [*queues, queue][number + 1]
            waits = f" wait({before}_{queue})" if before != queue else ""
            posts = f" post({queue}_{then})" if then != queue else ""
            semaphores |= {f"{before}_{queue}"} if before != queue else set()
            lines += [f"  loop round < {TURNS} on {roles} {{"] * (number == self.first)
            lines += [f"  {queue} {word}{waits}{posts}"]
            lines += ["  }"] * (number == self.last)
        said = [f"  sem {name} : {_between(name)}" for name in sorted(semaphores)]
        weight = self.rng.randbytes(HOST).hex()
        return "\n".join([HEAD.replace("WEIGHT", weight), *said, *lines, "}", ""])


def _between(name: str) -> str:
    poster, waiter = name.split("_")
    scope = "cluster" if {poster, waiter} & {"CLD", "CST"} else "tile"
    return f"{poster} -> {waiter} {scope}"


# ---- words ------------------------------------------------------------------------------------
def load(writer: Writer, name: str = "", queue: str = "") -> None:
    """Bytes of an input, of a weight, of the cluster's memory or of what was stored."""
    rng = writer.rng
    (start, size), name = writer.part(), name or rng.choice("XWcz")
    if name in "XW":
        at = rng.randrange(HOST - size - 3 * 64 - 32 + 1)
        source = f"{name}{{i:{size}}}[{at} + 64*gtile{writer.turn} + i]"
    else:
        at = rng.randrange(ROOM - size + 1)
        source = (
            f"c{{i:{size}}}[{at} + i]" if name == "c" else f"z{{m:1, i:{size}}}[gtile, {at} + i]"
        )
    writer.word(queue or rng.choice(COPIES[:2]), f"copy t{{i:{size}}}[{start} + i], {source}")


def load_in_steps(writer: Writer) -> None:
    """Bytes that lie apart in the tile's memory, which cannot be put off."""
    rng = writer.rng
    size, step = rng.randint(1, 40), rng.randint(2, 5)
    start = rng.randrange(ROOM - size * step)
    source = f"X{{i:{size}}}[{rng.randrange(HOST - size)} + i]"
    writer.word("LD0", f"copy t{{i:{size}}}[{start} + {step}*i], {source}")


def load_cluster(writer: Writer) -> None:
    """The same in the memory of a cluster."""
    start, size = writer.part()
    at = writer.rng.randrange(HOST - size - 64 + 1)
    source = f"{writer.rng.choice('XW')}{{i:{size}}}[{at} + 64*cluster + i]"
    writer.word("CLD", f"copy c{{i:{size}}}[{start} + i], {source}")


def move(writer: Writer) -> None:
    """Bytes of the tile's memory elsewhere in it."""
    size = writer.part()[1]
    found = writer.apart(size)
    if found is not None:
        to, at = found
        queue = writer.rng.choice(COPIES)
        writer.word(queue, f"copy t{{i:{size}}}[{to} + i], t{{i:{size}}}[{at} + i]")


def fill(writer: Writer) -> None:
    """A constant."""
    start, size = writer.part()
    value = writer.rng.getrandbits(8)
    writer.word(writer.rng.choice(COPIES), f"fill t{{i:{size}}}[{start} + i] value={value}")


def compute(writer: Writer) -> None:
    """Sums of two parts, where one of them is, or elsewhere."""
    rng = writer.rng
    kind, unit = rng.choice((("t", 1), ("w", 4)))
    room = ROOM // unit
    start, size = writer.part(unit)
    other = rng.randrange(room - size + 1)
    found = f"{kind}{{i:{size}}}[{start} + i]"
    if rng.random() < 0.5:
        writer.word("TVP", f"vmap {found}, {found} chain=more")
    elif abs(other - start) >= size:
        second = f"{kind}{{i:{size}}}[{other} + i]"
        writer.word("TVP", f"vmap {found}, {found}, {second} chain=sum")


def compute_in_steps(writer: Writer) -> None:
    """Every second or third byte of a part, in place."""
    rng = writer.rng
    size, step = rng.randint(1, 40), rng.randint(2, 3)
    view = f"t{{i:{size}}}[{rng.randrange(ROOM - size * step)} + {step}*i]"
    writer.word("TVP", f"vmap {view}, {view} chain=more")


def pick(writer: Writer) -> None:
    """Bytes at offsets that are loaded, too."""
    rng = writer.rng
    size = rng.randint(1, 16)
    start, far = rng.randrange(ROOM // 2 - size), ROOM // 2 + rng.randrange(100)
    if rng.random() < 0.5:
        start, far = far, rng.randrange(100)
    writer.word(
        "TVP", f"vgather t{{i:{size}}}[{start} + i], t{{}}[{far}], n{{i:{size}}}[i] oob=trap"
    )


def add(writer: Writer) -> None:
    """Sums in place by a word that copies."""
    rng = writer.rng
    start, size = writer.part(4)
    view, room = f"w{{i:{size}}}[{start} + i]", ROOM // 4
    other = rng.randrange(room - size + 1)
    if abs(other - start) >= size:
        writer.word(rng.choice(COPIES), f"radd {view}, w{{i:{size}}}[{other} + i]")


def put(writer: Writer) -> None:
    """Bytes to offsets that are loaded."""
    rng = writer.rng
    size = rng.randint(1, 16)
    to, source = rng.randrange(100), ROOM // 2 + rng.randrange(ROOM // 2 - size)
    words = f"t{{}}[{to}], t{{i:{size}}}[{source} + i], n{{i:{size}}}[i]"
    writer.word("TVP", f"vscatter {words} oob=trap op=set")


def store(writer: Writer) -> None:
    """A part of the tile's memory goes to HBM."""
    (start, size), rng = writer.part(), writer.rng
    source, at = f"t{{i:{size}}}[{start} + i]", rng.randrange(ROOM - size + 1)
    writer.word("ST", f"copy z{{m:1, i:{size}}}[gtile, {at} + i], {source}")


def compute_and_store(writer: Writer) -> None:
    """What is computed goes to an output by the next word: all, other bytes, or in another order."""
    rng = writer.rng
    kind, to, unit = rng.choice((("t", "V", 1), ("w", "U", 4)))
    start, size = writer.part(unit)
    turns, at = TURNS if writer.first >= 0 > writer.last else 1, writer.stored[to]
    if at + turns * size > ONWARD // unit:
        return
    writer.stored[to] += turns * size
    found = f"{kind}{{i:{size}}}[{start} + i]"
    writer.word("TVP", f"vmap {found}, {found} chain=more")
    if rng.random() < 0.2:
        found = f"{kind}{{i:{size}}}[{rng.randrange(ROOM // unit - size + 1)} + i]"
    elif rng.random() < 0.1:
        found = f"{kind}{{i:{size}}}[{start + size - 1} - i]"
    place = f"{at} + {size}*round" if turns > 1 else f"{at}"
    writer.word("ST", f"copy {to}{{m:1, i:{size}}}[gtile, {place} + i], {found}")


def fill_up(writer: Writer) -> None:
    """What is not yet written of the last two outputs."""
    for to, source, unit in (("V", "r", 1), ("U", "q", 4)):
        at = writer.stored[to]
        size = ONWARD // unit - at
        words = f"{to}{{m:1, i:{size}}}[gtile, {at} + i], {source}{{i:{size}}}[i]"
        if size:
            writer.word("ST", f"copy {words}")


WORDS: dict[Callable[[Writer], None], int] = {
    load: 10,
    load_in_steps: 1,
    load_cluster: 2,
    move: 3,
    fill: 1,
    compute: 3,
    compute_in_steps: 1,
    pick: 1,
    put: 1,
    add: 2,
    store: 2,
    compute_and_store: 4,
}


def alias_text(seed: int) -> str:
    """The program of a seed."""
    rng = random.Random(seed)
    writer = Writer(rng)
    writer.word("CLD", f"copy c{{i:{ROOM}}}[i], X{{i:{ROOM}}}[i + 64*cluster]")
    writer.word("LD0", "copy n{i:16}[i], K{i:16}[i]")
    writer.word("LD0", f"copy r{{i:{ONWARD}}}[i], X{{i:{ONWARD}}}[i + 64*gtile]")
    writer.word("LD0", f"copy t{{i:{ROOM}}}[i], W{{i:{ROOM}}}[i + 64*gtile]")
    writer.word("ST", f"copy z{{m:1, i:{ROOM}}}[gtile, i], t{{i:{ROOM}}}[i]")
    loads = partial(load, name="X"), partial(load, name="c")
    favourite = rng.choice((None, None, *loads, move, compute_and_store))
    _some(writer, favourite, rng.randint(2, 20))
    if rng.random() < 0.5:
        # What is around its head and its end is in one queue: no word waits for another turn.
        load(writer, queue="LD0")
        writer.first = len(writer.words)
        load(writer, queue="LD0")
        _some(writer, favourite, rng.randint(1, 15))
        load(writer, queue="LD0")
        writer.last = len(writer.words) - 1
        load(writer, queue="LD0")
    _some(writer, favourite, rng.randint(1, 20))
    fill_up(writer)
    source = rng.choice("tr")  # the first makes all copies into t
    writer.word("ST", f"copy Y{{m:1, i:{ROOM}}}[gtile, i], {source}{{i:{ROOM}}}[i]")
    writer.word("CST", f"copy Z{{m:1, i:{ROOM}}}[cluster, i], c{{i:{ROOM}}}[i]")
    return writer.text()


def _some(writer: Writer, favourite: Callable[[Writer], None] | None, count: int) -> None:
    """Some words."""
    for _ in range(count):
        if favourite is not None and writer.rng.random() < 0.5:
            favourite(writer)
        else:
            writer.rng.choices(list(WORDS), list(WORDS.values()))[0](writer)
