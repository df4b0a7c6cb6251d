"""Words to watch while rows change, made from the rows as they are.

For every instruction: legal words with every value of every field, and words whose operands have
another type, memory, home, size or alignment than they should, so that every constraint decides
about some of them; and programs that read what has been written in part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from maiacc_isa.load import load
from maiacc_isa.machine import builtin_machine
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block, LiveIn
from maiacc_isa.spec import BitField, Insn, Operand
from maiacc_isa.synth import sample_word
from maiacc_isa.tables import Chain, Descriptor, Dim, Semaphore, Step
from maiacc_isa.word import Word, complete

Case = tuple[Word, Block]

#: Chains that constraints on chains tell apart.
CHAINS = (
    Chain("fp32", (Step("mul", ("a", "b")), Step("add", ("r0", "imm"), 0x3F800000))),
    Chain("fp32", (Step("sub", ("a", "b")), Step("exp", ("r0",))), stat="sum"),
    Chain("fp32", (Step("mul", ("a", "b")), Step("add", ("r0", "c")))),
    Chain("fp32", (Step("mul", ("a", "b")), Step("add", ("r0", "c"))), stat="sum"),
    Chain("fp32", (Step("mul", ("a", "b")),), stat="sumsq"),
    Chain("fp32", (Step("mov", ("a",)),), stat="max", saturate=True, round="floor"),
    Chain("fp32", (Step("mov", ("a",)),)),
    Chain("int32", (Step("shl", ("a", "b")),)),
    Chain("int8", (Step("divt", ("a", "imm"), 3),), zero_div=True),
)

#: Sizes that fit the memories of `mini` and differ from each other.
SMALL = {"X": 64, "M": 16, "N": 8, "K": 64, "R": 8, "C": 64, "k": 4}


@dataclass(frozen=True)
class Sample:
    """A legal word with the descriptors that its row's operands would have, if it has them."""

    word: Word
    block: Block
    slots: dict[str, int]

    def with_fields(self, fields: dict[str, Any]) -> Word:
        """The word with other fields, and the operands that it then has."""
        word = complete(replace(self.word, fields={**self.word.fields, **fields}))
        if self.word.row.control:
            return word
        present = {op.name for op in present_operands(word, CHAINS)}
        slots = {name: n if name in present else 0 for name, n in self.slots.items()}
        return replace(word, fields={**word.fields, **slots})


def cases(insn: Insn) -> list[Case]:
    """The words of an instruction, each in a block of its own."""
    first = sample(insn)
    word, start = first.word, first.block
    result = [(word, start)]
    result += [(other, start) for other in _field_variants(insn, first)]
    for letters in ({}, *_sizes(insn)):
        other = sample(insn, {**insn.sample, **letters})
        result.append((other.word, other.block))
    result += [(word, replace(start, descriptors=table)) for table in _tables(word, start)]
    for chosen in _shapes(insn, first):
        tables = [*_retyped_tables(chosen, start, most=1)]
        if _numbers(chosen, start) > _numbers(word, start):
            tables += _tables(chosen, start)
        result += [(chosen, replace(start, descriptors=table)) for table in tables]
        for op in insn.operands:
            result.append((replace(chosen, fields={**chosen.fields, op.name: 4095}), start))
    return result


def sample(insn: Insn, letters: Mapping[str, int | str] | None = None) -> Sample:
    """A word of an instruction, by default of sizes that fit `mini`."""
    small = {x: SMALL.get(x, value) for x, value in insn.sample.items()}
    word, block = sample_word(insn, builtin_machine("mini2"), letters or small)
    table = list(block.descriptors)
    present = present_operands(word, block.chains)
    slots = {op.name: int(word.fields[op.name]) for op in present}
    for op in insn.operands:
        if op.name not in slots and slots:
            table.append(_like(op, table[slots.get("a", 0)], len(table)))
            slots[op.name] = len(table) - 1
    live = (LiveIn(0, 0, 1),)
    block = replace(block, descriptors=tuple(table), chains=CHAINS, live_in=live)
    result = Sample(word, block, slots)
    return replace(result, word=result.with_fields({}))


