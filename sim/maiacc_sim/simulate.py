"""``simulate``: a program with its inputs in; values, cycles and where they went out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from maiacc_isa.program import Program
from maiacc_sim.estimate import expected_seconds, expected_work
from maiacc_sim.options import ENGINES, Options
from maiacc_sim.refuse import check
from maiacc_sim.result import LEVELS, Result
from maiacc_sim.session import Session

__all__ = [
    "ENGINES",
    "LEVELS",
    "Options",
    "Result",
    "Session",
    "check",
    "expected_seconds",
    "expected_work",
    "simulate",
]


def simulate(
    program: Program,
    inputs: Mapping[str, NDArray[Any]] | None = None,
    parameters: Mapping[str, int] | None = None,
    options: Options | None = None,
) -> Result:
    """Runs a program once; a ``Session`` runs one several times.

    ``inputs`` are arrays by tensor name, ``parameters`` numbers by name. Raises ``ErrorList`` of
    what is wrong with single words, ``MaiaccError`` E1201 to E1207 for inputs, parameters and
    logs, ``Trap`` for a trap or deadlock, and ``Stopped`` E1206 beyond ``options.limits``.
    """
    return Session(program, options).run(inputs, parameters)
