"""What each row's meaning does, by name."""

from __future__ import annotations

from collections.abc import Callable

from maiacc_isa.load import load
from sim import plain_dma, plain_tensor, plain_vector
from sim.plain_words import Execution

MEANINGS: dict[str, Callable[[Execution], None]] = {
    "copy": plain_dma.copy,
    "put": plain_dma.copy,
    "putm": plain_dma.copy,
    "copyt": plain_dma.copyt,
    "fill": plain_dma.fill,
    "radd": plain_dma.radd,
    "putadd": plain_dma.radd,
    "gather": plain_dma.gather,
    "scatter": plain_dma.scatter,
    "vgather": plain_dma.gather,
    "vscatter": plain_dma.scatter,
    "mm": plain_tensor.mm,
    "mmsp": plain_tensor.mm,
    "accld": plain_tensor.accld,
    "accst": plain_tensor.accst,
    "vmap": plain_vector.vmap,
    "vmapr": plain_vector.vmap,
    "vred": plain_vector.vred,
    "vscan": plain_vector.vscan,
    "vquant": plain_vector.vquant,
    "vdeq": plain_vector.vdeq,
    "vcvt": plain_vector.vcvt,
    "vsel": plain_vector.vsel,
    "viota": plain_vector.viota,
    "vtopk": plain_vector.vtopk,
    "vsort": plain_vector.vsort,
    "assert": plain_vector.check,
    "sync": lambda x: None,
    "grant": lambda x: None,
    "barrier": lambda x: None,
}

assert set(MEANINGS) == {row.meaning for row in load().insns.values() if not row.control}
