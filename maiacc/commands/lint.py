"""``maiacc lint``."""

from __future__ import annotations

import sys

import click
import msgspec

from maiacc.files import read_program
from maiacc.output import SCHEMA, error_document
from maiacc_isa.container import check_weights
from maiacc_isa.errors import MaiaccError, printable
from maiacc_isa.lint import Finding, Report, Site, prove


@click.command(name="lint")
@click.argument(
    "sources", metavar="SOURCE...", nargs=-1, required=True, type=click.Path(allow_dash=True)
)
@click.option("--target", help="A machine to use instead of the one a text names.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document with every finding.")
def command(sources: tuple[str, ...], target: str | None, as_json: bool) -> None:
    """Prove SOURCE, a program file (.maia) or text (.mist), or say why it cannot be proven.

    A proven program cannot trap, race or hang, whatever its inputs and parameters, apart from
    what only data decide: indices of gathers, scalars outside their declared interval, 2:4
    metadata, division by zero. Exits with 1 if there are findings. SOURCE may be -, standard
    input.
    """
    code = 0
    documents = []
    for source in sources:
        try:
            report = _proven(source, target)
        except MaiaccError as problem:
            click.echo(str(problem), err=True)
            code = max(code, problem.exit_code)
            documents.append(_refusal(source, problem))
            continue
        code = max(code, 0 if report.proven else 1)
        if as_json:
            documents.append(_document(source, report))
        else:
            _print(source, report)
    if as_json:
        whole = documents[0] if len(sources) == 1 else _of_several(documents)
        click.echo(msgspec.json.encode(whole).decode())
    sys.exit(code)


def _proven(source: str, target: str | None) -> Report:
    program = read_program(source, target)
    report = prove(program)
    if report.proven:
        for name in {str(weights.file) for weights in program.weights.values() if weights.file}:
            if name == program.file:
                check_weights(name)
    return report


def _of_several(documents: list[dict[str, object]]) -> dict[str, object]:
    proven = all(document["proven"] for document in documents)
    return {"schema": SCHEMA, "proven": proven, "files": documents}


def _print(source: str, report: Report) -> None:
    for finding in (*report.findings, *report.warnings):
        click.echo(str(finding))
        click.echo()
    machine = report.program.machine.name
    if report.proven:
        warned = len(report.warnings)
        extra = f", {warned} warning{'s' * (warned != 1)}" if warned else ""
        click.echo(f"{printable(source)}: proven for {machine} ({report.words} words{extra})")
    else:
        count = len(report.findings)
        click.echo(
            f"{printable(source)}: {count} finding{'s' * (count != 1)}, not proven for {machine}"
        )


def _document(source: str, report: Report) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "file": printable(source),
        "target": report.program.machine.name,
        "proven": report.proven,
        "words": report.words,
        "findings": [_finding(finding) for finding in report.findings],
        "warnings": [_finding(finding) for finding in report.warnings],
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "message": finding.message,
        "line": finding.place.line if finding.place else None,
        "site": _site(finding.site),
        "other": _site(finding.other),
        "when": finding.when,
        "memory": finding.memory,
        "expected": finding.expected,
        "found": finding.found,
        "hint": finding.hint,
    }


def _site(site: Site | None) -> dict[str, object] | None:
    if site is None:
        return None
    return {
        "block": site.block,
        "word": site.word,
        "text": site.text,
        "line": site.line,
        "origin": list(site.origin),
        "iteration": dict(site.iteration),
        "instance": site.instance,
    }


def _refusal(source: str, problem: MaiaccError) -> dict[str, object]:
    """What is said about a file that is no program."""
    return {
        "schema": SCHEMA,
        "file": printable(source),
        "proven": False,
        "error": error_document(problem),
    }
