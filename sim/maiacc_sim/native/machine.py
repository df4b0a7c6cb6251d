"""A machine that executes a program in native code, block by block.

Native code declines what it does not do; then Python executes that one word or step as the
reference simulator means it, on the same memories, and native code goes on. So traps are those of
the reference simulator, with its words.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from maiacc_isa.program import Program
from maiacc_sim.control_graph import blocks_in_order
from maiacc_sim.executor import Executor
from maiacc_sim.machine import Limits
from maiacc_sim.native.bindings import Bindings
from maiacc_sim.native.core import library
from maiacc_sim.native.fallback import Fallback
from maiacc_sim.native.image import BlockImage, block_image
from maiacc_sim.native.machine_state import MachineState
from maiacc_sim.native.memory import NativeMemories
from maiacc_sim.native.onward import mark_copied, written_once
from maiacc_sim.native.shared import ASKS, OVER, SPENT, WAITS
from maiacc_sim.refuse import check
from maiacc_sim.scalar_log import Log, check_parameters
from maiacc_sim.scalars import Sources
from maiacc_sim.system import System
from maiacc_sim.tensors import give_inputs, load_weights, read_outputs
from maiacc_sim.traps import Stopped
from maiacc_sim.values import Executed

#: Work that a thread does before it comes back to Python, so that the user can interrupt.
FUEL = 2_000_000

#: Seconds that a thread sleeps that has nothing to do for a while.
NAP = 2e-5

#: Steps without a limit.
ENDLESS = 1 << 62


class NativeMachine:
    """A system that executes a program natively, as often as one likes.

    ``asked`` counts, by instruction, the words that Python executed because native code declined
    them. What a run leaves in memories is still there when the next one begins, which no proven
    program can see.
    """

    def __init__(
        self,
        program: Program,
        limits: Limits | None = None,
        threads: int = 1,
        legal: bool = False,
    ) -> None:
        """``legal`` says that words have been looked at one by one; native code relies on it, and
        on nothing else. Raises ``ErrorList`` of what is wrong with words."""
        if not legal:
            check(program)
        limits = limits or Limits()
        self.program = program
        self.system = System(program.machine)
        self.memories = NativeMemories(program, self.system, limits.memory)
        self.executor = Executor(program, self.system, self.memories)
        self.max_steps = ENDLESS if limits.cycles is None else limits.cycles
        self.parameters: dict[int, int] = {}
        self.state = MachineState(program, self.system, self.memories.records, threads)
        if threads > 1:
            self.memories.share()
        self.asked: Counter[str] = Counter()
        self.log: Log = {}
        self._weights = False
        self._bindings = Bindings(program, self.memories)
        self._once = written_once(program)
        self._images: dict[str, BlockImage] = {}
        self._enter = library("values").function("run_thread")
        self._take_mode = library("values").function("take_mode")
        self._give_mode = library("values").function("give_mode")
        self._start_block = library("values").function("start_block")

    def execute(
        self, inputs: Mapping[str, NDArray[Any]], parameters: Mapping[str, int] | None = None
    ) -> Executed:
        """Executes the program. Outputs are the caller's; inputs must not change meanwhile.

        Raises ``Trap``, ``Stopped`` and, for inputs and parameters, ``MaiaccError``.
        """
        self.parameters = check_parameters(self.program, parameters or {})
        self.memories.forget()
        outputs = self._bindings.exchange(inputs)
        if outputs is None:
            self.memories.renew()
            give_inputs(self.program, self.memories, inputs)
        if not self._weights:
            load_weights(self.program, self.memories)
            self._weights = True
        self.asked, self.log = Counter(), {}
        self.state.fresh(self.parameters, self.max_steps)
        for block in blocks_in_order(self.program, self.system, _Registers(self.state)):
            if block.name not in self._images:
                image = self._images[block.name] = block_image(block, self.system)
                mark_copied(image, self._once)
            self._execute(self._images[block.name])
        words = sum(int(count[0]) for count in self.state.executed)
        if outputs is None:
            outputs = read_outputs(self.program, self.memories)
        return Executed(outputs, self.log, self.memories, words, self.asked)

    def _execute(self, image: BlockImage) -> None:
        """Runs a block to its end."""
        state = self.state
        self.counters = state.begin(image)
        fallback = Fallback(self, image)
        fallback.check_live_in()
        self.wake_all()
        while True:
            state.go_on()
            reasons = self._threads()
            if SPENT in reasons:
                raise self._spent()
            if image.loads:
                state.take_logs(self.log)
            if all(reason == OVER for reason in reasons):
                fallback.check_over()
                return
            # Two threads may stop at the same word: one takes an instance that the other has
            # already given back.
            records = [
                s.record[0] for s, why in zip(state.scratch, reasons, strict=True) if why == ASKS
            ]
            for instance, queue in sorted({(int(r["instance"]), int(r["queue"])) for r in records}):
                fallback.help(instance, queue)

    def _run_thread(self, machine: int, thread: int) -> int:
        """Lets the calling thread work, in the usual mode of its float unit."""
        mode = self._take_mode()
        try:
            return self._enter(machine, thread)
        finally:
            self._give_mode(mode)

    def _threads(self) -> list[int]:
        """Lets all threads work until they return; says why each did."""
        machine, scratch = self.state.address, self.state.scratch
        for fuel in self.state.fuel:
            fuel[0] = FUEL
        if len(scratch) == 1:
            return [self._run_thread(machine, scratch[0].address)]
        reasons = [OVER] * len(scratch)

        def work(number: int) -> None:
            reason = WAITS
            while reason == WAITS:
                reason = self._run_thread(machine, scratch[number].address)
                if reason == WAITS:
                    time.sleep(NAP)
            reasons[number] = reason

        others = [threading.Thread(target=work, args=(n,)) for n in range(1, len(scratch))]
        for thread in others:
            thread.start()
        try:
            work(0)
        finally:
            for thread in others:
                thread.join()
        return reasons

    def _spent(self) -> Stopped:
        records = [s.record[0] for s in self.state.scratch]
        record = next(r for r in records if r["why"] == SPENT)
        of = self.system.control(self.system.instances[int(record["instance"])])
        return Stopped(
            "E1206",
            f"{of} walks over more words than the run may have cycles",
            expected=f"at most {self.max_steps:,} cycles",
            hint="raise --max-cycles",
        )

    def wake_all(self) -> None:
        """Every instance may be able to go on."""
        self._start_block(self.state.address)


class _Registers(Mapping[int, Sources]):
    """The sources of all control processors, by instance number, read when asked for."""

    def __init__(self, state: MachineState) -> None:
        self._state = state

    def __getitem__(self, number: int) -> Sources:
        return self._state.sources(number)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self._state.system.instances)
