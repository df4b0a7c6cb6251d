"""Numbers that Python and native code share besides those of the rows: why native code returns, and
how much room there is."""

from __future__ import annotations

from maiacc_sim.native.toolchain.host import host

# ---- values ----------------------------------------------------------------------------------
#: Why a thread returned: nothing is left to do; Python has to execute a word or a step; a control
#: processor walked too far; the fuel is used up, or others want to stop; a log is full; there is
#: nothing to do until others have done something.
OVER, ASKS, SPENT, PAUSED, FULL, WAITS = 0, 1, 2, 3, 4, 5

#: Floats in a register, and columns of the micro-kernel of products: some registers side by side.
LANES = host().lanes
ACROSS = 2
COLUMNS = ACROSS * LANES

#: What is laid out at a time of a product: rows of A, rows of B and numbers of k. It stays in the
#: caches, and fp32 sums of so many products of 8-bit integers are exact.
SOME_ROWS, SOME_COLUMNS, DEPTH = 128, 256, 256
assert 255 * 255 * DEPTH < 1 << 24

#: Aliases that a memory may have.
ALIASES = 16

# ---- time ------------------------------------------------------------------------------------
#: Why the event model returned: the block is over; there is no room for tokens or events; a variant
#: is missing; the time is up; the fuel is used up.
ENDED, GROW, HELP, LATE, PAUSE = 0, 1, 2, 3, 4

#: Heads of loops that are remembered in a block, and numbers in a glance at one.
MOST_HEADS = 64
GLANCE = 64

#: Events that one step of a unit may record.
MARGIN = 8
