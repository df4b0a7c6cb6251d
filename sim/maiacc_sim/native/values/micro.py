"""The innermost loops of matrix products, generated for the registers of this computer.

A tile of rows and columns of the product stays in registers while k runs: ``C[i][j] = fma(A[i][k],
B[k][j], C[i][j])``, k rising, so its bits do not depend on the tile. A is given by the addresses of
its rows, B in panels: ``COLUMNS`` numbers for each k.
"""

from __future__ import annotations

from maiacc_sim.native.lang.emit import Body, Value, constant
from maiacc_sim.native.lang.functions import Generator, Need, given
from maiacc_sim.native.lang.names import Array, f32, i64
from maiacc_sim.native.lang.types import F32, I64, Pointer, Vector
from maiacc_sim.native.shared import ACROSS, COLUMNS, LANES
from maiacc_sim.native.toolchain.host import host

#: Rows of the tile: as many as leave registers for B and for a broadcast number of A.
ROWS = {(16, 32): 8, (8, 16): 6, (4, 32): 8, (4, 16): 4}[LANES, host().registers]

_VECTOR = Vector(F32, LANES)


def _generator(rows: int) -> Generator:
    """Writes the loop for a tile of some rows."""

    def write(b: Body, need: Need) -> None:
        a, panel, c, ldc, count = (b.params[n] for n in ("a", "panel", "c", "ldc", "k"))
        a_rows = [_named(b, a, i) for i in range(rows)]
        c_rows = [_row(b, c, ldc, i) for i in range(rows)]
        places = [[_vector(b, row, j * LANES) for j in range(ACROSS)] for row in c_rows]
        start = [[b.load(place) for place in row] for row in places]
        loop, done = b.name("loop"), b.name("done")
        b.block("ready")
        b.branch(b.compare("sgt", count, constant(I64, 0)), loop, done)
        b.block(loop)
        k, next_k = f"%{b.name('k')}", f"%{b.name('k')}"
        b.line(f"{k} = phi i64 [0, %ready], [{next_k}, %{loop}]")
        sums = [[Value(_VECTOR, f"%{b.name('s')}") for _ in row] for row in start]
        ends = [[f"%{b.name('e')}" for _ in row] for row in start]
        for i, row in enumerate(start):
            for j, value in enumerate(row):
                kind = _VECTOR.memory
                b.line(
                    f"{sums[i][j].ref} = phi {kind} [{value.ref}, %ready], [{ends[i][j]}, %{loop}]"
                )
        at = b.binary("mul", Value(I64, k), constant(I64, COLUMNS))
        here = b.element(panel, at)
        right = [b.load(_vector(b, Value(panel.kind, here.ref), j * LANES)) for j in range(ACROSS)]
        for i in range(rows):
            left = b.splat(b.load(b.element(a_rows[i], Value(I64, k))), _VECTOR)
            for j in range(ACROSS):
                args = ", ".join(f"{_VECTOR.memory} {v.ref}" for v in (left, right[j], sums[i][j]))
                name = f"llvm.fma.v{LANES}f32"
                kinds = ", ".join([_VECTOR.memory] * 3)
                b.module.declared.add(f"declare {_VECTOR.memory} @{name}({kinds})")
                b.line(f"{ends[i][j]} = call {_VECTOR.memory} @{name}({args})")
        b.line(f"{next_k} = add i64 {k}, 1")
        b.branch(b.compare("slt", Value(I64, next_k), count), loop, done)
        b.block(done)
        for i, row in enumerate(start):
            for j, value in enumerate(row):
                kind, result = _VECTOR.memory, f"%{b.name('r')}"
                b.line(f"{result} = phi {kind} [{value.ref}, %ready], [{ends[i][j]}, %{loop}]")
                start[i][j] = Value(_VECTOR, result)
        for i, row in enumerate(start):
            for j, value in enumerate(row):
                b.store(places[i][j], value)
        b.leave()

    return write


def _named(b: Body, addresses: Value, number: int) -> Value:
    """The row whose address is number ``number`` of some addresses."""
    found = b.load(b.element(addresses, constant(I64, number)))
    return b.give(Pointer(F32), f"inttoptr i64 {found.ref} to ptr")


def _row(b: Body, base: Value, step: Value, number: int) -> Value:
    if not number:
        return base
    at = b.binary("mul", step, constant(I64, number))
    return Value(Pointer(F32), b.element(base, at).ref)


def _vector(b: Body, base: Value, at: int) -> Value:
    return Value(_VECTOR, b.element(base, constant(I64, at)).ref)


@given(_generator(ROWS), name="tile_full")
def tile_full(a: Array[i64], panel: Array[f32], c: Array[f32], ldc: i64, k: i64) -> None:
    """Adds the product of the ``ROWS`` rows of A at some addresses and a panel to a tile of C."""


@given(_generator(1), name="tile_row")
def tile_row(a: Array[i64], panel: Array[f32], c: Array[f32], ldc: i64, k: i64) -> None:
    """As ``tile_full`` for one row."""
