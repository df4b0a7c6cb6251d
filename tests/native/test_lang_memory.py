"""The native language: records and arrays, threads, and calls through addresses."""

from __future__ import annotations

import ctypes
import threading

import numpy as np

from maiacc_sim.native.lang.functions import dtype_of, record_of
from native import lang_memory
from native.lang_call import call, library


def test_records_lie_as_numpy_has_them() -> None:
    o = np.zeros(1, dtype_of(lang_memory.Outer))
    r, there = o[0], np.arange(8, dtype=np.int32) * -10
    r["flag"], r["small"], r["half"], r["word"] = 200, -3, 65535, -(1 << 31)
    r["wide"], r["long"], r["single"], r["double"] = (1 << 32) - 1, -(1 << 63), 3.0, 1e300
    r["many"] = [1, 2, 3, 4, -5]
    r["inner"] = -7, 1 << 40
    r["two"][1]["y"] = 99
    r["there"] = there.ctypes.data
    wanted = [200, -3, 65535, -(1 << 31), (1 << 32) - 1, -(1 << 63), -5, -7, 99, -30]
    out = np.zeros(16, np.int64)
    assert call("fields", o, out) == 10
    assert out[:10].tolist() == wanted
    assert (r["flag"], r["small"], r["half"], r["word"]) == (255, -128, 0, (1 << 31) - 1)
    assert r["many"].tolist() == [1, 2, -32768, 4, -5]
    assert (r["two"][0]["x"], r["inner"]["y"], r["single"], r["double"]) == (
        -32768,
        4 << 40,
        1.5,
        1e300,
    )
    assert there.tolist() == [0, -10 | 8, 77, -30, -40, -50, -60, -70]


def test_records_have_the_layout_that_is_said() -> None:
    found = record_of(lang_memory.Outer)
    places = {name: at for name, (at, _) in found.fields.items()}
    assert [places[n] for n in ("flag", "small", "half", "word", "wide")] == [0, 1, 2, 4, 8]
    assert places["long"] % 8 == places["inner"] % 8 == places["there"] % 8 == 0
    assert found.size % 8 == 0
    assert dtype_of(lang_memory.Outer).itemsize == found.size


def test_addresses_in_shared_records_are_read_again() -> None:
    shared, data = np.zeros(1, dtype_of(lang_memory.Shared)), np.arange(1, 6)
    shared[0]["data"], shared[0]["count"] = data.ctypes.data, 5
    assert call("shared_sum", shared) == 15
    assert data.tolist() == [1, 3, 6, 10, 15]
    other = np.array([100, 1])
    shared[0]["data"], shared[0]["count"] = other.ctypes.data, 2
    assert call("shared_sum", shared) == 101


def test_local_arrays_belong_to_a_call() -> None:
    def wanted(n: int) -> int:
        return n * 100 + (wanted(n - 1) if n > 0 else 0) + sum(range(32))

    assert call("scratch", 6) == wanted(6)


def test_bytes_are_copied_filled_and_seen_as_others() -> None:
    to, source = np.zeros(16, np.uint8), np.arange(1, 17, dtype=np.uint8)
    assert call("bytes_of", to, source, 9) == 0x0403
    wanted = [1, 2 ^ 0xFF, *range(3, 10), 0xA5, 0xA5, 0xA5, 0, 0, 0, 0]
    assert to.tolist() == wanted


def test_atomic_operations() -> None:
    cells = np.array([10, 0, 7, 8])
    assert call("atomics", cells) == 15 + 1000
    assert cells.tolist() == [15, 10, 70, 8]


def test_threads_lose_nothing() -> None:
    """Native code runs without the interpreter's lock, so these do meet."""
    cells, turns = np.zeros(24, np.int64), 20_000
    function = library().function("count_up")
    threads = [threading.Thread(target=function, args=(cells.ctypes.data, turns)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cells[:3].tolist() == [3 * turns, 0, 3 * turns]


def test_calls_through_addresses() -> None:
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)
    seen = []

    def noted(cells: int, number: int) -> int:
        seen.append((cells, number))
        return 10 * number

    target, cells = kind(noted), np.zeros(1, np.int64)
    address = ctypes.cast(target, ctypes.c_void_p).value or 0
    assert call("indirect", address, cells) == 40
    assert seen == [(cells.ctypes.data, 3), (cells.ctypes.data, 4)]
