"""What was verified, for people and as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from maiacc.output import SCHEMA
from maiacc.verifying.judging import OPEN_, SAME, UNJUDGED, WITHIN, WRONG, Judged, Line
from maiacc.verifying.verify import Verified

#: Verdicts that count as verified.
GOOD = (SAME, WITHIN, OPEN_)

#: Characters of a line that names take.
_NAMES, _OPS, _NODES = 12, 32, 34

_HEAD = f"{'':{_NAMES}} {'ops':{_OPS}} {'nodes':{_NODES}} {'error':>9} {'bound':>9}  verdict"


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _line(line: Line) -> str:
    worst = line.worst
    error, bound = (worst.error, worst.bound) if worst is not None else (0.0, 0.0)
    ops, nodes = ", ".join(line.ops), ", ".join(line.nodes)
    text = f"{_short(line.name, _NAMES):{_NAMES}} {_short(ops, _OPS):{_OPS}} "
    text += f"{_short(nodes, _NODES):{_NODES}} {error:9.3g} {bound:9.3g}  {line.verdict}"
    if line.undecided:
        text += f", {line.undecided:,} of {line.decisions:,} decisions undecided"
    elif worst is not None and worst.undecided:
        text += f", {worst.undecided:,} of {worst.size:,} elements undecided"
    return text + (f" ({line.note})" if line.note else "")


def _table(title: str, lines: Sequence[Line]) -> Iterator[str]:
    if lines:
        yield f"{title:{_NAMES}} {_HEAD[_NAMES + 1 :]}"
        yield from map(_line, lines)


def lines(found: Verified) -> Iterator[str]:
    """The report: every kernel, pass and output, and what is wrong first."""
    yield from _table("kernel", found.kernels)
    yield from _table("op", found.ops)
    yield from _table("pass", found.passes)
    yield from _table("output", found.outputs)
    yield from found.findings[:3]
    yield from _blame(found)
    if found.roomy:
        yield "the machine has no room for all tensors at once: kernels ran with more HBM,"
        yield "and the outputs of the machine's own program were compared with theirs to the bit"
    good = sum(line.verdict in GOOD for line in found.kernels)
    open_ = sum(line.verdict == UNJUDGED for line in found.kernels)
    judged = sum(line.verdict in GOOD for line in found.outputs)
    text = f"{good} of {len(found.kernels)} kernels within their bounds"
    text += f", {open_} not judged" if open_ else ""
    text += f"; {judged} of {len(found.outputs)} outputs judged from end to end"
    yield f"{'WRONG' if found.wrong else 'verified'}: {text}"


def _blame(found: Verified) -> Iterator[str]:
    """What is wrong first."""
    if found.findings:
        yield f"not proven: kernels {', '.join(found.suspects) or 'unknown'}"
        yield f"  nodes    {', '.join(found.blamed)}"
    for what, line in (("kernel", found.first_kernel), ("op", found.first_op)):
        if line is not None and line.worst is not None:
            yield f"first wrong {what}: {line.name}, {', '.join(line.ops)}"
            if line.nodes:
                yield f"  nodes    {', '.join(line.nodes)}"
            yield from _where(line.worst)
    if found.cause:
        yield f"  looks    {found.cause}"
    if found.first_pass is not None:
        yield f"first wrong pass: {found.first_pass.name}"
    for line in found.outputs:
        if line.verdict == WRONG and line.worst is not None:
            yield f"wrong output: {line.name}"
            yield from _where(line.worst)
    for name in found.program_differs:
        yield f"output {name} of the program file is not that of the model compiled again"
    if found.reproducer:
        yield f"  wrote    {', '.join(found.reproducer)}"


def _where(judged: Judged) -> Iterator[str]:
    yield f"  wrong    {judged.wrong:,} of {judged.size:,} elements: {judged.box}"
    yield f"  at       {list(judged.where)}: {judged.found!r}, not {judged.exact!r}"


# ---- as a document ------------------------------------------------------------------------------
def document(found: Verified) -> dict[str, Any]:
    """The same as a JSON document."""
    return {
        "schema": SCHEMA,
        "wrong": found.wrong,
        "verified": sum(line.verdict in GOOD for line in found.kernels),
        "kernels": [_entry(line) for line in found.kernels],
        "ops": [_entry(line) for line in found.ops],
        "passes": [_entry(line) for line in found.passes],
        "outputs": [_entry(line) for line in found.outputs],
        "findings": found.findings,
        "first": {
            "kernel": _name(found.first_kernel),
            "op": _first_op(found),
            "pass": _name(found.first_pass),
            "nodes": list(found.nodes),
            "suspects": list(found.suspects),
        },
        "looks": found.cause,
        "more_memory": found.roomy,
        "program_differs": list(found.program_differs),
        "reproducer": list(found.reproducer),
        "seconds": {name: round(value, 3) for name, value in found.seconds.items()},
    }


def _name(line: Line | None) -> str | None:
    return None if line is None else line.name


def _first_op(found: Verified) -> str | None:
    line = found.first_op
    return None if line is None or not line.ops else line.ops[0]


def _entry(line: Line) -> dict[str, Any]:
    return {
        "name": line.name,
        "ops": list(line.ops),
        "nodes": list(line.nodes),
        "verdict": line.verdict,
        "note": line.note,
        "decisions": line.decisions,
        "undecided": line.undecided,
        "tensors": [
            {
                "name": x.name,
                "verdict": x.verdict,
                "error": x.error,
                "bound": _number(x.bound),
                "where": list(x.where),
                "wrong": x.wrong,
                "undecided": x.undecided,
                "elements": x.size,
                "box": x.box,
            }
            for x in line.tensors
        ],
    }


def _number(value: float) -> float | None:
    """JSON has no infinity."""
    return value if value < float("inf") else None
