"""Rows and proofs in the cache: what comes back is what was kept, and only proofs prove."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import GOLDEN
from house.run_programs import DEMO
from isa.repack import members_of, packed, signed
from maiacc_isa import cache, frozen, function_rows, functions, load, spec, spec_machine
from maiacc_isa import expr as ex
from maiacc_isa.asm import assemble
from maiacc_isa.container import open_program, save
from maiacc_isa.errors import MaiaccError
from maiacc_isa.lint import known
from maiacc_isa.lint.prove import prove
from maiacc_isa.machine import machine_from_values
from maiacc_isa.program import Block, LiveIn, Parameter, Program
from maiacc_isa.tables import Chain, Mask, Semaphore, Step
from sim.programs import draw

#: A program that is not proven: it reads what nothing has written.
WRONG = (GOLDEN / "lint" / "wrong" / "append_row_race.mist").read_text("utf-8")


@pytest.fixture(autouse=True)
def place(tmp_path: Path) -> Iterator[Path]:
    """A cache of the test's own."""
    with mock.patch.dict(os.environ, {cache.VARIABLE: str(tmp_path / "cache")}):
        yield tmp_path / "cache"


# ---- rows ---------------------------------------------------------------------------------------


def test_rows_come_back_as_they_were_parsed() -> None:
    package = files("maiacc_isa")
    texts = [package.joinpath("rows", name).read_text("utf-8") for name in load.ROW_FILES]
    parsed = load.parse(list(zip(load.ROW_FILES, texts, strict=True)))
    codec = frozen.Codec(frozen.classes_of(spec, spec_machine, ex))
    again = codec.decode(codec.encode(parsed))
    assert again == parsed
    assert repr(again) == repr(parsed)
    assert repr(load.load()) == repr(parsed)


def test_functions_come_back_as_they_were_parsed() -> None:
    text = files("maiacc_isa").joinpath("rows", "functions.fn").read_text("utf-8")
    parsed = functions.parse(text)
    codec = frozen.Codec(frozen.classes_of(function_rows))
    again = codec.decode(codec.encode(parsed))
    assert again == parsed
    assert repr(again) == repr(parsed)
    assert repr(functions.load()) == repr(parsed)


@dataclass(frozen=True)
class One:
    """A class to be kept."""

    x: Any
    y: Any = None


@dataclass(frozen=True)
class Two:
    """Another one, with as many fields."""

    x: Any
    y: Any


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)

TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=4)
        | st.builds(One, inner, inner)
        | st.builds(Two, inner, inner)
    ),
    max_leaves=20,
)


@given(TREES)
def test_trees_come_back(tree: Any) -> None:
    codec = frozen.Codec([One, Two])
    again = codec.decode(codec.encode(tree))
    assert again == tree
    assert repr(again) == repr(tree)


def test_what_was_made_is_made_once() -> None:
    codec, made = frozen.Codec([One]), []

    def make() -> One:
        made.append(1)
        return One((1, 2.5), {"a": None})

    def kept(*parts: str) -> Any:
        return frozen.kept("trees", codec, parts, make)

    assert kept("a", "b") == kept("a", "b") == One((1, 2.5), {"a": None})
    assert len(made) == 1
    kept("ab")
    assert len(made) == 2
    with mock.patch.object(frozen, "_readers", return_value="other code"):
        kept("a", "b")
    assert len(made) == 3
    with mock.patch.dict(os.environ, {cache.VARIABLE: "off"}):
        kept("a", "b")
    assert len(made) == 4


# ---- proofs -------------------------------------------------------------------------------------


def proofs(place: Path) -> int:
    """Proofs in the cache."""
    return len(list(place.glob("proof-*")))


def test_only_proofs_are_kept(place: Path) -> None:
    good, wrong = draw(0).program, assemble(WRONG)
    with mock.patch.object(known, "prove", wraps=prove) as proving:
        assert [known.is_proven(wrong) for _ in range(2)] == [False, False]
        assert (proving.call_count, proofs(place)) == (2, 0)
        assert [known.is_proven(good) for _ in range(3)] == [True, True, True]
        assert (proving.call_count, proofs(place)) == (3, 1)
        with mock.patch.object(known, "prover_digest", return_value="another prover"):
            assert known.is_proven(good)
        assert (proving.call_count, proofs(place)) == (4, 2)
        with mock.patch.dict(os.environ, {cache.VARIABLE: "off"}):
            assert known.is_proven(good)
        assert proving.call_count == 5


def test_another_entry_is_no_proof() -> None:
    wrong = assemble(WRONG)
    name = cache.key("proof", known.prover_digest(), known.program_digest(wrong))
    for content in (b"", b"not proven", b"proven "):
        cache.put("proof", name, content)
        assert not known.is_proven(wrong)
    cache.put("other", name, known.PROVEN)
    assert not known.is_proven(wrong)
    # Whoever can write to the cache can do anything, so the entry does decide.
    cache.put("proof", name, known.PROVEN)
    assert known.is_proven(wrong)


