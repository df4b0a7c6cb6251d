"""Memories: against a dictionary of bytes, and what they refuse."""

from __future__ import annotations

import random

import numpy as np
import pytest

from maiacc_isa.machine import builtin_machine
from maiacc_sim.memory import Memories, Owner
from maiacc_sim.pages import PAGE, Ints
from maiacc_sim.system import System
from maiacc_sim.traps import Stopped, Trap

MINI = System(builtin_machine("mini"))
LARGE = System(builtin_machine("maia200"))

HBM = Owner("hbm", LARGE.instance("chip", 0).number)
TSRAM = Owner("tsram", MINI.instance("tile", 0, 1, 1).number)


class Seen:
    """A watcher that notes what it is told."""

    def __init__(self) -> None:
        self.touched: list[tuple[Owner, list[int], bool]] = []

    def touch(self, owner: Owner, offsets: Ints, write: bool) -> None:
        self.touched.append((owner, sorted(offsets.tolist()), write))


def ints(*numbers: int) -> Ints:
    return np.array(numbers, np.int64)


def some(r: random.Random, width: int) -> Ints:
    """Aligned offsets: a run, a strided run, or scattered, around the borders of pages."""
    around = r.choice([0, 3 * PAGE, 216_000_000_000 // PAGE * PAGE]) + PAGE
    count = r.randint(0, 40)
    kind = r.randrange(3)
    if kind == 0:
        start = around - width * r.randint(0, 40)
        return start + width * np.arange(count)
    if kind == 1:
        return (
            around
            - 64 * width * r.randint(0, 20)
            + 8 * width * r.choice([-1, 2]) * np.arange(count)
        )
    return ints(*(around + width * r.randint(-50, 50) for _ in range(count)))


def test_memories_are_bytes() -> None:
    r = random.Random(1)
    memories = Memories(LARGE, check=False)
    plain: dict[int, int] = {}
    for _ in range(400):
        width = r.choice([1, 2, 4, 8])
        offsets = np.unique(some(r, width))
        r.shuffle(order := offsets.tolist())
        offsets = ints(*order) if r.random() < 0.5 else offsets
        if (offsets > 215_999_999_990).any():
            continue
        if r.random() < 0.5:
            codes = np.array([r.getrandbits(8 * width) for _ in offsets], f"u{width}")
            memories.write(HBM, offsets, codes, width)
            for at, code in zip(offsets.tolist(), codes.tolist(), strict=True):
                plain.update(
                    zip(range(at, at + width), code.to_bytes(width, "little"), strict=True)
                )
        else:
            expected = [
                sum(plain.get(at + i, 0) << 8 * i for i in range(width)) for at in offsets.tolist()
            ]
            assert memories.read(HBM, offsets, width).tolist() == expected
    ((owner, offsets, values),) = memories.image()
    assert owner == HBM
    assert dict(zip(offsets.tolist(), values.tolist(), strict=True)) == plain
    assert len(plain) > 2000


def test_reads_of_nothing_written_trap() -> None:
    memories = Memories(MINI)
    memories.write(TSRAM, ints(8, 12, 20), np.array([1, 2, 3], np.uint32), 4)
    assert memories.read(TSRAM, ints(8, 12, 20), 4).tolist() == [1, 2, 3]
    assert memories.read(TSRAM, ints(10, 8), 2).tolist() == [0, 1]
    for offsets, width in ((ints(8, 16), 4), (ints(16), 8), (ints(7), 1)):
        with pytest.raises(Trap) as trap:
            memories.read(TSRAM, offsets, width, "operand a")
        assert trap.value.name == "uninitialised"
        assert trap.value.message == "operand a reads what nothing has written"
    with pytest.raises(Trap) as trap:
        memories.read(TSRAM, ints(8, 16), 4)
    assert trap.value.found == "byte 0x10 of tsram of chip 0 cluster 1 tile 1"
    assert Memories(MINI, check=False).read(TSRAM, ints(0), 8).tolist() == [0]


@pytest.mark.parametrize("check", [True, False])
def test_bounds_and_alignment(check: bool) -> None:
    memories = Memories(MINI, check=check)
    memories.write(TSRAM, ints(65528), np.array([1 << 63], np.uint64), 8)
    for offsets, width in (
        (ints(0, -1), 1),
        (ints(65536), 1),
        (ints(65534), 4),
        (ints(1), 2),
        (ints(4, 2), 4),
        (ints(12), 8),
        (ints(1 << 62), 8),
        (ints(-(1 << 62)), 8),
    ):
        for attempt in (
            lambda o=offsets, w=width: memories.read(TSRAM, o, w),
            lambda o=offsets, w=width: memories.write(TSRAM, o, np.zeros(len(o), f"u{w}"), w),
        ):
            with pytest.raises(Trap) as trap:
                attempt()
            assert trap.value.name == "bounds"
    assert [len(values) for _, _, values in memories.image()] == [8]


def test_the_watcher_sees_the_bytes_accessed() -> None:
    seen = Seen()
    memories = Memories(MINI, seen)
    memories.write(TSRAM, ints(4, 16), np.array([1, 2], np.uint16), 2)
    memories.read(TSRAM, ints(16, 16), 2)
    memories.peek(TSRAM, ints(4))
    memories.store(TSRAM, 0, np.zeros(4, np.uint8))
    memories.fetch(TSRAM, 0, 4)
    memories.read(TSRAM, ints(), 4)
    assert seen.touched == [
        (TSRAM, [4, 5, 16, 17], True),
        (TSRAM, [16, 16, 17, 17], False),
    ]


def test_what_is_mapped_is_not_copied_until_written() -> None:
    memories = Memories(LARGE)
    data = bytearray(random.Random(2).randbytes(3 * PAGE + 500))
    start = 5 * PAGE - 100
    memories.map(HBM, start, memoryview(data).toreadonly())
    taken = memories.fetch(HBM, start, len(data)).tobytes()
    assert taken == bytes(data)
    data[100 + PAGE] ^= 0xFF  # in a whole page: seen, since nothing was copied
    assert memories.fetch(HBM, 6 * PAGE, 1).tolist() == [data[100 + PAGE]]
    memories.write(HBM, ints(6 * PAGE + 8), np.array([7], np.uint64), 8)
    assert memories.read(HBM, ints(6 * PAGE + 8, 6 * PAGE), 8)[0] == 7
    assert memories.fetch(HBM, 6 * PAGE, 1).tolist() == [data[100 + PAGE]]
    assert bytes(data[108 + PAGE : 116 + PAGE]) != bytes([7, *[0] * 7])
    with pytest.raises(Trap):
        memories.fetch(HBM, start, len(data) + 1)
    with pytest.raises(Trap):
        memories.map(HBM, 216_000_000_000 - 5, memoryview(bytes(6)))


def test_snapshots_and_digests() -> None:
    memories = Memories(MINI)
    memories.write(TSRAM, ints(0), np.array([1], np.uint32), 4)
    before, snapshot = memories.digest(), memories.snapshot()
    memories.write(TSRAM, ints(0, 8), np.array([2, 3], np.uint32), 4)
    assert memories.digest() != before
    memories.restore(snapshot)
    assert memories.digest() == before
    memories.write(TSRAM, ints(0), np.array([9], np.uint32), 4)
    memories.restore(snapshot)
    assert memories.digest() == before
    other = Memories(MINI)
    for byte, value in enumerate([1, 0, 0, 0]):
        other.write(TSRAM, ints(byte), np.array([value], np.uint8), 1)
    assert other.digest() == before
    # Zeros that were written are not the zeros of a memory that nothing has written.
    other.write(TSRAM, ints(4), np.array([0], np.uint8), 1)
    assert other.digest() != before
    assert Memories(MINI).digest() != before


def test_the_last_of_two_elements_at_one_place_stays() -> None:
    memories = Memories(MINI)
    memories.write(TSRAM, ints(*[4] * 100), np.arange(100, dtype=np.uint32), 4)
    assert memories.read(TSRAM, ints(4), 4).tolist() == [99]


def test_memory_is_limited() -> None:
    memories = Memories(LARGE, limit=5 * PAGE)
    memories.write(HBM, ints(0, PAGE), np.ones(2, np.uint8), 1)
    with pytest.raises(Stopped) as stopped:
        memories.write(HBM, ints(2 * PAGE), np.ones(1, np.uint8), 1)
    assert stopped.value.code == "E1206"
