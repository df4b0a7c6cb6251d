"""Attributes that are what they say they are: one value of one kind, or one reference."""

from __future__ import annotations

import onnx

from maiacc.frontend.limits import ITEMS
from maiacc_isa.errors import MaiaccError

_A = onnx.AttributeProto

#: The field that holds the value of an attribute of each type.
_FIELDS = {
    _A.FLOAT: "f", _A.INT: "i", _A.STRING: "s", _A.TENSOR: "t", _A.GRAPH: "g",
    _A.SPARSE_TENSOR: "sparse_tensor", _A.TYPE_PROTO: "tp",
    _A.FLOATS: "floats", _A.INTS: "ints", _A.STRINGS: "strings", _A.TENSORS: "tensors",
    _A.GRAPHS: "graphs", _A.SPARSE_TENSORS: "sparse_tensors", _A.TYPE_PROTOS: "type_protos",
}  # fmt: skip

#: Fields that hold one number or text: one that is left out is 0 or empty.
_PLAIN = frozenset({"f", "i", "s"})

_ALL = frozenset(_FIELDS.values())


def attribute_problem(
    attribute: onnx.AttributeProto, declared: frozenset[str] | None
) -> MaiaccError | None:
    """What is wrong with an attribute, if anything: E1302 or E1308.

    ``declared`` are the attributes of the function it is in, to which it may refer.
    """
    called = f"attribute {attribute.name!r}"
    given = [field.name for field, _ in attribute.ListFields() if field.name in _ALL]
    referred = attribute.ref_attr_name
    if referred:
        if given:
            return _wrong(f"{called} has a value and refers to another attribute", referred)
        if declared is None:
            return _wrong(
                f"{called} refers to an attribute of a function, and is in none", referred
            )
        if referred not in declared:
            return _wrong(f"{called} refers to an attribute that its function has not", referred)
        return None
    field = _FIELDS.get(attribute.type)
    if not attribute.name or field is None:
        number = str(attribute.type)
        return _wrong(
            f"{called} says no type" if field is None else "an attribute has no name", number
        )
    if any(name != field for name in given):
        return _wrong(f"{called} has a value of another kind than it says", ", ".join(given))
    if not given and field in ("t", "g", "sparse_tensor", "tp"):
        return _wrong(f"{called} has no value", field)
    if given and field not in _PLAIN and field.endswith("s"):
        length = len(getattr(attribute, field))
        if length > ITEMS:
            return MaiaccError(
                "E1308", f"{called} is too long", expected=f"at most {ITEMS}", found=str(length)
            )
    return None


def _wrong(message: str, found: str) -> MaiaccError:
    return MaiaccError("E1302", message, found=found)