def changes(program: Program) -> Iterator[tuple[str, Program]]:
    """The program with one thing changed, for everything a prover looks at."""
    block, m = program.blocks[0], program.machine

    def with_block(**parts: Any) -> Program:
        return replace(program, blocks=(replace(block, **parts), *program.blocks[1:]))

    d, b = block.descriptors[0], block.buffers[0]
    yield "words", with_block(words=(*block.words[:-1], block.words[0], block.words[-1]))
    more = [replace(w, posts=tuple((sem, n + 1) for sem, n in w.posts)) for w in block.words]
    yield "tokens", with_block(words=tuple(more))
    for name in ("base", "fill"):
        changed = replace(d, **{name: getattr(d, name) + 64})
        yield f"descriptors, {name}", with_block(descriptors=(changed, *block.descriptors[1:]))
    yield "chains", with_block(chains=(*block.chains, Chain("fp32", (Step("mov", ("a",)),))))
    yield (
        "semaphores",
        with_block(semaphores=(*block.semaphores, Semaphore("LD0", "ST", "tile", 1))),
    )
    yield "masks", with_block(masks=(*block.masks, Mask(frozenset({1}))))
    yield "tables", with_block(tables=(*block.tables, (1, 2)))
    yield "live_in", with_block(live_in=(*block.live_in, LiveIn(31, 0, 1)))
    others = (replace(b, base=b.base + 64), replace(b, slots=b.slots + 1), replace(b, dtype="bool"))
    for other in others:
        yield f"buffers, {other}", with_block(buffers=(other, *block.buffers[1:]))
    yield "blocks", replace(program, blocks=(*program.blocks, Block("another", block.words[-1:])))
    yield "control", replace(program, control=program.control * 2)
    yield "parameters", replace(program, parameters=(*program.parameters, Parameter("p", 0, 9)))
    t, *rest = program.tensors
    for tensor in (
        replace(t, base=t.base + 64),
        replace(t, kind="state"),
        replace(t, split=not t.split),
    ):
        yield f"tensors, {tensor}", replace(program, tensors=(tensor, *rest))
    values = {**m.values, "queue.depth": m.int("queue.depth") + 1}
    yield "machine", replace(program, machine=machine_from_values(m.name, m.title, values))


def test_a_changed_program_is_proven_again(place: Path) -> None:
    program = assemble(DEMO)
    assert known.is_proven(program)
    found = {known.program_digest(program)}
    for what, changed in changes(program):
        digest = known.program_digest(changed)
        assert digest not in found, what
        found.add(digest)
    with mock.patch.object(known, "prove", return_value=mock.Mock(proven=False)) as proving:
        for what, changed in changes(program):
            assert not known.is_proven(changed), what
        assert proving.call_count == len(found) - 1
        assert known.is_proven(program)
    assert proofs(place) == 1


def test_what_a_program_is_called_does_not_matter() -> None:
    program = draw(3).program
    other = replace(program, file="elsewhere.mist", places={})
    assert known.program_digest(other) == known.program_digest(program)


# ---- files ----------------------------------------------------------------------------------------


def claims(members: dict[str, bytes]) -> Iterator[bytes]:
    """A file that says of itself, in many ways, that it was proven."""
    manifest = json.loads(members["manifest.json"])
    for claim in ({"proven": True}, {"proof": known.prover_digest()}, {"tool": "proven"}):
        claimed = {**members, "manifest.json": json.dumps({**manifest, **claim}).encode()}
        yield signed(claimed)
        yield packed(claimed)
    for name in ("proven", "proof.json", "blocks/0.proof"):
        yield packed({**members, name: known.PROVEN})
        listed = {**manifest["members"], name: {"size": 0, "sha256": ""}}
        changed = json.dumps({**manifest, "members": listed}).encode()
        yield signed({**members, name: known.PROVEN, "manifest.json": changed})


def test_nothing_in_a_file_proves_it(place: Path, tmp_path: Path) -> None:
    path, opened = tmp_path / "x.maia", 0
    save(assemble(WRONG), str(path))
    for data in claims(members_of(path.read_bytes())):
        path.write_bytes(data)
        try:
            program = open_program(str(path))
        except MaiaccError:
            continue
        opened += 1
        assert not known.is_proven(program)
    assert opened
    assert proofs(place) == 0


def test_a_file_and_its_text_share_a_proof(place: Path, tmp_path: Path) -> None:
    program, path = assemble(DEMO), str(tmp_path / "x.maia")
    assert known.is_proven(program)
    save(program, path)
    with mock.patch.object(known, "prove") as proving:
        assert known.is_proven(open_program(path))
    assert not proving.called
    assert proofs(place) == 1
