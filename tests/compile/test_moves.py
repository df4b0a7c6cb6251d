"""Copies, concatenation and padding: every element where the IR has it, on both machines."""

from __future__ import annotations

import numpy as np
import pytest

from compile.built import built, kind, some
from compile.checks import checked
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Value

#: Every element type that is moved.
TYPES = (
    *("fp32", "fp16", "bf16", "e4m3", "e5m2", "e8m0", "bool"),
    *("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"),
)
MACHINES = ("mini", "maia200")
MODES = ("constant", "edge", "wrap", "reflect")


def bits_in(dtype: str, *shape: int) -> np.ndarray:
    """Elements whose bits are all different as far as the type has enough."""
    one = np.dtype(kind(dtype).element.numpy)
    size = int(np.prod(shape))
    if dtype == "bool":
        return some(dtype, *shape)
    raw = (np.arange(size, dtype=np.uint64) * 0x9E3779B97F4A7C15).astype(f"u{one.itemsize}")
    return raw.view(one).reshape(shape)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("dtype", TYPES)
def test_bits_move_unchanged(dtype: str) -> None:
    """NaNs, subnormals and all: through a transpose, a reversal, a copy."""
    x = bits_in(dtype, 37, 29)

    def body(b: Builder, x: Value) -> list[Value]:
        turned = b("transpose", x, perm=(1, 0))
        back = b("slice", x, starts=(36, 28), sizes=(19, 15), steps=(-2, -2))
        return [turned, back, b("reshape", turned, shape=(37, 29))]

    case = checked(built(body, kind(dtype, 37, 29)), "mini", {"x0": x})
    for name, wanted in case.wanted.items():
        assert case.found[name].tobytes() == wanted.tobytes(), name


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("perm", [(1, 0, 2), (2, 0, 1), (2, 1, 0), (0, 2, 1)])
def test_transposes(perm: tuple[int, ...], machine: str) -> None:
    """Sizes that need several tiles and do not divide."""
    module = built(lambda b, x: b("transpose", x, perm=perm), kind("fp32", 67, 31, 53))
    assert checked(module, machine, whole=True).same()


@pytest.mark.parametrize("rank", [7, 8, 12])
def test_more_dims_than_a_view_has(rank: int) -> None:
    """All dims exchanged, so that none goes on in another."""
    shape = (2, 3, 2, 3, 2, 5, 2, 3, 2, 2, 2, 2)[:rank]
    perm = tuple(reversed(range(rank)))
    module = built(lambda b, x: b("transpose", x, perm=perm), kind("int16", *shape))
    assert checked(module, "mini").same()


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1), (0,), (3, 0, 2)])
def test_few_elements(shape: tuple[int, ...]) -> None:
    """One element, or none, beside a result that there is."""
    perm = tuple(reversed(range(len(shape))))

    def body(b: Builder, x: Value, y: Value) -> list[Value]:
        return [b("transpose", x, perm=perm), b("transpose", y, perm=(1, 0))]

    module = built(body, kind("int64", *shape), kind("fp32", 2, 3))
    assert checked(module, "mini", whole=True).same()


def test_reshape_of_what_is_turned_and_repeated() -> None:
    """Views that no strides can say become copies."""

    def body(b: Builder, x: Value, y: Value) -> list[Value]:
        turned = b("transpose", x, perm=(2, 0, 1))
        wide = b("broadcast", y, shape=(5, 7, 9))
        again = b(
            "reshape",
            b("transpose", b("reshape", turned, shape=(30, 77)), perm=(1, 0)),
            shape=(70, 33),
        )
        return [again, b("reshape", wide, shape=(35, 9)), b("reshape", wide, shape=(315,))]

    module = built(body, kind("bf16", 11, 7, 30), kind("fp16", 7, 1))
    assert checked(module, "mini", whole=True).same()


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("axis", "shapes"),
    [
        (0, [(30, 50), (47, 50), (1, 50)]),
        (1, [(33, 5), (33, 4), (33, 0), (33, 7)]),
        (1, [(2, 30, 500), (2, 1, 500)]),
        (2, [(3, 40, 1), (3, 40, 1), (3, 40, 1)]),
    ],
)
def test_concat(axis: int, shapes: list[tuple[int, ...]], machine: str) -> None:
    """Long pieces one by one, short ones assembled, empty ones left out."""
    kinds = [kind("fp32", *shape) for shape in shapes]
    module = built(lambda b, *xs: b("concat", *xs, axis=axis), *kinds)
    assert checked(module, machine, whole=True).same()


