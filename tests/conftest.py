"""Shared by all tests: golden files and the switch that updates them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path(__file__).resolve().parent / "golden"


# Compiled code and proofs are shared by all processes that run tests, and by runs, but not with the
# user's own cache.
os.environ.setdefault("MAIACC_CACHE", str(ROOT / ".pytest_cache" / "maiacc"))

# Shells start what runs in the background with interrupts ignored, and so would every child be.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests run side by side already; more threads in each make all of them several times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files")
    parser.addoption("--nightly", action="store_true", help="run the long campaigns too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--nightly"):
        return
    # Not a skip: what belongs to the nightly script is not part of a normal run at all.
    chosen = [item for item in items if "nightly" not in item.keywords]
    dropped = [item for item in items if "nightly" in item.keywords]
    items[:] = chosen
    config.hook.pytest_deselected(items=dropped)


Golden = Callable[[str, str], None]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with a golden file; `pytest --update-golden` rewrites it."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        assert path.exists(), f"{path} is missing; run pytest --update-golden and look at it"
        expected = path.read_text("utf-8")
        assert text == expected, f"{name} has changed; run pytest --update-golden if that is meant"

    return compare
