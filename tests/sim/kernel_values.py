"""The kernels of ``examples/mist`` with data: which sizes are run, on what, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from zlib import crc32

import numpy as np

from examples.test_kernels import RAGGED, Case, load_kernel
from maiacc_isa.program import Program
from sim.kernel_example import Answer, Array, Example, Maker
from sim.kernel_floats import attention, kv_decode, layernorm
from sim.kernel_layers import lstm, moe, moe_prefill
from sim.kernel_moves import (
    allgather_ring,
    allreduce,
    cumsum,
    index_ops,
    nonzero,
    scatter_add,
    topk,
    transpose,
)
from sim.kernel_products import (
    conv,
    conv_im2col,
    depthwise,
    gemm,
    gemm_simple,
    int4_decode,
    matvec,
    mx_gemm,
    sparse_gemm,
)

MAKERS: dict[str, Maker] = {
    "allgather_ring": allgather_ring,
    "allreduce": allreduce,
    "attention": attention,
    "conv": conv,
    "conv_im2col": conv_im2col,
    "cumsum": cumsum,
    "depthwise": depthwise,
    "gemm": gemm,
    "gemm_simple": gemm_simple,
    "index_ops": index_ops,
    "int4_decode": int4_decode,
    "ksplit": gemm_simple,
    "kv_decode": kv_decode,
    "layernorm": layernorm,
    "lstm": lstm,
    "matvec": matvec,
    "moe": moe,
    "moe_prefill": moe_prefill,
    "mx_gemm": mx_gemm,
    "nonzero": nonzero,
    "scatter_add": scatter_add,
    "sparse_gemm": sparse_gemm,
    "topk": topk,
    "transpose": transpose,
}

#: Kernels with functions that round: what they leave has a bound, not bits.
ROUNDING = ("attention", "kv_decode", "layernorm", "lstm", "moe", "moe_prefill")

#: Kernels whose course depends on data or parameters: kinds of data.
KINDS = {"kv_decode": 6, "moe": 3, "moe_prefill": 2, "nonzero": 4, "topk": 4}

#: Sizes for the large machines: at most about 20 million operations, and work for every tile or
#: for all but the last ones.
LARGE: dict[str, dict[str, int]] = {
    "allgather_ring": {"n": 5000, "piece": 256, "slots": 6, "lag": 2},
    "allreduce": {"n": 5204, "chunk": 1024},
    "attention": {"heads": 5, "seq": 270, "dim": 12},
    "conv": {"batch": 40, "h": 9, "w": 7, "c": 12, "o": 24},
    "conv_im2col": {"batch": 100, "h": 7, "w": 6, "c": 6, "o": 33},
    "cumsum": {"n": 20011},
    "depthwise": {"batch": 13, "h": 12, "w": 10, "c": 100},
    "gemm": {"m": 300, "n": 200, "k": 150},
    "gemm_simple": {"m": 300, "n": 280, "k": 100},
    "index_ops": {"n": 3001, "w": 64, "h": 48, "chunk": 64, "q": 75, "k": 70, "rows": 2}
    | {"a": 3, "b": 5, "c": 3, "d": 4, "e": 6, "f": 8},
    "int4_decode": {"n": 1500, "k": 512},
    "ksplit": {"m": 40, "n": 200, "k": 1000, "kc": 128},
    "kv_decode": {"pairs": 40, "group": 3, "dim": 20, "capacity": 300},
    "layernorm": {"rows": 100, "columns": 300},
    "lstm": {"steps": 3, "h": 100, "batch": 4},
    "matvec": {"k": 500, "n": 4000},
    "moe": {"e": 4, "d": 100, "f": 130, "word": 1024, "slots": 3},
    "moe_prefill": {"t": 40, "e": 3, "d": 64, "f": 64, "half": 32, "k": 32},
    "mx_gemm": {"m": 290, "n": 140, "k": 96},
    "nonzero": {"r": 50, "c": 77},
    "scatter_add": {"v": 100, "c": 700, "n": 60, "rows": 16},
    "sparse_gemm": {"m": 290, "n": 140, "k": 104},
    "topk": {"n": 3001, "k": 100},
    "transpose": {"a": 5, "b": 8, "c": 20, "d": 6, "e": 10},
}

#: Larger ones for the nightly script: several rounds of everything.
LARGER: dict[str, dict[str, int]] = {
    "allreduce": {"n": 20004, "chunk": 2048},
    "attention": {"heads": 9, "seq": 600, "dim": 24},
    "conv": {"batch": 80, "h": 23, "w": 21, "c": 20, "o": 70},
    "depthwise": {"batch": 40, "h": 30, "w": 28, "c": 70},
    "gemm": {"m": 2700, "n": 600, "k": 300},
    "kv_decode": {"pairs": 40, "group": 8, "dim": 48, "capacity": 900},
    "layernorm": {"rows": 1000, "columns": 1100},
    "lstm": {"steps": 8, "h": 210, "batch": 20},
    "moe_prefill": {"t": 150, "e": 4, "d": 128, "f": 96, "half": 32, "k": 32},
    "mx_gemm": {"m": 1300, "n": 300, "k": 320},
    "sparse_gemm": {"m": 1300, "n": 300, "k": 312},
}


@dataclass(frozen=True)
class Trial:
    """A kernel of some sizes for a machine, with a kind of data."""

    case: Case
    kind: int = 0

    def __str__(self) -> str:
        return f"{self.case}-kind{self.kind}" if self.kind else str(self.case)


def _target(name: str, family: str) -> str:
    targets: list[str] = list(load_kernel(name).SIZES)
    return next(target for target in targets if family in target)


def _small(name: str) -> str:
    return _target(name, "mini")


def _large(name: str) -> str:
    return _target(name, "maia")


#: One trial for each kernel, with the sizes it has for `mini`.
PLAIN = [Trial(Case(name, _small(name))) for name in MAKERS]

#: Other kinds of data for them.
OTHER = [Trial(Case(name, _small(name)), kind) for name, n in KINDS.items() for kind in range(1, n)]

#: Sizes that stick out.
EDGES = [
    Trial(Case(name, _small(name), tuple(sizes.items())))
    for name in MAKERS
    for sizes in RAGGED[name]
]

#: The large machines.
ON_LARGE = [Trial(Case(name, _large(name), tuple(LARGE[name].items()))) for name in MAKERS]
NIGHTLY = [Trial(Case(name, _large(name), tuple(sizes.items()))) for name, sizes in LARGER.items()]


@cache
def program_of(case: Case) -> Program:
    """The program of a case."""
    return case.program()


@cache
def example_of(trial: Trial) -> Example:
    """Its inputs and what must come out: always the same for the same trial."""
    case = trial.case
    sizes = load_kernel(case.name).SIZES[case.target] | dict(case.changes)
    chips = {"chips": program_of(case).machine.chips}
    rng = np.random.default_rng(crc32(str(trial).encode()))
    return MAKERS[case.name](sizes | chips, rng, trial.kind)


def differences(found: dict[str, Array], answer: Answer) -> dict[str, int]:
    """How many elements of each output are wrong, for outputs that have wrong ones."""
    assert found.keys() == answer.keys()
    wrong = {name: int(wanted.wrong(found[name]).sum()) for name, wanted in answer.items()}
    return {name: count for name, count in wrong.items() if count}
