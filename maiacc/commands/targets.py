"""``maiacc targets``."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from maiacc.output import SCHEMA
from maiacc_isa.load import load
from maiacc_isa.machine import Machine, builtin_machines, load_machine
from maiacc_isa.machine_text import machine_text


@click.command(name="targets")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--toml", "as_toml", is_flag=True, help="The machine file itself, to start from.")
def command(name: str | None, as_json: bool, as_toml: bool) -> None:
    """List the machines, or show NAME: a machine's name or the path of a machine file.

    A machine is shown with its peaks, bytes per cycle and ridge points, and with every constant
    and where it comes from.
    """
    if name is None:
        if as_toml:
            raise click.UsageError("--toml prints one machine; name it")
        _list(as_json)
        return
    machine = load_machine(name)
    if as_toml:
        click.echo(_toml(name, machine), nl=False)
    elif as_json:
        click.echo(json.dumps(_document(machine)))
    else:
        _show(machine)


def _toml(name: str, machine: Machine) -> str:
    """The file of a machine that comes with maiacc; for others, one with every constant."""
    if name in builtin_machines():
        return files("maiacc_isa").joinpath("machines", f"{name}.toml").read_text("utf-8")
    return machine_text(machine)


def _list(as_json: bool) -> None:
    machines = [load_machine(name) for name in builtin_machines()]
    if as_json:
        rows = [{"name": m.name, "title": m.title, "sha256": m.digest} for m in machines]
        click.echo(json.dumps({"schema": SCHEMA, "targets": rows}))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "what it is", "tiles", "HBM"):
        table.add_column(heading)
    for m in machines:
        tiles = m.chips * m.instances("tile")
        table.add_row(m.name, m.title, str(tiles), _bytes(m.int("hbm.bytes")))
    Console(soft_wrap=True).print(table)


def peaks(machine: Machine) -> list[dict[str, Any]]:
    """For every rate of the tensor unit: pairs of types, operations per second and per cycle,
    and the ridge point, in operations per byte of HBM."""
    rows: list[dict[str, Any]] = []
    bandwidth = machine.int("hbm.bytes_per_cycle") * float(machine["hbm.efficiency"])
    rates: dict[str, list[str]] = {}
    for pair in load().pairs:
        rates.setdefault(pair.rate, []).append(pair.doc)
    for rate, docs in rates.items():
        peak = machine.peak(rate)
        per_cycle = peak / float(machine["clock.hz"])
        rows.append(
            {
                "rate": rate,
                "pairs": docs[0],
                "ops_per_second": peak,
                "ops_per_cycle": per_cycle,
                "ridge_ops_per_byte": per_cycle / bandwidth,
            }
        )
    return rows


def _document(machine: Machine) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": machine.name,
        "title": machine.title,
        "sha256": machine.digest,
        "peaks": peaks(machine),
        "constants": {
            path: {"value": value, **_provenance(machine, path)}
            for path, value in machine.values.items()
        },
    }


def _provenance(machine: Machine, path: str) -> dict[str, str]:
    known = machine.provenance.get(path)
    return {"source": known.source, "cite": known.cite} if known else {}


def _show(machine: Machine) -> None:
    console = Console(soft_wrap=True)
    clock = float(machine["clock.hz"])
    console.print(f"[bold]{machine.name}[/]: {machine.title}", highlight=False)
    console.print(
        f"{machine.chips} chip(s) of {machine.clusters} clusters of {machine.tiles} tiles at "
        f"{clock / 1e9:g} GHz; sha256 {machine.digest[:16]}\n",
        highlight=False,
    )
    table = Table(title="peak of a chip", title_justify="left", box=None, pad_edge=False)
    for heading in ("rate", "Top/s", "op/cycle", "op per HBM byte at the ridge", "types"):
        table.add_column(heading, justify="left" if heading in ("rate", "types") else "right")
    for row in peaks(machine):
        if row["ops_per_second"]:
            table.add_row(
                row["rate"],
                f"{row['ops_per_second'] / 1e12:,.1f}",
                f"{row['ops_per_cycle']:,.0f}",
                f"{row['ridge_ops_per_byte']:,.1f}",
                row["pairs"],
            )
    console.print(table, highlight=False)
    _show_constants(console, machine)
    for figure in machine.published:
        value = machine.evaluate(figure.formula)
        console.print(
            f"published: {figure.name}: {figure.value:g} {figure.unit}; from these constants "
            f"{value:g} ({figure.cite})",
            highlight=False,
            markup=False,
        )


def _show_constants(console: Console, machine: Machine) -> None:
    table = Table(title="\nconstants", title_justify="left", box=None, pad_edge=False)
    for heading in ("constant", "value", "unit", "source", "where from"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    rows = load().constants
    for path, value in machine.values.items():
        row = rows.get(path) or rows["link." + path.rsplit(".", 1)[1]]
        known = _provenance(machine, path)
        text = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(path, text, row.unit, known.get("source", ""), known.get("cite", ""))
    console.print(table, highlight=False, markup=False)


def _bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:g} {unit}"
    return f"{count} B"
