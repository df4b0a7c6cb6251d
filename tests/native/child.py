"""Modules of these tests run in a process of their own."""

from __future__ import annotations

import sys

from support import Outcome, run


def child(module: str, *arguments: object) -> Outcome:
    """Runs a module of these tests in a process of its own."""
    path = "import sys; sys.path[:0] = sys.argv.pop(1).split(':'); sys.argv.pop(0); import runpy; "
    code = path + "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=False)"
    roots = ":".join(sys.path)
    return run([sys.executable, "-c", code, roots, module, *map(str, arguments)], limit=3600)