def test_concat_of_views_and_of_one_thing_twice() -> None:
    """Operands that lie otherwise than the result."""

    def body(b: Builder, x: Value) -> Value:
        turned = b("transpose", x, perm=(1, 0))
        back = b("slice", x, starts=(12, 12), sizes=(13, 13), steps=(-1, -1))
        return b("concat", x, turned, back, x, axis=1)

    assert checked(built(body, kind("int8", 13, 13)), "mini").same()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("shape", "before", "after"),
    [
        ((6, 4), (1, 2), (0, 3)),
        ((2, 3, 20, 25), (0, 0, 3, 3), (0, 0, 3, 2)),
        ((1,), (7,), (9,)),
        ((3, 3), (17, 2), (9, 2)),
        ((3, 2, 3, 2, 3), (1, 1, 1, 1, 0), (1, 0, 1, 0, 1)),
    ],
)
def test_pad(
    shape: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...], mode: str
) -> None:
    """All modes, farther than the tensor is long, along more axes than a view has boxes."""
    module = built(
        lambda b, x: b("pad", x, before=before, after=after, mode=mode), kind("int32", *shape)
    )
    assert checked(module, "mini").same()


@pytest.mark.parametrize("mode", MODES)
def test_pad_on_many_tiles(mode: str) -> None:
    """What a chip with more tiles does."""
    module = built(
        lambda b, x: b("pad", x, before=(0, 2, 1), after=(0, 1, 3), mode=mode),
        kind("bf16", 40, 30, 20),
    )
    assert checked(module, "maia200", whole=True).same()


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("fp32", -3.5), ("fp16", float("-inf")), ("uint8", 200), ("int64", 1 << 40), ("bool", True)],
)
def test_pad_with_a_value(dtype: str, value: float) -> None:
    """Constants of all widths, around something that has to be turned."""

    def body(b: Builder, x: Value) -> Value:
        turned = b("transpose", x, perm=(1, 0))
        return b("pad", turned, b.constant(value, dtype), before=(1, 2), after=(0, 3))

    assert checked(built(body, kind(dtype, 20, 11)), "mini", whole=True).same()


def test_pad_with_what_is_computed_and_of_nothing() -> None:
    """A value that only running gives; a tensor without elements; a pad longer than a start."""

    def body(b: Builder, x: Value, v: Value, e: Value, y: Value) -> list[Value]:
        return [
            b("pad", x, v, before=(1, 2), after=(0, 3)),
            b("pad", e, before=(1, 2), after=(1, 3)),
            b("pad", y, before=(40000,), after=(1,)),
        ]

    kinds = (kind("fp32", 6, 4), kind("fp32"), kind("fp32", 0, 4), kind("int8", 40))
    assert checked(built(body, *kinds), "mini", whole=True).same()


@pytest.mark.parametrize("dtype", ["fp64", "int4", "e2m1"])
def test_refused_by_name(dtype: str) -> None:
    """Elements that no word moves one by one."""
    module = built(lambda b, x: b("concat", x, x, axis=0), kind(dtype, 4, 6))
    with pytest.raises(IRError) as refusal:
        checked(module, "mini", {"x0": np.zeros((4, 6), kind(dtype).element.numpy)})
    assert refusal.value.code == "E1505"
