"""The instruction set in memory: what the files in ``rows/`` say, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from maiacc_isa.expr import Expr
from maiacc_isa.spec_machine import (
    Constant,
    DType,
    Enum,
    Hop,
    Label,
    Limit,
    Pair,
    Port,
    Queue,
    Role,
    Route,
    Source,
    Space,
    Trap,
)

__all__ = [
    "Access",
    "BitField",
    "Constant",
    "DType",
    "Enum",
    "Hop",
    "Insn",
    "Kind",
    "Label",
    "Limit",
    "Operand",
    "Pair",
    "Port",
    "Queue",
    "Record",
    "Require",
    "Role",
    "Route",
    "Source",
    "Space",
    "Spec",
    "Stage",
    "Trap",
]


@dataclass(frozen=True)
class Stage:
    """A function of a chain. ``cost`` is in stages; ``function`` names its algorithm, if any."""

    name: str
    code: int
    classes: tuple[str, ...]
    inputs: int
    cost: int
    function: str | None
    drain: bool
    doc: str


@dataclass(frozen=True)
class Kind:
    """What the bits of a field mean: a base kind and, for enums, the name of the table."""

    base: str
    table: str | None = None

    def __str__(self) -> str:
        return f"{self.base}({self.table})" if self.table else self.base


@dataclass(frozen=True)
class BitField:
    """Bits ``high`` to ``low`` of a word or record. ``count`` fields follow each other upwards."""

    name: str
    high: int
    low: int
    kind: Kind
    doc: str
    count: int = 1
    when: Expr | None = None

    @property
    def width(self) -> int:
        """Bits of one element of the field."""
        return (self.high - self.low + 1) // self.count


@dataclass(frozen=True)
class Record:
    """A bit layout."""

    name: str
    bits: int
    doc: str
    fields: tuple[BitField, ...]

    @cached_property
    def by_name(self) -> dict[str, BitField]:
        return {f.name: f for f in self.fields}


@dataclass(frozen=True)
class Operand:
    """A descriptor operand: direction, memories, shape as ``[kept | reduced]``, types."""

    name: str
    direction: str
    spaces: tuple[str, ...]
    kept: Expr
    reduced: Expr | None
    types: tuple[str, ...] | None
    when: Expr | None
    doc: str

    @property
    def reads(self) -> bool:
        return self.direction != "out"

    @property
    def writes(self) -> bool:
        return self.direction != "in"


@dataclass(frozen=True)
class Require:
    """A constraint; when ``test`` is false the word is refused with ``code``."""

    code: str
    test: Expr
    message: str


@dataclass(frozen=True)
class Access:
    """A footprint: the elements of an operand, or all of its axis 0 when ``whole``."""

    mode: str
    operand: str
    whole: bool
    when: Expr | None


@dataclass(frozen=True)
class Insn:
    """A row of the instruction table. ``meaning`` names what executes it in the reference
    simulator, ``native`` the family of kernels in the native one (None: it has none there)."""

    name: str
    opcode: int
    format: str
    engines: tuple[str, ...]
    summary: str
    fields: tuple[BitField, ...]
    operands: tuple[Operand, ...]
    requires: tuple[Require, ...]
    accesses: tuple[Access, ...]
    occupancy: Expr
    latency: Expr
    meaning: str
    native: str | None
    model: str
    traps: tuple[str, ...]
    prose: str
    numerics: str
    example: str
    sample: dict[str, int | str] = field(hash=False)
    since: str

    @property
    def mnemonic(self) -> str:
        return self.name.lower()

    @property
    def control(self) -> bool:
        """Whether a control processor executes it itself."""
        return self.format == "word_control"

    @cached_property
    def operand_by_name(self) -> dict[str, Operand]:
        return {op.name: op for op in self.operands}

    @cached_property
    def field_by_name(self) -> dict[str, BitField]:
        return {f.name: f for f in self.fields}


@dataclass(frozen=True)
class Spec:
    """Everything the rows say."""

    limits: dict[str, Limit]
    enums: dict[str, Enum]
    dtypes: dict[str, DType]
    roles: dict[str, Role]
    queues: dict[str, Queue]
    sources: dict[str, Source]
    spaces: dict[str, Space]
    ports: dict[str, Port]
    routes: tuple[Route, ...]
    constants: dict[str, Constant]
    pairs: tuple[Pair, ...]
    traps: dict[str, Trap]
    stages: dict[str, Stage]
    records: dict[str, Record]
    insns: dict[str, Insn]

    @cached_property
    def by_opcode(self) -> dict[int, Insn]:
        return {insn.opcode: insn for insn in self.insns.values()}

    @cached_property
    def by_mnemonic(self) -> dict[str, Insn]:
        return {insn.mnemonic: insn for insn in self.insns.values()}

    @cached_property
    def dtype_by_code(self) -> dict[int, DType]:
        return {t.code: t for t in self.dtypes.values()}

    @cached_property
    def space_by_code(self) -> dict[int, Space]:
        return {s.code: s for s in self.spaces.values()}

    @cached_property
    def queue_by_code(self) -> dict[int, Queue]:
        return {q.code: q for q in self.queues.values()}

    @cached_property
    def stage_by_code(self) -> dict[int, Stage]:
        return {s.code: s for s in self.stages.values()}

    def limit(self, name: str) -> int:
        """The value of a limit."""
        return self.limits[name].value
