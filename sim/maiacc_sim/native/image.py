"""A program made flat: the records that native code reads, filled from its objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_isa import expr as ex
from maiacc_isa.load import load
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block
from maiacc_isa.spec import BitField
from maiacc_isa.tables import Chain, Descriptor
from maiacc_isa.word import Word
from maiacc_sim.code import Do, Step, steps
from maiacc_sim.native import records
from maiacc_sim.native.arrays import Records, blank, numbers, offsets
from maiacc_sim.native.codes import OPERANDS, SLOT
from maiacc_sim.native.core import address_of, kernel_of
from maiacc_sim.native.format_records import signed
from maiacc_sim.native.lists import Lists
from maiacc_sim.operand import constant
from maiacc_sim.system import System
from maiacc_sim.tokens import Wiring

#: Letters that rows use for sizes.
LETTERS = "MNKXRC"

#: Reach of a descriptor, in units, from which its addresses are left to Python.
WILD = 1 << 58


# ---- descriptors and chains -----------------------------------------------------------------
def descriptors(found: Sequence[Descriptor]) -> Records:
    """The descriptors of a block."""
    result = blank(records.Desc, len(found))
    for number, d in enumerate(found):
        _descriptor(d, result[number])
    return result


def _descriptor(d: Descriptor, r: Any) -> None:
    spec = load()
    kind = spec.dtypes[d.dtype]
    r["space"], r["dtype"] = spec.spaces[d.space].code, kind.code
    r["home"] = spec.enums["home"].by_name[d.home].code
    r["drop"], r["axes"], r["rank"], r["split"] = d.drop, len(d.axes), len(d.dims), d.split
    r["terms"], r["base"] = len(d.terms), d.base
    r["scale"] = -1 if d.scale is None else d.scale
    r["meta"] = -1 if d.meta is None else d.meta
    r["fill"], r["raw_fill"] = signed(constant(d.fill, d.dtype)), d.fill
    r["sized"] = bool(d.sized)
    r["size_reg"] = r["extent_reg"] = -1
    r["dim"]["size"] = 1
    for x, axis in enumerate(d.axes):
        r["axis"][x] = axis.extent, axis.stride, axis.start
        reg = d.extent_reg(x)
        r["extent_reg"][x] = -1 if reg is None else reg
    for n, dim in enumerate(d.dims):
        r["dim"][n] = dim.size, dim.axis, dim.step
        reg = d.size_reg(n)
        r["size_reg"][n] = -1 if reg is None else reg
    targets = spec.enums["target"].by_name
    for n, term in enumerate(d.terms):
        r["term"][n] = term.source, targets[term.target].code, term.coef
    reach = d.base * 8 + sum(abs(axis.stride) * axis.extent for axis in d.axes)
    r["wild"] = reach >= WILD or any(dim.axis >= len(d.axes) for dim in d.dims)


def chains(found: Sequence[Chain]) -> Records:
    """The chains of a block."""
    spec = load()
    operand = spec.enums["operand"].by_name
    result = blank(records.Chain, len(found))
    for number, chain in enumerate(found):
        r = result[number]
        r["count"], r["dtype"] = len(chain.steps), spec.dtypes[chain.dtype].code
        r["stat"] = spec.enums["stat"].by_name[chain.stat].code
        r["saturate"], r["zero_div"] = chain.saturate, chain.zero_div
        r["round"] = spec.enums["round"].by_name[chain.round].code
        for n, step in enumerate(chain.steps):
            inputs = [operand[name].code for name in step.inputs]
            # What a stage does not take is any row there is: its first input.
            inputs += [inputs[0]] * (3 - len(inputs))
            kernel = 0 if spec.dtypes[chain.dtype].is_int else address_of(f"row_{step.op}")
            r["step"][n] = spec.stages[step.op].code, *inputs, step.imm, kernel
    return result


# ---- words -----------------------------------------------------------------------------------
def field_code(field: BitField, value: Any) -> int:
    """The number of a field's value."""
    if field.kind.base == "enum":
        return load().enums[str(field.kind.table)].by_name[str(value)].code
    return int(value)


def words(block: Block, lists: Lists) -> Records:
    """The words of a block."""
    result = blank(records.Word, len(block.words))
    for index, word in enumerate(block.words):
        _word(block, index, word, lists, result[index])
    return result


def _word(block: Block, index: int, word: Word, lists: Lists, r: Any) -> None:
    row, spec = word.row, load()
    r["desc"], r["chain"], r["whole"] = -1, -1, -1
    r["kernel"] = kernel_of(row)
    if word.queue is not None:
        queue = spec.queues[word.queue]
        r["queue"] = queue.code
        if queue.engine == "net":
            r["link"] = queue.code - spec.queues["NET0"].code
    for f in row.fields:
        if f.kind.base not in ("desc", "semref"):
            r[f.name] = field_code(f, word.fields[f.name])
    _operands(block, word, r)
    # Sessions refuse such words, but native code would read what is not there.
    if r["chain"] >= len(block.chains) or (r["desc"] >= len(block.descriptors)).any():
        r["kernel"], r["chain"], r["desc"] = 0, -1, -1
    destination = row.operand_by_name.get("d")
    r["overwrites"] = destination is not None and destination.direction == "out"
    r["drains"], r["accumulates"] = "drain" in row.engines, "mode" in word.fields
    r["network"] = _network(word)
    r["waits"], r["posts"] = len(word.waits), len(word.posts)
    for kind, tokens in (("wait", word.waits), ("post", word.posts)):
        for n, (sem, count) in enumerate(tokens):
            r[f"{kind}_count"][n] = count
            r[f"{kind}_list"][n] = lists.number(kind, index, n)
            r[f"{kind}_local"][n] = block.semaphores[sem].scope == "tile"
            if kind == "post":
                named = r["network"] in (1, 2)
                r["post_remote"][n] = named and block.semaphores[sem].scope == "remote"