def _like(op: Operand, view: Descriptor, number: int) -> Descriptor:
    """A view for an operand, with the sizes of another one."""
    space = view.space if view.space in op.spaces else op.spaces[0]
    view = replace(view, space=space, home="own", base=number << 14, scale=None, meta=None)
    if op.reduced is None and view.split < len(view.dims):
        view = replace(view, dims=view.dims[: view.split])
    if op.types is not None and view.dtype not in op.types:
        view = retyped(view, op.types[0])
    return view


def field_values(f: BitField) -> list[Any]:
    """Values worth trying: all of few, the ends of many."""
    spec = load()
    match f.kind.base:
        case "enum":
            return [label.name for label in spec.enums[str(f.kind.table)].labels]
        case "flag":
            return [False, True]
        case "chain":
            return list(range(len(CHAINS)))
        case "s":
            most = (1 << (f.width - 1)) - 1
            return [0, 1, -1, most, -most - 1]
    most = (1 << f.width) - 1
    return sorted(value for value in {0, 1, 2, 5, most - 1, most, 64, 65} if 0 <= value <= most)


def _field_variants(insn: Insn, first: Sample) -> Iterator[Word]:
    """The word with every value of every field, and with every two together."""
    word = first.word
    choices = {f.name: field_values(f) for f in insn.fields if f.kind.base != "semref"}
    for name, values in choices.items():
        for value in values:
            yield first.with_fields({name: value})
    for (one, firsts), (two, seconds) in combinations(choices.items(), 2):
        for left in firsts:
            for right in seconds:
                yield first.with_fields({one: left, two: right})
    for name in insn.operand_by_name:
        for number in (0, 4095):
            yield replace(word, fields={**word.fields, name: number})
    if insn.control:
        for roles in (("tile",), ("cluster", "chip"), tuple(load().roles), ()):
            yield replace(word, roles=roles)
        return
    for queue in load().queues:
        yield replace(word, queue=queue)
    for count in (1, 2):
        tokens = tuple((number, 15) for number in range(count))
        yield replace(word, waits=tokens, posts=tokens)


def _shapes(insn: Insn, first: Sample) -> Iterator[Word]:
    """The word with every value of the fields that decide about operands."""
    for f in insn.fields:
        if f.kind.base in ("enum", "flag", "chain"):
            yield from (first.with_fields({f.name: value}) for value in field_values(f))


def _sizes(insn: Insn) -> Iterator[dict[str, Any]]:
    """Sizes at and past the ends: none, one, and what a word can just move or not."""
    small = {x: SMALL.get(x, value) for x, value in insn.sample.items()}
    letters = [x for x, value in small.items() if isinstance(value, int)]
    for letter in letters:
        for value in (0, 1, 2, 3, 48, 65, 128, 65536, 65540):
            yield {**small, letter: value}
    if "k" in small:
        yield from ({**small, "C": 128, "k": value} for value in (0, 64, 65))
    for least in (1, 4):
        yield {**small, **dict.fromkeys(letters, least)}
    bits = load().dtypes[str(small.get("dtype", "fp32"))].bits
    for last in {"X", "C"} & set(letters):
        most = load().limit("dma_bytes") * 8 // bits // int(small.get("R", 1) if last == "C" else 1)
        yield from ({**small, last: most + more} for more in (0, 1, most))


def _tables(word: Word, block: Block) -> Iterator[tuple[Descriptor, ...]]:
    """Descriptor tables in which operands are different."""
    table = block.descriptors
    for number in _numbers(word, block):
        for other in _other_views(table[number]):
            yield (*table[:number], other, *table[number + 1 :])
    yield from _retyped_tables(word, block)
    for size in (4096, 3, 1, 0):
        yield tuple(_resized(d, size, -1) for d in table)
        yield tuple(_resized(d, size, 0) for d in table)


def _numbers(word: Word, block: Block) -> list[int]:
    if word.row.control and word.name != "SLD":
        return []
    return sorted({word.fields[op.name] for op in present_operands(word, block.chains)})


def _retyped_tables(word: Word, block: Block, most: int = 2) -> Iterator[tuple[Descriptor, ...]]:
    """Tables with operands of every type: all, those of one type, and up to ``most`` others."""
    table = block.descriptors
    numbers = _numbers(word, block)
    for dtype in load().dtypes:
        for like in (None, *sorted({table[number].dtype for number in numbers})):
            same = [d.dtype != "e8m0" if like is None else d.dtype == like for d in table]
            yield tuple(
                retyped(d, dtype) if changed else d for d, changed in zip(table, same, strict=True)
            )
        for count in range(1, most + 1):
            for some in combinations(numbers, count):
                yield tuple(retyped(d, dtype) if i in some else d for i, d in enumerate(table))


