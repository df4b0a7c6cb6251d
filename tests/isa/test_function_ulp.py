"""The measurement of the functions: how errors are counted, and what the script writes."""

from __future__ import annotations

import sys
import tomllib
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest

from benchmarks.function_ulp import MEASURED, errors, ulp_error
from isa.function_samples import bits_of
from maiacc_isa.functions import load
from support import ROOT, run

TINY = 2.0**-149

#: Result, true value, error in ulp.
MISSES = [
    *((1.0, 1.0, 0.0), (1.0, 1.0 + 2.0**-23, 1.0), (1.0, 1.0 - 2.0**-24, 1.0)),
    *((1.0, 1.0 - 2.0**-26, 0.125), (-3.0, -3.0 + 2.0**-21, 2.0), (0.0, TINY, 1.0)),
    *((TINY, 0.5 * TINY, 0.5), (2.0**-126, 2.0**-126 + TINY, 1.0), (-0.0, 0.0, 0.0)),
    *((inf, inf, 0.0), (inf, 1e300, 0.0), (-inf, -1e40, 0.0), (nan, nan, 0.0)),
    *((nan, 1.0, inf), (1.0, nan, inf), (nan, inf, inf), (inf, 2.0**128 - 2.0**105, 2.0)),
    *((inf, -inf, 2.0**25), (inf, 1.0, 2.0**151), (0.0, inf, 2.0**24)),
]


@pytest.mark.parametrize(("got", "true", "expected"), MISSES)
def test_errors_are_counted_in_units_of_the_true_value(
    got: float, true: float, expected: float
) -> None:
    seen = ulp_error(np.array([got], np.float32), np.array([true], np.float64))
    assert seen.tolist() == [expected]


@pytest.mark.parametrize("name", ["rsqrt", "pow"])
def test_the_sweep_writes_what_it_finds(name: str, tmp_path: Path) -> None:
    out = tmp_path / "measured.toml"
    out.write_text(MEASURED.read_text("utf-8"), "utf-8")
    script = str(ROOT / "benchmarks" / "function_ulp.py")
    done = run([sys.executable, script, name, "--samples", "30000", "--out", str(out)])
    assert done.code == 0, done.err
    before, after = (tomllib.loads(path.read_text("utf-8")) for path in (MEASURED, out))
    entry = after.pop(name)
    assert after == {other: row for other, row in before.items() if other != name}
    assert (entry["exhaustive"], len(entry["cases"])) == (False, 32)
    assert 0.5 < entry["ulp"] <= load().functions[name].ulp
    *inputs, result = (np.array([int(x, 16)], np.uint32) for x in entry["cases"][0])
    floats = [x.view(np.float32) for x in inputs]
    assert bits_of(name, *floats).tolist() == result.tolist()
    assert errors(name, *floats)[0] == pytest.approx(entry["ulp"], abs=1e-4)
