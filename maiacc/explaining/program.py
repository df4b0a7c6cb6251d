"""``maiacc explain NODE --in FILE``: this loads what reads and times programs, so the command
imports it when it is asked for."""

from __future__ import annotations

from typing import Any

from maiacc.explaining.document import document
from maiacc.explaining.finding import find
from maiacc.explaining.measuring import Measures
from maiacc.explaining.page import lines
from maiacc.explaining.record import record_of
from maiacc_isa.container import open_program


def explained(file: str, name: str, timed: bool) -> tuple[dict[str, Any], list[str]]:
    """What a program file says about a node or kernel: as data, and as lines of text.

    Raises ``MaiaccError``: E0004 for a name that is not there, E0603 for a file without a record.
    """
    program, record = open_program(file), record_of(file)
    facts = document(record, program, find(record, name), Measures(program), timed)
    return facts, list(lines(facts))
