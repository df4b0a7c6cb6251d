"""What is said of a model that does not fit: what exists when, how much is too much, what helps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from maiacc_isa.machine import Machine, builtin_machine, builtin_machines
from maiacc_passes.ir.errors import IRError
from maiacc_passes.kernel.model import Buffer, Kernel
from maiacc_passes.kernel.plan import Plan, Scalars, walk
from maiacc_passes.schedule.arena import Arena, Life
from maiacc_passes.schedule.lives import Lives

#: Tensors that are named.
MOST = 10

#: Types that weights may be narrowed to, with their bits and the rate that multiplies them.
NARROWER = (("bf16", 16, "bf16"), ("fp8", 8, "fp8"))

#: From this share on, values between kernels are worth a word.
WORTH = 0.2


@dataclass(frozen=True)
class Full:
    """A plan whose tensors have these lives, by buffer, and need an arena that is too large.
    ``used`` is when they are touched; ends and weights live all the time."""

    plan: Plan
    lives: Mapping[Buffer, Life]
    used: Lives
    machine: Machine

    def __call__(self, arena: Arena) -> IRError:
        """The refusal, E1503: the tensors that exist when most do, the largest first."""
        capacity = self.machine.space_bytes("hbm")
        when = self._worst()
        alive = {b: x for b, x in self.lives.items() if x.first <= when <= x.last}
        steps = self._steps()
        largest = sorted(alive, key=lambda b: (-b.bytes, b.name))
        lines = [
            f"{arena.peak:,} bytes, {arena.peak - capacity:,} too many, and {arena.bound:,} "
            f"wherever tensors lie: {len(alive):,} of them exist at {steps[when]}",
            *(self._line(buffer, steps) for buffer in largest[:MOST]),
        ]
        if len(largest) > MOST:
            rest = sum(buffer.bytes for buffer in largest[MOST:])
            lines.append(f"and {len(largest) - MOST:,} more: {rest:,} bytes")
        return IRError(
            "E1503",
            "the model does not fit the memory of the chip",
            expected=f"at most {capacity:,} bytes of HBM",
            found="\n".join(lines),
            hint="\n".join(self._hints(arena, alive)),
        )

    def _worst(self) -> int:
        """The first step at which most bytes exist."""
        changes: dict[int, int] = {0: 0}
        for life in self.lives.values():
            changes[life.first] = changes.get(life.first, 0) + life.size
            changes[life.last + 1] = changes.get(life.last + 1, 0) - life.size
        best, most, alive = 0, -1, 0
        for when in sorted(changes):
            alive += changes[when]
            if alive > most:
                best, most = when, alive
        return best

    def _steps(self) -> list[str]:
        """What the steps are called: a kernel with its first node."""
        found = []
        for step in walk(self.plan.steps):
            if isinstance(step, Kernel | Scalars):
                name = step.name if isinstance(step, Kernel) else "the scalars"
                nodes = step.location.nodes
                found.append(f"{name} ({nodes[0]})" if nodes else name)
        return found or ["the beginning"]

    def _line(self, buffer: Buffer, steps: Sequence[str]) -> str:
        names = {output.buffer: name for name, output in self.plan.outputs.items()}
        kind = "output" if buffer in names else buffer.kind
        shape = ", ".join(map(str, buffer.shape))
        about = f"{kind} {buffer.dtype}[{shape}]"
        text = f"{names.get(buffer, buffer.name)}: {buffer.bytes:,} bytes, {about}, "
        text += "" if kind == "temp" else "there all the time, "
        if buffer not in self.used.first:
            return text + "used by nobody"
        first, last = steps[self.used.first[buffer]], steps[self.used.last[buffer]]
        return text + (f"used from {first} to {last}" if first != last else f"used in {first}")

    # ---- what helps ---------------------------------------------------------------------------
    def _hints(self, arena: Arena, alive: Mapping[Buffer, Life]) -> Iterator[str]:
        capacity = self.machine.space_bytes("hbm")
        if arena.bound <= capacity:
            yield "any smaller shape: only the gaps between tensors are too much"
        yield from self._narrower(arena.bound - capacity)
        values = sum(b.bytes for b in alive if b.kind != "weight")
        if values >= WORTH * arena.bound:
            yield f"a smaller --shape: what is no weight takes {values:,} bytes"
        roomy = [
            f"{name} ({size:,} bytes)"
            for name in builtin_machines()
            if (size := builtin_machine(name).space_bytes("hbm")) >= arena.peak
        ]
        if roomy:
            yield f"a --target with more HBM: {', '.join(roomy)}"
        else:
            yield "a machine file with more HBM; no machine that comes along has so much"

    def _narrower(self, excess: int) -> Iterator[str]:
        """Precisions that make weights smaller: the first one by which the model would fit."""
        held = [b for b in self.plan.constants if b.element.is_float and len(b.shape) > 1]
        text = ""
        for name, bits, rate in NARROWER:
            saved = sum(b.bytes - b.size * bits // 8 for b in held if b.element.bits > bits)
            if saved <= 0 or not self.machine.int(f"ttu.kchunk.{rate}"):
                continue
            text = f"--precision {name}: weights take up to {saved:,} bytes less"
            if 0 < excess <= saved:
                yield f"{text}, which would do"
                return
        if text:
            yield f"{text}, which alone would not do"
