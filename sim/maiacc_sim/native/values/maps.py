"""Words that compute element by element: chains, with and without a second result.

Elements are taken a block at a time: operands become rows of numbers, each stage is a row
operation, and the last row leaves for memory. Where fp32 elements lie side by side, memory itself
is the row.
"""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DONE, DTYPE, LABEL, SLOT, STAGE
from maiacc_sim.native.lang.dispatch import by_number
from maiacc_sim.native.lang.functions import given, native
from maiacc_sim.native.lang.names import Array, f32, i64, u8
from maiacc_sim.native.lang.operations import (
    address,
    at_address,
    bits,
    choose,
    local_array,
    local_record,
    perform,
    pointer,
    smallest,
)
from maiacc_sim.native.records import Chain, Format, Issue, Word
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.codes import write_codes
from maiacc_sim.native.values.elements import (
    BLOCK,
    read_floats,
    read_integers,
    splat_floats,
    wrap,
    write_floats,
)
from maiacc_sim.native.values.int_stages import int_rows
from maiacc_sim.native.values.moves import begin, copy_elements
from maiacc_sim.native.values.numbers import INT, codes_of_integers
from maiacc_sim.native.values.reductions import Partial, add_to_row, begin_row, end_row
from maiacc_sim.native.values.rounding import fit_integer
from maiacc_sim.native.values.views import View, is_run
from maiacc_sim.native.values.walk import Walk, run_of, step_on

STAT = LABEL.stat
REDUCE = LABEL.reduce

#: Rows of numbers that a chain names: the operands a, b, c, then an immediate, r0 and r1. Each
#: stage has an immediate of its own, and the last result a row, too.
ROWS = 9
_IMMEDIATE, _RESULT = 3, 6

assert (LABEL.operand.a, LABEL.operand.imm, LABEL.operand.r0) == (0, 3, 4)


@given(by_number(int_rows()))
def int_stage(
    op: i64,
    x: Array[i64],
    y: Array[i64],
    z: Array[i64],
    out: Array[i64],
    n: i64,
    width: i64,
    flip: i64,
) -> None:
    """A stage of class int over rows of numbers of a type; n is a multiple of 16."""


@native()
def reduction_of(stat: i64) -> i64:
    """The reduction that a second result is."""
    match stat:
        case STAT.sum:
            return REDUCE.sum
        case STAT.max:
            return REDUCE.max
        case STAT.min:
            return REDUCE.min
        case STAT.absmax:
            return REDUCE.absmax
        case _:
            return REDUCE.sumsq


@native(inline=True)
def is_division(op: i64) -> bool:
    """Whether an integer stage divides by its second input."""
    return op == STAGE.divf or op == STAGE.divt or op == STAGE.modf or op == STAGE.modt


@native(inline=True)
def lies_so(view: View, walk: Walk, n: i64) -> bool:
    """Whether the next elements are fp32 numbers side by side."""
    if view.dtype != DTYPE.fp32 or view.boxed != 0 or n % 16 != 0:
        return False
    return run_of(walk, view, view.flat, 0) >= n and (walk.step == 4)


@native()
def float_row(view: View, form: Format, walk: Walk, n: i64, scratch: Array[f32]) -> i64:
    """The address of a row with the next elements: in memory, or in scratch memory."""
    if lies_so(view, walk, n):
        found = address(view.memory + walk.at)
        step_on(walk, view, view.flat, 0, n)
        return found
    read_floats(view, form, view.flat, 0, walk, n, scratch)
    return address(scratch)


@native(inline=True)
def input_row(rows: Array[i64], which: i64, step: i64) -> Array[f32]:
    """The row that input ``which`` of stage number ``step`` means."""
    if which == LABEL.operand.imm:
        return at_address(f32, rows[_IMMEDIATE + step])
    return at_address(f32, rows[choose(which < 3, which, which - 4 + _RESULT)])


