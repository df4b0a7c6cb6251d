"""What follows from the rows, observed: encodings, legality, cycles, formats, machines, manual.

Every observation is made by the code that users run, with the rows that are installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from isa import mutant_tables, mutant_words
from isa.mutant_install import RIGHT, installed, outcome
from isa.mutants import Mutant
from maiacc_isa import formats, load
from maiacc_isa import table_codec as codec
from maiacc_isa.lint import prove
from maiacc_isa.machine import (
    builtin_machine,
    builtin_machines,
    machine_from_values,
    parse_machine,
)
from maiacc_isa.machine_model import Machine
from maiacc_isa.manual import build, pages
from maiacc_isa.measure import WordMeasure
from maiacc_isa.program import Block, Call, Program, Tensor
from maiacc_isa.spec import Insn, Spec
from maiacc_isa.word import WORD_BITS, Word, decode, encode, word_layout

#: Of the words of all instructions one in so many is observed where any may change.
_EVERY = 6

#: Constants that say how much there is of something.
_STRUCTURE = re.compile(
    r"chips|clusters|tiles|block|links|stages|\.bytes$|granule|burst|depth|latch"
)

#: Gives one by one what is seen of an instruction or, for tables, of all of them.
Observation = Callable[[str], Iterator[Any]]


# ---- instructions -------------------------------------------------------------------------
@cache
def _cases(name: str) -> tuple[mutant_words.Case, ...]:
    return tuple(mutant_words.cases(RIGHT.insns[name]))


@cache
def _words(name: str) -> tuple[Word, ...]:
    """Words of an instruction, each once."""
    return tuple({repr(word): word for word, _ in _cases(name)}.values())


@cache
def _programs(name: str) -> tuple[Program, ...]:
    """Blocks of each word and of what must stand around it."""
    blocks = [_around(word, block) for word, block in _cases(name)]
    end = Word("END", None, tuple(RIGHT.roles))
    blocks += [
        replace(block, words=(*block.words, end))
        for block in mutant_words.programs(RIGHT.insns[name])
    ]
    machine = _machine("mini2")
    # All of what operands in HBM may touch holds something.
    tensor = Tensor("all", "state", "int8", (1 << 20,), 0, result="all of it")
    return tuple(
        Program(machine, (tensor,), (), (block,), (Call(block.name),))
        for block in {repr((b.words, b.descriptors)): b for b in blocks}.values()
    )


def _around(word: Word, block: Block) -> Block:
    roles = tuple(RIGHT.roles)
    end, nop = Word("END", None, roles), Word("NOP", None, ("tile",))
    level = {"level": word.fields.get("level", 0)}
    loop = Word("LOOP", None, ("tile",), {**level, "kind": "imm", "reg": 0, "trip": 2, "length": 1})
    endl = Word("ENDL", None, ("tile",), level)
    around = {"LOOP": (word, nop, endl, end), "ENDL": (loop, nop, word, end), "END": (word,)}
    return replace(block, words=around.get(word.name, (word, end)))


@cache
def _bits(name: str) -> tuple[int, ...]:
    """Encodings of an instruction's words as the right rows have them, and their neighbours."""
    bits = [b for word in _words(name) if isinstance(b := outcome(encode, word), int)]
    flipped = [bits[0] ^ 1 << number for number in range(WORD_BITS)] if bits else []
    return tuple(dict.fromkeys([*bits, *flipped]))


def encoding(name: str, step: int = 1) -> Iterator[Any]:
    """Words of an instruction as bits, and bits as words."""
    for word in _words(name)[::step]:
        yield outcome(encode, word)
    for bits in _bits(name)[::step]:
        yield outcome(decode, bits)


def legality(name: str, step: int = 1) -> Iterator[Any]:
    """What the prover says of words of an instruction, and of programs around them."""
    for program in _programs(name)[::step]:
        yield outcome(_findings, program)


def _findings(program: Program) -> tuple[str, ...]:
    for word in program.blocks[0].words:
        encode(word)
    report = prove(program)
    return tuple(f"{f.code} {f.message} {f.expected}" for f in (*report.findings, *report.warnings))


def time(name: str, step: int = 1) -> Iterator[Any]:
    """Occupancy and latency of words of an instruction."""
    for target in ("mini2", "maia200", "odd"):
        machine = _machine(target)
        for word, block in _cases(name)[::step]:
            measure = outcome(WordMeasure, word, block, machine)
            for what in ("occupancy", "latency"):
                yield outcome(getattr, measure, what)


def instruction_page(name: str) -> Iterator[Any]:
    """An instruction's page, with its bits drawn."""
    spec = load.load()
    insn = spec.insns.get(name)
    if insn is None:
        yield "no such page"
        return
    yield outcome(pages.page, insn)
    yield outcome(build.chapter, "index")
    yield outcome(_bits_drawn, insn, spec)


def _bits_drawn(insn: Insn, spec: Spec) -> str:
    layout = word_layout(insn, spec)
    return build._diagram(insn.name, layout.fields, layout.bits)


# ---- tables ---------------------------------------------------------------------------------
def _machine(name: str) -> Machine:
    """A machine as the right rows have it."""
    return _right_machines()[name]


