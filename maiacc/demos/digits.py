"""A small classifier of real handwritten digits, from its ONNX file to cycles: ``maiacc demo``.

Model and digits come with the package; ``examples/digits/train.py`` made them. The digits are held
out: the model was trained on others.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from maiacc.compiling.build import Built, Watch, build
from maiacc.compiling.progress import progress
from maiacc.demos.shown import indented, step, trace_path
from maiacc.frontend.load import Loaded, load_model
from maiacc.frontend.model import Settings
from maiacc.options import CompileOptions
from maiacc.output import write_atomically
from maiacc.running.sources import sources
from maiacc.running.summary import percent, summary
from maiacc_isa.container import open_program, save
from maiacc_isa.errors import InternalError, printable
from maiacc_isa.machine import load_machine
from maiacc_sim.simulate import Options, Result, simulate
from maiacc_sim.trace.write import write_trace

#: Files of the package, as they are kept for a user, too.
MODEL, PICTURES, LABELS = "digits.onnx", "digits.npz", "digits-labels.npy"

#: What the program and the trace are called.
PROGRAM, TRACE = "digits.maia", "digits.pftrace"

#: Width and height of a picture, and its largest pixel.
SIDE, WHITE = 8, 16

#: A pixel from dark to bright.
SHADES = " .:*#"

#: Pictures and nodes shown.
SHOWN, NODES = 6, 5

#: Fewer digits than this share are right only if something is wrong.
WORST = 0.9


def show(target: str, output: str | None) -> None:
    """Compiles, proves and runs it on all digits; shows how many are right, where the cycles went,
    and writes a trace. A folder named ``output`` keeps all files.

    Raises ``MaiaccError`` E0003 for a folder that is not there, and what compiling raises.
    """
    trace = trace_path(output, TRACE)
    pictures, labels = _digits()
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(output or folder)
        _files(kept)
        _show(kept, target, pictures, labels, trace)
    if output is not None:
        names = ", ".join(str(kept / name) for name in (MODEL, PICTURES, LABELS, PROGRAM))
        click.echo(f"\nkept {printable(names)} and {printable(str(trace))}")
    click.echo(
        "\nGo on with: maiacc demo -o . ; maiacc run digits.maia --inputs digits.npz ; "
        "maiacc demo --mist"
    )


def _digits() -> tuple[NDArray[Any], NDArray[Any]]:
    data = files("maiacc.data")
    with data.joinpath(PICTURES).open("rb") as file, np.load(file) as archive:
        pictures = archive["image"]
    with data.joinpath(LABELS).open("rb") as file:
        return pictures, np.load(file)


def _files(folder: Path) -> None:
    for name in (MODEL, PICTURES, LABELS):
        write_atomically(str(folder / name), [files("maiacc.data").joinpath(name).read_bytes()])


def _show(
    folder: Path, target: str, pictures: NDArray[Any], labels: NDArray[Any], trace: Path
) -> None:
    loaded = load_model(folder / MODEL)
    built = _built(replace(loaded, file=MODEL), target, len(pictures))
    machine = built.program.machine
    tiles = f"{machine.clusters} clusters of {machine.tiles} tiles"
    click.echo(f"{MODEL} on {machine.name}, {tiles}: {len(pictures)} digits at once\n")
    program = built.program
    words = sum(len(block.words) for block in program.blocks)
    kernels = len(built.compiled.placed.plan.kernels)
    step(1, "compiled", f"{built.nodes} nodes -> {kernels} kernels -> {words} words")
    path = folder / PROGRAM
    save(program, str(path))
    click.echo(indented(f"{built.macs_graph:,} multiply-adds; {path.stat().st_size:,} bytes"))
    step(2, "proven", "ends, without a race, without reading what nothing has written")
    inputs = {"image": pictures}
    opened = replace(open_program(str(path)), file=PROGRAM)
    result = simulate(opened, inputs, options=Options(record=True))
    found = result.outputs["digit"]
    right = int((found == labels).sum())
    step(3, "run", f"{right} of {len(labels)} held-out digits are right: {right / len(labels):.1%}")
    if right < WORST * len(labels):
        raise InternalError("E0001", "the classifier of the demo does not recognise digits")
    click.echo(indented(_pictures(pictures, found, labels)))
    step(4, "timed", f"{result.cycles:,} cycles, {result.cycles / len(labels):.1f} for a digit")
    click.echo(indented("\n".join(summary(result, PROGRAM)[1:-1])))
    step(5, "explained", "where the cycles of all queues went")
    click.echo(indented("\n".join(_nodes(result))))
    write_trace(result.recording(), str(trace))
    step(6, "traced", f"{printable(str(trace))}; open it at ui.perfetto.dev")


def _built(loaded: Loaded, target: str, batch: int) -> Built:
    settings = Settings(dims={"batch": batch})
    with progress(f"compiling {MODEL}") as tell:
        return build(loaded, settings, load_machine(target), CompileOptions(target), Watch(tell))


def _pictures(pictures: NDArray[Any], found: NDArray[Any], labels: NDArray[Any]) -> str:
    """Some pictures beside each other: the first one that is not recognised, and others."""
    wrong = np.flatnonzero(found != labels)[:1]
    chosen = [*range(SHOWN - len(wrong)), *wrong]
    rows = []
    for row in range(SIDE):
        parts = []
        for number in chosen:
            pixels = pictures[number].reshape(SIDE, SIDE)[row]
            shades = [SHADES[int(pixel) * (len(SHADES) - 1) // WHITE] for pixel in pixels]
            parts.append("".join(shade * 2 for shade in shades))
        rows.append(" ".join(parts).rstrip())
    titles = [
        f"{found[n]}" if found[n] == labels[n] else f"{found[n]}, but it is {labels[n]}"
        for n in chosen
    ]
    rows.append(" ".join(f"{title:<{2 * SIDE}}" for title in titles).rstrip())
    return "\n".join(rows)


def _nodes(result: Result) -> list[str]:
    """The most expensive nodes, and what is of no node."""
    found = sources(result)
    rows = [(name, spent.total) for name, spent in found.rows]
    shown, rest = rows[:NODES], sum(cycles for _, cycles in rows[NODES:])
    shown += [
        ("other nodes", rest),
        *found.overhead.items(),
        ("no words in the queue", found.empty),
    ]
    return [f"{percent(n / found.total):>5} {printable(name)}" for name, n in shown if n]
