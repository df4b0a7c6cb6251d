"""A program full of denormals, run natively in a thread whose processor takes them for zero.

``python -m native.flushed THREADS`` prints whether arithmetic here flushes denormals before the run
and after it, and the outputs in hexadecimal. Libraries that are compiled for speed set the
processor to that when they are loaded, for everything else in the process, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from maiacc_isa.asm import assemble
from maiacc_isa.program import Program
from maiacc_sim.native.lang.functions import PREFIX
from maiacc_sim.native.toolchain.host import host
from maiacc_sim.native.toolchain.objects import Library, compile_text
from maiacc_sim.native.values_run import run_values_natively
from maiacc_sim.pages import Array

#: Operations of every kind on what is below the normal numbers, or comes to lie there.
TEXT = """mist 1.0
target mini
input  A : fp32[32, 32] @ 0x0
input  B : fp32[32, 32] @ 0x1000
output Y : fp32[32, 32] @ 0x2000
output H : fp16[32, 32] @ 0x3000
output P : fp32[32, 8] @ 0x4000
output Q : e5m2[32, 32] @ 0x4800
output S : fp32[32] @ 0x5000
block main {
  buffer a : fp32[8, 32] @tsram 0x0
  buffer b : fp32[8, 32] @tsram 0x400
  buffer y : fp32[8, 32] @tsram 0x800
  buffer h : fp16[8, 32] @tsram 0xc00
  buffer p : fp32[8, 8] @tsram 0x1000
  buffer q : e5m2[8, 32] @tsram 0x1200
  buffer s : fp32[8] @tsram 0x1400
  buffer sums : fp32[8, 8] @acc 0x0
  sem loaded : LD0 -> TVP tile
  sem there : LD0 -> TTU tile
  sem product : TTU -> DRN tile
  sem drained : DRN -> ST tile
  sem done : TVP -> ST tile
  chain first : fp32 = mul(a, b); add(r0, a); exp(r1)
  chain second : fp32 = mul(a, b); sqrt(r0); div(r1, c)
  chain plain : fp32 = mov(a)
  LD0 copy a{i:8, j:32}[i, j], A{i:8, j:32}[8*gtile + i, j]
  LD0 copy b{i:8, j:32}[i, j], B{i:8, j:32}[8*gtile + i, j] post(loaded, there)
  TVP vmap y{i:8, j:32}[i, j], a{i:8, j:32}[i, j], b{i:8, j:32}[i, j] chain=first wait(loaded)
  TVP vred s{i:8}[i], a{i:8 | j:32}[i, j] op=sum
  TVP vcvt h{i:8, j:32}[i, j], b{i:8, j:32}[i, j]
  TVP vcvt q{i:8, j:32}[i, j], h{i:8, j:32}[i, j]
  TVP vmap y{i:8, j:32}[i, j], a{i:8, j:32}[i, j], b{i:8, j:32}[i, j], y{i:8, j:32}[i, j] chain=second post(done)
  TTU mm sums{i:8 | j:8}[i, j], a{i:8 | k:32}[i, k], b{j:8 | k:32}[j, k] mode=over wait(there) post(product)
  DRN accst p{i:8 | j:8}[i, j], sums{i:8 | j:8}[i, j] chain=plain wait(product) post(drained)
  ST copy Y{i:8, j:32}[8*gtile + i, j], y{i:8, j:32}[i, j] wait(done, drained)
  ST copy H{i:8, j:32}[8*gtile + i, j], h{i:8, j:32}[i, j]
  ST copy Q{i:8, j:32}[8*gtile + i, j], q{i:8, j:32}[i, j]
  ST copy P{i:8, j:8}[8*gtile + i, j], p{i:8, j:8}[i, j]
  ST copy S{i:8}[8*gtile + i], s{i:8}[i]
}
"""

#: How the processors that native code is made for are told: reading and writing of a register, its
#: bits, and those that flush what is read and what is written.
REGISTERS = {
    "x86_64": (
        """
declare void @llvm.x86.sse.ldmxcsr(ptr)
declare void @llvm.x86.sse.stmxcsr(ptr)
define i64 @PREFIXtake_mode() {
  %place = alloca i64
  store i64 0, ptr %place
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %mode = load i64, ptr %place
  ret i64 %mode
}
define i64 @PREFIXgive_mode(i64 %mode) {
  %place = alloca i64
  store i64 %mode, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  ret i64 0
}
""",
        1 << 15 | 1 << 6,
    ),
    "aarch64": (
        """
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
define i64 @PREFIXtake_mode() {
  %mode = call i64 @llvm.aarch64.get.fpcr()
  ret i64 %mode
}
define i64 @PREFIXgive_mode(i64 %mode) {
  call void @llvm.aarch64.set.fpcr(i64 %mode)
  ret i64 0
}
""",
        1 << 24,
    ),
}


def program() -> Program:
    """The program."""
    return assemble(TEXT, "denormals.mist")


def inputs() -> dict[str, Array]:
    """Numbers some of whose products are denormal. Every other row of A is so, too."""
    rng = np.random.default_rng(3)
    exponents = rng.choice([0, 0, 1, 2, 20, 40, 63, 64, 80, 106, 112, 125], (2, 32, 32))
    exponents[0, ::2] = 0
    signs, fractions = rng.integers(0, 2, (2, 32, 32)), rng.integers(0, 1 << 20, (2, 32, 32))
    bits = signs << 31 | exponents << 23 | fractions
    one, two = bits.astype(np.uint32).view(np.float32)
    return {"A": one, "B": two}


def flush() -> None:
    """Lets this thread, and those it starts, take denormals for zero."""
    text, bits = REGISTERS[host().triple.split("-")[0]]
    code = compile_text(text.replace("PREFIX", PREFIX))
    library = Library(code, {"take_mode": 0, "give_mode": 1})
    take: Callable[..., int] = library.function("take_mode")
    library.function("give_mode")(take() | bits)


def flushes() -> bool:
    """Whether a denormal number is taken for zero."""
    small = np.array([1], np.uint32).view(np.float32)
    return bool((small * np.float32(1))[0] == 0)


def main(threads: str) -> None:
    """Runs the program."""
    flush()
    print(flushes())
    done = run_values_natively(program(), inputs(), threads=int(threads))
    print(flushes())
    for name, output in done.outputs.items():
        print(name, output.tobytes().hex())


if __name__ == "__main__":
    main(*sys.argv[1:])
