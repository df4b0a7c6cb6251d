"""Compiles, proves and runs modules; compares with the IR's own meaning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maiacc.compiler import Compiled, compile_module
from maiacc_isa.lint import prove
from maiacc_isa.machine import load_machine
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.verify import verify
from maiacc_passes.ir.weights import Array
from maiacc_sim.result import Result
from maiacc_sim.simulate import Options, simulate

HEAD = "ir 1 graph\n"


@dataclass
class Case:
    """What came out: of the machine, of the IR, and of the IR in float64."""

    compiled: Compiled
    result: Result
    found: dict[str, Array]
    wanted: dict[str, Array]
    exact: dict[str, Array]

    def same(self) -> bool:
        """Whether the machine gave the IR's values, to the bit but for signs of zeros and NaNs."""
        return all(
            np.array_equal(self.found[n], w, equal_nan=_nan(w)) for n, w in self.wanted.items()
        )

    def error(self) -> float:
        """The largest error, as a part of the largest exact magnitude of an output."""
        worst = 0.0
        for name, exact in self.exact.items():
            found = self.found[name].astype(np.float64)
            exact = exact.astype(np.float64)
            if not np.array_equal(np.isfinite(found), np.isfinite(exact)):
                return float("inf")
            finite = np.isfinite(exact)
            scale = np.abs(exact[finite]).max(initial=0.0)
            off = np.abs(found[finite] - exact[finite]).max(initial=0.0)
            worst = max(worst, float(off / scale if scale else off))
        return worst


def _nan(array: Array) -> bool:
    return bool(array.dtype.kind == "f")


def module_of(text: str) -> Module:
    """A module of the text of a graph."""
    module = parse_module(HEAD + text)
    verify(module)
    return module


def inputs_of(module: Module, seed: int = 0, whole: bool = False) -> dict[str, Array]:
    """Inputs: small integers, or normally distributed."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, param in zip(module.inputs, module.main.params, strict=True):
        element, shape = param.type.element, param.type.shape
        values: Array
        if element.kind == "bool":
            values = rng.integers(0, 2, shape)
        elif element.kind == "uint":
            values = rng.integers(0, 5, shape)
        elif whole or not element.is_float:
            values = rng.integers(-4, 5, shape)
        else:
            values = rng.standard_normal(shape)
        found[name] = np.asarray(values).astype(element.numpy)
    return found


def checked(
    text: str | Module,
    target: str = "mini",
    inputs: dict[str, Array] | None = None,
    whole: bool = False,
    seed: int = 0,
    engine: str = "native",
) -> Case:
    """Compiles a graph, asserts that the program is proven, and runs it."""
    module = module_of(text) if isinstance(text, str) else text
    given = inputs_of(module, seed, whole) if inputs is None else inputs
    wanted = evaluate(module, given)
    exact = evaluate(module, given, lift=True)
    compiled = compile_module(module, load_machine(target))
    report = prove(compiled.program)
    assert report.proven, "\n".join(str(f) for f in report.findings[:5])
    result = simulate(compiled.program, given, options=Options(engine=engine))
    found = {}
    for name, array in wanted.items():
        out = result.outputs[name]
        found[name] = out if out.dtype == array.dtype else out.view(array.dtype)
    return Case(compiled, result, found, wanted, exact)
