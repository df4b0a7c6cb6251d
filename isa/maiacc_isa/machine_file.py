"""Reads machine files, and says everything that is wrong with one at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

from maiacc_isa.errors import ErrorList, MaiaccError, Place, quote
from maiacc_isa.load import load, parse_expr
from maiacc_isa.machine_model import Machine, Provenance, Published
from maiacc_isa.spec import Constant

SOURCES = ("published", "derived", "assumption")

#: Dots that a line may hold, in keys and in citations.
DOT_LIMIT = 200

#: Python types of the types that rows give.
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "real": (int, float), "text": (str,)}

#: Gives a machine that comes with maiacc, for `extends`.
Builtin = Callable[[str], Machine]


class MachineReader:
    """Collects every error of a machine file before it raises."""

    def __init__(self, file: str, builtin: Builtin) -> None:
        self._file = file
        self._builtin = builtin
        self._errors: list[MaiaccError] = []

    def parse(self, text: str) -> Machine:
        """The machine of a TOML text. Raises ``MaiaccError`` E0301 or ``ErrorList``."""
        place = Place(file=self._file)
        for number, line in enumerate(text.split("\n"), 1):
            # Reading a key takes time that grows with the square of its parts.
            if line.count(".") > DOT_LIMIT:
                place = Place(file=self._file, line=number)
                raise MaiaccError("E0301", "not a machine file: too many dots", place=place)
        try:
            data = tomllib.loads(text)
        except (ValueError, RecursionError) as problem:
            raise MaiaccError("E0301", f"not TOML: {quote(str(problem))}", place=place) from None
        return self._machine(data)

    def _machine(self, data: dict[str, Any]) -> Machine:
        head = data.pop("machine", {})
        published = data.pop("published", [])
        name, title, base = self._head(head)
        values: dict[str, int | float | str] = dict(base.values) if base else {}
        provenance = dict(base.provenance) if base else {}
        for path, entry in self._flatten(data, ""):
            self._constant(path, entry, values, provenance)
        figures = self._published(published) or (base.published if base else ())
        self._complete(values)
        if not self._errors:
            self._consistent(values)
        if self._errors:
            raise ErrorList(self._errors)
        order = {path: number for number, path in enumerate(load().constants)}
        key = lambda path: (order.get(_row(path), len(order)), path)  # noqa: E731
        ordered = {path: values[path] for path in sorted(values, key=key)}
        return Machine(name, title, ordered, provenance, figures)

    def from_values(self, name: str, title: str, given: dict[str, int | float | str]) -> Machine:
        values: dict[str, int | float | str] = {}
        for path, value in given.items():
            row = load().constants.get(_row(path))
            if row is None:
                self._error("E0303", path, "no machine has this constant")
            else:
                checked = self._value(path, row, value)
                if checked is not None:
                    values[path] = checked
        self._complete(values)
        if not self._errors:
            self._consistent(values)
        if self._errors:
            raise ErrorList(self._errors)
        return Machine(name, title, values, {}, ())

    def _error(self, code: str, path: str, message: str, **more: str | None) -> None:
        place = Place(file=self._file, label=quote(path))
        self._errors.append(MaiaccError(code, f"{path}: {message}", place=place, **more))

    def _head(self, head: Any) -> tuple[str, str, Machine | None]:
        if not isinstance(head, dict):
            self._error("E0304", "machine", "`machine` must be a table", expected="[machine]")
            return "", "", None
        for key in head:
            if key not in ("name", "title", "extends"):
                self._error(
                    "E0303", f"machine.{key}", "unknown key", expected="name, title, extends"
                )
        texts = {}
        for key in ("name", "title", "extends"):
            value = head.get(key)
            if value is None and key == "extends":
                continue
            if not isinstance(value, str) or not value.isprintable() or len(value) > 200:
                found = "nothing" if value is None else type(value).__name__
                self._error(
                    "E0304",
                    f"machine.{key}",
                    "must be a line of text",
                    expected="text",
                    found=found,
                )
                value = ""
            texts[key] = value
        base = None
        if texts.get("extends"):
            try:
                base = self._builtin(texts["extends"])
            except MaiaccError as problem:
                known = problem.expected
                self._error(
                    "E0308",
                    "machine.extends",
                    "no such machine",
                    expected=known,
                    found=quote(texts["extends"]),
                )
        return texts["name"], texts["title"], base

    def _flatten(self, table: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
        leaves: list[tuple[str, Any]] = []
        for key, entry in table.items():
            path = f"{prefix}{key}"
            if isinstance(entry, dict) and "value" not in entry:
                if not entry:
                    self._error("E0303", path, "an empty table", expected="constants")
                leaves += self._flatten(entry, f"{path}.")
            else:
                leaves.append((path, entry))
        return leaves

    def _constant(
        self,
        path: str,
        entry: Any,
        values: dict[str, int | float | str],
        provenance: dict[str, Provenance],
    ) -> None:
        row = load().constants.get(_row(path))
        if row is None:
            self._error("E0303", path, "no machine has this constant", hint="see maiacc targets")
            return
        if not isinstance(entry, dict):
            self._error(
                "E0304",
                path,
                "a constant is a table",
                expected='{ value, source, cite = "..." }',
                found=quote(repr(entry)),
            )
            return
        for key in entry:
            if key not in ("value", "source", "cite"):
                self._error("E0303", f"{path}.{key}", "unknown key", expected="value, source, cite")
        source, cite = entry.get("source"), entry.get("cite")
        if source not in SOURCES or not isinstance(cite, str) or not cite.strip():
            self._error(
                "E0306",
                path,
                "does not say where the number comes from",
                expected=f"source = {' | '.join(SOURCES)} and a cite",
                found=quote(repr(source)),
            )
        else:
            provenance[path] = Provenance(source, cite)
        value = self._value(path, row, entry["value"])
        if value is not None:
            values[path] = value

    def _value(self, path: str, row: Constant, value: Any) -> int | float | str | None:
        expected = _expected(row)
        wrong = isinstance(value, bool) or not isinstance(value, _TYPES[row.type])
        if wrong or not isinstance(value, (int, float, str)):
            self._error(
                "E0304", path, f"{row.doc}: wrong type", expected=expected, found=quote(repr(value))
            )
            return None
        if isinstance(value, str):
            if not _reach_is_valid(value):
                self._error("E0304", path, "no rule of reach", expected=row.doc, found=quote(value))
                return None
            return value
        low = row.low if row.low is not None else float("-inf")
        high = row.high if row.high is not None else float(1 << 48)
        if not low <= value <= high:
            self._error(
                "E0305",
                path,
                f"{row.doc}: out of range",
                expected=expected,
                found=quote(repr(value)),
            )
            return None
        return float(value) if row.type == "real" else int(value)

    def _published(self, rows: Any) -> tuple[Published, ...]:
        figures = []
        for number, row in enumerate(rows if isinstance(rows, list) else [None]):
            try:
                figures.append(
                    Published(
                        str(row["name"]),
                        float(row["value"]),
                        str(row["unit"]),
                        parse_expr(str(row["formula"])),
                        float(row["tolerance"]),
                        str(row["cite"]),
                    )
                )
            except (KeyError, TypeError, ValueError, MaiaccError):
                self._error(
                    "E0304",
                    f"published.{number}",
                    "not a published figure",
                    expected="name, value, unit, formula, tolerance, cite",
                )
        return tuple(figures)

    def _complete(self, values: dict[str, int | float | str]) -> None:
        links = values.get("net.links", 0)
        broken = {error.place.label for error in self._errors if error.place}
        for path, row in load().constants.items():
            wanted = [path]
            if path.startswith("link."):
                wanted = [f"link.{k}.{path[5:]}" for k in range(int(links))]
            for name in wanted:
                if name not in values and name not in broken:
                    self._error("E0302", name, f"missing: {row.doc}", expected=_expected(row))

    def _consistent(self, values: dict[str, int | float | str]) -> None:
        tiles = int(values["chip.clusters"]) * int(values["cluster.tiles"])
        most = load().limit("tiles")
        if tiles > most:
            self._error(
                "E0307",
                "chip.clusters",
                "too many tiles on a chip",
                expected=f"at most {most}",
                found=str(tiles),
            )
        links = int(values["net.links"])
        for path in values:
            if path.startswith("link.") and int(path.split(".")[1]) >= links:
                self._error(
                    "E0307",
                    path,
                    "a link that net.links does not count",
                    expected=f"links 0 to {links - 1}",
                )
        if int(values["system.chips"]) > 1 and links == 0:
            self._error(
                "E0307",
                "net.links",
                "several chips and no link between them",
                expected="at least 1",
            )


def _row(path: str) -> str:
    """The row of a constant: ``link.2.latency`` is described by ``link.latency``."""
    parts = path.split(".")
    if parts[0] == "link" and len(parts) == 3 and parts[1].isdigit() and len(parts[1]) < 3:
        return f"link.{parts[2]}"
    return path if parts[0] != "link" else ""


def _reach_is_valid(rule: str) -> bool:
    match rule.split():
        case ["any"] | ["next"]:
            return True
        case ["xor", number]:
            return number.isdigit() and 0 < int(number[:6]) < 4096
    return False


def _expected(row: Constant) -> str:
    if row.low is None:
        return row.type
    high = "" if row.high is None else f"{row.high:g}"
    return f"{row.type} {row.low:g}..{high} {row.unit}"
