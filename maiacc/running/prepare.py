"""What ``run`` and ``profile`` share: their options, and what they prepare from them."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from maiacc.files import not_the_input, read_program
from maiacc.running.asking import Request, is_model
from maiacc.running.inputs import Arrays, gather_inputs
from maiacc.running.scalar_logs import read_log
from maiacc_isa.container import check_weights
from maiacc_isa.errors import MaiaccError, Place
from maiacc_isa.program import Program
from maiacc_sim.machine import Limits
from maiacc_sim.scalar_log import check_parameters, times_depend_on_data
from maiacc_sim.simulate import (
    Options,
    Result,
    Session,
    check,
    expected_seconds,
    expected_work,
)
from maiacc_sim.traps import Stopped

#: Runs that are expected to take longer say so, in seconds.
PATIENCE = 60

#: Words of which a recording is made at most; each takes some 500 bytes with its trace.
MAX_RECORDED = 10_000_000


@dataclass
class Job:
    """A program ready to run."""

    session: Session
    inputs: Arrays
    parameters: dict[str, int]

    def run(self) -> Result:
        """Runs it, and says on standard error what a user should know about the run."""
        result = self.session.run(self.inputs, self.parameters)
        for notice in result.notices:
            click.echo(f"note: {notice}", err=True)
        return result


def prepare(
    asked: Request,
    *,
    values: bool | None,
    record: bool = False,
    sanitize: bool = False,
    engine: str | None = None,
) -> Job:
    """Reads program and inputs, and says how long it will take if that is long.

    ``values`` None computes them if times depend on them and inputs are given. ``engine`` takes the
    place of the one asked for.
    Raises ``MaiaccError`` for all that is wrong with them.
    """
    program = _program(asked, values is not False)
    check(program)
    check_parameters(program, asked.parameters)
    inputs: Arrays = {}
    if values is None:
        values = asked.gives_inputs and times_depend_on_data(program)
    if values or asked.gives_inputs:
        inputs = gather_inputs(program, asked.files, asked.archive, asked.seed, asked.max_memory)
    if values and not is_model(asked.source):
        for name in {str(w.file) for w in program.weights.values() if w.file == program.file}:
            check_weights(name)
    log = read_log(asked.log, program) if asked.log is not None else None
    options = Options(
        values=values,
        sanitize=sanitize,
        record=record,
        skip=not asked.no_skip,
        limits=Limits(asked.max_cycles, asked.max_memory),
        log=log,
        engine=engine or asked.engine,
        threads=asked.threads,
    )
    with patience("proving the program; the next run will find it proven"):
        session = Session(program, options)
    if values or record:
        _announce(asked, session)
    return Job(session, inputs, asked.parameters)


def _program(asked: Request, values: bool) -> Program:
    """The program that is asked for; that of a model is made."""
    if not is_model(asked.source):
        return read_program(asked.source, asked.target)
    precision = asked.precision or "model"
    models = importlib.import_module("maiacc.running.models")
    found: Program = models.compiled(
        asked.source, asked.target, asked.shapes, asked.binds, precision, values
    )
    return found


@contextmanager
def patience(text: str) -> Iterator[None]:
    """Says on standard error, if it is a terminal, what it is that takes longer than a second."""
    timer = threading.Timer(1.0, click.echo, [text], {"err": True})
    if sys.stderr.isatty():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _announce(asked: Request, session: Session) -> None:
    """Refuses what cannot be recorded, and says on standard error what takes long."""
    program, options = session.program, session.options
    try:
        work = expected_work(program, asked.parameters, asked.max_cycles)
    except MaiaccError:
        if times_depend_on_data(program):
            return  # what scalars are loaded decides
        raise
    if options.record and work.instructions > MAX_RECORDED and not times_depend_on_data(program):
        raise Stopped(
            "E1206",
            "the run has too many words to keep each of them",
            expected=f"at most {MAX_RECORDED:,}",
            found=f"{work.instructions:,}",
            hint="run a smaller program, or without --trace and --critical",
        )
    seconds = expected_seconds(work, session.engine) if options.values else 0
    if seconds > PATIENCE:
        click.echo(
            f"computing the values will take about {_duration(seconds)}: {work.instructions:,} "
            f"words, {work.macs:,} macs (--timing-only leaves them out)",
            err=True,
        )


def _duration(seconds: float) -> str:
    for name, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {name}"
    return f"{seconds:.0f} seconds"


def check_outputs(asked: Request, outputs: list[str | None]) -> None:
    """Refuses files to write that are inputs, each other, or in no folder. Raises E0003."""
    read = [asked.source, *(path for _, path in asked.files), asked.archive, asked.log]
    seen: set[str] = set()
    for output in outputs:
        if output is None:
            continue
        for path in read:
            if path is not None:
                not_the_input(output, path)
        real = os.path.realpath(output)
        folder = os.path.dirname(real)
        if real in seen:
            raise MaiaccError("E0003", "two outputs have this name", place=Place(file=output))
        if not os.path.isdir(folder) or os.path.isdir(real):
            problem = "it is a folder" if os.path.isdir(real) else "there is no such folder"
            raise MaiaccError("E0003", f"cannot be written: {problem}", place=Place(file=output))
        seen.add(real)
