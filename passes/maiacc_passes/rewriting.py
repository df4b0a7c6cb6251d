"""Rules that replace an op by other values, and the worklist that applies them until none does.

A rule looks at one op and what makes its operands, and never further than it says. Every rule says
what it keeps: ``bit``, all bits of all results (but the sign of a zero and the payload of a NaN),
or ``bound``, results up to rounding.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Location, Module, Op, Value

#: What takes the place of an op's results: values, one value, or None to leave the op alone.
Replacement = Value | Sequence[Value] | None

#: Rewrites for each op of a module before the rules are said to go round in circles.
PATIENCE = 50


@dataclass(frozen=True)
class Rule:
    """Ops it looks at, what it does to one, and what that keeps."""

    name: str
    ops: tuple[str, ...]
    apply: Callable[[Op, Builder], Replacement]
    keeps: str = "bit"


def by_op(rules: Iterable[Rule]) -> dict[str, list[Rule]]:
    """Rules by the ops they look at, in their order."""
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        for name in rule.ops:
            found.setdefault(name, []).append(rule)
    return found


def rewrite(module: Module, rules: Mapping[str, Sequence[Rule]]) -> dict[str, int]:
    """Applies rules until none does; how often each did. Raises ``IRError`` E1411 if they go round
    in circles."""
    ops = list(module.main.walk())
    todo = deque(ops)
    waiting = set(ops)
    left = PATIENCE * (len(ops) + 20)
    done: dict[str, int] = {}
    while todo:
        op = todo.popleft()
        waiting.discard(op)
        if op.region is None:
            continue
        for rule in rules.get(op.name, ()):
            touched = _applied(module, op, rule)
            if touched is None:
                continue
            done[rule.name] = done.get(rule.name, 0) + 1
            left -= 1
            if left < 0:
                raise IRError("E1411", f"rewriting does not end; the last rule was {rule.name}")
            for other in touched:
                if other not in waiting and other.region is not None:
                    waiting.add(other)
                    todo.append(other)
            break
    return done


def _applied(module: Module, op: Op, rule: Rule) -> list[Op] | None:
    """Applies a rule to an op; the ops to look at again, or None if it does not apply."""
    region, before = op.region, op.previous
    b = Builder(module, region, op, op.location)
    found = rule.apply(op, b)
    if found is None:
        _undo(op, before)
        return None
    values = [found] if isinstance(found, Value) else list(found)
    users = [user for value in op.results for user in value.uses]
    makers = [x.op for x in op.operands if x is not None and x.op is not None]
    nodes = op.location
    op.replace(values)
    new: list[Op] = []
    assert region is not None
    at = region.first if before is None else before.next
    while at is not None and at.location is nodes and at not in users:
        new.append(at)
        at = at.next
    gone = [where for maker in makers for where in drop(maker)]
    for one in new:
        for where in gone:
            one.location = where.merged(one.location)
    return [*new, *users, *(maker for maker in makers if maker.region is not None)]


def _undo(op: Op, before: Op | None) -> None:
    """Erases what a rule put in front of an op before it gave up."""
    while op.previous is not before:
        assert op.previous is not None
        op.previous.erase()


def drop(op: Op) -> list[Location]:
    """Erases an op that nobody needs, and what only it needed; where they came from."""
    todo = [op]
    found: list[Location] = []
    while todo:
        at = todo.pop()
        if at.region is None or not at.row.pure or any(value.uses for value in at.results):
            continue
        todo += [x.op for x in at.operands if x is not None and x.op is not None]
        found.append(at.location)
        at.erase()
    return found
