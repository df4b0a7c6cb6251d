"""``maiacc run``."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import PurePath
from typing import Any

import click

from maiacc.files import STANDARD
from maiacc.running.arrays import write_arrays
from maiacc.running.asking import Request, request, shared_options
from maiacc.running.prepare import check_outputs, prepare
from maiacc.running.scalar_logs import write_log
from maiacc.running.sources import document
from maiacc.running.summary import summary
from maiacc_isa.errors import MaiaccError, Place, quote
from maiacc_sim.simulate import LEVELS, Result
from maiacc_sim.trace.write import ENDINGS, write_trace


@click.command(name="run")
@shared_options
@click.option("--output", metavar="FILE.npz", help="Write the outputs.")
@click.option("--save-log", metavar="FILE", help="Write the scalars that the program loaded.")
@click.option("--sanitize", is_flag=True, help="Look for accesses that nothing orders.")
@click.option(
    "--trace", metavar="FILE", help=f"Write a trace; the ending says which: {', '.join(ENDINGS)}."
)
@click.option(
    "--trace-level", type=click.Choice(LEVELS), default="instruction", show_default=True,
    help="What the slices of the trace are.",
)  # fmt: skip
@click.option("--trace-window", metavar="A:B", help="Only cycles A to B-1; either may be left out.")
@click.option("--debug", is_flag=True, help="Step through the program instead.")
def command(
    output: str | None,
    save_log: str | None,
    sanitize: bool,
    trace: str | None,
    trace_level: str,
    trace_window: str | None,
    debug: bool,
    as_json: bool,
    **shared: Any,
) -> None:
    """Run PROG, a program file (.maia), a text (.mist), or a model (.onnx), which is compiled
    first: its values, and the cycles they take.

    Inputs are arrays of numpy; --random SEED makes up what is not given. The cycles are printed
    beside the lower bound, with what the queues waited for. Exits with 6 for a trap, a deadlock
    or an exhausted budget. PROG may be -, standard input.
    """
    asked = request(**shared)
    if asked.timing_only and (output or save_log or sanitize or debug):
        raise click.UsageError("--timing-only leaves out what this option needs: values")
    if asked.log is not None and not asked.timing_only:
        raise click.UsageError("--log goes with --timing-only; values give their own scalars")
    if debug and (output or save_log or sanitize or trace or as_json):
        raise click.UsageError("--debug steps through the program and writes nothing")
    if trace is None and trace_window is not None:
        raise click.UsageError("--trace-window goes with --trace")
    window = _window(trace, trace_window)
    check_outputs(asked, [output, save_log, trace])
    if debug:
        _debug(asked)
        return
    job = prepare(asked, values=not asked.timing_only, record=trace is not None, sanitize=sanitize)
    result = job.run()
    _write(result, output, save_log)
    if trace is not None:
        write_trace(result.recording(trace_level), trace, window, trace_level)
    if as_json:
        click.echo(json.dumps(document(result)))
        return
    for number, line in enumerate(summary(result, asked.source)):
        click.echo(click.style(line, bold=not number))
    for path in (output, save_log, trace):
        if path is not None:
            click.echo(f"  wrote    {quote(path)}")


def _write(result: Result, output: str | None, save_log: str | None) -> None:
    if output is not None:
        write_arrays(output, result.outputs)
    if save_log is not None and result.executed is not None:
        write_log(save_log, result.program, result.executed.log)


def _debug(asked: Request) -> None:
    """Hands the program over to the step debugger."""
    if asked.source == STANDARD:
        raise click.UsageError("--debug reads its commands from standard input, not the program")
    job = prepare(asked, values=True, record=True, engine="reference")
    importlib.import_module("maiacc.debugging.shell").start(
        job.session.program, job.inputs, job.parameters, job.session.options.limits
    )


def _window(trace: str | None, text: str | None) -> tuple[int, int] | None:
    """The cycles to show. Raises ``MaiaccError`` E1209 for a window or file that cannot be."""
    if trace is not None and PurePath(trace).suffix.lower() not in ENDINGS:
        raise MaiaccError(
            "E1209",
            "the name does not say which kind of trace to write",
            place=Place(file=trace),
            expected=f"a name that ends in {', '.join(ENDINGS)}",
            hint=".pftrace opens in Perfetto, .json in Chrome's viewer too, .txt is for grep",
        )
    if text is None:
        return None
    match = re.fullmatch(r"(\d{0,18}):(\d{0,18})", text)
    begin, end = (int(match[1] or 0), int(match[2] or 10**18)) if match else (0, 0)
    if begin >= end:
        raise MaiaccError(
            "E1209",
            "this is no window of cycles",
            expected="A:B with A below B, such as 0:1000",
            found=quote(text),
        )
    return begin, end
