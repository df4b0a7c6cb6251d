"""Random MIST programs for `mini` and `mini2`, most of which the prover accepts.

A program is drawn from a seed: sections that load, compute and store, in loops and out of them,
with every instruction, type, stage and pair the rows have. Data come with it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from math import prod

from maiacc_isa.asm import assemble
from maiacc_isa.lint import Report, prove
from maiacc_isa.program import Program
from sim import (
    programs_data,
    programs_dma,
    programs_network,
    programs_orders,
    programs_scalars,
    programs_tensor,
    programs_vector,
)
from sim.programs_section import Section
from sim.programs_sync import block_text
from sim.programs_text import Buf, Host, Line, Writer


@dataclass(frozen=True)
class Drawn:
    """A random program: its text, and the kinds of data its tensors want."""

    seed: int
    text: str
    tensors: tuple[Buf, ...]
    parameters: dict[str, int]

    @cached_property
    def program(self) -> Program:
        """The program, assembled."""
        return assemble(self.text, f"seed {self.seed}")

    @cached_property
    def report(self) -> Report:
        """What the prover says."""
        return prove(self.program)

    @cached_property
    def data(self) -> dict[str, list[bytes]]:
        """Inputs and states for each chip; the same on all unless dealt over them."""
        rng = random.Random(self.seed)
        kinds = {buf.name: buf.kind for buf in self.tensors}
        chips = self.program.machine.chips
        result = {}
        for tensor in self.program.tensors:
            if tensor.kind in ("input", "state"):
                columns = tensor.shape[-1] if tensor.shape else 1
                rows = prod(tensor.shape[:-1]) // (chips if tensor.split else 1)
                parts = [
                    programs_data.fill(rng, tensor.dtype, rows, columns, kinds[tensor.name])
                    for _ in range(chips if tensor.split else 1)
                ]
                result[tensor.name] = parts if tensor.split else parts * chips
        return result


def draw(seed: int) -> Drawn:
    """The program of a seed."""
    rng = random.Random(seed)
    target = "mini2" if rng.random() < 0.15 else "mini"
    host = Host(rng, target, target == "mini2" and rng.random() < 0.5)
    blocks = [_block(host, "main")]
    control = ""
    if rng.random() < 0.12:
        blocks, control = _graph(host, blocks[0])
    parameters = [f"param {name} : {low}..{high}" for name, low, high in host.parameters]
    lines = ["mist 1.0", f"target {target}", *parameters, *host.lines, "", *blocks, control, ""]
    values = {name: rng.randint(low, high) for name, low, high in host.parameters}
    return Drawn(seed, "\n".join(lines), tuple(host.tensors.values()), values)


def _block(host: Host, name: str, before: tuple[str, ...] = ()) -> str:
    """A block of one or two sections."""
    writer = Writer(host, name)
    writer.lines += before
    if host.machine.chips > 1:
        writer.items.append(Line(f"{writer.register()} = chip", ("chip",)))
    for _ in range(host.rng.choice((1, 1, 1, 2))):
        section(writer)
    return block_text(writer)


def _graph(host: Host, main: str) -> tuple[list[str], str]:
    """Blocks that run as often as loaded numbers say, and the graph that calls them."""
    rng = host.rng
    counts = host.tensor("input", "int32", (1, 2), "count 0 2", shared=True)
    head = "\n".join(
        [
            "block head {",
            f"  s0 = sld {counts.name}{{}}[0, 0] in 0..2 on chip",
            f"  s1 = sld {counts.name}{{}}[0, 1] in 0..2 on chip",
            "}",
        ]
    )
    # What may not run, or run twice, writes states only.
    host.states = True
    step = _block(host, "step", ("in s0 : 0..2",))
    step = step[:-1] + "  s0 = max(s0 - 1, 0) on chip\n}"
    left = _block(host, "left")
    calls = ["call head", "while s0 max 3 { call step }", "if s1 { call left } else { call main }"]
    if "output" in "".join(host.lines):
        calls[2:] = ["call main", "if s1 { call left }"]
    if rng.random() < 0.3:
        calls[2] += "\n  call left"
    return [main, head, step, left], "\n".join(["control {", *(f"  {c}" for c in calls), "}"])


def section(writer: Writer) -> None:
    """A section of words in a loop, or without one."""
    rng = writer.rng
    loop = writer.fresh("i") if rng.random() < 0.6 else ""
    if loop and not writer.rings:
        for slots in (2, 3):
            ring = writer.register("ring")
            writer.rings[slots] = ring
            writer.items.append(Line(f"{ring} = 0", ("tile", "cluster")))
    part = Section(writer, loop, rng.randint(1, 3) if loop else 1)
    if not loop and writer.host.machine.chips > 1:
        rng.choice(programs_network.OPS)(part)
    for _ in range(rng.randint(1, 3)):
        dice = rng.random()
        if dice < 0.2:
            programs_tensor.gemm(part)
        elif dice < 0.4:
            rng.choice(programs_dma.OPS)(part)
        elif dice < 0.5:
            rng.choice(programs_scalars.OPS)(part)
        else:
            rng.choice(programs_vector.OPS + programs_orders.OPS)(part)
    part.finish()
