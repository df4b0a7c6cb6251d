"""What lies between kernels: everybody waits until all tiles have stored.

A kernel starts when the stores of the one before are complete in all tiles, which they are after
everything else in it. Queues that load only weights wait for the kernel before that, so that the
first weights are there when a kernel starts; the one before may still use its own memory, which is
at the other end.
"""

from __future__ import annotations

from collections.abc import Sequence

from maiacc_isa.machine import Machine
from maiacc_passes.kernel.limits import TOKENS
from maiacc_passes.kernel.model import Kernel, Word, words_of
from maiacc_passes.schedule.edges import CLUSTER, Semaphore
from maiacc_passes.schedule.flow import Block


def join(block: Block, machine: Machine) -> dict[str, Semaphore]:
    """Adds the words that wait and post to the kernels of a block; their semaphores. Where they are
    executed in turns, the first kernel waits for the last one of the turn before; words in front of
    the first turn and behind the last one make up for that."""
    kernels, places, turning = block.kernels, block.places, block.turns is not None
    semaphores: dict[str, Semaphore] = {}
    capacity = machine.space_bytes("tsram")
    behind: list[list[str]] = [[] for _ in kernels]
    before: list[list[tuple[str, str]]] = [[] for _ in kernels]
    for number, kernel in enumerate(kernels):
        for queue, weights in _queues(kernel).items():
            room = number > 0 and places[number - 1].used + places[number].weights <= capacity
            early = weights and room and not (turning and number < 2)
            poster = number - 2 if early else number - 1
            if poster < 0 and not turning:
                continue
            name = f"{'early' if early else 'join'}.{queue}"
            scope = "chip" if not early else "cluster" if queue in CLUSTER else "tile"
            semaphores[name] = Semaphore("ST", queue, scope)
            behind[poster].append(name)
            before[number].append((queue, name))
    if turning:
        near = next(words_of(kernels[0].body))
        block.head = _posts(near, [name for _, name in before[0]])
        block.tail = [_sync(queue, near, waits=[name]) for queue, name in before[0]]
    for number, kernel in enumerate(kernels):
        near = next(words_of(kernel.body))
        waits = [_sync(queue, near, waits=[name]) for queue, name in before[number]]
        kernel.body = [*waits, *kernel.body, *_posts(near, behind[number])]
    return semaphores


def _queues(kernel: Kernel) -> dict[str, bool]:
    """The queues that a kernel uses, and whether they only load weights."""
    queues: dict[str, bool] = {}
    for word in words_of(kernel.body):
        only = word.weights or word.kind == "sync"
        queues[word.queue] = queues.get(word.queue, True) and only
    return queues


def _posts(near: Word, names: Sequence[str]) -> list[Word]:
    return [_sync("ST", near, posts=names[i : i + TOKENS]) for i in range(0, len(names), TOKENS)]


def _sync(queue: str, near: Word, waits: Sequence[str] = (), posts: Sequence[str] = ()) -> Word:
    word = Word("sync", queue, {}, location=near.location)
    word.waits += waits
    word.posts += posts
    return word
