"""The passes in their order, why they stand where they do, and the runner.

The order facts are data, checked when this is imported. One callback sees the module after each
pass: dumps, timing and verification are all of them callbacks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from maiacc_passes.canonicalize import Canonicalize
from maiacc_passes.cleaning import CommonSubexpressions, DeadCode
from maiacc_passes.cloning import Clone
from maiacc_passes.folding import Fold
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module
from maiacc_passes.ordering import Order
from maiacc_passes.recognize import Recognize


class Pass(Protocol):
    """A frozen dataclass whose fields are its options. ``keeps`` is what it promises: ``bit`` or
    ``bound``."""

    name: ClassVar[str]
    keeps: ClassVar[str]

    def run(self, module: Module) -> int:
        """Changes the module; how many changes there were."""
        ...


@dataclass(frozen=True)
class Step:
    """A place in the pipeline: the pass, and why it stands there."""

    made: Pass
    reason: str

    @property
    def name(self) -> str:
        """The name of the pass."""
        return self.made.name


#: Everything that can be asked for by name.
PASSES: dict[str, type[Any]] = {
    made.name: made
    for made in (Canonicalize, Recognize, Order, Fold, CommonSubexpressions, DeadCode, Clone)
}

#: What happens to every imported model.
PIPELINE: tuple[Step, ...] = (
    Step(Canonicalize(), "shape arithmetic and the exporter's spellings go before anything looks"),
    Step(Recognize(), "composites are found in canonical form, and later passes look for them"),
    Step(Order(), "the same model comes out the same, whatever the order of its nodes"),
)

#: Passes of which the first has to stand before the second, and why.
ORDER: tuple[tuple[str, str, str], ...] = (("canonicalize", "recognize", "one spelling to match"),)

#: Called after each pass with its name, the module and the number of changes.
After = Callable[[str, Module, int], None]


def check_order(steps: Sequence[Step], order: Sequence[tuple[str, str, str]]) -> None:
    """Raises ``IRError`` E1412 where passes stand in the wrong order."""
    last = {step.name: number for number, step in enumerate(steps)}
    first: dict[str, int] = {}
    for number, step in enumerate(steps):
        first.setdefault(step.name, number)
    for before, after, why in order:
        if before in last and after in first and first[before] > first[after]:
            raise IRError("E1412", f"{before} has to come before {after}: {why}")


check_order(PIPELINE, ORDER)


def made(text: str) -> Pass:
    """A pass from its name and options, such as ``fold`` or ``fold:limit=65536``. Raises
    ``IRError`` E1413."""
    name, _, options = text.strip().partition(":")
    if name not in PASSES:
        raise IRError(
            "E1413", f"there is no pass {name!r}", expected=", ".join(sorted(PASSES)), found=name
        )
    fields = {field.name: field for field in dataclasses.fields(PASSES[name])}
    values: dict[str, Any] = {}
    for option in filter(None, options.split(":")):
        key, _, value = option.partition("=")
        if key not in fields:
            known = ", ".join(fields) or "none"
            raise IRError("E1413", f"pass {name} has no option {key!r}", expected=known)
        values[key] = _value(name, fields[key], value)
    found: Pass = PASSES[name](**values)
    return found


def _value(name: str, field: dataclasses.Field[Any], text: str) -> Any:
    kind: type[Any] = type(field.default)
    if kind is bool and text in ("true", "false"):
        return text == "true"
    try:
        if kind in (int, float, str):
            return kind(text)
    except ValueError:
        pass
    raise IRError(
        "E1413", f"option {field.name} of pass {name}", expected=kind.__name__, found=repr(text)
    )


def run(module: Module, passes: Sequence[Pass], after: After | None = None) -> None:
    """Runs passes one after the other."""
    for one in passes:
        changes = one.run(module)
        if after is not None:
            after(one.name, module, changes)


def options_of(one: Pass) -> Mapping[str, Any]:
    """The options of a pass and their values."""
    return {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}  # type: ignore[arg-type]
