"""The heap of arrivals at ports, and the list of units that may go on."""

from __future__ import annotations

from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, i64
from maiacc_sim.native.lang.operations import choose, smallest
from maiacc_sim.native.timing.state import Model

#: Hops a key has room for; the last stands for control processors that let others go on.
HOPS = 8


@native(inline=True)
def key_of_arrival(m: Model, tick: i64, hop: i64, unit: i64) -> i64:
    """The key of an arrival: keys rise in the order in which ports serve."""
    return ((tick * HOPS + hop) << m.unit_bits) | unit


@native(inline=True)
def tick_of(m: Model, key: i64) -> i64:
    """The tick of an arrival."""
    return key >> (m.unit_bits + 3)


@native(inline=True)
def unit_of(m: Model, key: i64) -> i64:
    """Whose arrival it is."""
    return key & ((1 << m.unit_bits) - 1)


@native(inline=True)
def rest_of(m: Model, key: i64) -> i64:
    """A key without its tick."""
    return key & ((HOPS << m.unit_bits) - 1)


@native(inline=True)
def heap_push(m: Model, key: i64) -> None:
    """Adds a key; no two are equal."""
    heap = m.heap
    at = m.heap_count
    m.heap_count = at + 1
    while at > 0:
        parent = (at - 1) >> 2
        other = heap[parent]
        if other <= key:
            break
        heap[at] = other
        at = parent
    heap[at] = key


@native(inline=True)
def heap_pop(m: Model) -> i64:
    """Takes the smallest key; there is one."""
    heap = m.heap
    result = heap[0]
    count = m.heap_count - 1
    m.heap_count = count
    if count > 0:
        sift(heap, count, heap[count])
    return result


@native(inline=True)
def sift(heap: Array[i64], count: i64, key: i64) -> None:
    """Puts a key in the place of the first one."""
    at = 0
    first = 1
    while first + 3 < count:
        a = heap[first]
        b = heap[first + 1]
        c = heap[first + 2]
        d = heap[first + 3]
        low = choose(b < a, first + 1, first)
        high = choose(d < c, first + 3, first + 2)
        x = smallest(a, b)
        y = smallest(c, d)
        least = choose(y < x, high, low)
        found = smallest(x, y)
        if key <= found:
            heap[at] = key
            return
        heap[at] = found
        at = least
        first = 4 * at + 1
    while first < count:
        least = first
        found = heap[first]
        for other in range(first + 1, count):
            if heap[other] < found:
                found = heap[other]
                least = other
        if key <= found:
            break
        heap[at] = found
        at = least
        first = 4 * at + 1
    heap[at] = key


@native(inline=True)
def work_push(m: Model, unit: i64) -> None:
    """A unit may be able to go on."""
    m.work[m.work_count] = unit
    m.work_count += 1
