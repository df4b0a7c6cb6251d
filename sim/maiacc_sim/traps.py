"""What stops a running program: traps of the machine, and exhausted budgets."""

from __future__ import annotations

from maiacc_isa.errors import MaiaccError, Place
from maiacc_isa.load import load


class Stopped(MaiaccError):  # noqa: N818
    """A run that could not be carried to its end."""

    exit_code = 6


class Trap(Stopped):
    """A trap of the machine, by its name in the rows.

    Whoever finds it gives the reason; ``at`` adds instruction, iteration, instance and source.
    """

    def __init__(
        self, name: str, message: str, *, expected: str | None = None, found: str | None = None
    ) -> None:
        row = load().traps[name]
        super().__init__(row.code, message, expected=expected, found=found)
        self.name = name
        self.where: str | None = None

    def at(self, place: Place, where: str, node: str | None) -> Trap:
        """The same trap with where it happened; the innermost place wins."""
        if self.place is None:
            self.place, self.where, self.node = place, where, node
            self.message = f"trap {self.name}: {self.message} ({where})"
        return self


def budget(cycles: int) -> Stopped:
    """The end of a run that takes too long."""
    return Stopped(
        "E1206",
        "the run takes more cycles than it may",
        expected=f"at most {cycles:,} cycles",
        hint="raise --max-cycles",
    )
