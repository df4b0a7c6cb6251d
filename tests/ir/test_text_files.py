"""Texts in files, with the elements of small weights beside them."""

from __future__ import annotations

import os
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from ir.random_graphs import random_inputs, random_module
from ir.rows import raw
from maiacc_passes.ir import files
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.files import load_text, save_text
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.types import tensor
from maiacc_passes.ir.weights import Array, Data, Lazy, Missing


def with_weights(*arrays: tuple[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]) -> Module:
    """A module that has some constants."""
    module = Module()
    for dtype, array in arrays:
        module.add_weight("w", tensor(dtype, array.shape), Data(array))
    finish(Builder(module), ())
    return module


def unread() -> Array:
    """What must not be read."""
    raise AssertionError


def refused(path: Path) -> str:
    """Why a text is not loaded, with the code."""
    with pytest.raises(IRError) as caught:
        load_text(str(path))
    return str(caught.value)


@pytest.mark.parametrize("seed", range(6))
def test_a_module_comes_back(seed: int, tmp_path: Path) -> None:
    module, path = random_module(seed, 30), str(tmp_path / "m.ir")
    save_text(module, path)
    again = load_text(path)
    assert print_module(again) == print_module(module)
    inputs = random_inputs(module, seed)
    one, two = evaluate(module, inputs), evaluate(again, inputs)
    assert {name: raw(x) for name, x in one.items()} == {name: raw(x) for name, x in two.items()}


def test_elements_that_lie_apart_or_have_no_fixed_bits(tmp_path: Path) -> None:
    codes = np.array([0, 7, 0xF8, 8] * 5, np.uint8)
    module = with_weights(
        ("int32", np.arange(40, dtype=np.int32)[::2]),
        ("int4", codes.view(ml_dtypes.int4)),
        ("bool", np.ones((5, 5), np.bool_)),
        ("int8", np.arange(20, dtype=np.int8)),
        ("uint8", np.arange(20, dtype=np.uint8)),
        ("fp32", np.zeros((0, 20), np.float32)),
    )
    save_text(module, str(tmp_path / "m.ir"))
    again = load_text(str(tmp_path / "m.ir"))
    assert print_module(again) == print_module(module)
    for one, two in zip(module.weights.values(), again.weights.values(), strict=True):
        assert raw(one.source.array(one.type)) == raw(two.source.array(two.type))


def test_only_small_weights_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WEIGHTS_LIMIT", 100)
    module = with_weights(
        ("int8", np.full(50, 1, np.int8)),
        ("int8", np.full(90, 2, np.int8)),
        ("int8", np.full(40, 3, np.int8)),
        ("int8", np.full(40, 3, np.int8)),
    )
    module.add_weight("lazy", tensor("int8", (20,)), Lazy("far away", unread))
    save_text(module, str(tmp_path / "m.ir"))
    sources = [w.source for w in load_text(str(tmp_path / "m.ir")).weights.values()]
    assert [type(source) for source in sources] == [Data, Missing, Data, Data, Missing]
    given = {Data(np.full(90, 2, np.int8)).digest: np.full(90, 2, np.int8)}
    again = load_text(str(tmp_path / "m.ir"), given)
    assert isinstance(again.weights["w.1"].source, Data)


def test_a_text_without_large_constants_stands_alone(tmp_path: Path) -> None:
    save_text(with_weights(("int8", np.zeros(16, np.int8))), str(tmp_path / "m.ir"))
    assert [path.name for path in tmp_path.iterdir()] == ["m.ir"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link.ir").symlink_to(tmp_path / "m.ir")
    save_text(with_weights(), str(tmp_path / "link.ir"))
    assert (tmp_path / "link.ir").is_symlink()
    assert (tmp_path / "m.ir").read_text() == print_module(with_weights())


# ---- what is refused ------------------------------------------------------------------------
def test_damaged_weights(tmp_path: Path) -> None:
    path = tmp_path / "m.ir"
    save_text(with_weights(("int8", np.arange(20, dtype=np.int8))), str(path))
    beside = tmp_path / ("m.ir" + files.BESIDE)
    good = beside.read_bytes()
    for number in range(len(good)):
        beside.write_bytes(good[:number] + bytes([good[number] ^ 4]) + good[number + 1 :])
        assert refused(path).startswith("E1405")
        beside.write_bytes(good[:number])
        if number > len(b"maiacc weights 1\n"):
            assert refused(path).startswith("E1405")
    beside.write_bytes(good + b"x")
    assert "damaged" in refused(path)
    beside.write_bytes(good)
    assert load_text(str(path))


def test_elements_that_do_not_fit_their_type(tmp_path: Path) -> None:
    path = tmp_path / "m.ir"
    save_text(with_weights(("uint8", np.full(20, 2, np.uint8))), str(path))
    text = path.read_text()
    path.write_text(text.replace("uint8[20]", "bool[20]"))
    assert "neither 0 nor 1" in refused(path)
    path.write_text(text.replace("uint8[20]", "uint8[21]"))
    assert "expected 21 bytes; found 20 bytes; line 2" in refused(path)


def test_files_that_are_no_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.ir"
    assert "No such file" in refused(path)
    path.mkdir()
    assert refused(path).startswith("E1405")
    os.mkfifo(tmp_path / "fifo")
    assert "no plain file" in refused(tmp_path / "fifo")
    assert "no plain file" in refused(Path("/dev/zero"))
    (tmp_path / "latin").write_bytes(b"ir 1 graph\n\xff")
    assert refused(tmp_path / "latin") == "E1404: the text is not in UTF-8; line 2"
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / ("a" + files.BESIDE)).write_bytes(b"something else")
    assert "holds no weights" in refused(tmp_path / "a")
    monkeypatch.setattr(files, "TEXT_LIMIT", 5)
    (tmp_path / "long").write_bytes(b"ir 1 graph\n")
    assert "expected at most 5 bytes" in refused(tmp_path / "long")
    assert refused(tmp_path / "nul\0").startswith("E1405")


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "m.ir", tmp_path / "nul\0"):
        with pytest.raises(IRError) as caught:
            save_text(with_weights(), str(path))
        assert caught.value.code == "E1405"
    assert not list(tmp_path.iterdir())
