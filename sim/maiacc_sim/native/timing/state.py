"""The state of the event model as native code sees it. Times are cycles, those of ports ticks."""

from __future__ import annotations

from maiacc_sim.native.lang.functions import record, shared_record
from maiacc_sim.native.lang.names import Array, Fixed, i64
from maiacc_sim.native.records import Word
from maiacc_sim.native.scalars import Sources, Tables

#: Hops a transfer may have, and tallies of a variant: see ``maiacc_sim.timing.variants``.
HOPS_MOST = 6
TALLIES = 12


@record
class Variant:
    """A word as one instance executes it. The ports of hop h are those from ``ports[port_at[h]]``
    to before ``ports[port_to[h]]``; waits and posts are counted tokens and ranges of
    ``entries``; ``barrier`` is the number of a group to meet, or -1. ``made`` counts variants in
    the order in which they were first asked for, 0 for one that never was. ``acc`` are its
    tallies."""

    unit: i64
    word: i64
    occupancy: i64
    latency: i64
    hops: i64
    waits: i64
    posts: i64
    barrier: i64
    made: i64
    ticks: Fixed[Array[i64], 6]
    port_at: Fixed[Array[i64], 6]
    port_to: Fixed[Array[i64], 6]
    wait_count: Fixed[Array[i64], 2]
    wait_from: Fixed[Array[i64], 2]
    wait_to: Fixed[Array[i64], 2]
    post_count: Fixed[Array[i64], 2]
    post_from: Fixed[Array[i64], 2]
    post_to: Fixed[Array[i64], 2]
    post_travel: Fixed[Array[i64], 2]
    acc: Fixed[Array[i64], 12]


@record
class Step:
    """A step of a control processor, see ``maiacc_sim.code``. Of a PUSH also the code of the queue,
    and the variant of the first instance if scalars do not decide it, else -1."""

    do: i64
    word: i64
    cycles: i64
    target: i64
    level: i64
    trip: i64
    reg: i64
    queue: i64
    first: i64


@record
class Recipe:
    """Which scalars decide the variant of a word: ``sizes`` pairs of source and largest value,
    ``homes`` ranges of terms (pairs of source and coefficient), and the source of a peer or -1.
    ``first`` is the variant of the first instance if none does; then others follow."""

    dynamic: i64
    first: i64
    sizes: i64
    size_from: i64
    homes: i64
    home_from: i64
    peer: i64
    role: i64


@shared_record
class Unit:
    """A queue, or a control processor (``control`` is its number then). ``position`` is that of
    its instance among those of its role. Of a queue: the words pushed are a ring of ``count`` from
    ``head`` in ``ready`` and ``variant``; ``starts`` is a ring of the starts of as many words as
    the queue is deep, the oldest at ``start_head``. ``flying`` is a variant, or -1."""

    control: i64
    instance: i64
    position: i64
    free: i64
    last: i64
    begin: i64
    end: i64
    hop: i64
    latest: i64
    waited: i64
    event: i64
    before: i64
    barriers: i64
    flying: i64
    stuck: i64
    blocked: i64
    head: i64
    count: i64
    start_head: i64
    ready: Array[i64]
    variant: Array[i64]
    anchors: Array[i64]
    starts: Array[i64]
    start_events: Array[i64]


@shared_record
class Control:
    """A control processor. ``time`` is its next cycle; ``queues`` are its queues' units by code.
    ``room`` are cycles waited for room by queue, ``loads`` those of loads, ``tokens`` those waited
    for semaphores, by semaphore."""

    unit: i64
    role: i64
    at: i64
    time: i64
    quiet: i64
    taken: i64
    done: i64
    ended: i64
    watched: i64
    depth: i64
    anchor: i64
    loads: i64
    steps: Array[Step]
    step_count: i64
    log: Array[i64]
    log_count: i64
    tokens: Array[i64]
    queues: Fixed[Array[i64], 32]
    room: Fixed[Array[i64], 32]
    trips: Fixed[Array[i64], 8]
    sources: Sources


@shared_record
class Events:
    """What is recorded of every event, in columns; ``count`` of ``room`` are used."""

    on: i64
    count: i64
    room: i64
    unit: Array[i64]
    variant: Array[i64]
    ready: Array[i64]
    begin: Array[i64]
    end: Array[i64]
    complete: Array[i64]
    free: Array[i64]
    late: Array[i64]
    cause: Array[i64]
    causer: Array[i64]
    before: Array[i64]
    flows: i64
    poster: Array[i64]
    waiter: Array[i64]
    changes: i64
    change_room: i64
    changed: Array[i64]
    change_cycle: Array[i64]
    change_by: Array[i64]
    marks: i64
    mark_room: i64
    mark_unit: Array[i64]
    mark_cycle: Array[i64]
    mark_word: Array[i64]


@shared_record
class Model:
    """The event model in one block. ``heap`` has keys of arrivals, ``work`` the units that may go
    on, the last first; counters are rings of ``room`` arrival times, those of recorded events
    beside them. ``wakes`` is the unit that waits at a counter."""

    words: Array[Word]
    variants: Array[Variant]
    variant_count: i64
    made: i64
    recipes: Array[Recipe]
    recipe_numbers: Array[i64]
    units: Array[Unit]
    unit_count: i64
    unit_bits: i64
    controls: Array[Control]
    control_count: i64
    depth: i64
    entries: Array[i64]
    ports: Array[i64]
    free: Array[i64]
    port_count: i64
    counters: i64
    token_room: i64
    tight: i64
    token_head: Array[i64]
    token_count: Array[i64]
    tokens: Array[i64]
    token_events: Array[i64]
    wakes: Array[i64]
    semaphores: i64
    keys: Array[i64]
    heap: Array[i64]
    heap_count: i64
    work: Array[i64]
    work_count: i64
    hash: Array[i64]
    hash_size: i64
    tables: Tables
    params: Array[i64]
    param_count: i64
    groups: Array[i64]
    group_size: Array[i64]
    group_count: Array[i64]
    members_most: i64
    meeting: i64
    loads: i64
    relevant: Array[i64]
    codes: Array[i64]
    code_count: i64
    extreme: i64
    max_tick: i64
    arrivals: i64
    fuel: i64
    stop_unit: i64
    stop_word: i64
    key_count: i64
    key: Fixed[Array[i64], 16]
    head_control: Array[i64]
    head_at: Array[i64]
    head_count: i64
    events: Events


@record
class State:
    """A state of the past. ``levels`` has for each control processor the number of loops in force,
    their counters and their trip counts."""

    now: i64
    shapes: i64
    times: i64
    counted: i64
    tallies: i64
    shape: Array[i64]
    time: Array[i64]
    tally: Array[i64]
    levels: Array[i64]


@record
class Head:
    """What is remembered of the head of a loop (Brent's search for a cycle)."""

    unit: i64
    at: i64
    seen: i64
    renew: i64
    failed: i64
    glances: i64
    glance: Array[i64]
    state: State


@record
class Skipper:
    """Looks for repetitions in one execution of a block. ``current`` is the state now."""

    on: i64
    spent: i64
    size: i64
    trusted: i64
    count: i64
    heads: Array[Head]
    current: State
    skipped: i64
