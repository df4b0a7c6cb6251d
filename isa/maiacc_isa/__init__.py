"""MIST, the instruction set of the maiacc accelerator: rows, codec, assembler, prover, manual."""
