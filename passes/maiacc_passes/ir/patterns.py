"""Patterns of the lines of a text.

All of them move forward only, so that no line takes more time than its length says.
"""

from __future__ import annotations

import re

_S = r"[ \t]*+"
_NAME = r"[a-z_][a-z0-9_.]*+"
_VALUE = r"%[A-Za-z0-9_]++"
_STRING = r'"(?:[^"\\\x00-\x1f]|\\.)*+"'


def _but(characters: str) -> str:
    """Anything but some characters, which may stand in strings."""
    plain = f'[^"{re.escape(characters)}]*+'
    return f"{plain}(?:{_STRING}{plain})*+"


_LIST = rf"\[({_but('[]')})\]"

HEADER = re.compile(rf"ir{_S}([0-9]++){_S}({_NAME})")
WEIGHT = re.compile(
    rf"weight{_S}(@[A-Za-z_][A-Za-z0-9_.]*+){_S}:([^=]*+)={_S}(inline|splat|file|data){_S}(.*+)"
)
INLINE = re.compile(_LIST)
SPLAT = re.compile(r"([-+A-Za-z0-9_.]++)")
FILE = re.compile(rf"({_STRING}){_S}(-?[0-9]++){_S}(-?[0-9]++)")
DATA = re.compile(rf"({_STRING})")
FORMS = {"inline": INLINE, "splat": SPLAT, "file": FILE, "data": DATA}
BOUND = re.compile(rf"bound{_S}(~[A-Za-z_][A-Za-z0-9_]*+){_S}:{_S}(-?[0-9]++)")
GRAPH = re.compile(rf"graph{_S}\(({_but('()')})\){_S}->{_S}\(({_but('()')})\){_S}\{{")
LOC = re.compile(rf"loc{_S}(![0-9]++){_S}={_S}{_LIST}{_S}({_STRING})?{_S}({_STRING})?")

_RESULTS = rf"(?:({_VALUE})((?:{_S},{_S}{_VALUE})*+){_S}={_S})?"
_OPERANDS = r'\(([^()"{}]*+)\)'
_ATTRS = rf"(?:\{{({_but('{}')})\}})?"
_TYPES = r'(?::([^!(){}"]*+))?'
OP = re.compile(
    rf"{_RESULTS}({_NAME}){_S}{_OPERANDS}{_S}{_ATTRS}{_S}{_TYPES}(![0-9]++)?{_S}(\(.*+)?"
)
REGION = re.compile(rf'\(([^(){{}}"]*+)\){_S}\{{')
TYPE = re.compile(rf"{_S}({_NAME}){_S}\[([^\[\]]*+)\]{_S}")
DIM = re.compile(rf"{_S}([0-9]++){_S}(~[A-Za-z_][A-Za-z0-9_]*+)?{_S}")
ATTR = re.compile(rf'{_S}({_NAME}){_S}={_S}(?:{_LIST}|({_STRING}|[^,"\[\]]*+)){_S}(,|$)')
ITEM = re.compile(rf'{_S}({_STRING}|[^,"]*+){_S}(,|$)')
PARAM = re.compile(rf"{_S}({_VALUE}){_S}:({_S}{_NAME}{_S}\[[^\[\]]*+\]{_S})({_STRING})?{_S}(,|$)")
CODE = re.compile(r'(?:[^"#]|"(?:[^"\\]|\\.)*+")*+')

#: An op's pieces, to say which one is wrong.
PIECES = (
    (_RESULTS, "%value ="),
    (rf"{_NAME}{_S}", "the name of an op"),
    (rf"{_OPERANDS}{_S}", "(%value, @weight, _)"),
    (rf"{_ATTRS}{_S}", "{attribute=value}"),
    (rf"{_TYPES}(?:![0-9]++)?{_S}", ": type[1, 2] !location"),
)
