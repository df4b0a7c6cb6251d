"""Which variant a pushed word is: one that never changes, or one that its key is looked up for."""

from __future__ import annotations

from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.lang.operations import add_fits, lshr, mul_fits
from maiacc_sim.native.scalars import has
from maiacc_sim.native.timing.queues import (
    ASKS,
    GOOD,
)
from maiacc_sim.native.timing.state import Control, Model, Recipe, Step


# ---- variants ---------------------------------------------------------------------------------
@native()
def key_of(m: Model, c: Control, r: Recipe) -> i64:
    """The values that decide a word's variant, in ``m.key``. Asks Python about wrong ones."""
    count = 0
    for k in range(r.sizes):
        code = m.recipe_numbers[r.size_from + 2 * k]
        if not has(c.sources, code):
            return ASKS
        value = c.sources.value[code]
        if value < 0 or value > m.recipe_numbers[r.size_from + 2 * k + 1]:
            return ASKS
        m.key[count] = value
        count += 1
    at = r.home_from
    for _ in range(r.homes):
        terms = m.recipe_numbers[at]
        total = 0
        for k in range(terms):
            code = m.recipe_numbers[at + 1 + 2 * k]
            factor = m.recipe_numbers[at + 2 + 2 * k]
            if not has(c.sources, code) or not mul_fits(c.sources.value[code], factor):
                return ASKS
            if not add_fits(total, c.sources.value[code] * factor):
                return ASKS
            total += c.sources.value[code] * factor
        m.key[count] = total
        count += 1
        at += 1 + 2 * terms
    if r.peer >= 0:
        if not has(c.sources, r.peer):
            return ASKS
        m.key[count] = c.sources.value[r.peer]
        count += 1
    m.key_count = count
    return GOOD


@native()
def find_variant(m: Model, unit: i64, word: i64) -> i64:
    """The variant for the values in ``m.key``, -1 if there is none yet."""
    hash = (unit * 1000003) ^ (word * 7919)
    for k in range(m.key_count):
        hash = (hash ^ m.key[k]) * 1099511628211
        hash = hash ^ lshr(hash, 29)
    at = hash & (m.hash_size - 1)
    while True:
        row = m.hash + at * 20
        if row[0] < 0:
            return -1
        if row[0] == unit and row[1] == word and row[2] == m.key_count:
            same = True
            for k in range(m.key_count):
                if row[3 + k] != m.key[k]:
                    same = False
            if same:
                return row[19]
        at = (at + 1) & (m.hash_size - 1)


@native()
def dynamic_variant(m: Model, c: Control, r: Recipe, unit: i64, word: i64) -> i64:
    """The variant that scalars decide; -1 to ask Python."""
    found = -1
    if key_of(m, c, r) == GOOD:
        found = find_variant(m, unit, word)
    if found < 0:
        m.stop_unit = unit
        m.stop_word = word
    return found


@native(inline=True)
def variant_of(m: Model, c: Control, step: Step, unit: i64) -> i64:
    """The variant of a word with what the control processor reads now; -1 to ask Python."""
    found = step.first + m.units[unit].position
    if step.first < 0:
        found = dynamic_variant(m, c, m.recipes[step.word], unit, step.word)
        if found < 0:
            return -1
    v = m.variants[found]
    if v.made == 0:
        m.made += 1
        v.made = m.made
    return found
