"""Inputs of a program as they are named on the command line: files, seeds, numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from maiacc.running.arrays import read_array, read_arrays
from maiacc_isa.errors import MaiaccError, Place, quote
from maiacc_isa.program import Program
from maiacc_sim.tensors import random_inputs, title
from maiacc_sim.traps import Stopped

Arrays = dict[str, NDArray[Any]]


def gather_inputs(
    program: Program,
    files: Iterable[tuple[str, str]],
    archive: str | None,
    seed: int | None,
    most: int,
) -> Arrays:
    """Arrays for all inputs and states: from ``files`` (name, .npy), else from ``archive``
    (.npz), else made up from ``seed``.

    Raises ``MaiaccError`` E1201 naming all that are missing, E1202 for names the program does not
    have, E1203 and E1204 for files that do not fit; ``Stopped`` E1206 if all of them need more
    than ``most`` bytes.
    """
    wanted = {t.name: t for t in program.tensors if t.kind in ("input", "state")}
    size = sum(tensor.bytes() for tensor in wanted.values())
    if size > most:
        raise Stopped(
            "E1206",
            "the inputs need more memory than the run may use",
            expected=f"at most {most:,} bytes",
            found=f"{size:,} bytes",
            hint="raise --max-memory",
        )
    found = read_arrays(archive, wanted) if archive is not None else {}
    for name, path in files:
        if name not in wanted:
            raise MaiaccError(
                "E1202",
                f"the program has no input or state {quote(name)}",
                expected=quote(", ".join(wanted)) or "no inputs",
                found=quote(name),
                hint="names are those of the program, not of its results",
            )
        found[name] = read_array(path, wanted[name])
    if seed is not None:
        return random_inputs(program, seed) | found
    missing = [tensor for name, tensor in wanted.items() if name not in found]
    if missing:
        count = f"{len(missing)} inputs have" if len(missing) > 1 else "an input has"
        raise MaiaccError(
            "E1201",
            f"{count} no value",
            place=Place(file=program.file),
            expected="\n".join(f"{quote(t.name)} : {title(t)}" for t in missing),
            found="missing: " + quote(", ".join(t.name for t in missing)),
            hint="--input NAME=FILE.npy, --inputs FILE.npz, or --random SEED to make them up",
        )
    return found
