"""The plain machine on programs whose results are known by hand."""

from __future__ import annotations

import struct

import pytest

from conftest import ROOT
from maiacc_isa.asm import assemble
from maiacc_isa.lint import prove
from sim.plain import PlainMachine
from sim.plain_numbers import PlainTrap, nearest

HEAD = "mist 1.0\ntarget mini\n"

FORMS = {"fp32": "f", "int32": "i", "int8": "b", "uint8": "B", "int64": "q", "bool": "B"}


def packed(dtype: str, values: list[float] | list[int]) -> bytes:
    """Bytes of numbers that the format has."""
    if dtype in FORMS:
        return struct.pack(f"<{len(values)}{FORMS[dtype]}", *values)
    size = 2 if dtype in ("bf16", "fp16") else 1
    codes = [nearest(dtype, int(v < 0), abs(int(v * 1024)), 10) for v in values]
    return b"".join(code.to_bytes(size, "little") for code in codes)


def run(text: str, order: int | str = "ready", **inputs: bytes) -> PlainMachine:
    """Runs a proven program for one chip."""
    program = assemble(HEAD + text, "test")
    assert prove(program).proven, prove(program).findings
    machine = PlainMachine(program)
    machine.load({name: [data] for name, data in inputs.items()})
    machine.run(order)
    return machine


def numbers(machine: PlainMachine, name: str, dtype: str) -> list[float]:
    """An output as numbers."""
    (data,) = machine.outputs[name]
    form = FORMS[dtype]
    return list(struct.unpack(f"<{len(data) // struct.calcsize(form)}{form}", data))


def block(body: str, tensors: str, declarations: str = "") -> str:
    """A program in which tile 0 alone works, once."""
    return (
        f"{tensors}\nblock main {{\n{declarations}\n"
        f"reg first = s9\nfirst = 1 - gtile on tile\nloop only < first on tile {{\n{body}\n}}\n}}\n"
    )


VECTOR = """
input A : fp32[1, 4] @ 0
output Y : fp32[1, 4] @ 64
"""

VECTOR_BUFFERS = """
buffer a : fp32[1, 4] @tsram 0
buffer y : fp32[1, 4] @tsram 64
sem full : LD0 -> TVP tile
sem done : TVP -> ST tile
"""


def vector(word: str, values: list[float], declarations: str = "") -> list[float]:
    """One word of the vector unit from ``a`` to ``y``."""
    body = f"""
LD0 copy a{{r:1, c:4}}[r, c], A{{r:1, c:4}}[r, c] post(full)
TVP sync wait(full)
TVP {word}
TVP sync post(done)
ST copy Y{{r:1, c:4}}[r, c], y{{r:1, c:4}}[r, c] wait(done)"""
    machine = run(block(body, VECTOR, VECTOR_BUFFERS + declarations), A=packed("fp32", values))
    return numbers(machine, "Y", "fp32")


WHOLE_A, WHOLE_Y = "a{r:1 | c:4}[r, c]", "y{r:1 | c:4}[r, c]"


def test_a_chain() -> None:
    chain = "chain f : fp32 = mul(a, 2.0); add(r0, 1.0); relu(r1)"
    word = f"vmap {WHOLE_Y}, {WHOLE_A} chain=f"
    assert vector(word, [1.0, -4.0, 0.5, 3.0], chain) == [3.0, 0.0, 2.0, 7.0]


def test_a_remainder_has_the_sign_of_the_dividend() -> None:
    chain = "chain f : fp32 = frem(a, 3.0)"
    word = f"vmap {WHOLE_Y}, {WHOLE_A} chain=f"
    assert vector(word, [7.5, -7.5, 2.0, 3.0], chain) == [1.5, -1.5, 2.0, 0.0]


def test_a_scan() -> None:
    word = f"vscan {WHOLE_Y}, {WHOLE_A} op=add"
    assert vector(word, [1.0, 2.0, 3.0, 4.0]) == [1.0, 3.0, 6.0, 10.0]


def test_views_that_leave_the_box_read_the_fill_value() -> None:
    word = f"vcvt {WHOLE_Y}, a{{r:1 | c:4}}[r, c - 1] fill 9.0"
    assert vector(word, [1.0, 2.0, 3.0, 4.0]) == [9.0, 1.0, 2.0, 3.0]


