"""``--calibration``: what is taken, what is refused, and what is said of it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

import maiacc
from compile.models import NET, compiled, document, info, model, network
from house.run_programs import call
from maiacc.compiling import calibration
from maiacc.compiling.calibration import Calibration
from maiacc.frontend.model import Settings, import_model
from maiacc_isa.container import open_program
from maiacc_isa.errors import MaiaccError
from maiacc_passes.ir.weights import Array

#: Options that prune the last layer.
DOWN = ("--sparsity", "2:4", "--sparsity-layers", "down", "--calibration", "c.npz")


def samples(count: int, batch: int = 5) -> Array:
    """Inputs of the network, some columns much larger than others."""
    rng = np.random.default_rng(4)
    found: Array = rng.standard_normal((count, batch, 32)) * np.exp(rng.standard_normal(32))
    return found.astype(np.float32)


# ---- what is taken --------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(6, 5, 32), (30, 32)])
def test_samples_are_stacked_or_batches(folder: Path, shape: tuple[int, ...]) -> None:
    np.savez(folder / "c.npz", x=samples(6).reshape(shape))
    done = compiled(folder, *DOWN, "--json")
    assert done.code == 0
    assert not done.err
    facts = document(done)
    assert facts["warnings"] == []
    (layer,) = facts["sparse"]
    assert layer["nodes"] == ["/down/MatMul"]
    assert (layer["pattern"], layer["method"], layer["note"]) == ("2:4", "sparsegpt", "")
    assert layer["error_of"] == "calibration"
    assert 0 < layer["error"] < 1
    assert layer["dense_bytes"] == 4 * 480 == layer["elements"] * 4
    assert layer["sparse_bytes"] == 4 * 240 + 60
    errors = {"sparsegpt": layer["error"]}
    for method in ("magnitude", "wanda"):
        facts = document(compiled(folder, *DOWN, "--sparsity-method", method, "--json"))
        (layer,) = facts["sparse"]
        assert layer["method"] == method
        errors[method] = layer["error"]
    assert errors["sparsegpt"] < errors["wanda"] < errors["magnitude"]


def test_one_sample_goes_with_all_others() -> None:
    proto = model(
        [onnx.helper.make_node("Add", ["x", "p"], ["y"])],
        [info("x", [2, 3]), info("p", [3])],
        [info("y", [2, 3])],
    )
    x, p = np.zeros((4, 3), np.float32), np.ones((1, 3), np.float32)
    found = Calibration(arrays={"x": x, "p": p}).samples(import_model(proto))
    assert [s["x"].shape for s in found] == [(2, 3), (2, 3)]
    assert all(np.array_equal(s["p"], p[0]) for s in found)


def test_pruning_by_magnitude_is_warned_of(folder: Path) -> None:
    done = compiled(folder, *DOWN[:4], "--json")
    (warning,) = document(done)["warnings"]
    assert "loses accuracy" in warning
    assert "--calibration" in warning
    assert warning in done.err
    (layer,) = document(done)["sparse"]
    assert (layer["method"], layer["error_of"]) == ("magnitude", "noise")
    plain = document(compiled(folder, "--json"))
    assert plain["warnings"] == plain["sparse"] == []


def test_the_summary_says_how(folder: Path) -> None:
    np.savez(folder / "c.npz", x=samples(6))
    out = compiled(folder, *DOWN).out
    assert "sparsity 2:4 by sparsegpt" in out
    assert "/down/MatMul: pruned to 2:4 by sparsegpt, 1.875 KiB -> 1020 B" in out
    assert "output on the calibration data off by" in out


def test_python_takes_arrays_and_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", x=samples(6))
    for data in ({"x": samples(6)}, tmp_path / "c.npz"):
        made = maiacc.compile(
            network(),
            "mini",
            {"batch": 5},
            calibration=data,
            sparsity="2:4",
            sparsity_layers="down",
            sparsity_method="wanda",
        )
        assert made.stats is not None
        assert made.stats["sparse"][0]["method"] == "wanda"
        assert len(made.code.options["calibration"]) == 64


def test_verify_wants_the_same_data(folder: Path) -> None:
    np.savez(folder / "c.npz", x=samples(6))
    np.savez(folder / "d.npz", x=samples(7))
    assert compiled(folder, *DOWN, "--sparsity-method", "wanda").code == 0
    recorded = open_program(str(folder / "n.maia")).options
    assert recorded["sparsity-method"] == "wanda"
    judge = ("verify", "n.maia", "--model", "net.onnx")
    assert call(folder, *judge, "--calibration", "c.npz").code == 0
    for more in ((), ("--calibration", "d.npz")):
        done = call(folder, *judge, *more)
        assert done.code == 1
        assert "error[E1506]" in done.err
        assert "calibration" in done.err


# ---- what is refused ------------------------------------------------------------------------
NAN = np.where(np.arange(32) == 3, np.float32("nan"), samples(2))

BAD: dict[str, tuple[str, dict[str, Array]]] = {
    "name": ("E1202", {"image": samples(2)}),
    "another name": ("E1202", {"x": samples(2), "y": samples(2)}),
    "missing": ("E1201", {}),
    "type": ("E1203", {"x": samples(2).astype(np.float64)}),
    "shape": ("E1203", {"x": samples(2)[..., :31]}),
    "batch": ("E1203", {"x": samples(1)[0, :4]}),
    "rank": ("E1203", {"x": samples(4).reshape(2, 2, 5, 32)}),
    "empty": ("E1508", {"x": samples(2)[:0]}),
    "empty batch": ("E1508", {"x": samples(1)[0, :0]}),
    "nan": ("E1508", {"x": NAN}),
    "infinite": ("E1508", {"x": np.full((2, 5, 32), np.inf, np.float32)}),
    "objects": ("E1204", {"x": np.array([None, {}])}),
}


@pytest.mark.parametrize("name", BAD)
def test_data_that_do_not_fit_are_refused(folder: Path, name: str) -> None:
    code, arrays = BAD[name]
    np.savez(folder / "c.npz", **arrays)  # type: ignore[arg-type]  # numpy takes names for its options
    before = sorted(folder.rglob("*"))
    done = compiled(folder, *DOWN, "--json")
    assert done.code == 1
    assert f"error[{code}]" in done.err
    assert "c.npz" in done.err
    assert "expected" in done.err or "try" in done.err
    assert document(done)["error"]["code"] == code
    assert sorted(folder.rglob("*")) == before


def test_files_that_are_none_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def code(*more: str) -> str:
        return str(document(call(folder, "compile", *NET, *more, "--json"))["error"]["code"])

    assert code(*DOWN) == "E0002"
    (folder / "c.npz").write_bytes(b"PK, and no more")
    assert code(*DOWN) == "E1204"
    with zipfile.ZipFile(folder / "c.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00")
    assert code(*DOWN) == "E1204"
    np.savez_compressed(folder / "c.npz", x=np.zeros((1000, 5, 32), np.float32))
    monkeypatch.setattr(calibration, "LIMIT", 100_000)
    assert code(*DOWN) == "E1204"


@pytest.mark.parametrize(
    "more",
    [
        ("--calibration", "c.npz"),
        ("--sparsity-method", "magnitude"),
        ("--sparsity", "2:4", "--sparsity-method", "largest"),
        ("--sparsity", "2:4", "--sparsity-method", "wanda"),
        ("--sparsity", "2:4", "--sparsity-method", "sparsegpt"),
        ("--sparsity", "3:4"),
        ("--sparsity", "4:8"),
        ("--sparsity", "2:4", "--calibration", "c.npz", "--no-weights"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    folder: Path, more: tuple[str, ...]
) -> None:
    done = compiled(folder, *more)
    assert done.code == 1
    assert "error[E1506]" in done.err
    assert "try" in done.err or "expected" in done.err


def test_patterns_that_do_not_exist_say_what_the_format_is(folder: Path) -> None:
    done = compiled(folder, "--sparsity", "4:8")
    assert "two of each aligned four" in done.err
    assert "1:8" in done.err


def test_arrays_in_python_are_checked_as_files_are() -> None:
    module = import_model(network(), Settings(dims={"batch": 5}))
    for code, arrays in BAD.values():
        if code != "E1204":
            with pytest.raises(MaiaccError) as refused:
                Calibration(arrays=arrays).samples(module)
            assert refused.value.code == code