def _network(word: Word) -> int:
    if "peer" in word.fields:
        return 1
    if "group" in word.fields:
        return 2 if word.row.operands else 3
    return 0


def _operands(block: Block, word: Word, r: Any) -> None:
    """Descriptors, and the shapes that the row gives operands."""
    row = word.row
    for op in present_operands(word, block.chains):
        slot = OPERANDS.index(op.name)
        r["desc"][slot] = word.fields[op.name]
        r["inputs"] += op.name in ("a", "b", "c")
        shape = r["shape"][slot]
        shape["kept"], shape["kept_by"] = _size(op.kept, word)
        shape["red"], shape["red_by"] = (-2, 0) if op.reduced is None else _size(op.reduced, word)
    for access in row.accesses:
        if access.whole:
            r["whole"] = getattr(SLOT, access.operand)


def _size(expr: ex.Expr, word: Word) -> tuple[int, int]:
    """A size of a row: a letter and what divides it, or -1 and a number."""
    match expr:
        case ex.Number(value):
            return -1, int(value)
        case ex.Name(name) if name in LETTERS:
            return LETTERS.index(name), 1
        case ex.Name(name):
            return -1, int(word.fields[name])
        case ex.Binary("//", ex.Name(name), ex.Number(value)):
            return LETTERS.index(name), int(value)
    raise AssertionError(f"a size that native code does not know: {ex.to_text(expr)}")


# ---- blocks -----------------------------------------------------------------------------------
@dataclass
class BlockImage:
    """A block made flat. ``steps`` are those of control processors, by role."""

    block: Block
    wiring: Wiring
    words: Records
    descs: Records
    chains: Records
    steps: dict[str, Records]
    plain_steps: dict[str, list[Step]]
    lists: NDArray[np.int64]
    entries: NDArray[np.int64]
    initial: NDArray[np.int64]
    wakes: NDArray[np.int64]
    chips_of: NDArray[np.int64]
    tables: NDArray[np.int64]
    table_at: NDArray[np.int64]
    members: NDArray[np.int64]
    mask_at: NDArray[np.int64]

    @cached_property
    def step_addresses(self) -> NDArray[np.int64]:
        """Where the steps of each role are, by the role's code."""
        rows = sorted(load().roles.values(), key=lambda row: row.code)
        return numbers(self.steps[row.name].ctypes.data for row in rows)

    @cached_property
    def counters(self) -> NDArray[np.int64]:
        """Tokens, by counter, while the block is executed."""
        return np.zeros_like(self.initial)

    @cached_property
    def loads(self) -> bool:
        """Whether control processors load scalars."""
        return any(step.do is Do.SLD for found in self.plain_steps.values() for step in found)

    @cached_property
    def _shown(self) -> dict[str, Any]:
        names = ("words", "descs", "chains", "lists", "entries", "wakes", "chips_of")
        found: dict[str, Any] = {name: getattr(self, name).ctypes.data for name in names}
        found["members"], found["mask_at"] = self.members.ctypes.data, self.mask_at.ctypes.data
        tables = self.tables.ctypes.data, self.table_at.ctypes.data, len(self.block.tables)
        found["tables"] = tables
        found["counters"] = self.counters.ctypes.data
        found["word_count"] = len(self.block.words)
        found["desc_count"] = len(self.block.descriptors)
        return found

    def show(self, machine: Any) -> None:
        """Tells the record of a machine where everything is."""
        for name, value in self._shown.items():
            machine[name] = value


def block_image(block: Block, system: System) -> BlockImage:
    """A block made flat for a system."""
    lists = Lists(block, system)
    made = words(block, lists)
    plain = {role: steps(block, role) for role in load().roles}
    counters = lists.wiring.counters
    members = [sorted(mask.members) for mask in block.masks]
    return BlockImage(
        block,
        lists.wiring,
        made,
        descriptors(block.descriptors),
        chains(block.chains),
        {role: step_records(found) for role, found in plain.items()},
        plain,
        numbers(lists.starts),
        numbers(lists.entries),
        numbers(block.semaphores[sem].init for sem, _, _ in counters),
        numbers(waiter.instance.number for _, waiter, _ in counters),
        numbers(waiter.instance.chip for _, waiter, _ in counters),
        numbers(value for table in block.tables for value in table),
        offsets(block.tables),
        numbers(member for found in members for member in found),
        offsets(members),
    )


def step_records(found: list[Step]) -> Records:
    """The steps of a control processor."""
    result = blank(records.Step, len(found))
    for number, s in enumerate(found):
        result[number] = s.do, s.index, s.cycles, s.target, s.level, s.trip, s.reg
    return result
