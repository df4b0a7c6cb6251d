"""Table entries to watch while rows change: an entry for every value of every field."""

from __future__ import annotations

from dataclasses import replace

from isa.mutant_words import CHAINS, sample
from maiacc_isa.load import load
from maiacc_isa.tables import Chain, Descriptor, Dim, Mask, Semaphore, Sized, Step, Term


def descriptors() -> list[Descriptor]:
    """A view for every value of every field of a descriptor."""
    spec = load()
    first = sample(spec.insns["MM"]).block.descriptors[0]
    result = [first]
    result += [replace(first, space=space) for space in spec.spaces]
    result += [replace(first, dtype=dtype) for dtype in spec.dtypes]
    result += [replace(first, home=label.name) for label in spec.enums["home"].labels]
    result += [replace(first, drop=True), replace(first, scale=4095), replace(first, meta=4095)]
    result += [replace(first, base=(1 << 44) - 1), replace(first, fill=(1 << 32) - 1)]
    targets = [label.name for label in spec.enums["target"].labels]
    for source in (0, 31, 32, 39, 40, 41, 42, 43, 44, 45, 63):
        result.append(replace(first, terms=(Term(source, targets[source % 2], -(1 << 39)),)))
    for target in targets:
        result.append(replace(first, terms=(Term(40, target, 1),) * 6))
    for label in spec.enums["sized"].labels:
        result.append(replace(first, sized=(Sized(31, label.name),)))
    axis = replace(first.axes[0], extent=(1 << 32) - 1, stride=-(1 << 39), start=-(1 << 15))
    dim = Dim((1 << 20) - 1, 3, -(1 << 15))
    result.append(replace(first, axes=(axis,) * 4, dims=(dim,) * 6, split=6))
    sized = (Sized(0, "extent0"), Sized(1, "extent1"), Sized(2, "size0"))
    result.append(replace(first, sized=sized[:2]))
    result.append(replace(first, sized=sized))
    result.append(replace(first, terms=(Term(40, "bytes", 1),) * 7))
    result.append(replace(first, axes=(axis,) * 5))
    result.append(replace(first, dims=(replace(dim, axis=0),) * 7, split=7))
    return result


def chains() -> list[Chain]:
    """A chain for every stage, type, input and way out."""
    spec = load()
    result = list(CHAINS)
    for stage in spec.stages.values():
        for dtype in ("fp32", "int32"):
            for count in range(1, 4):
                result.append(Chain(dtype, (Step(stage.name, tuple("abc"[:count])),)))
    mov = Step("mov", ("a",))
    result += [Chain(dtype, (mov,)) for dtype in spec.dtypes]
    for label in spec.enums["operand"].labels:
        for dtype in ("fp32", "int32"):
            steps = (mov, Step("mov", ("b",)), Step("madd", ("r0", "r1", label.name), 0))
            result.append(Chain(dtype, steps))
    result += [Chain("fp32", (mov,), stat=x.name) for x in spec.enums["stat"].labels]
    result += [Chain("fp32", (mov,), round=x.name) for x in spec.enums["round"].labels]
    step = Step("add", ("a", "imm"), (1 << 31) - 1)
    result += [Chain("int32", (step,)), Chain("int32", (replace(step, imm=1 << 31),))]
    link = Step("relu", ("r0",))
    for count in (2, 3, 4):
        rest = (replace(link, inputs=(f"r{number}",)) for number in range(count - 1))
        result.append(Chain("fp32", (mov, *rest)))
    return result


def semaphores() -> list[Semaphore]:
    """A semaphore for every queue at either end and every scope."""
    spec = load()
    result = [Semaphore(queue, "TTU", "tile", 65535) for queue in spec.queues]
    result += [Semaphore("TTU", queue, "chip", 1) for queue in spec.queues]
    result += [
        Semaphore("NET0", "NET1", label.name, 0, 255 if label.name == "remote" else 0)
        for label in spec.enums["scope"].labels
    ]
    return result


def masks() -> list[Mask]:
    """Masks of the first, the last and all instances."""
    return [Mask(frozenset({0})), Mask(frozenset({255})), Mask(frozenset(range(256)))]
