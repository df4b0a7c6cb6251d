"""What the debugger prints: where it stands, queues, registers, words and buffers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from maiacc.debugging.arguments import Part
from maiacc_isa.errors import MaiaccError, printable, quote
from maiacc_isa.load import load
from maiacc_isa.text_block import BlockText
from maiacc_sim.debug.contents import Contents, Element
from maiacc_sim.debug.debugger import Debugger
from maiacc_sim.debug.places import WordAt, short
from maiacc_sim.debug.queues import ControlState, Execution, QueueState, TokenState
from maiacc_sim.debug.stops import Breakpoint, Standing, Stop, Watch, Written
from maiacc_sim.places import describe, loop_names
from maiacc_sim.system import Instance

#: Rows and columns of a buffer that are shown, and of a part of it that was asked for.
SHOWN = (16, 8)
SHOWN_PART = (64, 32)

#: Words shown before and behind the next one.
AROUND = 6


def one_line(problem: MaiaccError) -> str:
    """An error in a line."""
    parts = [f"error[{problem.code}]: {problem.message}"]
    parts += [f"expected {problem.expected}"] if problem.expected else []
    parts += [f"found {problem.found}"] if problem.found else []
    return printable("; ".join(parts).replace("\n", "; "))


# ---- where it stands ------------------------------------------------------------------------


def where(debugger: Debugger) -> Iterator[str]:
    """The next word, or that there is none."""
    position, standing = debugger.position, debugger.next
    time = "" if position.cycle is None else f"cycle {position.cycle:,}, "
    count = f"{time}{position.event:,} of {debugger.events:,} words executed"
    if standing is None:
        yield f"{count}, block {quote(debugger.block.name)}"
        return
    word = standing.word
    yield f"{count}, next: {standing.queue}"
    yield f"  {address(word)}  {printable(text_of(debugger, word.block.name, word.index))}"
    origin = ", ".join(word.block.origin(word.index))
    line = word.block.lines[word.index] if word.index < len(word.block.lines) else None
    parts = [turn(word), f"from {origin}" if origin else "", f"line {line}" if line else ""]
    detail = ", ".join(part for part in parts if part)
    if detail:
        yield f"  {printable(detail)}"


def stop_text(debugger: Debugger, stop: Stop) -> Iterator[str]:
    """Why it stands, if that was not what was asked for."""
    if stop.breakpoint is not None:
        yield f"breakpoint {stop.breakpoint.number}: {printable(stop.breakpoint.spec)}"
    for written in stop.written:
        yield written_text(written)
    if stop.trap is not None:
        yield str(stop.trap)
    if stop.reason == "end":
        cycles = debugger.cycles
        yield "the program is over" + ("" if cycles is None else f" after {cycles:,} cycles")
    if stop.reason == "start":
        yield "this is the start of the program"


def written_text(written: Written) -> str:
    """A hit of a watched buffer."""
    buffer, count = written.watch.buffer, written.count
    first, last = (_element(buffer.slots, element) for element in (written.first, written.last))
    part = f"{first} to {last}, {count:,} elements" if count > 1 else first
    by = f" by {where_of(written.by)}" if written.by is not None else ""
    return (
        f"watch {written.watch.number}: {quote(buffer.name)} of {written.instance} "
        f"written{by}: {part}"
    )


def _element(slots: int, element: Element) -> str:
    slot, indices = element
    return f"({slot})" * (slots > 1) + f"[{', '.join(map(str, indices))}]"


def where_of(standing: Standing) -> str:
    """A word and who executes it, in a few words."""
    return f"{address(standing.word)} {mnemonic(standing.word)} ({standing.queue})"


def address(word: Execution) -> str:
    """Block and number of a word, as `break` takes them."""
    return f"{printable(word.block.name)}:{word.index}"


def mnemonic(word: Execution) -> str:
    """The name of a word's instruction."""
    return word.block.words[word.index].row.mnemonic


def turn(word: Execution) -> str:
    """The loop turns of a word."""
    if word.iteration is None:
        return ""
    text = describe(word.block, word.index, word.iteration)
    return f"at {text}" if text else ""


def text_of(debugger: Debugger, block: str, index: int) -> str:
    """The assembly of a word, with views that have no name in full."""
    return BlockText(debugger.program.block(block), debugger.program, inline=True).word(index)


def listed(points: Iterable[Breakpoint | Watch]) -> list[str]:
    """Breakpoints and watches, in the order of their numbers."""
    return [_listed(point) for point in sorted(points, key=lambda point: point.number)]


def _listed(point: Breakpoint | Watch) -> str:
    of = "" if point.instance is None else f" on {point.instance}"
    if isinstance(point, Watch):
        return f"watch {point.number}: {quote(point.buffer.name)}{of}"
    words = sorted(point.words)
    shown = ", ".join(f"{printable(block)}:{index}" for block, index in words[:8])
    more = f" and {len(words) - 8} more" if len(words) > 8 else ""
    return f"breakpoint {point.number}: {printable(point.spec)}{of}: {shown}{more}"


# ---- queues -----------------------------------------------------------------------------------


def queue_lines(states: list[QueueState], control: ControlState) -> Iterator[str]:
    """The queues of an instance, and its control processor."""
    empty = []
    for state in states:
        lines = list(_queue(state))
        if not lines:
            empty.append(state.queue.name)
        for number, line in enumerate(lines):
            yield f"  {'' if number else state.queue.name:<5} {line}"
    yield f"  {control.queue.name:<5} {_control(control)}"
    if empty:
        yield f"  empty: {', '.join(empty)}"


