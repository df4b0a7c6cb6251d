"""Instructions and stages are listed in the rows, and nowhere else.

A source may name single ones where their meaning needs it. Three or more in one file are a list,
which would have to be kept up with the rows.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from conftest import ROOT
from maiacc_isa.check import FUNCTIONS
from maiacc_isa.load import load

#: As many names in one file are a list.
LIST = 3

#: Files that name more, and why.
ALLOWED = {
    "isa/maiacc_isa/function_eval.py": "operations of functions.fn, which has a language of its own",
    "sim/maiacc_sim/arith/stages.py": "meanings of stages, bound by name; equal to the rows on import",
    "sim/maiacc_sim/native/core.py": "families of kernels, bound by name; a test holds them to the rows",
    "sim/maiacc_sim/native/lang/arithmetic.py": "instructions of LLVM, some of which stages are named like",
    "sim/maiacc_sim/native/values/functions.py": "operations of functions.fn, as above",
    "sim/maiacc_sim/native/values/int_stages.py": "meanings of stages, bound by name to those of the rows",
    "maiacc/backend/words.py": "the instruction of each kind of word; every program is proven",
    "isa/maiacc_isa/synth.py": "samples of instructions whose operands need scales or chains",
}

#: The IR has a vocabulary of its own (maiacc_passes/ir/ops.py), and many of its ops mean what a
#: stage means and are called alike. Those who make ops name them.
IR = ("frontend", "checking", "verifying")

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("isa", "maiacc", "sim")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".lark", ".toml")
    and "rows" not in path.parts
    and not set(IR) & set(path.parts)
)


def names() -> set[str]:
    """Names that only a list of instructions or stages has.

    Control words are left out: loops, registers and regions are how a program is written, with a
    syntax of their own. So are names that mean something else as well: labels of fields, and
    functions and operators of expressions.
    """
    spec = load()
    engine = [insn for insn in spec.insns.values() if not insn.control]
    found = {insn.name for insn in engine} | {insn.mnemonic for insn in engine} | set(spec.stages)
    labels = {label.name for enum in spec.enums.values() for label in enum.labels}
    return found - labels - FUNCTIONS - {"and", "or", "not"}


def literals(path: Path) -> list[str]:
    """The words of a source's literals, without those of sentences."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        strings = [
            node.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    else:
        strings = re.findall(r'"([^"\n]*)"', text)
        strings += re.findall(r"/([^/\n]*)/", text)
        strings += (
            re.findall(r"^\[?([\w.]+)\]?", text, re.MULTILINE) if path.suffix == ".toml" else []
        )
    known = names()
    words = [re.findall(r"\w+", string) for string in strings]
    # One word, or nothing but names: "copy", "copy copyt gather", (copy|copyt|gather).
    return [word for group in words if len(group) == 1 or set(group) <= known for word in group]


@pytest.mark.parametrize("name", FILES)
def test_no_file_lists_instructions_or_stages(name: str) -> None:
    found = sorted(set(literals(ROOT / name)) & names())
    if name in ALLOWED:
        assert len(found) >= LIST, f"{name} is no list any more: take it out of ALLOWED"
    else:
        assert len(found) < LIST, f"{name} lists {found}"


def test_a_list_would_be_seen(tmp_path: Path) -> None:
    for suffix, text in (
        (".py", 'A = {"copy", "vmap"}\nB = {"exp": 1}\n'),
        (".py", 'A = "copy vmap exp".split()\n'),
        (".lark", 'name: "copy" | "vmap" | "exp"\n'),
        (".lark", "NAME: /(copy|vmap|exp)/\n"),
        (".toml", "[copy]\na = 1\n[vmap]\n[exp]\n"),
    ):
        path = tmp_path / f"listed{suffix}"
        path.write_text(text)
        assert set(literals(path)) & names() == {"copy", "vmap", "exp"}
    sentence = tmp_path / "sentence.py"
    sentence.write_text('A = "copy and vmap are instructions, exp is a stage"\n')
    assert not set(literals(sentence)) & names()


def test_what_is_allowed_exists() -> None:
    assert set(ALLOWED) <= set(FILES)


def test_all_of_it_is_named() -> None:
    spec = load()
    assert {"MM", "mm", "vmapr", "gelu", "divt"} <= names()
    assert len(names()) > len([insn for insn in spec.insns.values() if not insn.control]) * 2
