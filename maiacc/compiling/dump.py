"""Every stage of a model on its way to words, as numbered text files in a folder."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from maiacc.compiling.build import Built, Watch
from maiacc.output import write_atomically
from maiacc_isa.errors import MaiaccError, Place
from maiacc_isa.text import disassemble
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.kernel.plan import Plan
from maiacc_passes.kernel.text import plan_text
from maiacc_passes.schedule.schedule import Placed


class Dump:
    """Writes ``00-import.ir``, a file after each pass, ``NN-kernel.txt``, ``NN-placed.txt`` and
    ``NN-program.mist``."""

    def __init__(self, folder: str, watch: Watch) -> None:
        self.folder = Path(folder)
        self._watch = watch
        self._count = 0
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as problem:
            raise MaiaccError(
                "E0003", f"cannot be written: {problem.strerror}", place=Place(file=folder)
            ) from None
        if not os.access(self.folder, os.W_OK):
            raise MaiaccError("E0003", "cannot be written", place=Place(file=folder))

    @property
    def watch(self) -> Watch:
        """A watch that writes what it sees, beside what another one does."""
        return replace(self._watch, after=self.after, tiled=self.tiled)

    def after(self, name: str, module: Module) -> None:
        """The module after a pass."""
        self._watch.after(name, module)
        self._write(f"{name}.ir", print_module(module))

    def tiled(self, plan: Plan) -> None:
        """The kernels, before they are placed."""
        self._watch.tiled(plan)
        self._write("kernel.txt", plan_text(plan))

    def built(self, built: Built) -> None:
        """The placed kernels and the program."""
        self._write("placed.txt", placed_text(built.compiled.placed))
        self._write("program.mist", disassemble(built.program))

    def _write(self, name: str, text: str) -> None:
        path = self.folder / f"{self._count:02d}-{name}"
        write_atomically(str(path), [text.encode()])
        self._count += 1


def placed_text(placed: Placed) -> str:
    """All kernels, with addresses and semaphores."""
    places = {
        kernel.name: where
        for block in placed.blocks
        for kernel, where in zip(block.kernels, block.places, strict=True)
    }
    return plan_text(placed.plan, placed.bases, places, placed.near)
