"""What a user may ask of the compiler, beside the model."""

from __future__ import annotations

import re
from dataclasses import dataclass

from maiacc_isa.errors import MaiaccError, quote
from maiacc_isa.load import load
from maiacc_isa.machine import Machine

#: Machine that is compiled for unless another one is named.
TARGET = "maia200"

#: Types that contractions may be computed in, and what each of them is multiplied as.
PRECISIONS = {
    "model": "",
    "bf16": "bf16",
    "fp8": "e4m3",
    "mxfp8": "e4m3",
    "mxfp4": "e2m1",
    "int8": "int8",
}

#: Patterns that weights may be pruned to.
SPARSITIES = ("none", "2:4")


@dataclass(frozen=True)
class CompileOptions:
    """How a model is compiled.

    ``precision`` is what contractions are computed in; ``model`` keeps the model's types.
    ``sparsity`` prunes weights, ``sparsity_layers`` is a regular expression of layers that are
    pruned though they would not be. ``weights`` False leaves values of weights out: such a program
    can be timed, not run. ``passes`` are graph passes to run in place of those of the pipeline, as
    ``maiacc opt`` takes them.
    """

    target: str = TARGET
    precision: str = "model"
    sparsity: str = "none"
    sparsity_layers: str | None = None
    weights: bool = True
    passes: tuple[str, ...] | None = None

    def check(self, machine: Machine) -> None:
        """Raises ``MaiaccError`` E1506 for what cannot be asked for, and E1507 for a type that the
        machine does not multiply."""
        _one_of("--precision", self.precision, tuple(PRECISIONS))
        _one_of("--sparsity", self.sparsity, SPARSITIES)
        if self.sparsity != "none" and not self.weights:
            raise MaiaccError(
                "E1506",
                "--sparsity prunes by magnitude, and --no-weights leaves magnitudes out",
                hint="leave out one of them",
            )
        if self.sparsity_layers is not None:
            if self.sparsity == "none":
                raise MaiaccError(
                    "E1506",
                    "--sparsity-layers names layers to prune, and nothing is pruned",
                    hint="give --sparsity 2:4 with it",
                )
            _pattern(self.sparsity_layers)
        dtype = PRECISIONS[self.precision]
        if dtype and not multiplies(machine, dtype):
            raise MaiaccError(
                "E1507",
                f"{machine.name} does not multiply {dtype}",
                expected="one of " + ", ".join(_multiplied(machine)),
                found=f"--precision {self.precision}",
                hint="choose another --precision or another --target",
            )


def _one_of(option: str, value: str, there: tuple[str, ...]) -> None:
    if value not in there:
        raise MaiaccError(
            "E1506",
            f"{option} {quote(value)} does not exist",
            expected=", ".join(there),
            found=quote(value),
        )


def _pattern(text: str) -> None:
    try:
        re.compile(text)
    except re.error as problem:
        raise MaiaccError(
            "E1506", f"--sparsity-layers is no regular expression: {problem}", found=quote(text)
        ) from None


def multiplies(machine: Machine, dtype: str) -> bool:
    """Whether the machine's tensor units multiply two numbers of a type."""
    return any(
        dtype in pair.left and dtype in pair.right and machine.int(f"ttu.kchunk.{pair.rate}")
        for pair in load().pairs
    )


def _multiplied(machine: Machine) -> list[str]:
    """What ``--precision`` there is on a machine."""
    return [name for name, dtype in PRECISIONS.items() if not dtype or multiplies(machine, dtype)]
