"""Chains: operands, immediates, several stages, and how results leave."""

from __future__ import annotations

import numpy as np
import pytest

from maiacc_isa.tables import Chain, Step
from maiacc_sim.arith.chains import leave, run
from maiacc_sim.arith.convert import convert
from maiacc_sim.traps import Trap
from sim.arith_oracle import Codes

ONE = 0x3F800000


def fp32(*values: float) -> Codes:
    return np.array(values, np.float32).view(np.uint32)


def test_stages_read_earlier_results_and_immediates() -> None:
    chain = Chain(
        "fp32",
        (
            Step("mul", ("a", "b")),
            Step("add", ("r0", "imm"), ONE),
            Step("madd", ("r1", "r0", "c")),
        ),
    )
    inputs = [(fp32(2, 3), "fp32"), (fp32(5, -1), "fp32"), (fp32(0.5, 0.25), "fp32")]
    assert run(chain, inputs).view(np.float32).tolist() == [110.5, 6.25]


@pytest.mark.parametrize(
    ("dtype", "bits", "want"),
    [
        ("int32", 0xFFFFFFFF, 0xFFFFFFFF),
        ("int64", 0xFFFFFFFE, 0xFFFFFFFFFFFFFFFE),
        ("uint64", 0x80000000, 0xFFFFFFFF80000000),
        ("int64", 0x7FFFFFFF, 0x7FFFFFFF),
        ("int8", 0x1FF, 0xFF),
        ("fp32", 0x7F800001, 0x7F800001),
    ],
)
def test_immediates(dtype: str, bits: int, want: int) -> None:
    chain = Chain(dtype, (Step("mov", ("imm",), bits),))
    found = run(chain, [(np.zeros((2, 3), np.uint8), "uint8")])
    assert found.tolist() == [[want] * 3] * 2
    assert found.flags.c_contiguous


def test_operands_are_converted_to_the_chains_type() -> None:
    add = Chain("fp32", (Step("add", ("a", "b")),))
    found = run(
        add, [(np.array([0x3FC0], np.uint16), "bf16"), (np.array([0xFD], np.uint8), "int8")]
    )
    assert found.view(np.float32).tolist() == [-1.5]
    large = np.array([2**24 + 1], np.uint32)
    moved = run(Chain("fp32", (Step("mov", ("a",)),)), [(large, "int32")])
    assert moved.view(np.float32).tolist() == [2.0**24]
    for narrow, want in (("int8", 0xFF), ("uint16", 0xFFFF)):
        chain = Chain(narrow, (Step("mov", ("a",)),))
        assert run(chain, [(np.array([0xFFFFFFFF], np.uint32), "int32")]).tolist() == [want]
    truth = run(Chain("int16", (Step("mov", ("a",)),)), [(np.array([9], np.uint8), "bool")])
    assert truth.tolist() == [1]


def test_results_leave_with_saturation_and_rounding() -> None:
    codes = fp32(300.5, -2.5, 1e9)
    steps = (Step("mov", ("a",)),)
    plain = Chain("fp32", steps)
    assert leave(plain, codes, "fp32") is codes
    assert leave(plain, codes, "fp16").tolist() == [0x5CB2, 0xC100, 0x7C00]
    assert leave(Chain("fp32", steps, saturate=True), codes, "e4m3").tolist() == [0x79, 0xC2, 0x7E]
    down = Chain("fp32", steps, saturate=True, round="floor")
    assert leave(down, codes, "int8").tolist() == [127, 0xFD, 127]
    assert leave(down, codes, "bool").tolist() == [1, 1, 1]
    with pytest.raises(Trap) as caught:
        leave(plain, codes, "int8")
    assert caught.value.name == "conversion"
    whole = np.array([300, 0xFFFFFF00], np.uint32)
    assert leave(Chain("int32", steps), whole, "int8").tolist() == [44, 0]
    assert leave(Chain("int32", steps, saturate=True), whole, "int8").tolist() == [127, 128]


def test_moved_bits_keep_their_nan() -> None:
    dirty = np.array([0xFF812345], np.uint32)
    chain = Chain("fp32", (Step("mov", ("a",)), Step("neg", ("r0",))))
    assert leave(chain, run(chain, [(dirty, "fp32")]), "fp32").tolist() == [0x7F812345]
    brain = np.array([0xFFC1], np.uint16)
    moved = Chain("fp32", (Step("mov", ("a",)),))
    assert leave(moved, run(moved, [(brain, "bf16")]), "bf16").tolist() == [0x7FC0]


def test_the_requantising_chain_of_the_manual() -> None:
    """mul, rne, add, saturating conversion, as for an int8 layer with a zero point."""
    chain = Chain(
        "fp32",
        (
            Step("mul", ("a", "b")),
            Step("rne", ("r0",)),
            Step("add", ("r1", "imm"), int(fp32(3.0)[0])),
        ),
        saturate=True,
    )
    acc = np.array([5, 7, 100000, 0xFFFFFFFF - 99999], np.uint32)
    scale = fp32(0.5, 0.5, 0.5, 0.5)
    found = leave(chain, run(chain, [(acc, "int32"), (scale, "fp32")]), "int8")
    assert convert(found, "int8", "int32").view(np.int32).tolist() == [5, 7, 127, -128]


def test_operands_broadcast() -> None:
    chain = Chain("fp32", (Step("add", ("a", "b")),))
    found = run(chain, [(fp32(1, 2, 3), "fp32"), (fp32(10, 20).reshape(2, 1), "fp32")])
    assert found.view(np.float32).tolist() == [[11, 12, 13], [21, 22, 23]]
    moved = Chain("int8", (Step("mov", ("a",)),))
    one, two = np.array([[7]], np.uint8), np.zeros((2, 2), np.uint8)
    assert run(moved, [(one, "int8"), (two, "int8")]).tolist() == [[7, 7], [7, 7]]


def test_inputs_are_not_changed() -> None:
    codes = fp32(1, 2)
    before = codes.copy()
    chain = Chain("fp32", (Step("mov", ("a",)), Step("add", ("r0", "a"))))
    run(chain, [(codes, "fp32")])
    assert np.array_equal(codes, before)


def test_nothing_at_all() -> None:
    none = np.zeros((0,), np.uint32)
    chain = Chain("int32", (Step("divf", ("a", "b")),))
    assert run(chain, [(none, "int32"), (none, "int32")]).shape == (0,)
