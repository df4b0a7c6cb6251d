"""``maiacc ir``."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import click
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.verify import verify

from maiacc.running.modules import read_module, refusals
from maiacc_isa.errors import MaiaccError
from maiacc_passes import pipeline
from maiacc_passes.ir.graph import Module

#: The name of the module before any pass.
IMPORT = "import"


@click.command(name="ir")
@click.argument("model", metavar="MODEL")
@click.option("--list", "listed", is_flag=True, help="The stages, with ops and changes of each.")
@click.option("--after", metavar="PASS", help="The module after a pass; 'import' is before all.")
@click.option("--diff", nargs=2, metavar="PASS PASS", help="What changed between two passes.")
@click.option("--op", "node", metavar="NODE", help="Only lines that came from an ONNX node.")
@click.option("--shape", "shapes", multiple=True, metavar="NAME=1x128", help="As in maiacc check.")
@click.option("--bind", "binds", multiple=True, metavar="NAME=VALUE", help="As in maiacc check.")
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
    stages = _stages(model, shapes, binds, listed)
    if listed:
        for name, text, note in stages:
            click.echo(f"{name:<16} {text.count(' = '):>7,} lines{note}")
        return
    texts = {name: text for name, text, _ in stages}
    if diff is not None:
        a, b = (_chosen(texts, name) for name in diff)
        lines = difflib.unified_diff(a.splitlines(), b.splitlines(), *diff, lineterm="", n=2)
        click.echo("\n".join(lines))
        return
    text = _chosen(texts, after or list(texts)[-1])
    click.echo("\n".join(_of_node(text, node)) if node else text, nl=bool(node))


def _stages(
    model: str, shapes: tuple[str, ...], binds: tuple[str, ...], listed: bool
) -> list[tuple[str, str, str]]:
    """Each stage: its name, its text, and what the pass did."""
    module = read_module(model, shapes, binds)
    with refusals(model):
        found = [(IMPORT, print_module(module), "")]

        def keep(name: str, after: Module, changes: int) -> None:
            verify(after)
            found.append((name, print_module(after), f", {changes:,} changes"))

        pipeline.run(module, [step.made for step in pipeline.PIPELINE], keep)
    return found


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
        if line.startswith("loc !") and f'"{node}"' in line
    }
    if not numbers:
        raise MaiaccError("E1413", f"nothing comes from the node {node!r}")
    for line in text.splitlines():
        if not line.startswith("loc ") and numbers & set(line.split()):
            yield line.strip()
