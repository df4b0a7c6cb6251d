"""What words that move data do to memories: whose memory, which elements, which traps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maiacc_sim.memory import Owner
from maiacc_sim.pages import Ints
from maiacc_sim.traps import Trap
from sim.bench import Bench
from sim.drive import bf16, from_bf16


def refused(bench: Bench, everywhere: bool = False) -> Trap:
    """The trap that a bench's words end in."""
    with pytest.raises(Trap) as trap:
        bench.go(everywhere=everywhere)
    return trap.value


def test_a_copy_matches_elements_and_fills_and_drops() -> None:
    bench = Bench("""
        buffer x : bf16[4, 6] @hbm 0x0
        buffer y : bf16[24] @tsram 0x0
        buffer z : bf16[4, 6] @hbm 0x100
        LD0 copy y{i:24}[i], x{i:4, j:6}[i - 1, j + 2] fill 0.5
        ST copy z{i:3, j:8}[i + 1, j - 1] drop, y{i:24}[i]
    """)
    x = np.arange(24).reshape(4, 6)
    bench.put("x", bf16(x))
    bench.go()
    shifted = np.full((4, 6), 0.5)
    shifted[1:, :4] = x[:3, 2:]
    assert from_bf16(bench.get("y")).tolist() == shifted.reshape(-1).tolist()
    z = bench.get("z")
    assert (z[0] == 0xEEEE).all()
    assert from_bf16(z[1:]).tolist() == shifted.reshape(3, 8)[:, 1:7].tolist()


def test_writes_outside_the_box_trap() -> None:
    bench = Bench("""
        buffer x : bf16[4, 6] @hbm 0x0
        buffer y : bf16[24] @tsram 0x0
        LD0 fill y{i:24}[i] value=0
        ST copy x{i:4, j:6}[i, j + 1], y{i:24}[i]
    """)
    trap = refused(bench)
    assert trap.name == "bounds"
    assert "(0, 5)" in trap.message
    assert (trap.expected, trap.found) == ("0 .. 3, 0 .. 5", "0, 6")


def test_copies_turn_the_last_two_dims() -> None:
    bench = Bench("""
        buffer x : uint16[2, 3, 4] @hbm 0x0
        buffer y : uint16[2, 4, 3] @tsram 0x0
        LD0 copyt y{o:2, j:4, i:3}[o, j, i], x{o:2, i:3, j:4}[o, i, j]
    """)
    x = np.arange(24).reshape(2, 3, 4)
    bench.put("x", x)
    bench.go()
    assert bench.get("y").tolist() == x.swapaxes(1, 2).tolist()


def test_constants_are_cut_or_sign_extended() -> None:
    bench = Bench("""
        buffer a : uint8[2] @tsram 0x0
        buffer b : int64[2] @tsram 0x10
        buffer c : e2m1[4] @tsram 0x20
        LD0 fill a{i:2}[i] value=0xfffffe01
        LD0 fill b{i:2}[i] value=0xfffffffe
        LD0 fill c{i:2}[i + 2] value=0x1f7
    """)
    bench.put("c", [1, 2, 3, 4])
    bench.go()
    assert bench.get("a").tolist() == [1, 1]
    assert bench.get("b").view(np.int64).tolist() == [-2, -2]
    assert bench.get("c").tolist() == [1, 2, 7, 7]


def test_a_broadcast_reaches_the_tiles_of_its_mask() -> None:
    bench = Bench("""
        mask second = {1}
        buffer x : int32[4] @hbm 0x0
        buffer y : int32[4] @tsram 0x0
        buffer z : int32[4] @tsram 0x40
        CLD bcast y@[all]{i:4}[i], x{i:4}[i]
        CLD bcast z@[all]{i:4}[i], x{i:4}[i] mask=second
    """)
    bench.put("x", [1, 2, 3, 4])
    bench.go(everywhere=True)
    for tile in (i for i in bench.system.instances if i.role == "tile"):
        assert bench.get("y", tile).tolist() == [1, 2, 3, 4]
        assert (bench.get("z", tile)[0] == 1) == (tile.tile == 1)


