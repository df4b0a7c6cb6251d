"""Imports bad models, each in a process of its own, and prints what became of them as JSON.

``python -m frontend.bad_child SECTION FOLDER [NUMBER ...]``: a line for each row of a section.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from frontend.bad_models import Case, Many, Memory, Source
from maiacc.frontend.load import load_model
from maiacc.frontend.model import import_model
from maiacc.frontend.scope import load_importers
from maiacc_isa.errors import MaiaccError

#: A row that takes more is stopped.
SECONDS, BYTES = 60, 8 << 30


def outcome(case: Case, folder: Path) -> dict[str, Any]:
    """What becomes of a row: code and message, or nothing, and what it took."""
    sources = list(_sources(case.make(folder), folder))
    # From here on, the peak of the memory is that of the import.
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = time.process_time()
    code = text = ""
    for source in sources:
        code, text = _imported(case, source, folder)
    used = time.process_time() - before
    return {"code": code, "text": text, "seconds": used, "bytes": _peak()}


def _sources(made: Source, folder: Path) -> Iterator[Any]:
    if isinstance(made, Memory):
        yield made.proto
    elif isinstance(made, str | Path):
        yield str(made)
    else:
        for number, data in enumerate(made.files if isinstance(made, Many) else [made]):
            path = folder / f"model{number or ''}.onnx"
            path.write_bytes(data if isinstance(data, bytes) else data.SerializeToString())
            yield str(path)


def _imported(case: Case, source: Any, folder: Path) -> tuple[str, str]:
    try:
        loaded = load_model(source)
        module = import_model(loaded.model, case.settings, loaded.folder)
    except MaiaccError as problem:
        return problem.code, str(problem)
    if case.after is not None:
        case.after(module, folder)
    return "", ""


def _peak() -> int:
    status = Path("/proc/self/status").read_text("utf-8")
    return next(int(x.split()[1]) << 10 for x in status.splitlines() if x.startswith("VmHWM"))


def _apart(case: Case, folder: Path) -> dict[str, Any]:
    """The same in a process of its own; also says how that ended, if it did not end well."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        try:
            found = outcome(case, folder)
        except BaseException as problem:  # noqa: BLE001  a crash is what is looked for
            found = {"crash": f"{type(problem).__name__}: {problem}"[:500], "text": str(case)}
        with os.fdopen(writer, "w") as file:
            json.dump(found, file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return json.loads(text) if text else {"crash": f"ended with {status}", "text": str(case)}


def main(section: str, folder: str, *numbers: str) -> None:
    """Prints the outcomes of a section's rows, or of some of them."""
    load_importers()
    # What the first import of all does once is not part of any row.
    graph = onnx.helper.make_graph([], "g", [], [])
    with contextlib.suppress(MaiaccError):
        import_model(onnx.helper.make_model(graph, ir_version=10))
    module = importlib.import_module(f"frontend.{section}")
    for case in module.CASES:
        if numbers and case.number not in numbers:
            continue
        place = Path(folder) / case.number
        place.mkdir()
        print(json.dumps({"number": case.number, **_apart(case, place)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
