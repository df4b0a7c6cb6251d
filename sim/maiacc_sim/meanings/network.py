"""Words of the network queues, and SYNC. Which chips d lies on the executor has settled."""

from __future__ import annotations

from maiacc_sim.meanings.dma import copy, radd
from maiacc_sim.meanings.registry import Context, Meaning
from maiacc_sim.operand import Operand


def put(w: Context, d: Operand, a: Operand) -> None:
    """d at the peer [i] = a[i]"""
    copy(w, d, a)


def putadd(w: Context, d: Operand, a: Operand) -> None:
    """d at the peer [i] = d at the peer [i] + a[i]"""
    radd(w, d, a)


def putm(w: Context, d: Operand, a: Operand) -> None:
    """d at every peer [i] = a[i]"""
    copy(w, d, a)


def grant(w: Context) -> None:
    """Moves nothing."""


def barrier(w: Context) -> None:
    """Moves nothing."""


def sync(w: Context) -> None:
    """Moves nothing."""


MEANINGS: tuple[Meaning, ...] = (put, putadd, putm, grant, barrier, sync)
