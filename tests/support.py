"""Helpers of the tests: programs, and commands run as a user runs them."""

from __future__ import annotations

import importlib
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from maiacc_isa.asm import assemble
from maiacc_isa.program import Program

ROOT = Path(__file__).resolve().parent.parent

PATHS = os.pathsep.join(str(ROOT / folder) for folder in ("", "isa", "passes", "sim"))


@dataclass(frozen=True)
class Outcome:
    """What a command did: exit code, output, and what it used."""

    code: int
    out: str
    err: str
    cpu_seconds: float
    peak_bytes: int


def maiacc(*arguments: str, cwd: Path | None = None, limit: float = 60.0) -> Outcome:
    """Runs the command line in a child process."""
    return run([sys.executable, "-m", "maiacc.cli", *arguments], cwd, limit)


def run(command: list[str], cwd: Path | None = None, limit: float = 60.0) -> Outcome:
    """Runs a command in a child process with the checkout's packages; measures it."""
    environment = {**os.environ, "PYTHONPATH": PATHS, "NO_COLOR": "1", "COLUMNS": "100"}
    # The measurements of one child: a wrapper prints them as the last line of its own output.
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "sys.stdout.buffer.write(done.stdout); sys.stderr.buffer.write(done.stderr)\n"
        "sys.stderr.write(f'\\n{done.returncode} {used.ru_utime + used.ru_stime} {used.ru_maxrss}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        capture_output=True,
        text=True,
        errors="replace",
        cwd=cwd,
        env=environment,
        timeout=limit,
        check=False,
    )
    err, _, last = done.stderr.rpartition("\n")
    exit_code, cpu, peak = last.split()
    return Outcome(int(exit_code), done.stdout, err, float(cpu), int(peak) * 1024)


def kernel(name: str, target: str, sizes: dict[str, int]) -> Program:
    """A program of ``examples/mist``, with some of its sizes changed."""
    folder = str(ROOT / "examples" / "mist")
    if folder not in sys.path:
        # Modules of the folder import each other by their plain names.
        sys.path.append(folder)
    module = importlib.import_module(name)
    text = module.source(target, **module.SIZES[target] | sizes)
    return assemble(text, f"{name}.mist")


def limit_memory(size: int) -> None:
    """Caps the address space of this process, in bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
