"""Runs a program natively and says what became of the process's pages.

``python -m native.pages`` prints whether more of them are executable than before, and whether more
are executable and writable at once.
"""

from __future__ import annotations

from pathlib import Path

from house.run_programs import DEMO
from maiacc_isa.asm import assemble
from maiacc_sim.machine import Limits
from maiacc_sim.native.machine import NativeMachine
from maiacc_sim.tensors import random_inputs


def pages() -> tuple[int, int]:
    """How many stretches of memory are executable but no file, and how many are writable, too."""
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    rights = [line[1] for line in lines if len(line) < 6 or not line[5].startswith("/")]
    code = [right for right in rights if "x" in right]
    return len(code), sum("w" in right for right in code)


def main() -> None:
    """Looks before and after a run."""
    program = assemble(DEMO)
    code, both = pages()
    NativeMachine(program, Limits(), 1).execute(random_inputs(program, 0), {})
    more_code, more_both = pages()
    print("executable", "more" if more_code > code else "same")
    print("both", "more" if more_both > both else "same")


if __name__ == "__main__":
    main()
