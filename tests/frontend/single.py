"""Models of one node: what the IR, onnxruntime or a refusal makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest

from frontend.compared import model_of, node, ort, run
from maiacc.frontend.model import import_model
from maiacc_isa.errors import ErrorList, MaiaccError
from maiacc_passes.ir.graph import Module


@dataclass
class Single:
    """A node with inputs, some of which (``static``, by number) are constants of the model. None
    is an input that is left out."""

    op: str
    inputs: Sequence[Any]
    attrs: dict[str, Any] = field(default_factory=dict)
    opset: int = 21
    static: Sequence[int] = ()
    outputs: int = 1

    def __str__(self) -> str:
        attrs = "-".join(f"{name}={value}" for name, value in self.attrs.items())
        return f"{self.op}{self.opset}-{attrs}"[:40].replace(" ", "").replace("\n", "")

    @property
    def feeds(self) -> dict[str, Any]:
        """The inputs of the model by name."""
        return {
            f"x{i}": np.asarray(x)
            for i, x in enumerate(self.inputs)
            if x is not None and i not in self.static
        }

    def model(self) -> onnx.ModelProto:
        """The model."""
        constants = {f"x{i}": np.asarray(self.inputs[i]) for i in self.static}
        given = ["-" if x is None else f"x{i}" for i, x in enumerate(self.inputs)]
        made = [f"y{i}" for i in range(self.outputs)]
        only = node(self.op, " ".join(given), " ".join(made), **self.attrs)
        return model_of([only], self.feeds, made, constants, self.opset)

    def run(self) -> list[Any]:
        """The outputs by the IR."""
        return run(self.model(), self.feeds)

    def ort(self) -> list[Any]:
        """The outputs by onnxruntime."""
        return ort(self.model(), self.feeds)

    def module(self) -> Module:
        """The module."""
        return import_model(self.model())

    def refused(self, code: str, arity: bool = False) -> MaiaccError:
        """The refusal, which is the only one and has the code. ``arity`` says whether it is about
        how many inputs and outputs there are."""
        with pytest.raises(ErrorList) as caught:
            self.module()
        (problem,) = caught.value.errors
        assert problem.code == code
        assert ("wrong number of" in problem.message) == arity
        return problem


def agree(found: Any, expected: Any, rtol: float = 1e-6, atol: float = 0.0) -> None:
    """Arrays of one type and shape are close, NaN for NaN, and zeros have the same sign."""
    expected = np.asarray(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    if found.dtype.kind in "iub":
        np.testing.assert_array_equal(found, expected)
        return
    a, b = found.astype(np.float64), expected.astype(np.float64)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)
    both = (a == 0) & (b == 0)
    np.testing.assert_array_equal(np.signbit(a[both]), np.signbit(b[both]))


def like_ort(case: Single, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """The IR and onnxruntime agree."""
    for found, expected in zip(case.run(), case.ort(), strict=True):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        np.testing.assert_allclose(
            found.astype(np.float64), expected.astype(np.float64), rtol=rtol, atol=atol
        )
