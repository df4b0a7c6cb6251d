"""What a user may ask of the compiler, beside the model."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maiacc_isa.errors import MaiaccError, quote
from maiacc_isa.load import load
from maiacc_isa.machine import Machine

if TYPE_CHECKING:
    from maiacc.compiling.calibration import Calibration

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

#: Patterns that weights may be pruned to: those of ``maiacc_passes.sparsity.pattern``, which is not
#: loaded where a program is only run.
SPARSITIES = ("none", "2:4", "1:2", "2:8", "1:4", "1:8")

#: How weights may be pruned; all but the first need data.
METHODS = ("magnitude", "wanda", "sparsegpt")


@dataclass(frozen=True)
class CompileOptions:
    """How a model is compiled.

    ``precision`` is what contractions are computed in; ``model`` keeps the model's types.
    ``sparsity`` prunes weights, ``sparsity_layers`` is a regular expression of layers that are
    pruned though they would not be, ``sparsity_method`` one of ``METHODS`` (None: the best that
    there are data for), ``calibration`` these data. ``weights`` False leaves values of weights out:
    such a program can be timed, not run. ``passes`` are graph passes to run in place of those of
    the pipeline, as ``maiacc opt`` takes them.
    """

    target: str = TARGET
    precision: str = "model"
    sparsity: str = "none"
    sparsity_layers: str | None = None
    weights: bool = True
    passes: tuple[str, ...] | None = None
    sparsity_method: str | None = None
    calibration: Calibration | None = field(default=None, repr=False)

    @property
    def method(self) -> str:
        """How weights are pruned."""
        return self.sparsity_method or ("sparsegpt" if self.calibration else "magnitude")

    @property
    def warnings(self) -> list[str]:
        """What a user should know before the model is used."""
        if self.sparsity == "none" or self.calibration is not None:
            return []
        return [
            "weights are pruned by magnitude alone, which loses accuracy; --calibration FILE.npz "
            "with some inputs of the model lets the others make up for what is dropped"
        ]

    def check(self, machine: Machine) -> None:
        """Raises ``MaiaccError`` E1506 for what cannot be asked for, and E1507 for a type that the
        machine does not multiply."""
        _one_of("--precision", self.precision, tuple(PRECISIONS))
        self._check_sparsity()
        dtype = PRECISIONS[self.precision]
        if dtype and not multiplies(machine, dtype):
            raise MaiaccError(
                "E1507",
                f"{machine.name} does not multiply {dtype}",
                expected="one of " + ", ".join(_multiplied(machine)),
                found=f"--precision {self.precision}",
                hint="choose another --precision or another --target",
            )

    def _check_sparsity(self) -> None:
        """Raises ``MaiaccError`` E1506."""
        _one_of("--sparsity", self.sparsity, SPARSITIES, STORED)
        if self.sparsity_method is not None:
            _one_of("--sparsity-method", self.sparsity_method, METHODS)
        if self.sparsity == "none":
            given = {
                "--sparsity-layers": self.sparsity_layers,
                "--sparsity-method": self.sparsity_method,
                "--calibration": self.calibration,
            }
            for option, value in given.items():
                if value is not None:
                    raise MaiaccError(
                        "E1506",
                        f"{option} says how to prune, and nothing is pruned",
                        hint="give --sparsity 2:4 with it",
                    )
            return
        if not self.weights:
            raise MaiaccError(
                "E1506",
                "--sparsity prunes by what weights are, and --no-weights leaves that out",
                hint="leave out one of them",
            )
        if self.sparsity_layers is not None:
            _pattern(self.sparsity_layers)
        if self.calibration is None and self.method != "magnitude":
            raise MaiaccError(
                "E1506",
                f"--sparsity-method {self.method} weighs what weights are multiplied by, and there "
                "are no data for it",
                expected="--calibration FILE.npz",
                hint="numpy.savez(FILE, NAME=ARRAY) with some dozens of inputs of the model, or "
                "--sparsity-method magnitude",
            )


#: Why other patterns do not exist.
STORED = "the machine stores and multiplies two of each aligned four along what is summed"


def _one_of(option: str, value: str, there: tuple[str, ...], hint: str | None = None) -> None:
    if value not in there:
        raise MaiaccError(
            "E1506",
            f"{option} {quote(value)} does not exist",
            expected=", ".join(there),
            found=quote(value),
            hint=hint,
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
