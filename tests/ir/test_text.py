"""The text of modules: what is printed is read again to the bit, by two readers alike."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import GOLDEN, Golden
from ir.mutate_text import mutated
from ir.random_graphs import random_inputs, random_module
from ir.rows import raw
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.grammar import read_module
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.types import ELEMENTS, tensor
from maiacc_passes.ir.verify import verify
from maiacc_passes.ir.weights import Bytes, Data, Lazy, Missing, Splat

SAMPLES = sorted((GOLDEN / "ir").glob("*.ir"))
READERS = (parse_module, read_module)
Reader = Callable[[str], Module]


def outcome(read: Reader, text: str) -> str | None:
    """What is printed from a text, or nothing if it is refused, with the line."""
    try:
        module = read(text)
    except IRError as problem:
        assert problem.line is not None, str(problem)
        return None
    verify(module)
    return print_module(module)


# ---- round trips ----------------------------------------------------------------------------
@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_printed_as_they_were_read(path: Path, read: Reader, golden: Golden) -> None:
    module = read(path.read_text("utf-8"))
    verify(module)
    golden(f"ir/{path.name}", print_module(module))


@pytest.mark.parametrize("seed", range(25))
def test_random_modules_are_read_as_they_were(seed: int) -> None:
    module = random_module(seed, 25)
    verify(module)
    text = print_module(module)
    again = parse_module(text)
    verify(again)
    assert print_module(again) == text
    assert print_module(read_module(text)) == text


@pytest.mark.parametrize("seed", range(8))
def test_what_is_read_computes_the_same(seed: int) -> None:
    module = random_module(seed, 25)
    data = {
        w.source.digest: w.source.value
        for w in module.weights.values()
        if isinstance(w.source, Data)
    }
    again = parse_module(print_module(module), data)
    inputs = random_inputs(module, seed)
    one, two = evaluate(module, inputs), evaluate(again, inputs)
    assert list(one) == list(two)
    for name in one:
        assert raw(one[name]) == raw(two[name])


def test_random_modules_have_all_rows() -> None:
    found = {op.name for seed in range(120) for op in random_module(seed, 40).main.walk()}
    assert found == set(OPS)


@pytest.mark.parametrize("seed", range(6))
def test_random_modules_are_the_same_for_a_seed(seed: int) -> None:
    assert print_module(random_module(seed, 20)) == print_module(random_module(seed, 20))


# ---- two readers ----------------------------------------------------------------------------
TEXTS = [path.read_text("utf-8") for path in SAMPLES]


def differences(text: str, rounds: int, seed: int) -> int:
    """Checks that both readers take the same texts, and give the same; how many they take."""
    rng = random.Random(seed)
    taken = 0
    for _ in range(rounds):
        near = mutated(text, rng)
        one, two = outcome(parse_module, near), outcome(read_module, near)
        assert one == two, near
        taken += one is not None
    return taken


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_readers_agree_on_changed_samples(number: int) -> None:
    taken = differences(TEXTS[number], 60, number)
    assert 0 < taken < 60


@pytest.mark.parametrize("seed", range(12))
def test_readers_agree_on_changed_random_texts(seed: int) -> None:
    differences(print_module(random_module(seed, 6)), 30, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(100))
def test_readers_agree_on_many_texts(seed: int) -> None:
    differences(print_module(random_module(seed, 12)), 1000, seed)
    differences(TEXTS[seed % len(TEXTS)], 500, seed)


LOOSE = """
# A comment, then a blank line.

