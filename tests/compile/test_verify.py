"""`maiacc verify`: bounds that hold and say something, verdicts, reports, the command."""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import numpy as np
import onnx
import pytest

from compile.broken import MINI, dense_model, model, node, verified
from compile.checks import inputs_of, module_of
from maiacc.compiler import compile_module
from maiacc.frontend.model import import_model
from maiacc.verifying.bounds import Bounds
from maiacc.verifying.chains import propagated
from maiacc.verifying.judging import geometry, judge, worthless
from maiacc.verifying.kernels import Kept, analysed
from maiacc.verifying.known import Known, rounded, stored, ulp
from maiacc.verifying.made_inputs import made_inputs
from maiacc.verifying.report import lines
from maiacc.verifying.verify import Asked, Verified, verify
from maiacc_isa.machine import load_machine, machine_from_values
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.weights import Array
from maiacc_sim.simulate import Options, simulate

UNARY = (
    *("neg", "abs", "sign", "recip", "exp", "expm1", "erf", "tanh", "sigmoid", "sin", "cos"),
    *("atan", "floor", "ceil", "trunc", "round", "relu", "gelu", "silu", "softplus"),
)
POSITIVE = ("sqrt", "rsqrt", "log", "log1p")
BINARY = ("add", "sub", "mul", "div", "min", "max")
TYPES = ("fp32", "bf16", "fp16")


def one(op: str, dtype: str, result: str = "7, 40", attrs: str = "", operands: str = "%0") -> str:
    """An op of x[7, 40], with z[40] beside it."""
    kind = result if ":" in result else f"{dtype}[{result}]"
    return (
        f'graph (%0: {dtype}[7, 40] "x", %1: {dtype}[40] "z") -> ("y") {{\n'
        f"  %2 = {op}({operands}) {attrs} : {kind.removeprefix(':')}\n  return(%2)\n}}\n"
    )


def texts() -> Iterator[tuple[str, bool]]:
    """Modules of one op, and whether inputs have to be positive."""
    for dtype in TYPES:
        yield from ((one(op, dtype), False) for op in UNARY)
        yield from ((one(op, dtype), True) for op in POSITIVE)
        yield from ((one(op, dtype, operands="%0, %1"), op == "div") for op in BINARY)
        yield from ((one(op, dtype, operands="%0, %1"), True) for op in ("pow", "mod"))
        for op in ("rsum", "rprod", "rsumsq", "rmax", "rmin"):
            yield one(op, dtype, "7", "{axes=[1], keep=false}"), False
        for op in ("argmax", "argmin"):
            yield one(op, dtype, ":int64[7]", "{axis=1, keep=false}"), False
        for op in ("softmax", "log_softmax"):
            yield one(op, dtype, attrs="{axis=1}"), False
        for to in ("fp32", "bf16", "fp16", "e4m3", "e5m2", "int8", "int32", "bool"):
            yield one("cvt", dtype, f":{to}[7, 40]", f"{{to={to}}}"), False


def judged(text: str, positive: bool, whole: bool, target: str = "mini") -> Verified:
    inputs = inputs_of(module_of(text), 0, whole)
    if positive:
        inputs = {name: np.abs(x) + x.dtype.type(1) for name, x in inputs.items()}
    return verify(Asked(lambda: module_of(text), load_machine(target), inputs))


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(("text", "positive"), list(texts()))
def test_no_op_is_blamed_for_what_it_does_right(text: str, positive: bool, whole: bool) -> None:
    found = judged(text, positive, whole)
    assert not found.wrong, "\n".join(lines(found))
    assert {line.verdict for line in found.kernels} <= {"ok", "equal"}
    # Of 8 bits, a rounding alone is more than 1 %.
    assert {line.verdict for line in found.outputs} <= {"ok", "equal", "not judged"}


def test_sums_of_whole_numbers_are_judged_to_the_bit() -> None:
    text = """graph (%0: fp32[9, 70] "x", %1: fp32[70, 11] "w") -> ("y") {
  %2 = contract(%0, %1) {spec="ab,bc->ac", to="fp32"} : fp32[9, 11]
  return(%2)
}
"""
    assert [line.verdict for line in judged(text, False, True).kernels] == ["equal"]
    assert [line.verdict for line in judged(text, False, False).kernels] == ["ok"]


