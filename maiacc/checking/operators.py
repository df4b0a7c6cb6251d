"""Which ONNX operators are supported, from the table of importers."""

from __future__ import annotations

from dataclasses import dataclass

from onnx import defs

from maiacc.frontend.choice import choice
from maiacc.frontend.registry import ENTRIES, MICROSOFT, REFUSED
from maiacc.frontend.scope import load_importers
from maiacc_isa.errors import MaiaccError

#: Opsets of the default domain that are read.
OPSETS = range(6, 29)


@dataclass(frozen=True)
class Support:
    """An operator: ``how`` is native, body (by the function body that ONNX gives), refused or
    missing; ``since`` the version of the operator at the opset asked for."""

    domain: str
    name: str
    since: int
    how: str
    reason: str = ""
    way_out: str = ""

    @property
    def title(self) -> str:
        """The operator as people write it."""
        return f"{self.domain}.{self.name}" if self.domain else self.name


def support(opset: int | None = None) -> list[Support]:
    """All operators of an opset, the latest if none is given, and those of onnxruntime that are
    supported. Raises ``MaiaccError`` E1303 for an opset that is not read."""
    load_importers()
    opset = OPSETS[-1] if opset is None else opset
    if opset not in OPSETS:
        raise MaiaccError(
            "E1303", f"opset {opset} is not read", expected=f"{OPSETS[0]} to {OPSETS[-1]}"
        )
    names = sorted({schema.name for schema in defs.get_all_schemas() if schema.domain == ""})
    found = [one for name in names if (one := _support(name, opset)) is not None]
    found += [
        Support(domain, name, 1, "native")
        for domain, name in sorted(ENTRIES)
        if domain == MICROSOFT
    ]
    return found


def _support(name: str, opset: int) -> Support | None:
    try:
        schema = defs.get_schema(name, min(opset, defs.onnx_opset_version()), "")
    except defs.SchemaError:
        return None
    how = choice("", name, opset).how
    if how == "refused":
        refusal = REFUSED["", name]
        return Support("", name, schema.since_version, how, refusal.reason, refusal.way_out)
    reason = "not supported yet" if how == "missing" else ""
    return Support("", name, schema.since_version, how, reason)


def page() -> str:
    """The page of the documentation."""
    rows = support()
    counts = {how: sum(row.how == how for row in rows) for how in ("native", "body", "refused")}
    lines = [
        "# Operators",
        "",
        "Which ONNX operators maiacc imports, written by `maiacc ops --markdown` from the table of",
        f"importers. Opsets {OPSETS[0]} to {OPSETS[-1]} of the default domain are read. Versions",
        f"here are those of opset {OPSETS[-1]}. {counts['native']} operators are imported as ops",
        f"of the IR, {counts['body']} by the function body that ONNX has, {counts['refused']} are",
        "refused.",
        "",
        "| operator | version | how |",
        "|---|---|---|",
    ]
    lines += [f"| {row.title} | {row.since} | {_how(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _how(row: Support) -> str:
    if row.how == "refused":
        return f"refused: {row.reason}; {row.way_out}"
    return {"native": "yes", "body": "by its function body"}.get(row.how, row.reason)
