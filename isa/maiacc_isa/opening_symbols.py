"""Whether the names in a ``.maia`` file are ones that assembly text can say."""

from __future__ import annotations

import re

from maiacc_isa.errors import MaiaccError
from maiacc_isa.load import load
from maiacc_isa.names import default_name, is_word, reserved_meaning
from maiacc_isa.program import Block


def check_names(block: Block) -> None:
    """Raises ``MaiaccError`` E0606 for names that stand for nothing, or for two things."""
    symbols = block.symbols
    for names, prefix, count in (
        (symbols.descriptors, "v", len(block.descriptors)),
        (symbols.chains, "c", len(block.chains)),
        (symbols.semaphores, "q", len(block.semaphores)),
        (symbols.masks, "m", len(block.masks)),
        (symbols.tables, "t", len(block.tables)),
    ):
        _check_range(names, count)
        every = [names.get(i, default_name(prefix, i)) for i in range(count)]
        _check_unique(every)
    _check_unique([b.name for b in block.buffers])
    _check_range(symbols.registers, load().limit("scalars"))
    _check_unique(list(symbols.registers.values()))
    for name in symbols.registers.values():
        if reserved_meaning(name) is not None or re.fullmatch(r"[sL]\d+", name):
            raise MaiaccError("E0606", "the symbols give a register a name it cannot have")
    _check_range(symbols.loops, len(block.words))
    for index, name in symbols.loops.items():
        if block.words[index].name != "LOOP" or not is_word(name):
            raise MaiaccError("E0606", "the symbols give a loop a name it cannot have")


def _check_range(names: dict[int, str], count: int) -> None:
    if any(not 0 <= number < count for number in names):
        raise MaiaccError("E0606", "the symbols name what the program does not have")


def _check_unique(names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise MaiaccError("E0606", "the symbols give two things the same name")