def test_views_go_backwards_and_repeat() -> None:
    word = f"vcvt {WHOLE_Y}, a{{r:1 | c:2, q:2}}[r, -2*c + 3]"
    assert vector(word, [1.0, 2.0, 3.0, 4.0]) == [4.0, 4.0, 2.0, 2.0]


def test_a_region_selects() -> None:
    # The fill value of the region is one of the result's type: 5.0.
    region = "bool @iota 0 {r:1 | c:4}[c - 1 < 2] bits 0x40a00000"
    got = vector(f"vsel {WHOLE_Y}, {WHOLE_A}, {region}", [1.0, 2.0, 3.0, 4.0])
    assert got == [5.0, 2.0, 3.0, 5.0]


MATRIX = """
input A : bf16[2, 4] @ 0
input B : bf16[3, 4] @ 64
output Y : fp32[2, 3] @ 128
"""

MATRIX_BUFFERS = """
buffer a : bf16[2, 4] @tsram 0
buffer b : bf16[3, 4] @tsram 64
buffer y : fp32[2, 3] @tsram 128
buffer acc : fp32[2, 8] @acc 0
chain move : fp32 = mov(a)
sem full : LD0 -> TTU tile
sem product : TTU -> DRN tile
sem done : DRN -> ST tile
"""


def test_a_product_twice_in_the_same_accumulators() -> None:
    body = """
LD0 copy a{r:2, c:4}[r, c], A{r:2, c:4}[r, c]
LD0 copy b{r:3, c:4}[r, c], B{r:3, c:4}[r, c] post(full)
TTU sync wait(full)
loop k < 2 {
  TTU mm acc{m:2 | n:3}[m, n], a{m:2 | k:4}[m, k], b{n:3 | k:4}[n, k] mode=first level=k
}
TTU sync post(product)
DRN accst y{m:2 | n:3}[m, n], acc{m:2 | n:3}[m, n] chain=move wait(product) post(done)
ST copy Y{r:2, c:3}[r, c], y{r:2, c:3}[r, c] wait(done)"""
    a = [[1.0, 2.0, 3.0, 4.0], [0.0, -1.0, 0.5, 2.0]]
    b = [[1.0, 1.0, 1.0, 1.0], [2.0, 0.0, -2.0, 1.0], [0.0, 0.0, 0.0, 3.0]]
    machine = run(
        block(body, MATRIX, MATRIX_BUFFERS),
        A=packed("bf16", [x for m in a for x in m]),
        B=packed("bf16", [x for n in b for x in n]),
    )
    expected = [2 * sum(x * y for x, y in zip(m, n, strict=True)) for m in a for n in b]
    assert numbers(machine, "Y", "fp32") == expected


GATHER = """
input T : int32[5, 2] @ 0
input I : int32[4] @ 64
output Y : int32[4, 2] @ 128
"""

GATHER_BUFFERS = """
buffer i : int32[4] @tsram 0
buffer y : int32[4, 2] @tsram 64
sem done : LD0 -> ST tile
"""


@pytest.mark.parametrize(
    ("oob", "expected"),
    [("clamp", [40, 41, 0, 1, 0, 1, 20, 21]), ("fill", [7, 7, 7, 7, 0, 1, 20, 21])],
)
def test_a_gather(oob: str, expected: list[int]) -> None:
    body = f"""
LD0 copy i{{i:4}}[i], I{{i:4}}[i]
LD0 gather y{{r:4 | c:2}}[r, c], T{{ | c:2}}[0, c] fill 7, i{{i:4}}[i] oob={oob} post(done)
ST copy Y{{r:4, c:2}}[r, c], y{{r:4, c:2}}[r, c] wait(done)"""
    table = [float(10 * r + c) for r in range(5) for c in range(2)]
    machine = run(
        block(body, GATHER, GATHER_BUFFERS),
        T=packed("int32", [int(x) for x in table]),
        I=packed("int32", [9, -1, 0, 2]),
    )
    assert numbers(machine, "Y", "int32") == expected


