"""The report of ``maiacc check``, for people and as a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from maiacc.checking.survey import Survey
from maiacc.output import SCHEMA, error_document
from maiacc_isa.errors import MaiaccError, printable, render

#: Rows of a table, and blockers shown in full.
TOP, BLOCKERS = 10, 20


def amount(number: float, units: str = "kMGT") -> str:
    """A number with three digits and a unit: 4.09 G."""
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
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1 or unit == "us":
            return f"{seconds * factor:.3g} {unit}"
    return ""


def lines(found: Survey, title: str) -> Iterator[str]:
    """The report."""
    total = sum(found.nodes.values())
    opset = next((o.version for o in found.model.opset_import if not o.domain), 0)
    yield click.style(f"{printable(title)}: opset {opset}, {total:,} nodes", bold=True)
    yield from _coverage(found, total)
    if found.problems:
        yield from _blockers(found)
        return
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
        f"  work        {amount(counted.macs)} macs, {size(found.moved)} across HBM at least: "
        f"{found.intensity:.3g} macs/byte (ridge {found.peak() / found.bandwidth:.3g})"
    )
    yield f"  bound       {time_of(seconds)} by {side} in bf16: no program can be faster"
    if found.composites:
        kinds = sorted(found.composites.items(), key=lambda item: (-item[1], item[0]))
        yield "  composites  " + ", ".join(f"{count} {name}" for name, count in kinds)
    yield ""
    yield from _table(found)


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
        yield f"  {'':<11} not {printable(name)}: {count} node{'s' if count > 1 else ''}"


def _blockers(found: Survey) -> Iterator[str]:
    yield ""
    groups: dict[tuple[str, str], list[MaiaccError]] = {}
    for problem in found.problems:
        groups.setdefault((problem.code, problem.message), []).append(problem)
    for problems in list(groups.values())[:BLOCKERS]:
        yield render(problems[0])
        others = [problem.node for problem in problems[1:] if problem.node]
        if others:
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
    whole = found.counted.macs or 1
    for name in order[:TOP]:
        share = shares[name]
        part = f"{100 * share.macs / whole:.0f} %" if share.macs else ""
        macs = amount(share.macs) if share.macs else ""
        yield f"{name:<18}{share.ops:>7,}{macs:>10}{part:>8}{size(share.bytes):>12}"
    if len(order) > TOP:
        yield f"{len(order) - TOP} more kinds: --json shows all"


def document(found: Survey, title: str) -> dict[str, Any]:
    """The same as one document."""
    counted = found.counted
    seconds, side = found.bound()
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
        "inputs": _types(found.module.inputs, found.module.main.params),
        "outputs": found.module.outputs,
        "weight_bytes": counted.weights,
        "activation_bytes_at_once": counted.peak,
        "hbm_bytes_needed": found.needed,
        "hbm_bytes": found.available,
        "fits": found.fits,
        "macs": counted.macs,
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


def _types(names: list[str], values: list[Any]) -> dict[str, str]:
    return {name: str(value.type) for name, value in zip(names, values, strict=True)}
