"""Descriptors, chains, semaphores and masks as bits, and what makes them illegal."""

from __future__ import annotations

from typing import Any

from maiacc_isa.bits import Values, layout
from maiacc_isa.errors import MaiaccError
from maiacc_isa.load import load
from maiacc_isa.tables import Axis, Chain, Descriptor, Dim, Mask, Semaphore, Sized, Step, Term

# ---- descriptors --------------------------------------------------------------------------


def encode_descriptor(d: Descriptor) -> int:
    """The 1024 bits of a descriptor. Raises ``MaiaccError`` E0403, E0404 or E0409."""
    _check_shape(d)
    return layout("descriptor").pack(
        {
            "space": d.space,
            "dtype": d.dtype,
            "home": d.home,
            "drop": d.drop,
            "scaled": d.scale is not None,
            "meta_on": d.meta is not None,
            "axes_used": len(d.axes) - 1,
            "rank": len(d.dims),
            "split": d.split,
            "base": d.base,
            "axis": [vars(axis) for axis in d.axes],
            "dim": [vars(dim) for dim in d.dims],
            "term": [vars(term) for term in d.terms],
            "sized": [{"on": True, **vars(s)} for s in d.sized],
            "scale": d.scale or 0,
            "meta": d.meta or 0,
            "fill": d.fill,
        },
        "descriptor",
    )


def decode_descriptor(bits: int) -> Descriptor:
    """The descriptor of 1024 bits.

    Raises ``MaiaccError`` E0402, E0404, and E0409 for what has another, shorter encoding.
    """
    v = layout("descriptor").unpack(bits, "descriptor")
    axes = v["axes_used"] + 1
    unused = (
        *v["axis"][axes:],
        *v["dim"][v["rank"] :],
        *([] if v["scaled"] else [{"scale": v["scale"]}]),
        *([] if v["meta_on"] else [{"meta": v["meta"]}]),
    )
    if v["rank"] > load().limit("dims"):
        raise MaiaccError("E0409", "descriptor: rank is at most 6", found=str(v["rank"]))
    if any(any(part.values()) for part in unused):
        raise MaiaccError("E0409", "descriptor: an unused axis, dim, scale or meta is not zero")
    terms = _used_first(v["term"], "coef", "term")
    sized = _used_first(v["sized"], "on", "sized")
    result = Descriptor(
        space=v["space"],
        dtype=v["dtype"],
        base=v["base"],
        axes=tuple(Axis(**axis) for axis in v["axis"][:axes]),
        dims=tuple(Dim(**dim) for dim in v["dim"][: v["rank"]]),
        split=v["split"],
        terms=tuple(Term(**term) for term in terms),
        sized=tuple(Sized(s["reg"], s["what"]) for s in sized),
        home=v["home"],
        drop=v["drop"],
        scale=v["scale"] if v["scaled"] else None,
        meta=v["meta"] if v["meta_on"] else None,
        fill=v["fill"],
    )
    _check_shape(result)
    return result


def _check_shape(d: Descriptor) -> None:
    limit = load().limit
    for what, count, most in (
        ("axes", len(d.axes), limit("axes")),
        ("window dims", len(d.dims), limit("dims")),
        ("origin terms", len(d.terms), limit("terms")),
        ("sizes from scalars", len(d.sized), limit("sized")),
    ):
        if count > most:
            raise MaiaccError("E0409", f"descriptor: at most {most} {what}", found=str(count))
    if not d.axes:
        raise MaiaccError("E0409", "descriptor: at least one axis")
    if not 0 <= d.split <= len(d.dims):
        raise MaiaccError("E0409", "descriptor: the split lies behind the last dim")
    if any(dim.axis >= len(d.axes) for dim in d.dims):
        raise MaiaccError("E0409", "descriptor: a dim moves an axis that does not exist")
    targets = load().enums["target"].by_name
    for term in d.terms:
        code = targets[term.target].code if term.target in targets else 99
        if len(d.axes) <= code < limit("axes"):
            raise MaiaccError("E0409", "descriptor: a term moves an axis that does not exist")
        if term.coef == 0:
            raise MaiaccError("E0409", "descriptor: a term with coefficient 0")
    for s in d.sized:
        number = int(s.what[-1]) if s.what[-1:].isdigit() else 99
        if number >= (len(d.axes) if s.what.startswith("extent") else len(d.dims)):
            raise MaiaccError("E0409", f"descriptor: {s.what} does not exist")
    if len({s.what for s in d.sized}) < len(d.sized):
        raise MaiaccError("E0409", "descriptor: two scalars for one size")


def _used_first(items: list[Values], flag: str, what: str) -> list[Values]:
    """The items in use, which must stand before the others; those must be all zero."""
    used = [item for item in items if item[flag]]
    rest = items[len(used) :]
    if any(
        value not in (0, False, _FIRST_LABEL.get(key))
        for item in rest
        for key, value in item.items()
    ):
        raise MaiaccError("E0409", f"descriptor: an unused {what} is not zero or stands first")
    return used


#: What the code 0 reads as in the enums of repeated fields.
_FIRST_LABEL = {"target": "axis0", "what": "extent0"}


