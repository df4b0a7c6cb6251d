"""Functions that are not native; the line that says so ends in ``# refused``."""

from __future__ import annotations

from typing import Any

from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, f32, f32x16, i64
from maiacc_sim.native.lang.operations import atomic_load, unrolled
from native.lang_memory import Inner, Outer
from native.lang_numbers import ones


@native()
def integer_quotient(a: i64) -> i64:
    """Integers have no true division."""
    return a / 2  # type: ignore[return-value]  # refused


@native()
def float_remainder(x: Array[f32]) -> i64:
    """Floats have no remainder."""
    x[0] = x[0] % x[1]  # refused
    return 0


@native()
def mixed(a: i64, x: Array[f32]) -> i64:
    """Integers become floats by ``convert`` only."""
    x[0] = x[0] + a  # refused
    return 0


@native()
def integer_into_float(a: i64, x: Array[f32]) -> i64:
    """Nor by being stored."""
    x[0] = a  # refused
    return 0


@native()
def other_type(a: i64, x: Array[f32]) -> i64:
    """A variable keeps its type."""
    b = a
    b = x[0]  # type: ignore[assignment]  # refused
    return a + b


@native()
def unknown(a: i64) -> i64:
    """A name that means nothing."""
    return a + nothing_of_this_name  # type: ignore[name-defined, no-any-return]  # noqa: F821  # refused


@native()
def no_field(o: Outer) -> i64:
    """A field that is not there."""
    return o.nothing  # type: ignore[attr-defined, no-any-return]  # refused


@native()
def field_of_number(a: i64) -> i64:
    """A number has no fields."""
    return a.x  # type: ignore[attr-defined, no-any-return]  # refused


@native()
def element_of_number(a: i64) -> i64:
    """A number has no elements."""
    return a[0]  # type: ignore[index, no-any-return]  # refused


@native()
def python_function(a: i64) -> i64:
    """Functions of Python cannot be called."""
    return abs(a)  # refused


@native()
def too_few(a: i64) -> i64:
    """A native function wants all of its arguments."""
    return ones() + a  # type: ignore[call-arg]  # refused


@native()
def wrong_argument(x: Array[f32]) -> i64:
    """A native function wants the types it says."""
    return ones(x[0])  # type: ignore[arg-type]  # refused


@native()
def by_name(a: i64) -> i64:
    """Arguments have no names."""
    return ones(x=a)  # refused


@native()
def a_list(a: i64) -> i64:
    """There are no lists."""
    b = [a]  # refused
    return b[0]


@native()
def a_comprehension(a: i64) -> i64:
    """Nor comprehensions."""
    return sum(i for i in range(a))  # refused


@native()
def a_lambda(a: i64) -> i64:
    """Nor functions inside."""
    f = lambda: a  # noqa: E731  # refused
    return f()  # type: ignore[no-untyped-call]


@native()
def two_targets(a: i64) -> i64:
    """One variable at a time."""
    b, c = a, a  # refused
    return b + c


@native()
def over_an_array(x: Array[i64]) -> i64:
    """Loops count."""
    for y in x:  # type: ignore[attr-defined]  # refused
        return y  # type: ignore[no-any-return]
    return 0


@native()
def step_of_variable(a: i64) -> i64:
    """By a constant."""
    total = 0
    for i in range(0, 10, a):  # refused
        total += i
    return total


@native()
def loop_with_else(a: i64) -> i64:
    """And have no else."""
    for i in range(a):  # refused
        a += i
    else:
        a = 0
    return a


@native()
def changed_turn(a: i64) -> i64:
    """The counter of an unrolled loop is a constant."""
    for i in unrolled(3):
        i += a  # refused
    return a


@native()
def guarded(a: i64) -> i64:
    """Cases have no guards."""
    match a:  # refused
        case 1 if a > 0:
            return 1
    return 0


@native()
def case_of_variable(a: i64) -> i64:
    """Cases are constants."""
    match a:  # refused
        case [1, 2]:
            return 1  # type: ignore[unreachable]
    return 0


@native()
def trying(a: i64) -> i64:
    """Nothing is caught."""
    try:  # refused
        return a
    finally:
        pass


@native()
def raising(a: i64) -> i64:
    """Nothing is raised."""
    if a:
        raise ValueError  # refused
    return 0


@native()
def asserting(a: i64) -> i64:
    """Nothing is asserted."""
    assert a  # refused
    return 0


@native()
def no_value(a: i64) -> i64:
    """A variable needs a value."""
    b: i64  # refused
    b = a
    return b + 1


@native()
def without_result(a: i64) -> i64:
    """A function with a result gives one."""
    if a:
        return None  # type: ignore[return-value]  # refused
    return 1


@native()
def with_result(a: i64) -> None:
    """A function without one gives none."""
    return a  # type: ignore[return-value]  # refused


@native()
def wrong_result(x: Array[f32]) -> i64:
    """Of its own type."""
    return x[0]  # type: ignore[return-value]  # refused


@native()
def float_condition(x: Array[f32]) -> i64:
    """Floats are no conditions."""
    if x[0]:  # refused
        return 1
    return 0


@native()
def text(a: i64) -> i64:
    """There are no strings."""
    b = "a"  # refused
    return a + len(b)


@native()
def narrow_atomic(x: Array[f32]) -> i64:
    """Atomic cells have 64 bits."""
    return atomic_load(x, 0)  # type: ignore[arg-type]  # refused


@native()
def wrong_vector(x: Array[i64]) -> i64:
    """A vector lies in an array of its elements."""
    f32x16.load(x).store(x)  # refused
    return 0


@native()
def difference_of_addresses(x: Array[i64]) -> i64:
    """Addresses can only be added to."""
    y = x - 1  # type: ignore[operator]  # refused
    return y[0]  # type: ignore[index, no-any-return]


@native()
def constant_chain(a: i64) -> i64:
    """A chain of comparisons compares values."""
    if 0 < 1 < a:  # refused
        return 1
    return 0


@native()
def whole_record(o: Outer, i: Inner) -> i64:
    """Records are not copied."""
    o.inner = i  # refused
    return 0


@native()
def slices(x: Array[i64]) -> i64:
    """Elements are taken one by one."""
    return x[0:2][0]  # type: ignore[index, no-any-return]  # refused


def refused() -> dict[str, Any]:
    """All of these, by name."""
    found = {name: value for name, value in globals().items() if hasattr(value, "symbol")}
    return {name: value for name, value in found.items() if value.python.__module__ == __name__}
