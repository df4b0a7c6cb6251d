"""What a program will do and how long that will take, without running it."""

from __future__ import annotations

from collections.abc import Mapping

from maiacc_isa.program import Program
from maiacc_sim.bounds import Totals, totals
from maiacc_sim.counts import count
from maiacc_sim.scalar_log import Scalars, check_parameters

#: Seconds that values take for each executed word, multiplication, and byte read or written.
#: Compared with some ten runs of the kernels in examples/mist: within a factor of about two, but
#: for 4-bit weights with scales, which take five times as long.
SECONDS = {
    "reference": (3.4e-4, 2e-9, 1e-8),
    "native": (5e-7, 2e-11, 3e-10),
}


def expected_work(
    program: Program, parameters: Mapping[str, int], most: int | None = None
) -> Totals:
    """What a program whose words are legal does if unknown scalars have their highest values.

    Raises ``Stopped`` E1206 if it needs more than ``most`` cycles for control words alone.
    """
    scalars = Scalars(check_parameters(program, parameters))
    return totals(program, count(program, scalars, most))


def expected_seconds(work: Totals, engine: str) -> float:
    """How long a simulator will take to compute the values of that much work, roughly."""
    word, mac, byte = SECONDS[engine]
    moved = work.read.total() + work.written.total()
    return work.instructions * word + work.macs * mac + moved * byte
