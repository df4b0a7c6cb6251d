"""Random legal modules, to test whatever takes modules.

All rows of the op table occur, in all element types, with regions inside one another. Tensors are
small. Every module can be evaluated: indices are inside, loops end, what has a bound fits.
"""

from __future__ import annotations

import numpy as np

from ir import random_indices, random_layers, random_regions, random_rows
from ir.growing import DTYPES, Grower, random_array, recipes_of
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.weights import Array

#: Modules with the recipes.
FAMILIES = (random_rows, random_indices, random_layers, random_regions)


def random_module(seed: int, ops: int) -> Module:
    """A legal module of about so many ops outside of regions; the same one for the same seed."""
    grower = Grower(seed)
    for _ in range(4):
        grower.input(grower.rng.choice(DTYPES), grower.shape())
    grower.grow(ops, recipes_of(0))
    return grower.finish()


def random_inputs(module: Module, seed: int) -> dict[str, Array]:
    """Inputs for a module."""
    rng = np.random.default_rng(seed)
    pairs = zip(module.inputs, module.main.params, strict=True)
    return {name: random_array(rng, value.type) for name, value in pairs}
