"""Program files with changed bytes whose digests fit, and a child process that runs them.

``python -m native.hostile FOLDER FIRST COUNT`` makes the mutants of so many seeds out of the files
in a folder and runs each on a native machine, unproven. It says which one is next before it runs
it, and then how that ended; whoever started it knows which mutant has ended the process.
"""

from __future__ import annotations

import faulthandler
import random
import re
import resource
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from isa.repack import Members, members_of, signed
from maiacc_isa.container import open_program, save
from maiacc_isa.errors import ErrorList, MaiaccError
from maiacc_isa.load import load
from maiacc_isa.program import Program
from maiacc_isa.spec import BitField
from maiacc_isa.word import word_layout
from maiacc_sim.machine import Limits
from maiacc_sim.native.machine import NativeMachine
from maiacc_sim.tensors import random_inputs
from support import limit_memory

#: Records of the members of a block, and their bytes.
RECORDS = {
    "code": "word_engine",
    "desc": "descriptor",
    "chain": "chain",
    "sem": "semaphore",
    "mask": "mask",
}

#: Which members are changed, the larger ones more often.
WEIGHTS = {"code": 10, "desc": 10, "chain": 3, "sem": 2, "mask": 1, "table": 1, "live": 1}

#: What a mutant may use: cycles, simulated bytes, bytes of the process, CPU seconds.
CYCLES, MEMORY, SPACE, SECONDS = 20_000, 1 << 26, 4 << 30, 20

Bits = tuple[int, int]


# ---- making mutants -----------------------------------------------------------------------------
@cache
def leaves(record: str) -> tuple[Bits, ...]:
    """The lowest bit and the width of every number in a record."""
    return tuple(_leaves(load().records[record].fields))


def _leaves(fields: tuple[BitField, ...], base: int = 0) -> Iterator[Bits]:
    for field in fields:
        for number in range(field.count):
            low = base + field.low + number * field.width
            if field.kind.base in ("axis", "dim", "term", "sized", "step", "semref"):
                yield from _leaves(load().records[field.kind.base].fields, low)
            else:
                yield low, field.width


@cache
def _word_leaves(opcode: int) -> tuple[Bits, ...]:
    insn = load().by_opcode.get(opcode)
    if insn is None:
        return leaves("word_engine")
    return tuple(_leaves(tuple(word_layout(insn, load()).fields)))


def changed(rng: random.Random, old: int, width: int) -> int:
    """Another number of so many bits."""
    top = (1 << width) - 1
    match rng.randrange(8):
        case 0:
            return rng.getrandbits(width)
        case 1:
            return old ^ 1 << rng.randrange(width)
        case 2:
            return 0
        case 3:
            return top
        case 4:
            return old + rng.choice((-1, 1, -8, 8)) & top
        case 5:
            return old << 1 & top
        case 6:
            return rng.getrandbits(min(width, 4))
        case _:
            return 1 << width - 1


def mutate(rng: random.Random, members: Members) -> bytes:
    """A file with one to four numbers changed."""
    result = dict(members)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        names = [name for name in result if name.endswith(f".{kind}") and result[name]]
        if kind == "live":
            result["manifest.json"] = _manifest(rng, result["manifest.json"])
        elif names:
            name = rng.choice(sorted(names))
            result[name] = (_table if kind == "table" else _record)(rng, kind, result[name])
    return signed(result)


def _record(rng: random.Random, kind: str, content: bytes) -> bytes:
    """A number of some record changed, or a record copied over another."""
    size = load().records[RECORDS[kind]].bits // 8
    at = rng.randrange(len(content) // size) * size
    record = content[at : at + size]
    if rng.random() < 0.08:
        other = rng.randrange(len(content) // size) * size
        record = content[other : other + size]
    else:
        places = _word_leaves(record[0]) if kind == "code" else leaves(RECORDS[kind])
        low, width = rng.choice(places)
        number = int.from_bytes(record, "little")
        old = number >> low & (1 << width) - 1
        record = (number ^ (old ^ changed(rng, old, width)) << low).to_bytes(size, "little")
    return content[:at] + record + content[at + size :]


def _table(rng: random.Random, kind: str, content: bytes) -> bytes:
    """A number of some table changed."""
    at = rng.randrange(len(content) // 4) * 4
    old = int.from_bytes(content[at : at + 4], "little")
    return content[:at] + changed(rng, old, 32).to_bytes(4, "little") + content[at + 4 :]


def _manifest(rng: random.Random, content: bytes) -> bytes:
    """A number of the manifest changed: tensors, parameters, intervals, control."""
    text = content.decode()
    start, end = text.index('"tensors"'), text.index('"members"')
    found = list(re.finditer(r"(?<=[ \[,:])-?\d+(?=[,\]}\s])", text[start:end]))
    number = rng.choice(found)
    value = str(rng.choice((0, 1, -1, 7, 64, 4096, int(number[0]) + 1, int(number[0]) * 2)))
    return (text[: start + number.start()] + value + text[start + number.end() :]).encode()


def bases(folder: Path) -> list[Members]:
    """The files that mutants are made of."""
    return [members_of(path.read_bytes()) for path in sorted(folder.glob("*.maia"))]


def write_bases(folder: Path, programs: dict[str, Callable[[], Program]]) -> None:
    """Writes the files that mutants are made of."""
    for name, make in programs.items():
        save(make(), str(folder / f"{name}.maia"))


# ---- running them -------------------------------------------------------------------------------
def outcome(path: Path, seed: int) -> str:
    """How the run of a file ends: ``refused`` when it is opened, ``illegal`` when the machine sees
    its words, ``values``, or a code."""
    try:
        program = open_program(str(path))
    except MaiaccError:
        return "refused"
    try:
        machine = NativeMachine(program, Limits(CYCLES, MEMORY), 1 + seed % 2)
        machine.execute(random_inputs(program, seed), {p.name: p.low for p in program.parameters})
    except ErrorList:
        return "illegal"
    except MaiaccError as problem:
        return problem.code
    return "values"


def main(folder: str, first: str, count: str) -> None:
    """Runs mutants one after the other."""
    faulthandler.enable()
    limit_memory(SPACE)
    good = bases(Path(folder))
    path = Path(folder) / f"mutant {first}.file"
    for seed in range(int(first), int(first) + int(count)):
        rng = random.Random(seed)
        path.write_bytes(mutate(rng, rng.choice(good)))
        print(seed, end=" ", flush=True)
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime)
        resource.setrlimit(resource.RLIMIT_CPU, (spent + SECONDS, resource.RLIM_INFINITY))
        try:
            print(outcome(path, seed), flush=True)
        except Exception as problem:  # noqa: BLE001  whatever it is, it should not have come
            print(f"{type(problem).__name__}: {problem}".replace("\n", " "), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
