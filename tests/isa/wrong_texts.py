"""Small wrong programs for the assembler: what they get wrong, and the code that says so."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = """mist 1.0
target mini
param n : 0..8
input X : bf16[8, 64] @ 0x0
output Y : bf16[8, 64] @ 0x1000
"""

DECLARATIONS = """  reg slot = s0
  buffer t : bf16[8, 64] @tsram 0x0 slots 2 pitch 0x400
  buffer one_d : fp32[8] @tsram 0x800
  sem full : LD0 -> TVP tile
  sem free : TVP -> LD0 tile = 2
  table rows = [1, 2, 3]
  chain relu : fp32 = relu(a)
  desc v = t(slot){i:8, j:64}[i, j]
  desc x = X{i:8, j:64}[i, j]
"""


@dataclass(frozen=True)
class WrongText:
    """A text, the code it is refused with, and what of it the refusal must point at."""

    name: str
    code: str
    text: str


def _block(name: str, code: str, lines: str) -> WrongText:
    """A wrong statement in a block of which everything else is right."""
    indented = "".join(f"  {line}\n" for line in lines.split("\n"))
    return WrongText(name, code, f"{HEAD}block main {{\n{DECLARATIONS}{indented}}}\n")


def _top(name: str, code: str, line: str) -> WrongText:
    """A wrong statement outside blocks."""
    return WrongText(name, code, f"{HEAD}{line}\nblock main {{\n  nop\n}}\n")


def _whole(name: str, code: str, text: str) -> WrongText:
    return WrongText(name, code, text)


WRONG_TEXTS = [
    # ---- not in the language --------------------------------------------------------------
    _whole("empty", "E0501", ""),
    _whole("no version", "E0501", "target mini\nblock main {\n  nop\n}\n"),
    _whole("block never closed", "E0501", f"{HEAD}block main {{\n  nop\n"),
    _block("loop never closed", "E0501", "loop k < 4 on tile {\n  nop"),
    _block("missing comma", "E0501", "LD0 copy v x wait(free)"),
    _block("missing comma in a view", "E0501", "LD0 copy t{i:8 j:64}[i, j], x"),
    _block("post without a semaphore", "E0501", "LD0 copy v, x post"),
    _block("post of nothing", "E0501", "LD0 copy v, x post()"),
    _block("keyword as a register", "E0501", "at = 3"),
    _block("keyword as another register", "E0501", "mask = 3 on tile"),
    _block("keyword as a value", "E0502", "slot = 8*loop on tile"),
    _block("misspelt statement", "E0501", "bufer b : bf16[8] @tsram 0x0"),
    _block("character of no statement", "E0501", "slot = 3 ; 4"),
    # ---- names -----------------------------------------------------------------------------
    _block("misspelt instruction", "E0502", "LD0 cpoy v, x"),
    _block("misspelt queue", "E0502", "LDO copy v, x"),
    _block("misspelt field", "E0509", "TVP vmap v, v chian=relu"),
    _block("misspelt value of a field", "E0404", "TVP vred one_d{r:8}[r], t{r:8 | c:64}[r, c] op=sun"),
    _block("unknown semaphore", "E0502", "LD0 copy v, x wait(fre)"),
    _block("unknown descriptor", "E0502", "LD0 copy v, xx"),
    _block("buffer without a view", "E0502", "LD0 copy t, x"),
    _block("unknown buffer", "E0502", "LD0 copy tt{i:8, j:64}[i, j], x"),
    _block("unknown scalar", "E0502", "LD0 copy t(slto){i:8, j:64}[i, j], x"),
    _block("unknown type", "E0502", "buffer b : bf17[8] @tsram 0x0"),
    _block("unknown memory", "E0502", "buffer b : bf16[8] @tsrm 0x0"),
    _block("unknown stage", "E0502", "chain c : fp32 = rellu(a)"),
    _block("unknown register", "E0502", "s99 = 1 on tile"),
    _block("unknown role", "E0502", "nop on tiles"),
    _whole("unknown machine", "E0004", "mist 1.0\ntarget miny\nblock main {\n  nop\n}\n"),
    _block("declared twice", "E0503", "table rows = [1]"),
    _block("name of a loop", "E0503", "loop tile < 4 {\n}"),
    # ---- numbers and sizes -----------------------------------------------------------------
    _block("long number", "E0504", f"slot = {'9' * 40} on tile"),
    _block("large number", "E0403", "slot = 9999999999999 on tile"),
    _block("deep brackets", "E0505", f"slot = {'(' * 50}"),
    _block("deep loops", "E0505", "".join(f"loop k{i} < 2 {{\n" for i in range(9)) + "nop\n" + "}\n" * 8 + "}"),
    # ---- statements that do not fit -------------------------------------------------------------
    _block("wrong number of dims", "E0507", "LD0 copy t(slot){i:8}[i], x"),
    _block("three waits", "E0507", "LD0 copy v, x wait(free, full, free)"),
    _block("three values", "E0507", "slot = s1 + s2 + s3 on tile"),
    _block("slot of a buffer without slots", "E0507", "LD0 copy one_d(slot){i:8}[i], x"),
    _whole("machine file elsewhere", "E0507", 'mist 1.0\ntarget "../m.toml"\nblock b {\n}\n'),
    _top("two machines", "E0507", "target mini"),
    _whole("another version", "E0508", "mist 2.0\ntarget mini\nblock main {\n  nop\n}\n"),
    _block("wrong number of operands", "E0509", "LD0 copy v"),
    _block("wrong queue", "E0406", "TTU copy v, x"),
    _top("weight of the wrong size", "E0510", "weight W : fp32[2] @ 0x2000 = [1.0]"),
    _top("weight file elsewhere", "E0510", 'weight W : fp32[2] @ 0x2000 = file "../w" at 0 size 8'),
    # ---- what the encoders refuse ---------------------------------------------------------------
    _block("opcode of nothing", "E0401", f'bits "{"ff" * 16}"'),
    _block("reserved bits", "E0402", f'bits "000100{"ff" * 13}"'),
    _block("field not allowed", "E0407", "TTU mm v, v, v mode=acc level=3"),
    _block("no role", "E0408", f'bits "00{"00" * 15}"'),
    _block("too many dims", "E0409", "desc w = t{a:1, b:1, c:1, d:1, e:1, f:1, g:1}[a, b]"),
    _block("not a chain", "E0410", "chain c : fp32 = relu(a); exp(a)"),
    _top("integer that does not fit", "E0411", "weight W : int8[1] @ 0x2000 = [300]"),
]  # fmt: skip
