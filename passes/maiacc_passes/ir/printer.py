"""The text of a module: one op a line, in one form only.

Values are numbered in the order in which the text defines them, locations in the order of their
first use. Attributes are in the order of the row, without those that have their default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from maiacc_passes.ir.elements import source_text
from maiacc_passes.ir.graph import NOWHERE, Location, Module, Op, Region, Value
from maiacc_passes.ir.limits import VERSION
from maiacc_passes.ir.table import REQUIRED, Row
from maiacc_passes.ir.words import attribute_text, quoted

#: How many ops before and behind an op a message shows.
_NEIGHBOURS = 2

#: A message shows so much of a line.
_WIDTH = 160


def print_module(module: Module) -> str:
    """The text of a module."""
    lines = [f"ir {VERSION} {module.stage}"]
    for weight in module.weights.values():
        lines.append(
            f"weight @{weight.name} : {weight.type} = {source_text(weight.source, weight.type)}"
        )
    lines += [f"bound ~{symbol} : {most}" for symbol, most in module.bounds.items()]
    printer = _Printer(lines)
    printer.graph(module)
    for location, number in printer.locations.items():
        lines.append(f"loc !{number} = {_location_text(location)}")
    return "\n".join(lines) + "\n"


def print_op(op: Op, names: Mapping[Value, str] | None = None) -> str:
    """An op in one line, without what is in its regions. Values without a name are ``%?``."""
    given = {} if names is None else names
    operands = [_operand(value, given) for value in op.operands]
    text = _stated(op, given, operands, _attributes_text(op, _defaults(op.row)))
    return text + "".join(f" ({_params_text(region, given)}) {{...}}" for region in op.regions)


def excerpt(op: Op) -> str:
    """An op, marked with ``>``, between its neighbours, for messages. Values have the numbers that
    they have in the text of the module. Works for IR that is broken as well."""
    names = _numbered(_outermost(op))
    around = [op]
    for _ in range(_NEIGHBOURS):
        if around[0].previous is not None:
            around.insert(0, around[0].previous)
        if around[-1].next is not None:
            around.append(around[-1].next)
    lines = []
    for near in around:
        text = print_op(near, names)
        text = text if len(text) <= _WIDTH else f"{text[:_WIDTH]}..."
        lines.append(f"{'>' if near is op else ' '} {text}")
    return "\n".join(lines)


# ---- whole regions --------------------------------------------------------------------------
class _Printer:
    """Adds the lines of a graph to ``lines``, and collects the locations that it uses."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.locations: dict[Location, int] = {}
        self._names: dict[Value, str] = {}
        self._count = 0
        self._rows: dict[str, dict[str, str | None]] = {}

    def graph(self, module: Module) -> None:
        """The main region with the names that the model has for its inputs and outputs."""
        self._number(module.main.params)
        params = [
            f"{self._names[value]}: {value.type} {quoted(name)}"
            for name, value in zip(module.inputs, module.main.params, strict=True)
        ]
        outputs = ", ".join(map(quoted, module.outputs))
        self.lines.append(f"graph ({', '.join(params)}) -> ({outputs}) {{")
        self._region(module.main)
        self.lines.append("}")

    def _number(self, values: list[Value]) -> None:
        for value in values:
            self._names[value] = f"%{self._count}"
            self._count += 1

    def _region(self, region: Region) -> None:
        """The ops of a region. Inner regions wait on a stack, not in calls."""
        stack: list[tuple[Iterator[Op], Iterator[Region]]] = [(iter(region), iter(()))]
        while stack:
            ops, others = stack[-1]
            indent = "  " * len(stack)
            inner = self._ops(ops, indent)
            if inner is not None:
                regions = iter(inner.regions)
                stack.append((self._entered(next(regions)), regions))
                continue
            outside = indent[2:]
            another = next(others, None)
            if another is not None:
                self.lines.append(f"{outside}}}")
                stack[-1] = (self._entered(another), others)
                continue
            stack.pop()
            if stack:
                self.lines.append(f"{outside}}}")

    def _entered(self, region: Region) -> Iterator[Op]:
        """A region's ops, after what begins it is written behind the last line."""
        self._number(region.params)
        self.lines[-1] += f" ({_params_text(region, self._names)}) {{"
        return iter(region)

    def _ops(self, ops: Iterator[Op], indent: str) -> Op | None:
        """Ops up to the first one with regions, which is given back, or to the end."""
        names, lines, rows = self._names, self.lines, self._rows
        for op in ops:
            operands = [_operand(value, names) for value in op.operands]
            self._number(op.results)
            row = op.row
            defaults = rows.get(row.name)
            if defaults is None:
                defaults = rows[row.name] = _defaults(row)
            attrs = _attributes_text(op, defaults) if op.attrs else ""
            text = _stated(op, names, operands, attrs)
            where = op.location
            if where is not NOWHERE and (where.nodes or where.scope or where.source):
                number = self.locations.setdefault(where, len(self.locations) + 1)
                lines.append(f"{indent}{text} !{number}")
            else:
                lines.append(f"{indent}{text}")
            if op.regions:
                return op
        return None