# ---- chains -------------------------------------------------------------------------------


def encode_chain(chain: Chain) -> int:
    """The 256 bits of a chain. Raises ``MaiaccError`` E0403, E0404 or E0410."""
    _check_chain(chain)
    steps = []
    for step in chain.steps:
        inputs = dict(zip("xyz", step.inputs, strict=False))
        steps.append({"op": step.op, **inputs, "imm": step.imm})
    return layout("chain").pack(
        {
            "count": len(chain.steps),
            "dtype": chain.dtype,
            "stat": chain.stat,
            "saturate": chain.saturate,
            "zero_div": chain.zero_div,
            "round": chain.round,
            "step": steps,
        },
        "chain",
    )


def decode_chain(bits: int) -> Chain:
    """The chain of 256 bits. Raises ``MaiaccError`` E0402, E0404 or E0410."""
    count = bits & 3
    low = load().records["chain"].by_name["step"]
    if count < load().limit("stages") and bits >> (low.low + count * low.width):
        raise MaiaccError("E0410", "chain: an unused stage is not zero")
    # Unused stages are zero, which names no function; they are not unpacked.
    unused = sum(1 << (low.low + n * low.width) for n in range(count, low.count))
    v = layout("chain").unpack(bits | unused, "chain")
    steps = []
    for item in v["step"][:count]:
        inputs = load().stages[item["op"]].inputs
        names = (item["x"], item["y"], item["z"])
        if any(name != "a" for name in names[inputs:]):
            raise MaiaccError("E0410", f"chain: {item['op']} has {inputs} inputs")
        steps.append(Step(item["op"], names[:inputs], item["imm"]))
    result = Chain(v["dtype"], tuple(steps), v["stat"], v["saturate"], v["zero_div"], v["round"])
    _check_chain(result)
    return result


def _check_chain(chain: Chain) -> None:
    def require(condition: bool, message: str) -> None:
        if not condition:
            raise MaiaccError("E0410", f"chain: {message}")

    spec = load()
    require(1 <= len(chain.steps) <= spec.limit("stages"), "one to three stages")
    require(chain.dtype in spec.dtypes, f"no type {chain.dtype}")
    kind = spec.dtypes[chain.dtype]
    require(
        chain.dtype == "fp32" or (kind.is_int and kind.bits >= 8),
        "a chain computes in fp32 or in an integer type of 8 bits and more",
    )
    family = "float" if kind.is_float else "int"
    for number, step in enumerate(chain.steps):
        require(step.op in spec.stages, f"no function {step.op}")
        row = spec.stages[step.op]
        require(family in row.classes, f"{step.op} is not of class {family}")
        require(len(step.inputs) == row.inputs, f"{step.op} has {row.inputs} inputs")
        require(0 <= step.imm < 1 << 32, "an immediate has 32 bits")
        for name in step.inputs:
            require(name in spec.enums["operand"].by_name, f"no operand {name}")
            later = name.startswith("r") and int(name[1:]) >= number
            require(not later, f"stage {number} reads the result of a later stage")
        require("imm" in step.inputs or step.imm == 0, "an immediate that no input reads")
        payload = family == "float" and step.imm & 0x7FFFFFFF > 0x7F800000
        require(not payload or step.imm == 0x7FC00000, "a NaN immediate is the canonical NaN")
    reads = {name for step in chain.steps for name in step.inputs}
    for low, high in (("a", "b"), ("b", "c")):
        require(high not in reads or low in reads, f"reads {high} but not {low}")
    for number in range(len(chain.steps) - 1):
        later_steps = chain.steps[number + 1 :]
        used = any(f"r{number}" in step.inputs for step in later_steps)
        require(used, f"nothing reads the result of stage {number}")
    require(chain.stat == "none" or family == "float", "a second result needs class float")
    require(not chain.zero_div or family == "int", "only integer division can yield zero")


# ---- semaphores and masks ---------------------------------------------------------------------


def encode_semaphore(sem: Semaphore) -> int:
    """The 64 bits of a semaphore. Raises ``MaiaccError`` E0403 or E0404."""
    values: dict[str, Any] = {
        "poster": sem.poster,
        "waiter": sem.waiter,
        "scope": sem.scope,
        "init": sem.init,
        "from": sem.origin,
    }
    return layout("semaphore").pack(values, "semaphore")


def decode_semaphore(bits: int) -> Semaphore:
    """The semaphore of 64 bits. Raises ``MaiaccError`` E0402 or E0404."""
    v = layout("semaphore").unpack(bits, "semaphore")
    if v["from"] and v["scope"] != "remote":
        raise MaiaccError("E0402", "semaphore: `from` is for scope remote only")
    return Semaphore(v["poster"], v["waiter"], v["scope"], v["init"], v["from"])


def encode_mask(mask: Mask) -> int:
    """The 256 bits of a mask. Raises ``MaiaccError`` E0403 for a member above 255."""
    return layout("mask").pack({"members": sum(1 << i for i in mask.members)}, "mask")


def decode_mask(bits: int) -> Mask:
    """The mask of 256 bits."""
    return Mask(frozenset(i for i in range(256) if bits >> i & 1))
