"""The report of ``maiacc check``, for people and as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from maiacc.checking.survey import Survey
from maiacc.output import SCHEMA, error_document
from maiacc_isa.errors import MaiaccError, printable, render

#: Rows of a table, and blockers shown in full.
TOP, BLOCKERS = 10, 20

#: Loops whose turns nothing limits are taken to have so many.
LIMITLESS = 1 << 62


def amount(number: float, units: str = "kMGT") -> str:
    """A number with three digits and a unit: 4.09 G."""
    if number >= LIMITLESS:
        return "no limit"
    step, unit = 1000.0, ""
    for name in units:
        if abs(number) < step:
            break
        number, unit = number / step, f" {name}"
    return f"{number:.3g}{unit}"


def size(number: float) -> str:
    """A number of bytes: 97.5 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1024 or unit == "GiB":
            return f"{number:.4g} {unit}"
        number /= 1024
    return ""


def time_of(seconds: float) -> str:
    """A time with three digits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)):
        if seconds * factor >= 1 or unit == "ns":
            return f"{seconds * factor:.3g} {unit}"
    return ""


def _many(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def lines(found: Survey, title: str) -> Iterator[str]:
    """The report."""
    total = sum(found.nodes.values())
    opset = next((o.version for o in found.model.opset_import if not o.domain), 0)
    yield click.style(f"{printable(title)}: opset {opset}, {_many(total, 'node')}", bold=True)
    yield from _coverage(found, total)
    for note in found.notes:
        yield f"  note        {note}"
    if found.problems:
        yield ""
        yield from _blockers(found.problems)
        return
    yield from _compiled(found, total)
    counted, (seconds, side) = found.counted, found.bound()
    inputs = zip(found.module.inputs, found.module.main.params, strict=True)
    shown = [f"{printable(name)} : {value.type}" for name, value in inputs]
    yield from _listed("inputs", shown)
    yield f"  weights     {size(counted.weights)}"
    yield f"  activations {size(counted.peak)} at once, in the order of the model"
    yield (
        f"  memory      {size(found.needed)} of {size(found.available)} HBM of {found.machine.name}"
        + ("" if found.fits else click.style(" - does not fit", fg="red"))
    )
    if not found.fits:
        yield from _too_large(found)
    yield (
        f"  work        {_work(found)}, {size(found.moved)} across HBM at least: "
        f"{found.intensity:.3g} macs/byte (ridge {found.peak() / found.bandwidth:.3g})"
    )
    yield (
        f"  bound       {time_of(seconds)} by {side} in bf16: "
        "no program that keeps the types can be faster"
    )
    if found.composites:
        kinds = sorted(found.composites.items(), key=lambda item: (-item[1], item[0]))
        yield "  composites  " + ", ".join(f"{count} {name}" for name, count in kinds)
    if counted.by_op:
        yield ""
        yield from _table(found)
    if found.refused:
        yield ""
        yield from _blockers(found.refused)


def _work(found: Survey) -> str:
    """Multiply-adds; a range if branches and loops decide."""
    least, most = found.certain_macs, found.counted.macs
    if least == most:
        return f"{amount(most)} macs"
    return f"{amount(least)} macs to {amount(most)}, as the data decide"


def _listed(label: str, items: list[str]) -> Iterator[str]:
    for number, item in enumerate(items[:TOP]):
        yield f"  {label if not number else '':<11} {item}"
    if len(items) > TOP:
        yield f"  {'':<11} and {len(items) - TOP} more"


def _coverage(found: Survey, total: int) -> Iterator[str]:
    blocked = sum(found.blocked.values())
    share = 100 * (total - blocked) / total if total else 100
    yield f"  supported   {total - blocked:,} of {total:,} nodes ({share:.4g} %)"
    for name, count in sorted(found.blocked.items()):
        yield f"  {'':<11} not {printable(name)}: {_many(count, 'node')}"


def _compiled(found: Survey, total: int) -> Iterator[str]:
    """How many nodes the compiler has words for."""
    if not found.refused:
        yield f"  compiled    {total:,} of {total:,} nodes, by maiacc compile"
        return
    nodes = {node for problem in found.refused for node in (problem.node or "?").split(", ")}
    text = f"not {_many(len(nodes), 'node')}, and what is computed with them: see below"
    yield "  compiled    " + click.style(text, fg="red")


def _blockers(problems: Sequence[MaiaccError]) -> Iterator[str]:
    groups: dict[tuple[str, str | None], list[MaiaccError]] = {}
    for problem in problems:
        # A dimension that many inputs have needs one size.
        alike = problem.hint if problem.code == "E1309" else problem.message
        groups.setdefault((problem.code, alike), []).append(problem)
    for problems in list(groups.values())[:BLOCKERS]:
        yield render(problems[0])
        others = [problem.node for problem in problems[1:] if problem.node]
        if problems[0].code == "E1309" and len(problems) > 1:
            yield f"  also      {_many(len(problems) - 1, 'more input')}"
        elif others:
            names = ", ".join(printable(name) for name in others[:5])
            yield f"  also      {names}" + (
                f" and {len(others) - 5} more" if len(others) > 5 else ""
            )
    if len(groups) > BLOCKERS:
        yield f"and {len(groups) - BLOCKERS} more; --json has all of them"


def _too_large(found: Survey) -> Iterator[str]:
    """The largest tensors of those that have to be there at once or throughout."""
    weights = [(w.type.bytes, f"{w.name} : {w.type}") for w in found.module.weights.values()]
    values = [
        (value.type.bytes, f"{', '.join(op.location.nodes)} : {value.type}")
        for op in found.module.main
        for value in op.results
    ]
    largest = sorted([*weights, *values], key=lambda item: -item[0])[:5]
    yield from _listed("largest", [f"{printable(text)}, {size(n)}" for n, text in largest])


def _table(found: Survey) -> Iterator[str]:
    shares = found.counted.by_op
    order = sorted(shares, key=lambda name: (-shares[name].macs, -shares[name].bytes, name))
    yield f"{'op':<18}{'ops':>7}{'macs':>10}{'of all':>8}{'results':>12}"
    whole = found.counted.macs
    for name in order[:TOP]:
        share = shares[name]
        part = _part(share.macs, whole)
        macs = amount(share.macs) if share.macs else ""
        yield f"{name:<18}{share.ops:>7,}{macs:>10}{part:>8}{size(share.bytes):>12}"
    if len(order) > TOP:
        yield f"{_many(len(order) - TOP, 'more kind')}: --json shows all"


def _part(macs: int, whole: int) -> str:
    """What share of the work it is; nothing if nothing limits the work."""
    if not macs or whole >= LIMITLESS:
        return ""
    return f"{100 * macs / whole:.0f} %" if 200 * macs >= whole else "<1 %"


def document(found: Survey, title: str) -> dict[str, Any]:
    """The same as one document. Figures are None as long as something stands in the way."""
    figures = _figures(found)
    return {
        "schema": SCHEMA,
        "model": title,
        "target": found.machine.name,
        "exit_code": found.exit_code,
        "opsets": {o.domain or "ai.onnx": o.version for o in found.model.opset_import},
        "nodes": sum(found.nodes.values()),
        "operators": dict(found.nodes),
        "unsupported_operators": dict(found.blocked),
        "problems": [error_document(problem) for problem in found.problems],
        "refused": [error_document(problem) for problem in found.refused],
        "notes": list(found.notes),
        **(dict.fromkeys(figures) if found.problems else figures),
    }


def _figures(found: Survey) -> dict[str, Any]:
    counted = found.counted
    seconds, side = found.bound()
    named = [] if found.problems else found.module.outputs
    return {
        "inputs": _types(found.module.inputs, found.module.main.params),
        "outputs": _types(named, found.module.main.outputs if named else ()),
        "weight_bytes": counted.weights,
        "activation_bytes_at_once": counted.peak,
        "hbm_bytes_needed": found.needed,
        "hbm_bytes": found.available,
        "fits": found.fits,
        "macs": counted.macs,
        "macs_at_least": found.certain_macs,
        "hbm_bytes_moved_at_least": found.moved,
        "macs_per_byte": found.intensity,
        "ridge_macs_per_byte": found.peak() / found.bandwidth,
        "bound_seconds": seconds,
        "bound_by": side,
        "composites": dict(found.composites),
        "ops": {
            name: {"ops": share.ops, "macs": share.macs, "result_bytes": share.bytes}
            for name, share in counted.by_op.items()
        },
    }


def _types(names: Sequence[str], values: Sequence[Any]) -> dict[str, str]:
    return {name: str(value.type) for name, value in zip(names, values, strict=True)}
