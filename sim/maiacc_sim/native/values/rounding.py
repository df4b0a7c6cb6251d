"""Floats as integers: rounded, cut to the limits of a format, or found not to fit."""

from __future__ import annotations

from maiacc_sim.native.codes import LABEL
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, f32, i64, u8
from maiacc_sim.native.lang.operations import (
    bits,
    ceil,
    choose,
    convert,
    floor,
    rint,
    trunc,
    unordered,
)
from maiacc_sim.native.records import Format


@native(inline=True)
def clipped(value: i64, unsigned: bool, form: Format) -> i64:
    """The number of a format nearest to an integer; ``unsigned`` ones have 64 bits."""
    wide = form.signed == 0 and form.bits == 64
    if unsigned:
        if not wide and (value < 0 or value > form.high):
            return form.high
        return value
    if value < form.low:
        return form.low
    if not wide and value > form.high:
        return form.high
    return value


@native()
def fit_integer(form: Format, x: Array[f32], n: i64, round: i64) -> bool:
    """Whether every number, made whole, is in the range of an integer type."""
    low = convert(f32, form.low)
    above = power_behind(form)
    for i in range(n):
        whole = whole_of(x[i], round)
        if not (whole >= low and whole < above):
            return False
    return True


@native(inline=True)
def power_behind(form: Format) -> f32:
    """The power of two behind the largest number of an integer type."""
    return bits(f32, (127 + form.bits - choose(form.signed != 0, 1, 0)) << 23)


@native(inline=True)
def whole_of(x: f32, round: i64) -> f32:
    """A number made whole."""
    if round == LABEL.round.rne:
        return rint(x)
    if round == LABEL.round.trunc:
        return trunc(x)
    if round == LABEL.round.floor:
        return floor(x)
    return ceil(x)


@native()
def integers_of_floats(form: Format, x: Array[f32], n: i64, round: i64, out: Array[i64]) -> None:
    """Numbers made whole, as integers of a type; outside the range the nearest, of NaN 0."""
    low = convert(f32, form.low)
    above = power_behind(form)
    for i in range(n):
        whole = whole_of(x[i], round)
        if unordered(whole):
            out[i] = 0
        elif whole >= above:
            out[i] = form.high
        elif whole < low:
            out[i] = form.low
        elif whole >= 9223372036854775808.0:
            out[i] = convert(i64, whole - 9223372036854775808.0) + (1 << 63)
        else:
            out[i] = convert(i64, whole)


@native()
def truths_of_floats(x: Array[f32], n: i64, codes: Array[u8]) -> None:
    """Codes of bool of numbers: 0 for zeros."""
    for i in range(n):
        codes[i] = choose(x[i] != 0.0, 1, 0)
