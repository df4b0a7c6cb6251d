"""The rows of ``benchmarks/kernels.py``: what is timed, what would be ideal, what is required.

An ideal is computed from the machine and the workload, not from the program: multiplications at
the peak of all tensor units (``tensor``), bytes that have to move once at the width of HBM
(``hbm``) or of the slowest link that has to carry them (``link``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from maiacc_isa.machine import Machine
from maiacc_isa.program import Program
from maiacc_sim.scalar_log import Log
from maiacc_sim.system import System

#: The cycles that nothing can beat.
Ideal = Callable[[Machine], float]

#: Tokens and experts of the mixture of experts; each token goes to two of them.
TOKENS, EXPERTS = 2048, 8


def tensor(macs: int, rate: str) -> Ideal:
    """So many multiplications at the peak of all tensor units."""

    def cycles(m: Machine) -> float:
        per_tile: int = m.int("ttu.block") ** 2 * m.int(f"ttu.kchunk.{rate}")
        return macs / (per_tile * m.tiles * m.clusters)

    return cycles


def hbm(size: int) -> Ideal:
    """So many bytes at the width of HBM."""
    return lambda m: size / m.int("hbm.bytes_per_cycle")


def link(size: int) -> Ideal:
    """So many bytes over the slowest of the direct links."""
    return lambda m: size / min(m.int(f"link.{n}.bytes_per_cycle") for n in range(3))


def routed(counts: list[int]) -> Callable[[Program], Log]:
    """The scalar log of ``moe_prefill.py`` when each expert gets so many tokens: a tile loads
    a count twice, a cluster once, in each of two blocks."""

    def log(program: Program) -> Log:
        turns = {"tile": 2, "cluster": 1, "chip": 0}
        return {
            i.number: [n for n in counts for _ in range(turns[i.role])] * 2
            for i in System(program.machine).instances
        }

    return log


def typical() -> list[int]:
    """Counts of tokens whose two experts are drawn evenly."""
    draw = Random(2048)
    chosen = [expert for _ in range(TOKENS) for expert in draw.sample(range(EXPERTS), 2)]
    return [chosen.count(expert) for expert in range(EXPERTS)]


@dataclass(frozen=True)
class Row:
    """A workload. ``require`` is a share of the ideal, or cycles for one of ``steps``; or, if
    ``against`` names another row, how many times faster than that row this one has to be.
    ``missed`` says why a row does not reach what is required."""

    name: str
    kernel: str
    ideal: Ideal
    bound: str
    require: float
    why: str
    target: str = "maia200"
    sizes: dict[str, int] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)
    log: Callable[[Program], Log] | None = None
    extreme: str = "high"
    steps: int = 1
    against: str = ""
    missed: str = ""


#: Multiplications of causal attention, without what the mask hides.
ATTENTION = 32 * 2 * 128 * (4096 * 4097 // 2)

MOE = 2 * TOKENS * 3 * 4096 * 2048

ROWS = (
    Row(
        "GEMM 8192^3 fp8",
        "gemm",
        tensor(8192**3, "fp8"),
        "TTU",
        0.95,
        "Lost are the start, when HBM brings 36 panels of A (9,700 cycles), and the end (2,200).",
    ),
    Row(
        "GEMM 8192^3 bf16",
        "gemm",
        tensor(8192**3, "bf16"),
        "TTU",
        0.97,
        "As in fp8, but HBM has four times as long to bring the panels.",
        sizes={"bits": 16},
    ),
    Row(
        "GEMM 8192^3 fp8, 2:4 sparse",
        "sparse_gemm",
        tensor(8192**3 // 2, "fp8"),
        "TTU",
        1.9,
        "A panel is used up in half the time of the dense product, so the start and changes of "
        "panel, which wait for HBM and for the tile's port, weigh twice as much.",
        against="GEMM 8192^3 fp8",
    ),
    Row(
        "GEMM 16384^3 fp8",
        "gemm",
        tensor(16384**3, "fp8"),
        "TTU",
        0.9,
        "A panel of 16,384 in K leaves room for 160 rows, so more of B passes a tile's port.",
        sizes={"m": 16384, "n": 16384, "k": 16384},
    ),
    Row(
        "matrix-vector 8192 x 28672 bf16",
        "matvec",
        hbm(2 * (8192 * 28672 + 8192 + 28672)),
        "HBM",
        0.95,
        "Lost are the latency of the first load and the last strip, which sticks out.",
    ),
    Row(
        "causal attention 32 x 128, 4096 bf16",
        "attention",
        tensor(ATTENTION, "bf16"),
        "TTU",
        0.78,
        "The exponential hides behind the products, since the drain subtracts the maximum and "
        "hands over 16 bits; lost are halves of diagonal blocks.",
    ),
    Row(
        "convolution 3 x 3, stride 2, 128 to 256, bf16",
        "conv",
        tensor(72 * 28 * 28 * 9 * 128 * 256, "bf16"),
        "TTU",
        0.85,
        "Lost are the first load (3,000 cycles), the end (1,500), and blocks that are not full.",
    ),
    Row(
        "convolution 3 x 3, stride 2, 64 to 128, 72 images",
        "conv",
        tensor(72 * 28 * 28 * 9 * 64 * 128, "bf16"),
        "TTU",
        0.85,
        "Tensor unit and HBM are equally busy, and the first strips, the weights and the last "
        "stores cost about 5,000 cycles, whatever the number of images.",
        sizes={"batch": 72, "c": 64, "o": 128},
        missed="eight strips a tile are too few: 72.5% with 72 images, 80.0% with 144",
    ),
    Row(
        "convolution 3 x 3, stride 2, 64 to 128, 288 images",
        "conv",
        tensor(288 * 28 * 28 * 9 * 64 * 128, "bf16"),
        "TTU",
        0.85,
        "The same with a batch as long as that of 128 channels: as many multiplications, twice the "
        "bytes of HBM.",
        sizes={"batch": 288, "c": 64, "o": 128},
    ),
    Row(
        "depthwise 3 x 3, 56 x 56 x 128, bf16",
        "depthwise",
        hbm(2 * (2 * 72 * 56 * 56 * 128 + 9 * 128)),
        "HBM",
        0.8,
        "HBM is busy for 93%, the tensor unit for 80%; lost are start and end.",
    ),
    Row(
        "layer normalisation 4096 x 8192 bf16",
        "layernorm",
        hbm(2 * (2 * 4096 * 8192 + 2 * 8192)),
        "HBM",
        0.92,
        "Lost are the first load, the last store, and loads and stores in each other's way.",
    ),
    Row(
        "LSTM, 32 steps of 1024, batch 32",
        "lstm",
        tensor(32 * 32 * 4096 * 1024, "bf16"),
        "latency",
        2000,
        "A step is a chain of load, product, gates, store and a join of all tiles.",
        steps=32,
    ),
    Row(
        "mixture of experts, one token",
        "moe",
        hbm(2 * (2 * 3 * 4096 * 14336 + 8 * 4096 + 2 * 4096)),
        "HBM",
        0.8,
        "Which experts are chosen changes addresses only, so any log takes as long; lost are the "
        "routing before the first weights (1,700 cycles) and the end (2,600).",
    ),
    Row(
        "mixture of experts, 2048 tokens, typical",
        "moe_prefill",
        tensor(MOE, "bf16"),
        "TTU",
        0.65,
        "Tokens drawn evenly; twelve such draws gave 69 to 71%. Edges of 32 rows and columns make "
        "16% more work for the tensor unit; the rest are routing, combining, and two starts.",
        log=routed(typical()),
    ),
    Row(
        "mixture of experts, 2048 tokens, skewed",
        "moe_prefill",
        tensor(MOE, "bf16"),
        "TTU",
        0.65,
        "All tokens go to the first and the last expert, the slowest of ten uneven routings tried: "
        "nobody can start on an expert before its bucket of 2,048 rows is full, and the weights "
        "of six experts are loaded for nothing.",
        log=routed([TOKENS, *[0] * (EXPERTS - 2), TOKENS]),
        missed="the schedule hides an expert's loads behind the one before, which has no tokens",
    ),
    Row(
        "top 500 of 50,000",
        "topk",
        hbm(4 * 50000 + 12 * 500),
        "TVP, latency",
        12000,
        "Four sorts take half of the time, the exchanges between them and latencies the rest; HBM "
        "could deliver the numbers in 59 cycles.",
    ),
    Row(
        "decoding, cache of 4096",
        "kv_decode",
        hbm(4 * 72 * 128 * (4096 + 8 + 2)),
        "HBM",
        0.88,
        "Lost are the start (1,300 cycles; the small transfers come first) and the end (3,300).",
        parameters={"past": 4096},
    ),
    Row(
        "decoding, cache of 8191",
        "kv_decode",
        hbm(4 * 72 * 128 * (8191 + 8 + 2)),
        "HBM",
        0.88,
        "The same with a cache that is full.",
        parameters={"past": 8191},
    ),
    Row(
        "all-reduce 16 MiB, 4 chips",
        "allreduce",
        link(8 << 20),
        "link",
        0.88,
        "Lost is mainly the latency of the last put; the link is busy for 94%.",
        target="maia200x4",
    ),
    Row(
        "transposition of rank 5, 75.5 MB",
        "transpose",
        hbm(4 * 32 * 18 * 64 * 32 * 64),
        "HBM",
        0.85,
        "HBM is busy for 94%; lost are the start, until units are staged, and the last turning.",
    ),
    Row(
        "matrix-vector 8192 x 28672, int4 weights",
        "int4_decode",
        hbm(8192 * 28672 // 2 + 2 * 28672 * 64 + 2 * (8192 + 28672)),
        "HBM",
        0.9,
        "HBM is busy for 93%; lost are the first latency and, after the last load, 2,700 cycles.",
    ),
)
