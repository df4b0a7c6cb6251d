"""Arrays of the host: into HBM and back, with types numpy does not have."""

from __future__ import annotations

import random
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from maiacc_isa.asm import assemble
from maiacc_isa.errors import MaiaccError
from maiacc_isa.formats import decode
from maiacc_isa.load import load
from maiacc_isa.machine import builtin_machine
from maiacc_isa.program import Program, Tensor, Weights
from maiacc_sim.memory import Memories, Owner
from maiacc_sim.system import System
from maiacc_sim.tensors import FOREIGN, host_dtype, load_inputs, random_inputs, read_outputs
from maiacc_sim.traps import Trap

DTYPES = sorted(load().dtypes)


def program(*tensors: Tensor, target: str = "mini2", **weights: Weights) -> Program:
    return Program(builtin_machine(target), tensors, (), (), (), weights)


def memories(p: Program) -> Memories:
    return Memories(System(p.machine))


def chip(m: Memories, number: int) -> Owner:
    return Owner("hbm", m.system.instance("chip", number).number)


def codes_of(r: random.Random, dtype: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    t = load().dtypes[dtype]
    most = 1 if t.kind == "bool" else (1 << t.bits) - 1
    codes = [r.randint(0, most) for _ in range(prod(shape))]
    return np.array(codes, np.uint64).reshape(shape)


def laid_out(codes: np.ndarray[Any, Any], bits: int) -> bytes:
    """Row-major, without gaps, rows of small types padded to whole bytes: by Python integers."""
    columns = codes.shape[-1] if codes.shape else 1
    flat = [int(c) for c in codes.reshape(-1)]
    result = b""
    for start in range(0, len(flat), columns or 1):
        row = sum(code << i * bits for i, code in enumerate(flat[start : start + columns]))
        result += row.to_bytes(-(-columns * bits // 8), "little")
    return result


SHAPES: tuple[tuple[int, ...], ...] = ((), (1,), (5,), (4, 7), (2, 3, 4), (0,), (3, 0), (0, 3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_are_laid_out_as_the_manual_says_and_come_back(dtype: str) -> None:
    r = random.Random(dtype)
    bits = load().dtypes[dtype].bits
    for shape in SHAPES:
        codes = codes_of(r, dtype, shape)
        value = codes.astype(f"u{host_dtype(dtype).itemsize}").view(host_dtype(dtype))
        p = program(Tensor("K", "state", dtype, shape, 0x40, result="K next"))
        m = memories(p)
        load_inputs(p, m, {"K": value})
        expected = laid_out(codes, bits)
        for number in (0, 1):
            assert m.fetch(chip(m, number), 0x40, len(expected)).tobytes() == expected
        found = read_outputs(p, m)
        assert list(found) == ["K next"]
        assert found["K next"].dtype == host_dtype(dtype)
        assert found["K next"].tobytes() == value.tobytes()
        assert found["K next"].shape == shape


def test_types_of_the_host() -> None:
    natural = {"fp32": "float32", "fp16": "float16", "bool": "bool", "int64": "int64"}
    for dtype, name in natural.items():
        assert host_dtype(dtype).name == name
    assert host_dtype("bf16") == np.uint16
    assert {host_dtype(d) for d in FOREIGN if d != "bf16"} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("dtype", sorted(FOREIGN))
def test_arrays_of_ml_dtypes_are_taken_by_name(dtype: str) -> None:
    bits = load().dtypes[dtype].bits
    codes = np.arange(min(1 << bits, 256)).astype(f"u{host_dtype(dtype).itemsize}")
    foreign = np.dtype(getattr(ml_dtypes, FOREIGN[dtype]))
    numbers = np.array([decode(dtype, int(code)) for code in codes])
    value = numbers.astype(foreign)
    assert value.dtype.name == FOREIGN[dtype]
    p = program(Tensor("K", "state", dtype, codes.shape, 0))
    m = memories(p)
    load_inputs(p, m, {"K": value})
    found = read_outputs(p, m)["K"]
    same = [decode(dtype, int(code)) for code in found]
    assert np.array_equal(np.array(same), numbers, equal_nan=True)


def test_split_tensors_are_dealt_over_the_chips() -> None:
    p = program(
        Tensor("K", "state", "int4", (4, 3), 0, split=True, result="N"),
        Tensor("W", "weight", "int16", (2, 2), 0x40, split=True),
        Tensor("V", "weight", "int16", (2,), 0x80),
        W=Weights(bytes(range(8)), None, 0, 8),
        V=Weights(bytes(range(4)), None, 0, 4),
    )
    m = memories(p)
    value = np.arange(12, dtype=np.uint8).reshape(4, 3)
    load_inputs(p, m, {"K": value})
    for number in (0, 1):
        half = laid_out(value[2 * number : 2 * number + 2], 4)
        assert m.fetch(chip(m, number), 0, 4).tobytes() == half
        weight = bytes(range(4 * number, 4 * number + 4))
        assert m.fetch(chip(m, number), 0x40, 4).tobytes() == weight
        assert m.fetch(chip(m, number), 0x80, 4).tobytes() == bytes(range(4))
        with pytest.raises(Trap):
            m.fetch(chip(m, number), 4, 1)
    assert read_outputs(p, m)["N"].tolist() == value.tolist()
    odd = program(Tensor("K", "state", "int8", (3,), 0, split=True))
    for attempt in (
        lambda: load_inputs(odd, memories(odd), {"K": np.zeros(3, np.int8)}),
        lambda: read_outputs(odd, memories(odd)),
    ):
        with pytest.raises(Trap, match="cannot be split"):
            attempt()


def test_outputs_that_are_not_written_trap() -> None:
    p = program(Tensor("Y", "output", "fp32", (4,), 0))
    m = memories(p)
    m.store(chip(m, 0), 0, np.zeros(15, np.uint8))
    with pytest.raises(Trap) as trap:
        read_outputs(p, m)
    assert (trap.value.name, trap.value.found) == ("uninitialised", "byte 0xf of hbm of chip 0")
    m.store(chip(m, 0), 15, np.zeros(1, np.uint8))
    assert read_outputs(p, m)["Y"].tolist() == [0, 0, 0, 0]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"A": np.zeros(4, np.float32)}, "E1201"),
    "unknown": ({"A": np.zeros(4, "f4"), "B": np.zeros(2, "u1"), "C": np.zeros(1)}, "E1202"),
    "shape": ({"A": np.zeros((2, 2), np.float32), "B": np.zeros(2, np.uint8)}, "E1203"),
    "type": ({"A": np.zeros(4), "B": np.zeros(2, np.uint8)}, "E1203"),
    "order": ({"A": np.zeros(4, ">f4"), "B": np.zeros(2, np.uint8)}, "E1203"),
    "objects": ({"A": np.array([None] * 4), "B": np.zeros(2, np.uint8)}, "E1203"),
    "no codes": ({"A": np.zeros(4, np.float32), "B": np.array([0, 16], np.uint8)}, "E1203"),
    "signed codes": ({"A": np.zeros(4, np.float32), "B": np.zeros(2, np.int8)}, "E1203"),
    "other type": ({"A": np.zeros(4, np.float32), "B": np.zeros(2, ml_dtypes.uint4)}, "E1203"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_values_are_refused(case: str) -> None:
    values, code = WRONG[case]
    p = program(Tensor("A", "input", "fp32", (4,), 0), Tensor("B", "state", "int4", (2,), 64))
    with pytest.raises(MaiaccError) as refusal:
        load_inputs(p, memories(p), values)
    error = refusal.value
    assert error.code == code
    assert all((error.expected, error.found, error.hint)) or case == "no codes"
    if code == "E1201":
        assert "B" in error.message


def test_weights_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(range(100)))
    p = program(
        Tensor("W", "weight", "uint8", (90,), 0x40),
        W=Weights(None, str(tmp_path / "w.bin"), 10, 90),
    )
    m = memories(p)
    load_inputs(p, m, {})
    assert m.fetch(chip(m, 1), 0x40, 90).tolist() == list(range(10, 100))
    short = program(*p.tensors, W=Weights(b"abc", None, 0, 3))
    for wrong, code in ((program(*p.tensors), "E1210"), (short, "E0510")):
        with pytest.raises(MaiaccError) as refusal:
            load_inputs(wrong, memories(wrong), {})
        assert refusal.value.code == code


def test_tensors_outside_hbm_trap() -> None:
    p = program(Tensor("A", "input", "fp32", (1 << 20,), (1 << 24) - 64))
    with pytest.raises(Trap):
        load_inputs(p, memories(p), {"A": np.zeros(1 << 20, np.float32)})
    big = program(Tensor("Y", "output", "fp32", (1 << 42,), 0))
    with pytest.raises(Trap):
        read_outputs(big, memories(big))


def test_random_inputs_are_small_legal_and_the_same() -> None:
    tensors = [Tensor(f"T{dtype}", "input", dtype, (40, 5), 0) for dtype in DTYPES]
    p = program(*tensors)
    values = random_inputs(p, 7)
    again = random_inputs(program(*reversed(tensors)), 7)
    other = random_inputs(p, 8)
    for tensor in tensors:
        t, value = load().dtypes[tensor.dtype], values[tensor.name]
        assert value.dtype == host_dtype(tensor.dtype)
        assert value.tobytes() == again[tensor.name].tobytes()
        assert value.tobytes() != other[tensor.name].tobytes()
        codes = value.view(f"u{value.itemsize}").reshape(-1)
        numbers = {decode(tensor.dtype, int(code)) for code in codes}
        if t.is_float:
            assert numbers == set(range(-4, 5))
        elif t.kind == "scale":
            assert numbers == {0.25, 0.5, 1, 2, 4}
        elif t.kind == "meta":
            assert numbers == {4, 8, 9, 12, 13, 14}
        elif t.kind == "bool":
            assert numbers == {0, 1}
        else:
            narrow = t.signed and t.bits <= 8
            assert numbers == set(range(-4, 5) if narrow else range(4))
    # The first of them, as somebody with another numpy must find them, too.
    assert values["Tint64"][0].tolist() == [2, 1, 1, 1, 1]


def test_a_program_of_text() -> None:
    p = assemble("mist 1.0\ntarget mini\ninput A : bf16[3] @ 0x0\nblock main { }\n")
    assert list(random_inputs(p, 0)) == ["A"]
