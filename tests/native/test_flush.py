"""Whether the processor takes denormals for zero when a program is run natively changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from maiacc_isa.lint import prove
from maiacc_sim.pages import Array
from maiacc_sim.values import run_values
from native import flushed
from native.child import child


def denormals(array: Array) -> int:
    """How many numbers of an array are denormal."""
    plain = array.astype(np.float64)
    return int(((plain != 0) & (abs(plain) < float(np.finfo(array.dtype).smallest_normal))).sum())


def test_the_program_computes_with_denormals() -> None:
    program, inputs = flushed.program(), flushed.inputs()
    assert prove(program).proven
    found = run_values(program, inputs).outputs
    arrays = {**inputs, **{name: found[name] for name in "HPS"}}
    assert min(denormals(array) for array in arrays.values()) > 3
    assert not flushed.flushes()


@pytest.mark.parametrize("threads", [1, 3])
def test_denormals_are_none_to_a_process_that_flushes_them(threads: int) -> None:
    done = child("native.flushed", threads)
    assert done.code == 0, done.err
    before, after, *lines = done.out.splitlines()
    assert (before, after) == ("True", "True")
    wanted = run_values(flushed.program(), flushed.inputs()).outputs
    found = dict(line.split() for line in lines)
    wrong = [name for name, array in wanted.items() if found[name] != array.tobytes().hex()]
    assert wrong == []