def test_a_gather_may_trap() -> None:
    body = """
LD0 copy i{i:4}[i], I{i:4}[i]
LD0 gather y{r:4 | c:2}[r, c], T{ | c:2}[0, c], i{i:4}[i] oob=trap post(done)
ST copy Y{r:4, c:2}[r, c], y{r:4, c:2}[r, c] wait(done)"""
    text = block(body, GATHER, GATHER_BUFFERS)
    with pytest.raises(PlainTrap, match="index"):
        run(text, T=bytes(40), I=packed("int32", [5, 0, 0, 0]))


@pytest.mark.parametrize("order", ["ready", "last", 1, 2])
def test_ring_slots_in_any_order(order: int | str) -> None:
    text = """
input X : int8[12, 8] @ 0
output Y : int8[12, 8] @ 128
block main {
  reg slot = s0
  buffer b : int8[1, 8] @tsram 0 slots 2 pitch 64
  sem full : LD0 -> ST tile
  sem free : ST -> LD0 tile = 2
  slot = 0 on tile
  loop i < 3 on tile {
    LD0 copy b(slot){c:8}[0, c], X{c:8}[3*gtile + i, c] wait(free) post(full)
    ST copy Y{c:8}[3*gtile + i, c], b(slot){c:8}[0, -1*c + 7] wait(full) post(free)
    slot = (slot + 1) mod 2
  }
}
"""
    rows = [[(r * 8 + c) % 120 for c in range(8)] for r in range(12)]
    machine = run(text, order, X=bytes(x for row in rows for x in row))
    assert numbers(machine, "Y", "int8") == [x for row in rows for x in reversed(row)]


def test_scalars_decide_sizes_and_trips() -> None:
    text = block(
        """
n = sld N{}[0] in 0..4
LD0 fill y{c:4}[c] value=1
LD0 fill y{c:n of 4}[c] value=5
loop k < n {
  LD0 fill y{}[k] value=8
}
LD0 sync post(done)
ST copy Y{c:4}[c], y{c:4}[c] wait(done)""",
        "input N : int64[1] @ 0\noutput Y : uint8[4] @ 64",
        "reg n = s1\nbuffer y : uint8[4] @tsram 0\nsem done : LD0 -> ST tile",
    )
    assert numbers(run(text, N=packed("int64", [3])), "Y", "uint8") == [8, 8, 8, 1]
    assert numbers(run(text, N=packed("int64", [0])), "Y", "uint8") == [1, 1, 1, 1]


def test_a_loaded_scalar_outside_its_interval_traps() -> None:
    text = block("n = sld N{}[0] in 0..4", "input N : int64[1] @ 0", "reg n = s1")
    with pytest.raises(PlainTrap, match="interval"):
        run(text, N=packed("int64", [5]))


def test_small_types_are_packed() -> None:
    text = block(
        """
LD0 copy a{c:4}[c], A{c:4}[c] post(full)
TVP vcvt y{c:4}[c], a{c:4}[c] wait(full) post(done)
ST copy Y{c:4}[c], y{c:4}[c] wait(done)""",
        "input A : e3m2[4] @ 0\noutput Y : fp32[4] @ 64",
        "buffer a : e3m2[4] @tsram 0\nbuffer y : fp32[4] @tsram 64\n"
        "sem full : LD0 -> TVP tile\nsem done : TVP -> ST tile",
    )
    # Codes 0b001100 = 1, 0b101100 = -1, 0b011111 = 28 and the smallest, 2**-4.
    codes = [0b001100, 0b101100, 0b011111, 1]
    data = sum(code << 6 * i for i, code in enumerate(codes)).to_bytes(3, "little")
    assert numbers(run(text, A=data), "Y", "fp32") == [1.0, -1.0, 28.0, 0.0625]


def test_two_chips_exchange() -> None:
    path = ROOT / "tests" / "golden" / "lint" / "right" / "barrier.mist"
    program = assemble(path.read_text("utf-8"), path.name)
    machine = PlainMachine(program)
    sides = [bytes([chip + 1]) * 2048 for chip in range(2)]
    machine.load({"X": sides})
    machine.run(7)
    assert machine.outputs["Y"] == [sides[0] + sides[1]] * 2
