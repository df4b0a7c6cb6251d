"""Tensors of the host: arrays into memories before a run, and out of them after it.

Types that numpy has are arrays of these types. The others (bf16, fp8, fp4, int4, e8m0 ...) are
arrays of codes: unsigned integers of 8 or 16 bits that hold the bits of an element; arrays of the
types that ml_dtypes adds to numpy are taken, too, by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from math import prod
from types import EllipsisType

import numpy as np

from maiacc_isa.container import map_weights
from maiacc_isa.errors import MaiaccError, quote
from maiacc_isa.formats import encode
from maiacc_isa.load import load
from maiacc_isa.program import Program, Tensor
from maiacc_sim.arith.convert import container
from maiacc_sim.memory import Memories, Owner
from maiacc_sim.pages import Array, Bytes
from maiacc_sim.traps import Trap

#: Names that ml_dtypes gives to types of the machine.
FOREIGN = {
    "bf16": "bfloat16",
    "e4m3": "float8_e4m3fn",
    "e5m2": "float8_e5m2",
    "e2m1": "float4_e2m1fn",
    "e3m2": "float6_e3m2fn",
    "e2m3": "float6_e2m3fn",
    "e8m0": "float8_e8m0fnu",
    "int4": "int4",
    "uint4": "uint4",
}

#: Floats and narrow signed integers lie from minus this to this.
MAGNITUDE = 4

#: Other integers, which may be indices, lie from 0 to this.
INDEX = 3


@cache
def host_dtype(dtype: str) -> np.dtype[np.generic]:
    """The numpy type of a tensor's arrays: its own, or that of its codes."""
    t = load().dtypes[dtype]
    if t.kind == "bool":
        return np.dtype(np.bool_)
    if t.is_int and t.bits >= 8:
        return np.dtype(dtype)
    if dtype in ("fp32", "fp16"):
        return np.dtype(f"float{t.bits}")
    return container(dtype)


# ---- before a run -------------------------------------------------------------------------


def load_inputs(program: Program, memories: Memories, values: Mapping[str, Array]) -> None:
    """Puts inputs and states, by name, and the program's weights into HBM.

    Raises what ``give_inputs`` and ``load_weights`` raise.
    """
    give_inputs(program, memories, values)
    load_weights(program, memories)


def give_inputs(program: Program, memories: Memories, values: Mapping[str, Array]) -> None:
    """Puts inputs and states, by name, into HBM.

    Raises ``MaiaccError`` E1201 for a missing one, E1202 for a name that is none of them and
    E1203 for another shape or type.
    """
    wanted = {t.name: t for t in program.tensors if t.kind in ("input", "state")}
    for name in values:
        if name not in wanted:
            raise MaiaccError(
                "E1202",
                f"the program has no input or state {quote(name)}",
                expected=_listed(wanted) or "no inputs",
                found=quote(name),
                hint="names are those of the program, not of its results",
            )
    for name, tensor in wanted.items():
        if name not in values:
            missing = [n for n in wanted if n not in values]
            raise MaiaccError(
                "E1201",
                f"{tensor.kind} {quote(name)} has no value",
                expected=title(tensor),
                found=f"missing: {_listed(missing)}",
                hint="give an array for each of them",
            )
    for name, tensor in wanted.items():
        codes = _codes(tensor, values[name])
        give = memories.lend if tensor.kind == "input" else memories.store
        for owner, _, part in _parts(program, memories, tensor):
            give(owner, tensor.base, pack(codes[part], tensor.dtype))


def load_weights(program: Program, memories: Memories) -> None:
    """Puts the program's weights into HBM, mapped from their files.

    Raises ``MaiaccError`` E0002 or E0603 for weights that cannot be read, E0510 for too few bytes,
    E1210 for a program that comes without values of its weights.
    """
    chips = program.machine.chips
    for tensor in program.tensors:
        if tensor.kind != "weight":
            continue
        weights = program.weights.get(tensor.name)
        if weights is None:
            raise MaiaccError(
                "E1210",
                "the program has no values of its weights",
                expected=title(tensor),
                found=f"missing: {quote(tensor.name)}",
                hint="compile the model without --no-weights, or time it: --timing-only",
            )
        data = map_weights(weights)
        if len(data) != tensor.bytes():
            raise MaiaccError(
                "E0510",
                f"weight {quote(tensor.name)} has the wrong number of bytes",
                expected=str(tensor.bytes()),
                found=str(len(data)),
            )
        size = tensor.bytes(chips)
        for owner, chip, _ in _parts(program, memories, tensor):
            first = chip * size if tensor.split else 0
            memories.map(owner, tensor.base, data[first : first + size])


def _parts(
    program: Program, memories: Memories, tensor: Tensor
) -> Iterator[tuple[Owner, int, slice | EllipsisType]]:
    """The HBM of every chip, the chip, and the piece of a tensor that lies there."""
    chips = program.machine.chips
    if tensor.split and (not tensor.shape or tensor.shape[0] % chips):
        message = f"tensor {quote(tensor.name)} cannot be split over {chips} chips"
        raise Trap("bounds", message, found=title(tensor))
    count = tensor.shape[0] // chips if tensor.split else 0
    for chip in range(chips):
        owner = Owner("hbm", memories.system.instance("chip", chip).number)
        yield owner, chip, slice(chip * count, (chip + 1) * count) if tensor.split else ...


