"""C = A * B^T with MX fp4 operands: e2m1 values, one e8m0 scale for 32 of them along K.

A is M x K with scales SA (M x K/32), B is N x K with scales SB (N x K/32), C is M x N in bf16.

The program is that of ``gemm.py`` with two pieces in each operand. The view of the values names the
view of the scales (`scale`); the tensor unit accumulates each group of 32 by itself and adds it
with both scales in one rounding. A chunk of K is a multiple of 32, and so is K.

maia200: fp4 runs at twice the rate of fp8, and its operands have half the bytes (17/32 with
scales): streams and panels keep the same proportion to the multiply, so the same schedule fits.
"""

from __future__ import annotations

from kit import Sizes, machine, main
from panel_gemm import panel_gemm
from panel_plan import Form, Piece

#: What is computed: rows, columns and depth (a multiple of 32).
SIZES: Sizes = {
    "maia200": {"m": 8192, "n": 8192, "k": 8192},
    "mini": {"m": 200, "n": 150, "k": 608},
}


def source(target: str, m: int, n: int, k: int) -> str:
    """The program text for an m x n product of depth k."""
    if k % 32:
        raise ValueError(f"k = {k}: a scale is shared by 32 values, k is a multiple of 32")
    a = (Piece("A", "e2m1", 4), Piece("SA", "e8m0", 8, group=32))
    b = (Piece("B", "e2m1", 4), Piece("SB", "e8m0", 8, group=32))
    depth = 16 * machine(target).int("ttu.kchunk.fp4")
    return panel_gemm(target, Form(a, b, "mm", "scale", depth, 16), m, n, k)


if __name__ == "__main__":
    main(source, SIZES)
