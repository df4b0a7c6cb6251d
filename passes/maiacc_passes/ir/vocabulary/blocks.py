"""Numbers that share a scale with their neighbours: OCP MX formats, and products of them.

Groups of 32 elements along the last axis have one scale, a power of two. The last axis goes on with
zeros to a multiple of 32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import floats_only, need, wrong
from maiacc_passes.ir.table import OPS, Attr, Attrs, Kind, Row, Types
from maiacc_passes.ir.types import ELEMENTS, tensor
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run

#: Elements that share a scale.
GROUP = 32

#: Element types, the exponent of each type's largest power of two, and its largest number.
FORMATS = {"e4m3": (8, 448.0), "e5m2": (15, 57344.0), "e2m1": (2, 6.0)}


def padded_size(size: int) -> int:
    """The next multiple of a group."""
    return -(-size // GROUP) * GROUP


def scaled(x: Array, to: str) -> tuple[Array, Array]:
    """Elements divided by the scales of their groups and saturated, not yet rounded, and the
    scales. A group with NaN or an infinity has the scale NaN and elements 0."""
    room = padded_size(x.shape[-1]) - x.shape[-1]
    wide = np.concatenate([x, np.zeros((*x.shape[:-1], room), x.dtype)], -1)
    groups = wide.reshape(*wide.shape[:-1], wide.shape[-1] // GROUP, GROUP)
    most = np.abs(groups).max(-1, initial=0)
    top, largest = FORMATS[to]
    good = np.isfinite(most)
    exponent = np.frexp(np.where(good & (most > 0), most, 1.0))[1] - 1 - top
    exponent = np.where(most > 0, np.clip(exponent, -127, 127), -127)
    scales = np.where(good, np.ldexp(np.ones_like(most), exponent), np.nan)
    values = np.ldexp(np.where(good[..., None], groups, 0), -exponent[..., None])
    return np.clip(values, -largest, largest).reshape(wide.shape), scales


def _quantize_rule(attrs: Attrs, types: Types) -> Sequence[Any]:
    kind = need(types, 0)
    floats_only(kind)
    if attrs["to"] not in FORMATS or kind.rank < 1 or kind.counts:
        raise wrong("blocks of 32 along the last axis", kind, expected=", ".join(FORMATS))
    size = padded_size(kind.shape[-1])
    values = (*kind.shape[:-1], size)
    return tensor(attrs["to"], values), tensor("e8m0", (*kind.shape[:-1], size // GROUP))


def _quantize(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    values, scales = scaled(arrays[0], str(op.attrs["to"]))
    element = ELEMENTS[str(op.attrs["to"])]
    # Rounded here, so that a lifted run has the numbers of the format, too.
    return values.astype(element.numpy).astype(values.dtype), scales


def dequantized(values: Array, scales: Array, dtype: Any) -> Array:
    """The numbers."""
    found: Array = values.astype(dtype) * np.repeat(scales.astype(dtype), GROUP, axis=-1)
    return found


def _contract_rule(attrs: Attrs, types: Types) -> Sequence[Any]:
    a, sa, b, sb = (need(types, n) for n in range(4))
    left, right, out = split_spec(attrs["spec"])
    if not left or not right or left[-1] != right[-1] or left[-1] in out:
        expected = "the last axis of both operands summed, such as bmk,nk->bmn"
        raise IRError("E1401", "attribute spec", expected=expected, found=attrs["spec"])
    for kind, scales in ((a, sa), (b, sb)):
        if kind.rank < 1:
            raise wrong("there is no last axis", kind, expected="blocks of 32 along the last axis")
        wanted = tensor("e8m0", (*kind.shape[:-1], kind.shape[-1] // GROUP))
        if kind.dtype not in FORMATS or kind.shape[-1] % GROUP or scales is not wanted:
            raise wrong("elements and scales do not fit", kind, scales, expected=str(wanted))
    wide = [kind.with_dtype("fp32") for kind in (a, b)]
    return OPS["contract"].result_types(attrs, [*wide, *types[4:]])


def _contract(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    a, sa, b, sb, *bias = arrays
    dtype = run.wide(ELEMENTS["fp32"])
    meaning = OPS["contract"].meaning
    assert meaning is not None
    wide = [dequantized(a, sa, dtype), dequantized(b, sb, dtype)]
    found = meaning(run, op, [*wide, *bias])
    assert isinstance(found, np.ndarray)
    return found


def _macs(op: Op) -> int:
    sizes: dict[str, int] = {}
    operands = [op.operands[0], op.operands[2]]
    for letters, value in zip(split_spec(str(op.attrs["spec"])), operands, strict=False):
        assert value is not None
        sizes.update(zip(letters, value.type.shape, strict=True))
    return int(np.prod(list(sizes.values()), dtype=object))


ROWS = (
    Row(
        "block_quantize",
        Kind.BLOCK,
        ("x",),
        {"to": Attr("dtype")},
        _quantize_rule,
        "x in blocks of 32 elements of the last axis that share a power of two: the elements, and "
        "the scales. The largest magnitude of a block has the largest exponent of the type.",
        _quantize,
    ),
    Row(
        "contract_scaled",
        Kind.CONTRACT,
        ("a", "a_scales", "b", "b_scales", "bias?"),
        {"spec": Attr("str"), "to": Attr("str", "")},
        _contract_rule,
        "contract of two operands in blocks, whose last axis is summed.",
        _contract,
        macs=_macs,
    ),
)