# ---- bounds that say something ------------------------------------------------------------------
def gemm(dtype: str = "bf16") -> tuple[Kept, Op, Array]:
    """A matrix product on mini: what was kept, its kernel, and what it made."""
    text = f"""graph (%0: {dtype}[24, 256] "x", %1: {dtype}[256, 20] "w") -> ("y") {{
  %2 = contract(%0, %1) {{spec="ab,bc->ac", to="{dtype}"}} : {dtype}[24, 20]
  return(%2)
}}
"""
    module = module_of(text)
    inputs = inputs_of(module, 5)
    compiled = compile_module(module, MINI, keep=True)
    result = simulate(compiled.program, inputs, options=Options(engine="native"))
    kept = Kept(compiled, {**inputs, **result.outputs})
    op = next(op for op in compiled.module.main if op.name == "group")
    return kept, op, kept.take(op.results[0])


def broken_products(x: Array, w: Array, right: Array) -> dict[str, Array]:
    """Products that are wrong in ways that are hard to see."""
    a, b = x.astype(np.float64), w.astype(np.float64)
    exact = (a @ b).astype(np.float32)
    cut = (exact.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    narrow = np.zeros(right.shape, np.float32)
    for k in range(a.shape[1]):
        narrow = (narrow + np.outer(a[:, k], b[k])).astype(ml_dtypes.bfloat16).astype(np.float32)
    zero, stale = right.copy(), right.copy()
    zero[-1, -1] = 0
    stale[8:16, :8] = right[:8, :8]
    return {
        "the last k is dropped": (a[:, :-1] @ b[:-1]).astype(right.dtype),
        "sums in bf16": narrow.astype(right.dtype),
        "cut off, not rounded": cut.astype(right.dtype),
        "one element is zero": zero,
        "a stale tile": stale,
    }


def test_bounds_see_what_similarity_does_not() -> None:
    kept, op, right = gemm()
    (known,) = analysed(Bounds(), kept, op)
    assert judge("y", right, known).verdict == "ok"
    x, w = (kept.read(value) for value in op.operands if value is not None)
    for what, wrong in broken_products(x, w, right).items():
        assert judge("y", wrong, known).verdict == "wrong", what
    a, b = x.astype(np.float32), w.astype(np.float32)
    other = sum((a[:, i : i + 32] @ b[i : i + 32] for i in range(0, 256, 32)), np.float32(0))
    assert judge("y", np.asarray(other).astype(right.dtype), known).verdict == "ok"


def test_roundings_of_what_is_exact_are_known() -> None:
    x = np.array([1.0, 1.0 + 2.0**-24, 3.0])
    assert list(rounded(x, None).slack) == [0.0, 2.0**-24, 0.0]
    assert list(ulp(np.array([1.0, 0.75, 0.0]))) == [2.0**-23, 2.0**-24, 2.0**-149]
    narrow = stored(Known(np.array([1.00390625], np.float32)), ELEMENTS["bf16"])
    assert narrow.bound is None
    assert float(narrow.exact[0]) == 1.0
    far = stored(Known(np.array([1e6]), np.array([1.0])), ELEMENTS["fp16"])
    assert np.isinf(far.slack[0]), "an overflow may be one or not"


def test_what_is_exact_is_rounded_to_float64_itself() -> None:
    # Half a unit in the last place, reached exactly, and a quotient that float64 rounds.
    rng = np.random.default_rng(0)
    text = (
        'graph (%0: fp32[4, 4096] "x", %1: fp32[4, 1] "s", %2: fp32[4, 1] "m") -> ("y") {\n'
        "  %3 = div(%0, %1) : fp32[4, 4096]\n  %4 = div(%2, %1) : fp32[4, 1]\n"
        "  %5 = sub(%3, %4) : fp32[4, 4096]\n  return(%5)\n}\n"
    )
    for _ in range(4):
        inputs: dict[str, Array] = {
            "x": rng.normal(size=(4, 4096)).astype(np.float32),
            "s": rng.uniform(0.5, 2, (4, 1)).astype(np.float32),
            "m": rng.normal(size=(4, 1)).astype(np.float32),
        }
        found = verify(Asked(lambda: module_of(text), MINI, inputs))
        assert not found.wrong, "\n".join(lines(found))


def test_where_not_all_tensors_have_room_a_larger_memory_is_used() -> None:
    # A row of products, each of which needs the one before: two have to be there at a time.
    size, steps = 128, 6
    head = f'graph (%0: fp32[{size}, {size}] "x") -> ("y") {{\n'
    one = '  %{} = contract(%{}, %0) {{spec="mk,kn->mn"}} : fp32[{}, {}]\n'
    products = "".join(one.format(n + 1, n, size, size) for n in range(steps))
    text = f"{head}{products}  return(%{steps})\n}}\n"
    inputs = inputs_of(module_of(text), 0, True)
    room = 4 * size * size * 4
    machine = machine_from_values("small", "", {**MINI.values, "hbm.bytes": room})
    found = verify(Asked(lambda: module_of(text), machine, inputs))
    assert not found.wrong, "\n".join(lines(found))
    assert len(found.kernels) == steps
    assert found.roomy
    assert any("more HBM" in line for line in lines(found))
    assert not verify(Asked(lambda: module_of(text), MINI, inputs)).roomy


def test_decisions_that_are_open_are_counted() -> None:
    near = np.float32(0.7)
    text = f"""weight @half : fp32[] = inline [{float(near * near)!r}]
graph (%0: fp32[8, 50] "x") -> ("y") {{
  %1 = mul(%0, %0) : fp32[8, 50]
  %2 = lt(%1, @half) : bool[8, 50]
  %3 = select(%2, %0, %1) : fp32[8, 50]
  return(%3)
}}
"""
    for share, verdict in ((0.01, "undecided"), (1.0, "not judged")):
        x = np.random.default_rng(0).standard_normal((8, 50)).astype(np.float32)
        x.reshape(-1)[: int(share * x.size)] = near
        asked = Asked(lambda: module_of(text), MINI, {"x": x})
        found = verify(asked)
        assert [line.verdict for line in found.kernels] == [verdict]
        assert found.kernels[0].undecided == int(share * x.size)


def test_a_bound_that_is_too_wide_is_not_judged_by() -> None:
    nodes = [node("Exp", "x", "e"), node("Sin", "e", "y")]
    _, found = verified(model(nodes, (4, 4)), scale=12.0)
    assert [line.verdict for line in found.outputs] == ["not judged"]
    assert "0 of 1 outputs judged" in list(lines(found))[-1]
    assert worthless(Known(np.ones(3), np.full(3, 0.02)))
    assert not worthless(Known(np.ones(3), np.full(3, 0.005)))


def test_where_it_is_wrong_is_said_as_a_box() -> None:
    bad = np.zeros((4, 6), np.bool_)
    bad[1:3, 4:] = True
    assert geometry(bad) == "all of [1:3, 4:6]"
    bad[:] = False
    bad[0, 0] = bad[3, 5] = True
    assert geometry(bad) == "8.33 % of [:, :]"


def test_propagated_bounds_hold_from_end_to_end() -> None:
    module = import_model(dense_model())
    inputs = made_inputs(module, 1)
    known = propagated(module, inputs, 0.0, False)["y"]
    compiled = compile_module(import_model(dense_model()), MINI)
    found = simulate(compiled.program, inputs, options=Options(engine="native")).outputs["y"]
    assert judge("y", found, known).verdict == "ok"


def test_made_up_indices_exist() -> None:
    table = onnx.numpy_helper.from_array(np.zeros((300, 4), np.float32), "t")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gather", ["t", "i"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("i", onnx.TensorProto.INT64, (50,))],
        [onnx.ValueInfoProto(name="y")],
        [table],
    )
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)])
    indices = made_inputs(import_model(proto), 0)["i"]
    assert 100 < indices.max() < 300
    assert indices.min() >= 0
