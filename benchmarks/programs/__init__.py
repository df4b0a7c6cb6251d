"""Generators of benchmark programs in MIST, with inputs and references in numpy."""
