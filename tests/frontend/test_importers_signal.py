"""Fourier transforms, windows and filters."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest

from frontend.compared import floats, model_of, names, node, run, same
from maiacc.frontend.importers.signal import _complex, _roots
from maiacc.frontend.model import Settings, import_model
from maiacc.frontend.node import NeedsValue
from maiacc_isa.errors import ErrorList

LENGTHS = (1, 2, 3, 4, 5, 7, 8, 12, 16, 30, 33)


def _as_complex(x: Any) -> Any:
    return x[..., 0] + 1j * x[..., 1] if x.shape[-1] == 2 else x[..., 0]


def _dft(
    x: Any, axis: int | None = None, length: int | None = None, opset: int = 20, **attrs: Any
) -> Any:
    constants: dict[str, Any] = {}
    inputs = ["x", "-", "-"]
    if length is not None:
        inputs[1], constants["n"] = "n", np.array(length)
    if axis is not None and opset >= 20:
        inputs[2], constants["a"] = "a", np.array(axis)
    elif axis is not None:
        attrs["axis"] = axis
    text = " ".join(inputs[: 3 if opset >= 20 else 2])
    nodes = [node("DFT", text, "y", **attrs)]
    return run(model_of(nodes, {"x": x}, ["y"], constants, opset=opset), {"x": x})[0]


def _close(found: Any, expected: Any, length: int) -> None:
    if found.shape[-1] == 2:
        found = _as_complex(found)
    else:
        found = found[..., 0]
    np.testing.assert_allclose(found, expected, atol=2e-7 * max(length, 4) ** 1.1, rtol=1e-5)


# ---- DFT ------------------------------------------------------------------------------------
@pytest.mark.parametrize("length", LENGTHS)
def test_roots_are_exact(length: int) -> None:
    """To the last bit of float64 but one, and exact where they are 0, 1 or -1."""
    cos, sin = _roots(length, length, length)
    turns = np.outer(np.arange(length), np.arange(length)) % length
    np.testing.assert_allclose(cos, np.cos(2 * np.pi * turns / length), atol=1e-15)
    np.testing.assert_allclose(sin, np.sin(2 * np.pi * turns / length), atol=1e-15)
    quarters = turns * 4 % length == 0
    assert set(cos[quarters]) | set(sin[quarters]) <= {-1.0, 0.0, 1.0}


@pytest.mark.parametrize("length", LENGTHS)
def test_dft_of_all_lengths(length: int) -> None:
    z, x = floats(2, length, 2), floats(2, length, 1)
    _close(_dft(z), np.fft.fft(_as_complex(z)), length)
    _close(_dft(x), np.fft.fft(x[..., 0]), length)
    _close(_dft(x, onesided=1), np.fft.rfft(x[..., 0]), length)
    _close(_dft(z, inverse=1), np.fft.ifft(_as_complex(z)), length)
    _close(_dft(x, inverse=1), np.fft.ifft(x[..., 0]), length)
    if length > 1:
        _close(_dft(z, inverse=1, onesided=1), np.fft.irfft(_as_complex(z)), length)
        odd = np.fft.irfft(_as_complex(z), 2 * length - 1)
        _close(_dft(z, inverse=1, onesided=1, length=2 * length - 1), odd, length)


@pytest.mark.parametrize("opset", [17, 20])
@pytest.mark.parametrize("axis", [0, 1, 2, -2, -4])
@pytest.mark.parametrize("length", [None, 3, 6])
def test_dft_along_axes(axis: int, length: int | None, opset: int) -> None:
    z = floats(4, 5, 3, 2)
    expected = np.fft.fft(_as_complex(z), length, axis + (axis < 0))
    _close(_dft(z, axis, length, opset), expected, 6)


def test_dft_axes_by_default() -> None:
    z = floats(4, 5, 3, 2)
    _close(_dft(z, opset=17), np.fft.fft(_as_complex(z), axis=1), 5)
    _close(_dft(z, opset=20), np.fft.fft(_as_complex(z), axis=2), 3)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, ml_dtypes.bfloat16])
def test_dft_of_other_elements(dtype: Any) -> None:
    """Narrow ones are computed in fp32."""
    z = floats(2, 8, 2, dtype=dtype)
    found = _dft(z)
    assert found.dtype == dtype
    expected = np.fft.fft(_as_complex(z.astype(np.float64)))
    error = np.abs(_as_complex(found.astype(np.float64)) - expected).max()
    assert error <= {8: 1e-14, 2: 0.03}[z.itemsize]


@pytest.mark.parametrize(
    ("shape", "attrs", "match"),
    [
        ((2, 4, 3), {}, "E1304.*no real number"),
        ((2, 4, 2), {"axis": -1}, "E1304.*last axis"),
        ((2, 4, 2), {"onesided": 1}, "E1304.*onesided"),
        ((2, 4, 1), {"onesided": 1, "inverse": 1}, "E1304.*onesided"),
        ((2, 4, 2), {"length": 0}, "E1303.*length 0"),
        ((2, 4, 2), {"length": 100000}, "E1303.*length 100000"),
    ],
)
def test_dft_refusals(shape: Any, attrs: Any, match: str) -> None:
    with pytest.raises(ErrorList, match=match):
        _dft(floats(*shape), **attrs)


def test_dft_of_a_length_at_run_time() -> None:
    feeds = {"x": floats(2, 4, 2), "n": np.array(3)}
    model = model_of([node("DFT", "x n", "y")], feeds, ["y"])
    with pytest.raises(ErrorList) as caught:
        import_model(model)
    problem = caught.value.errors[0]
    assert isinstance(problem, NeedsValue)
    assert problem.inputs == ("n",)
    found = run(model, feeds, Settings(values={"n": np.array(3)}))[0]
    _close(found, np.fft.fft(_as_complex(feeds["x"]), 3), 3)


def test_the_matrix_of_a_transform_and_its_inverse() -> None:
    forward, back = _complex(9, 9, False), _complex(9, 9, True)
    product = np.einsum("cnkd,dkme->cnme", forward, back).transpose(0, 1, 3, 2)
    np.testing.assert_allclose(product.transpose(0, 2, 1, 3)[0, 0], np.eye(9), atol=1e-14)
    np.testing.assert_allclose(product.transpose(0, 2, 1, 3)[0, 1], np.zeros((9, 9)), atol=1e-14)


# ---- STFT -----------------------------------------------------------------------------------
@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("inputs", ["x s - n", "x s w -", "x s w n"])
@pytest.mark.parametrize(("length", "step"), [(8, 4), (6, 5), (20, 1)])
def test_stft(onesided: int, inputs: str, length: int, step: int) -> None:
    feeds = {"x": floats(2, 20, 1)}
    constants = {"s": np.array(step), "n": np.array(length), "w": np.abs(floats(length))}
    nodes = [node("STFT", inputs, "y", onesided=onesided)]
    model = model_of(nodes, feeds, ["y"], constants)
    module = same(model, feeds)
    assert {"windows", "contract"} <= set(names(module))


def test_stft_of_complex_numbers() -> None:
    feeds = {"x": floats(1, 12, 2)}
    constants = {"s": np.array(3), "n": np.array(6)}
    nodes = [node("STFT", "x s - n", "y", onesided=0)]
    found = run(model_of(nodes, feeds, ["y"], constants), feeds)[0]
    frames = np.stack([_as_complex(feeds["x"])[:, i : i + 6] for i in (0, 3, 6)], 1)
    _close(found, np.fft.fft(frames), 6)


@pytest.mark.parametrize(
    ("shape", "numbers", "match"),
    [
        ((1, 12, 2), (3, 6), "E1304.*onesided"),
        ((1, 12, 1), (0, 6), "(?s)E1304.*step 0"),
        ((1, 12, 1), (3, 13), "(?s)E1304.*13, step 3"),
        ((1, 12, 3), (3, 6), "E1304.*signal"),
    ],
)
def test_stft_refusals(shape: Any, numbers: Any, match: str) -> None:
    step, length = numbers
    constants = {"s": np.array(step), "n": np.array(length)}
    model = model_of([node("STFT", "x s - n", "y")], {"x": floats(*shape)}, ["y"], constants)
    with pytest.raises(ErrorList, match=match):
        import_model(model)


# ---- windows and filters --------------------------------------------------------------------
def _constant(op: str, *numbers: Any, **attrs: Any) -> Any:
    constants = {f"c{i}": np.asarray(number) for i, number in enumerate(numbers)}
    model = model_of([node(op, " ".join(constants), "y", **attrs)], {}, ["y"], constants)
    module = same(model, {}, rtol=1e-4)
    assert names(module) == ["return"]
    return run(model, {})[0]


@pytest.mark.parametrize("periodic", [0, 1])
@pytest.mark.parametrize("op", ["HannWindow", "HammingWindow", "BlackmanWindow"])
def test_windows(op: str, periodic: int) -> None:
    for size in (2, 5, 16):
        _constant(op, np.int64(size), periodic=periodic)
    wide = _constant(op, np.int64(16), output_datatype=onnx.TensorProto.DOUBLE)
    assert wide.dtype == np.float64


def test_windows_are_what_numpy_has() -> None:
    for op, function in (("HannWindow", np.hanning), ("BlackmanWindow", np.blackman)):
        model = model_of([node(op, "n", "y", periodic=0)], {}, ["y"], {"n": np.array(9)})
        np.testing.assert_allclose(run(model, {})[0], function(9), atol=1e-7)


def test_windows_of_one_or_none() -> None:
    for size in (0, 1):
        nodes = [node("HannWindow", "n", "y", periodic=0)]
        found = run(model_of(nodes, {}, ["y"], {"n": np.array(size)}), {})[0]
        np.testing.assert_array_equal(found, np.zeros(size))
    with pytest.raises(ErrorList, match="E1304"):
        import_model(model_of(nodes, {}, ["y"], {"n": np.array(-1)}))


@pytest.mark.parametrize("numbers", [(8, 16, 8192, 0, 4096), (20, 512, 16000, 80, 7600)])
def test_mel_weights(numbers: Any) -> None:
    bands, length, rate, low, high = numbers
    found = _constant("MelWeightMatrix", bands, length, rate, np.float32(low), np.float32(high))
    assert found.shape == (length // 2 + 1, bands)
    assert found.max() == 1


def test_mel_weights_outside_of_the_spectrum() -> None:
    numbers = (np.int64(4), np.int64(16), np.int64(100), np.float32(0), np.float32(9000))
    constants = {f"c{i}": np.asarray(number) for i, number in enumerate(numbers)}
    nodes = [node("MelWeightMatrix", " ".join(constants), "y")]
    with pytest.raises(ErrorList, match=r"E1304.*outside"):
        import_model(model_of(nodes, {}, ["y"], constants))
