"""``maiacc ir``."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import click

from maiacc.commands.shared import model_options
from maiacc.running.modules import read_module, refusals
from maiacc_isa.errors import MaiaccError
from maiacc_passes import pipeline
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.verify import verify
from maiacc_passes.ir.words import quoted

#: The name of the module before any pass.
IMPORT = "import"


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
    """Print MODEL, an .onnx or .ir file, as text after any pass; after all of them by default."""
    if sum((listed, after is not None or node is not None, diff is not None)) > 1:
        raise click.UsageError("--list and --diff take no other of --list, --after, --diff, --op")
    stages = _stages(model, shapes, binds)
    if listed:
        for name, _, note in stages:
            click.echo(f"{name:<16} {note}")
        return
    texts = {name: text for name, text, _ in stages}
    if diff is not None:
        a, b = (_chosen(texts, name) for name in diff)
        lines = difflib.unified_diff(a.splitlines(), b.splitlines(), *diff, lineterm="", n=2)
        for line in lines:
            click.echo(line)
        return
    text = _chosen(texts, after or list(texts)[-1])
    click.echo("\n".join(_of_node(text, node)) if node else text, nl=bool(node))


def _stages(
    model: str, shapes: tuple[str, ...], binds: tuple[str, ...]
) -> list[tuple[str, str, str]]:
    """Each stage: its name, its text, and what the pass did."""
    module = read_module(model, shapes, binds)
    with refusals(model):
        found = [(IMPORT, print_module(module), _ops(module))]

        def keep(name: str, after: Module, changes: int) -> None:
            verify(after)
            note = f"{_ops(after)}, {changes:,} change{'' if changes == 1 else 's'}"
            found.append((name, print_module(after), note))

        pipeline.run(module, [step.made for step in pipeline.PIPELINE], keep)
    return found


def _ops(module: Module) -> str:
    """How many ops a module has, those that end regions aside."""
    count = sum(bool(op.results) for op in module.main.walk())
    return f"{count:>7,} op{'' if count == 1 else 's'}"


def _chosen(texts: dict[str, str], name: str) -> str:
    if name not in texts:
        raise MaiaccError(
            "E1413", f"there is no stage {name!r}", expected=", ".join(texts), found=name
        )
    return texts[name]


def _of_node(text: str, node: str) -> Iterator[str]:
    """The lines of ops that came from a node."""
    numbers = {
        line.split(" ")[1]
        for line in text.splitlines()
        if line.startswith("loc !") and quoted(node) in line
    }
    if not numbers:
        raise MaiaccError(
            "E1413",
            f"nothing comes from the node {node!r}",
            hint="look at --after import; what needs only constants is computed at once, and an op "
            "that nothing uses goes",
        )
    for line in text.splitlines():
        if not line.startswith("loc ") and numbers & set(line.split()):
            yield line.strip()
