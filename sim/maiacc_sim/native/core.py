"""The compiled cores: native code found in the cache or compiled, each when it is first needed.

A core is a set of functions that are compiled together. Compiled code depends on the processor, on
LLVM and on everything that the native package is made from: its sources, and the rows. All of it is
in the name of the entry.
"""

from __future__ import annotations

import importlib
import threading
from functools import cache

from maiacc_isa.cache import get, key, put, source_digest
from maiacc_isa.load import load, rows_digest
from maiacc_isa.spec import Insn
from maiacc_sim.native.toolchain.float_mode import EXPORTS
from maiacc_sim.native.toolchain.host import host
from maiacc_sim.native.toolchain.objects import Library, compile_text

#: The families of kernels that rows name, by the core that has them. What most programs need is
#: compiled together, since it has much in common; the rest when a program needs it.
FAMILIES = {
    "values": ("nothing", "copy", "turn", "fill", "combine", "multiply", "map"),
    "more": (
        "multiply_sparse", "gather", "scatter", "reduce", "scan", "sort", "top", "convert",
        "select", "iota", "quantise", "scale", "check",
    ),
}  # fmt: skip

#: The packages that native code is made from; rows are files of the second.
SOURCES = ("maiacc_sim", "maiacc_isa")

#: What compiling needs; loaded for it only, since it takes longer than everything else here.
ROOTS = "maiacc_sim.native.roots"

#: Held while a core is made, so that threads that need the same one make it once.
_MAKING = threading.Lock()


@cache
def exports() -> dict[str, dict[str, int]]:
    """The functions of every core, with the number of addresses or numbers they take."""
    found = {core: {f"family_{f}": 4 for f in families} for core, families in FAMILIES.items()}
    found["values"] |= {"run_thread": 2, "start_block": 1, **EXPORTS}
    found["timing"] = {"run_events": 2}
    for stage in load().stages.values():
        if "float" in stage.classes:
            found["values" if stage.function is None else "more"][f"row_{stage.name}"] = 5
    return found


@cache
def _homes() -> dict[str, str]:
    """The core of every function."""
    return {name: core for core, functions in exports().items() for name in functions}


def address_of(function: str) -> int:
    """Where a function is; its core is loaded for it. 0 if no core has it."""
    core = _homes().get(function)
    return 0 if core is None else library(core).address(function)


def kernel_of(row: Insn) -> int:
    """The address of the kernel of an instruction; 0 if it has none."""
    return 0 if row.native is None else address_of(f"family_{row.native}")


def library(core: str) -> Library:
    """A core, loaded into this process; threads may ask for one at the same time."""
    with _MAKING:
        return _loaded(core)


@cache
def _loaded(core: str) -> Library:
    entry = key(core, host().key, source_digest(SOURCES), rows_digest())
    code = get("native", entry)
    if code is None:
        code = compile_text(importlib.import_module(ROOTS).text_of(core))
        put("native", entry, code)
    return Library(code, exports()[core])
