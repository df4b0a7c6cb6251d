"""Golden files changed a little at random: what rules look for, but for one thing."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.verify import verify
from maiacc_passes.ir.weights import Data, Splat

#: Ops that may take each other's place.
ALIKE = (
    ("add", "sub", "mul", "div", "max", "min"),
    ("exp", "neg", "sqrt", "rsqrt", "recip", "sigmoid", "tanh", "erf", "log", "cos", "sin", "abs"),
    ("rsum", "rmax", "rmin", "rsumsq"),
    ("lt", "le", "eq"),
    ("layer_norm", "rms_norm"),
    ("softmax", "log_softmax"),
)

#: How much a constant grows or shrinks; rules may forgive much less.
FACTORS = (0.0, -1.0, 0.5, 0.9, 1.1, 2.0)

Mutation = Callable[[random.Random, Module], bool]


def mutant(text: str, seed: int) -> Module | None:
    """A legal module that differs from a text in one thing; None if it came to nothing."""
    module, rng = parse_module(text), random.Random(f"{seed} {text}")
    mutation = rng.choice(MUTATIONS)
    try:
        if not mutation(rng, module):
            return None
        # What rests on the changed op has to have the right types still.
        verify(module)
    except IRError:
        return None
    return parse_module(print_module(module))


def _ops(module: Module) -> list[Op]:
    return [op for op in module.main.walk() if op.results]


def _other_op(rng: random.Random, module: Module) -> bool:
    """Another op of the same form in the place of one."""
    op = rng.choice(_ops(module))
    others = [name for group in ALIKE if op.name in group for name in group if name != op.name]
    if not others:
        return False
    attrs: dict[str, Any] = {key: value for key, value in op.attrs.items() if key != "floor"}
    made = Builder(module, op.region, op).many(rng.choice(others), *op.operands, **attrs)
    op.replace(made)
    return True


def _other_operand(rng: random.Random, module: Module) -> bool:
    """Another value of the same type as an operand."""
    op = rng.choice(_ops(module))
    if not op.operands or op.region is not module.main:
        return False
    at = rng.randrange(len(op.operands))
    old = op.operands[at]
    there: list[Value] = [*module.main.params, *filter(_usual, _constants(module))]
    before = op.previous
    while before is not None:
        there += before.results
        before = before.previous
    others = [x for x in there if old is not None and x.type is old.type and x is not old]
    if not others:
        return False
    operands = list(op.operands)
    operands[at] = rng.choice(others)
    op.set_operands(operands)
    return True


def _constants(module: Module) -> list[Value]:
    return [weight.value for weight in module.weights.values()]


def _usual(value: Value) -> bool:
    """Whether a constant does not stand for infinity: nobody multiplies by one that does."""
    assert value.weight is not None
    array = value.weight.source.array(value.type).astype(np.float64)
    return bool((np.abs(array) < 1e4).all())


def _swapped(rng: random.Random, module: Module) -> bool:
    """Two operands the other way round."""
    op = rng.choice(_ops(module))
    if len(op.operands) < 2 or op.row.commutes:
        return False
    operands = list(op.operands)
    at = rng.randrange(len(operands) - 1)
    operands[at : at + 2] = operands[at : at + 2][::-1]
    op.set_operands(operands)
    return True


def _other_attribute(rng: random.Random, module: Module) -> bool:
    """A number in an attribute one more or less, or a truth value inverted."""
    op = rng.choice(_ops(module))
    if not op.attrs:
        return False
    name = rng.choice(list(op.attrs))
    value = op.attrs[name]
    if isinstance(value, bool):
        op.attrs[name] = not value
    elif isinstance(value, int):
        op.attrs[name] = value + rng.choice((-1, 1))
    elif isinstance(value, float):
        op.attrs[name] = value * rng.choice(FACTORS) + 0.25
    elif isinstance(value, tuple) and value and isinstance(value[0], int):
        at = rng.randrange(len(value))
        op.attrs[name] = (*value[:at], value[at] + rng.choice((-1, 1)), *value[at + 1 :])
    else:
        return False
    return True


def _other_constant(rng: random.Random, module: Module) -> bool:
    """One element of a constant, or all of them, larger, smaller or of the other sign."""
    if not module.weights:
        return False
    weight = rng.choice(list(module.weights.values()))
    array = np.array(weight.source.array(weight.type))
    if not array.size:
        return False
    chosen = np.zeros(array.shape, np.bool_)
    chosen.reshape(-1)[rng.randrange(array.size)] = True
    if isinstance(weight.source, Splat) or rng.random() < 0.3:
        chosen[...] = True
    if array.dtype == np.bool_:
        changed = ~array
    else:
        with np.errstate(all="ignore"):
            changed = (array.astype(np.float64) * rng.choice(FACTORS) + 0.5).astype(array.dtype)
    weight.source = Data(np.where(chosen, changed, array).astype(array.dtype))
    return True


def _another_user(rng: random.Random, module: Module) -> bool:
    """Something in between is handed out as well."""
    op = rng.choice(_ops(module))
    end = module.main.last
    if op.region is not module.main or end is None:
        return False
    end.set_operands([*end.operands, op.results[0]])
    module.outputs = [*module.outputs, "between"]
    return True


MUTATIONS: tuple[Mutation, ...] = (
    _other_op, _other_operand, _swapped, _other_attribute, _other_constant, _another_user,
)  # fmt: skip
