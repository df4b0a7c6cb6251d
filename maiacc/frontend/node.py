"""What an importer sees of an ONNX node: inputs as values, attributes, a builder, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import onnx

from maiacc.frontend.dtypes import DTYPES, type_name
from maiacc_isa.errors import MaiaccError
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Region, Value
from maiacc_passes.ir.types import ELEMENTS, Type
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc.frontend.scope import Importing, Scope

_A = onnx.AttributeProto


class NeedsValue(MaiaccError):  # noqa: N818  a kind of refusal, raised as one
    """E1306: something has to be known before the model runs. ``inputs`` are the inputs of the
    model that it depends on."""

    def __init__(self, message: str, node: str, inputs: Sequence[str], hint: str) -> None:
        super().__init__("E1306", message, node=node, hint=hint)
        self.inputs = tuple(inputs)


class Given(Exception):  # noqa: N818  no problem of its own
    """Leaves a node whose problems are noted already."""


@dataclass
class Node:
    """A node at hand. ``inputs`` are values, None where one is left out; ``version`` is the version
    of the operator (its schema's ``since_version`` where there is one)."""

    proto: onnx.NodeProto
    domain: str
    version: int
    inputs: Sequence[Value | None]
    scope: Scope
    importing: Importing

    # ---- names ----------------------------------------------------------------------------
    @property
    def op_type(self) -> str:
        """The name of the operator."""
        return self.proto.op_type

    @property
    def name(self) -> str:
        """The name of the node, or of its first output."""
        return node_name(self.proto)

    @property
    def b(self) -> Builder:
        """Makes ops where the node is."""
        return self.importing.builder

    # ---- inputs and outputs ---------------------------------------------------------------
    def input(self, index: int) -> Value:
        """An input that has to be there. Refuses with E1304."""
        value = self.optional(index)
        if value is None:
            self.fail("E1304", f"input {index} is missing")
        return value

    def optional(self, index: int) -> Value | None:
        """An input, or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def wants(self, index: int) -> bool:
        """Whether there is an output with that number and it has a name."""
        return index < len(self.proto.output) and bool(self.proto.output[index])

    def type(self, index: int) -> Type:
        """The type of an input."""
        return self.input(index).type

    def known(self, index: int) -> Array | None:
        """The elements of an input, if they are known before the model runs."""
        value = self.optional(index)
        return None if value is None else self.importing.known(value)

    def static(self, index: int, what: str) -> Array:
        """The elements of an input that decides ``what`` (a shape, axes ...). Refuses with E1306
        where they are not known before the model runs."""
        array = self.known(index)
        if array is None:
            self.needs_value(index, what)
        return array

    def needs_value(self, index: int, what: str) -> NoReturn:
        """Refuses a node one of whose inputs has to be known before the model runs: E1306."""
        value = self.input(index)
        name = self.proto.input[index]
        origins = self.importing.origins(value)
        hint = "export the model with it as a constant"
        if origins:
            bound = " ".join(f"--bind {origin}=VALUE" for origin in origins)
            hint = f"{bound} (what it depends on), or {hint}"
        raise NeedsValue(
            f"input {name!r} of {self.op_type} decides {what}, and is only known at run time",
            self.name,
            origins,
            hint,
        )

    def static_ints(self, index: int, what: str) -> tuple[int, ...]:
        """The same as integers. Refuses with E1304 where they are of another type."""
        array = self.static(index, what)
        if array.dtype.kind not in "iu":
            self.fail("E1304", what, expected="integers", found=str(self.type(index)))
        return tuple(int(x) for x in array.reshape(-1))

    # ---- attributes -----------------------------------------------------------------------
    def has(self, name: str) -> bool:
        """Whether an attribute is given."""
        return self._attribute(name) is not None

    def get_int(self, name: str, default: int | None = None) -> int:
        """An integer. Refuses with E1304 if it is missing and there is no default."""
        found = self._of(name, _A.INT, default)
        return int(found.i) if isinstance(found, _A) else int(found)

    def get_float(self, name: str, default: float | None = None) -> float:
        """A float, as fp32 has it."""
        found = self._of(name, _A.FLOAT, default)
        return float(found.f) if isinstance(found, _A) else float(found)

    def get_str(self, name: str, default: str | None = None) -> str:
        """A string."""
        found = self._of(name, _A.STRING, default)
        return found.s.decode("utf-8", "replace") if isinstance(found, _A) else str(found)

    def get_ints(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """Integers."""
        found = self._of(name, _A.INTS, default)
        return tuple(found.ints if isinstance(found, _A) else found)

    def get_floats(self, name: str, default: Sequence[float] | None = None) -> tuple[float, ...]:
        """Floats."""
        found = self._of(name, _A.FLOATS, default)
        return tuple(found.floats if isinstance(found, _A) else found)

    def get_strs(self, name: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """Strings."""
        found = self._of(name, _A.STRINGS, default)
        if not isinstance(found, _A):
            return tuple(found)
        return tuple(s.decode("utf-8", "replace") for s in found.strings)

    def get_tensor(self, name: str) -> Array:
        """A tensor."""
        found = self._of(name, _A.TENSOR, None)
        return self.importing.constants.array(found.t)

    def get_graph(self, name: str) -> onnx.GraphProto:
        """A graph."""
        found: onnx.GraphProto = self._of(name, _A.GRAPH, None).g
        return found

    def get_dtype(self, name: str, default: int | None = None) -> str:
        """An element type that an attribute gives by number. Refuses with E1305."""
        return self.dtype_of(self.get_int(name, default))

    def dtype_of(self, number: int) -> str:
        """The element type with a number. Refuses with E1305."""
        if number not in DTYPES:
            self.fail(
                "E1305",
                f"{self.op_type} makes elements of type {type_name(number)}",
                expected=", ".join(ELEMENTS),
            )
        return DTYPES[number]

    def axis(self, value: int, rank: int) -> int:
        """An axis from 0 on; -1 is the last. Refuses with E1304."""
        if not -rank <= value < rank:
            self.fail("E1304", f"axis {value}", expected=f"{-rank} to {rank - 1}", found=str(value))
        return value % rank if rank else 0

    def axes(self, values: Sequence[int], rank: int) -> tuple[int, ...]:
        """The same for several, each at most once."""
        found = tuple(self.axis(int(value), rank) for value in values)
        if len(set(found)) < len(found):
            self.fail("E1304", "an axis is named twice", found=str(list(values)))
        return found

    def _attribute(self, name: str) -> onnx.AttributeProto | None:
        for attribute in self.proto.attribute:
            if attribute.name == name:
                return self.importing.resolved(attribute, self.scope)
        return None

    def _of(self, name: str, kind: int, default: Any) -> Any:
        found = self._attribute(name)
        if found is None:
            if default is None:
                self.fail("E1304", f"attribute {name} is missing")
            return default
        if found.type != kind:
            names = _A.AttributeType
            self.fail(
                "E1304",
                f"attribute {name} is of another kind",
                expected=names.Name(kind),
                found=names.Name(found.type),
            )
        return found

    # ---- regions and bodies -----------------------------------------------------------------
    def region(self, name: str, types: Sequence[Type] = ()) -> Region:
        """A graph attribute as a region with parameters of some types, ended by ``yield``."""
        return self.importing.region(self.get_graph(name), self.scope, types)

    def body(self) -> Sequence[Value | None]:
        """The outputs, by the operator's function body. Refuses with E1303 if it has none."""
        return self.importing.body(self)

    # ---- refusals ---------------------------------------------------------------------------
    def fail(
        self,
        code: str,
        message: str,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> NoReturn:
        """Refuses the node."""
        raise MaiaccError(
            code,
            message if self.op_type in message else f"{self.op_type}: {message}",
            node=self.name,
            expected=expected,
            found=found,
            hint=hint,
        )

    def unsupported(self, reason: str, hint: str) -> NoReturn:
        """Refuses what is legal and not supported: E1303."""
        self.fail("E1303", f"{self.op_type}: {reason}", hint=hint)


def node_name(proto: onnx.NodeProto) -> str:
    """The name of a node, or of its first output that has one, or its operator."""
    return proto.name or next((name for name in proto.output if name), proto.op_type)


def as_array(value: Any, dtype: str) -> Array:
    """A number or list as an array of an element type."""
    return np.asarray(value).astype(ELEMENTS[dtype].numpy)
