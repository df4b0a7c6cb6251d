"""Attention as modules, verified kernel by kernel and compared with exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from compile.built import built, kind
from maiacc.options import CompileOptions
from maiacc.verifying.report import lines
from maiacc.verifying.verify import Asked, verify
from maiacc_isa.machine import load_machine
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.weights import Array
from maiacc_passes.kernel.model import Kernel, words_of
from maiacc_sim.simulate import Options, simulate

#: How far off results may be, as part of the largest.
NEAR = {"fp32": 2e-5, "fp16": 5e-3, "bf16": 3e-2}

#: What is done to the result.
After = Callable[[Builder, Value], Value]


@dataclass(frozen=True)
class Heads:
    """An attention: sizes, the type of all operands, a mask, attributes of the op, what follows."""

    batch: int = 1
    heads: int = 2
    rows: int = 16
    keys: int = 16
    size: int = 8
    columns: int = 8
    groups: int = 1
    dtype: str = "fp32"
    mask: tuple[str, tuple[int, ...]] | None = None
    attrs: dict[str, Any] = field(default_factory=dict)
    after: After | None = None

    def module(self) -> Module:
        """The module, made anew."""
        few = self.heads // self.groups
        kinds: list[Type] = [
            kind(self.dtype, self.batch, self.heads, self.rows, self.size),
            kind(self.dtype, self.batch, few, self.keys, self.size),
            kind(self.dtype, self.batch, few, self.keys, self.columns),
        ]
        if self.mask is not None:
            kinds.append(kind(self.mask[0], *self.mask[1]))

        def body(b: Builder, *xs: Value) -> Value:
            attrs: dict[str, Any] = {"scale": 0.25, "groups": self.groups, **self.attrs}
            y = b("attention", *xs, **attrs)
            return y if self.after is None else self.after(b, y)

        return built(body, *kinds)


def merged(b: Builder, y: Value) -> Value:
    """Heads of a row side by side, as they are multiplied next."""
    batch, heads, rows, size = y.type.shape
    turned = b("transpose", y, perm=(0, 2, 1, 3))
    return b("reshape", turned, shape=(batch, rows, heads * size))


def made(module: Module, seed: int = 0) -> dict[str, Array]:
    """Normally distributed inputs; of masks, two of three keys are seen, and none by row 1."""
    rng = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for name, value in zip(module.inputs, module.main.params, strict=True):
        shape = value.type.shape
        if name != "x3":
            found[name] = rng.standard_normal(shape).astype(value.type.element.numpy)
            continue
        seen = rng.integers(0, 3, shape) > 0
        seen[..., 0] = True
        if len(shape) > 1 and shape[-2] > 1:
            seen[..., 1, :] = False
        if value.type.dtype != "bool":
            hidden = np.where(seen, rng.standard_normal(shape), -np.inf)
            found[name] = hidden.astype(value.type.element.numpy)
        else:
            found[name] = seen
    return found


def kernels(
    fresh: Callable[[], Module],
    target: str = "mini",
    options: CompileOptions | None = None,
    near: float = NEAR["fp32"],
) -> Sequence[Kernel]:
    """The kernels of a module that is right: each of them by its bounds, and outputs by values."""
    module = fresh()
    given = made(module)
    asked = Asked(fresh, load_machine(target), given, options=options or CompileOptions())
    found = verify(asked)
    assert not found.wrong, "\n".join(lines(found))
    assert found.compiled is not None
    program = found.compiled.program
    outputs = simulate(program, given, options=Options(engine="native")).outputs
    with np.errstate(invalid="ignore", over="ignore"):
        wanted = evaluate(module, given, lift=True)
    for name, value in zip(module.outputs, module.main.outputs, strict=True):
        assert value is not None
        got = np.asarray(outputs[name])
        if got.dtype != value.type.element.numpy:
            got = got.view(value.type.element.numpy)
        got, exact = got.astype(np.float64), wanted[name].astype(np.float64)
        assert np.array_equal(np.isnan(got), np.isnan(exact)), name
        assert not np.isnan(exact).all(), name
        far = np.nanmax(np.abs(got - exact))
        assert far <= near * max(1.0, np.nanmax(np.abs(exact))), (name, far)
    plan = found.compiled.placed.plan
    return plan.kernels


def chunked(kernel: Kernel) -> bool:
    """Whether keys come in chunks: a product whose sums go on in a loop."""
    return any(
        word.kind == "multiply" and bool(word.fields.get("over")) for word in words_of(kernel.body)
    )
