"""C = A * W^T in fp8 with 2:4 sparse weights, close to twice the speed of the dense product.

A is M x K, C is M x N in bf16. In every aligned group of four along K a row of W keeps two values:
V (N x K/2) holds them, P (N x K/4 nibbles of type sp24) their positions, first | second << 2.

The program is that of ``gemm.py`` with another multiply: MMSP takes twice the K per cycle,
because it multiplies stored values only. An operand then consists of two pieces, and every step
that moves a chunk of the weights moves both. The view of the values names the view of the
positions (`meta`).

maia200: the tensor unit needs half the cycles of the dense product, the stream of weights 160 of
the 256 bytes per cycle of a tile's port instead of 128 (values and positions are 5/8 of dense
bytes). A panel of A is used up twice as fast, so changes of panel and the start weigh twice as
much.
"""

from __future__ import annotations

from kit import Sizes, machine, main
from panel_gemm import panel_gemm
from panel_plan import Form, Piece

#: What is computed: rows, columns and depth (a multiple of 8).
SIZES: Sizes = {
    "maia200": {"m": 8192, "n": 8192, "k": 8192},
    "mini": {"m": 200, "n": 150, "k": 600},
}


def source(target: str, m: int, n: int, k: int) -> str:
    """The program text for an m x n product of depth k."""
    if k % 8:
        raise ValueError(f"k = {k}: rows of positions are whole bytes, k is a multiple of 8")
    values = Piece("V", "e4m3", 8, group=2)
    # what lies outside must be legal positions: 0 and 1
    positions = Piece("P", "sp24", 4, group=4, fill=4)
    depth = 32 * machine(target).int("ttu.kchunk.fp8")
    form = Form((Piece("A", "e4m3", 8),), (values, positions), "mmsp", "meta", depth, 16)
    return panel_gemm(target, form, m, n, k)


if __name__ == "__main__":
    main(source, SIZES)
