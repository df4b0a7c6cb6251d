"""The debugger: where it stops, and what memories hold."""

from __future__ import annotations

import numpy as np
import pytest

from maiacc_isa.asm import assemble
from maiacc_isa.errors import MaiaccError
from maiacc_sim.debug.debugger import Debugger
from maiacc_sim.debug.places import parse_instance, words_of
from maiacc_sim.simulate import simulate
from maiacc_sim.tensors import random_inputs
from sim.test_debugger import debug, demo

# ---- breakpoints ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("main:7", {7}),
        ("main:8", {10}),  # a SET stops nobody; the next word that does is meant
        ("54", {7}),
        ("55", {10}),
        ("mm", {7}),
        ("MM", {7}),
        ("copy", {5, 12}),
        ("ttu", {3, 7, 10}),
        ("store", {11, 12}),
        ("multiply", {3, 5, 6, 7, 10}),
    ],
)
def test_what_a_place_means(spec: str, words: set[int]) -> None:
    assert words_of(demo(), spec) == {("main", index) for index in words}


@pytest.mark.parametrize("spec", ["", "main:15", "main:99", "99999", "vmap", "nothing", "other:3"])
def test_a_place_that_is_none_is_refused(spec: str) -> None:
    with pytest.raises(MaiaccError) as caught:
        words_of(demo(), spec)
    assert caught.value.code == "E0004"
    assert caught.value.expected


def test_a_program_file_has_no_lines() -> None:
    from_file = assemble("mist 1.0\ntarget mini\nblock b {\n  LD0 sync\n}\n")
    blocks = tuple(type(b)(b.name, b.words) for b in from_file.blocks)
    with pytest.raises(MaiaccError, match="no lines"):
        words_of(type(from_file)(from_file.machine, (), (), blocks, from_file.control), "4")


def test_breakpoints_stop_before_their_words() -> None:
    debugger = debug()
    tile = parse_instance(debugger.system, "0.1.1")
    first = debugger.add_break("accst")
    second = debugger.add_break("mm", tile)
    hits = []
    while (stop := debugger.run()).reason == "break":
        assert stop.breakpoint is not None
        standing = debugger.next
        assert standing is not None
        assert standing.at in stop.breakpoint.words
        hits.append((stop.breakpoint.number, str(standing.queue.instance)))
    assert stop.reason == "end"
    assert hits.count((2, "chip 0 cluster 1 tile 1")) == sum(n == 2 for n, _ in hits) == 16
    assert sum(n == 1 for n, _ in hits) == 16
    debugger.back(10**6)
    debugger.delete(first.number)
    debugger.delete(second.number)
    assert debugger.run().reason == "end"
    with pytest.raises(MaiaccError, match="no breakpoint or watch 1"):
        debugger.delete(1)


def test_a_breakpoint_at_the_first_word_is_not_missed() -> None:
    debugger = debug()
    debugger.add_break("sync")
    assert debugger.run().reason == "break"
    assert debugger.position.event == 0
    debugger.back(5)
    assert debugger.run_to_instruction("main:3").reason == "break"
    assert debugger.step(100).reason == "break"
    assert debugger.run_to_end().reason == "end"


def test_a_watched_buffer_stops_behind_the_word_that_writes_it() -> None:
    debugger = debug()
    debugger.watch("tc", parse_instance(debugger.system, "0.1"))
    stop = debugger.run()
    (written,) = stop.written
    assert str(written.instance) == "chip 0 cluster 1 tile 0"
    assert written.by is not None
    assert written.by.at == ("main", 11)
    assert (written.count, written.first, written.last) == (1024, (0, (0, 0)), (0, (31, 31)))
    assert debugger.inspect("tc").written.all()
    debugger.back()
    assert not debugger.inspect("tc", written.instance).written.any()
    output = debugger.watch("C")
    debugger.delete(1)
    (written,) = debugger.run().written
    assert written.watch is output
    assert (written.count, written.last) == (1024, (0, (31, 31)))
    while (stop := debugger.run()).reason == "watch":
        last = stop.written[0].last
    assert last == (0, (83, 71))


def test_every_tile_that_a_broadcast_writes_is_named() -> None:
    debugger = debug()
    debugger.watch("tb")
    stop = debugger.run()
    assert [written.instance.tile for written in stop.written] == [0, 1]
    assert stop.written[0].first == (0, (0, 0))
    stop = debugger.run()
    second = debugger.run()
    assert {w.first[0] for w in (*stop.written, *second.written)} <= {0, 1}


def test_the_next_word_of_a_queue() -> None:
    debugger = debug()
    queue = debugger.system.queue(parse_instance(debugger.system, "0.1"), "CLD")
    events = []
    while debugger.run_to_queue(queue).reason == "place":
        standing = debugger.next
        assert standing is not None
        events.append(standing.word.iteration)
    assert events == [(i, j, k) for i in range(2) for j in range(2) for k in range(4)]


