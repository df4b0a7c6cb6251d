"""What the compiler refuses, as users see it."""

from __future__ import annotations

from maiacc_isa.errors import MaiaccError, Place
from maiacc_passes.ir.errors import IRError

#: What a command exits with when the compiler refuses a model: 2 not supported, 3 does not fit.
EXIT_CODES = {"E1501": 2, "E1502": 3, "E1503": 3, "E1504": 2, "E1505": 2}


def refusal(problem: IRError, file: str = "") -> MaiaccError:
    """A refusal with the file and the node, and what a command exits with for it."""
    found = MaiaccError(
        problem.code,
        problem.message,
        place=Place(file=file) if file else None,
        node=", ".join(problem.nodes) or None,
        expected=problem.expected,
        found=problem.found,
        hint=problem.hint,
    )
    found.exit_code = EXIT_CODES.get(problem.code, 1)
    return found
