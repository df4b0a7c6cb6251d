"""The rows of the table: a program, what it is compared with, and how slow it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.native_parts import peers
from benchmarks.programs import elementwise, gemm, gpt2_decode, gpt2_prefill, resnet
from benchmarks.programs.base import Arrays
from benchmarks.programs.gpt2_layout import assembled
from benchmarks.programs.gpt2_plan import Sizes as Gpt2
from benchmarks.programs.resnet_plan import Sizes as Resnet
from benchmarks.programs.run import machine, program
from maiacc_isa.program import Program
from maiacc_sim.native.timing_engine import NativeTimer
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.simulate import Options, Session

#: The size of GPT-2 small.
SMALL = Gpt2()


@dataclass(frozen=True)
class Case:
    """A run of ours, the timing of it alone, and the run of the peer."""

    run: Callable[[], Any]
    time: Callable[[], Any]
    peer: Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    peer: str
    most: float
    runs: int
    make: Callable[[Path], Case]


def gpt2(module: ModuleType, folder: Path, sizes: Gpt2 = SMALL) -> tuple[Program, Arrays]:
    """A program for GPT-2-small's size and its inputs; weights are mapped from a folder."""
    target = machine()
    given = module.inputs(sizes, 0, target)
    text, plan = module.text(sizes, target), module.planned(sizes, target)
    return assembled(text, given, plan, folder)


def case(made: Program, given: Arrays, peer: Callable[[], Any]) -> Case:
    """A case of a program, which is run once; the words of it that Python executed are none."""
    session = Session(made, Options(threads=1))
    first = session.run(given)
    assert first.executed is not None
    assert first.engine == "native"
    assert not first.executed.asked, first.notices
    timer = NativeTimer(made)
    timer.run(Scalars({}))
    return Case(lambda: session.run(given), lambda: timer.run(Scalars({})), peer)


def _gpt2(module: ModuleType, network: str, folder: Path) -> Case:
    made, given = gpt2(module, folder)
    return case(made, given, peers.onnxruntime_of(network, folder))


def _resnet(folder: Path) -> Case:
    sizes = Resnet()
    made = program(sizes, folder)
    wanted = {tensor.name for tensor in made.tensors if tensor.kind == "input"}
    given = {name: x for name, x in resnet.inputs(sizes, 0).items() if name in wanted}
    return case(made, given, peers.onnxruntime_of("resnet50", folder))


def _gemm(folder: Path) -> Case:
    # All of K at once: a broadcast is one run of bytes then.
    sizes = gemm.Sizes(depth=1024)
    given = gemm.inputs(sizes, 0)
    return case(program(sizes, folder), given, peers.sgemm(given))


def _elementwise(op: str, folder: Path) -> Case:
    sizes = elementwise.Sizes(op=op)
    given = elementwise.inputs(sizes, 0)
    return case(program(sizes, folder), given, getattr(peers, op)(given))


ROWS = [
    Row(
        "GPT-2 small, prefill",
        "onnxruntime",
        1.5,
        9,
        partial(_gpt2, gpt2_prefill, "gpt2_prefill_s128"),
    ),
    Row(
        "GPT-2 small, decode",
        "onnxruntime",
        1.2,
        21,
        partial(_gpt2, gpt2_decode, "gpt2_decode_p128"),
    ),
    Row("ResNet-50", "onnxruntime", 2.5, 15, _resnet),
    Row("GEMM 1024^3", "numpy", 1.35, 21, _gemm),
    *(
        Row(f"{op}, 2^20 numbers", "numpy", 1.0, 41, partial(_elementwise, op))
        for op in ("exp", "gelu", "layernorm")
    ),
]
