"""From LLVM assembly to object code, and from object code to functions that can be called."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping

from llvmlite import binding as llvm

from maiacc_sim.native.lang.functions import PREFIX
from maiacc_sim.native.toolchain.host import set_up, target_machine

#: How hard LLVM tries.
LEVEL = 2


def compile_text(text: str) -> bytes:
    """Object code for a module's text. Raises RuntimeError for text that LLVM refuses."""
    set_up()
    machine = target_machine(LEVEL)
    module = llvm.parse_assembly(text)
    module.verify()
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    options = llvm.create_pipeline_tuning_options(speed_level=LEVEL)
    passes.run(module, llvm.create_pass_builder(machine, options))
    code: bytes = machine.emit_object(module)
    return code


class Library:
    """Object code loaded into this process. Its pages are never writable and executable at once:
    LLVM's memory manager seals them when it has placed the code."""

    def __init__(self, code: bytes, exports: Mapping[str, int]) -> None:
        set_up()
        self._exports = exports
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(LEVEL))
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Where an exported function is."""
        return int(self._engine.get_function_address(PREFIX + name))

    def function(self, name: str) -> Callable[..., int]:
        """An exported function, to be called with as many addresses as ``exports`` say."""
        addresses = [ctypes.c_void_p] * self._exports[name]
        return ctypes.CFUNCTYPE(ctypes.c_int64, *addresses)(self.address(name))
