"""The prover: decides before a program runs whether it can trap, race or hang."""

from maiacc_isa.lint.findings import Finding, Report, Site
from maiacc_isa.lint.prove import prove
from maiacc_isa.lint.static import check_words

__all__ = ["Finding", "Report", "Site", "check_words", "prove"]