@cache
def _right_machines() -> dict[str, Machine]:
    assert load.load() is RIGHT
    result = {name: builtin_machine(name) for name in builtin_machines()}
    # A machine on which no two constants that formulas may confuse are equal.
    values = dict(result["mini2"].values)
    for number, (path, value) in enumerate(values.items()):
        if isinstance(value, int) and not _STRUCTURE.search(path):
            values[path] = value + number
    return {**result, "odd": machine_from_values("odd", "odd", values)}


_ENTRIES: tuple[tuple[Callable[[], list[Any]], Any, Any, int], ...] = (
    (mutant_tables.descriptors, codec.encode_descriptor, codec.decode_descriptor, 1024),
    (mutant_tables.chains, codec.encode_chain, codec.decode_chain, 256),
    (mutant_tables.semaphores, codec.encode_semaphore, codec.decode_semaphore, 64),
    (mutant_tables.masks, codec.encode_mask, codec.decode_mask, 256),
)


@cache
def _entries(number: int) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    assert load.load() is RIGHT
    make, encode_entry, _, size = _ENTRIES[number]
    entries = tuple(make())
    bits = [b for e in entries if isinstance(b := outcome(encode_entry, e), int)]
    flipped = [bits[0] ^ 1 << place for place in range(size)]
    return entries, tuple(dict.fromkeys([*bits, *flipped]))


def table_encoding(_: str) -> Iterator[Any]:
    """Descriptors, chains, semaphores and masks as bits, and bits as them."""
    for number, (_make, encode_entry, decode_entry, _size) in enumerate(_ENTRIES):
        entries, codes = _entries(number)
        for entry in entries:
            yield outcome(encode_entry, entry)
        for bits in codes:
            yield outcome(decode_entry, bits)


def number_formats(_: str) -> Iterator[Any]:
    """Numbers of every format from bits and back."""
    for name, row in RIGHT.dtypes.items():
        top = (1 << row.bits) - 1
        for bits in sorted({*range(min(256, top + 1)), top, top >> 1, top // 3, top // 5}):
            yield outcome(_number, name, bits)
        for value in (0, 1, -1, 3, 0.1, 1e9, -(1 << 70), float("inf"), float("nan")):
            yield outcome(formats.encode, name, value)


def _number(dtype: str, bits: int) -> str:
    # As text, since a NaN is not equal to itself.
    return str(formats.decode(dtype, bits))


def machines(_: str) -> Iterator[Any]:
    """The machines that come with maiacc, and files whose constants are at and past their ends."""
    for name in builtin_machines():
        yield outcome(builtin_machine, name)
        for space in RIGHT.spaces:
            yield outcome(_memory, name, space)
    for path, row in RIGHT.constants.items():
        name = path.replace("link.", "link.0.")
        ends = {0, 1, 2, 0.5, "any", "next", "none"}
        for end in (row.low, row.high):
            ends |= {int(end) + step for step in (-1, 0, 1)} if end is not None else set()
        for value in sorted(ends, key=str):
            yield outcome(_file, name, value)


def _memory(name: str, space: str) -> tuple[int, int]:
    machine = builtin_machine(name)
    return machine.space_bytes(space), machine.space_granule(space)


def _file(path: str, value: float | str) -> Any:
    table, key = path.rsplit(".", 1)
    given = f'"{value}"' if isinstance(value, str) else str(value)
    return parse_machine(
        '[machine]\nname = "m"\ntitle = "t"\nextends = "mini2"\n'
        f'[{table}]\n{key} = {{ value = {given}, source = "assumption", cite = "c" }}\n',
        "m.toml",
    ).values


def some(observation: Callable[[str, int], Iterator[Any]]) -> Observation:
    """An observation of every instruction, of every few of its words."""
    return lambda _: (seen for name in RIGHT.insns for seen in observation(name, _EVERY))


def manual(_: str) -> Iterator[Any]:
    """Every chapter, then every file of the manual."""
    for name in build.chapters():
        yield outcome(build.chapter, name)
    yield outcome(build.build)


#: What is observed of a mutated instruction, and of another mutated row.
OF_INSTRUCTION: dict[str, Observation] = {
    "manual": instruction_page,
    "encoding": encoding,
    "time": time,
    "legality": legality,
}
OF_TABLE: dict[str, Observation] = {
    "manual": manual,
    "table encoding": table_encoding,
    "formats": number_formats,
    "machines": machines,
    "encoding": some(encoding),
    "time": some(time),
    "legality": some(legality),
}


@cache
def _right(observation: Observation, subject: str) -> tuple[Any, ...]:
    assert load.load() is RIGHT
    _right_machines()
    return tuple(observation(subject))


def observations(mutant: Mutant) -> dict[str, Observation]:
    """What may change with a mutant."""
    return OF_INSTRUCTION if mutant.rule == "insn" else OF_TABLE


def differs(mutant: Mutant, spec: Spec, what: str) -> bool:
    """Whether an observation changes when the mutant's rows are installed."""
    observation = observations(mutant)[what]
    subject = mutant.subject if mutant.rule == "insn" else ""
    right = _right(observation, subject)
    with installed(spec):
        return any(new != old for new, old in zip(observation(subject), right, strict=True))
