"""Texts that are almost right: characters, words and lines changed at random."""

from __future__ import annotations

import random
import re

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[%@~!]?[A-Za-z0-9_.]+|.', re.DOTALL)

#: What is put in, beside words of the text itself.
_ODD = (
    "0", "-1", "7", "1.5", "1e5", "1e999", "-inf", "inf", "nan", "true", "-0.0", "0x7fc00001", "0x",
    "1.", "9" * 30, "18446744073709551615", "_", "%0", "%1", "%99", "@w", "~n0", "~zz", "!1", "!9",
    "(", ")", "{", "}", "[", "]", ",", ":", "=", "->", "#", '"', '""', "\\", '"a\\u0041"', '"\\q"',
    '"\\ud800"', "é", "٣", " ", "\t", "\n", "\r", "\x00", "\u2028", "\ufeff", "ir", "weight", "bound",
    "graph", "loc", "file", "inline", "splat", "data", "return", "yield", "if", "add", "fp32", "int4",
)  # fmt: skip


def mutated(text: str, rng: random.Random) -> str:
    """The text with a few changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        text = rng.choice((_characters, _words, _words, _words, _lines))(text, rng)
    return text


def _characters(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    cut = rng.choice((0, 0, 1, 1, 2))
    return (
        text[:at] + rng.choice(("", rng.choice(_ODD), rng.choice(text or " "))) + text[at + cut :]
    )


def _words(text: str, rng: random.Random) -> str:
    words = _WORD.findall(text)
    at = rng.randrange(len(words) or 1)
    other = rng.choice((rng.choice(_ODD), rng.choice(words or [""])))
    words[at : at + rng.choice((0, 1, 1, 1))] = rng.choice(([other], [other], [], [other, other]))
    return "".join(words)


def _lines(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
    action = rng.randrange(4)
    if action == 0:
        lines[one], lines[two] = lines[two], lines[one]
    elif action == 1:
        lines.insert(one, lines[two])
    elif action == 2:
        del lines[one]
    else:
        lines[one] = rng.choice(("  ", "\t", "")) + lines[one] + rng.choice((" ", " # x", ' # "'))
    return "\n".join(lines)
