"""The kernels of ``examples/mist``: proven for every target, the same through text and file.

Large machines get a small size where the prover takes long; the nightly run proves the full ones.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from conftest import ROOT, Golden
from maiacc_isa.asm import assemble
from maiacc_isa.container import save
from maiacc_isa.lint import prove
from maiacc_isa.program import Program
from maiacc_isa.text import disassemble
from support import run

FOLDER = ROOT / "examples" / "mist"

#: Words that a kernel may have.
WORDS = {
    "allgather_ring": 42,
    "allreduce": 38,
    "attention": 96,
    "conv": 48,
    "conv_im2col": 28,
    "cumsum": 16,
    "depthwise": 48,
    "gemm": 86,
    "gemm_simple": 18,
    "index_ops": 44,
    "int4_decode": 18,
    "ksplit": 24,
    "kv_decode": 44,
    "layernorm": 22,
    "lstm": 36,
    "matvec": 22,
    "moe": 42,
    "moe_prefill": 160,
    "mx_gemm": 93,
    "nonzero": 38,
    "scatter_add": 26,
    "sparse_gemm": 93,
    "topk": 26,
    "transpose": 20,
}

#: Two more sizes for `mini` (`mini2`): what sticks out, one of a thing, and more than one round.
RAGGED: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "allgather_ring": ({"n": 257, "piece": 64}, {"n": 640, "slots": 5, "lag": 3}),
    "allreduce": ({"n": 38}, {"n": 514, "chunk": 40}),
    "attention": ({"heads": 1, "seq": 33, "dim": 7}, {"heads": 3, "seq": 64, "dim": 9}),
    "conv": ({"batch": 5, "h": 6, "w": 9, "c": 7, "o": 9}, {"batch": 1, "h": 3, "w": 3}),
    "conv_im2col": (
        {"batch": 9, "h": 6, "w": 3, "c": 9, "o": 35, "stride": 1},
        {"batch": 1, "h": 5, "w": 5, "c": 8, "o": 8, "stride": 3},
    ),
    "cumsum": ({"n": 17}, {"n": 1000, "chunks": 2}),
    "depthwise": ({"batch": 2, "h": 5, "w": 12, "c": 9}, {"batch": 1, "h": 16, "w": 3, "c": 8}),
    "gemm": ({"m": 33, "n": 41, "k": 50}, {"m": 130, "n": 129, "k": 70, "bits": 16}),
    "gemm_simple": ({"m": 1, "n": 1, "k": 1}, {"m": 200, "n": 130, "k": 33, "slots": 3}),
    "index_ops": ({"n": 15, "q": 5, "k": 33, "a": 1, "b": 1}, {"n": 900, "chunk": 20, "e": 3}),
    "int4_decode": ({"m": 1, "n": 9, "k": 96}, {"m": 8, "n": 100, "group": 16, "chunk": 32}),
    "ksplit": ({"m": 2, "n": 3, "k": 17}, {"m": 30, "n": 40, "k": 200, "kc": 24}),
    "kv_decode": (
        {"pairs": 3, "group": 1, "dim": 9, "capacity": 50},
        {"pairs": 4, "group": 8, "dim": 32, "capacity": 70},
    ),
    "layernorm": ({"rows": 3, "columns": 33}, {"rows": 20, "columns": 512}),
    "lstm": ({"steps": 1, "h": 9, "batch": 1}, {"steps": 4, "h": 33, "batch": 8}),
    "matvec": ({"m": 1, "k": 33, "n": 90}, {"m": 8, "k": 400, "n": 1000}),
    "moe": ({"e": 2, "d": 16, "f": 5}, {"e": 9, "d": 70, "f": 65}),
    "moe_prefill": ({"t": 5, "e": 2}, {"t": 40, "e": 4, "d": 36, "f": 30, "half": 16}),
    "mx_gemm": ({"m": 33, "n": 41, "k": 96}, {"m": 130, "n": 129, "k": 320}),
    "nonzero": ({"r": 1, "c": 5}, {"r": 31, "c": 29}),
    "scatter_add": ({"v": 5, "c": 3, "n": 9}, {"v": 100, "c": 150, "n": 33, "rows": 8}),
    "sparse_gemm": ({"m": 33, "n": 41, "k": 104}, {"m": 130, "n": 129, "k": 320}),
    "topk": ({"n": 9, "k": 9}, {"n": 1001, "k": 3}),
    "transpose": ({"a": 1, "b": 2, "c": 3, "d": 1, "e": 7}, {"a": 5, "b": 2, "pieces": 1}),
}

#: Sizes for the large machines that the prover is done with in a few seconds.
SMALL: dict[str, dict[str, int]] = {
    "allreduce": {"n": 1 << 18},
    "attention": {"heads": 6, "seq": 600},
    "conv": {"batch": 18},
    "depthwise": {"batch": 18},
    "gemm": {"m": 2500, "n": 1500, "k": 1024},
    "kv_decode": {"capacity": 1024},
    "layernorm": {"rows": 1000, "columns": 1024},
    "lstm": {"steps": 6, "h": 300},
    "moe": {"d": 512, "f": 1000},
    "moe_prefill": {"t": 90, "e": 3, "d": 256, "f": 128, "k": 128},
    "mx_gemm": {"m": 2500, "n": 1500, "k": 2048},
    "sparse_gemm": {"m": 2500, "n": 1500, "k": 2048},
}

#: Programs that are also examples of right ones in the prover's corpus.
CORPUS = {
    "double_buffered_gemm": "gemm_simple",
    "flash_attention": "attention",
    "im2col_convolution": "conv_im2col",
    "mx_gemm": "mx_gemm",
    "ring_all_gather": "allgather_ring",
    "sparse_gemm": "sparse_gemm",
}


def load_kernel(name: str) -> ModuleType:
    """The module of a kernel; modules of the folder import each other by their plain names."""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return importlib.import_module(name)


@dataclass(frozen=True)
class Case:
    """A kernel for a target, with some of its sizes changed."""

    name: str
    target: str
    changes: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return "-".join([self.name, self.target, *(f"{key}{n}" for key, n in self.changes)])

    def text(self) -> str:
        """The program text."""
        module = load_kernel(self.name)
        text = module.source(self.target, **module.SIZES[self.target] | dict(self.changes))
        assert isinstance(text, str)
        return text

    def program(self) -> Program:
        """The program."""
        return assemble(self.text(), f"{self.name}.mist")


def _cases() -> tuple[list[Case], list[Case]]:
    """What every run proves, and what the nightly one proves in addition."""
    usual, nightly = [], []
    for name in WORDS:
        small, large = load_kernel(name).SIZES
        small, large = sorted((small, large), key=lambda target: "maia" in target)
        usual.append(Case(name, small))
        usual += [Case(name, small, tuple(changes.items())) for changes in RAGGED[name]]
        usual.append(Case(name, large, tuple(SMALL.get(name, {}).items())))
        if name in SMALL:
            nightly.append(Case(name, large))
    return usual, nightly


USUAL, NIGHTLY = _cases()


def _prove(case: Case) -> None:
    program = case.program()
    report = prove(program)
    assert report.proven, "\n".join(map(str, report.findings))
    assert not report.warnings
    assert sum(len(block.words) for block in program.blocks) <= WORDS[case.name]


@pytest.mark.parametrize("case", USUAL, ids=str)
def test_a_kernel_is_proven(case: Case) -> None:
    _prove(case)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("case", NIGHTLY, ids=str)
def test_a_kernel_is_proven_in_full_size(case: Case) -> None:
    _prove(case)


@pytest.mark.parametrize("case", USUAL, ids=str)
def test_text_and_file_say_the_same(case: Case, tmp_path: Path) -> None:
    program = case.program()
    text = disassemble(program)
    again = assemble(text, f"{case.name}.mist")
    assert disassemble(again) == text
    one, other = tmp_path / "one.maia", tmp_path / "other.maia"
    save(program, str(one))
    save(again, str(other))
    assert one.read_bytes() == other.read_bytes()


def test_every_kernel_is_tested_for_a_small_and_a_large_machine() -> None:
    kernels = {path.stem for path in FOLDER.glob("*.py") if "\nSIZES" in path.read_text("utf-8")}
    assert kernels == set(WORDS) == set(RAGGED)
    for name in kernels:
        targets = tuple(load_kernel(name).SIZES)
        assert targets in (("maia200", "mini"), ("maia200x4", "mini2"))


def test_the_table_of_the_readme_names_every_kernel() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for name in WORDS:
        assert f"| [`{name}.py`]({name}.py) |" in text


@pytest.mark.parametrize("name", CORPUS)
def test_the_corpus_has_what_the_kernel_prints(name: str, golden: Golden) -> None:
    module = load_kernel(CORPUS[name])
    target = next(target for target in module.SIZES if "mini" in target)
    golden(f"lint/right/{name}.mist", Case(CORPUS[name], target).text())


def test_the_demo_shows_the_simple_product() -> None:
    demo = (ROOT / "maiacc" / "data" / "demo.mist").read_text("utf-8")
    assert demo == Case("gemm_simple", "mini").text()


def test_a_kernel_prints_its_program() -> None:
    done = run([sys.executable, str(FOLDER / "gemm_simple.py"), "mini", "k=40"])
    assert done.code == 0
    assert done.out == Case("gemm_simple", "mini", (("k", 40),)).text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "TARGET is one of maia200, mini"),
        (["mini", "x=1"], "x: no size of this kernel, which has m, n, k, bits"),
        (["mini", "k"], "sizes are given as NAME=NUMBER"),
        (["mini", "k=1000000"], "does not fit the memories of mini"),
    ],
)
def test_a_kernel_says_what_it_cannot_print(arguments: list[str], message: str) -> None:
    done = run([sys.executable, str(FOLDER / "gemm.py"), *arguments])
    assert done.code == 1
    assert message in done.err
    assert done.out == ""
