"""Predicates of the rows' constraints: which types, shapes and chains may meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maiacc_isa.load import load
from maiacc_isa.operation import Operation, View
from maiacc_isa.tables import Chain, Descriptor

#: Types an operand of a float chain may have; others have no exact fp32 value.
_TO_FLOAT = ("fp32", "bf16", "fp16", "e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "bool")


def pair_acc(a: View, b: View) -> str | None:
    """The accumulator type of an operand pair, None if it is none."""
    for pair in load().pairs:
        if a.dtype in pair.left and b.dtype in pair.right:
            return pair.acc
    return None


def _pair(w: Operation, a: View, b: View) -> bool:
    return w.machine.kchunk(a.dtype, b.dtype) > 0


def _scale_of(w: Operation, view: View) -> Descriptor | None:
    number = view.descriptor.scale
    if number is None or number >= len(w.block.descriptors):
        return None
    return w.block.descriptors[number]


def _group(view: View, scale: Descriptor, factor: int) -> int | None:
    """Elements of the reduced dims that share a scale, None if the shapes do not fit."""
    kept, red = 1, 1
    for i, dim in enumerate(scale.dims):
        if i < scale.split:
            kept *= dim.size
        else:
            red *= dim.size
    length = view.red * factor
    if kept != view.kept or red == 0 or length % red:
        return None
    return length // red


def _scales_of_operand(w: Operation, view: View, factor: int) -> int | None:
    """The group length of an operand's scales: 0 without scales, None if they are wrong."""
    if view.descriptor.scale is None:
        return 0
    scale = _scale_of(w, view)
    if scale is None or scale.space != view.space:
        return None
    group = _group(view, scale, factor)
    if view.type.is_float:
        good = view.bits <= 8 and scale.dtype == "e8m0" and group == load().limit("mx_group")
    else:
        good = scale.dtype in ("fp32", "bf16", "fp16") and group is not None and group % 16 == 0
    return group if good else None


def _scales_fit(w: Operation, a: View, b: View) -> bool:
    factor = 2 if w.word.name == "MMSP" else 1
    left, right = _scales_of_operand(w, a, 1), _scales_of_operand(w, b, factor)
    if left is None or right is None:
        return False
    weights = not b.type.is_float and a.type.is_float
    if weights and (left or not right):
        return False
    integers = not a.type.is_float
    return not (integers and (left or right)) and (not left or not right or left == right)


def _has_meta(w: Operation, b: View) -> bool:
    number = b.descriptor.meta
    if number is None or number >= len(w.block.descriptors):
        return False
    meta = w.block.descriptors[number]
    kept, red = 1, 1
    for i, dim in enumerate(meta.dims):
        if i < meta.split:
            kept *= dim.size
        else:
            red *= dim.size
    return meta.dtype == "sp24" and meta.space == b.space and (kept, red * 2) == (b.kept, b.red)


def _has_scale(w: Operation, view: View) -> bool:
    return bool(_scales_of_operand(w, view, 1))


def _exchanged(w: Operation, d: View, a: View) -> bool:
    if d.rank < 2 or a.rank != d.rank:
        return False
    return (*d.sizes[:-2], d.sizes[-1], d.sizes[-2]) == a.sizes


def _acc_aligned(w: Operation, view: View) -> bool:
    """Rows of accumulators start at whole block rows, columns lie next to each other."""
    d = view.descriptor
    row = w.machine.int("ttu.block") * 4
    steps = [dim.step * d.axes[dim.axis].stride for dim in d.dims]
    moving = [(i, step) for i, step in enumerate(steps) if d.dims[i].size > 1]
    rows_good = all(step % row == 0 for i, step in moving if i < d.split)
    columns = [step for i, step in moving if i >= d.split]
    columns_good = not columns or (columns[-1] == 4 and all(s % row == 0 for s in columns[:-1]))
    origin = d.base + sum(axis.start * axis.stride for axis in d.axes)
    for term in d.terms:
        if term.target == "home":
            continue
        unit = 1 if term.target == "bytes" else d.axes[int(term.target[-1])].stride
        columns_good = columns_good and term.coef * unit % row == 0
    return rows_good and columns_good and origin % row == 0


def _chain_operands(w: Operation) -> list[View]:
    return [v for name in "abc" if (v := w.views.get(name)) is not None]


def _chain_types(w: Operation, number: int) -> bool:
    chain = w.chain(number)
    result = w.views.get("d")
    operands = _chain_operands(w)
    if load().dtypes[chain.dtype].is_float:
        ints = {t.name for t in load().dtypes.values() if t.is_int}
        allowed = {*_TO_FLOAT, *ints}
        return all(v.dtype in allowed for v in operands) and (
            result is None or result.dtype in allowed
        )
    good = all(not v.type.is_float and v.type.kind in ("int", "bool") for v in operands)
    return good and (result is None or result.type.kind in ("int", "bool"))


def _drain_chain(w: Operation, number: int) -> bool:
    chain = w.chain(number)
    stages = load().stages
    return (
        chain.dtype == "fp32"
        and all(stages[step.op].drain for step in chain.steps)
        and chain.stat in ("none", "sum", "max", "absmax")
    )


def _has_stat(w: Operation, number: int) -> bool:
    return w.chain(number).stat != "none"


def _family(view: View) -> str:
    """float, or int for integers and bool."""
    return "float" if view.type.is_float else "int" if view.type.kind in ("int", "bool") else "none"


def _reduce_types(w: Operation, d: View, a: View, op: str) -> bool:
    if op in ("argmax", "argmin"):
        return d.dtype in ("int32", "int64") and _family(a) != "none"
    same = _family(d) == _family(a) != "none"
    return same and (d.dtype != "bool" or (a.dtype == "bool" and op in ("max", "min")))


def _convertible(w: Operation, d: View, a: View) -> bool:
    kinds = {d.type.kind, a.type.kind}
    return not kinds & {"meta", "scale"} and all(
        not v.type.packed or v.n == 0 or v.bit_step(v.rank - 1) == v.bits for v in (d, a) if v.rank
    )


def _same_type(w: Operation, d: View, a: View) -> bool:
    return d.dtype == a.dtype or (a.space == "acc" and a.dtype == "fp32" and d.type.is_float)


def _float_chain(w: Operation, number: int) -> bool:
    chain: Chain = w.chain(number)
    return load().dtypes[chain.dtype].is_float


PREDICATES: dict[str, Callable[..., Any]] = {
    "pair": _pair,
    "scales_fit": _scales_fit,
    "has_meta": _has_meta,
    "has_scale": _has_scale,
    "has_stat": _has_stat,
    "no_stat": lambda w, number: not _has_stat(w, number),
    "exchanged": _exchanged,
    "acc_aligned": _acc_aligned,
    "chain_types": _chain_types,
    "drain_chain": _drain_chain,
    "float_chain": _float_chain,
    "reduce_types": _reduce_types,
    "scan_types": lambda w, d, a: _family(d) == _family(a) != "none",
    "convertible": _convertible,
    "same_type": _same_type,
}
