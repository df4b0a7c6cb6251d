"""Tables of the manual that come from the rows. A chapter asks for one as ``{{name}}``."""

from __future__ import annotations

from collections.abc import Callable

from maiacc_isa import expr as ex
from maiacc_isa import formats
from maiacc_isa.errors import codes
from maiacc_isa.load import load
from maiacc_isa.machine import builtin_machine, builtin_machines
from maiacc_isa.manual.pages import prelude
from maiacc_isa.spec import BitField, DType


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def instructions() -> str:
    rows = []
    for insn in load().insns.values():
        engines = ", ".join(insn.engines)
        link = f"[{insn.name}](instructions/{insn.name}.md)"
        rows.append([f"0x{insn.opcode:02x}", link, engines, insn.summary])
    return _table(["opcode", "instruction", "executed by", "what it does"], rows)


def limits() -> str:
    rows = [[f"`{x.name}`", f"{x.value:,}", x.doc] for x in load().limits.values()]
    return _table(["limit", "value", "meaning"], rows)


def constants() -> str:
    machine = builtin_machine("maia200")
    rows = []
    for path, row in load().constants.items():
        name = path.replace("link.", "link.0.") if path.startswith("link.") else path
        bounds = "" if row.low is None else f"{row.low:g}.." + (f"{row.high:g}" if row.high else "")
        rows.append([f"`{path}`", f"{row.type} {bounds}", row.unit, str(machine[name]), row.doc])
    return _table(["constant", "type", "unit", "maia200", "meaning"], rows)


def dtypes() -> str:
    rows = []
    for t in load().dtypes.values():
        layout = ""
        if t.is_float:
            layout = f"1-{t.exponent}-{t.mantissa}, bias {t.bias}"
        rows.append(
            [str(t.code), f"`{t.name}`", str(t.bits), layout, _range(t), _specials(t), t.doc]
        )
    heads = ["code", "type", "bits", "sign-exponent-mantissa", "range", "specials", ""]
    return _table(heads, rows)


def _range(t: DType) -> str:
    if t.is_float:
        largest = formats.decode(t.name, formats.largest_bits(t))
        least = formats.decode(t.name, 1)
        return f"±{largest:.6g}, smallest {least:.6g}"
    if t.is_int:
        return f"{t.low} to {t.high}"
    return "2^-127 to 2^127" if t.kind == "scale" else ""


def _specials(t: DType) -> str:
    if not t.is_float and t.kind != "scale":
        return ""
    names = ["infinity"] if t.inf else []
    if t.nan != "none":
        names.append(f"NaN (canonical 0x{formats.nan_bits(t):x})")
    return ", ".join(names) or "none"


def codes_of_small_formats() -> str:
    """Every code of the 4-bit format and the first half of the 6-bit formats."""
    rows = []
    for code in range(16):
        row = [f"{code:04b}", f"{formats.decode('e2m1', code):g}"]
        rows.append(row)
    return _table(["e2m1 code", "value"], rows)


def roles() -> str:
    return _table(
        ["code", "role", ""], [[str(r.code), r.name, r.doc] for r in load().roles.values()]
    )


def queues() -> str:
    rows = [[str(q.code), f"`{q.name}`", q.role, q.engine, q.doc] for q in load().queues.values()]
    return _table(["code", "queue", "role", "engine", ""], rows)


def sources() -> str:
    rows = []
    for s in load().sources.values():
        span = str(s.code) if s.count == 1 else f"{s.code} to {s.code + s.count - 1}"
        rows.append([span, f"`{s.name}`", ", ".join(s.roles), s.doc])
    return _table(["code", "source", "roles", ""], rows)


def spaces() -> str:
    rows = []
    for s in load().spaces.values():
        rows.append(
            [
                str(s.code),
                f"`{s.name}`",
                s.role,
                f"`{ex.to_text(s.bytes)}`",
                f"`{ex.to_text(s.granule)}`",
                s.doc,
            ]
        )
    return _table(["code", "memory", "one per", "bytes", "granule", ""], rows)


def ports() -> str:
    rows = [
        [f"`{p.name}`", p.role, f"`{ex.to_text(p.width)}`", p.doc] for p in load().ports.values()
    ]
    return _table(["port", "one per", "bytes per cycle", ""], rows)


def routes() -> str:
    rows = []
    for r in load().routes:
        hops = ", ".join(f"{hop.port} ({hop.bytes})" for hop in r.hops)
        ends = f"{r.source} → {r.destination}"
        rows.append([ends, r.home, ", ".join(r.engines), hops, f"`{ex.to_text(r.latency)}`", r.doc])
    return _table(["from → to", "home", "engines", "ports", "latency", ""], rows)


def pairs() -> str:
    rows = []
    for p in load().pairs:
        rows.append([", ".join(p.left), ", ".join(p.right), f"`ttu.kchunk.{p.rate}`", p.acc, p.doc])
    return _table(["left (A)", "right (B)", "K per cycle", "accumulators", ""], rows)


def stages() -> str:
    rows = []
    for s in load().stages.values():
        cost = f"{s.cost}" + (f" ([{s.function}](functions.md#{s.function}))" if s.function else "")
        drain = "yes" if s.drain else ""
        rows.append(
            [str(s.code), f"`{s.name}`", ", ".join(s.classes), str(s.inputs), cost, drain, s.doc]
        )
    return _table(["code", "stage", "class", "inputs", "stages", "drain", "result"], rows)


def traps() -> str:
    rows = [[f"`{t.name}`", t.code, t.doc] for t in load().traps.values()]
    return _table(["trap", "code", "when"], rows)


def errors() -> str:
    rows = [[name, c.title, c.why, c.fix] for name, c in codes().items()]
    return _table(["code", "title", "why", "what to try"], rows)


def record(name: str) -> str:
    """The fields of a bit layout."""
    layout = load().records[name]
    rows = [[f"{f.high}:{f.low}", _field_name(f), str(f.kind), f.doc] for f in layout.fields]
    return _table(["bits", "field", "kind", "meaning"], rows)


def _field_name(f: BitField) -> str:
    return f"`{f.name}`" if f.count == 1 else f"`{f.name}[0..{f.count - 1}]`"


def enum(name: str) -> str:
    """The labels of an enum."""
    labels = load().enums[name].labels
    return _table(["code", name, ""], [[str(x.code), f"`{x.name}`", x.doc] for x in labels])


def machines() -> str:
    rows = []
    for name in builtin_machines():
        m = builtin_machine(name)
        rows.append([f"`{name}`", m.title, str(m.chips), str(m.clusters), str(m.tiles)])
    return _table(["machine", "", "chips", "clusters", "tiles"], rows)


def example_prelude() -> str:
    return f"```\n{prelude()}```"


_PLAIN: dict[str, Callable[[], str]] = {
    "instructions": instructions,
    "limits": limits,
    "constants": constants,
    "dtypes": dtypes,
    "codes_of_small_formats": codes_of_small_formats,
    "roles": roles,
    "queues": queues,
    "sources": sources,
    "spaces": spaces,
    "ports": ports,
    "routes": routes,
    "pairs": pairs,
    "stages": stages,
    "traps": traps,
    "errors": errors,
    "machines": machines,
    "prelude": example_prelude,
}
_WITH_NAME: dict[str, Callable[[str], str]] = {"record": record, "enum": enum}


def table(request: str) -> str:
    """The table a chapter asks for: a name, or ``record NAME``, ``enum NAME``.

    Raises ``KeyError`` for one that does not exist.
    """
    head, _, rest = request.partition(" ")
    return _WITH_NAME[head](rest) if rest else _PLAIN[head]()
