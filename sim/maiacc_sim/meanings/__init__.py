"""What each engine word does to memories: one function for each meaning that the rows name."""

from __future__ import annotations

from maiacc_sim.meanings import dma, network, tensor, vector
from maiacc_sim.meanings.registry import table

#: Meanings by the names of the rows.
MEANINGS = table(dma.MEANINGS, tensor.MEANINGS, vector.MEANINGS, network.MEANINGS)
