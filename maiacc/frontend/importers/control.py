"""If and Loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maiacc.frontend.bodies import HINT, TURNS, Trial, body_of, changing, joined
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Region, Value
from maiacc_passes.ir.table import region_types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.weights import Array

#: What a trip count is that is not given.
ENDLESS = (1 << 63) - 1


# ---- If -------------------------------------------------------------------------------------
@importer("If")
def conditional(node: Node) -> Sequence[Value | None]:
    condition = _known_scalar(node, 0)
    if condition is not None:
        name = "then_branch" if condition.reshape(-1)[:1].all() else "else_branch"
        return node.importing.inline(node.get_graph(name), node.scope, ())
    then, other = node.region("then_branch"), node.region("else_branch")
    for number, (a, b) in enumerate(zip(region_types(then), region_types(other), strict=False)):
        if a is not b:
            node.unsupported(
                f"output {number} is {a} in one branch and {b} in the other, and which is taken "
                "is only known at run time",
                "bind what the condition depends on, or pad to one shape",
            )
    return node.b.many("if", _scalar(node, node.input(0)), regions=(then, other))


def _known_scalar(node: Node, index: int) -> Array | None:
    """An input of one element, if it is known."""
    array = node.known(index)
    if array is not None:
        _check_one(node, node.type(index))
    return array


def _check_one(node: Node, kind: Type) -> None:
    if kind.size != 1:
        node.fail("E1304", "an input", expected="one element", found=str(kind))


def _scalar(node: Node, value: Value) -> Value:
    _check_one(node, value.type)
    return value if not value.type.rank else node.b("reshape", value, shape=())


# ---- Loop -----------------------------------------------------------------------------------
@dataclass
class _Loop:
    """What is known of a loop. ``trip`` is None if it is only known at run time, and so is
    ``start``, whether it begins at all."""

    node: Node
    trip: int | None
    start: bool | None
    carried: list[Value]
    names: list[str]

    @property
    def most(self) -> int:
        """The most turns that it can take."""
        return ENDLESS if self.trip is None else max(self.trip, 0)

    @property
    def never(self) -> bool:
        """Whether it is known to take no turn."""
        return self.start is False or self.most == 0


@importer("Loop")
def loop(node: Node) -> Sequence[Value | None]:
    trip, start = _known_scalar(node, 0), _known_scalar(node, 1)
    turns = ENDLESS if node.optional(0) is None else None
    begins = True if node.optional(1) is None else None
    body = node.get_graph("body")
    known = _Loop(
        node,
        turns if trip is None else int(trip.reshape(-1)[0]),
        begins if start is None else bool(start.reshape(-1)[0]),
        [node.input(i) for i in range(2, len(node.inputs))],
        [info.name for info in body.input[2:]],
    )
    if len(body.output) <= len(known.carried):
        node.fail(
            "E1302",
            "the body hands out too little",
            expected=f"{len(known.carried) + 1} values at least",
            found=str(len(body.output)),
        )
    types = [tensor("int64"), tensor("bool"), *(value.type for value in known.carried)]
    trial = body_of(node, types)
    after = region_types(trial.region)
    if after and after[0].dtype != "bool":
        node.fail("E1304", "whether its body goes on", expected="a bool", found=str(after[0]))
    why = changing(known.names, types[2:], after[1:])
    if known.never and not trial.problems:
        return _no_turns(known, trial, after)
    endless = not trial.problems and _goes_on(node, trial.region)
    ends = not endless and known.start is True and known.trip is not None
    if trial.problems or why or ends:
        found = _unrolled(known, why, trial)
        if found is not None:
            trial.drop()
            return found
    return _looped(known, trial.region, endless)


def _goes_on(node: Node, region: Region) -> bool:
    """Whether a body never ends its loop."""
    condition = region.outputs[0]
    if condition is region.params[1]:
        return True
    known = None if condition is None else node.importing.known(condition)
    return known is not None and bool(known.all())


def _no_turns(known: _Loop, trial: Trial, after: Sequence[Type]) -> list[Value]:
    trial.drop()
    scans = after[1 + len(known.carried) :]
    b = known.node.b
    empty = [b.splat(0, tensor(kind.dtype, (0, *kind.shape))) for kind in scans]
    return [*known.carried, *empty]


def _looped(known: _Loop, region: Region, endless: bool) -> list[Value]:
    """The op ``loop``, whose shapes are the same from turn to turn."""
    node, b = known.node, known.node.b
    stacks = len(region.outputs) - 1 - len(known.carried)
    if stacks and known.most == ENDLESS:
        if known.trip is None:
            node.needs_value(0, "how long its outputs are")
        node.unsupported("nothing says how many turns it takes at most, and its outputs grow", HINT)
    exact = endless and known.start is True and known.trip is not None
    symbol = "" if exact or not stacks else b.module.add_bound(known.most)
    if endless and region.last is not None:
        region.last.set_operands((b.constant(True, "bool"), *region.outputs[1:]))
    trip = node.optional(0)
    start = node.optional(1) if known.start is None else None
    found = b.many(
        "loop",
        None if trip is None else _scalar(node, trip),
        None if start is None else _scalar(node, start),
        *known.carried,
        most=known.most,
        symbol=symbol,
        regions=(region,),
    )
    return found[: len(known.carried) + stacks]


def _unrolled(known: _Loop, why: str, first: Trial) -> list[Value] | None:
    """The outputs of a loop, turn by turn; None if that cannot be, and need not be, because it is
    neither said ``why`` a region cannot be its body, nor ``first`` had problems as one."""
    node, required = known.node, bool(why or first.problems)
    if required and known.trip is None:
        node.needs_value(0, "how often its body is repeated")
    if required and known.start is None:
        node.needs_value(1, "whether its body is run at all")
    trial = Trial(node, Region())
    found = _turns(known, trial)
    if isinstance(found, str):
        trial.drop()
        if required:
            trial.report()
            first.report()
            node.unsupported(f"{why}, and {found}", HINT)
        return None
    if known.never:
        first.report()
    trial.keep()
    carried, stacks = found
    return [*carried, *(joined(node, stack, 0) for stack in stacks)]


def _turns(known: _Loop, trial: Trial) -> tuple[list[Value], list[list[Value]]] | str:
    """The last carried values and the outputs of all turns; or why these cannot be imported."""
    node, graph, count = known.node, known.node.get_graph("body"), len(known.carried)
    carried = known.carried
    stacks: list[list[Value]] = [[] for _ in graph.output[1 + count :]]
    turn, going = 0, not known.never
    while going and turn < known.most:
        if turn == TURNS:
            return f"it takes more than {TURNS} turns"
        arguments = [node.b.constant(turn, "int64"), node.b.constant(True, "bool"), *carried]
        outputs = trial.inline(graph, arguments)
        if outputs is None:
            return "its body cannot be imported"
        carried = outputs[1 : 1 + count]
        for stack, value in zip(stacks, outputs[1 + count :], strict=True):
            stack.append(value)
        turn += 1
        condition = node.importing.known(outputs[0])
        if condition is None and turn < known.most:
            return "when it ends is only known at run time"
        going = condition is None or bool(condition.all())
    return carried, stacks
