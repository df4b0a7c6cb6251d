"""The records of number formats."""

from __future__ import annotations

from typing import Any

from maiacc_isa.formats import largest_bits, nan_bits
from maiacc_isa.load import load
from maiacc_isa.spec import DType
from maiacc_sim.native import records
from maiacc_sim.native.arrays import Records, blank

_KINDS = {"float": 0, "int": 1, "bool": 2, "scale": 3, "meta": 4}


def signed(value: int) -> int:
    """The low 64 bits of a number as a signed one."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


# ---- formats ------------------------------------------------------------------------------
def formats() -> Records:
    """Every number format, by code."""
    rows = load().dtypes.values()
    result = blank(records.Format, 1 + max(t.code for t in rows))
    for t in rows:
        f = result[t.code]
        f["kind"], f["bits"], f["packed"] = _KINDS[t.kind], t.bits, t.packed
        f["signed"] = t.signed
        f["exponent"], f["mantissa"], f["bias"] = t.exponent, t.mantissa, t.bias
        f["inf"] = t.inf
        _limits(t, f)
    return result


def _limits(t: DType, f: Any) -> None:
    if t.is_float:
        f["nan"] = -1 if t.nan == "none" else nan_bits(t)
        f["largest"] = largest_bits(t)
    elif t.is_int:
        f["low"], f["high"] = t.low, signed(t.high)
