"""Texts that are refused: what the message says, limits, and texts meant to take long."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.grammar import read_module
from maiacc_passes.ir.graph import Location, Module, Region
from maiacc_passes.ir.limits import DEPTH, LINE
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.printer import excerpt, print_module, print_op
from maiacc_passes.ir.types import tensor
from maiacc_passes.ir.verify import verify

READERS = (parse_module, read_module)
Reader = Callable[[str], Module]

GRAPH = 'graph (%0: fp32[2] "x", %c: bool[] "c") -> ("y") {'
TAIL = ("  return(%0)", "}")


def text_of(*lines: str, head: Sequence[str] = (), tail: Sequence[str] = TAIL) -> str:
    """A text with some lines in front of the graph, in it, and at the end."""
    return "\n".join(["ir 1 graph", *head, GRAPH, *lines, *tail]) + "\n"


def refusal(text: str, read: Reader = parse_module) -> IRError:
    """How a text is refused."""
    with pytest.raises(IRError) as caught:
        read(text)
    return caught.value


#: Texts, the line at fault, the code, and what the line parser's message has.
REFUSED = [
    ("", 1, "E1404", "ends too early"),
    ("ir 2 graph\n", 1, "E1404", "expected 1; found 2"),
    ("ir 1 kernel\n", 1, "E1404", "expected graph; found kernel"),
    ("hello\n", 1, "E1404", "expected ir 1 graph; found hello"),
    ("\ufeffir 1 graph\n", 1, "E1404", r"found \ufeffir 1 graph"),
    ("ir 1 graph\r\n", 1, "E1404", r"found ir 1 graph\r"),
    (text_of("  %1 = neg(%0) : fp32[2]", tail=()), 4, "E1404", "ends too early"),
    (text_of("  %1 = ad(%0, %0) : fp32[2]"), 3, "E1404", "did you mean"),
    (text_of("  %1 = neg(%9) : fp32[2]"), 3, "E1404", "not defined before; found %9"),
    (text_of("  %1 = neg(@w) : fp32[2]"), 3, "E1404", "a weight is used"),
    (text_of("  %1 = neg(_) : fp32[2]"), 3, "E1402", "expected x; found none"),
    (text_of("  %1 = neg(x) : fp32[2]"), 3, "E1404", "no operand; expected %value"),
    (text_of("  %1 = add(%0,, %0) : fp32[2]"), 3, "E1404", "no operand"),
    (text_of("  %0 = neg(%0) : fp32[2]"), 3, "E1404", "defined twice; found %0"),
    (text_of("  %1, %1 = sort(%0) {axis=0} : fp32[2], int64[2]"), 3, "E1404", "defined twice"),
    (text_of("  %1 = neg(%0) : fp32[3]"), 3, "E1404", "expected fp32[2]; found fp32[3]"),
    (text_of("  %1 = neg(%0)"), 3, "E1404", "expected fp32[2]; found none"),
    (text_of("  neg(%0) : fp32[2]"), 3, "E1404", "expected 1; found 0"),
    (text_of("  %1 = neg(%0) : fp23[2]"), 3, "E1404", "did you mean fp32?"),
    (text_of("  %1 = neg(%0) : fp32[2~n]"), 3, "E1404", "~n has no bound"),
    (text_of("  %1 = neg(%0) : fp32[-2]"), 3, "E1404", "expected 12 or 12~n0"),
    (text_of("  %1 = neg(%0) : fp32[99999999999999]"), 3, "E1404", "larger than"),
    (text_of(f"  %1 = neg(%0) : fp32[{'9' * 30}]"), 3, "E1404", "no integer of 64 bits"),
    (text_of(f"  %1 = neg(%0) : fp32[{', '.join('1' * 33)}]"), 3, "E1404", "more than 32 axes"),
    (text_of("  %1 = neg(%0) {a=1} : fp32[2]"), 3, "E1401", "has no attribute a"),
    (text_of("  %1 = sort(%0) {axis=0, axis=0} : fp32[2]"), 3, "E1404", "given twice"),
    (text_of("  %1 = sort(%0) {axis=0.0} : fp32[2]"), 3, "E1401", "expected int; found 0.0"),
    (text_of("  %1 = sort(%0) : fp32[2]"), 3, "E1401", "needs the attribute axis"),
    (text_of("  %1 = sort(%0) {axis=1} : fp32[2]"), 3, "E1403", "there is no axis 1"),
    (text_of("  %1 = sort(%0) {axis=1e999} : fp32[2]"), 3, "E1404", "too large"),
    (text_of('  %1 = cvt(%0) {to="\\q"} : fp32[2]'), 3, "E1404", "escape"),
    (text_of("  %1 = sort(%0) {axis} : fp32[2]"), 3, "E1404", "expected name=value"),
    (text_of("  %1 = sort(%0) {} : fp32[2]"), 3, "E1404", "no attributes"),
    (text_of("  %1 = neg %0 : fp32[2]"), 3, "E1404", "expected (%value, @weight, _)"),
    (text_of("  %1 = neg(%0) : fp32[2] extra"), 3, "E1404", "no types"),
    (text_of("  %1 = neg(%0) : fp32[2] !3"), 3, "E1404", "location is not defined; found !3"),
    (text_of("  yield(%0)"), 3, "E1404", "expected return; found yield"),
    (text_of("  return(%0)"), 4, "E1404", "an op behind return"),
    (text_of("  return(%0, %0)", tail="}"), 3, "E1404", "expected 1; found 2"),
    (text_of(tail="}"), 3, "E1404", "no end; expected return"),
    (text_of("  } () {"), 3, "E1404", "belongs to no op"),
    (text_of("  %1 = if(%c) : fp32[2] () {", "  return(%0)"), 4, "E1404", "expected yield"),
    (
        text_of("  if(%c) () {", "  %1 = neg(%0) : fp32[2]", "  yield()", "  } () {", "  yield()",
                "  }", "  %2 = neg(%1) : fp32[2]"),
        9, "E1404", "used where it does not exist",
    ),
    (
        text_of("  %1 = if(%c) : fp32[2] () {", "  yield(%0)", "  } () {", "  yield(%1)", "  }"),
        6, "E1404", "used where it does not exist",
    ),
    (text_of("  if(%c) () {", "  yield()", "  }"), 3, "E1402", "regions of if; expected 2"),
    (text_of("  if(%c) (%0: fp32[2]) {", "  yield()", "  }"), 3, "E1404", "defined twice"),
    (text_of("  if(%c) () ", "  yield()", "  }"), 3, "E1404", "no region; expected"),
    (text_of(head=["weight @w : fp32[2] = inline [1.0]"]), 2, "E1404", "expected 2 for fp32[2]"),
    (text_of(head=["weight @w : fp32[1] = inline [1]"]), 2, "E1404", "number of fp32; found 1"),
    (text_of(head=["weight @w : int8[1] = inline [128]"]), 2, "E1404", "integer of int8"),
    (text_of(head=["weight @w : int8[1] = inline [true]"]), 2, "E1404", "integer of int8"),
    (text_of(head=["weight @w : bool[1] = inline [1]"]), 2, "E1404", "truth value of bool"),
    (text_of(head=["weight @w : e4m3[] = splat inf"]), 2, "E1404", "number of e4m3; found inf"),
    (text_of(head=["weight @w : fp32[] = splat 0x7fc0"]), 2, "E1404", "number of fp32"),
    (text_of(head=["weight @w : e2m1[] = splat 0xff"]), 2, "E1404", "number of e2m1"),
    (text_of(head=['weight @w : int4[3] = file "f" 0 3']), 2, "E1404", "2 bytes for int4[3]"),
    (text_of(head=['weight @w : int8[3] = file "f" -1 3']), 2, "E1404", "found -1 3"),
    (text_of(head=["weight @w : int8[3] = text"]), 2, "E1404", "not understood"),
    (text_of(head=["weight @1 : int8[] = splat 1"]), 2, "E1404", "not understood"),
    (text_of(head=["weight @w : int8[] = splat 1"] * 2), 3, "E1404", "defined twice; found @w"),
    (text_of(head=["bound ~n : 1"] * 2), 3, "E1404", "defined twice; found ~n"),
    (text_of(head=["bound ~n : -1"]), 2, "E1404", "negative"),
    (text_of("loc !1 = []"), 3, "E1404", "this op is not understood"),
    (text_of(tail=[*TAIL, "loc !1 = [a]"]), 5, "E1404", "names are strings"),
    (text_of(tail=[*TAIL, "loc !1 = []", "loc !1 = []"]), 6, "E1404", "defined twice; found !1"),
    (text_of(tail=[*TAIL, "weight @w : int8[] = splat 1"]), 5, "E1404", "or the end"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "code", "part"), REFUSED)
def test_refused(text: str, line: int, code: str, part: str) -> None:
    problem = refusal(text)
    assert (problem.code, problem.line) == (code, line), str(problem)
    assert part in str(problem)
    assert refusal(text, read_module).line is not None


def test_two_outputs_with_one_name() -> None:
    text = text_of().replace('("y")', '("y", "y")')
    for read in READERS:
        assert refusal(text, read).line == 2


# ---- limits ---------------------------------------------------------------------------------
def nested(depth: int) -> str:
    """A text with regions inside one another."""
    lines = []
    for level in range(depth):
        lines += [f"%a{level} = if(%c) : fp32[2] () {{", "yield(%0)", "} () {"]
    for level in range(depth):
        lines += ["yield(%0)" if level == 0 else f"yield(%a{depth - level})", "}"]
    return text_of(*lines)


@pytest.mark.parametrize("read", READERS)
def test_nesting(read: Reader) -> None:
    module = read(nested(DEPTH))
    verify(module)
    assert print_module(read(print_module(module))) == print_module(module)
    for depth in (DEPTH + 1, 1500):
        problem = refusal(nested(depth), read)
        assert "nested too deeply" in str(problem)
        assert problem.line == 3 + 3 * DEPTH


@pytest.mark.parametrize("read", READERS)
def test_long_lines(read: Reader) -> None:
    text = text_of()
    assert read(text.replace("ir 1", f"ir{' ' * (LINE - 10)} 1"))
    assert refusal(text.replace("ir 1", f"ir{' ' * LINE} 1"), read).line == 1


UNITS = [
    *' \t([{%"\\,]:=-~!#_1',
    '"\\',
    '"#',
    ", ",
    "%a,",
    "_,",
    "a=",
    "[1,",
    "{a=[",
    '"",',
    "a[],",
]


@pytest.mark.parametrize("unit", UNITS)
def test_no_line_takes_longer_than_its_length_says(unit: str) -> None:
    # A pattern that goes back would take hours for one of these.
    many = unit * ((LINE - 100) // len(unit))
    head = text_of(tail=())
    for begin in (
        "", "  ", "  %1 = ", "  %1", "  %1 = add(%0", "  %1 = loop(", "  %1 = neg(%0) {a=",
        "  %1 = neg(%0) {a=[", "  %1 = neg(%0) : ", "  if(%0) (", "  } (",
    ):  # fmt: skip
        refusal(f"{head}{begin}{many}")
    for begin in ("weight ", "weight @w : ", "weight @w : fp32[1] = inline [", "graph ("):
        refusal(f"ir 1 graph\n{begin}{many}")
    refusal(f"{text_of()}loc !1 = [{many}!")


# ---- ops in messages ------------------------------------------------------------------------
def sample() -> Module:
    """A module of a few ops."""
    module = Module()
    x, c = module.add_input("x", tensor("fp32", (2,))), module.add_input("c", tensor("bool"))
    b = Builder(module, location=Location(("Neg_0",)))
    y = b("cvt", b("neg", x), to="bf16")
    then, other = Region(), Region()
    with b.inside(then):
        finish(b, [b("neg", y)], "yield")
    with b.inside(other):
        finish(b, [y], "yield")
    z = b("if", c, regions=[then, other])
    z = b("neg", b("clamp", z, None, z))
    finish(b, [z])
    module.outputs = ["y"]
    return module


def test_an_op_between_its_neighbours() -> None:
    module = sample()
    verify(module)
    ops = list(module.main)
    lines = print_module(module).split("\n")
    assert excerpt(ops[2]).split("\n") == [
        "  %2 = neg(%0) : fp32[2]",
        "  %3 = cvt(%2) {to=bf16} : bf16[2]",
        "> %4 = if(%1) : bf16[2] () {...} () {...}",
        "  %6 = clamp(%4, _, %4) : bf16[2]",
        "  %7 = neg(%6) : bf16[2]",
    ]
    assert any(line.startswith("  %6 = clamp(%4, _, %4) : bf16[2]") for line in lines)
    inner = ops[2].regions[0].first
    assert inner is not None
    assert excerpt(inner).split("\n")[0] == "> %5 = neg(%3) : bf16[2]"
    assert excerpt(ops[-1]).split("\n")[-1] == "> return(%7)"
    assert print_op(ops[1]) == "%? = cvt(%?) {to=bf16} : bf16[2]"


def test_an_op_that_no_row_allows_is_shown() -> None:
    op = sample().main.first
    assert op is not None
    op.attrs = {"what": {1: 2}, "b": (True, 1.0, "a b")}
    assert print_op(op) == '%? = neg(%?) {what="{1: 2}", b=[true, 1.0, "a b"]} : fp32[2]'
    op.next = op
    op.previous = op
    assert excerpt(op).count("neg") >= 1
