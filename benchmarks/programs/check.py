"""Checks the benchmark programs against numpy: ``python -m benchmarks.programs.check``.

    python -m benchmarks.programs.check                small sizes, by the reference simulator too
    python -m benchmarks.programs.check gemm resnet    only these
    python -m benchmarks.programs.check --full         full sizes, by the native simulator

Every program is proven and timed. Results are compared bit by bit where all sums are exact, and
with a tolerance otherwise; the native simulator has to give the bits of the reference simulator.
The decoding step is compared in small sizes only: in full size it has no data.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.programs import decode70b_values, elementwise, gemm, resnet
from benchmarks.programs.base import Array, Arrays
from benchmarks.programs.decode70b_words import Sizes as Decode
from benchmarks.programs.resnet_plan import Sizes as Resnet
from benchmarks.programs.run import AnySizes, executed, program, proof, seconds, timed
from maiacc_isa.program import Program


@dataclass(frozen=True)
class Case:
    """A program, what goes in, what has to come out, and by how much each number may be off: a part
    of it, and of the largest. Nothing at all if both are 0."""

    name: str
    sizes: AnySizes
    inputs: Callable[[], Arrays]
    reference: Callable[[Arrays], Arrays]
    relative: float = 0.0
    absolute: float = 0.0


def _double(given: Arrays) -> Arrays:
    return {name: array.astype(np.float64) for name, array in given.items()}


def gemm_case(sizes: gemm.Sizes) -> Case:
    """Small integers: every sum is exact."""
    inputs = lambda: gemm.inputs(sizes, whole=True)  # noqa: E731
    return Case("gemm", sizes, inputs, lambda given: gemm.reference(sizes, given))


def elementwise_case(sizes: elementwise.Sizes) -> Case:
    """exp is off by an ulp or two of its result, the others by as much of the largest."""
    relative, absolute = {"exp": (2.5e-7, 0), "gelu": (0, 1.5e-7), "layernorm": (0, 3e-7)}[sizes.op]
    return Case(
        sizes.op,
        sizes,
        lambda: elementwise.inputs(sizes),
        lambda given: elementwise.reference(sizes, _double(given)),
        relative,
        absolute,
    )


def resnet_case(sizes: Resnet) -> Case:
    """Exact if the weights are small integers, else in fp64."""
    exact = bool(sizes.whole)
    return Case(
        "resnet",
        sizes,
        lambda: resnet.inputs(sizes),
        lambda given: resnet.reference(sizes, given if exact else _double(given)),
        absolute=0.0 if exact else 3e-6,
    )


def decode_case(sizes: Decode) -> Case:
    """fp8 rounds alike unless a sum lies at the edge between two numbers."""
    return Case(
        "decode70b",
        sizes,
        lambda: decode70b_values.inputs(sizes),
        lambda given: decode70b_values.reference(sizes, given),
        absolute=1e-5,
    )


SMALL_RESNET = Resnet(image=64, width=16, depths=(2, 2, 1, 1), classes=40, least=4)

SMALL = [
    gemm_case(gemm.Sizes(m=128, n=256, k=96, rows=32, columns=64, depth=48)),
    gemm_case(gemm.Sizes(m=64, n=192, k=64, rows=32, columns=32, depth=64)),
    *(elementwise_case(elementwise.Sizes(op, 96, 80, 4)) for op in elementwise.OPS),
    *(elementwise_case(elementwise.Sizes(op, 64, 1024, 16)) for op in elementwise.OPS),
    resnet_case(SMALL_RESNET),
    resnet_case(replace(SMALL_RESNET, whole=1)),
    resnet_case(replace(SMALL_RESNET, image=96, least=36, classes=33, depths=(1, 3, 2, 1))),
    decode_case(Decode(2, 512, 768, 4, 2, 640, 64, workers=3, section=2)),
    decode_case(Decode(1, 256, 512, 2, 1, 4608, 33, workers=36, section=1)),
    decode_case(Decode(3, 384, 384, 6, 3, 256, 48, workers=2, section=3)),
]

FULL = [
    gemm_case(gemm.Sizes()),
    *(elementwise_case(elementwise.Sizes(op)) for op in elementwise.OPS),
    resnet_case(Resnet()),
    decode_case(Decode()),
]


def off(case: Case, found: Arrays, wanted: Arrays) -> float:
    """The largest error as a part of what is allowed; infinite if something is missing."""
    if found.keys() != wanted.keys():
        return float("inf")
    return max(_off(case, found[name], wanted[name]) for name in wanted)


def _off(case: Case, found: Array, wanted: Array) -> float:
    x, y = found.astype(np.float64).reshape(-1), wanted.astype(np.float64).reshape(-1)
    if x.shape != y.shape or not np.isfinite(x).all():
        return float("inf")
    error, most = np.abs(x - y), case.relative * np.abs(y) + case.absolute * np.abs(y).max()
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(error == 0, 0.0, error / most).max())


def same(one: Arrays, other: Arrays) -> bool:
    """Whether two runs gave the same bits."""
    names = one.keys() | other.keys()
    return all(name in one and name in other for name in names) and all(
        one[name].tobytes() == other[name].tobytes() for name in names
    )


def compared(case: Case, made: Program, full: bool) -> tuple[bool, str]:
    """Whether a program computes what it should, and how far off it is."""
    given = case.inputs()
    wanted = case.reference(given)
    native, took = seconds(lambda: executed(made, given, native=True))
    error = off(case, native.outputs, wanted)
    said = f"error {error:.2f} of what is allowed" if case.relative + case.absolute else "exact"
    good = error <= 1
    if not good:
        said = f"WRONG: error {error:g} times what is allowed"
    if not full and not same(executed(made, given).outputs, native.outputs):
        good, said = False, said + "; WRONG: the simulators differ"
    if native.asked:
        said += f"; left to Python: {dict(native.asked)}"
    return good, f"{said}, native {took:.2f} s"


def checked(case: Case, full: bool) -> bool:
    """Proves, times and compares a case; prints a line. Whether all is well."""
    with tempfile.TemporaryDirectory() as folder:
        made = program(case.sizes, Path(folder))
        problems, proving = seconds(lambda: proof(made))
        time, timing = seconds(lambda: timed(made))
        static = sum(len(block.words) for block in made.blocks)
        bound, most = time.totals.bound, time.totals.bounds[time.totals.bound]
        sys.stdout.write(
            f"{case.name}: {static} words, {time.account.executed:,} executed; "
            f"{time.cycles:,} cycles, {bound} {most:,} ({most / time.cycles:.1%}); "
            f"proof {proving:.2f} s, time {timing:.2f} s; "
        )
        good, said = not problems, "no data"
        if not (full and isinstance(case.sizes, Decode)):
            good, said = compared(case, made, full)
        sys.stdout.write(f"{said}\n" + "".join(f"    {problem}\n" for problem in problems))
        sys.stdout.flush()
        return good and not problems


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Checks the benchmark programs against numpy.")
    parser.add_argument("names", nargs="*", help="only these programs")
    parser.add_argument("--full", action="store_true", help="in full size")
    given = parser.parse_args()
    cases = [c for c in (FULL if given.full else SMALL) if not given.names or c.name in given.names]
    good = [checked(case, given.full) for case in cases]
    if not good or not all(good):
        sys.exit(f"{good.count(False)} of {len(good)} are wrong" if good else "no such program")


if __name__ == "__main__":
    main()
