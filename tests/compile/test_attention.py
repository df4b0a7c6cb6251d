"""Attention is one kernel wherever it may be, and right in every form of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from compile.attentions import NEAR, Heads, chunked, kernels, merged
from compile.built import built, kind
from maiacc.options import CompileOptions
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.kernel.model import Kernel
from maiacc_passes.lowering import attention

TARGETS = ("mini", "maia200")

#: Names of forms, and what they are.
FORMS = {
    "plain": Heads(),
    "causal": Heads(rows=9, keys=14, attrs={"causal": True, "offset": 5}),
    "rows that see nothing": Heads(attrs={"causal": True, "offset": -3}),
    "nothing seen is 0": Heads(attrs={"causal": True, "offset": -3, "masked_zero": True}),
    "window": Heads(attrs={"window": 3}),
    "causal window": Heads(keys=24, attrs={"causal": True, "offset": 8, "window": 3}),
    "truth mask": Heads(mask=("bool", (1, 1, 16, 16))),
    "truth mask, 0": Heads(mask=("bool", (1, 2, 16, 16)), attrs={"masked_zero": True}),
    "row of a mask": Heads(batch=2, mask=("bool", (2, 1, 1, 16))),
    "float mask": Heads(mask=("fp32", (16, 16))),
    "float mask, 0": Heads(mask=("fp32", (1, 2, 16, 16)), attrs={"masked_zero": True}),
    "capped": Heads(attrs={"softcap": 5.0, "causal": True}),
    "capped and masked": Heads(
        mask=("fp32", (16, 16)), attrs={"softcap": 4.0, "causal": True, "window": 5}
    ),
    "shared keys": Heads(heads=6, groups=3, rows=10, keys=20),
    "shared keys, masked": Heads(
        heads=4, groups=2, rows=10, keys=20, mask=("bool", (1, 4, 10, 20)), attrs={"causal": True}
    ),
    "one query": Heads(heads=4, rows=1, keys=40),
    "one query, shared keys": Heads(heads=4, groups=4, rows=1, keys=40),
    "ragged": Heads(batch=2, rows=70, keys=33),
    "wider values": Heads(rows=33, keys=70, columns=24),
    "heads side by side": Heads(batch=2, rows=24, keys=24, after=merged),
    "one row, heads side by side": Heads(heads=3, rows=1, keys=24, after=merged),
    "bf16": Heads(rows=33, keys=33, dtype="bf16", attrs={"causal": True}),
    "fp16": Heads(rows=33, keys=33, dtype="fp16", mask=("fp16", (33, 33))),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("form", FORMS)
def test_it_is_one_kernel(form: str, target: str) -> None:
    heads = FORMS[form]
    (kernel,) = kernels(heads.module, target, near=NEAR[heads.dtype])
    assert kernel.title.startswith("contract, ")
    assert "rsum" in kernel.title
    macs = heads.batch * heads.heads * heads.rows * heads.keys * (heads.size + heads.columns)
    assert kernel.macs == macs
    assert not chunked(kernel)


@pytest.mark.parametrize("precision", ["model", "bf16"])
def test_operands_are_converted_before(precision: str) -> None:
    found = kernels(
        Heads(rows=33, keys=33).module,
        options=CompileOptions(precision=precision),
        near=NEAR["fp32" if precision == "model" else "bf16"],
    )
    assert sum(kernel.macs > 0 for kernel in found) == 1
    assert [kernel.title for kernel in found[:-1]] == (["cvt"] * 3 if precision == "bf16" else [])


# ---- chunks of keys ---------------------------------------------------------------------------
LONG = {
    "one query": Heads(rows=1, keys=1536, size=64),
    "heads side by side": Heads(rows=70, keys=1536, size=64, columns=64, after=merged),
    "causal": Heads(rows=33, keys=2048, size=32, attrs={"causal": True, "offset": 2015}),
    "window": Heads(heads=4, groups=2, rows=33, keys=2048, dtype="bf16", attrs={"window": 700}),
    "float mask": Heads(
        rows=33, keys=4096, size=32, mask=("fp32", (1, 1, 33, 4096)), attrs={"softcap": 3.0}
    ),
    "truth mask": Heads(
        rows=9, keys=4096, mask=("bool", (1, 1, 9, 4096)), attrs={"masked_zero": True}
    ),
}


@pytest.mark.parametrize("form", LONG)
def test_many_keys_come_in_chunks(form: str) -> None:
    heads = LONG[form]
    (kernel,) = kernels(heads.module, "maia200", near=NEAR[heads.dtype])
    assert chunked(kernel)


@pytest.mark.parametrize("chunk", [4, 8])
@pytest.mark.parametrize("form", FORMS)
def test_chunks_of_few_keys(form: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every form again, a few keys at a time."""
    heads = FORMS[form]
    monkeypatch.setattr(attention, "CHUNKS", (chunk,))
    (kernel,) = kernels(heads.module, near=NEAR[heads.dtype])
    assert chunked(kernel) == (heads.keys % chunk == 0)


