"""Small programs that the tests of the command line run, and commands without a process."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from unittest.mock import patch

from maiacc.cli import main

#: The matrix product of the demo.
DEMO = files("maiacc.data").joinpath("demo.mist").read_text("utf-8")

#: Rows of X are copied once more than a loaded scalar says, from 0 to 9.
LOADS = """mist 1.0
target mini
input  N : int32[1] @ 0x0
input  X : fp32[64] @ 0x40
output Y : fp32[4, 64] @ 0x200
block b {
  buffer n : int32[1] @tsram 0x0
  buffer x : fp32[64] @tsram 0x40
  buffer z : fp32[4, 64] @hbm 0x1000
  sem here : LD0 -> TCP tile
  sem full : LD0 -> ST tile
  sem free : ST -> LD0 tile = 1
  reg k = s0
  LD0 copy n{i:1}[i], N{i:1}[i] post(here)
  k = sld n{i:1}[i] wait(here) in 0..9 on tile
  loop j < k on tile {
    LD0 copy x{i:64}[i], X{i:64}[i] wait(free) post(full)
    ST copy z{m:1, i:64}[gtile, i], x{i:64}[i] wait(full) post(free)
  }
  LD0 copy x{i:64}[i], X{i:64}[i] wait(free) post(full)
  ST copy Y{m:1, i:64}[gtile, i], x{i:64}[i] wait(full) post(free)
}
"""

#: A program that copies again and again, for a very long time.
LONG = """mist 1.0
target mini
input  X : bf16[8, 64] @ 0x0
output Y : bf16[8, 64] @ 0x400
block b {
  buffer t : bf16[8, 64] @tsram 0x0
  sem full : LD0 -> ST tile
  sem free : ST -> LD0 tile = 1
  loop i < 100 on tile {
    loop j < 1000 {
      LD0 copy t{i:8, j:64}[i, j], X{i:8, j:64}[i, j] wait(free) post(full)
      ST copy Y{i:8, j:64}[i, j], t{i:8, j:64}[i, j] wait(full) post(free)
    }
  }
}
"""

#: Three inputs of different types, a state and a parameter; nothing is computed.
MANY = """mist 1.0
target mini
param n : 1..8
input  A : bf16[2, 3] @ 0x0
input  B : int4[2, 2] @ 0x40
input  C : fp32[2, 3] @ 0x80
state  S : int64[2] @ 0xc0 in "S" out "S next"
block b {
  nop
}
"""

#: The store of the demo never gets its token.
STUCK = DEMO.replace("post(drained, result)", "post(drained)")


@dataclass(frozen=True)
class Said:
    """What a command said, and the code it ended with."""

    code: int
    out: str
    err: str


def call(folder: Path, *arguments: str) -> Said:
    """Runs a command in this process, in a folder. Many times quicker than a child process."""
    out, err = io.StringIO(), io.StringIO()
    code = -1
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        patch.object(sys, "argv", ["maiacc", *arguments]),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else -1
    return Said(code, out.getvalue(), err.getvalue())
