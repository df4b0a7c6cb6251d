"""The tensor unit, the drain queue, scalars, and whole programs in program order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conftest import GOLDEN, ROOT
from maiacc_isa.asm import assemble
from maiacc_isa.load import load
from maiacc_sim.meanings import MEANINGS
from maiacc_sim.meanings.registry import table
from maiacc_sim.tensors import random_inputs
from maiacc_sim.traps import Trap
from sim.bench import Bench
from sim.drive import bf16, from_bf16, run

MM = """
    buffer x : bf16[8, 12] @tsram 0x0
    buffer w : bf16[12, 5] @tsram 0x200
    buffer y : fp32[8, 5] @tsram 0x400
    buffer s : fp32[8] @tsram 0x600
    buffer a : fp32[8, 8] @acc 0x0
    buffer bias : bf16[5] @tsram 0x700
    desc acc = a{m:8 | n:5}[m, n]
    chain double : fp32 = add(a, a) stat sum
"""


def test_products_drain_and_accumulate() -> None:
    r = np.random.default_rng(1)
    x, w, bias = r.integers(-4, 5, (8, 12)), r.integers(-4, 5, (12, 5)), r.integers(-4, 5, 5)
    words = """
    TTU accld acc, bias{m:8 | n:5}[n]
    TTU mm acc, x{m:8 | k:12}[m, k], w{n:5 | k:12}[k, n] mode=acc
    DRN accst y{m:8 | n:5}[m, n], s{m:8}[m], acc chain=double
    """
    bench = Bench(MM + words)
    bench.put("x", bf16(x))
    bench.put("w", bf16(w))
    bench.put("bias", bf16(bias))
    bench.go()
    expected = 2 * (x @ w + bias)
    assert bench.get("y").view(np.float32).tolist() == expected.tolist()
    assert bench.get("s").view(np.float32).tolist() == expected.sum(1).tolist()


@pytest.mark.parametrize(
    ("mode", "iteration", "kept"),
    [
        ("mode=over", (3,), False),
        ("mode=acc", (0,), True),
        ("mode=first level=L1", (5, 0), False),
        ("mode=first level=L1", (0, 1), True),
        ("mode=first level=L0 span=1", (0, 1), False),
        ("mode=first level=L0", (), False),
    ],
)
def test_accumulators_are_kept_or_overwritten(
    mode: str, iteration: tuple[int, ...], kept: bool
) -> None:
    word = f"TTU mm acc, x{{m:8 | k:12}}[m, k], w{{n:5 | k:12}}[k, n] {mode}"
    bench = Bench(MM + word.replace("level=L", "level="))
    bench.put("x", bf16(np.ones((8, 12))))
    bench.put("w", bf16(np.ones((12, 5))))
    bench.put("a", np.full((8, 8), 0x3F800000))
    bench.go(iteration)
    found = bench.get("a").view(np.float32)
    assert (found[:, :5] == 12 + kept).all()
    assert (found[:, 5:] == 1).all()


def test_a_level_that_is_not_in_force_traps() -> None:
    word = "TTU mm acc, x{m:8 | k:12}[m, k], w{n:5 | k:12}[k, n] mode=first level=1"
    bench = Bench(MM + word)
    bench.put("x", bf16(np.ones((8, 12))))
    bench.put("w", bf16(np.ones((12, 5))))
    with pytest.raises(Trap) as trap:
        bench.go((0,))
    assert trap.value.name == "level"


def test_nothing_to_reduce_leaves_zeros() -> None:
    words = """
    reg n = s0
    n = 0 on tile
    TTU mm acc, x{m:8 | k:n of 12}[m, k], w{n:5 | k:n of 12}[k, n] mode=over
    """
    bench = Bench(MM + words)
    bench.put("a", np.ones((8, 8)))
    bench.go()
    assert (bench.get("a")[:, :5] == 0).all()


def test_scaled_sparse_and_integer_operands() -> None:
    bench = Bench("""
        buffer x : e4m3[4, 64] @tsram 0x0
        buffer xs : e8m0[4, 2] @tsram 0x100
        buffer w : e4m3[3, 64] @tsram 0x200
        buffer ws : e8m0[3, 2] @tsram 0x300
        buffer p : e4m3[3, 32] @tsram 0x400
        buffer meta : sp24[3, 16] @tsram 0x500
        buffer i : int8[4, 64] @tsram 0x600
        buffer q : int4[3, 64] @tsram 0x700
        buffer qs : fp32[3, 4] @tsram 0x800
        buffer h : bf16[4, 64] @tsram 0x900
        buffer a : fp32[8, 8] @acc 0x0
        buffer b : fp32[8, 8] @acc 0x100
        buffer c : int32[8, 8] @acc 0x200
        buffer d : fp32[8, 8] @acc 0x300
        desc left = x{m:4 | k:64}[m, k] scale ls
        desc ls = xs{m:4 | g:2}[m, g]
        desc rs = ws{n:3 | g:2}[n, g]
        desc pos = meta{n:3 | g:16}[n, g]
        desc gs = qs{n:3 | g:4}[n, g]
        TTU mm a{m:4 | n:3}[m, n], left, w{n:3 | k:64}[n, k] scale rs
        TTU mmsp b{m:4 | n:3}[m, n], left, p{n:3 | k:32}[n, k] meta pos
        TTU mm c{m:4 | n:3}[m, n], i{m:4 | k:64}[m, k], i{n:3 | k:64}[n, k]
        TTU mm d{m:4 | n:3}[m, n], h{m:4 | k:64}[m, k], q{n:3 | k:64}[n, k] scale gs
    """)
    r = np.random.default_rng(3)
    one = 0x38  # 1.0 in e4m3
    signs = r.integers(0, 2, (4, 64))
    bench.put("x", one + 0x80 * signs)
    bench.put("xs", [[127, 128]] * 4)
    bench.put("w", np.full((3, 64), one))
    bench.put("ws", [[127, 127], [128, 127], [127, 129]])
    bench.put("p", np.full((3, 32), one))
    bench.put("meta", np.full((3, 16), 13))  # positions 1 and 3
    ints = r.integers(-100, 100, (4, 64))
    bench.put("i", ints)
    bench.put("q", np.full((3, 64), 0xE))  # -2
    bench.put("qs", np.full((3, 4), 0x40400000))  # 3.0
    bench.put("h", bf16(1 - 2 * signs))
    bench.go()
    x = 1 - 2 * signs
    scaled = x * np.repeat([1, 2], 32)
    columns = np.repeat([[1, 1], [2, 1], [1, 4]], 32, axis=1)
    assert bench.get("a").view("f4")[:4, :3].tolist() == (scaled @ columns.T).tolist()
    every = np.resize([0, 1, 0, 1], 64)
    assert bench.get("b").view("f4")[:4, 0].tolist() == (scaled @ every).tolist()
    assert bench.get("c").view("i4")[:4, :3].tolist() == (ints @ ints[:3].T).tolist()
    assert bench.get("d").view("f4")[:4, 0].tolist() == (-6 * x.sum(1)).tolist()


def test_integers_drain_unchanged() -> None:
    """Through fp32 the low bits of a large accumulator would be lost."""
    bench = Bench("""
        buffer a : int32[8, 8] @acc 0x0
        buffer y : int32[8, 8] @tsram 0x0
        buffer z : fp32[8, 8] @tsram 0x100
        chain as_is : fp32 = mov(a)
        DRN accst y{m:8 | n:8}[m, n], a{m:8 | n:8}[m, n] chain=as_is
        DRN accst z{m:8 | n:8}[m, n], a{m:8 | n:8}[m, n] chain=as_is
    """)
    bench.put("a", np.full((8, 8), (1 << 24) + 1))
    bench.go()
    assert (bench.get("y") == (1 << 24) + 1).all()
    assert (bench.get("z").view(np.float32) == 1 << 24).all()


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64"])
def test_scalars_are_loaded_in_their_interval(dtype: str) -> None:
    text = f"""
        reg e = s0
        buffer x : {dtype}[4] @hbm 0x0
        e = sld x{{}}[gtile] in -3..HIGH on tile
    """
    codes = {"bool": [7, 0, 0, 1], "int64": [-3 & (1 << 64) - 1, 0, 0, 1 << 46]}
    bench = Bench(text.replace("HIGH", str(1 << 30)))
    values = codes.get(dtype, [253, 0, 1, 2])
    bench.put("x", np.array(values, np.uint64))
    bench.go()
    expected = {"bool": 1, "int8": -3, "uint16": 253, "int64": -3}[dtype]
    assert bench.run.loaded == [expected]
    bench = Bench(text.replace("HIGH", "-2"))
    bench.put("x", np.array(values, np.uint64))
    if dtype in ("int8", "int64"):
        bench.go()
        return
    with pytest.raises(Trap) as trap:
        bench.go()
    assert (trap.value.name, trap.value.expected) == ("interval", "-3 .. -2")


def test_whole_programs_in_program_order() -> None:
    text = (ROOT / "maiacc" / "data" / "demo.mist").read_text("utf-8")
    inputs = random_inputs(assemble(text), 5)
    product = from_bf16(inputs["A"]).astype(float) @ from_bf16(inputs["B"])
    assert np.array_equal(from_bf16(run(text, inputs)["C"]), bf16_rounded(product))


def bf16_rounded(values: NDArray[Any]) -> NDArray[Any]:
    """Integers below 512, to steps of 2 above 256, ties to even."""
    step = np.where(np.abs(values) >= 256, 2, 1)
    return (np.round(values / step) * step).astype(np.float32)


@pytest.mark.parametrize("name", ["integers_and_masks", "sort_and_top", "scan_with_carry"])
def test_proven_programs_run(name: str) -> None:
    path: Path = GOLDEN / "lint" / "right" / f"{name}.mist"
    text = path.read_text("utf-8")
    program = assemble(text)
    outputs = run(text, random_inputs(program, 2))
    assert set(outputs) == {t.name for t in program.tensors if t.kind == "output"}


def test_every_engine_word_has_a_meaning() -> None:
    assert {row.meaning for row in load().insns.values() if not row.control} == set(MEANINGS)
    with pytest.raises(Exception, match="differ"):
        table([])