def _other_views(d: Descriptor) -> Iterator[Descriptor]:
    for space in load().spaces:
        for home in ("own", "at", "all"):
            yield replace(d, space=space, home=home)
    yield replace(d, base=d.base + 4)
    yield replace(d, scale=None, meta=None)
    yield replace(d, scale=0)
    yield replace(d, split=0)
    yield replace(d, split=len(d.dims))
    yield replace(d, dims=(*d.dims, Dim(1, 0)))
    yield replace(d, dims=d.dims[:-1], split=min(d.split, max(0, len(d.dims) - 1)))
    for number in range(len(d.dims)):
        for factor, more in ((1, 1), (2, 0), (64, 0)):
            yield _resized(d, d.dims[number].size * factor + more, number)


def retyped(d: Descriptor, dtype: str) -> Descriptor:
    """The view with elements of another type, as closely packed as before."""
    old, new = load().dtypes[d.dtype], load().dtypes[dtype]
    unit = 1 if old.packed else 8
    axes = []
    for axis in d.axes:
        bits = axis.stride * unit * new.bits // old.bits
        axes.append(replace(axis, stride=bits if new.packed else bits // 8))
    return replace(d, dtype=dtype, axes=tuple(axes))


def _resized(d: Descriptor, size: int, number: int) -> Descriptor:
    """The view with one window dim of another size, in a box that holds it."""
    if not d.dims:
        return d
    dims, axes = list(d.dims), list(d.axes)
    dims[number] = replace(dims[number], size=min(size, (1 << 20) - 1))
    axis = dims[number].axis
    axes[axis] = replace(axes[axis], extent=max(axes[axis].extent, size))
    return replace(d, dims=tuple(dims), axes=tuple(axes))


# ---- programs ------------------------------------------------------------------------------
def programs(insn: Insn) -> Iterator[Block]:
    """Blocks that write all operands of a word but one, and then execute the word."""
    first = sample(insn)
    if insn.control or load().queues[str(first.word.queue)].role != "tile":
        return
    table = first.block.descriptors
    views = tuple(_in_tile(d, number) for number, d in enumerate(table))
    block = replace(first.block, descriptors=views)
    for chosen in (first.word, *_shapes(insn, first)):
        reads = [op.name for op in present_operands(chosen, CHAINS)]
        for left in (*reads, None):
            yield _written(chosen, block, [name for name in reads if name != left])


def _in_tile(d: Descriptor, number: int) -> Descriptor:
    """The view in TSRAM, with one row more in its box than in its window."""
    if d.space in ("acc", "iota"):
        return d
    axes = (replace(d.axes[0], extent=d.axes[0].extent + 1), *d.axes[1:])
    return replace(d, space="tsram", base=number << 12, home="own", axes=axes)


def _written(word: Word, block: Block, names: list[str]) -> Block:
    """The word after words that write the operands named."""
    table = list(block.descriptors)
    before: list[Word] = []
    queue = str(word.queue)
    for name in names:
        number = word.fields[name]
        view = table[number]
        if view.space == "acc":
            table.append(replace(retyped(view, "fp32"), space="tsram", base=0xF000))
            number = len(table) - 1
        for part in (number, table[number].scale, table[number].meta):
            if part is not None and table[part].space != "iota":
                before.append(Word("FILL", "LD0", (), {"d": part}))
        if view.space == "acc":
            fields = {"d": word.fields[name], "a": number}
            before.append(Word("SYNC", "LD0", posts=((0, 1),)))
            before.append(Word("ACCLD", "TTU", (), fields, ((0, 1),), ((1, 1),)))
            before.append(Word("SYNC", queue, waits=((1, 1),)))
    before.append(Word("SYNC", "LD0", posts=((2, 1),)))
    semaphores = (
        Semaphore("LD0", "TTU", "tile"),
        Semaphore("TTU", queue, "tile"),
        Semaphore("LD0", queue, "tile"),
    )
    words = (*map(complete, before), replace(word, waits=((2, 1),)))
    return replace(block, words=words, descriptors=tuple(table), semaphores=semaphores)
