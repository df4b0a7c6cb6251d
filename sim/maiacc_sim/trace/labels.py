"""The texts of a trace that are the same in all of its forms."""

from __future__ import annotations

import json
import math

from maiacc_sim.recording import Recording
from maiacc_sim.trace.selection import Window

#: What a slice carries beside its name and its times, in the order shown. ``address`` to
#: ``bytes`` are those of its word, the others of this execution.
ADDRESS, ASSEMBLY, SOURCE, BYTES = "address", "assembly", "source", "bytes"
BEGIN, END, COMPLETE = "begin_cycle", "end_cycle", "complete_cycle"
STALL, STALLED = "stall", "stalled_cycles"

#: The category of slices that show a wait; others have the level as theirs.
WAIT = "wait"


def wait_name(reason: str) -> str:
    """The name of the slice that shows a wait for this reason."""
    return f"{WAIT} {reason}".strip()


def about(recording: Recording, window: Window, level: str) -> dict[str, str]:
    """What a trace says of itself."""
    clock = recording.clock_hz
    facts = {
        "title": recording.title,
        "clock_hz": str(int(clock) if math.floor(clock) == clock else clock),
        "cycles": str(recording.cycles),
        "level": level,
    }
    if window is not None:
        facts["window"] = f"{window[0]}:{window[1]}"
    for name, value in recording.meta.items():
        facts[name] = value if isinstance(value, str) else json.dumps(value, default=str)
    return facts


def encodable(text: str) -> str:
    """The text with halves of surrogate pairs escaped, which no encoding can write."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
