"""Executes one engine word: whose memories its operands mean, then the kernel of its family."""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DONE, HOME, SLOT, SPACE
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.lang.operations import choose, invoke, ult
from maiacc_sim.native.records import Desc, Issue, Word
from maiacc_sim.native.state import Instance, Machine, Thread
from maiacc_sim.native.values.aliases import end_doomed
from maiacc_sim.native.values.onward import stand_onward, turn_onward
from maiacc_sim.native.values.views import View, bound, place

#: Roles in the order of the rows.
TILE, CLUSTER, CHIP = 0, 1, 2


@native(inline=True)
def instance_number(m: Machine, chip: i64, cluster: i64, tile: i64) -> i64:
    """The number of a tile, of a cluster (tile -1) or of a chip (both -1)."""
    each = m.clusters * (m.tiles + 1) + 1
    if cluster < 0:
        return chip * each + each - 1
    at = chip * each + cluster * (m.tiles + 1)
    return at + choose(tile < 0, m.tiles, tile)


@native()
def find_peers(m: Machine, t: Thread, who: Instance, w: Word, i: Issue) -> i64:
    """The chips that a network word writes to or posts at, in ``t.peer``; none for other words.
    Declines chips that the link does not reach."""
    t.peers = 0
    if w.network == 0:
        return DONE
    if w.network == 1:
        if not ult(i.peer, m.chips):
            return DECLINED
        if m.reach[(w.link * m.chips + who.chip) * m.chips + i.peer] == 0:
            return DECLINED
        t.peer[0] = i.peer
        t.peers = 1
        return DONE
    found = 0
    inside = w.group == 0
    count = m.chips if w.group == 0 else m.mask_at[w.group] - m.mask_at[w.group - 1]
    for k in range(count):
        chip = k if w.group == 0 else m.members[m.mask_at[w.group - 1] + k]
        if chip == who.chip:
            inside = True
        else:
            if not ult(chip, m.chips):
                return DECLINED
            if m.reach[(w.link * m.chips + who.chip) * m.chips + chip] == 0:
                return DECLINED
            t.peer[found] = chip
            found += 1
    if w.network == 3:
        # A word that meets its group: a member of it, whose posts stay here.
        return DONE if inside else DECLINED
    t.peers = found
    return DONE


@native()
def find_owners(m: Machine, t: Thread, who: Instance, w: Word, i: Issue, slot: i64) -> i64:
    """The memories that an operand means, in ``t.owner``: entries of ``m.memories``."""
    located = i.located[slot]
    desc = m.descs[located.desc]
    space = desc.space
    t.owners = 0
    if space == SPACE.iota:
        t.owner[0] = SPACE.iota * m.instance_count
        t.owners = 1
        return DONE
    writes = slot == SLOT.d or slot == SLOT.e
    chips = t.peers if writes and w.network != 0 else 1
    for c in range(chips):
        chip = t.peer[c] if writes and w.network != 0 else who.chip
        if add_owners(m, t, who, w, desc, space, chip, located.home) != DONE:
            return DECLINED
    return DONE


@native()
def add_owners(
    m: Machine, t: Thread, who: Instance, w: Word, desc: Desc, space: i64, chip: i64, home: i64
) -> i64:
    """Adds the memories of a space on one chip that a descriptor means."""
    base = space * m.instance_count
    if space == SPACE.hbm:
        t.owner[t.owners] = base + instance_number(m, chip, -1, -1)
        t.owners += 1
        return DONE
    cluster = space == SPACE.csram
    count = m.clusters if cluster else m.tiles
    if not cluster and not ult(who.cluster, m.clusters):
        return DECLINED
    each = 1
    if desc.home == HOME.all:
        each = count if w.mask == 0 else m.mask_at[w.mask] - m.mask_at[w.mask - 1]
    for k in range(each):
        number = who.cluster if cluster else who.tile
        if desc.home == HOME.at:
            number = home
        elif desc.home == HOME.all:
            number = k if w.mask == 0 else m.members[m.mask_at[w.mask - 1] + k]
        if not ult(number, count):
            return DECLINED
        if cluster:
            t.owner[t.owners] = base + instance_number(m, chip, number, -1)
        else:
            t.owner[t.owners] = base + instance_number(m, chip, who.cluster, number)
        t.owners += 1
    return DONE


