"""The native language: what it refuses, and what is in a module."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from maiacc_sim.native.lang.dispatch import by_number
from maiacc_sim.native.lang.functions import given, native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.lang.operations import atomic_add, sqrt
from maiacc_sim.native.lang.translate import TranslationError, translate
from maiacc_sim.native.toolchain.objects import compile_text
from native import lang_numbers, lang_refused


@pytest.mark.parametrize("name", lang_refused.refused())
def test_what_is_not_native_is_refused_with_its_line(name: str) -> None:
    function = lang_refused.refused()[name]
    lines, first = inspect.getsourcelines(function.python)
    line = next(first + n for n, text in enumerate(lines) if text.rstrip().endswith("# refused"))
    with pytest.raises(TranslationError) as problem:
        translate([function])
    assert str(problem.value).startswith(f"{Path(lang_refused.__file__)}:{line}: ")


def test_a_function_may_not_end_without_its_result() -> None:
    @native()  # noqa: RET503
    def open_end(a: i64) -> i64:  # type: ignore[return]
        """Gives nothing for 0."""
        if a:
            return 1

    with pytest.raises(TranslationError, match="may end without a result"):
        translate([open_end])


def test_two_functions_of_one_name_are_refused() -> None:
    @native(name="ones")
    def other(x: i64) -> i64:
        """Not the one of the samples."""
        return x

    with pytest.raises(TranslationError, match="two functions are called mist_ones"):
        translate([lang_numbers.ones, other])


def test_only_native_functions_have_numbers() -> None:
    @given(by_number({1: abs}))
    def wrong(number: i64, x: i64) -> i64:
        """Names a function of Python."""
        raise NotImplementedError

    with pytest.raises(AssertionError):
        translate([wrong])


def test_native_functions_are_not_executed_by_python() -> None:
    functions: list[Any] = [lang_numbers.ones, lang_numbers.arithmetic]
    for function in functions:
        with pytest.raises(TypeError, match="native"):
            function(1)
    operations: list[tuple[Any, int]] = [(sqrt, 1), (atomic_add, 3)]
    for operation, count in operations:
        with pytest.raises(TypeError, match="translated"):
            operation(*range(count))


def test_text_that_llvm_refuses_is_no_code() -> None:
    with pytest.raises(RuntimeError):
        compile_text("define i64 @f() { ret i32 0 }")


def test_what_nobody_calls_is_not_in_the_module() -> None:
    text = translate([lang_numbers.dispatch]).text()
    assert "@mist_ones(" in text
    assert "@mist_note(" not in text
    assert text.count("define internal") == 3
    assert " fast " not in text