def test_a_named_instance_of_a_memory() -> None:
    bench = Bench("""
        buffer x : int32[4] @csram 0x0
        buffer y : int32[4] @tsram 0x0
        buffer z : int32[4] @csram 0x40
        LD0 copy y{i:4}[i], x@[1]{i:4}[i]
        ST copy z@[all]{i:4}[i], y{i:4}[i]
        CLD fill y@[1]{i:2}[i] value=9
    """)
    cluster = [bench.system.instance("cluster", 0, n) for n in (0, 1)]
    bench.put("x", [5, 6, 7, 8], cluster[1])
    bench.go()
    assert bench.get("y").tolist() == [5, 6, 7, 8]
    assert [bench.get("z", c).tolist() for c in cluster] == [[5, 6, 7, 8]] * 2
    bench.go(everywhere=True)
    tile = bench.system.instance("tile", 0, 1, 1)
    assert bench.get("y", tile).tolist() == [9, 9, 7, 8]


@pytest.mark.parametrize("oob", ["trap", "clamp", "fill"])
def test_rows_are_gathered(oob: str) -> None:
    bench = Bench(f"""
        buffer t : int16[5, 4] @hbm 0x0
        buffer i : int32[4] @tsram 0x0
        buffer y : int16[4, 3] @tsram 0x40
        LD0 gather y{{r:4 | c:3}}[r, c], t{{ | c:3}}[1, c + 2] bits 0x7, i{{r:4}}[r] oob={oob}
    """)
    table = np.arange(20).reshape(5, 4)
    bench.put("t", table)
    indices = [3, 0, 5, -1] if oob != "fill" else [3, 0, 4, -(1 << 31)]
    bench.put("i", np.array(indices))
    if oob == "trap":
        trap = refused(bench)
        assert (trap.name, trap.expected, trap.found) == ("index", "-1 .. 3", "5")
        return
    bench.go()
    rows = [table[4], table[1], table[4], table[0]]
    expected = [[int(row[2]), int(row[3]), 7] for row in rows]
    if oob == "fill":
        expected[2:] = [[7, 7, 7]] * 2
    assert bench.get("y").tolist() == expected


def test_rows_are_scattered_in_order() -> None:
    text = """
        buffer t : {dtype}[4, 2] @hbm 0x0
        buffer i : int64[5] @tsram 0x0
        buffer x : {dtype}[5, 2] @tsram 0x40
        ST scatter t{{ | c:2}}[0, c], x{{r:5 | c:2}}[r, c], i{{r:5}}[r] oob=fill op={op}
    """
    x = np.arange(10).reshape(5, 2) + 1
    for op, rows in (
        ("set", [[100, 101], [5, 6], [9, 10], [106, 107]]),
        ("add", [[100, 101], [103 + 1 + 3 + 5 - 1, 104 + 2 + 4 + 6 - 1], [113, 115], [106, 107]]),
        ("mul", [[100, 101], [102 * 15, 103 * 48], [104 * 9, 105 * 10], [106, 107]]),
        ("min", [[100, 101], [1, 2], [9, 10], [106, 107]]),
        ("max", [[100, 101], [102, 103], [104, 105], [106, 107]]),
    ):
        bench = Bench(text.format(op=op, dtype="int32"))
        bench.put("t", 100 + np.arange(8))
        bench.put("x", x)
        bench.put("i", np.array([1, 1, 1, 4, 2]))
        bench.go()
        assert bench.get("t").tolist() == rows, op
    bench = Bench(text.format(op="set", dtype="bf16"))
    bench.put("x", bf16(x))
    bench.put("i", np.array([-1, 3, 4, 0, 0]).astype(np.uint64))
    bench.go()
    assert from_bf16(bench.get("t")[[0, 3]]).tolist() == [[9, 10], [3, 4]]
    assert (bench.get("t")[1:3] == 0xEEEE).all()


def test_additions_round_once_for_each_row() -> None:
    """256 + 1 + 1 in bf16, which has steps of 2 there: each addition is lost."""
    bench = Bench("""
        buffer t : bf16[2, 1] @hbm 0x0
        buffer i : int32[2] @tsram 0x0
        buffer x : bf16[2, 1] @tsram 0x40
        ST scatter t{ | c:1}[0, c], x{r:2 | c:1}[r, c], i{r:2}[r] oob=trap op=add
        ST radd t{r:2}[1, 0], x{r:2}[r, 0]
    """)
    bench.put("t", bf16([[256], [1]]))
    bench.put("i", [0, 0])
    bench.put("x", bf16([[1], [1]]))
    bench.go()
    assert from_bf16(bench.get("t")).tolist() == [[256], [3]]


