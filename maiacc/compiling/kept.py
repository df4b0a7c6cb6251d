"""The text after every pass, kept in a program file: written by ``maiacc compile --keep-ir``, read
by ``maiacc ir``. Weights are in these texts by their digest or place, never by their values.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from maiacc.compiling.build import Built, Watch
from maiacc.compiling.dump import placed_text
from maiacc_isa.container import read_note
from maiacc_isa.errors import MaiaccError, Place
from maiacc_isa.program import Weights
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.kernel.plan import Plan
from maiacc_passes.kernel.text import plan_text

#: The note that lists the texts, and the most bytes of texts that a file keeps.
INDEX, LARGEST = "stages.json", 48 << 20

#: What the texts behind the passes are called.
KERNELS, PLACED = "tile", "schedule"


class StageRow(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A text: the pass it is from, what there is to say about it, and the note that holds it; none
    if there was no room for it."""

    name: str
    about: str
    note: str | None = None


class Kept:
    """Gathers the texts while a model is compiled."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._rows: list[StageRow] = []
        self._notes: dict[str, Weights] = {}
        self._last: tuple[bytes, str | None] = (b"", None)
        self._size = 0

    @property
    def watch(self) -> Watch:
        """A watch that keeps what it sees, beside what another one does."""
        return replace(self._watch, after=self.after, tiled=self.tiled)

    def after(self, name: str, module: Module) -> None:
        """The module after a pass."""
        self._watch.after(name, module)
        self._keep(name, ops(module), print_module(module))

    def tiled(self, plan: Plan) -> None:
        """The kernels, before they are placed."""
        self._watch.tiled(plan)
        self._keep(KERNELS, f"{len(plan.kernels):>7,} kernels", plan_text(plan))

    def built(self, built: Built) -> None:
        """The placed kernels; puts all texts into the program."""
        placed = built.compiled.placed
        about = f"{len(placed.plan.kernels):>7,} kernels, placed"
        self._keep(PLACED, about, placed_text(placed))
        index = msgspec.json.encode(self._rows)
        notes = {INDEX: Weights(index, size=len(index))} | self._notes
        built.program = replace(built.program, notes=built.program.notes | notes)

    def _keep(self, name: str, about: str, text: str) -> None:
        data = text.encode()
        again = sum(row.name.split("#")[0] == name for row in self._rows)
        row = StageRow(f"{name}#{again + 1}" if again else name, about)
        self._rows.append(row)
        if data == self._last[0]:
            row.about, row.note = f"{about}, unchanged", self._last[1]
        elif self._size + len(data) <= LARGEST:
            row.note = f"stage_{len(self._rows) - 1:02d}.txt"
            self._notes[row.note] = Weights(data, size=len(data))
            self._size += len(data)
        self._last = data, row.note


def ops(module: Module) -> str:
    """How many ops a module has, those that end regions aside."""
    count = sum(bool(op.results) for op in module.main.walk())
    return f"{count:>7,} op{'' if count == 1 else 's'}"


def kept_stages(path: str) -> list[StageRow]:
    """What a program file keeps, in the order of the passes. Raises ``MaiaccError``: E0603 where
    there is nothing, E0606 for a damaged list, and what ``open_program`` raises."""
    data = read_note(path, INDEX)
    if data is None:
        raise MaiaccError(
            "E0603",
            "the file does not keep the text after each pass",
            place=Place(file=path),
            hint="compile the model again with --keep-ir, or give the model itself",
        )
    try:
        return msgspec.json.decode(data, type=list[StageRow])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise _damaged(path, str(problem)) from None


def kept_text(path: str, row: StageRow) -> str:
    """The text of a stage. Raises ``MaiaccError`` E0006 where it was too large to be kept, and
    E0606 for one that is damaged."""
    if row.note is None:
        raise MaiaccError(
            "E0006",
            f"the text after {row.name} was too large to be kept",
            place=Place(file=path),
            expected=f"at most {LARGEST >> 20} MiB of texts in a file",
            hint="maiacc compile --dump-ir writes files of any size",
        )
    data = read_note(path, row.note)
    try:
        return (data or b"").decode()
    except UnicodeDecodeError as problem:
        raise _damaged(path, str(problem)) from None


def _damaged(path: str, how: str) -> MaiaccError:
    return MaiaccError("E0606", f"texts of passes are damaged: {how}", place=Place(file=path))
