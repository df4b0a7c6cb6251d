"""``maiacc lint``."""

from __future__ import annotations

import sys

import click
import msgspec

from maiacc.files import read_program
from maiacc_isa.container import check_weights
from maiacc_isa.errors import MaiaccError
from maiacc_isa.lint import Finding, Report, Site, prove


@click.command(name="lint")
@click.argument("source", type=str)
@click.option("--target", help="A machine to use instead of the one a text names.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document with every finding.")
def command(source: str, target: str | None, as_json: bool) -> None:
    """Prove SOURCE, a program file (.maia) or text (.mist), or say why it cannot be proven.

    A proven program cannot trap, race or hang, whatever its inputs and parameters, apart from
    what only data decide: indices of gathers, scalars outside their declared interval, 2:4
    metadata, division by zero. Exits with 1 if there are findings.
    """
    try:
        program = read_program(source, target)
        report = prove(program)
        if report.proven and program.file and program.file.endswith(".maia"):
            check_weights(program.file)
    except MaiaccError as problem:
        if not as_json:
            raise
        click.echo(msgspec.json.encode(_error_document(source, problem)).decode())
        sys.exit(problem.exit_code)
    if as_json:
        click.echo(msgspec.json.encode(_document(source, report)).decode())
    else:
        _print(source, report)
    sys.exit(0 if report.proven else 1)


def _print(source: str, report: Report) -> None:
    for finding in (*report.findings, *report.warnings):
        click.echo(str(finding))
        click.echo()
    machine = report.program.machine.name
    if report.proven:
        warned = len(report.warnings)
        extra = f", {warned} warning{'s' * (warned != 1)}" if warned else ""
        click.echo(f"{source}: proven for {machine} ({report.words} words{extra})")
    else:
        count = len(report.findings)
        click.echo(f"{source}: {count} finding{'s' * (count != 1)}, not proven for {machine}")


def _document(source: str, report: Report) -> dict[str, object]:
    return {
        "schema": 1,
        "file": source,
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


def _error_document(source: str, problem: MaiaccError) -> dict[str, object]:
    return {
        "schema": 1,
        "file": source,
        "proven": False,
        "error": {
            "code": problem.code,
            "message": problem.message,
            "place": str(problem.place or ""),
            "expected": problem.expected,
            "found": problem.found,
        },
    }
