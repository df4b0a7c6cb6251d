"""Where a program lies between what the machine computes and what its HBM moves."""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_isa.load import load
from maiacc_isa.program import Program
from maiacc_sim.bounds import multiplies
from maiacc_sim.simulate import Result

#: Operations of a multiplication with its addition.
OPS_PER_MAC = 2


@dataclass(frozen=True)
class Roofline:
    """``intensity`` is macs for each byte of HBM traffic; ``balance`` that of the machine, by the
    rate of the types multiplied: below it HBM is what limits. ``macs_per_cycle`` were done, of
    ``peak`` at the fastest rate the program uses; peaks are those of all chips."""

    macs: int
    hbm_bytes: int
    intensity: float | None
    balance: dict[str, float]
    macs_per_cycle: float
    peak: float

    @property
    def side(self) -> str:
        """Which side of the machine's balance the program is on: ``hbm`` or ``compute``."""
        balance = max(self.balance.values(), default=0.0)
        return "hbm" if self.intensity is not None and self.intensity < balance else "compute"


def roofline(result: Result) -> Roofline:
    """The position of a run."""
    totals, machine = result.timed.totals, result.program.machine
    moved = totals.read["hbm"] + totals.written["hbm"]
    bandwidth = machine.int("hbm.bytes_per_cycle") * float(machine["hbm.efficiency"])
    peaks = {
        rate: machine.peak(rate) / OPS_PER_MAC / float(machine["clock.hz"])
        for rate in sorted(rates(result.program))
    }
    return Roofline(
        totals.macs,
        moved,
        totals.macs / moved if moved else None,
        {rate: peak / bandwidth for rate, peak in peaks.items()},
        totals.macs / result.cycles if result.cycles else 0.0,
        max(peaks.values(), default=0.0) * machine.chips,
    )


def rates(program: Program) -> set[str]:
    """Rates of the tensor unit that the matrix products of a program run at."""
    found = set()
    for block in program.blocks:
        for word in block.words:
            if multiplies(word.row):
                left, right = (block.descriptors[word[name]].dtype for name in "ab")
                found |= {p.rate for p in load().pairs if left in p.left and right in p.right}
    return found
