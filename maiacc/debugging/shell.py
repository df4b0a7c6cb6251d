"""The debugger's commands: a shell over ``maiacc_sim.debug.debugger``."""

from __future__ import annotations

import cmd
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from numpy.typing import NDArray

from maiacc.debugging.arguments import arguments, count, part_of, printed, wanted
from maiacc.debugging.text import (
    Marks,
    content_lines,
    listed,
    one_line,
    queue_lines,
    register_lines,
    stop_text,
    where,
    word_lines,
)
from maiacc_isa.errors import MaiaccError, printable, quote
from maiacc_isa.program import Program
from maiacc_sim.debug.contents import buffers
from maiacc_sim.debug.debugger import Debugger
from maiacc_sim.debug.places import parse_instance, short, within, words_of
from maiacc_sim.debug.stops import Stop
from maiacc_sim.machine import Limits
from maiacc_sim.system import Instance, QueueOf

#: Other names of commands.
ALIASES = {
    "s": "step", "n": "next", "r": "run", "c": "run", "continue": "run", "b": "break",
    "w": "where", "l": "list", "p": "print", "h": "help", "?": "help", "q": "quit",
}  # fmt: skip

#: Commands that an empty line repeats.
REPEATED = ("step", "next", "back")

#: What arguments mean.
PLACES = (
    "PLACE: BLOCK:NUMBER, a line, a mnemonic, a queue, or where words came from",
    "INSTANCE: CHIP.CLUSTER.TILE, CHIP.CLUSTER or CHIP; without it that of the next word",
)


def start(
    program: Program,
    inputs: Mapping[str, NDArray[Any]],
    parameters: Mapping[str, int],
    limits: Limits | None = None,
) -> None:
    """Debugs a program with commands from standard input, until they end."""
    debugger = Debugger(program, inputs, parameters, limits)
    shell = Shell(debugger)
    shell.say(_opening(debugger))
    shell.cmdloop()


def _opening(debugger: Debugger) -> Iterable[str]:
    program = debugger.program
    name = f"{printable(program.file or 'program')} on {program.machine.name}"
    if debugger.failure is None:
        yield f"{name}: {debugger.events:,} words in {debugger.cycles:,} cycles; `help` says how"
        return
    yield f"{name}: stopped after {debugger.events:,} words; `help` says how, `trap` goes there"
    yield one_line(debugger.failure).split("; expected")[0]
    yield "without an end there are no cycles: words come in the order of the program"


