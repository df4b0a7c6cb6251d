"""Seeded damage: texts, bytes and documents with a few things in them changed."""

from __future__ import annotations

import random
import re
from typing import Any

#: Numbers at which parsers break.
NUMBERS = [
    "0", "1", "-1", "2", "7", "8", "15", "16", "31", "32", "63", "64", "255", "256", "4095",
    "4096", "65535", "65536", "1048576", "2147483647", "2147483648", "-2147483649", "4294967295",
    "4294967296", "17592186044416", "9223372036854775807", "18446744073709551616", "0x0",
    "0xffffffff", "-0x8000", "99999999999999999999999", "9" * 30, "1.5", "1e9", "1e400", "inf",
    "nan", "-inf", "0x1.8p3", "0x1p9999",
]  # fmt: skip

_TOKEN = re.compile(r'"[^"\n]*"|\w+|\n|[ \t]+|[^\w\s]')


def mutate_text(rng: random.Random, text: str, words: list[str]) -> str:
    """A text with some tokens replaced, dropped, doubled, exchanged or added."""
    tokens = _TOKEN.findall(text)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(tokens))
        match rng.randrange(9):
            case 0:
                del tokens[at]
            case 1:
                tokens.insert(at, tokens[at])
            case 2:
                other = rng.randrange(len(tokens))
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3 | 4:
                places = [i for i, token in enumerate(tokens) if token[:1].isdigit()]
                tokens[rng.choice(places or [at])] = rng.choice(NUMBERS)
            case 5:
                tokens[at] = rng.choice(words)
            case 6:
                tokens.insert(at, rng.choice(words))
            case 7:
                end = min(len(tokens), at + rng.randrange(1, 30))
                piece = tokens[at:end]
                del tokens[at:end]
                place = rng.randrange(len(tokens) + 1)
                tokens[place:place] = piece
            case 8:
                tokens[at] = _characters(rng, tokens[at])
        tokens = tokens or ["x"]
    return "".join(tokens)


def _characters(rng: random.Random, token: str) -> str:
    at = rng.randrange(len(token) + 1)
    other = rng.choice(["", "\\", '"', "\x00", "é", "\u2028", "(", "{", "]", ".", "\r", "#", "-"])
    return token[:at] + other + token[at + rng.randrange(2) :]


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bytes with some of them changed, dropped, doubled or moved by records of 8 bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not changed:
            return bytes(rng.randbytes(16))
        at = rng.randrange(len(changed))
        match rng.randrange(6):
            case 0 | 1:
                changed[at] ^= 1 << rng.randrange(8)
            case 2:
                changed[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            case 3:
                record = rng.choice((8, 16, 32, 128))
                start = at // record * record
                changed[start:start] = changed[start : start + record]
            case 4:
                record = rng.choice((8, 16, 32, 128))
                start = at // record * record
                del changed[start : start + record]
            case 5:
                count = rng.randrange(1, 9)
                changed[at : at + count] = rng.randbytes(min(count, len(changed) - at))
    return bytes(changed)


_VALUES: list[Any] = [
    None, True, 0, 1, -1, 31, 32, 255, 256, 4096, 1 << 31, 1 << 44, 1 << 62, 1 << 63, 1 << 64, 0.5,
    1e308, "", "x", "a b", "v0", "s0", "L0", "tile", "loop", "\n", "\u2028", "hbm", "bf16", "main",
    [], {}, [0], [[0, 1]], {"0": "x"}, {"x": 0},
]  # fmt: skip


def mutate_document(rng: random.Random, document: Any) -> None:
    """Changes some values, keys or lengths in a document, in place."""
    for _ in range(rng.choice((1, 1, 2))):
        container = rng.choice(_containers(document))
        keys = list(container) if isinstance(container, dict) else list(range(len(container)))
        if not keys:
            continue
        key = rng.choice(keys)
        match rng.randrange(6):
            case 0 | 1 | 2:
                container[key] = rng.choice(_VALUES)
            case 3:
                del container[key]
            case 4 if isinstance(container, dict):
                container[str(rng.choice(_VALUES))] = container.pop(key)
            case 4 | 5 if isinstance(container, list):
                container.append(container[key])
            case _:
                container[key] = container[rng.choice(keys)]


def _containers(document: Any) -> list[Any]:
    found = []
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (dict, list)):
            found.append(item)
            waiting += item.values() if isinstance(item, dict) else item
    return found
