"""The steps of a plan as blocks of the program, joined by its control graph.

Kernels one behind the other are one block, as far as its tables have room, and scalars that are
computed from others end it. Scalars that are loaded have a block of their own: at its beginning
everything before is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from maiacc_passes.kernel.model import Kernel, View, Word, words_of
from maiacc_passes.kernel.plan import Assign, Choice, Load, Repeat, Rolled, Scalar, Scalars, Step
from maiacc_passes.schedule.edges import Semaphore
from maiacc_passes.schedule.places import Places

#: What a block has room for, with some to spare.
DESCRIPTORS, CHAINS = 3800, 240


@dataclass(eq=False)
class Block:
    """Kernels that one block of the program executes, and scalars that are set behind them;
    ``expected`` ones have to lie in their intervals when it starts. With ``turns`` the kernels are
    executed so many times, the variable counting; ``head`` and ``tail`` are around that."""

    kernels: list[Kernel] = field(default_factory=list)
    places: list[Places] = field(default_factory=list)
    semaphores: dict[str, Semaphore] = field(default_factory=dict)
    scalars: list[Load | Assign] = field(default_factory=list)
    expected: tuple[Scalar, ...] = ()
    origin: tuple[str, ...] = ()
    turns: tuple[str, int] | None = None
    head: list[Word] = field(default_factory=list)
    tail: list[Word] = field(default_factory=list)


@dataclass
class Fork:
    """One of two ways, by a scalar."""

    scalar: Scalar
    then: list[Flow]
    other: list[Flow]


@dataclass
class Cycle:
    """What is repeated while a scalar is not 0, at most ``most`` times."""

    scalar: Scalar
    most: int
    body: list[Flow]


Flow = Block | Fork | Cycle


def flow_of(steps: Sequence[Step]) -> list[Flow]:
    """Steps as blocks, and ways between them."""
    found: list[Flow] = []
    room = _Room()
    for step in steps:
        last = found[-1] if found else None
        if isinstance(step, Kernel):
            fits = room.takes(step)
            closed = not isinstance(last, Block) or last.scalars or last.expected or last.turns
            if closed or not fits:
                last = Block()
                found.append(last)
                room = _Room()
                room.takes(step)
            assert isinstance(last, Block)
            last.kernels.append(step)
        elif isinstance(step, Rolled):
            found.append(Block(step.body, turns=(step.variable, step.count)))
        elif isinstance(step, Scalars):
            apart = step.expected or any(isinstance(word, Load) for word in step.words)
            closed = not isinstance(last, Block) or last.scalars or last.expected or last.turns
            if apart or closed:
                last = Block(expected=step.expected, origin=step.location.nodes)
                found.append(last)
            assert isinstance(last, Block)
            last.scalars += step.words
        elif isinstance(step, Choice):
            found.append(Fork(step.scalar, flow_of(step.then), flow_of(step.other)))
        else:
            assert isinstance(step, Repeat)
            found.append(Cycle(step.scalar, step.most, flow_of(step.body)))
    return found


class _Room:
    """What tables of a block hold so far."""

    def __init__(self) -> None:
        self._views: set[View] = set()
        self._chains: set[object] = set()

    def takes(self, kernel: Kernel) -> bool:
        """Whether there is room for a kernel, which then has it."""
        words = list(words_of(kernel.body))
        views = self._views | {view for word in words for view in word.views.values()}
        chains = self._chains | {word.chain for word in words if word.chain is not None}
        if len(views) > DESCRIPTORS or len(chains) > CHAINS:
            return False
        self._views, self._chains = views, chains
        return True


def blocks_of(flow: Sequence[Flow]) -> Iterator[Block]:
    """All blocks, in the order of the steps."""
    for item in flow:
        if isinstance(item, Block):
            yield item
        elif isinstance(item, Fork):
            yield from blocks_of(item.then)
            yield from blocks_of(item.other)
        else:
            yield from blocks_of(item.body)