# ---- parts of lines -------------------------------------------------------------------------
def _operand(value: Value | None, names: Mapping[Value, str]) -> str:
    if value is None:
        return "_"
    if value.weight is not None:
        return f"@{value.weight.name}"
    return names.get(value, "%?")


def _stated(op: Op, names: Mapping[Value, str], operands: list[str], attrs: str) -> str:
    """An op up to its types."""
    text = f"{op.row.name}({', '.join(operands)}){attrs}"
    results = op.results
    if len(results) == 1:
        return f"{names.get(results[0], '%?')} = {text} : {results[0].type}"
    if not results:
        return text
    left = ", ".join([names.get(value, "%?") for value in results])
    return f"{left} = {text} : {', '.join([str(value.type) for value in results])}"


def _params_text(region: Region, names: Mapping[Value, str]) -> str:
    return ", ".join([f"{names.get(value, '%?')}: {value.type}" for value in region.params])


def _defaults(row: Row) -> dict[str, str | None]:
    """What the text leaves out, by attribute."""
    return {
        name: None if attr.default is REQUIRED else attribute_text(attr.default)
        for name, attr in row.attrs.items()
    }


def _attributes_text(op: Op, defaults: Mapping[str, str | None]) -> str:
    """The attributes in braces, if any differ from their defaults; those that the row does not
    have come last."""
    attrs = op.attrs
    parts = []
    for name, default in defaults.items():
        if name in attrs:
            text = attribute_text(attrs[name])
            if text != default:
                parts.append(f"{name}={text}")
    if len(attrs) > len(defaults):
        extra = [name for name in attrs if name not in defaults]
        parts += [f"{name}={attribute_text(attrs[name])}" for name in extra]
    return f" {{{', '.join(parts)}}}" if parts else ""


def _location_text(location: Location) -> str:
    text = f"[{', '.join(map(quoted, location.nodes))}]"
    if location.scope or location.source:
        text += f" {quoted(location.scope)}"
    return f"{text} {quoted(location.source)}" if location.source else text


# ---- broken IR ------------------------------------------------------------------------------
def _outermost(op: Op) -> Region | None:
    region, seen = op.region, set[Region]()
    while region is not None and region not in seen:
        seen.add(region)
        if region.owner is None or region.owner.region is None:
            break
        region = region.owner.region
    return region


def _numbered(region: Region | None) -> dict[Value, str]:
    """Names of values as in the text, also where links between ops are wrong."""
    names: dict[Value, str] = {}
    seen: set[Op] = set()
    if region is None:
        return names
    names.update((value, f"%{i}") for i, value in enumerate(region.params))
    stack: list[Op | Region | None] = [region.first]
    while stack:
        item = stack.pop()
        if isinstance(item, Region):
            for value in item.params:
                names.setdefault(value, f"%{len(names)}")
            stack.append(item.first)
        elif item is not None and item not in seen:
            seen.add(item)
            for value in item.results:
                names.setdefault(value, f"%{len(names)}")
            stack += [item.next, *reversed(item.regions)]
    return names
