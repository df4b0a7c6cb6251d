"""``maiacc ir``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from functools import partial

import click

from maiacc.commands.shared import model_options
from maiacc.compiling.kept import kept_stages, kept_text, ops
from maiacc.files import is_program
from maiacc.running.modules import read_module, refusals, text_only
from maiacc_isa.errors import MaiaccError
from maiacc_passes import pipeline
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.verify import verify
from maiacc_passes.ir.words import quoted

#: The name of the module before any pass.
IMPORT = "import"

#: Gives a text when it is asked for.
Text = Callable[[], str]


@click.command(name="ir")
@click.argument("model", metavar="MODEL")
@click.option("--list", "listed", is_flag=True, help="The stages, with ops and changes of each.")
@click.option("--after", metavar="PASS", help="The module after a pass; 'import' is before all.")
@click.option("--diff", nargs=2, metavar="PASS PASS", help="What changed between two passes.")
@click.option("--op", "node", metavar="NODE", help="Only lines that came from an ONNX node.")
@model_options
def command(
    model: str,
    listed: bool,
    after: str | None,
    diff: tuple[str, str] | None,
    node: str | None,
    shapes: tuple[str, ...],
    binds: tuple[str, ...],
) -> None:
    """Print MODEL as text after any pass; after all of them by default.

    MODEL is an .onnx or .ir file, on which the graph passes are run, or a program file (.maia) that
    was compiled with --keep-ir and keeps the text after every pass of the compiler.
    """
    if sum((listed, after is not None or node is not None, diff is not None)) > 1:
        raise click.UsageError("--list and --diff take no other of --list, --after, --diff, --op")
    stages = _stages(model, shapes, binds)
    if listed:
        for name, _, note in stages:
            click.echo(f"{name:<16} {note}")
        return
    texts = {name: text for name, text, _ in stages}
    names = list(texts)
    if diff is not None:
        a, b = (_chosen(texts, name)() for name in diff)
        lines = difflib.unified_diff(a.splitlines(), b.splitlines(), *diff, lineterm="", n=2)
        for line in lines:
            click.echo(line)
        return
    text = _chosen(texts, after or names[-1])()
    click.echo("\n".join(_of_node(text, node)) if node else text, nl=bool(node))


def _stages(
    model: str, shapes: tuple[str, ...], binds: tuple[str, ...]
) -> list[tuple[str, Text, str]]:
    """Each stage: its name, its text, and what the pass did."""
    if is_program(model):
        text_only(model, shapes, binds)
        return [(row.name, partial(kept_text, model, row), row.about) for row in kept_stages(model)]
    module = read_module(model, shapes, binds)
    with refusals(model):
        found: list[tuple[str, Text, str]] = []

        def add(name: str, text: str, note: str) -> None:
            found.append((name, lambda: text, note))

        add(IMPORT, print_module(module), ops(module))

        def keep(name: str, after: Module, changes: int) -> None:
            verify(after)
            note = f"{ops(after)}, {changes:,} change{'' if changes == 1 else 's'}"
            add(name, print_module(after), note)

        pipeline.run(module, [step.made for step in pipeline.PIPELINE], keep)
    return found


def _chosen(texts: dict[str, Text], name: str) -> Text:
    if name not in texts:
        raise MaiaccError(
            "E1413", f"there is no stage {name!r}", expected=", ".join(texts), found=name
        )
    return texts[name]


def _of_node(text: str, node: str) -> Iterator[str]:
    """The lines of ops that came from a node, or the kernels that do."""
    if not text.startswith("ir "):
        yield from _kernels_of(text, node)
        return
    numbers = {
        line.split(" ")[1]
        for line in text.splitlines()
        if line.startswith("loc !") and quoted(node) in line
    }
    if not numbers:
        raise _nothing(node)
    for line in text.splitlines():
        if not line.startswith("loc ") and numbers & set(line.split()):
            yield line.strip()


def _kernels_of(text: str, node: str) -> Iterator[str]:
    """The kernels that a node is in."""
    pieces = [piece for piece in text.split("\n\n")[1:] if quoted(node) in piece]
    if not pieces:
        raise _nothing(node)
    yield "\n\n".join(piece.rstrip("\n") for piece in pieces)


def _nothing(node: str) -> MaiaccError:
    return MaiaccError(
        "E1413",
        f"nothing comes from the node {node!r}",
        hint="look at --after import; what needs only constants is computed at once, and an op "
        "that nothing uses goes",
    )
