"""What the prover says: findings, each with its places, and the report of a program."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from maiacc_isa.errors import Place, codes, printable
from maiacc_isa.program import Block, Program
from maiacc_isa.text_block import BlockText

#: Findings of one kind at one pair of words are said once; more than this ends the proof.
FINDING_LIMIT = 50


@dataclass(frozen=True)
class Site:
    """A word of the program, with the iteration of its loops and who executes it."""

    block: str
    word: int
    text: str
    line: int | None = None
    origin: tuple[str, ...] = ()
    iteration: tuple[tuple[str, int], ...] = ()
    instance: str = ""

    def __str__(self) -> str:
        where = f"block {printable(self.block)} word {self.word}"
        if self.line is not None:
            where = f"line {self.line}, {where}"
        if self.iteration:
            where += " at " + ", ".join(f"{name}={n}" for name, n in self.iteration)
        if self.instance:
            where += f" on {self.instance}"
        return where


@dataclass(frozen=True)
class Finding:
    """Something that keeps a program from being proven."""

    code: str
    message: str
    site: Site | None = None
    other: Site | None = None
    memory: str | None = None
    expected: str | None = None
    found: str | None = None
    hint: str | None = None
    line: int | None = None
    when: str | None = None

    def __str__(self) -> str:
        kind = "warning" if self.code.startswith("W") else "error"
        lines = [f"{kind}[{self.code}]: {self.message}"]
        if self.line is not None:
            lines.append(f"  at        line {self.line}")
        if self.site is not None:
            lines += [f"  at        {self.site}", f"  word      {printable(self.site.text)}"]
            if self.site.origin:
                lines.append(f"  node      {printable(', '.join(self.site.origin))}")
        if self.other is not None:
            lines += [f"  and       {self.other}", f"  word      {printable(self.other.text)}"]
        for name, value in (
            ("when", self.when),
            ("memory", self.memory),
            ("expected", self.expected),
            ("found", self.found),
            ("try", self.hint),
        ):
            if value:
                text = value.replace("\n", "\n" + " " * 12)
                lines.append(f"  {name:<9} {text}")
        return "\n".join(lines)

    @property
    def place(self) -> Place | None:
        if self.site is None:
            return None if self.line is None else Place(line=self.line)
        return Place(line=self.site.line, block=self.site.block, word=self.site.word)


class TooMany(Exception):  # noqa: N818
    """Raised inside the prover when more findings would help nobody."""


@dataclass
class Report:
    """The outcome of a proof. ``proven`` means that no word can trap, race or hang.

    ``when`` says for which values of scalars the present findings hold, as long as a proof
    follows a part of them.
    """

    program: Program
    findings: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    words: int = 0
    when: str | None = None
    simulated: int = 0
    instances: int = 0

    @property
    def proven(self) -> bool:
        return not self.findings

    def say(
        self,
        code: str,
        message: str,
        site: Site | None = None,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
        line: int | None = None,
    ) -> None:
        """Enters a finding about one word, or about a declaration at a line."""
        self.add(Finding(code, message, site, None, None, expected, found, hint, line))

    def add(self, finding: Finding) -> None:
        """Enters a finding unless the same code is already known at the same words."""
        key = _key(finding)
        if any(_key(known) == key for known in self.findings):
            return
        assert finding.code in codes(), finding.code
        self.findings.append(replace(finding, when=self.when))
        if len(self.findings) >= FINDING_LIMIT:
            raise TooMany

    def warn(
        self, code: str, message: str, site: Site | None = None, hint: str | None = None
    ) -> None:
        """Enters something that is allowed but probably not meant."""
        assert code in codes(), code
        self.warnings.append(Finding(code, message, site, hint=hint))


def _key(finding: Finding) -> tuple[object, ...]:
    site, other = finding.site, finding.other
    return (
        finding.code,
        site and (site.block, site.word),
        other and (other.block, other.word),
        None if site else finding.message,
    )


class Sites:
    """Makes sites of one block."""

    def __init__(self, block: Block, program: Program) -> None:
        self._block = block
        self._text = BlockText(block, program, inline=True)
        self.text = self._text

    def site(
        self, word: int, iteration: tuple[tuple[str, int], ...] = (), instance: str = ""
    ) -> Site:
        """The site of a word."""
        block = self._block
        return Site(
            block.name,
            word,
            self._text.word(word),
            block.lines[word] if word < len(block.lines) else None,
            block.origin(word),
            iteration,
            instance,
        )