def test_combining_reads_what_is_there() -> None:
    for op, name in (("add", "uninitialised"), ("set", None)):
        bench = Bench(f"""
            buffer t : int32[4] @tsram 0x0
            buffer i : int32[2] @tsram 0x40
            buffer x : int32[2] @tsram 0x80
            TVP vscatter t{{}}[0], x{{r:2}}[r], i{{r:2}}[r] op={op}
        """)
        bench.put("i", [0, 2])
        bench.put("x", [7, 8])
        if name:
            assert refused(bench).name == name
        else:
            bench.go()
            assert bench.get("t")[[0, 2]].tolist() == [7, 8]


class Seen:
    def __init__(self) -> None:
        self.bytes: set[tuple[str, int, bool]] = set()

    def touch(self, owner: Owner, offsets: Ints, write: bool) -> None:
        self.bytes |= {(owner.space, at, write) for at in offsets.tolist()}


def test_the_watcher_sees_packed_and_cut_accesses() -> None:
    seen = Seen()
    bench = Bench(
        """
        buffer x : int4[2, 6] @hbm 0x10
        buffer y : int4[4] @tsram 0x20
        LD0 copy y{i:4}[i], x{j:4}[1, j + 4]
    """,
        watcher=seen,
    )
    bench.put("x", [range(6), range(6, 12)])
    bench.go()
    assert bench.get("y").tolist() == [10, 11, 0, 0]
    assert seen.bytes == {("hbm", 0x15, False), ("tsram", 0x20, True), ("tsram", 0x21, True)}


WRONG: dict[str, tuple[str, Any]] = {
    "LD0 copy x{i:4}[i], y{i:4}[i]": ("route", "tsram (own) -> hbm (own)"),
    "LD0 copy y{i:4}[i], x{i:3}[i]": ("bounds", None),
    "LD0 copy y{i:4}[i], w{i:4}[i]": ("bounds", None),
    "LD0 copy y{i:4}[i], y@[all]{i:4}[i]": ("bounds", None),
    "LD0 copy y{i:4}[i], c@[2]{i:4}[i]": ("bounds", "2"),
    "LD0 fill y@[2]{i:4}[i] value=1": ("bounds", "2"),
    "CLD fill y{i:4}[i] value=1": ("bounds", None),
    "LD0 copy y{i:4}[i], int32 @hbm 0xfffff8 {i:4}[i < 4 by 4]": ("bounds", "byte 0x1000000"),
    "LD0 copy y{i:4}[i], int32 @hbm 0x2 {i:4}[i < 4 by 4]": ("bounds", "byte 0x2"),
    "LD0 copy y{i:4}[i], int32 @hbm 0x0 {i:4}[i < 4 by 0x7ffffffffc]": (
        "bounds",
        "byte 0x7ffffffffc",
    ),
    "LD0 fill w{i:1048575, j:1048575}[i + j] drop value=1": ("bounds", None),
    "LD0 copyt y{i:2, j:2}[j], x{i:4, j:1}[i]": ("bounds", None),
    "TVP vmap y@[1]{i:4}[i], y{i:4}[i] chain=same": ("bounds", None),
    "TVP viota y{i:4}[i], fp32 @iota 0 {i:4}[i < 4]": ("bounds", None),
    "TTU mm a{m:8 | n:8}[m, n], y{m:8 | k:4}[k], y{n:8 | k:4}[k]": ("bounds", None),
    "ST scatter x{}[0], y{i:4}[i], y{i:4}[i] oob=clamp": ("bounds", None),
}


@pytest.mark.parametrize("word", WRONG)
def test_illegal_words_trap(word: str) -> None:
    bench = Bench(f"""
        buffer x : int32[4] @hbm 0x0
        buffer y : int32[4] @tsram 0x0
        buffer w : int8[16] @hbm 0x40
        buffer c : int32[4] @csram 0x0
        buffer a : fp32[8, 8] @acc 0x0
        chain same : int32 = mov(a)
        {word}
    """)
    for name in "xywc":
        bench.put(name, np.zeros(16 if name == "w" else 4))
    trap = refused(bench, everywhere=word.startswith("CLD"))
    name, found = WRONG[word]
    assert trap.name == name
    assert found in (None, trap.found)