@native()
def place_operand(m: Machine, t: Thread, who: Instance, w: Word, i: Issue, slot: i64) -> i64:
    """Makes the view of an operand, and of what lies beside it, in the first memory it means."""
    if find_owners(m, t, who, w, i, slot) != DONE or t.owners == 0:
        return DECLINED
    memory = m.memories[t.owner[0]]
    located = i.located[slot]
    desc = m.descs[located.desc]
    writes = choose(slot == SLOT.d or slot == SLOT.e, 1, 0)
    whole = choose(w.whole == slot, 1, 0)
    over = choose(slot == SLOT.d, w.overwrites, 0)
    if place(t.views[slot], located, desc, m.formats, memory, writes, over, whole) != DONE:
        return DECLINED
    if slot == SLOT.e:
        return DONE
    beside = SLOT.scale_d
    if slot == SLOT.a:
        beside = SLOT.scale_a
    elif slot == SLOT.b:
        beside = SLOT.scale_b
    if desc.scale >= 0 and slot != SLOT.c:
        scale = i.located[beside]
        kind = m.descs[scale.desc]
        if kind.space != desc.space:
            return DECLINED
        if place(t.views[beside], scale, kind, m.formats, memory, writes, 0, 0) != DONE:
            return DECLINED
    if desc.meta >= 0 and slot == SLOT.b:
        meta = i.located[SLOT.meta_b]
        kind = m.descs[meta.desc]
        if kind.space != desc.space:
            return DECLINED
        if place(t.views[SLOT.meta_b], meta, kind, m.formats, memory, 0, 0, 0) != DONE:
            return DECLINED
    return DONE


@native()
def fits(w: Word, t: Thread, letter: i64, by: i64, value: i64, sizes_known: i64) -> bool:
    """Whether a size is what the row says: a letter, known by now or from here on, divided by a
    number, or that number."""
    if letter < 0:
        return value == by
    if by == 1 and (sizes_known >> letter) & 1 == 0:
        t.letters[letter] = value
        return True
    return value == t.letters[letter] // by


@native()
def check_shapes(t: Thread, w: Word) -> i64:
    """Declines a word whose operands' sizes do not fit each other."""
    known = 0
    for slot in range(5):
        if w.desc[slot] >= 0:
            view = t.views[slot]
            shape = w.shape[slot]
            kept = view.rows.total
            if shape.red == -2:
                kept = view.count
            if not fits(w, t, shape.kept, shape.kept_by, kept, known):
                return DECLINED
            if shape.kept >= 0:
                known = known | 1 << shape.kept
            if shape.red != -2:
                if not fits(w, t, shape.red, shape.red_by, view.columns.total, known):
                    return DECLINED
                if shape.red >= 0:
                    known = known | 1 << shape.red
    return DONE


@native()
def execute(m: Machine, t: Thread, who: Instance, i: Issue) -> i64:
    """Executes a word. One that is declined has changed nothing."""
    t.owners = 0
    status = execute_word(m, t, who, i)
    if m.words[i.word].desc[SLOT.d] >= 0:
        if status == DONE and t.onward.address != 0:
            stand_onward(m, t)
        for k in range(t.owners):
            memory = m.memories[t.owner[k]]
            if memory.aliased != 0:
                end_doomed(memory, status == DONE)
    return status


@native()
def execute_word(m: Machine, t: Thread, who: Instance, i: Issue) -> i64:
    """As ``execute``, but for aliases that it overwrites."""
    w = m.words[i.word]
    if w.kernel == 0 or i.foreign != 0:
        return DECLINED
    if find_peers(m, t, who, w, i) != DONE:
        return DECLINED
    owners = 1
    # d comes last, so that its memories are still known when it is written.
    for back in range(5):
        slot = 4 - back
        if w.desc[slot] >= 0:
            if place_operand(m, t, who, w, i, slot) != DONE:
                return DECLINED
            owners = t.owners
    if check_shapes(t, w) != DONE:
        return DECLINED
    t.into = t.owner[0]
    if t.onward.address != 0:
        turn_onward(t, owners)
    if w.desc[SLOT.d] < 0 or owners == 1:
        return invoke(w.kernel, m, t, w, i)
    return execute_everywhere(m, t, w, i, owners)


@native()
def execute_everywhere(m: Machine, t: Thread, w: Word, i: Issue, owners: i64) -> i64:
    """Executes a word with several destinations, one after the other."""
    d: View = t.views[SLOT.d]
    if d.empty == 0:
        for k in range(owners):
            if bound(d, m.memories[t.owner[k]], 1, w.overwrites) != DONE:
                return DECLINED
    for k in range(owners):
        if d.empty == 0:
            bound(d, m.memories[t.owner[k]], 1, w.overwrites)
        t.into = t.owner[k]
        status = invoke(w.kernel, m, t, w, i)
        if status != DONE:
            # A kernel that declines does so before it writes, and for every destination.
            return status
    return DONE
