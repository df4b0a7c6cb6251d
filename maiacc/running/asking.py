"""The options that ``run`` and ``profile`` share, and what was asked for with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from maiacc.options import PRECISIONS
from maiacc_sim.simulate import ENGINES

F = TypeVar("F", bound=Callable[..., Any])

#: What a run may use unless more is asked for.
MAX_CYCLES = 1_000_000_000
MAX_MEMORY = 8 << 30

#: More threads than this help nobody.
MOST_THREADS = 256

#: How names of models end.
MODEL = ".onnx"


def is_model(path: str) -> bool:
    """Whether a file is one of a model, by its name."""
    return path.lower().endswith(MODEL)


@dataclass
class Request:
    """The shared options as they were given."""

    source: str
    target: str | None
    files: tuple[tuple[str, str], ...]
    archive: str | None
    seed: int | None
    parameters: dict[str, int]
    log: str | None
    max_cycles: int
    max_memory: int
    no_skip: bool
    timing_only: bool
    engine: str
    threads: int
    shapes: tuple[str, ...]
    binds: tuple[str, ...]
    precision: str | None

    @property
    def gives_inputs(self) -> bool:
        """Whether anything was said about inputs."""
        return bool(self.files) or self.archive is not None or self.seed is not None


# ParamType has a parameter in newer versions of click only, so one of the codes is always unused.
class _Pair(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """NAME=VALUE."""

    def __init__(self, kind: type[int] | type[str], value: str) -> None:
        self.kind = kind
        self.name = f"name={value.lower()}"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, int | str]:
        name, separator, rest = str(value).partition("=")
        if not separator or not name or not rest:
            self.fail(f"{value!r} is not of the form {self.name.upper()}", param, ctx)
        try:
            return name, self.kind(rest)
        except ValueError:
            self.fail(f"{rest[:40]!r} is not a number", param, ctx)


def shared_options(command: F) -> F:
    """Adds the options that ``request`` takes."""
    positive = click.IntRange(min=1)
    decorators = [
        click.argument("source", metavar="PROG", type=click.Path(allow_dash=True)),
        click.option(
            "--input", "files", type=_Pair(str, "FILE.npy"), multiple=True, metavar="NAME=FILE.npy",
            help="The array of an input. May be given several times.",
        ),
        click.option("--inputs", "archive", metavar="FILE.npz", help="Arrays of inputs by name."),
        click.option(
            "--random", "seed", type=int, metavar="SEED",
            help="Make up the inputs that are not given; the same for the same seed.",
        ),
        click.option(
            "--param", "parameters", type=_Pair(int, "N"), multiple=True, metavar="NAME=N",
            help="A runtime parameter. May be given several times.",
        ),
        click.option(
            "--timing-only", is_flag=True, help="Count cycles and leave values out."
        ),
        click.option(
            "--log", metavar="FILE", help="Take loaded scalars from a log, with --timing-only."
        ),
        click.option(
            "--target", help="A machine instead of the one a text names; for a model, maia200."
        ),
        *_of_a_model(),
        click.option(
            "--max-cycles", type=positive, default=MAX_CYCLES, show_default=True, metavar="N",
            help="Stop (exit code 6) after this many cycles.",
        ),
        click.option(
            "--max-memory", type=positive, default=MAX_MEMORY, show_default=True, metavar="BYTES",
            help="Stop (exit code 6) when the simulated memories need more.",
        ),
        click.option(
            "--no-skip", is_flag=True, help="Count every turn of every loop; gives the same cycles."
        ),
        click.option(
            "--engine", type=click.Choice(ENGINES), default="native", show_default=True,
            help="The simulator: both give the same bits and cycles, one of them fast.",
        ),
        click.option(
            "--threads", type=click.IntRange(0, MOST_THREADS), default=0, metavar="N",
            help="Threads that compute values; 0, the default, is one on each processor.",
        ),
        click.option("--json", "as_json", is_flag=True, help="One JSON document."),
    ]  # fmt: skip
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def _of_a_model() -> list[Callable[[F], F]]:
    """The options that go with a model, and with no program."""
    return [
        click.option(
            "--shape", "shapes", multiple=True, metavar="NAME=1x128",
            help="Of a model: the shape of an input, or the size of a dimension (NAME=128).",
        ),
        click.option(
            "--bind", "binds", multiple=True, metavar="NAME=VALUE",
            help="Of a model: the value of an input that decides shapes, axes or trip counts.",
        ),
        click.option(
            "--precision", metavar="|".join(PRECISIONS),
            help="Of a model: what contractions are computed in.",
        ),
    ]  # fmt: skip


def request(**given: Any) -> Request:
    """The shared options. Raises ``click.UsageError`` for what contradicts itself."""
    parameters = dict(given.pop("parameters"))
    found = Request(parameters=parameters, **given)
    if found.timing_only and found.gives_inputs:
        raise click.UsageError("--timing-only leaves values out; it takes no inputs")
    if found.log is not None and found.gives_inputs:
        raise click.UsageError("--log takes the place of inputs")
    if not is_model(found.source) and (found.shapes or found.binds or found.precision):
        raise click.UsageError("--shape, --bind and --precision go with a model (.onnx)")
    return found
