"""Copies that are not made: bytes of a memory that a piece of the host stands for.

What a program loads from an input or a weight stays as it is in the host's memory, so a load of one
run of bytes only notes where they are: an alias. A word that reads within it reads there; one that
overwrites all of it ends it; whatever else comes near makes the copy that was put off. So a slot
that is loaded, read and loaded again is never written to. Outputs may stand for what was stored
there, too (see ``onward``).

An alias that a word overwrites is ``doomed`` until the word is done: if it is declined, its
operands still have to be there.
"""

from __future__ import annotations

from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, i64, u8
from maiacc_sim.native.lang.operations import (
    at_address,
    atomic_store,
    atomic_swap,
    copy_bytes,
    pause,
    pointer,
)
from maiacc_sim.native.records import Memory
from maiacc_sim.native.shared import ALIASES


@native()
def lock(memory: Memory) -> None:
    """Keeps other threads from the aliases of a memory, where there are any."""
    if memory.shared != 0:
        while not atomic_swap(pointer(i64, memory.guard), 0, 0, 1):
            pause()


@native(inline=True)
def unlock(memory: Memory) -> None:
    """Lets other threads go on."""
    if memory.shared != 0:
        atomic_store(pointer(i64, memory.guard), 0, 0)


@native()
def host_of(memory: Memory, start: i64) -> Array[u8]:
    """Where a byte of a memory is in the host; some piece has it."""
    k = 0
    while memory.segments[k].end <= start:
        k += 1
    return at_address(u8, memory.segments[k].origin + start)


@native()
def settle(memory: Memory, k: i64) -> None:
    """Makes the copy that was put off; the last alias takes the place of this one."""
    alias = memory.aliases[k]
    source = at_address(u8, alias.origin + alias.start)
    copy_bytes(host_of(memory, alias.start), source, alias.end - alias.start)
    forget(memory, k)


@native()
def forget(memory: Memory, k: i64) -> None:
    """Ends an alias; the last one takes its place."""
    memory.aliased -= 1
    last = memory.aliases[memory.aliased]
    alias = memory.aliases[k]
    alias.start = last.start
    alias.end = last.end
    alias.origin = last.origin
    alias.doomed = last.doomed


@native()
def look_read(memory: Memory, low: i64, high: i64) -> i64:
    """The origin of the alias that bytes ``low`` to ``high`` are read from, 0 if they are in the
    memory itself, where they are from now on if they lie in several places."""
    lock(memory)
    found = 0
    k = 0
    while k < memory.aliased:
        alias = memory.aliases[k]
        if alias.start <= high and low < alias.end:
            if alias.start <= low and high < alias.end:
                found = alias.origin
                k += 1
            else:
                settle(memory, k)
        else:
            k += 1
    unlock(memory)
    return found


@native()
def cut(memory: Memory, k: i64, at: i64) -> None:
    """Makes two aliases of one; there is room for another."""
    alias = memory.aliases[k]
    behind = memory.aliases[memory.aliased]
    behind.start = at
    behind.end = alias.end
    behind.origin = alias.origin
    behind.doomed = alias.doomed
    alias.end = at
    memory.aliased += 1


@native()
def look_write(memory: Memory, low: i64, high: i64, all_of_it: bool) -> None:
    """Bytes ``low`` to ``high`` are about to be written, perhaps every one of them."""
    lock(memory)
    k = 0
    while k < memory.aliased:
        alias = memory.aliases[k]
        if alias.start > high or low >= alias.end:
            k += 1
        elif not all_of_it or memory.aliased > ALIASES - 3:
            settle(memory, k)
        elif alias.start < low:
            cut(memory, k, low)  # the part behind is looked at when its turn comes
            k += 1
        else:
            if high + 1 < alias.end:
                cut(memory, k, high + 1)
            alias.doomed = 1
            k += 1
    unlock(memory)


@native()
def end_doomed(memory: Memory, done: bool) -> None:
    """Ends the aliases that a word has overwritten, or keeps them if it was declined."""
    lock(memory)
    k = 0
    while k < memory.aliased:
        if memory.aliases[k].doomed == 0:
            k += 1
        elif done:
            forget(memory, k)
        else:
            memory.aliases[k].doomed = 0
            k += 1
    unlock(memory)


@native()
def stand_for(memory: Memory, start: i64, end: i64, origin: i64) -> bool:
    """Lets bytes of the host stand for some of a memory; whether there was room for an alias. Those
    that overlap it are doomed, and are only ended behind this."""
    lock(memory)
    for k in range(memory.aliased):
        alias = memory.aliases[k]
        if alias.origin == origin and alias.doomed == 0 and alias.end == start:
            # It goes on where that one ends, here and there: one piece, for who reads both.
            alias.end = end
            unlock(memory)
            return True
    room = memory.aliased < ALIASES
    if room:
        alias = memory.aliases[memory.aliased]
        alias.start = start
        alias.end = end
        alias.origin = origin
        alias.doomed = 0
        memory.aliased += 1
    unlock(memory)
    return room
