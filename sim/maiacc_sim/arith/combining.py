"""How a new element meets the one in memory: scatters and additions to memory."""

from __future__ import annotations

from maiacc_isa.load import load
from maiacc_isa.tables import Chain, Step
from maiacc_sim.arith.chains import leave, run
from maiacc_sim.arith.floats import Array


def combine(op: str, old: Array, new: Array, dtype: str) -> Array:
    """old op new in fp32, rounded once to ``dtype``, or in integers that wrap; ``set`` is new."""
    if op == "set":
        return new
    kind = "fp32" if load().dtypes[dtype].is_float else dtype
    chain = Chain(kind, (Step(op, ("a", "b")),))
    return leave(chain, run(chain, [(old, dtype), (new, dtype)]), dtype)