# ---- near misses ------------------------------------------------------------------------------
Body = Callable[..., Value | Sequence[Value]]
RNG = np.random.default_rng(3)
CONSTANT = RNG.standard_normal((2, 24, 8)).astype(np.float32)


def scores(b: Builder, q: Value, k: Value) -> Value:
    return b("contract", q, k, spec="hqd,hkd->hqk", to="fp32")


def shares(b: Builder, s: Value, axis: int = 2) -> Value:
    return b("softmax", s, axis=axis)


def result(b: Builder, p: Value, v: Value) -> Value:
    return b("contract", p, v, spec="hqk,hkd->hqd")


def scores_elsewhere(b: Builder, q: Value, k: Value, v: Value) -> Sequence[Value]:
    s = scores(b, q, k)
    return [result(b, shares(b, s), v), b("rmax", s, axes=(2,), keep=False)]


def shares_elsewhere(b: Builder, q: Value, k: Value, v: Value) -> Sequence[Value]:
    p = shares(b, scores(b, q, k))
    return [result(b, p, v), p]


def constant_keys(b: Builder, q: Value, k: Value, v: Value) -> Value:
    return result(b, shares(b, scores(b, q, b.constant(CONSTANT))), b("add", k, v))


def constant_values(b: Builder, q: Value, k: Value, v: Value) -> Value:
    return result(b, shares(b, scores(b, q, b("add", k, v))), b.constant(CONSTANT))


def shares_of_rows(b: Builder, q: Value, k: Value, v: Value) -> Value:
    return result(b, shares(b, scores(b, q, k), axis=1), v)


def values_of_scores(b: Builder, q: Value, k: Value, v: Value) -> Value:
    s = scores(b, q, k)
    own = b("contract", s, v, spec="hqk,hkd->hkd", to="fp32")
    return result(b, shares(b, s), own)


def plain(b: Builder, q: Value, k: Value, v: Value) -> Value:
    return result(b, shares(b, scores(b, q, k)), v)


OTHERS = (
    *(scores_elsewhere, shares_elsewhere, constant_keys, constant_values, shares_of_rows),
    values_of_scores,
)


def module(body: Body, rows: int = 24, keys: int = 24) -> Module:
    """A module of queries, keys and values."""
    kinds = [kind("fp32", 2, size, 8) for size in (rows, keys, keys)]
    return built(body, *kinds)


def products(found: Sequence[Kernel]) -> int:
    """Kernels that multiply."""
    return sum(kernel.macs > 0 for kernel in found)


def test_spelled_out_it_is_one_kernel() -> None:
    assert len(kernels(lambda: module(plain))) == 1


@pytest.mark.parametrize("body", OTHERS, ids=lambda body: body.__name__)
def test_near_misses_are_several_kernels(body: Body) -> None:
    assert products(kernels(lambda: module(body))) > 1


def test_keys_that_are_no_chunks_are_several_kernels() -> None:
    assert products(kernels(lambda: module(plain, 9, 1500), "maia200")) == 2
    assert products(kernels(lambda: module(plain, 9, 1536), "maia200")) == 1
