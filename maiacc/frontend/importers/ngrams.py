"""TfIdfVectorizer over numbers: how often each n-gram of a pool occurs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maiacc.frontend.importers.common import check_size, reshaped, sliced
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value


@importer("TfIdfVectorizer")
def vectorised(node: Node) -> Value:
    if node.has("pool_strings") and node.get_strs("pool_strings"):
        node.unsupported("its pool holds strings", "tokenise before the model, and feed numbers")
    x, kind = node.input(0), node.type(0)
    if kind.rank > 2 or kind.dtype not in ("int32", "int64"):
        node.fail("E1304", "the input", "[C] or [N, C] of int32 or int64", str(kind))
    if kind.dtype == "int32":
        x = node.b("cvt", x, to="int64")
    x = reshaped(node, x, (1, kind.size) if kind.rank < 2 else kind.shape)
    grams, places = _pool(node)
    (width,) = check_size(node, (max(places, default=-1) + 1,))
    counts = _counts(node, x, grams)
    found = _spread(node, counts, _columns(grams, places), width)
    found = _weighted(node, found, width)
    return found if kind.rank == 2 else reshaped(node, found, (width,))


def _pool(node: Node) -> tuple[dict[int, list[tuple[int, ...]]], tuple[int, ...]]:
    """The n-grams by length, and which element of the result each one is counted in."""
    pool, starts = node.get_ints("pool_int64s"), node.get_ints("ngram_counts")
    places = node.get_ints("ngram_indexes")
    ends = (*starts[1:], len(pool)) if starts else ()
    grams: dict[int, list[tuple[int, ...]]] = {}
    for length, (start, end) in enumerate(zip(starts, ends, strict=True), 1):
        if not 0 <= start <= end <= len(pool) or (end - start) % length:
            node.fail("E1304", "ngram_counts do not fit the pool", found=str(list(starts)))
        grams[length] = [pool[i : i + length] for i in range(start, end, length)]
    total = sum(map(len, grams.values()))
    if len(places) != total or min(places, default=0) < 0:
        node.fail("E1304", "ngram_indexes", f"{total} numbers", str(list(places)))
    return grams, places


def _counts(node: Node, x: Value, grams: dict[int, list[tuple[int, ...]]]) -> Value:
    """How often each n-gram of the pool occurs in each row: fp32[N, n-grams]."""
    shortest, longest = node.get_int("min_gram_length"), node.get_int("max_gram_length")
    rows, columns = x.type.shape
    skips = min(node.get_int("max_skip_count"), columns)
    parts: list[Value] = []
    for length, pool in grams.items():
        total = node.b.splat(0, node.b.constant(0, "fp32").type.with_shape((rows, len(pool))))
        if pool and shortest <= length <= longest:
            # Single elements are counted once, whatever may be skipped between others.
            for distance in range(1, (skips if length > 1 else 0) + 2):
                if (length - 1) * distance < columns:
                    found = _occurrences(node, x, pool, distance)
                    total = node.b("add", total, found)
        parts.append(total)
    return parts[0] if len(parts) == 1 else node.b("concat", *parts, axis=1)


def _occurrences(node: Node, x: Value, pool: list[tuple[int, ...]], distance: int) -> Value:
    """How often n-grams occur with elements so far apart."""
    b, length = node.b, len(pool[0])
    rows, columns = x.type.shape
    count = columns - (length - 1) * distance
    same: Value | None = None
    for i in range(length):
        part = reshaped(node, sliced(node, x, 1, i * distance, count), (rows, count, 1))
        found = b("eq", part, b.constant([gram[i] for gram in pool], "int64"))
        same = found if same is None else b("and", same, found)
    assert same is not None
    return b("rsum", b("cvt", same, to="fp32"), axes=(1,), keep=False)


def _columns(
    grams: dict[int, list[tuple[int, ...]]], places: Sequence[int]
) -> dict[int, list[int]]:
    """Which n-grams each element of the result counts. Of equal ones the last one counts."""
    last: dict[tuple[int, ...], int] = {}
    for number, gram in enumerate(gram for pool in grams.values() for gram in pool):
        last[gram] = number
    found: dict[int, list[int]] = {}
    for number in last.values():
        found.setdefault(places[number], []).append(number)
    return found


def _spread(node: Node, counts: Value, columns: dict[int, list[int]], width: int) -> Value:
    """The counts in the order of the result: a gather for each n-gram that an element counts."""
    rows, total = counts.type.shape
    padded = node.b("pad", counts, before=(0, 0), after=(0, 1))
    found = node.b.splat(0, counts.type.with_shape((rows, width)))
    for layer in range(max(map(len, columns.values()), default=0)):
        index = np.full(width, total, np.int64)
        for place, numbers in columns.items():
            if layer < len(numbers):
                index[place] = numbers[layer]
        part = node.b("gather", padded, node.b.constant(index), axis=1)
        found = part if layer == 0 else node.b("add", found, part)
    return found


def _weighted(node: Node, counts: Value, width: int) -> Value:
    b, mode = node.b, node.get_str("mode")
    weights = node.get_floats("weights", ())
    if mode not in ("TF", "IDF", "TFIDF"):
        node.fail("E1304", "mode", expected="TF | IDF | TFIDF", found=mode)
    if mode == "TF" or (mode == "TFIDF" and not weights):
        return counts
    if weights and len(weights) < width:
        node.fail("E1304", "weights", f"{width} numbers", f"{len(weights)}")
    weight = b.constant(weights[:width] or 1.0, "fp32")
    if mode == "TFIDF":
        return b("mul", counts, weight)
    zero = b.constant(0, "fp32")
    return b("select", b("lt", zero, counts), weight, zero)
