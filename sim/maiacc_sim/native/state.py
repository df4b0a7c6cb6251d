"""The state of a machine that executes a program with its data, as native code sees it."""

from __future__ import annotations

from maiacc_sim.native.lang.functions import record, shared_record
from maiacc_sim.native.lang.names import Array, Fixed, f32, i64, u8
from maiacc_sim.native.records import Chain, Desc, Format, Issue, Memory, Step, Word
from maiacc_sim.native.scalars import Sources, Tables
from maiacc_sim.native.values.views import View


@shared_record
class Control:
    """A control processor. ``depth`` loops are in force. ``walked`` counts cycles."""

    at: i64
    walked: i64
    done: i64
    depth: i64
    logged: i64
    log: Array[i64]
    trips: Fixed[Array[i64], 8]
    sources: Sources


@shared_record
class Queue:
    """A queue: a ring of words that are pushed and not executed yet. ``barriers`` counts the BARs
    it has come to, ``arrived`` and ``met`` are about the one at its head; ``executed`` says that
    Python has executed the word at the head."""

    head: i64
    count: i64
    barriers: i64
    arrived: i64
    met: i64
    executed: i64
    ring: Array[Issue]


@shared_record
class Instance:
    """A tile, cluster or chip with its control processor and queues."""

    role: i64
    chip: i64
    cluster: i64
    tile: i64
    first_queue: i64
    queues: i64
    first_code: i64
    steps: Array[Step]
    control: Control


@shared_record
class Machine:
    """A system in one block. Counters, lists, tables and masks are flat; ``lists`` gives for each
    pair (semaphore, mask) and instance the first entry of its list of counters, and behind it the
    first one of the next; ``wakes`` is the instance that waits at a counter, and ``chips_of`` its
    chip. ``memories`` are by space and instance. Of the list of instances with work there are the
    ring ``ready``, the ``states`` of instances and the lock ``guard``; ``active`` counts instances
    that are listed or run, and ``halt`` tells all threads to return."""

    words: Array[Word]
    word_count: i64
    descs: Array[Desc]
    desc_count: i64
    chains: Array[Chain]
    formats: Array[Format]
    instances: Array[Instance]
    instance_count: i64
    queues: Array[Queue]
    depth: i64
    counters: Array[i64]
    lists: Array[i64]
    entries: Array[i64]
    wakes: Array[i64]
    chips_of: Array[i64]
    tables: Tables
    params: Array[i64]
    param_count: i64
    members: Array[i64]
    mask_at: Array[i64]
    reach: Array[i64]
    memories: Array[Memory]
    chips: i64
    clusters: i64
    tiles: i64
    max_steps: i64
    log_size: i64
    chip_queues: Array[i64]
    chip_instances: Array[i64]
    ready: Array[i64]
    ready_head: i64
    ready_tail: i64
    states: Array[i64]
    guard: Array[i64]
    active: Array[i64]
    halt: Array[i64]


@record
class Onward:
    """Where the next word copies the results of the one at hand: ``size`` bytes of a type from
    ``start`` of memory ``owner`` on, to an address of the host, which is 0 if that is not known."""

    address: i64
    owner: i64
    start: i64
    size: i64
    dtype: i64


@shared_record
class Thread:
    """What one thread works with. ``unit`` is where it stopped: an instance, and a queue of it or
    -1 for its control processor. ``fuel`` is how much work it may do before it returns. ``owner``
    has the memories that an operand means, ``into`` is the one that d lies in now, and
    ``onward`` says where what is in d goes from there."""

    why: i64
    instance: i64
    queue: i64
    fuel: i64
    executed: i64
    owners: i64
    into: i64
    peers: i64
    onward: Onward
    issue: Issue
    views: Fixed[Array[View], 9]
    letters: Fixed[Array[i64], 8]
    owner: Array[i64]
    peer: Array[i64]
    left: Array[f32]
    right: Array[f32]
    rows: Array[f32]
    product: Array[f32]
    keys: Array[i64]
    places: Array[i64]
    spare: Array[i64]
    bytes: Array[u8]
    sort_size: i64
    product_size: i64
