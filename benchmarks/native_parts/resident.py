"""Runs a saved program once and prints how much memory of the process was resident at most, in
bytes: before the run, with a machine made for it, and after it.

    python -m benchmarks.native_parts.resident FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from maiacc_isa.container import open_program
from maiacc_sim.native.machine import NativeMachine


def most() -> int:
    """Bytes that were resident at once, at most. (``ru_maxrss`` begins with the parent's.)"""
    (line,) = (x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return 1024 * int(line.split()[1])


def main(folder: Path) -> None:
    """Opens, runs, prints."""
    with np.load(folder / "inputs.npz") as file:
        given = {name: file[name] for name in file.files}
    program = open_program(str(folder / "model.maia"))
    before = most()
    NativeMachine(program, threads=1).execute(given)
    print(before, most())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
