"""What each core is compiled from: the functions that Python calls or hands on the addresses of.

This loads the whole of the native language and is needed only where a compiled core is not found.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from maiacc_isa.errors import InternalError
from maiacc_sim.native.core import exports
from maiacc_sim.native.lang.functions import PREFIX
from maiacc_sim.native.lang.translate import translate
from maiacc_sim.native.timing import engine
from maiacc_sim.native.toolchain.float_mode import EXPORTS, text_for
from maiacc_sim.native.toolchain.host import host
from maiacc_sim.native.values import families, schedule
from maiacc_sim.native.values.float_stages import float_rows
from maiacc_sim.native.values.functions import SEVERAL


@cache
def roots() -> dict[str, Any]:
    """All exported functions, by symbol."""
    rows = float_rows(SEVERAL).values()
    found = (schedule.run_thread, schedule.start_block, engine.run_events, *families.KERNELS, *rows)
    return {function.symbol: function for function in found}


def text_of(core: str) -> str:
    """A core as LLVM's assembly."""
    plain = {name: count for name, count in exports()[core].items() if name not in EXPORTS}
    wanted = {PREFIX + name: count for name, count in plain.items()}
    found = {name: len(roots()[name].names) for name in wanted if name in roots()}
    if found != wanted:
        raise InternalError("E0001", f"core {core} does not have what it exports: {found}")
    text = translate(roots()[name] for name in wanted).text()
    return text if plain == exports()[core] else text + text_for(host().triple)
