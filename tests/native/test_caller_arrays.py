"""What the native simulator does to the arrays of its caller: it reads them as they lie, and leaves
them as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from maiacc_isa.asm import assemble
from maiacc_isa.load import load
from maiacc_isa.program import Program
from maiacc_isa.tables import Term
from maiacc_sim.native.machine import NativeMachine
from maiacc_sim.simulate import Options, Session, simulate
from maiacc_sim.tensors import random_inputs
from maiacc_sim.traps import Trap
from native.compare import same
from native.test_random import inputs_of
from sim.programs import draw

#: Inputs of many types, a state that grows, and a sum that depends on a parameter.
TYPES = """mist 1.0
target mini
param n : 1..9
input  A : bf16[4, 6] @ 0x0
input  B : int4[4, 6] @ 0x40
input  C : fp32[4, 6] @ 0x80
input  D : bool[4, 6] @ 0x100
input  E : e4m3[4, 6] @ 0x140
state  S : fp32[4, 6] @ 0x180 in "S" out "S next"
output Y : fp32[4, 6] @ 0x240
output Z : int4[4, 6] @ 0x2c0
block b {
  reg n = s0
  buffer a : bf16[6] @tsram 0x0
  buffer b : int4[6] @tsram 0x40
  buffer c : fp32[6] @tsram 0x80
  buffer d : bool[6] @tsram 0xc0
  buffer e : e4m3[6] @tsram 0x100
  buffer s : fp32[6] @tsram 0x140
  buffer y : fp32[6] @tsram 0x180
  sem here : LD0 -> TVP tile
  sem done : TVP -> ST tile
  chain first : fp32 = mul(a, b); add(r0, c)
  chain second : fp32 = select(a, b, c)
  chain third : fp32 = add(a, b); add(r0, c)
  n = param n on tile
  LD0 copy a{i:6}[i], A{m:1, i:6}[gtile, i]
  LD0 copy b{i:6}[i], B{m:1, i:6}[gtile, i]
  LD0 copy c{i:6}[i], C{m:1, i:6}[gtile, i]
  LD0 copy d{i:6}[i], D{m:1, i:6}[gtile, i]
  LD0 copy e{i:6}[i], E{m:1, i:6}[gtile, i]
  LD0 copy s{i:6}[i], S{m:1, i:6}[gtile, i] post(here)
  TVP vmap y{i:6}[i], a{i:6}[i], b{i:6}[i], c{i:6}[i] chain=first wait(here)
  TVP vmap y{i:6}[i], d{i:6}[i], y{i:6}[i], e{i:6}[i] chain=second
  TVP vmap s{i:6}[i], s{i:6}[i], y{i:6}[i], int32 @iota 0 {i:6}[n + i < 99] chain=third post(done)
  ST copy Y{m:1, i:6}[gtile, i], y{i:6}[i] wait(done)
  ST copy Z{m:1, i:6}[gtile, i], b{i:6}[i]
  ST copy S{m:1, i:6}[gtile, i], s{i:6}[i]
}
"""


def types_program() -> Program:
    """The program of many types, proven."""
    return assemble(TYPES)


def arrays(seed: int) -> dict[str, Any]:
    """Inputs for it."""
    return random_inputs(types_program(), seed)


def test_runs_of_a_session_are_like_single_runs() -> None:
    program, session = types_program(), Session(types_program())
    assert session.engine == "native"
    kept = []
    for seed in range(4):
        inputs, parameters = arrays(seed), {"n": 1 + seed}
        before = {name: array.copy() for name, array in inputs.items()}
        result = session.run(inputs, parameters)
        alone = simulate(program, inputs, parameters)
        slow = simulate(program, inputs, parameters, Options(engine="reference"))
        assert same(result, alone)
        assert same(result, slow)
        kept.append((result, {name: out.tobytes() for name, out in result.outputs.items()}))
        assert all(np.array_equal(inputs[name], before[name]) for name in inputs)
    for result, held in kept:
        assert {name: out.tobytes() for name, out in result.outputs.items()} == held
    assert len({held["Y"] for _, held in kept}) == 4


def test_outputs_belong_to_the_caller() -> None:
    session = Session(types_program())
    first = session.run(arrays(1), {"n": 1})
    held = {name: out.copy() for name, out in first.outputs.items()}
    for out in first.outputs.values():
        out.reshape(-1).view(np.uint8)[:] = 0xFF
    second = session.run(arrays(1), {"n": 1})
    assert {n: o.tobytes() for n, o in second.outputs.items()} == {
        n: o.tobytes() for n, o in held.items()
    }
    # What a run gives may be what the next one takes.
    inputs = {**arrays(2), "S": second.outputs["S next"]}
    before = inputs["S"].copy()
    third = session.run(inputs, {"n": 2})
    assert np.array_equal(inputs["S"], before)
    assert same(third, simulate(types_program(), {**arrays(2), "S": before}, {"n": 2}))


def test_sessions_go_on_after_a_trap() -> None:
    """Two runs of random programs on their data, with one on other data between them."""
    trapped = 0
    for seed in range(2_000_040, 2_000_070):
        drawn = draw(seed)
        session = Session(drawn.program, Options(threads=2))
        if session.engine != "native":
            continue
        inputs = inputs_of(drawn)
        first = session.run(inputs, drawn.parameters)
        try:
            session.run(random_inputs(drawn.program, seed), drawn.parameters)
        except Trap:
            trapped += 1
        assert same(first, session.run(inputs, drawn.parameters)), seed
    assert trapped


WAYS: dict[str, Callable[[Any], Any]] = {
    "read-only": lambda a: _read_only(a.copy()),
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "reversed": lambda a: a[::-1].copy()[::-1],
    "with gaps": lambda a: np.repeat(a, 3, axis=1)[:, ::3],
    "Fortran": np.asfortranarray,
    "unaligned": lambda a: _unaligned(a),
}


def _read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


def _unaligned(array: Any) -> Any:
    """The same numbers one byte off."""
    data = np.zeros(array.nbytes + 1, np.uint8)
    data[1:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return np.frombuffer(data.data, array.dtype, offset=1).reshape(array.shape)


@pytest.mark.parametrize("way", WAYS)
def test_arrays_may_lie_as_they_like(way: str) -> None:
    plain = arrays(5)
    given = {name: WAYS[way](array) for name, array in plain.items()}
    assert all(np.array_equal(given[name], plain[name]) for name in plain)
    before = {name: array.tobytes() for name, array in given.items()}
    result = simulate(types_program(), given, {"n": 3})
    assert result.engine == "native"
    assert same(result, simulate(types_program(), plain, {"n": 3}, Options(engine="reference")))
    assert {name: array.tobytes() for name, array in given.items()} == before


def test_numbers_that_repeat_take_no_room() -> None:
    one = arrays(6)
    given = {name: np.broadcast_to(array[:1, :1], (4, 6)) for name, array in one.items()}
    plain = {name: array.copy() for name, array in given.items()}
    assert same(
        simulate(types_program(), given, {"n": 1}), simulate(types_program(), plain, {"n": 1})
    )


def test_foreign_types_are_taken() -> None:
    plain = arrays(7)
    kinds = {"A": ml_dtypes.bfloat16, "E": ml_dtypes.float8_e4m3fn}
    foreign = {**plain, **{name: plain[name].view(kind) for name, kind in kinds.items()}}
    signed = (plain["B"].astype(np.int8) << 4) >> 4
    foreign["B"] = signed.astype(ml_dtypes.int4)
    assert {foreign[name].dtype.name for name in "ABE"} == {"bfloat16", "int4", "float8_e4m3fn"}
    before = {name: array.tobytes() for name, array in foreign.items()}
    result = simulate(types_program(), foreign, {"n": 3})
    assert same(result, simulate(types_program(), plain, {"n": 3}))
    assert {name: array.tobytes() for name, array in foreign.items()} == before


def _writes_to(name: str) -> Program:
    """The program with its first output stored where a tensor lies that it must not change."""
    program = types_program()
    bases = {tensor.name: tensor.base for tensor in program.tensors}
    block = program.blocks[0]
    moved = tuple(
        replace(
            d, terms=(*d.terms, Term(load().sources["one"].code, "bytes", bases[name] - d.base))
        )
        if d.space == "hbm" and d.base == bases["Y"]
        else d
        for d in block.descriptors
    )
    return replace(program, blocks=(replace(block, descriptors=moved),))


@pytest.mark.parametrize("name", ["C", "S"])
def test_inputs_of_the_caller_are_never_written(name: str) -> None:
    """Not even by a program that no prover would let pass."""
    machine = NativeMachine(_writes_to(name))
    inputs = arrays(8)
    before = {key: array.copy() for key, array in inputs.items()}
    wanted = simulate(types_program(), inputs, {"n": 1})
    for _ in range(3):
        machine.execute(inputs, {"n": 1})
        assert all(np.array_equal(inputs[key], before[key]) for key in inputs)
        base = next(t.base for t in machine.program.tensors if t.name == name)
        owner = next(owner for owner in machine.memories.pieces if owner.space == "hbm")
        if name == "C":
            held = machine.memories.read(owner, base + np.arange(96), 1)
            assert held.tobytes() == wanted.outputs["Y"].tobytes()
