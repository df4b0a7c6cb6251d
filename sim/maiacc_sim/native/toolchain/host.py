"""The processor that native code is made for, and LLVM set up for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import llvmlite
from llvmlite import binding as llvm


@dataclass(frozen=True)
class Host:
    """The processor: its name and features as LLVM calls them, the target triple, and how many
    floats a register holds and how many such registers there are."""

    triple: str
    cpu: str
    features: str
    lanes: int
    registers: int

    @property
    def key(self) -> str:
        """What compiled code depends on besides its source."""
        version = ".".join(map(str, llvm.llvm_version_info))
        return f"{self.triple} {self.cpu} {self.features} llvm {version} {llvmlite.__version__}"


@cache
def host() -> Host:
    """The processor of this computer."""
    features = llvm.get_host_cpu_features()
    lanes, registers = 4, 16
    if features.get("avx512f") and features.get("avx512vl") and features.get("avx512dq"):
        lanes, registers = 16, 32
    elif features.get("avx2") and features.get("fma"):
        lanes, registers = 8, 16
    elif features.get("neon"):
        lanes, registers = 4, 32
    return Host(
        llvm.get_process_triple(), llvm.get_host_cpu_name(), features.flatten(), lanes, registers
    )


@cache
def set_up() -> None:
    """Prepares LLVM for the processor of this computer; once a process."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def target_machine(level: int) -> llvm.TargetMachine:
    """LLVM's code generator, at an optimisation level from 0 to 3."""
    set_up()
    here = host()
    return llvm.Target.from_triple(here.triple).create_target_machine(
        cpu=here.cpu, features=here.features, opt=level, reloc="pic", codemodel="small", jit=True
    )
