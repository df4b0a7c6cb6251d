"""C = A * B^T in fp8 or bf16, close to the peak of the tensor units.

A is M x K, B is N x K (one row for each column of C, as weights are usually stored), C is
M x N in bf16. ``sparse_gemm.py`` and ``mx_gemm.py`` are the same program: they differ only in
the pieces an operand consists of (values, metadata, scales) and in the multiply. The work list is
made in ``panel_plan.py``, the text in ``panel_gemm.py``.

How the work is spread. The clusters form a grid; each owns a range of rows and a range of columns
of C, and keeps *its part of B in CSRAM* for the whole kernel. A tile keeps *a panel of A in
TSRAM*: 256 rows (128 in bf16) over all of K. It multiplies the panel with one column block of
B after the other, streamed from CSRAM; a (panel, column block) pair fills one half of the
accumulators, so the other half drains meanwhile. All pairs of a cluster are dealt out by a work
list in constant tables: a tile has a few segments (panel, first column block, count), 57 pairs for
each of 9 tiles where 56.9 would be even.

How it starts. Every tile begins with a panel of its own and column block 0, so that CSRAM needs
one column block after the other and not all at once. Tiles keep their first panel for different
times and hand the rest of it to others; so the changes of panel are spread out in time, and HBM
has the bandwidth for them.

A change of panel costs next to nothing. LD1 is the keeper of the panel: when TTU has used a chunk,
LD1 hands it back for the next step, or first overwrites it with the next panel's. The first two
pairs of a segment are one step, computed together, chunk by chunk in both halves of the
accumulators, so that a new panel is needed at half the pace and its loads leave enough of the
tile's port to B.

Who waits for whom: CLD posts `staged` to LD0 of all tiles for what lies in CSRAM. TTU passes the
slots of B to and fro with LD0 (`fullB`, `freeB`), the chunks of the panel with LD1 (`fullA`,
`freeA`), and the accumulators with DRN, and DRN the result with ST. ``loop if_... < flag`` is a
condition: its trip count is 0 or 1.

maia200: bound by the tensor unit. Of a tile's port of 256 bytes per cycle the stream of B takes
128; CSRAM delivers half of what it can. Lost is mainly the start, when HBM has to bring 36 panels.
"""

from __future__ import annotations

from kit import Sizes, machine, main
from panel_gemm import panel_gemm
from panel_plan import Form, Piece

#: What is computed: rows, columns, depth, and the bits of an operand's numbers (8 or 16).
SIZES: Sizes = {
    "maia200": {"m": 8192, "n": 8192, "k": 8192, "bits": 8},
    "mini": {"m": 200, "n": 150, "k": 300, "bits": 8},
}


def source(target: str, m: int, n: int, k: int, bits: int = 8) -> str:
    """The program text for an m x n product of depth k, in fp8 (e4m3) or bf16."""
    dtype, rate, times = {8: ("e4m3", "fp8", 16), 16: ("bf16", "bf16", 32)}[bits]
    depth = times * machine(target).int(f"ttu.kchunk.{rate}")
    form = Form((Piece("A", dtype, bits),), (Piece("B", dtype, bits),), "mm", "", depth)
    return panel_gemm(target, form, m, n, k)


if __name__ == "__main__":
    main(source, SIZES)
