"""The memory that Python and native code share: a program made flat, and the machine's state.

Python fills these records once for a program (``image``); native code reads them, and changes the
state. Numbers are those of the rows (see ``codes``); -1 stands for "none".
"""

from __future__ import annotations

from maiacc_isa.errors import InternalError
from maiacc_isa.load import load
from maiacc_sim.native.lang.functions import record
from maiacc_sim.native.lang.names import Array, Fixed, f32, i64

# ---- the program ---------------------------------------------------------------------------


@record
class Axis:
    """An axis of a descriptor's tensor."""

    extent: i64
    stride: i64
    start: i64


@record
class Dim:
    """A window dim of a descriptor."""

    size: i64
    axis: i64
    step: i64


@record
class Term:
    """An origin term of a descriptor."""

    source: i64
    target: i64
    coef: i64


@record
class Desc:
    """A descriptor. ``fill`` is a code of the type,
    ``raw_fill`` the bits it is made of; ``size_reg`` and ``extent_reg`` are registers
    that sizes and extents come from; ``wild`` says that addresses might leave 62 bits,
    ``sized`` whether there are any such registers."""

    space: i64
    dtype: i64
    home: i64
    drop: i64
    axes: i64
    rank: i64
    split: i64
    terms: i64
    base: i64
    scale: i64
    meta: i64
    fill: i64
    raw_fill: i64
    wild: i64
    sized: i64
    size_reg: Fixed[Array[i64], 6]
    extent_reg: Fixed[Array[i64], 4]
    axis: Fixed[Array[Axis], 4]
    dim: Fixed[Array[Dim], 6]
    term: Fixed[Array[Term], 6]


@record
class ChainStep:
    """A stage of a chain. ``imm`` has 32 bits; ``kernel`` is the address of the function that
    computes it over rows of floats, 0 if there is none."""

    op: i64
    x: i64
    y: i64
    z: i64
    imm: i64
    kernel: i64


@record
class Chain:
    """A chain. ``stat`` is the second result."""

    count: i64
    dtype: i64
    stat: i64
    saturate: i64
    zero_div: i64
    round: i64
    step: Fixed[Array[ChainStep], 3]


@record
class Shape:
    """How many elements an operand has before and behind its split: a letter of the row (-1: none)
    divided by a number, or else that number."""

    kept: i64
    kept_by: i64
    red: i64
    red_by: i64


@record
class Word:
    """A word of a block. ``kernel`` is the address of the function that executes it, 0 if there is
    none; ``desc`` has descriptors by slot, ``inputs`` how many of a, b and c there are;
    ``drains`` marks words of the drain queue, ``overwrites`` those that write all of d whatever was
    there; ``accumulates`` those with a mode; ``whole`` is
    the slot of which an index chooses rows. ``network``: 0 for words that stay on their chip, 1
    for those with a peer, 2 with a group to write to, 3 with a group to meet. Waits and posts
    are tokens with an entry of the table of lists; local ones stay in their instance, remote
    posts reach peers only. ``copied`` is the word behind it that copies its results, ``copies`` the
    one whose results it copies: their numbers and 1, 0 if there is none. Then the fields that the
    rows name, by name."""

    kernel: i64
    queue: i64
    link: i64
    desc: Fixed[Array[i64], 5]
    inputs: i64
    drains: i64
    overwrites: i64
    whole: i64
    network: i64
    accumulates: i64
    shape: Fixed[Array[Shape], 5]
    waits: i64
    posts: i64
    wait_list: Fixed[Array[i64], 2]
    wait_count: Fixed[Array[i64], 2]
    wait_local: Fixed[Array[i64], 2]
    post_list: Fixed[Array[i64], 2]
    post_count: Fixed[Array[i64], 2]
    post_local: Fixed[Array[i64], 2]
    post_remote: Fixed[Array[i64], 2]
    copied: i64
    copies: i64
    c1: i64
    c2: i64
    carry: i64
    chain: i64
    crc: i64
    descending: i64
    dest: i64
    fn: i64
    group: i64
    high: i64
    id: i64
    imm: i64
    k: i64
    kind: i64
    least: i64
    length: i64
    level: i64
    low: i64
    m: i64
    mask: i64
    mode: i64
    oob: i64
    op: i64
    other: i64
    param: i64
    payload: i64
    peer: i64
    reg: i64
    round: i64
    rule: i64
    saturate: i64
    span: i64
    trip: i64
    value: i64
    what: i64
    x1: i64
    x2: i64


@record
class Step:
    """A step of a control processor, see ``maiacc_sim.code``."""

    do: i64
    word: i64
    cycles: i64
    target: i64
    level: i64
    trip: i64
    reg: i64


@record
class Format:
    """A number format. ``kind`` is 0 for floats, 1 for integers, 2 for bool, 3 for scales and 4 for
    2:4 positions; ``values`` has the fp32 value of every code of a float of at most 8 bits."""

    kind: i64
    bits: i64
    packed: i64
    signed: i64
    low: i64
    high: i64
    exponent: i64
    mantissa: i64
    bias: i64
    inf: i64
    nan: i64
    largest: i64
    values: Array[f32]


# ---- memories ------------------------------------------------------------------------------


@record
class Segment:
    """Bytes ``start`` to ``end`` - 1 of a memory, and the address of byte 0 of that memory as far
    as this piece is concerned. A ``fixed`` piece is not written to: it is mapped from a file."""

    start: i64
    end: i64
    origin: i64
    fixed: i64


@record
class Alias:
    """Bytes ``start`` to ``end`` - 1 of a memory that are elsewhere in the host, unchanged: byte 0
    of the memory would be at ``origin``. ``doomed``: the word at hand overwrites all of them."""

    start: i64
    end: i64
    origin: i64
    doomed: i64


@record
class Memory:
    """One instance of a memory: its pieces in rising order, and ``aliased`` of ``aliases``, which
    several threads may change under the lock ``guard`` if it is ``shared``. In one that is
    ``lazy`` copies of that many bytes or more are put off; 0 stands for never."""

    count: i64
    segments: Array[Segment]
    lazy: i64
    shared: i64
    aliased: i64
    aliases: Array[Alias]
    guard: Array[i64]


# ---- words on their way ---------------------------------------------------------------------


@record
class Located:
    """A descriptor with what scalars, counters and ids decide filled in."""

    desc: i64
    offset: i64
    home: i64
    size: Fixed[Array[i64], 6]
    extent: Fixed[Array[i64], 4]
    origin: Fixed[Array[i64], 4]


@record
class Issue:
    """An engine word with what its control processor read when it pushed it. ``foreign``: Python
    keeps it, and executes it."""

    word: i64
    fresh: i64
    peer: i64
    foreign: i64
    depth: i64
    iteration: Fixed[Array[i64], 8]
    located: Fixed[Array[Located], 9]


def _check_word() -> None:
    """The record of a word has a place for every field of the rows."""
    rows = load().insns.values()
    fields = {f.name for row in rows for f in row.fields if f.kind.base not in ("desc", "semref")}
    missing = fields - set(Word.__annotations__)
    if missing:
        raise InternalError("E0001", f"native words lack fields of the rows: {sorted(missing)}")


_check_word()