@native()
def run_floats(chain: Chain, rows: Array[i64], out: Array[f32], n: i64) -> None:
    """The stages of a chain over the rows of its operands, the last one to ``out``."""
    for s in range(chain.count):
        step = chain.step[s]
        to = out if s == chain.count - 1 else at_address(f32, rows[_RESULT + s])
        x = input_row(rows, step.x, s)
        y = input_row(rows, step.y, s)
        z = input_row(rows, step.z, s)
        perform(step.kernel, x, y, z, to, (n + 15) // 16 * 16)


@native()
def is_plain(t: Thread, chain: Chain, inputs: i64) -> bool:
    """Whether a chain of one stage takes runs of fp32 to a run of them: as many at a time as there
    are, since all rows are in memory."""
    step = chain.step[0]
    imm = LABEL.operand.imm
    if chain.count != 1 or step.x == imm or step.y == imm or step.z == imm:
        return False
    d = t.views[SLOT.d]
    plain = d.dtype == DTYPE.fp32 and is_run(d) and d.count % 16 == 0
    for k in range(inputs):
        view = t.views[SLOT.a + k]
        plain = plain and view.dtype == DTYPE.fp32 and is_run(view)
    return plain


@native()
def map_floats(
    m: Machine, t: Thread, chain: Chain, inputs: i64, result: i64, stat: i64, dry: i64
) -> i64:
    """A chain of class float over the operands a, b and c; ``result`` says whether d is written,
    ``stat`` whether e is. A ``dry`` run writes nothing and says whether all results fit."""
    d = t.views[SLOT.d]
    form = m.formats[d.dtype]
    room = local_array(f32, ROWS * (BLOCK + 16))
    rows = local_array(i64, ROWS)
    for k in range(ROWS):
        rows[k] = address(room + k * (BLOCK + 16))
    for s in range(chain.count):
        splat_floats(room + (_IMMEDIATE + s) * (BLOCK + 16), bits(f32, chain.step[s].imm), BLOCK)
    walks = local_array(Walk, 3)
    used = inputs
    for k in range(used):
        begin(walks[k], t.views[SLOT.a + k])
    to = local_record(Walk)
    ends = local_record(Walk)
    partial = local_record(Partial)
    begin(to, d)
    lines = 1
    length = d.count
    if stat != 0:
        begin(ends, t.views[SLOT.e])
        lines = d.rows.total
        length = d.columns.total
    op = reduction_of(chain.stat)
    most = choose(
        stat == 0 and dry == 0 and result != 0 and is_plain(t, chain, used), d.count, BLOCK
    )
    for line in range(lines):
        begin_row(partial, op)
        left = length
        while left > 0:
            n = smallest(left, most)
            for k in range(used):
                view = t.views[SLOT.a + k]
                scratch = room + k * (BLOCK + 16)
                rows[k] = float_row(view, m.formats[view.dtype], walks[k], n, scratch)
            out = room + (_RESULT + 2) * (BLOCK + 16)
            direct = result != 0 and dry == 0 and lies_so(d, to, n)
            if direct:
                out = pointer(f32, d.memory + to.at)
                step_on(to, d, d.flat, 0, n)
            run_floats(chain, rows, out, n)
            if dry != 0:
                if not fit_integer(form, out, n, chain.round):
                    return DECLINED
            elif result != 0 and not direct:
                write_floats(d, form, d.flat, 0, to, n, out, chain.saturate, chain.round)
            if stat != 0 and dry == 0:
                add_to_row(partial, op, out, n)
            left -= n
        if stat != 0 and dry == 0:
            one = local_array(f32, 16)
            one[0] = end_row(partial, op)
            e = t.views[SLOT.e]
            write_floats(e, m.formats[e.dtype], e.flat, 0, ends, 1, one, 0, 0)
    return DONE


@native()
def map_integers(m: Machine, t: Thread, chain: Chain, inputs: i64, dry: i64) -> i64:
    """A chain of class int over the operands. A ``dry`` run says whether nothing divides by 0."""
    d = t.views[SLOT.d]
    form = m.formats[d.dtype]
    kind = m.formats[chain.dtype]
    flip = choose(kind.signed == 0 and kind.bits == 64, 1 << 63, 0)
    room = local_array(i64, ROWS * (BLOCK + 16))
    for s in range(chain.count):
        immediate = room + (_IMMEDIATE + s) * (BLOCK + 16)
        for k in range(BLOCK):
            immediate[k] = chain.step[s].imm << 32 >> 32
        wrap(kind, immediate, BLOCK)
    walks = local_array(Walk, 3)
    used = inputs
    for k in range(used):
        begin(walks[k], t.views[SLOT.a + k])
    to = local_record(Walk)
    begin(to, d)
    codes = local_array(u8, 8 * BLOCK + 64)
    left = d.count
    while left > 0:
        n = smallest(left, BLOCK)
        for k in range(used):
            view = t.views[SLOT.a + k]
            row = room + k * (BLOCK + 16)
            read_integers(view, m.formats[view.dtype], view.flat, 0, walks[k], n, row)
            wrap(kind, row, n)
        out = room
        for s in range(chain.count):
            step = chain.step[s]
            x = room + row_number(step.x, s) * (BLOCK + 16)
            y = room + row_number(step.y, s) * (BLOCK + 16)
            z = room + row_number(step.z, s) * (BLOCK + 16)
            out = room + (_RESULT + s) * (BLOCK + 16)
            if dry != 0 and is_division(step.op):
                for k in range(n):
                    if y[k] == 0:
                        return DECLINED
            int_stage(step.op, x, y, z, out, (n + 15) // 16 * 16, kind.bits, flip)
            wrap(kind, out, n)
        if dry == 0:
            codes_of_integers(form, out, n, kind, chain.saturate, codes)
            write_codes(d, d.flat, 0, to, n, codes)
        left -= n
    return DONE


@native(inline=True)
def row_number(which: i64, step: i64) -> i64:
    """The number of the row that input ``which`` of stage number ``step`` means."""
    if which == LABEL.operand.imm:
        return _IMMEDIATE + step
    return choose(which < 3, which, which - 4 + _RESULT)


@native(name="family_map", export=True)
def map_(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[i] = chain(a[i], b[i], c[i]); e[r] = a reduction of the results of row r"""
    if w.chain < 0:
        return DECLINED
    chain = m.chains[w.chain]
    d = t.views[SLOT.d]
    stat = choose(w.desc[SLOT.e] >= 0, 1, 0)
    if m.formats[chain.dtype].kind == INT:
        if chain.zero_div == 0:
            for s in range(chain.count):
                if is_division(chain.step[s].op) and map_integers(m, t, chain, w.inputs, 1) != DONE:
                    return DECLINED
        return map_integers(m, t, chain, w.inputs, 0)
    for s in range(chain.count):
        if chain.step[s].kernel == 0:
            return DECLINED
    a = t.views[SLOT.a]
    if d.dtype == DTYPE.int32 and a.dtype == DTYPE.int32 and moves_only(chain, w.drains):
        if stat != 0:
            map_floats(m, t, chain, w.inputs, 0, 1, 0)
        copy_elements(d, a)
        return DONE
    fits = m.formats[d.dtype].kind != INT or chain.saturate != 0
    if not fits and map_floats(m, t, chain, w.inputs, 0, 0, 1) != DONE:
        return DECLINED
    return map_floats(m, t, chain, w.inputs, 1, stat, 0)


@native(inline=True)
def moves_only(chain: Chain, drains: i64) -> bool:
    """Whether a drain's chain hands accumulators on unchanged."""
    only = chain.count == 1 and chain.step[0].op == STAGE.mov
    return drains != 0 and only and chain.step[0].x == LABEL.operand.a
