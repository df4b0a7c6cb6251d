"""Control processors: they walk the steps of a block, compute scalars, and locate the views of the
words they push.

Arithmetic that could leave 64 bits, an unset register, a size out of range: all of that is
declined, and Python finds out what it is.
"""

from __future__ import annotations

from maiacc_sim.code import Do
from maiacc_sim.native.codes import (
    COUNTER,
    DECLINED,
    DIMS,
    DONE,
    HOME,
    LABEL,
    REGISTER,
    SLOT,
)
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.lang.operations import largest, local_array, mul_fits, smallest, ult
from maiacc_sim.native.records import Desc, Issue, Located, Step, Word
from maiacc_sim.native.scalars import assign, has
from maiacc_sim.native.state import Control, Machine

TARGET = LABEL.target
MODE = LABEL.accumulate

#: Origins and offsets beyond this are left to Python.
SUM_LIMIT = 1 << 56


@native()
def locate(m: Machine, c: Control, number: i64, out: Located) -> i64:
    """A descriptor with everything filled in that scalars, counters and ids decide."""
    if not ult(number, m.desc_count):
        return DECLINED
    desc = m.descs[number]
    out.desc = number
    for k in range(DIMS):
        out.size[k] = desc.dim[k].size
    for k in range(4):
        out.extent[k] = desc.axis[k].extent
        out.origin[k] = desc.axis[k].start
    sums = local_array(i64, 6)
    sums[4] = 0
    sums[5] = 0
    if desc.terms != 0:
        for k in range(4):
            sums[k] = 0
        for k in range(desc.terms):
            term = desc.term[k]
            if not has(c.sources, term.source):
                return DECLINED
            value = c.sources.value[term.source]
            if not mul_fits(value, term.coef):
                return DECLINED
            product = value * term.coef
            if product > SUM_LIMIT or product < 0 - SUM_LIMIT:
                return DECLINED
            sums[term.target] += product
        for k in range(4):
            out.origin[k] += sums[k]
    out.offset = sums[TARGET.bytes]
    out.home = -1
    if desc.home == HOME.at:
        out.home = sums[TARGET.home]
    return apply_sizes(c, desc, out)


@native()
def apply_sizes(c: Control, desc: Desc, out: Located) -> i64:
    """Sizes and extents that registers give."""
    if desc.sized == 0:
        return DONE
    for k in range(DIMS):
        if desc.size_reg[k] >= 0:
            code = REGISTER + desc.size_reg[k]
            if (
                not has(c.sources, code)
                or c.sources.value[code] < 0
                or c.sources.value[code] > desc.dim[k].size
            ):
                return DECLINED
            out.size[k] = c.sources.value[code]
    for k in range(4):
        if desc.extent_reg[k] >= 0:
            code = REGISTER + desc.extent_reg[k]
            if (
                not has(c.sources, code)
                or c.sources.value[code] < 0
                or c.sources.value[code] > desc.axis[k].extent
            ):
                return DECLINED
            out.extent[k] = c.sources.value[code]
    return DONE


@native()
def locate_beside(m: Machine, c: Control, w: Word, issue: Issue, slot: i64) -> i64:
    """The scales and 2:4 positions of an operand."""
    desc = m.descs[w.desc[slot]]
    if desc.scale >= 0:
        beside = SLOT.scale_d
        if slot == SLOT.a:
            beside = SLOT.scale_a
        elif slot == SLOT.b:
            beside = SLOT.scale_b
        if locate(m, c, desc.scale, issue.located[beside]) != DONE:
            return DECLINED
    if desc.meta >= 0:
        return locate(m, c, desc.meta, issue.located[SLOT.meta_b])
    return DONE


@native()
def fresh(c: Control, w: Word) -> i64:
    """Whether the loops from the word's level inwards are at their first iteration; -1 if there is
    no loop of that level."""
    if w.level >= largest(1, c.depth):
        return -1
    behind = c.depth
    if w.span != 0:
        behind = smallest(behind, w.level + w.span)
    for level in range(w.level, behind):
        if c.sources.value[COUNTER + level] != 0:
            return 0
    return 1


@native()
def make_issue(m: Machine, c: Control, word: i64, issue: Issue) -> i64:
    """A word with what it reads from scalars now."""
    w = m.words[word]
    issue.word = word
    issue.foreign = 0
    issue.peer = -1
    issue.fresh = 0
    issue.depth = c.depth
    for level in range(c.depth):
        issue.iteration[level] = c.sources.value[COUNTER + level]
    for slot in range(5):
        if w.desc[slot] >= 0:
            if locate(m, c, w.desc[slot], issue.located[slot]) != DONE:
                return DECLINED
            if locate_beside(m, c, w, issue, slot) != DONE:
                return DECLINED
    if w.network == 1:
        if not has(c.sources, REGISTER + w.peer):
            return DECLINED
        issue.peer = c.sources.value[REGISTER + w.peer]
    if w.accumulates != 0 and w.mode == MODE.first:
        issue.fresh = fresh(c, w)
        if issue.fresh < 0:
            return DECLINED
    return DONE


# ---- control words ----------------------------------------------------------------------------
@native()
def plain_step(m: Machine, c: Control, step: Step) -> i64:
    """A step that neither pushes nor loads. Declines what Python has to look at."""
    match step.do:
        case Do.PASS | Do.MARK:
            c.at += 1
        case Do.LOOP:
            trip = step.trip
            if step.reg >= 0:
                if not has(c.sources, step.reg):
                    return DECLINED
                trip = c.sources.value[step.reg]
            if trip <= 0:
                c.at = step.target
            else:
                c.trips[step.level] = trip
                c.sources.value[COUNTER + step.level] = 0
                c.sources.known[COUNTER + step.level] = 1
                c.depth += 1
                c.at += 1
        case Do.ENDL:
            counter = c.sources.value[COUNTER + step.level] + 1
            if counter < c.trips[step.level]:
                c.sources.value[COUNTER + step.level] = counter
                c.at = step.target
            else:
                c.sources.known[COUNTER + step.level] = 0
                c.depth -= 1
                c.at += 1
        case Do.SET:
            if not assign(c.sources, m.words[step.word], m.tables):
                return DECLINED
            c.at += 1
        case Do.PAR:
            w = m.words[step.word]
            if not ult(w.param, m.param_count):
                return DECLINED
            c.sources.value[REGISTER + w.dest] = m.params[w.param]
            c.sources.known[REGISTER + w.dest] = 1
            c.at += 1
        case Do.END:
            c.done = 1
            c.at += 1
        case _:
            return DECLINED
    return DONE
