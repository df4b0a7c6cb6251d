"""A mutation of the rows never goes unseen: it is refused, or what is made from the rows changes.

Mutants are enumerated from the parse tree of the rows (``mutants.py``); what follows from the
rows is observed by the code that users run (``mutant_effects.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from lark.exceptions import VisitError

from isa.mutant_effects import differs, observations
from isa.mutant_install import spec_of
from isa.mutants import Mutant, mutants, sources
from maiacc_isa.errors import MaiaccError
from maiacc_isa.load import ROW_FILES, load

#: What must change with a mutant of a kind: one of each group. With any other, something must.
REQUIRED = {
    "opcode": (("encoding",), ("manual",)),
    "bits": (("encoding", "table encoding"), ("manual",)),
    "formula": (("time",), ("manual",)),
    "constraint": (("legality",), ("manual",)),
    "operand": (("legality",), ("manual",)),
}

#: Of all mutants, every so manieth is tried in a normal run.
SAMPLE = 67


@dataclass(frozen=True)
class Known:
    """Mutants that go unseen, or are not refused by code, and why."""

    pattern: str
    reason: str

    def __contains__(self, mutant: Mutant) -> bool:
        return re.search(self.pattern, str(mutant)) is not None


KNOWN = (
    Known(r"\[meaning\] .* -> ", "names what simulators execute; nothing else may depend on it"),
    Known(r"\[native\]", "names what the native simulator executes; without it the reference does"),
    Known(r"without: since", "a row without `since` counts as 1.0.0"),
    Known(r"insn LOOP \[constraint\] (without|< -> <=)", "a level has 3 bits and is never above 7"),
    Known(r"insn COPYT \[constraint\] 2 -> 1", "`exchanged` holds only from rank 2 on"),
    Known(r"insn VMAPR .*float_chain", "a chain has a second result only in class float"),
    Known(r"insn VQUANT .*C % limit", "`has_scale` implies it"),
    Known(r"insn \w+ \[constraint\] 8 -> 7", "no type has 7 bits"),
    Known(r"insn ACCST \[formula\] 16 -> 17", "no type has 17 bits"),
    Known(r"word_(engine|control) \[bits\] opcode 7:0 -> 6:0", "no opcode is above 127"),
    Known(r"word_engine \[bits\] sub 19:12 -> (18:12|19:13)", "instructions divide it themselves"),
    Known(r"record mask \[record\] 256 -> 257", "masks are read by size, not by layout"),
    Known(r"(enum|record) \w+ \[text\]", "the manual does not print this description"),
    Known(r"SLD \[text\] \"descriptor of", "the page prints the operand's description instead"),
    Known(
        r"dtype \w+ \[(dtype|name)\] .*(class|bits)\b", "a type without it is refused without code"
    ),
    Known(
        r"dtype \w+ \[(dtype|name)\] .*(signed|inf|nan|no -> |ieee)", "what is unknown counts as no"
    ),
    Known(r"dtype e8m0 \[(dtype|name)\]", "of a scale only bits, bias and nan are read"),
    Known(r"source \w+ \[name\]", "nothing reads how a source varies"),
    Known(r"insn MM(SP)? \[formula\] K -> M", "`port_factor` does not read K"),
)


def effect(mutant: Mutant) -> str | None:
    """What is wrong with the reaction to a mutant; None if nothing is."""
    try:
        spec = spec_of(mutant)
    except MaiaccError as problem:
        return None if problem.code in ("E0201", "E0202") else f"refused with {problem.code}"
    except VisitError as problem:
        return f"raised {problem}"
    names = observations(mutant)
    groups = REQUIRED.get(mutant.kind, ()) if mutant.rule in ("insn", "record") else ()
    for group in groups or (tuple(names),):
        if not any(differs(mutant, spec, name) for name in group if name in names):
            return f"unchanged: {' and '.join(group)}" if groups else "nothing changes"
    return None


def check(chosen: list[Mutant], whole: bool) -> None:
    """Tries mutants. With the whole of a file, what is known must still be so."""
    unseen = {mutant: problem for mutant in chosen if (problem := effect(mutant))}
    new = [f"{m}: {problem}" for m, problem in unseen.items() if not any(m in k for k in KNOWN)]
    assert not new, "\n".join([f"{len(new)} of {len(chosen)} mutants", *new])
    for known in KNOWN if whole else ():
        matching = [mutant for mutant in chosen if mutant in known]
        assert not matching or any(m in unseen for m in matching), f"not so any more: {known}"


def test_every_row_has_mutants() -> None:
    rows = {(mutant.rule, mutant.subject) for mutant in mutants()}
    spec = load()
    tables: dict[str, Mapping[str, object]] = {
        "insn": spec.insns, "record": spec.records, "enum": spec.enums, "dtype": spec.dtypes,
        "stage": spec.stages, "queue": spec.queues, "space": spec.spaces, "port": spec.ports,
        "limit": spec.limits, "constant": spec.constants, "trap": spec.traps, "role": spec.roles,
        "source": spec.sources,
    }  # fmt: skip
    for rule, table in tables.items():
        assert {(rule, name) for name in table} <= rows
    assert {"pair", "route"} <= {rule for rule, _ in rows}
    for mutant in mutants():
        assert mutant.apply(sources()[mutant.file]) != sources()[mutant.file], mutant


def test_every_reason_is_needed_by_some_mutant() -> None:
    for known in KNOWN:
        assert any(mutant in known for mutant in mutants()), known


def test_no_mutant_of_a_sample_goes_unseen() -> None:
    check(list(mutants()[::SAMPLE]), whole=False)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ROW_FILES)
def test_no_mutant_goes_unseen(name: str) -> None:
    check([mutant for mutant in mutants() if mutant.file == name], whole=True)
