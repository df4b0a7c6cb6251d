"""Measures how far the functions of the machine are from the true values.

    python benchmarks/function_ulp.py                       every function, 2**24 inputs each
    python benchmarks/function_ulp.py exp log --full        all 2**32 inputs of each
    python benchmarks/function_ulp.py pow --samples 4194304

The result goes to ``isa/maiacc_isa/rows/functions.measured.toml``; functions not named keep
their entries. The worst inputs found are kept there with the results to the bit, as
regression cases. pow has two arguments and is always sampled.
"""

from __future__ import annotations

import argparse
import math
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.function_eval import evaluate
from maiacc_isa.functions import load

Array: TypeAlias = NDArray[Any]

MEASURED = Path(__file__).parents[1] / "isa/maiacc_isa/rows/functions.measured.toml"

#: Inputs per task; small enough for the cache to hold the float64 arrays.
CHUNK = 1 << 18

#: Inputs drawn from one seed, so that a long campaign needs no more memory than a short one.
PER_SEED = 1 << 22

#: Worst inputs kept per function.
CASES = 32

#: Neighbourhoods of these are sampled densely: results change their nature there.
LANDMARKS = (
    *(0.0, 1.0, 2.0, 0.5, 0.25, 3.0, 4.0, math.pi / 2, math.pi, math.e),
    *(0.75, 1.5, 1 / 64, 1 / 16, 3.94, 8.93, 9.09, 14.4, 16.64, 17.33, 20.0, 30.0),
    *(87.3365, 88.3763, 88.7228, 91.9, 103.2789, 103.9721, 110.5566, 126.0, 128.0),
)


