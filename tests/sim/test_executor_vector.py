"""What words of the vector unit do to memories, on small hand-made operands."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

from maiacc_sim.traps import Trap
from sim.bench import Bench
from sim.drive import bf16


def f32(values: Any) -> Any:
    return np.asarray(values, np.float32).view(np.uint32)


def as_f32(codes: Any) -> Any:
    return codes.view(np.float32)


def test_a_chain_takes_broadcast_operands_and_coordinates() -> None:
    bench = Bench("""
        buffer x : bf16[2, 4] @tsram 0x0
        buffer row : fp32[4] @tsram 0x40
        buffer y : fp32[2, 4] @tsram 0x80
        chain c : fp32 = mul(a, b); add(r0, c)
        TVP vmap y{i:2 | j:4}[i, j], x{i:2 | j:4}[i, j], row{i:2 | j:4}[j], int16 @iota 0 {i:2, j:4}[10*i + j < 13] fill 100 chain=c
    """)
    bench.put("x", bf16(np.arange(8)))
    bench.put("row", f32([1, 2, 3, 4]))
    bench.go()
    x = np.arange(8).reshape(2, 4)
    added = [[0, 1, 2, 3], [10, 11, 12, 100]]
    assert as_f32(bench.get("y")).tolist() == (x * [1, 2, 3, 4] + added).tolist()


def test_a_chain_in_place_and_with_a_second_result() -> None:
    bench = Bench("""
        buffer x : fp32[3, 4] @tsram 0x0
        buffer s : fp32[3] @tsram 0x100
        chain double : fp32 = add(a, a) stat max
        TVP vmapr x{i:3 | j:4}[i, j], s{i:3}[i], x{i:3 | j:4}[i, j] chain=double
    """)
    bench.put("x", f32(np.arange(12)))
    bench.go()
    assert as_f32(bench.get("x")).reshape(-1).tolist() == [2 * i for i in range(12)]
    assert as_f32(bench.get("s")).tolist() == [6, 14, 22]


@pytest.mark.parametrize("carry", [0, 1])
def test_rows_are_reduced_along_any_axis(carry: int) -> None:
    operand = ", b{j:4}[j] carry=1" if carry else ""
    bench = Bench(f"""
        buffer x : int32[3, 4] @tsram 0x0
        buffer s : int16[4] @tsram 0x100
        buffer b : int16[4] @tsram 0x180
        TVP vred s{{j:4}}[j], x{{j:4 | i:3}}[i, j]{operand} op=sum
    """)
    x = np.arange(12).reshape(3, 4) - 5
    bench.put("x", x)
    bench.put("b", [1000, 0, -1, 7])
    bench.go()
    expected = x.sum(0) + carry * np.array([1000, 0, -1, 7])
    assert bench.get("s").view(np.int16).tolist() == expected.tolist()


def test_a_scan_carries() -> None:
    bench = Bench("""
        buffer x : bool[2, 4] @tsram 0x0
        buffer y : int64[2, 4] @tsram 0x40
        buffer b : int64[2] @tsram 0x100
        TVP vscan y{i:2 | j:4}[i, j], x{i:2 | j:4}[i, j], b{i:2}[i] op=add carry=1
    """)
    bench.put("x", [[1, 0, 9, 0], [0, 0, 1, 1]])
    bench.put("b", [100, 7])
    bench.go()
    assert bench.get("y").tolist() == [[101, 101, 102, 102], [7, 7, 8, 9]]


def test_quantised_values_come_back_by_their_scales() -> None:
    bench = Bench("""
        buffer x : fp32[2, 64] @tsram 0x0
        buffer q : e2m1[2, 64] @tsram 0x200
        buffer s : e8m0[2, 2] @tsram 0x280
        buffer y : bf16[2, 64] @tsram 0x300
        desc scales = s{r:2 | g:2}[r, g]
        TVP vquant q{r:2 | c:64}[r, c] scale scales, x{r:2 | c:64}[r, c] rule=floor
        TVP vdeq y{r:2 | c:64}[r, c], q{r:2 | c:64}[r, c] scale scales
    """)
    scale = np.repeat([[1.0, 0.25], [16.0, 2.0]], 32, axis=1)
    x = np.resize([0, 0.5, 1, -1.5, 2, -3, 4, 6], 64) * scale
    bench.put("x", f32(x))
    bench.go()
    assert bench.get("s").tolist() == [[127, 125], [131, 128]]
    assert bench.get("q")[0, :8].tolist() == [0, 1, 2, 11, 4, 13, 6, 7]
    assert bench.get("y").tolist() == bf16(x).tolist()


@pytest.mark.parametrize(
    ("dtype", "codes"),
    [("int4", 0xF - np.arange(16)), ("e2m1", np.arange(16)), ("e3m2", np.arange(16) + 48)],
)
def test_packed_types_are_read_and_written(dtype: str, codes: Any) -> None:
    bench = Bench(f"""
        buffer x : {dtype}[2, 8] @tsram 0x0
        buffer y : fp32[16] @tsram 0x40
        buffer z : {dtype}[16, 4] @tsram 0x80
        TVP vcvt y{{i:16}}[i], x{{i:2, j:8}}[i, j]
        TVP vcvt z{{i:4, j:4}}[i + 3, j], y{{i:16}}[i]
    """)
    bench.put("x", codes)
    bench.put("z", np.full((16, 4), 5))
    bench.go()
    numbers = {
        "int4": [-1, -2, -3, -4],
        "e2m1": [0, 0.5, 1, 1.5],
        "e3m2": [-2, -2.5, -3, -3.5],
    }
    assert as_f32(bench.get("y")).tolist()[:4] == numbers[dtype]
    expected = np.full((16, 4), 5)
    expected[3:7] = codes.reshape(4, 4)
    assert bench.get("z").tolist() == expected.tolist()


def test_conversions_saturate_or_trap() -> None:
    text = """
        buffer x : fp32[4] @tsram 0x0
        buffer y : int8[4] @tsram 0x40
        TVP vcvt y{{i:4}}[i], x{{i:4}}[i] {fields}
    """
    bench = Bench(text.format(fields="round=floor saturate=1"))
    bench.put("x", f32([-300, -2.5, 2.5, np.nan]))
    bench.go()
    assert bench.get("y").view(np.int8).tolist() == [-128, -3, 2, 0]
    bench = Bench(text.format(fields=""))
    bench.put("x", f32([0, 1, 2, 300]))
    with pytest.raises(Trap) as trap:
        bench.go()
    assert trap.value.name == "conversion"


@pytest.mark.parametrize("other", [0, 1])
def test_selection_by_a_region(other: int) -> None:
    b = "y{i:4, j:4}[i, j], " if other else ""
    bench = Bench(f"""
        buffer x : int16[4, 4] @tsram 0x0
        buffer y : int16[4, 4] @tsram 0x40
        buffer z : int16[4, 4] @tsram 0x80
        desc mask = bool @iota 0 {{i:4, j:4}}[i - j < 2] bits 0xfff0
        TVP vsel z{{i:4, j:4}}[i, j], x{{i:4, j:4}}[i, j], {b}mask other={other}
    """)
    x, y = np.arange(16).reshape(4, 4), 100 + np.arange(16).reshape(4, 4)
    bench.put("x", x)
    bench.put("y", y)
    bench.go()
    i, j = np.indices((4, 4))
    inside = (i - j >= 0) & (i - j < 2)
    expected = np.where(inside, x, y if other else -16)
    assert bench.get("z").view(np.int16).tolist() == expected.tolist()


def test_coordinates() -> None:
    bench = Bench("""
        buffer i : int64[6] @tsram 0x0
        buffer f : fp32[6] @tsram 0x40
        buffer b : bool[6] @tsram 0x80
        TVP viota i{i:6}[i], int64 @iota 0 {i:6}[2*i - 3 < 6] bits 0xffffffff
        TVP viota f{i:6}[i], fp32 @iota 0 {i:6}[2*i - 3 < 6] fill 0.5
        TVP viota b{i:6}[i], bool @iota 0 {i:6}[2*i - 3 < 6] fill 1
    """)
    bench.go()
    assert bench.get("i").view(np.int64).tolist() == [-1, -1, 1, 3, 5, -1]
    assert as_f32(bench.get("f")).tolist() == [0.5, 0.5, 1, 3, 5, 0.5]
    assert bench.get("b").tolist() == [0, 0, 1, 1, 1, 0]


def test_top_and_sort_give_positions() -> None:
    bench = Bench("""
        buffer x : int8[2, 5] @tsram 0x0
        buffer v : int8[2, 2] @tsram 0x40
        buffer p : int64[2, 2] @tsram 0x60
        buffer s : int8[2, 5] @tsram 0xa0
        buffer o : int32[2, 5] @tsram 0xc0
        buffer w : int32[2, 5] @tsram 0x100
        desc keys = x{r:2 | c:5}[r, c]
        TVP vtopk v{r:2 | k:2}[r, k], p{r:2 | k:2}[r, k], keys k=2
        TVP vsort s{r:2 | c:5}[r, c], o{r:2 | c:5}[r, c], keys descending=1
        TVP vsort keys, w{r:2 | c:5}[r, c], keys, w{r:2 | c:5}[r, c] payload=1
    """)
    x = np.array([[3, -1, 3, 7, 0], [5, 5, 5, -9, 6]])
    bench.put("x", x)
    bench.put("w", np.arange(10) * 11)
    bench.go()
    assert bench.get("v").view(np.int8).tolist() == [[7, 3], [6, 5]]
    assert bench.get("p").tolist() == [[3, 0], [4, 0]]
    assert bench.get("s").view(np.int8).tolist() == [[7, 3, 3, 0, -1], [6, 5, 5, 5, -9]]
    assert bench.get("o").tolist() == [[3, 0, 2, 4, 1], [4, 0, 1, 2, 3]]
    assert bench.get("x").view(np.int8).tolist() == [[-1, 0, 3, 3, 7], [-9, 5, 5, 5, 6]]
    assert bench.get("w").tolist() == [[11, 44, 0, 22, 33], [88, 55, 66, 77, 99]]


def test_elements_are_gathered_and_scattered() -> None:
    text = """
        buffer t : fp16[6, 2] @tsram 0x0
        buffer i : int64[5] @tsram 0x40
        buffer x : fp16[5] @tsram 0x80
        TVP vgather x{{i:5}}[i], t{{}}[1, 1] fill 0.5, i{{i:5}}[i] oob={oob}
        TVP vscatter t{{}}[0, 0], x{{i:5}}[i], i{{i:5}}[i] oob=fill op=max
    """
    table = np.arange(12).reshape(6, 2).astype(np.float16)
    for oob, expected in (("fill", [3, 11, 0.5, 0.5, 5]), ("clamp", [3, 11, 1, 11, 5])):
        bench = Bench(text.format(oob=oob))
        bench.put("t", table.view(np.uint16))
        bench.put("i", np.array([0, 4, -2, 1 << 40, 1]).astype(np.uint64))
        bench.go()
        assert bench.get("x").view(np.float16).tolist() == expected
        result = table.copy()
        for position, value in ((0, 3), (4, 11), (1, 5)):
            result[position, 0] = max(result[position, 0], value)
        assert bench.get("t").view(np.float16).tolist() == result.tolist()
    bench = Bench(text.format(oob="trap"))
    bench.put("t", table.view(np.uint16))
    bench.put("i", [0, 4, 5, 1, 1])
    with pytest.raises(Trap) as trap:
        bench.go()
    assert (trap.value.name, trap.value.expected, trap.value.found) == ("index", "-1 .. 4", "5")


def test_an_assertion_compares_the_bytes() -> None:
    crc = zlib.crc32(np.array([7, 8, 9, 0xAABB], "<u2").tobytes())
    text = """
        buffer x : uint16[4] @tsram 0x0
        TVP assert uint16 @tsram 0x0 {{i:4}}[i < 3 by 2] bits 0xaabb crc={crc}
    """
    bench = Bench(text.format(crc=crc))
    bench.put("x", [7, 8, 9, 10])
    bench.go()
    bench = Bench(text.format(crc=crc ^ 1))
    bench.put("x", [7, 8, 9, 10])
    with pytest.raises(Trap) as trap:
        bench.go()
    assert (trap.value.name, trap.value.found) == ("assertion", f"0x{crc:08x}")


def test_scalars_size_views_and_sizes_must_agree() -> None:
    text = """
        reg n = s0
        buffer x : fp32[8] @tsram 0x0
        buffer y : fp32[8] @tsram 0x40
        chain same : fp32 = mov(a)
        n = {n} on tile
        TVP vmap y{{i:n of 8}}[i], x{{i:{size}}}[i] chain=same
    """
    for n in (0, 3, 8):
        bench = Bench(text.format(n=n, size="n of 8"))
        bench.put("x", f32(np.arange(8)))
        bench.put("y", f32(np.full(8, -1)))
        bench.go()
        assert as_f32(bench.get("y")).tolist() == [*range(n), *[-1] * (8 - n)]
    for n, size in ((9, "n of 8"), (-1, "n of 8"), (7, "8")):
        bench = Bench(text.format(n=n, size=size))
        bench.put("x", f32(np.arange(8)))
        with pytest.raises(Trap) as trap:
            bench.go()
        assert trap.value.name == "bounds"
