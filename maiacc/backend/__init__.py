"""From placed kernels to programs of the instruction set."""
