"""Random words, descriptors and chains, drawn from the rows."""

from __future__ import annotations

from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from maiacc_isa import expr as ex
from maiacc_isa.load import load
from maiacc_isa.spec import BitField, Insn, Operand
from maiacc_isa.tables import Axis, Chain, Descriptor, Dim, Mask, Semaphore, Sized, Step, Term
from maiacc_isa.word import FieldScope, Word, complete, word_layout

SPEC = load()


def field_values(f: BitField) -> st.SearchStrategy[Any]:
    """Values that a field can hold."""
    base = f.kind.base
    match base:
        case "enum":
            return st.sampled_from([x.name for x in SPEC.enums[str(f.kind.table)].labels])
        case "dtype":
            return st.sampled_from(sorted(SPEC.dtypes))
        case "flag":
            return st.booleans()
        case "s":
            return st.integers(-(1 << (f.width - 1)), (1 << (f.width - 1)) - 1)
    return st.integers(0, (1 << f.width) - 1)


def tokens() -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    pair = st.tuples(st.integers(0, 255), st.integers(1, 15))
    return st.lists(pair, max_size=2).map(tuple)


@st.composite
def words(draw: st.DrawFn) -> Word:
    """Any word that can be encoded."""
    insn: Insn = draw(st.sampled_from(list(SPEC.insns.values())))
    names = {f.name for f in word_layout(insn, SPEC).fields}
    fields: dict[str, Any] = {}
    for f in insn.fields:
        if f.kind.base != "semref":
            fields[f.name] = draw(field_values(f))
    for op in insn.operands:
        fields[op.name] = draw(st.integers(0, 4095))
    word = Word(insn.name, fields=_without_ruled_out(insn, fields))
    waits = draw(tokens()) if "wait0" in names else ()
    posts = draw(tokens()) if "post0" in names else ()
    if "wait1" not in names:
        waits, posts = waits[:1], posts[:1]
    if insn.control:
        roles = draw(st.sets(st.sampled_from(sorted(SPEC.roles)), min_size=1))
        roles = {min(roles)} if insn.name == "SLD" else roles
        roles = set(SPEC.roles) if insn.name == "END" else roles
        queue, mask = None, tuple(r for r in SPEC.roles if r in roles)
    else:
        engines = [q.name for q in SPEC.queues.values() if q.engine in insn.engines]
        queue, mask = draw(st.sampled_from(engines)), ()
    fields = complete(Word(insn.name, queue, mask, word.fields, waits, posts)).fields
    scope = FieldScope(fields)
    assume(all(ex.evaluate(r.test, scope) for r in insn.requires if r.code == "E0407"))
    return Word(insn.name, queue, mask, fields, waits, posts)


def _without_ruled_out(insn: Insn, fields: dict[str, Any]) -> dict[str, Any]:
    """Leaves out fields and operands that the word's own fields rule out."""
    kept = dict(fields)
    parts: tuple[BitField | Operand, ...] = (*insn.fields, *insn.operands)
    for part in parts:
        if part.when is None:
            continue
        try:
            present = ex.evaluate(part.when, FieldScope(fields))
        except LookupError:
            continue
        if not present:
            kept.pop(part.name, None)
    return kept


@st.composite
def descriptors(draw: st.DrawFn) -> Descriptor:
    """Any descriptor that can be encoded."""
    axes = draw(
        st.lists(
            st.builds(
                Axis,
                extent=st.integers(0, (1 << 32) - 1),
                stride=st.integers(-(1 << 39), (1 << 39) - 1),
                start=st.integers(-(1 << 15), (1 << 15) - 1),
            ),
            min_size=1,
            max_size=4,
        )
    )
    dims = draw(
        st.lists(
            st.builds(
                Dim,
                size=st.integers(0, (1 << 20) - 1),
                axis=st.integers(0, len(axes) - 1),
                step=st.integers(-(1 << 15), (1 << 15) - 1),
            ),
            max_size=6,
        )
    )
    targets = [f"axis{i}" for i in range(len(axes))] + ["bytes", "home"]
    coef = st.integers(-(1 << 39), (1 << 39) - 1).filter(bool)
    terms = draw(
        st.lists(
            st.builds(Term, source=st.integers(0, 63), target=st.sampled_from(targets), coef=coef),
            max_size=6,
        )
    )
    sizes = [f"extent{i}" for i in range(len(axes))] + [f"size{i}" for i in range(len(dims))]
    sized = draw(
        st.lists(
            st.builds(Sized, reg=st.integers(0, 31), what=st.sampled_from(sizes)),
            max_size=2,
            unique_by=lambda s: s.what,
        )
    )
    return Descriptor(
        space=draw(st.sampled_from(sorted(SPEC.spaces))),
        dtype=draw(st.sampled_from(sorted(SPEC.dtypes))),
        base=draw(st.integers(0, (1 << 44) - 1)),
        axes=tuple(axes),
        dims=tuple(dims),
        split=draw(st.integers(0, len(dims))),
        terms=tuple(terms),
        sized=tuple(sized),
        home=draw(st.sampled_from(["own", "at", "all"])),
        drop=draw(st.booleans()),
        scale=draw(st.none() | st.integers(0, 4095)),
        meta=draw(st.none() | st.integers(0, 4095)),
        fill=draw(st.integers(0, (1 << 32) - 1)),
    )


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Any legal chain."""
    dtype = draw(st.sampled_from(["fp32", "int8", "uint16", "int32", "int64"]))
    family = "float" if dtype == "fp32" else "int"
    rows = [s for s in SPEC.stages.values() if family in s.classes]
    count = draw(st.integers(1, 3))
    operands = draw(st.integers(1, 3))
    steps: list[Step] = []
    for number in range(count):
        row = draw(st.sampled_from(rows))
        inputs = [draw(st.sampled_from([*"abc"[:operands], "imm"])) for _ in range(row.inputs)]
        if number:
            inputs[draw(st.integers(0, row.inputs - 1))] = f"r{number - 1}"
        steps.append(Step(row.name, tuple(inputs)))
    read = {name for step in steps for name in step.inputs} & set("abc")
    # Operands are used without gaps: rename those read to a, b, c in order.
    names = dict(zip(sorted(read), "abc", strict=False))
    renamed = []
    for step in steps:
        inputs_ = tuple(names.get(name, name) for name in step.inputs)
        imm = draw(st.integers(0, 0x7F7FFFFF)) if "imm" in inputs_ else 0
        renamed.append(Step(step.op, inputs_, imm))
    return Chain(
        dtype,
        tuple(renamed),
        stat=draw(st.sampled_from(["none", "sum", "max"])) if family == "float" else "none",
        saturate=draw(st.booleans()),
        zero_div=draw(st.booleans()) if family == "int" else False,
        round=draw(st.sampled_from(["rne", "trunc", "floor", "ceil"])),
    )


def semaphores() -> st.SearchStrategy[Semaphore]:
    """Any semaphore that can be encoded."""
    queues = st.sampled_from(sorted(SPEC.queues))
    scope = st.sampled_from(["tile", "cluster", "chip", "remote"])
    return st.builds(
        lambda p, w, s, i, o: Semaphore(p, w, s, i, o if s == "remote" else 0),
        queues,
        queues,
        scope,
        st.integers(0, 65535),
        st.integers(0, 255),
    )


def masks() -> st.SearchStrategy[Mask]:
    """Any mask."""
    return st.frozensets(st.integers(0, 255)).map(Mask)
