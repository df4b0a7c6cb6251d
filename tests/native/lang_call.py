"""Native functions of these tests, compiled together and called."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_sim.native.lang.functions import NativeFunction
from maiacc_sim.native.lang.translate import translate
from maiacc_sim.native.toolchain.objects import Library, compile_text
from native import lang_floats, lang_memory, lang_numbers

Numbers = NDArray[Any]


def exported() -> dict[str, NativeFunction]:
    """The functions of the samples that Python may call."""
    modules = (lang_numbers, lang_memory, lang_floats)
    named = [item for module in modules for item in vars(module).items()]
    return {n: f for n, f in named if isinstance(f, NativeFunction) and f.exported}


@cache
def library() -> Library:
    """All samples, compiled together."""
    code = compile_text(translate(exported().values()).text())
    return Library(code, {name: len(f.names) for name, f in exported().items()})


def call(name: str, *arguments: int | Numbers) -> int:
    """What a sample returns for numbers, and for the addresses of arrays."""
    given_ = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
    return library().function(name)(*given_)
