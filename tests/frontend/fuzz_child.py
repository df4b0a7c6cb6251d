"""Imports mutated models and prints every one that ends otherwise than well or with a code.

``python -m frontend.fuzz_child SEED COUNT FOLDER [nightly]``: a line for each fault, and last
how many models were good: of those mutated as bytes, as messages, and as operators.
"""

from __future__ import annotations

import random
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from onnx.backend.test.case.node import collect_testcases

from frontend.fuzz_seeds import operators, seeds
from frontend.fuzzing import Models, mutated_bytes, mutated_model, mutated_operator
from maiacc.frontend.load import load_model
from maiacc.frontend.model import import_model
from maiacc_isa.errors import MaiaccError

#: More than a model may take: seconds, and bytes of address space.
SECONDS, BYTES = 8.0, 8 << 30

MUTATIONS: tuple[Callable[[random.Random, Models], Any], ...] = (
    mutated_bytes,
    mutated_model,
    mutated_operator,
)


def fault(seed: int, models: Models, path: Path) -> str | None:
    """What is wrong with what becomes of a mutation; empty if it was good, None if refused."""
    source = MUTATIONS[seed % 3](random.Random(seed), models)
    if isinstance(source, bytes):
        path.write_bytes(source)
        source = path
    start = time.process_time()
    found: str | None = ""
    try:
        loaded = load_model(source)
        import_model(loaded.model, folder=loaded.folder)
    except MaiaccError as problem:
        found = None
        if len(str(problem)) > 100_000:
            found = f"a message of {len(str(problem))} characters"
    except Exception:  # noqa: BLE001  any other is a fault
        last = traceback.format_exc().strip().splitlines()
        found = " ".join(line.strip() for line in last[-5:])
    used = time.process_time() - start
    return f"took {used:.1f} s" if used > SECONDS else found


def main(start: int, count: int, folder: str, nightly: bool) -> None:
    """Prints the faults of some seeds."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    models, single = [*seeds()], [*seeds(), *operators()]
    if nightly:
        more = [case.model for case in collect_testcases(None) if case.model]
        models, single = models + more, single + more
    good = [0, 0, 0]
    for seed in range(start, start + count):
        found = fault(seed, single if seed % 3 == 2 else models, Path(folder) / "fuzz.onnx")
        if found == "":
            good[seed % 3] += 1
        elif found is not None:
            print(f"seed {seed}: {found}", flush=True)
    print(*good)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], "nightly" in sys.argv)