def _codes(tensor: Tensor, value: Array) -> Array:
    """The codes of an array of the host. Raises ``MaiaccError`` E1203."""
    wanted, held = host_dtype(tensor.dtype), container(tensor.dtype)
    native = value.dtype == wanted
    # The name of a type takes numpy long.
    foreign = not native and value.dtype.name == FOREIGN.get(tensor.dtype)
    foreign = foreign and value.itemsize == held.itemsize
    if value.shape != tensor.shape or not (native or foreign):
        raise MaiaccError(
            "E1203",
            f"the array for {quote(tensor.name)} does not fit",
            expected=title(tensor),
            found=f"{value.dtype.name}{list(value.shape)}"
            + ("" if value.dtype.isnative else ", bytes in reverse order"),
            hint="nothing is reshaped or converted unasked",
        )
    codes: Array = np.asarray(value, order="C").view(held)
    mask = (1 << load().dtypes[tensor.dtype].bits) - 1
    if foreign:
        codes = codes & held.type(mask)  # ml_dtypes extends the sign of int4
    elif mask >> 8 * held.itemsize - 1 == 0 and codes.size and codes.max() > mask:
        raise MaiaccError(
            "E1203",
            f"the array for {quote(tensor.name)} holds numbers that are no codes",
            expected=f"0 .. {mask}",
            found=str(codes.max()),
        )
    return codes


# ---- after a run --------------------------------------------------------------------------


def read_outputs(program: Program, memories: Memories) -> dict[str, Array]:
    """Outputs by name, and states by the name they are handed back under.

    Of a tensor that is not split it takes what chip 0 holds. Raises ``Trap`` uninitialised for
    an output that was not written completely.
    """
    found = {}
    for tensor in program.tensors:
        if tensor.kind not in ("output", "state"):
            continue
        size = tensor.bytes(program.machine.chips)
        shape, parts = tensor.shape, []
        if tensor.split and shape:
            shape = (shape[0] // program.machine.chips, *shape[1:])
        for owner, _, part in _parts(program, memories, tensor):
            name = f"the host, taking {quote(tensor.name)},"
            data = memories.fetch(owner, tensor.base, size, name)
            parts.append(unpack(data, tensor.dtype, shape))
            if part is ...:
                break
        codes = parts[0] if len(parts) == 1 else np.concatenate(parts)
        wanted = host_dtype(tensor.dtype)
        # What is compared is no array if it has no axes.
        result = np.asarray(codes != 0) if wanted == np.bool_ else codes.view(wanted)
        found[tensor.result or tensor.name] = result
    return found


# ---- bytes --------------------------------------------------------------------------------


def pack(codes: Array, dtype: str) -> Bytes:
    """The bytes of codes, row-major; rows of types below 8 bits are padded to whole bytes."""
    t = load().dtypes[dtype]
    if not t.packed:
        return np.ascontiguousarray(codes).reshape(-1).view(np.uint8)
    columns = codes.shape[-1] if codes.shape else 1
    bits = codes.reshape(-1, 1) >> np.arange(t.bits, dtype=np.uint8) & 1
    rows = bits.reshape(codes.size // max(columns, 1), columns * t.bits)
    return np.packbits(rows, axis=1, bitorder="little").reshape(-1)


def unpack(data: Bytes, dtype: str, shape: tuple[int, ...]) -> Array:
    """The codes of bytes, see ``pack``."""
    t = load().dtypes[dtype]
    if not t.packed or not data.size:
        return data.view(container(dtype)).reshape(shape)
    columns = shape[-1] if shape else 1
    rows = data.reshape(-1, -(-columns * t.bits // 8))
    bits = np.unpackbits(rows, axis=1, bitorder="little", count=columns * t.bits)
    return np.packbits(bits.reshape(-1, t.bits), axis=1, bitorder="little").reshape(shape)


def title(tensor: Tensor) -> str:
    """What an array for a tensor has to be, in words."""
    shape = ", ".join(map(str, tensor.shape))
    natural = host_dtype(tensor.dtype).name
    return f"{tensor.dtype}[{shape}] as {natural}" + (
        f" codes or {FOREIGN[tensor.dtype]}" if tensor.dtype in FOREIGN else ""
    )


def _listed(names: Iterable[str]) -> str:
    return quote(", ".join(names))


# ---- made up -------------------------------------------------------------------------------


def random_inputs(program: Program, seed: int) -> dict[str, Array]:
    """An array for every input and state: numbers on which rounding seldom shows, and that index
    little. The same name and seed give the same array, whatever else the program has."""
    made = {}
    for tensor in program.tensors:
        if tensor.kind in ("input", "state"):
            choices = np.array(_choices(tensor.dtype), container(tensor.dtype))
            digest = hashlib.sha256(tensor.name.encode()).digest()
            words = np.random.PCG64([seed % (1 << 64), *np.frombuffer(digest[:16], "<u4")])
            count = prod(tensor.shape)
            raw = words.random_raw(-(-count // 8)).view(np.uint8)[:count]
            codes = choices[raw % len(choices)].reshape(tensor.shape)
            made[tensor.name] = codes.view(host_dtype(tensor.dtype))
    return made


def _choices(dtype: str) -> list[int]:
    """The codes that a random element may have."""
    t = load().dtypes[dtype]
    if t.is_float:
        return [encode(dtype, float(x)) for x in range(-MAGNITUDE, MAGNITUDE + 1)]
    if t.kind == "scale":
        return list(range(t.bias - 2, t.bias + 3))
    if t.kind == "meta":
        return [first | second << 2 for second in range(4) for first in range(second)]
    if t.kind == "bool":
        return [0, 1]
    if t.signed and t.bits <= 8:
        return [encode(dtype, x) for x in range(-MAGNITUDE, MAGNITUDE + 1)]
    return list(range(INDEX + 1))
