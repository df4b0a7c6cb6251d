"""How an operator is imported at some opset: the one place that decides it."""

from __future__ import annotations

from dataclasses import dataclass

from onnx import defs

from maiacc.frontend.functions import has_body
from maiacc.frontend.registry import REFUSED, Entry, entry_for


@dataclass(frozen=True)
class Choice:
    """``how`` is native (by ``entry``), body (the function body that ONNX has), refused or missing;
    ``version`` the version of the operator, which is the opset where there is no schema."""

    how: str
    version: int
    entry: Entry | None = None


def choice(domain: str, name: str, opset: int) -> Choice:
    """The way of an operator of a domain (that of ONNX is empty) at an opset."""
    version = _version(domain, name, opset)
    if (domain, name) in REFUSED:
        return Choice("refused", version)
    entry = entry_for(domain, name, version)
    if entry is not None:
        return Choice("native", version, entry)
    return Choice("body" if has_body(domain, name, opset) else "missing", version)


def _version(domain: str, name: str, opset: int) -> int:
    if domain or not defs.has(name, domain):
        return opset
    try:
        return int(defs.get_schema(name, opset, domain).since_version)
    except defs.SchemaError:
        return opset