def _queue(state: QueueState) -> Iterator[str]:
    for word in state.completing:
        yield f"{_named(word)} is complete in {word.complete:,}"
    if state.occupies is not None:
        word = state.occupies
        until = f"until {word.end:,}, complete in {word.complete:,}"
        yield f"{_named(word)} since {word.begin:,} {until}"
    if not state.waiting:
        return
    first, *others = state.waiting
    line = f"{_named(first)} " + (f"waits for {state.needs}" if state.needs else "is next")
    yield line + ("" if state.starts is None else f", starts in {state.starts:,}")
    if others:
        yield "then " + ", ".join(map(_named, others))


def _control(state: ControlState) -> str:
    if state.at is None:
        return "has met END"
    text = f"at {_named(state.at)}"
    text += f", waits for {state.needs}" if state.needs else ""
    return text + ("" if state.goes_on is None else f", goes on in {state.goes_on:,}")


def _named(word: Execution) -> str:
    text = f"{address(word)} {mnemonic(word)}"
    return f"{text} {turn(word)}" if turn(word) else text


def token_lines(tokens: list[TokenState], instance: Instance) -> Iterator[str]:
    """Counters of semaphores, those of one semaphore in a line."""
    lines: dict[str, list[str]] = {}
    for token in tokens:
        poster = token.poster
        of = "" if poster.instance == instance else f" {short(poster.instance)}"
        coming = f" and {token.coming} coming" if token.coming else ""
        key = f"{quote(token.name)} for {token.waiter.name}"
        lines.setdefault(key, []).append(f"{token.held}{coming} from {poster.name}{of}")
    for name, parts in lines.items():
        yield f"  {name}: {', '.join(parts)}"


def register_lines(debugger: Debugger, instance: Instance) -> Iterator[str]:
    """Loops, registers, ids and semaphores of an instance."""
    names = {source.code: source.name for source in load().sources.values()}
    ids = {names[code]: value for code, value in instance.ids.items() if names[code] != "one"}
    groups = {
        "loops": debugger.loops(instance),
        "registers": debugger.registers(instance),
        "ids": ids,
    }
    for title, values in groups.items():
        text = ", ".join(f"{quote(name)}={value}" for name, value in values.items())
        yield f"  {title}: {text or 'none'}"
    yield from token_lines(debugger.tokens(instance), instance)


# ---- words ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Marks:
    """What stands beside words: the next one, breakpoints, and what the queues of an instance
    and of those around it do."""

    next: WordAt | None
    breaks: frozenset[WordAt]
    running: frozenset[WordAt]
    waiting: frozenset[WordAt]
    control: frozenset[WordAt]

    def of(self, word: WordAt) -> str:
        """The marks of a word."""
        groups = (("*", self.breaks), ("r", self.running), ("w", self.waiting), ("c", self.control))
        first = ">" if word == self.next else " "
        return first + "".join(mark if word in words else " " for mark, words in groups)


def word_lines(debugger: Debugger, block_name: str, index: int, marks: Marks) -> Iterator[str]:
    """The words around one."""
    block = debugger.program.block(block_name)
    width = len(f"{block.name}:{len(block.words)}")
    for at in range(max(0, index - AROUND), min(len(block.words), index + AROUND + 1)):
        depth = len(loop_names(block, at)) - (block.words[at].name == "ENDL")
        text = "  " * depth + text_of(debugger, block.name, at)
        yield printable(f"{marks.of((block.name, at))} {f'{block.name}:{at}':<{width}}  {text}")


# ---- buffers ----------------------------------------------------------------------------------


def content_lines(
    contents: Contents, part: Part | None, arriving: Iterable[Standing]
) -> Iterator[str]:
    """A buffer, or a part of it: elements that nothing has written are question marks."""
    yield contents.title
    for standing in arriving:
        yield f"  {where_of(standing)} writes it until {standing.word.complete:,}"
    written, total = int(contents.written.sum()), contents.written.size
    if written < total:
        yield f"  {written:,} of {total:,} elements written"
    ranges = [range(extent) for extent in contents.values.shape]
    for axis, chosen in enumerate(part or ()):
        ranges[axis] = (
            ranges[axis][chosen]
            if isinstance(chosen, slice)
            else range(chosen % len(ranges[axis]), chosen % len(ranges[axis]) + 1)
        )
    most_rows, most_columns = SHOWN if part is None else SHOWN_PART
    *lead, columns = ranges or [range(1)]
    rows = 1
    for axis_range in lead:
        rows *= len(axis_range)
    shown = columns[:most_columns]
    table = []
    for number, indices in enumerate(product(*lead)):
        if number == most_rows:
            break
        at = [(*indices, column) if ranges else () for column in shown]
        start = f"[{', '.join(map(str, (*indices, columns.start)))}]" if ranges else ""
        more = ["..."] if len(columns) > most_columns else []
        table.append([start, *(_number(contents, place) for place in at), *more])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for head, *cells in table:
        padded = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield f"  {head:<{widths[0]}} {' '.join(padded)}".rstrip()
    if rows > most_rows:
        yield f"  ... {rows:,} rows"


def _number(contents: Contents, place: tuple[int, ...]) -> str:
    if not contents.written[place]:
        return "?"
    value = contents.values[place]
    return f"{float(value):g}" if isinstance(value, np.floating) else str(int(value))
