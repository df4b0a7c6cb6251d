"""A model as kernels: what is executed in which order, and the tensors in HBM.

Steps are kernels, scalars that control processors set, and choices and repetitions of steps. A
model without control flow is a list of kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from maiacc_passes.ir.graph import NOWHERE, Location, Value
from maiacc_passes.kernel.model import Buffer, Kernel, View


@dataclass(frozen=True)
class Output:
    """A tensor that is handed out: a buffer, and the shape that the model has for it."""

    buffer: Buffer
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Scalar:
    """A register that outlives kernels, and the interval of its values where it is read under
    this name, which views have as a variable."""

    name: str
    register: int
    low: int
    high: int


@dataclass(frozen=True)
class Load:
    """A scalar of the chips' control processors becomes the element that a view has."""

    dest: Scalar
    view: View


@dataclass(frozen=True)
class Assign:
    """A scalar becomes ``imm`` plus at most two products, or what ``function`` makes of them as the
    instruction SET defines it, with ``m``. ``everywhere``: in all control processors, else in those
    of chips."""

    dest: Scalar
    imm: int = 0
    terms: tuple[tuple[Scalar, int], ...] = ()
    function: str = "none"
    m: int = 0
    everywhere: bool = False


@dataclass
class Scalars:
    """Scalars that are set one after the other, behind everything before. The model is wrong, and
    the program traps, where one of those that are ``expected`` lies outside of its interval."""

    words: list[Load | Assign] = field(default_factory=list)
    expected: tuple[Scalar, ...] = ()
    location: Location = NOWHERE


@dataclass
class Choice:
    """The steps of ``then`` if a scalar is not 0, else those of ``other``."""

    scalar: Scalar
    then: list[Step] = field(default_factory=list)
    other: list[Step] = field(default_factory=list)


@dataclass
class Repeat:
    """Steps that are repeated while a scalar is not 0, at most ``most`` times."""

    scalar: Scalar
    most: int
    body: list[Step] = field(default_factory=list)


@dataclass
class Rolled:
    """Kernels that are executed ``count`` times; ``variable`` counts."""

    body: list[Kernel]
    count: int
    variable: str


Step = Kernel | Scalars | Choice | Repeat | Rolled


@dataclass
class Plan:
    """``inputs`` and ``outputs`` are buffers by the name that the model has for them;
    ``constants`` are buffers that come with the program, and the values that they hold;
    ``scalars`` are those that views have as variables, by name; ``results`` are where the
    results of the main region's ops are; buffers of a stack lie one behind the other."""

    steps: list[Step] = field(default_factory=list)
    inputs: dict[str, Buffer] = field(default_factory=dict)
    outputs: dict[str, Output] = field(default_factory=dict)
    constants: dict[Buffer, Value] = field(default_factory=dict)
    scalars: dict[str, Scalar] = field(default_factory=dict)
    results: dict[Value, Buffer] = field(default_factory=dict)
    stacks: list[list[Buffer]] = field(default_factory=list)

    @property
    def kernels(self) -> list[Kernel]:
        """All kernels, in the order of the steps."""
        return [step for step in walk(self.steps) if isinstance(step, Kernel)]


def walk(steps: Sequence[Step]) -> Iterator[Step]:
    """All steps, outer ones first."""
    for step in steps:
        yield step
        if isinstance(step, Choice):
            yield from walk(step.then)
            yield from walk(step.other)
        elif isinstance(step, Repeat | Rolled):
            yield from walk(step.body)
