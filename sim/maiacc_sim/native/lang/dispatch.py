"""Functions that choose among others by a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maiacc_sim.native.lang.emit import Body, constant
from maiacc_sim.native.lang.functions import Generator, NativeFunction, Need
from maiacc_sim.native.lang.types import I64, Scalar


def by_number(table: Mapping[int, Any], otherwise: int | None = None) -> Generator:
    """Calls the function that ``table`` has for the first parameter, with all the others.

    Other numbers give ``otherwise``, or do nothing where there is no result.
    """

    def write(body: Body, need: Need) -> None:
        number, *rest = body.params.values()
        cases = {key: body.name("case") for key in table}
        default = body.name("otherwise")
        entries = " ".join(f"i64 {key}, label %{label}" for key, label in cases.items())
        body.line(f"switch i64 {number.ref}, label %{default} [{entries}]")
        body.done = True
        for key, label in cases.items():
            target = table[key]
            assert isinstance(target, NativeFunction)
            need(target)
            body.block(label)
            body.leave(body.call(target.signature, rest))
        body.block(default)
        result = body.signature.result
        if result is None:
            body.leave()
        else:
            assert isinstance(result, Scalar)
            body.leave(constant(I64 if result.value == "i64" else result, otherwise or 0))

    return write
