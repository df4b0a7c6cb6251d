"""Loaded scalars and parameters of a run: given, logged, replayed.

A run with values logs what every SLD loads; a run without data replays the log, or takes the
lowest or highest value that each SLD allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from maiacc_isa.errors import MaiaccError
from maiacc_isa.program import Program
from maiacc_sim.code import Step
from maiacc_sim.relevant import relevant
from maiacc_sim.system import Instance, System

#: The log: for each control processor (its instance's number), the values in order of execution.
Log = dict[int, list[int]]


def check_parameters(program: Program, given: Mapping[str, int]) -> dict[int, int]:
    """Values of a program's parameters by number.

    One that can have a single value need not be given. Raises ``MaiaccError`` E1202 for an
    unknown name and E1205 for a value outside its interval or steps, or none.
    """
    names = [p.name for p in program.parameters]
    for name in given:
        if name not in names:
            raise MaiaccError(
                "E1202",
                f"the program has no parameter `{name}`",
                expected=", ".join(names) or "no parameters",
            )
    values = {}
    for number, p in enumerate(program.parameters):
        interval = f"{p.low} .. {p.high}" + (f" in steps of {p.step}" if p.step != 1 else "")
        if p.name not in given and p.low != p.high:
            raise MaiaccError(
                "E1205",
                f"parameter {p.name} has no value",
                expected=interval,
                hint=f"give one with --param {p.name}=NUMBER",
            )
        value = given.get(p.name, p.low)
        if not p.low <= value <= p.high or (value - p.low) % p.step:
            raise MaiaccError(
                "E1205",
                f"parameter {p.name} is outside what the program declares",
                expected=interval,
                found=str(value),
            )
        values[number] = value
    return values


@dataclass
class Scalars:
    """Where a run without data takes scalars from: a ``log``, or else the end of every interval
    that ``extreme`` names ("low" or "high")."""

    parameters: dict[int, int]
    log: Log | None = None
    extreme: str = "high"

    def loaded(self, instance: Instance, step: Step, position: int) -> int:
        """The value that the SLD number ``position`` of a control processor loads.

        Raises ``MaiaccError`` E1207 if the log does not have it, or one outside the interval.
        """
        if self.log is None:
            extreme: int = step.word[self.extreme]
            return extreme
        values = self.log.get(instance.number, [])
        if position >= len(values):
            raise MaiaccError(
                "E1207",
                f"the scalar log ends before the program does, at {instance}",
                expected=f"more than {len(values)} values",
            )
        value = values[position]
        if not step.word["low"] <= value <= step.word["high"]:
            raise MaiaccError(
                "E1207",
                f"the scalar log has a value that cannot have been loaded, at {instance}",
                expected=f"{step.word['low']} .. {step.word['high']}",
                found=str(value),
            )
        return value

    def parameter(self, number: int) -> int:
        """The value of a parameter."""
        return self.parameters[number]


def times_depend_on_data(program: Program) -> bool:
    """Whether a program loads scalars that its times depend on."""
    needed = relevant(program).registers
    return any(
        word.name == "SLD" and word["dest"] in needed
        for block in program.blocks
        for word in block.words
    )


def check_log(program: Program, log: Log) -> None:
    """Refuses a log of another system: E1207."""
    instances = len(System(program.machine).instances)
    if any(not 0 <= number < instances for number in log):
        raise MaiaccError("E1207", "the scalar log is of another machine")