\tir 1   graph # stage
weight@w:fp32[ 2 ]=inline[1.0,2e0] # "
bound~n:4
graph(%in:fp32[2]"x" , %r : fp32[4 ~n ] "r")->("y","r"){
%_A = cvt( %in ){to="bf16" , round=rne,saturate = true}:bf16[2]!007
  return(%_A,%r)!7 # end
}
loc!7=["n"]""
loc!007=["m"]"#"
"""


@pytest.mark.parametrize("read", READERS)
def test_words_may_stand_apart_and_names_are_free(read: Reader) -> None:
    assert print_module(read(LOOSE)) == (
        "ir 1 graph\nweight @w : fp32[2] = inline [1.0, 2.0]\nbound ~n : 4\n"
        'graph (%0: fp32[2] "x", %1: fp32[4~n] "r") -> ("y", "r") {\n'
        "  %2 = cvt(%0) {to=bf16} : bf16[2] !1\n  return(%2, %1) !2\n}\n"
        'loc !1 = ["m"] "#"\nloc !2 = ["n"]\n'
    )


# ---- elements -------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [e.name for e in ELEMENTS.values() if e.bits <= 16])
def test_every_element_is_exact(name: str) -> None:
    element = ELEMENTS[name]
    size = 16 if element.bits == 4 else 2 if name == "bool" else 1 << element.bits
    codes = np.arange(size).astype(f"u{element.numpy.itemsize}")
    if element.bits == 4 and element.kind == "int":
        codes = np.where(codes > 7, codes | 0xF0, codes).astype(np.uint8)
    check_exact(codes[:: max(size // 512, 1)], name)


@pytest.mark.parametrize("name", ["fp32", "fp64", "int64", "uint64"])
def test_wide_elements_are_exact(name: str) -> None:
    bits = ELEMENTS[name].bits
    rng = np.random.default_rng(5)
    codes = rng.integers(0, (1 << bits) - 1, 600, f"u{bits // 8}", endpoint=True)
    one = np.ones((), codes.dtype)
    near = one << np.arange(bits, dtype=codes.dtype)
    check_exact(np.concatenate([codes, near, near - one, ~near]), name)


def check_exact(codes: np.ndarray[tuple[int], np.dtype[np.unsignedinteger]], name: str) -> None:
    """Checks that elements with some bits are the same when they were read again."""
    module = Module()
    array = codes.view(ELEMENTS[name].numpy)
    for start in range(0, array.size, 16):
        part = array[start : start + 16]
        module.add_weight("w", tensor(name, part.shape), Data(part))
        module.add_weight("s", tensor(name, (3,)), Splat(part[0:1].reshape(())))
    finish(Builder(module), ())
    text = print_module(module)
    again = parse_module(text)
    assert print_module(again) == text
    for one, two in zip(module.weights.values(), again.weights.values(), strict=True):
        assert raw(one.source.array(one.type)) == raw(two.source.array(two.type))


def test_fp32_has_the_fewest_digits() -> None:
    values = np.array([0.1, 1e-45, 3.4028235e38, 1e16, 123456.78, 1 / 3, 16777216.0], np.float32)
    module = Module()
    module.add_weight("w", tensor("fp32", (7,)), Data(values))
    text = print_module_of(module)
    assert "[0.1, 1e-45, 3.4028235e+38, 1e+16, 123456.78, 0.33333334, 16777216.0]" in text


def print_module_of(module: Module) -> str:
    """The text of a module that has weights only."""
    finish(Builder(module), ())
    return print_module(module)


def test_sources_of_weights() -> None:
    module = Module()
    large = np.arange(17, dtype=np.int8)
    module.add_weight("a b", tensor("int8", (17,)), Data(large))
    module.add_weight("9", tensor("int8", (3,)), Bytes("m.data", 7, 3))
    module.add_weight("lazy", tensor("int8", (3,)), Lazy("blk.0", lambda: large[:3]))
    module.add_weight("gone", tensor("int8", (3,)), Missing("00ff"))
    text = print_module_of(module)
    digest = Data(large).digest
    assert text.split("\n")[1:5] == [
        f'weight @a_b : int8[17] = data "{digest}"',
        'weight @w9 : int8[3] = file "m.data" 7 3',
        'weight @lazy : int8[3] = data "blk.0"',
        'weight @gone : int8[3] = data "00ff"',
    ]
    again = parse_module(text)
    assert isinstance(again.weights["a_b"].source, Missing)
    data = {digest: large.view(np.uint8), "blk.0": large[4:7]}
    again = parse_module(text, data)
    assert print_module(again) == text
    assert again.weights["a_b"].source.array(tensor("int8", (17,))).tolist() == large.tolist()
    assert again.weights["lazy"].source.array(tensor("int8", (3,))).tolist() == [4, 5, 6]
    for wrong, code in ((large[::-1], "E1405"), (large[1:], "E1404")):
        with pytest.raises(IRError) as caught:
            parse_module(text, {digest: wrong})
        assert (caught.value.code, caught.value.line) == (code, 2)
