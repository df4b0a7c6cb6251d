"""What words and views have room for. Passes may not read the rows; a test holds this to them."""

from __future__ import annotations

#: Axes, window dims and origin terms of a view.
AXES, DIMS, TERMS = 4, 6, 6

#: A window dim's step lies below this in size, and its size below that.
STEP, SIZE = 1 << 15, 1 << 20

#: The origin of a view lies below this in size, and coordinates below that.
START, EXTENT = 1 << 15, 1 << 31

#: Stages of a chain, and operands that it reads.
STAGES, INPUTS = 3, 3

#: Waits of a word, and as many posts.
TOKENS = 2

#: The most bytes that a DMA word moves.
DMA_BYTES = 1 << 18

#: Elements of a sum that share a scale in MX formats, and those of which 2:4 keeps half in whole
#: bytes of positions.
GROUP, SPARSE_STEP = 32, 8

#: The most of the first elements that a word finds, and the longest sum that one multiplies.
TOPK, SUM = 64, 1 << 16
