"""Real network architectures: ONNX graphs on disk, weights from a seed.

``build(name, seed=0)`` is a complete ``onnx.ModelProto``, ``inputs(name, seed=0, **dims)`` arrays for
it; ``python -m zoo`` lists, writes and verifies models.

``graphs/NAME.onnx`` holds the graph with its small constants (shapes, scalars, scales: at most
1 KiB each). Every bigger initializer is declared in ``graphs/NAME.json`` under ``tensors`` and made
here by its ``fill`` rule. A tensor depends only on (seed, tensor name, shape, rule) and is computed
from PCG64 bits, integers and single IEEE operations, so it has the same bits on every machine and
with every numpy (the one exception is the sine table of Whisper). ``crc`` tells.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

HERE = Path(__file__).resolve().parent
CHUNK = 1 << 18  # elements drawn at a time; part of the definition of the stream
MEAN = 8 * 65535 // 2  # mean of a sum of eight 16-bit numbers (262140)
STD = float(np.sqrt(8 * (65536.0**2 - 1) / 12))  # its standard deviation


def _folders() -> list[Path]:
    extra = [Path(p) for p in os.environ.get("ZOO_PATH", "").split(os.pathsep) if p]
    return [HERE / "graphs", *(p / "graphs" if (p / "graphs").is_dir() else p for p in extra)]


def _find(name: str) -> Path:
    for folder in _folders():
        if (folder / f"{name}.json").is_file():
            return folder / f"{name}.json"
    raise KeyError(f"no model {name!r} in the zoo; see `zoo.py list`")


def names() -> list[str]:
    """The names of all models, sorted."""
    return sorted({p.stem for folder in _folders() for p in folder.glob("*.json")})


def info(name: str) -> dict[str, Any]:
    """The sidecar of a model: architecture, inputs, counts, tensor rules."""
    found: dict[str, Any] = json.loads(_find(name).read_text(encoding="utf-8"))
    return found


# ---- numbers from a seed ------------------------------------------------------------------------


def _stream(seed: int, key: str) -> np.random.PCG64:
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return np.random.PCG64(int.from_bytes(digest[:16], "little"))


def _draw(seed: int, key: str, count: int) -> np.ndarray:
    """`count` int32 numbers, near-normal with mean 0 and deviation STD (sums of 8 uint16)."""
    bits, out = _stream(seed, key), np.empty(count, np.int32)
    for at in range(0, count, CHUNK):
        n = min(CHUNK, count - at)
        parts = bits.random_raw(2 * n).astype("<u8", copy=False).view("<u2").reshape(8, n)
        total = parts[0].astype(np.int32)
        for row in parts[1:]:
            total += row
        out[at : at + n] = total - MEAN
    return out


def normal(
    seed: int, key: str, shape: tuple[int, ...], mean: float, std: float, centred: bool = False
) -> np.ndarray:
    """Near-normal float32. `centred` makes every slice [i] of the first axis sum to zero."""
    count = int(np.prod(shape, dtype=np.int64))
    draws = _draw(seed, key, count)
    out = np.empty(count, np.float32)
    if centred:
        rows = draws.reshape(shape[0], -1)
        width, sums = rows.shape[1], rows.sum(axis=1, dtype=np.int64)
        for i in range(shape[0]):
            exact = rows[i].astype(np.int64) * width - sums[i]
            out[i * width : (i + 1) * width] = mean + exact * (std / (STD * width))
    else:
        for at in range(0, count, CHUNK):
            out[at : at + CHUNK] = mean + draws[at : at + CHUNK] * (std / STD)
    return out.reshape(shape)


def _channels(weight: np.ndarray, axis: int | None, values: Any) -> Any:
    if axis is None or np.ndim(values) == 0:
        return values
    return np.reshape(values, [-1 if i == axis else 1 for i in range(weight.ndim)])


def _scale_of(weight: np.ndarray, axis: int | None) -> np.ndarray:
    """Symmetric int8 scales of a weight: absolute maximum / 127, per channel of `axis`."""
    rest = None if axis is None else tuple(i for i in range(weight.ndim) if i != axis)
    top = np.abs(weight).max(axis=rest).astype(np.float64)
    scales: np.ndarray = (top * 2.0 / np.float64(254.0)).astype(np.float32)
    return scales


def _sinusoid(rows: int, width: int) -> np.ndarray:
    """The fixed position table of the Whisper encoder: sines, then cosines."""
    step = np.log(10000.0) / (width // 2 - 1)
    angle = np.arange(rows)[:, None] * np.exp(-step * np.arange(width // 2))[None, :]
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


def tensor(spec: dict[str, Any], seed: int, made: dict[str, np.ndarray]) -> np.ndarray:
    """One declared tensor. `made` holds the tensors already made, for rules that refer to them."""
    shape, dtype = tuple(spec["shape"]), np.dtype(spec["dtype"])
    fill = spec["fill"]
    rule, key = fill["rule"], fill.get("key", spec["name"])
    if rule == "normal":
        out = normal(seed, key, shape, fill["mean"], fill["std"], fill.get("centred", False))
    elif rule == "same":  # equal to another tensor, perhaps with its axes permuted
        out = made[fill["of"]]
        out = out.transpose(fill["perm"]) if "perm" in fill else out
    elif rule == "data":  # the real values, compressed
        out = np.frombuffer(zlib.decompress(base64.b64decode(fill["zlib"])), dtype)
    elif rule == "sinusoid":
        out = _sinusoid(*shape)
    elif rule in ("quantized", "scale", "bias_scale"):
        of = fill["of"]  # the float tensor (a rule of its own) that was quantized
        real = tensor(
            {"name": of["name"], "shape": of["shape"], "dtype": "float32", "fill": of["fill"]},
            seed,
            made,
        )
        if rule == "scale":
            out = _scale_of(real, fill["axis"])
        elif rule == "bias_scale":
            out = (np.float32(fill["input_scale"]) * _scale_of(real, fill["axis"])).astype(dtype)
        else:
            scale = made[fill["scale"]] if "scale" in fill else np.float32(fill["value"])
            axis = fill.get("axis")
            limit = np.iinfo(dtype)
            steps = np.rint(real / _channels(real, axis, scale)).astype(np.float64)
            out = np.clip(steps, -127 if dtype == np.int8 else limit.min, limit.max)
    else:
        raise ValueError(f"unknown fill rule {rule!r} of {spec['name']}")
    return np.ascontiguousarray(out.reshape(shape).astype(dtype, copy=False))


# ---- models and inputs --------------------------------------------------------------------------


def skeleton(name: str) -> onnx.ModelProto:
    """The graph without its big initializers (not a valid model on its own)."""
    return onnx.load(str(_find(name).with_suffix(".onnx")))


def build(name: str, seed: int = 0) -> onnx.ModelProto:
    """The complete model with seeded weights."""
    model, made = skeleton(name), dict[str, np.ndarray]()
    for spec in info(name)["tensors"]:
        made[spec["name"]] = tensor(spec, seed, made)
    for array_name, array in made.items():
        model.graph.initializer.append(numpy_helper.from_array(array, array_name))
    return model


def crc(name: str) -> int:
    """CRC-32 over the declared tensors of seed 0 (without sine tables)."""
    total, made = 0, dict[str, np.ndarray]()
    for spec in info(name)["tensors"]:
        made[spec["name"]] = array = tensor(spec, 0, made)
        if spec["fill"]["rule"] != "sinusoid":
            raw = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            total = zlib.crc32(raw.tobytes(), total)
    return total


def _image(shape: tuple[int, ...], seed: int, key: str) -> np.ndarray:
    """Smooth random pictures: coarse noise at three sizes, enlarged, plus fine grain."""
    out = np.zeros(shape, np.float32)
    high, wide = shape[-2:]
    for cells in (2, 5, 11):
        coarse = normal(seed, f"{key}/{cells}", (*shape[:-2], cells, cells), 0.0, 0.6)
        out += coarse[..., np.arange(high) * cells // high, :][..., np.arange(wide) * cells // wide]
    picture: np.ndarray = out + normal(seed, f"{key}/grain", shape, 0.0, 0.2)
    return picture


def inputs(name: str, seed: int = 0, **dims: int) -> dict[str, np.ndarray]:
    """Inputs that the model accepts. `dims` sets named (dynamic) dimensions, e.g. batch=3."""
    out: dict[str, np.ndarray] = {}
    sidecar = info(name)
    sizes = {**sidecar.get("dims", {}), **dims}
    for spec in sidecar["inputs"]:
        shape = tuple(sizes[d] if isinstance(d, str) else d for d in spec["shape"])
        gen, key = spec["gen"], f"input:{spec['name']}"
        count = int(np.prod(shape, dtype=np.int64))
        if gen["kind"] == "normal":
            value: np.ndarray = normal(seed, key, shape, 0.0, gen.get("std", 1.0))
        elif gen["kind"] == "image":
            value = _image(shape, seed, key)
        elif gen["kind"] == "ids":
            raw = _stream(seed, key).random_raw(count)
            value = (raw % np.uint64(gen["below"])).astype(np.int64).reshape(shape)
        elif gen["kind"] == "range":  # start, start+1, ... along the last axis
            value = np.broadcast_to(np.arange(shape[-1]) + gen.get("start", 0), shape)
        elif gen["kind"] == "full":
            value = np.full(shape, gen["value"])
        elif gen["kind"] == "padding":  # 1 ... 1 0 ... 0: row i drops first + i * step positions
            keep = shape[-1] - gen.get("first", 0) - gen["step"] * np.arange(shape[0])
            value = np.arange(shape[-1])[None, :] < np.maximum(keep, 1)[:, None]
        else:
            raise ValueError(f"unknown input kind {gen['kind']!r}")
        out[spec["name"]] = np.array(value, dtype=spec["dtype"], order="C").reshape(shape)
    return out