def _each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of one Python float applied to float64 arrays."""
    ufunc = np.frompyfunc(function, 1, 1)
    return lambda x: np.asarray(ufunc(x)).astype(np.float64)


_erfc = _each(math.erfc)


def _gelu(x: Array) -> Array:
    # x/sqrt(2) is off by 2**-53 at most; erfc magnifies that by x*x, below 200 wherever
    # the result is not zero. So the error stays below 2**-45, 2**-21 ulp of f32.
    return np.where(x == -np.inf, -0.0, 0.5 * x * _erfc(x * -math.sqrt(0.5)))


def _sigmoid(x: Array) -> Array:
    tail = np.exp(-np.abs(x))
    return np.where(x < 0, tail, 1.0) / (1.0 + tail)


#: The true values, in float64: a relative error of 1e-14 is 2e-7 ulp of f32.
ORACLES: dict[str, Callable[..., Array]] = {
    "exp": np.exp,
    "exp_lo": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "atan": np.arctan,
    "tanh": np.tanh,
    "erf": _each(math.erf),
    "sigmoid": _sigmoid,
    "silu": lambda x: np.where(x == -np.inf, -0.0, x * _sigmoid(x)),
    "gelu": _gelu,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "pow": np.power,
}


def ulp_error(got: Array, exact: Array) -> Array:
    """|got - exact| in units in the last place of ``exact`` rounded to f32.

    ``got`` is f32, ``exact`` float64. Where both are infinite, or NaN, the error is 0; an
    infinity that should be finite, or the reverse, counts as 2**128.
    """
    with np.errstate(all="ignore"):
        nearest = exact.astype(np.float32)
        exponent = np.maximum(nearest.view(np.uint32) >> 23 & 255, 1).astype(np.int64)
        exponent = np.minimum(exponent, 254)
        unit = (exponent - 150 + 1023 << 52).view(np.float64)
        limit = 2.0**128
        # An exact value beyond the largest f32 is as good as the infinity it rounds to.
        true = np.where(np.isinf(nearest), np.clip(exact, -limit, limit), exact)
        error = np.abs(np.clip(got.astype(np.float64), -limit, limit) - true) / unit
        error = np.where(np.isinf(nearest) & (got == nearest), 0.0, error)
        wrong = np.isnan(got) != np.isnan(exact)
        return np.where(wrong, np.inf, np.where(np.isnan(exact), 0.0, error))


def errors(name: str, *inputs: Array) -> Array:
    """The error of the function ``name`` at f32 inputs, in ulp."""
    with np.errstate(all="ignore"):
        exact = ORACLES[name](*(x.astype(np.float64) for x in inputs))
    return ulp_error(evaluate(name, *inputs), exact)


def stratified(count: int, seed: int = 0) -> Array:
    """About ``count`` f32: every exponent and both signs alike, and special neighbourhoods."""
    rng = np.random.default_rng(seed)
    per_exponent = max(count // 512, 1)
    head = np.repeat(np.arange(512, dtype=np.uint32) << 23, per_exponent)
    body = head | rng.integers(0, 1 << 23, head.size, dtype=np.uint32)
    marks = np.array(LANDMARKS, np.float32).view(np.uint32)
    edges = np.concatenate([marks, np.arange(256, dtype=np.uint32) << 23])
    near = (edges[:, None] + np.arange(-16, 17)).astype(np.uint32).reshape(-1)
    return np.concatenate([body, near, near ^ np.uint32(1 << 31)]).view(np.float32)


def stratified_pairs(count: int, seed: int = 0) -> tuple[Array, Array]:
    """``count`` pairs for pow: most with a result in range, some with an integral y, some any."""
    rng = np.random.default_rng(seed)
    x = stratified(count, seed)
    x = x[rng.permutation(x.size)[:count]]
    near_one = np.exp(rng.normal(0, 1, x.size) * 10 ** rng.uniform(-6, 0, x.size))
    x = np.where(rng.random(x.size) < 0.4, near_one.astype(np.float32), x)
    with np.errstate(all="ignore"):
        y = rng.uniform(-104, 89, x.size) / np.log(np.abs(x.astype(np.float64)))
        y = np.where(rng.random(x.size) < 0.2, np.rint(y), y).astype(np.float32)
    anything = rng.integers(0, 1 << 32, x.size, dtype=np.uint32).view(np.float32)
    return x, np.where(rng.random(x.size) < 0.1, anything, y)


@dataclass
class Found:
    """The worst of what was seen of one function: rows of (error, bits of the inputs)."""

    inputs: int = 0
    worst: list[tuple[float, tuple[int, ...]]] = field(default_factory=list)

    def add(self, error: Array, *inputs: Array) -> None:
        """Takes in the errors at some f32 inputs."""
        self.inputs += error.size
        floor = self.worst[-1][0] if len(self.worst) == CASES else -1.0
        above = np.flatnonzero(error > floor)
        for index in above[np.argsort(-error[above])][:CASES]:
            bits = tuple(int(x[index : index + 1].view(np.uint32)[0]) for x in inputs)
            self.worst.append((float(error[index]), bits))
        self.worst = sorted(set(self.worst), key=lambda row: (-row[0], row[1]))[:CASES]


def batches(name: str, samples: int, full: bool) -> Iterator[tuple[Array, ...]]:
    """The inputs to try, in chunks."""
    params = len(load().functions[name].params)
    if full and params == 1:
        for start in range(0, 1 << 32, CHUNK):
            bits = np.arange(start, start + CHUNK, dtype=np.uint64).astype(np.uint32)
            yield (bits.view(np.float32),)
        return
    for seed, drawn in enumerate(range(0, samples, PER_SEED)):
        count = min(PER_SEED, samples - drawn)
        whole = (stratified(count, seed),) if params == 1 else stratified_pairs(count, seed)
        for start in range(0, whole[0].size, CHUNK):
            yield tuple(x[start : start + CHUNK] for x in whole)


def measure(name: str, samples: int, full: bool, jobs: int) -> Found:
    """Sweeps one function."""
    found = Found()
    chunks = batches(name, samples, full)
    with ThreadPoolExecutor(jobs) as pool:
        while group := list(islice(chunks, 16 * jobs)):
            for chunk, error in zip(
                group, pool.map(lambda chunk: errors(name, *chunk), group), strict=True
            ):
                found.add(error, *chunk)
    return found


def entry(name: str, found: Found, exhaustive: bool) -> dict[str, Any]:
    """The table of one function in the measured file; a case is its inputs, then the result."""
    columns = np.array([row for _, row in found.worst], np.uint32).T
    results = evaluate(name, *(np.ascontiguousarray(x).view(np.float32) for x in columns))
    cases = [
        [f"0x{int(bits):08x}" for bits in case]
        for case in zip(*columns, results.view(np.uint32), strict=True)
    ]
    return {
        "ulp": round(found.worst[0][0], 4),
        "inputs": found.inputs,
        "exhaustive": exhaustive,
        "cases": cases,
    }


def to_toml(entries: dict[str, dict[str, Any]]) -> str:
    """The measured file: one table per function, in the order of ``functions.fn``."""
    lines = [
        "# Written by benchmarks/function_ulp.py: the largest error found, in ulp, and the worst",
        "# cases from the worst down: the inputs, then the result, as bits.",
        "",
    ]
    for name in load().functions:
        if name in entries:
            row = entries[name]
            lines.append(f"[{name}]")
            lines += [f"{key} = {_toml(row[key])}" for key in ("ulp", "inputs", "exhaustive")]
            lines += ["cases = [", *(f"    {_toml(case)}," for case in row["cases"]), "]", ""]
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def main() -> None:
    """Command line."""
    names = list(load().functions)
    parser = argparse.ArgumentParser(description="Measure the functions against float64.")
    parser.add_argument("functions", nargs="*", help=f"default all: {' '.join(names)}")
    parser.add_argument("--samples", type=int, default=1 << 24)
    parser.add_argument("--full", action="store_true", help="all 2**32 inputs")
    parser.add_argument("--jobs", type=int, default=2, help="threads")
    parser.add_argument("--out", type=Path, default=MEASURED)
    args = parser.parse_args()
    entries = tomllib.loads(args.out.read_text("utf-8")) if args.out.exists() else {}
    for name in args.functions or names:
        start = time.perf_counter()
        found = measure(name, args.samples, args.full, args.jobs)
        exhaustive = args.full and len(load().functions[name].params) == 1
        entries[name] = entry(name, found, exhaustive)
        args.out.write_text(to_toml(entries), "utf-8")
        seconds = time.perf_counter() - start
        worst = entries[name]
        print(f"{name:8} {worst['ulp']:10.4f} ulp at {' '.join(worst['cases'][0][:-1])}", end="")
        print(f"  {found.inputs:,} inputs in {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
