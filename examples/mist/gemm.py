"""C = A * B^T in fp8 or bf16, close to the peak of the tensor units.

A is M x K, B is N x K (one row for each column of C, as weights are usually stored), C is
M x N in bf16. ``sparse_gemm.py`` and ``mx_gemm.py`` are the same program: they differ only in
the pieces an operand consists of (values, metadata, scales) and in the multiply. The work list is
made in ``panel_plan.py``, the text in ``panel_gemm.py``.

How the work is spread. The clusters form a grid; each owns a range of rows and a range of columns
of C, and keeps *its part of B in CSRAM*. A tile keeps *a panel of A in TSRAM*: 256 rows (128 in
bf16) over all of K. It multiplies the panel with one column block of B after the other, streamed
from CSRAM. All pairs (panel, column block) of a cluster, panel by panel, are cut into runs of equal
length, one for each tile: 57 pairs where 56.9 would be even. What a tile does in which order stands
in constant tables.

A step takes two column blocks, chunk by chunk, each into its half of the accumulators. So the
first half drains during the last multiply of the second, which starts the next step late enough
for the second half; and a new panel is needed at half the pace. LD1 loads it chunk by chunk into
the places that the last step of the old panel frees (`freeA`), so that its loads leave enough of
the tile's port to B.

How it starts. HBM has to bring a panel for every tile, for longer than two column blocks take.
Where CSRAM has room, clusters of one row of the grid *share* panels: each stages some, chunk by
chunk, and the tiles of all of them load these from there (`given`). Tiles begin with the part of
their run that starts at column block 0, so that one column block after the other is needed and not
all at once, and they change panels at different times.

What does not fit. If B is larger than what CSRAM holds in all clusters, the columns are dealt out
over several passes, each a block of the program. If K is so long that a panel of 256 rows does not
fit TSRAM, panels are lower and column blocks wider.

Who waits for whom: CLD posts `staged` to LD0 of all tiles for what lies in CSRAM. TTU passes the
slots of B to and fro with LD0 (`fullB`, `freeB`), the chunks of the panel with LD1 (`fullA`,
`freeA`), and the halves of the accumulators with DRN, and DRN the result with ST. ``loop if_... <
flag`` is a condition: its trip count is 0 or 1.

maia200: bound by the tensor unit. Of a tile's port of 256 bytes per cycle the stream of B takes
128; CSRAM delivers half of what it can. Lost is mainly the start.
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
    form = Form((Piece("A", dtype, bits),), (Piece("B", dtype, bits),), "mm", "", depth, times)
    return panel_gemm(target, form, m, n, k)


if __name__ == "__main__":
    main(source, SIZES)
