"""Refuses programs whose words mean nothing by themselves, before anything runs."""

from __future__ import annotations

from maiacc_isa.errors import ErrorList, MaiaccError, Place
from maiacc_isa.lint import Finding, check_words
from maiacc_isa.program import Program


def check(program: Program) -> None:
    """Refuses a program whose words mean nothing by themselves."""
    findings = check_words(program).findings
    if findings:
        raise ErrorList([_error(program, finding) for finding in findings])


def _error(program: Program, finding: Finding) -> MaiaccError:
    place = finding.place or Place()
    site = finding.site
    return MaiaccError(
        finding.code,
        finding.message,
        place=Place(
            program.file,
            place.line,
            text=site.text if site else None,
            block=place.block,
            word=place.word,
        ),
        node=", ".join(site.origin) or None if site else None,
        expected=finding.expected,
        found=finding.found,
        hint=finding.hint,
    )