class Shell(cmd.Cmd):
    """Reads commands and prints what they say. A command that is not typed is shown."""

    def __init__(self, debugger: Debugger) -> None:
        super().__init__()
        self.debugger = debugger
        self.typed = sys.stdin.isatty()
        self.use_rawinput = self.typed
        self.last = ""
        self.prompt = self._prompt()

    def _prompt(self) -> str:
        cycle, event = self.debugger.position.cycle, self.debugger.position.event
        return f"[word {event}] " if cycle is None else f"[cycle {cycle}] "

    def say(self, lines: Iterable[str]) -> None:
        """Prints lines."""
        for line in lines:
            click.echo(line)

    # ---- the loop -------------------------------------------------------------------------
    def precmd(self, line: str) -> str:
        if not self.typed:
            click.echo("" if line == "EOF" else printable(line))
        elif line == "EOF":
            click.echo()
        return line

    def onecmd(self, line: str) -> bool:
        """Obeys a command; True if it is the last."""
        if line == "EOF":
            return True
        text = line.strip() or (self.last if self.last.split(" ")[0] in REPEATED else "")
        name, _, rest = text.partition(" ")
        name = ALIASES.get(name, name)
        if not name:
            return False
        self.last = f"{name} {rest}"
        try:
            return self._command(name)(rest.strip()) is True
        except MaiaccError as problem:
            click.echo(one_line(problem))
        except KeyboardInterrupt:
            self.debugger.recover()
            self.say(["interrupted", *where(self.debugger)])
        finally:
            self.prompt = self._prompt()
        return False

    def _command(self, name: str) -> Callable[[str], bool | None]:
        if name not in self.commands():
            known = ", ".join(self.commands())
            raise MaiaccError("E0004", f"no command {quote(name)}", expected=known)
        found: Callable[[str], bool | None] = getattr(self, f"do_{name}")
        return found

    @staticmethod
    def commands() -> list[str]:
        """The names of all commands, in the order of their definition."""
        return [name[3:] for name in vars(Shell) if name.startswith("do_")]

    def completenames(self, text: str, *ignored: Any) -> list[str]:
        return [name for name in self.commands() if name.startswith(text)]

    # ---- going ----------------------------------------------------------------------------
    def do_step(self, rest: str) -> None:
        """[N] -- execute a word, or N"""
        self._report(self.debugger.step(count(rest)))

    def do_next(self, rest: str) -> None:
        """[QUEUE [INSTANCE]] -- go to the next word of this queue, or of another"""
        self._report(self.debugger.run_to_queue(self._queue(arguments(rest, 2))))

    def do_run(self, rest: str) -> None:
        """[PLACE [INSTANCE]] -- go to a breakpoint, trap or the end, or to a place"""
        spec, instance = self._place(rest)
        going = self.debugger
        self._report(going.run_to_instruction(spec, instance) if spec else going.run())

    def do_to(self, rest: str) -> None:
        """CYCLE -- go to the beginning of a cycle, forwards or back"""
        self._report(self.debugger.run_to_cycle(count(rest, None)))

    def do_back(self, rest: str) -> None:
        """[N] -- take back a word, or N"""
        self._report(self.debugger.back(count(rest)))

    def do_trap(self, rest: str) -> None:
        """-- go to the trap past all breakpoints, and say what it is"""
        arguments(rest, 0)
        self._report(self.debugger.run_to_trap())

    def _report(self, stop: Stop) -> None:
        self.say(stop_text(self.debugger, stop))
        self.say(where(self.debugger))

    # ---- stops ----------------------------------------------------------------------------
    def do_break(self, rest: str) -> None:
        """[PLACE [INSTANCE]] -- stop before words; alone: list breakpoints and watches"""
        spec, instance = self._place(rest)
        if spec:
            self.say(listed([self.debugger.add_break(spec, instance)]))
            return
        self.say(listed([*self.debugger.breakpoints, *self.debugger.watches]) or ["none"])

    def do_watch(self, rest: str) -> None:
        """BUFFER [INSTANCE] -- stop behind words that write a buffer"""
        name, instance = self._place(rest)
        if not name:
            raise wanted("a buffer", "nothing")
        self.say(listed([self.debugger.watch(name, instance)]))

    def do_delete(self, rest: str) -> None:
        """N -- forget a breakpoint or watch"""
        self.debugger.delete(count(rest, None))

    # ---- looking --------------------------------------------------------------------------
    def do_where(self, rest: str) -> None:
        """-- the next word, its loop turns and where it came from"""
        arguments(rest, 0)
        self.say(where(self.debugger))

    def do_list(self, rest: str) -> None:
        """[PLACE] -- words around the next one, or around a place, with marks:
        > next, * breakpoint, r running, w waiting, c control processor"""
        standing = self.debugger.next
        block, index = standing.at if standing else (self.debugger.block.name, 0)
        stopped = self.debugger.stopped
        if standing is None and stopped is not None and stopped.place is not None:
            block, index = stopped.place.block or block, stopped.place.word or 0
        if rest:
            block, index = min(words_of(self.debugger.program, arguments(rest, 1)[0]))
        self.say(word_lines(self.debugger, block, index, self._marks()))

    def do_queues(self, rest: str) -> None:
        """[INSTANCE] -- what queues have, and what their words wait for"""
        for instance in self._instances(rest):
            click.echo(f"{instance} ({short(instance)})")
            queues, control = self.debugger.queues(instance), self.debugger.control(instance)
            self.say(queue_lines(queues, control))

    def do_regs(self, rest: str) -> None:
        """[INSTANCE] -- loop counters, registers, ids and semaphores"""
        for instance in self._instances(rest)[:1]:
            click.echo(f"{instance} ({short(instance)})")
            self.say(register_lines(self.debugger, instance))

    def do_print(self, rest: str) -> None:
        """[BUFFER[(SLOT)] [INSTANCE] [[PART]]] -- a buffer or tensor; alone: their names"""
        if not rest:
            names = map(quote, buffers(self.debugger.program, self.debugger.block))
            click.echo(", ".join(names))
            return
        name, slot, at, part = printed(rest)
        instance = parse_instance(self.debugger.system, at) if at else None
        contents = self.debugger.inspect(name, instance, slot)
        chosen = None if part is None else part_of(part, contents.values.shape)
        self.say(content_lines(contents, chosen, self.debugger.arriving(contents)))

    def do_help(self, rest: str) -> None:
        """[COMMAND] -- this list, or one of it"""
        for name in [ALIASES.get(rest, rest)] if rest else self.commands():
            usage, _, text = (self._command(name).__doc__ or "").partition("-- ")
            first, *more = (line.strip() for line in text.splitlines())
            head = f"{name} {usage}".strip()
            click.echo(f"{head:<27} {first}" if len(head) < 28 else f"{head}\n{'':<27} {first}")
            self.say(f"{'':<27} {line}" for line in more)
        if not rest:
            others = [
                f"{'/'.join(a for a in ALIASES if ALIASES[a] == name)} {name}"
                for name in dict.fromkeys(ALIASES.values())
            ]
            self.say(["", f"also: {', '.join(others)}", *PLACES])

    def do_quit(self, rest: str) -> bool:
        """-- end"""
        arguments(rest, 0)
        return True

    # ---- arguments ------------------------------------------------------------------------
    def _place(self, rest: str) -> tuple[str, Instance | None]:
        """A name, empty if there is none, and an instance."""
        name, *more = arguments(rest, 2) or [""]
        return name, parse_instance(self.debugger.system, more[0]) if more else None

    def _queue(self, given: list[str]) -> QueueOf:
        """A queue by name, that of the next word without one."""
        standing = self.debugger.next
        if not given:
            return standing.queue if standing else self.debugger.system.queues[0]
        name, *more = given
        system = self.debugger.system
        at = parse_instance(system, more[0]) if more else self.debugger.here
        row = next((q for q in system.queues if q.name == name.upper()), None)
        if row is None:
            names = ", ".join(dict.fromkeys(q.name for q in system.queues))
            raise MaiaccError("E0004", f"no queue {quote(name)}", expected=names)
        role = row.instance.role
        instance = at if at.role == role else system.inside(at, role)[0]
        return system.queue(instance, name.upper())

    def _instances(self, rest: str) -> list[Instance]:
        """One that is named; without a name that of the next word and those around it."""
        given, system = arguments(rest, 1), self.debugger.system
        if given:
            return [parse_instance(system, given[0])]
        here = self.debugger.here
        around = [i for role in ("cluster", "chip") for i in system.inside(here, role)]
        return [here, *(i for i in around if within(here, i) and i is not here)]

    def _marks(self) -> Marks:
        """The marks that stand beside words."""
        going, standing = self.debugger, self.debugger.next
        running, waiting, control = set(), set(), set()
        for instance in self._instances(""):
            for state in going.queues(instance):
                executed = (*state.completing, *([state.occupies] if state.occupies else []))
                running |= {(word.block.name, word.index) for word in executed}
                waiting |= {(word.block.name, word.index) for word in state.waiting}
            if (at := going.control(instance).at) is not None:
                control.add((at.block.name, at.index))
        breaks = frozenset(word for point in going.breakpoints for word in point.words)
        sets = (breaks, *map(frozenset, (running, waiting, control)))
        return Marks(standing.at if standing else None, *sets)
