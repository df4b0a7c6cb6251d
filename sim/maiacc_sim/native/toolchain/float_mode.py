"""The mode of the processor's float unit while native code runs.

Libraries that are compiled for speed let the processor take denormals for zero, for everything else
in the process, too. Native code needs what IEEE 754 says, so a thread takes the usual mode when it
goes in and gives back what there was when it comes out.
"""

from __future__ import annotations

from maiacc_sim.native.lang.functions import PREFIX

#: MXCSR after a reset: all exceptions masked, rounding to nearest, denormals kept.
MXCSR = 0x1F80

_X86 = f"""
declare void @llvm.x86.sse.ldmxcsr(ptr)
declare void @llvm.x86.sse.stmxcsr(ptr)
define i64 @{PREFIX}take_mode() {{
  %place = alloca i64
  store i64 0, ptr %place
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %before = load i64, ptr %place
  store i64 {MXCSR}, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  ret i64 %before
}}
define i64 @{PREFIX}give_mode(i64 %mode) {{
  %place = alloca i64
  store i64 %mode, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  ret i64 0
}}
"""

_ARM = f"""
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
define i64 @{PREFIX}take_mode() {{
  %before = call i64 @llvm.aarch64.get.fpcr()
  call void @llvm.aarch64.set.fpcr(i64 0)
  ret i64 %before
}}
define i64 @{PREFIX}give_mode(i64 %mode) {{
  call void @llvm.aarch64.set.fpcr(i64 %mode)
  ret i64 0
}}
"""

_OTHER = f"""
define i64 @{PREFIX}take_mode() {{
  ret i64 0
}}
define i64 @{PREFIX}give_mode(i64 %mode) {{
  ret i64 0
}}
"""

#: The functions, with the number of numbers they take.
EXPORTS = {"take_mode": 0, "give_mode": 1}


def text_for(triple: str) -> str:
    """Both functions in LLVM's assembly, for a processor."""
    return {"x86_64": _X86, "aarch64": _ARM, "arm64": _ARM}.get(triple.split("-")[0], _OTHER)