# ---- what memories hold -----------------------------------------------------------------------


def test_buffers_are_decoded() -> None:
    result = simulate(demo(), random_inputs(demo(), 1))
    debugger = debug()
    assert not debugger.inspect("acc").written.any()
    assert not debugger.inspect("ta", slot=1).written.any()
    debugger.run_to_instruction("accst")
    contents = debugger.inspect("acc")
    sums = contents.values
    assert contents.title == "acc : fp32[32, 32] in acc of chip 0 cluster 0 tile 0"
    a, b = (debugger.inspect(name).values.astype(np.float64) for name in ("A", "B"))
    assert np.array_equal(sums, (a[:32] @ b[:, :32]).astype(np.float32))
    debugger.run_to_end()
    final = debugger.inspect("C")
    assert final.written.all()
    assert np.array_equal(final.codes, result.outputs["C"])
    with pytest.raises(MaiaccError, match="no slot 2"):
        debugger.inspect("ta", slot=2)
    with pytest.raises(MaiaccError, match="no buffer X"):
        debugger.inspect("X")


def test_words_that_still_write_a_buffer_are_named() -> None:
    """A load takes effect when it starts, and is complete later."""
    debugger = debug()
    tile, other = (parse_instance(debugger.system, text) for text in ("0.0.0", "0.0.1"))
    load = debugger.system.queue(tile, "LD0")
    debugger.run_to_queue(load)
    assert not debugger.arriving(debugger.inspect("ta", tile))
    debugger.step()
    contents = debugger.inspect("ta", tile)
    (standing,) = debugger.arriving(contents)
    assert standing.queue == load
    assert standing.word.iteration == (0, 0, 0)
    assert contents.written.all()
    assert not debugger.arriving(debugger.inspect("ta", tile, 1))
    assert not debugger.arriving(debugger.inspect("tb", tile))
    complete = standing.word.complete
    assert complete is not None
    debugger.run_to_cycle(complete - 1)
    assert [s.queue for s in debugger.arriving(contents)] == [load]
    debugger.run_to_cycle(complete)
    assert not debugger.arriving(contents)
    debugger.run_to_cycle(0)
    debugger.run_to_instruction("bcast", parse_instance(debugger.system, "0.0"))
    debugger.step()
    for instance in (tile, other):
        assert debugger.arriving(debugger.inspect("tb", instance))
    assert not debugger.arriving(debugger.inspect("tb", parse_instance(debugger.system, "0.1.0")))


def test_small_types_slots_scalars_and_parts_of_chips() -> None:
    text = """mist 1.0
target mini2
input N : int4[4, 6] @ 0x0 split
input S : int32[] @ 0x40
output Z : int4[4, 6] @ 0x80 split
block main {
  buffer tn : int4[2, 6] @tsram 0x0 slots 2 pitch 0x10
  sem full : LD0 -> ST tile
  reg first = s0
  table trips = [1, 0, 0, 0]
  first = trips[gtile] on tile
  loop k < first on tile {
    LD0 copy tn(1){i:2, j:4}[i, j], N{i:2, j:4}[i, j]
    LD0 copy tn(0){i:2, j:6}[i, j], N{i:2, j:6}[i, j] post(full)
    ST copy Z{i:2, j:6}[i, j], tn(0){i:2, j:6}[i, j] wait(full)
  }
}
"""
    split = assemble(text)
    values = np.arange(24, dtype=np.uint8).reshape(4, 6) % 16
    scalar = np.array(-7, np.int32)
    debugger = Debugger(split, {"N": values, "S": scalar})
    debugger.run_to_instruction("ST", parse_instance(debugger.system, "1.0.0"))
    signed = values.astype(np.int64) - 16 * (values > 7)
    other = parse_instance(debugger.system, "1.0.0")
    assert np.array_equal(debugger.inspect("N", other).values, signed[2:])
    part = debugger.inspect("tn", other, 1)
    assert part.title.startswith("tn(1) : int4[2, 6] in tsram of chip 1")
    assert part.written.tolist() == [[True] * 4 + [False] * 2] * 2
    assert np.array_equal(part.values[:, :4], signed[2:, :4])
    assert debugger.inspect("S", other).values == -7
    assert not debugger.inspect("Z", other).written.any()
    debugger.watch("tn")
    debugger.back(10**6)
    (written,) = debugger.run().written
    assert (written.count, written.first, written.last) == (8, (1, (0, 0)), (1, (1, 3)))


@pytest.mark.parametrize("text", ["", "9", "0.9.0", "0.0.0.0", "x", "0.", "-1", "99999999999"])
def test_instances_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(MaiaccError, match="the machine has no"):
        parse_instance(debug().system, text)
