"""The verifier: what is legal passes, and everything that is broken is named with its op."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conftest import GOLDEN
from ir.odd_attributes import odd
from ir.random_graphs import random_module
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.graph import Module, Op, Region, Value, Weight
from maiacc_passes.ir.limits import DEPTH
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.table import operand_types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.verify import verify
from maiacc_passes.ir.weights import Bytes, Data, Splat

TEXT = """ir 1 graph
weight @w : fp32[2] = inline [1.0, 2.0]
weight @e : fp32[] = splat 0.5
bound ~n : 2
graph (%0: fp32[2] "x", %1: bool[] "c", %2: int8[2~n] "i") -> ("y", "z") {
  %3 = add(%0, @w) : fp32[2] !1
  %4 = clamp(%3, _, @e) : fp32[2]
  %5, %6 = sort(%4) {axis=0} : fp32[2], int64[2]
  %7 = if(%1) : fp32[2] () {
    %8 = mul(%3, %5) : fp32[2]
    yield(%8)
  } () {
    yield(%5)
  }
  %9 = neg(%7) : fp32[2]
  %10 = neg(%2) : int8[2~n]
  return(%9, %10)
}
loc !1 = ["Add_0"]
"""

Names = dict[str, Op]


def sample() -> tuple[Module, Names]:
    """A module, and its ops by name; ``neg`` is the first one."""
    module = parse_module(TEXT)
    verify(module)
    names: Names = {}
    for op in module.main.walk():
        names.setdefault(op.name, op)
    return module, names


def operand(op: Op, index: int = 0) -> Value:
    """An operand that is there."""
    value = op.operands[index]
    assert value is not None
    return value


# ---- ways to break a module -----------------------------------------------------------------
def _region(ops: Names, index: int = 0) -> Region:
    return ops["if"].regions[index]


def _weight(module: Module, source: Any) -> None:
    module.weights["w"].source = source


def _uses(value: Value, uses: dict[Op, int]) -> None:
    value.uses = uses


def _swap(module: Module, ops: Names) -> None:
    module.main.unlink(ops["add"])
    module.main.insert(ops["add"], ops["sort"])


def _stale(module: Module, ops: Names) -> None:
    _, other = sample()
    operand(ops["add"]).uses[other["sort"]] = 1


def _deep(module: Module, ops: Names) -> None:
    b = Builder(module, ops["if"].region, ops["if"])
    inner: list[Op] = []
    for _ in range(DEPTH + 1):
        region, twin = Region(), Region()
        for one in (region, twin):
            with b.inside(one):
                if inner and one is region:
                    one.append(inner.pop())
                finish(b, (), "yield")
        row, condition = OPS["if"], module.main.params[1]
        inner.append(Op(row, [condition], {}, (), [region, twin]))
    b.region.insert(inner.pop(), ops["if"])


def _moved(module: Module, ops: Names) -> None:
    mul = ops["mul"]
    ops["neg"].set_operands([mul.result])


def _again(module: Module, ops: Names) -> None:
    ops["if"].regions = [_region(ops), _region(ops)]


def _end(module: Module, ops: Names, name: str, before: str) -> None:
    region = ops[before].region
    assert region is not None
    region.insert(Op(OPS[name], (), {}, ()), ops[before])


def _more(module: Module, ops: Names) -> None:
    region = Region()
    with Builder(module).inside(region):
        region.append(Op(OPS["yield"], (), {}, ()))
    region.owner = ops["if"]
    ops["if"].regions.append(region)


def _foreign(module: Module, ops: Names) -> None:
    other = Weight("w", tensor("fp32", (2,)), Splat(np.ones((), np.float32)))
    ops["add"].set_operands([module.main.params[0], other.value])


def _set(thing: object, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(thing, name, value)


Break = Callable[[Module, Names], object]

#: What is broken, the code, and what the message has.
BROKEN: list[tuple[Break, str, str]] = [
    (lambda m, o: _set(m, stage="kernel"), "E1414", "found kernel"),
    (lambda m, o: m.bounds.update({"a b": 1}), "E1414", "no bound of a symbol"),
    (lambda m, o: m.bounds.update(k=-1), "E1414", "no bound of a symbol"),
    (lambda m, o: m.bounds.clear(), "E1414", "~n has no bound"),
    (lambda m, o: m.bounds.update(n=3), "E1414", "a size is below the bound of ~n, 3"),
    (lambda m, o: _set(m.weights["w"], name="v"), "E1414", "no name of a weight"),
    (lambda m, o: m.weights.update({"a b": m.weights.pop("w")}), "E1414", "no name of a weight"),
    (lambda m, o: _set(m.weights["w"].value, weight=None), "E1414", "value of weight @w"),
    (lambda m, o: _set(m.weights["w"].value, op=o["add"]), "E1414", "value of weight @w"),
    (lambda m, o: _weight(m, Data(np.zeros(3, np.float32))), "E1414", "elements of weight @w"),
    (lambda m, o: _weight(m, Data(np.zeros(2, np.int32))), "E1414", "elements of weight @w"),
    (lambda m, o: _weight(m, Splat(np.zeros(2, np.float32))), "E1414", "elements of weight @w"),
    (lambda m, o: _weight(m, Bytes("f", 0, 7)), "E1414", "elements of weight @w"),
    (lambda m, o: m.weights.pop("w"), "E1414", "weight @w is not of this module"),
    (_foreign, "E1414", "weight @w is not of this module"),
    (lambda m, o: m.inputs.pop(), "E1414", "inputs and their names"),
    (lambda m, o: _set(m, inputs=["x", "x", "y"]), "E1414", "two inputs have one name; found x"),
    (lambda m, o: m.outputs.pop(), "E1414", "outputs and their names"),
    (lambda m, o: _set(m, outputs=["y", "y"]), "E1414", "two outputs have one name; found y"),
    (lambda m, o: _set(m.main, owner=o["if"]), "E1414", "belongs to another op"),
    (lambda m, o: _set(_region(o), owner=o["add"]), "E1414", "belongs to another op"),
    (lambda m, o: _set(m.main.params[0], index=1), "E1414", "a parameter is not of its region"),
    (lambda m, o: _set(m.main.params[0], region=_region(o)), "E1414", "a parameter is not"),
    (lambda m, o: _set(o["sort"], previous=None), "E1414", "not linked to its neighbours"),
    (lambda m, o: _set(o["sort"], next=o["add"]), "E1414", "not linked to its neighbours"),
    (lambda m, o: _set(o["sort"], next=o["sort"]), "E1414", "not linked to its neighbours"),
    (lambda m, o: _set(o["sort"], region=_region(o)), "E1414", "not linked to its neighbours"),
    (lambda m, o: _set(o["sort"], next=None), "E1414", "the last op of a region is another one"),
    (lambda m, o: _set(m.main, last=o["sort"]), "E1414", "the last op of a region is another one"),
    (lambda m, o: _set(m.main, first=None), "E1414", "the last op of a region is another one"),
    (lambda m, o: _set(m, main=Region()), "E1414", "inputs and their names"),
    (lambda m, o: _set(_region(o), first=None, last=None), "E1414", "a region has no end"),
    (_swap, "E1414", "not defined before, or not here"),
    (_moved, "E1414", "not defined before, or not here"),
    (lambda m, o: _uses(o["add"].result, {}), "E1414", "does not count this use"),
    (lambda m, o: _uses(o["sort"].results[0], {o["mul"]: 2}), "E1414", "does not count this use"),
    (_stale, "E1414", "lists a use by sort that there is not"),
    (lambda m, o: m.main.params[0].uses.update({o["sort"]: 1}), "E1414", "lists a use by sort"),
    (lambda m, o: _set(o["sort"].results[1], index=0), "E1414", "a result is not of its op"),
    (lambda m, o: _set(o["sort"].results[1], op=o["add"]), "E1414", "a result is not of its op"),
    (lambda m, o: o["sort"].results.pop(), "E1414", "another number of results"),
    (lambda m, o: _set(o["add"].result, type=tensor("fp32", (3,))), "E1403", "expected fp32[2]"),
    (lambda m, o: _set(m.weights["e"].value, type=tensor("fp16")), "E1414", "weight @e"),
    (lambda m, o: _set(m.main.params[0], type=replace(tensor("fp32", (2,)))), "E1414", "tensor()"),
    (lambda m, o: _end(m, o, "return", "sort"), "E1414", "return is not at the end"),
    (lambda m, o: _end(m, o, "yield", "sort"), "E1414", "yield is not at the end"),
    (lambda m, o: _end(m, o, "return", "mul"), "E1414", "return is not at the end"),
    (lambda m, o: _set(o["yield"], row=OPS["return"]), "E1414", "return is not at the end"),
    (lambda m, o: _set(o["sort"], attrs={}), "E1401", "needs the attribute axis"),
    (lambda m, o: o["sort"].attrs.pop("descending"), "E1401", "lacks the attribute descending"),
    (lambda m, o: o["sort"].attrs.update(k=1), "E1401", "has no attribute k"),
    (lambda m, o: o["sort"].attrs.update(axis=0.0), "E1401", "expected int; found 0.0"),
    (lambda m, o: o["sort"].attrs.update(axis=True), "E1401", "expected int; found True"),
    (lambda m, o: o["sort"].attrs.update(axis=1 << 70), "E1401", "expected 64 bits"),
    (lambda m, o: o["sort"].attrs.update(axis=1), "E1403", "there is no axis 1"),
    (lambda m, o: o["add"].set_operands([m.main.params[0]]), "E1402", "expected a, b"),
    (lambda m, o: o["add"].set_operands([None, m.main.params[0]]), "E1402", "found _, fp32[2]"),
    (lambda m, o: _set(o["sort"], operands=(*o["sort"].operands, None)), "E1414", "left out"),
    (lambda m, o: _set(o["add"], row=replace(OPS["add"])), "E1414", "no op of the stage graph"),
    (_again, "E1414", "a region twice"),
    (_more, "E1402", "regions of if"),
    (_deep, "E1414", f"nested more than {DEPTH} deep"),
]


@pytest.mark.parametrize("number", range(len(BROKEN)))
def test_broken(number: int) -> None:
    change, code, part = BROKEN[number]
    module, ops = sample()
    change(module, ops)
    with pytest.raises(IRError) as caught:
        verify(module)
    assert caught.value.code == code, str(caught.value)
    assert part in str(caught.value)


def test_the_op_is_named_with_its_neighbours_and_its_node() -> None:
    module, ops = sample()
    ops["add"].result.type = tensor("fp32", (3,))
    with pytest.raises(IRError) as caught:
        verify(module)
    assert str(caught.value) == (
        "E1403: a result's type\n"
        "> %3 = add(%0, @w) : fp32[3]\n"
        "  %4 = clamp(%3, _, @e) : fp32[2]\n"
        "  %5, %6 = sort(%4) {axis=0} : fp32[2], int64[2]\n"
        "; expected fp32[2]; found fp32[3]; node Add_0"
    )


# ---- what is legal --------------------------------------------------------------------------
@pytest.mark.parametrize("path", sorted((GOLDEN / "ir").glob("*.ir")), ids=lambda path: path.stem)
def test_samples_are_legal(path: Any) -> None:
    verify(parse_module(path.read_text("utf-8")))


@pytest.mark.parametrize("seed", range(20))
def test_what_the_verbs_do_is_legal(seed: int) -> None:
    """Values replaced by others of their type, and ops erased, leave a legal module."""
    module = random_module(seed, 30)
    rng = random.Random(seed)
    before: dict[Type, list[Value]] = {}
    for op in list(module.main):
        for value in op.results:
            if before.get(value.type) and rng.random() < 0.5:
                value.replace(rng.choice(before[value.type]))
            before.setdefault(value.type, []).append(value)
    verify(module)
    for op in list(reversed(module.main))[1:]:
        if not any(value.uses for value in op.results):
            op.erase()
    module.drop_unused_weights()
    verify(module)


@pytest.mark.parametrize("seed", range(20))
def test_rows_refuse_odd_attributes_and_operands(seed: int) -> None:
    """Nothing that a text can say makes a row fail in another way than by an ``IRError``."""
    rng = random.Random(seed)
    module = random_module(seed, 30)
    types = [value.type for op in module.main.walk() for value in op.results]
    for op in module.main.walk():
        for _ in range(8):
            attrs: dict[str, Any] = dict(op.attrs)
            kinds = operand_types(op)
            for _ in range(rng.randint(1, 2)):
                if attrs and (not kinds or rng.random() < 0.7):
                    name = rng.choice(list(attrs))
                    attrs[name] = odd(op.row.attrs[name], attrs[name], rng)
                elif kinds:
                    kinds[rng.randrange(len(kinds))] = rng.choice([*types, None])
            try:
                found = op.row.result_types(op.row.full_attrs(attrs), kinds, op.regions)
            except IRError:
                continue
            assert all(tensor(k.dtype, k.shape, k.counts) is k for k in found)
