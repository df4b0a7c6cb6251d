"""The command line: which commands there are, and how every one of them ends.

Commands are imported when they are called, so that ``maiacc --help`` loads nothing heavy.
"""

from __future__ import annotations

import difflib
import importlib
import io
import json
import os
import sys
import tempfile
import traceback
from typing import NoReturn

import click

from maiacc_isa.errors import MaiaccError
from maiacc_isa.version import ISA_VERSION, __version__

#: Every command with the line that ``maiacc --help`` shows.
COMMANDS = {
    "compile": "Compile a model for a machine into a proven program file (.maia).",
    "check": "Say what keeps a model from running on a machine, or what it needs of one.",
    "ir": "Print a model as text after any pass.",
    "demo": "Compile, prove and run a small classifier on real handwritten digits.",
    "asm": "Assemble a program text (.mist) into a program file (.maia).",
    "disasm": "Print a program file as assembly text.",
    "lint": "Prove a program, or say why it cannot be proven.",
    "verify": "Judge what a compiled model computes, kernel by kernel.",
    "run": "Run a program or a model: values, cycles, what bounds them, traces.",
    "profile": "Show where the cycles of a program go.",
    "isa": "Show the manual: an overview, a chapter or an instruction.",
    "ops": "List the ONNX operators and whether they are supported.",
    "passes": "List the passes, their order and why.",
    "opt": "Run passes over a text of the IR.",
    "targets": "List machines, or show one with its peaks and sources.",
    "explain": "Explain an error code, an instruction, or a node of a compiled model.",
    "completion": "Print the shell's completion script.",
}

_EXHAUSTED, _INTERRUPTED = 6, 130


class _Commands(click.Group):
    """A group whose commands live in modules of their own, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"maiacc.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=2)
            question = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{question}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    __version__,
    prog_name="maiacc",
    message=f"%(prog)s %(version)s (MIST {ISA_VERSION[0]}.{ISA_VERSION[1]})",
)
def cli() -> None:
    """maiacc compiles ONNX models to proven programs for MIST, a documented instruction set for an
    AI accelerator, and runs them.

    Start with `maiacc demo`, then `maiacc compile`, `maiacc isa` and `maiacc targets`.
    """


def main() -> None:
    """Runs a command and exits with its code: 0 fine, 1 usage or bad input, 5 internal error,
    6 trap, deadlock or exhausted budget, 130 interrupted."""
    _open_streams()
    try:
        result = cli.main(prog_name="maiacc", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(result if isinstance(result, int) else 0)
    except MaiaccError as problem:
        _refuse(problem)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(_INTERRUPTED)
    except click.ClickException as problem:
        problem.show()
        sys.exit(1)
    except MemoryError:
        exhausted = MaiaccError("E1206", "this computer's memory is exhausted")
        exhausted.exit_code = _EXHAUSTED
        _refuse(exhausted)
    except BrokenPipeError:
        _abandon_output()
        sys.exit(1)
    except OSError as problem:
        # Files have errors of their own; what is left is standard output, on a full disk.
        _abandon_output()
        _refuse(MaiaccError("E0003", f"standard output: {problem.strerror or problem}"))
    except Exception:  # noqa: BLE001  the last line of defence: no user sees a bare traceback
        _internal_error()


def _open_streams() -> None:
    """Standard streams that are there and can print every name, whatever the locale."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _abandon_output() -> None:
    """Lets the interpreter flush to nowhere when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(problem: MaiaccError) -> NoReturn:
    """Says what is wrong: to people and, where one was asked for, as a document."""
    click.echo(str(problem), err=True)
    if "--json" in sys.argv[1:]:
        output = importlib.import_module("maiacc.output")
        document = {"schema": output.SCHEMA, "error": output.error_document(problem)}
        click.echo(json.dumps(document))
    sys.exit(problem.exit_code)


def _internal_error() -> NoReturn:
    """Saves what is needed to see the fault again and says where."""
    handle, path = tempfile.mkstemp(".txt", "maiacc-internal-error-")
    with os.fdopen(handle, "w") as file:
        file.write(f"maiacc {__version__}, Python {sys.version}\narguments: {sys.argv[1:]!r}\n\n")
        file.write(traceback.format_exc())
    click.echo(f"error[E0001]: internal error\n  saved     {path}\n  try       report it", err=True)
    sys.exit(5)


if __name__ == "__main__":
    main()
