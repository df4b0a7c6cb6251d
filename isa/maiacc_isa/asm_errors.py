"""Refusals of the assembler: a place in the text, and the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from maiacc_isa.asm_nodes import Pos
from maiacc_isa.errors import MaiaccError, Place, quote

#: Names that a message lists, and names and letters that are searched for one that was meant.
LISTED = 24
SEARCHED = 2000
LETTERS = 64


def fail(pos: Pos, code: str, message: str, **more: str | None) -> MaiaccError:
    """An error at a place in the text."""
    return MaiaccError(code, message, place=Place(line=pos.line, column=pos.column), **more)


def unknown(
    pos: Pos,
    what: str,
    name: str,
    known: Iterable[str],
    hint: str | None = None,
    code: str = "E0502",
    of: str | None = None,
) -> MaiaccError:
    """A name that is not known: the names that are, and those that look like it. ``of`` is what
    the name should have belonged to."""
    names = list(known)
    return fail(
        pos,
        code,
        f"no {what} {quote(name)}" if of is None else f"{of} has no {what} {quote(name)}",
        expected=listed(names) or "none declared",
        found=quote(name),
        hint=did_you_mean(name, names) or hint,
    )


def listed(names: Iterable[str]) -> str:
    """Names as messages list them, not too many."""
    every = list(names)
    text = ", ".join(quote(name) for name in every[:LISTED])
    return text + (f" ... ({len(every)} names)" if len(every) > LISTED else "")


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A question that names what looks like ``name``; None if nothing does."""
    if len(name) > LETTERS:
        return None
    # Letters' case and hyphens are the most frequent slips; they are no difference here.
    plain = {_plain(other): other for other in islice(known, SEARCHED)}
    near = difflib.get_close_matches(_plain(name), plain, n=3, cutoff=0.6)
    return f"did you mean {', '.join(quote(plain[other]) for other in near)}?" if near else None


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


@contextmanager
def placed(pos: Pos) -> Iterator[None]:
    """Gives a refusal of the encoders the place of the statement they encode."""
    try:
        yield
    except MaiaccError as problem:
        if problem.place is None:
            problem.place = Place(line=pos.line, column=pos.column)
        raise
