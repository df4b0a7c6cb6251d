"""The samples in the docstrings of passes, as modules.

A docstring has lines of the IR behind ``In:`` and behind ``Out``. What they take for granted is
here: the types of inputs, and constants, by the file. What neither text hands out, they hand out
last.
"""

from __future__ import annotations

import re

#: Inputs, and constants, that the samples of a file use.
GIVEN: dict[str, tuple[str, str]] = {
    "algebra": ("%0: fp32[4]", "weight @one : fp32[] = inline [1.0]"),
    "views": ("%0: fp32[1, 4, 8]", ""),
    "moving": ("%0: fp32[1, 32, 128, 64]", ""),
    "contractions": (
        "%0: fp32[4, 8]",
        "weight @w : fp32[4, 16] = splat 0.5\nweight @b : fp32[16] = splat 0.25",
    ),
    "cleaning": ("%0: fp32[4]", ""),
    "folding": ("%0: fp32[2]", ""),
    "canonicalize": ("%0: fp32[8]", "weight @c : fp32[4, 8] = splat 0.5"),
    "recognize": ("%0: fp32[4]", ""),
    "ordering": ("%0: fp32[4]", ""),
    "softmax": ("%0: fp32[2, 8]", ""),
    "norms": (
        "%0: fp32[2, 8]",
        "weight @eighth : fp32[] = inline [0.125]\nweight @eps : fp32[] = inline [1e-05]\n"
        "weight @g : fp32[8] = splat 0.5",
    ),
    "groups": (
        "%0: fp32[1, 8, 8, 8]",
        "weight @ones : fp32[128] = splat 1.0\n"
        "weight @scale : fp32[8, 1, 1] = splat 0.5\nweight @s : fp32[8] = splat 0.5\n"
        "weight @bias : fp32[8, 1, 1] = splat 0.25\nweight @b : fp32[8] = splat 0.25",
    ),
    "activations": ("%0: fp32[4]", ""),
    "rope": (
        "%0: fp32[3, 4]",
        "weight @cos : fp32[1, 4] = inline [1.0, 0.5, 1.0, 0.5]\n"
        "weight @sin : fp32[1, 4] = inline [0.0, 0.75, 0.0, 0.75]\n"
        "weight @c : fp32[1, 2] = inline [1.0, 0.5]\nweight @s : fp32[1, 2] = inline [0.0, 0.75]",
    ),
    "attention": (
        "%q: fp32[1, 8, 4, 64], %k: fp32[1, 8, 4, 64], %v: fp32[1, 8, 4, 64]",
        "weight @scale : fp32[] = inline [0.125]\nweight @mask : fp32[4, 4] = inline [0.0, -inf, "
        "-inf, -inf, 0.0, 0.0, -inf, -inf, 0.0, 0.0, 0.0, -inf, 0.0, 0.0, 0.0, 0.0]",
    ),
    "masks": (
        "%q: fp32[1, 32, 4, 64], %k: fp32[1, 8, 4, 64]",
        "weight @mask : bool[4, 4] = inline [true, false, false, false, true, true, false, false, "
        "true, true, true, false, true, true, true, true]",
    ),
    "routing": ("%0: fp32[4, 8]", ""),
    "caches": ("%past: fp32[1, 8, 512, 64], %new: fp32[1, 8, 1, 64]", ""),
    "conversions": ("%0: fp16[2, 8]", ""),
}

#: The passes that show what a file is about; else it is ``recognize``.
PASSES = {
    "algebra": "canonicalize",
    "views": "canonicalize",
    "moving": "canonicalize",
    "contractions": "canonicalize",
    "cleaning": "cse,dce",
    "folding": "fold,dce",
    "canonicalize": "canonicalize",
    "ordering": "order",
}

_SAMPLE = re.compile(r"\bIn:\n\n((?: {4}.*\n)+)\nOut[^\n]*:\n\n((?: {4}.*(?:\n|$))+)")


def sample_of(docstring: str) -> tuple[str, str] | None:
    """What goes in and what comes out."""
    found = _SAMPLE.search(docstring)
    return None if found is None else (found[1], found[2])


def module_text(name: str, lines: str) -> str:
    """The text of a module with the lines of a sample."""
    inputs, constants = GIVEN[name]
    weights = [line for line in constants.splitlines() if line]
    body: list[str] = []
    for line in map(str.strip, lines.splitlines()):
        (weights if line.startswith("weight ") else body).append(line)
    if not body[-1].startswith("return("):
        body.append(f"return({body[-1].split(' = ')[0]})")
    count = body[-1].count(",") + 1
    outputs = ", ".join(f'"y{number}"' for number in range(count))
    named = ", ".join(
        f'{text} "x{number}"' for number, text in enumerate(re.split(r", (?=%)", inputs))
    )
    head = "\n".join(["ir 1 graph", *weights])
    return f"{head}\ngraph ({named}) -> ({outputs}) {{\n" + "\n".join(body) + "\n}\n"
