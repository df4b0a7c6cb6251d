"""Reads the files in ``rows/`` into a ``Spec``.

``load()`` gives the instruction set of this distribution; ``parse(text)`` reads other rows,
which is how the tests change one and watch what follows.
"""

from __future__ import annotations

import importlib
from functools import cache
from importlib.resources import files

from maiacc_isa import expr as ex
from maiacc_isa import frozen, spec, spec_machine
from maiacc_isa.cache import key

#: What parses rows; loaded only where they are not in the cache, since it takes long.
PARSER = "maiacc_isa.row_parse"

#: The row files, in the order in which the manual lists instructions.
ROW_FILES = (
    "types.isa",
    "machine.isa",
    "formats.isa",
    "stages.isa",
    "control.isa",
    "dma.isa",
    "tensor.isa",
    "vector.isa",
    "network.isa",
)

#: What else decides what reading the rows gives: grammars and the functions that stages name.
OTHER_FILES = ("rows.lark", "functions.lark", "rows/functions.fn")


@cache
def load() -> spec.Spec:
    """The instruction set that this distribution describes; read once per process."""
    package = files("maiacc_isa")
    texts = [package.joinpath("rows", name).read_text("utf-8") for name in ROW_FILES]
    others = [package.joinpath(name).read_text("utf-8") for name in OTHER_FILES]
    found: spec.Spec = frozen.kept(
        "rows",
        frozen.Codec(frozen.classes_of(spec, spec_machine, ex)),
        [*texts, *others],
        lambda: parse(list(zip(ROW_FILES, texts, strict=True))),
    )
    return found


@cache
def rows_digest() -> str:
    """A digest of everything in ``rows/``."""
    rows = sorted(files("maiacc_isa").joinpath("rows").iterdir(), key=lambda path: path.name)
    return key(*(path.read_bytes() for path in rows if path.is_file()))


def parse(sources: list[tuple[str, str]]) -> spec.Spec:
    """Rows from texts, each with the file name that errors show.

    Raises ``MaiaccError`` E0201 for text that is not in the row language and E0202 for
    rows that contradict each other.
    """
    found: spec.Spec = importlib.import_module(PARSER).parse(sources)
    return found


def parse_expr(text: str) -> ex.Expr:
    """An expression in the notation of the rows. Raises ``MaiaccError`` E0201 if it is none."""
    found: ex.Expr = importlib.import_module(PARSER).parse_expr(text)
    return found
