"""Checks on the rows themselves, made every time they are read.

Every bit of a layout belongs to one field, codes are unique, every name an expression uses
is defined, and everything a row refers to exists. Formulas are evaluated on the rows'
samples by the tests, with the machine files.
"""

from __future__ import annotations

from collections.abc import Iterable

from maiacc_isa import expr as ex
from maiacc_isa.errors import MaiaccError
from maiacc_isa.spec import BitField, Insn, Record, Spec

#: Kinds of fields that are not the name of a record.
BASE_KINDS = {
    "u",
    "s",
    "flag",
    "dtype",
    "space",
    "queue",
    "stage",
    "enum",
    "desc",
    "chain",
    "table",
    "mask",
    "sem",
    "param",
    "sreg",
    "source",
    "level",
    "roles",
}

#: Functions that expressions may call; ``maiacc_isa.measure`` gives them meaning.
FUNCTIONS = {
    "max",
    "min",
    "ceil",
    "cdiv",
    "log2c",
    "blocks",
    "payload",
    "lanes",
    "passes",
    "kchunk",
    "port_factor",
    "pair",
    "pair_acc",
    "transfer",
    "route_latency",
    "space_latency",
    "exchanged",
    "scales_fit",
    "has_meta",
    "has_scale",
    "has_stat",
    "no_stat",
    "inputs",
    "acc_aligned",
    "chain_types",
    "drain_chain",
    "float_chain",
    "reduce_types",
    "scan_types",
    "convertible",
    "same_type",
    "group_size",
}

#: Attributes of an operand that expressions may read.
ATTRIBUTES = {"dtype", "bits", "rank", "space", "home", "kept", "red", "n"}

#: Names with a meaning of their own: `fresh` is true in the first iteration (see MM).
BUILTIN_NAMES = {"fresh"}


def check(spec: Spec) -> None:
    """Raises ``MaiaccError`` E0202 for the first inconsistency of the rows."""
    for table in (spec.dtypes, spec.roles, spec.queues, spec.spaces, spec.stages, spec.insns):
        _unique_codes(table.values())
    for enum in spec.enums.values():
        _unique_codes(enum.labels)
    for record in spec.records.values():
        _check_record(record, spec)
    for insn in spec.insns.values():
        _check_insn(insn, spec)
    for route in spec.routes:
        for hop in route.hops:
            _require(hop.port in spec.ports, f"route over unknown port {hop.port}")
            _require(hop.bytes in ("source", "destination", "payload"), f"hop bytes {hop.bytes}")
        _check_expr(route.latency, set(), set(), spec, "a route's latency")
    for pair in spec.pairs:
        for name in (*pair.left, *pair.right, pair.acc):
            _require(name in spec.dtypes, f"pair of unknown type {name}")
        _require(f"ttu.kchunk.{pair.rate}" in spec.constants, f"no rate constant {pair.rate}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise MaiaccError("E0202", message)


def _unique_codes(rows: Iterable[object]) -> None:
    seen: dict[int, str] = {}
    for row in rows:
        code = getattr(row, "opcode", None)
        code = getattr(row, "code", None) if code is None else code
        name = getattr(row, "name", "")
        assert isinstance(code, int)
        _require(code not in seen, f"{name} and {seen.get(code)} have the same code {code}")
        seen[code] = name


def _bits(fields: Iterable[BitField], limit: int, what: str) -> dict[int, str]:
    """Owner of each bit; overlapping, inverted or outlying fields are refused."""
    owner: dict[int, str] = {}
    for f in fields:
        _require(0 <= f.low <= f.high < limit, f"{what}.{f.name}: bits {f.high}:{f.low}")
        _require((f.high - f.low + 1) % f.count == 0, f"{what}.{f.name}: does not divide evenly")
        for bit in range(f.low, f.high + 1):
            _require(bit not in owner, f"{what}: bit {bit} is {owner.get(bit)} and {f.name}")
            owner[bit] = f.name
    return owner


def _check_record(record: Record, spec: Spec) -> None:
    _bits(record.fields, record.bits, record.name)
    for f in record.fields:
        _check_kind(f, spec, record.name)


def _check_kind(f: BitField, spec: Spec, what: str) -> None:
    base = f.kind.base
    if base == "enum":
        _require(f.kind.table in spec.enums, f"{what}.{f.name}: no enum {f.kind.table}")
        codes = [label.code for label in spec.enums[str(f.kind.table)].labels]
        _require(max(codes) < 1 << f.width, f"{what}.{f.name}: too narrow for its enum")
    elif base not in BASE_KINDS:
        _require(base in spec.records, f"{what}.{f.name}: unknown kind {base}")
        _require(spec.records[base].bits == f.width, f"{what}.{f.name}: width is not {base}'s")


def _check_insn(insn: Insn, spec: Spec) -> None:
    _require(insn.format in spec.records, f"{insn.name}: no format {insn.format}")
    format_ = spec.records[insn.format]
    header = _header(insn, format_)
    operands = [format_.by_name[op.name] for op in insn.operands if op.name in format_.by_name]
    own = [*header, *insn.fields, *operands]
    _bits(own, format_.bits, insn.name)
    engines = {queue.engine for queue in spec.queues.values()}
    _require(set(insn.engines) <= engines, f"{insn.name}: unknown engine in {insn.engines}")
    for f in insn.fields:
        _check_kind(f, spec, insn.name)
    names = {f.name for f in insn.fields} | BUILTIN_NAMES | _letters(insn)
    operand_names = {op.name for op in insn.operands}
    for f in insn.fields:
        if f.kind.table is not None:
            # In an expression a label would be taken for the field of that name.
            both = set(spec.enums[f.kind.table].by_name) & (names | operand_names)
            _require(not both, f"{insn.name}.{f.name}: {sorted(both)} are labels and names")
    for op in insn.operands:
        _require(set(op.spaces) <= set(spec.spaces), f"{insn.name}.{op.name}: unknown space")
        types = set(op.types or ())
        _require(types <= set(spec.dtypes), f"{insn.name}.{op.name}: unknown type in {types}")
    for expr in _expressions(insn):
        _check_expr(expr, names, operand_names, spec, insn.name)
    for access in insn.accesses:
        _require(access.operand in operand_names, f"{insn.name}: access to {access.operand}")
    _check_accesses(insn)
    for trap in insn.traps:
        _require(trap in spec.traps, f"{insn.name}: unknown trap {trap}")


def _header(insn: Insn, format_: Record) -> list[BitField]:
    """Fields every word of the format has, as far as the instruction leaves them alone.

    Whatever an instruction's own fields cover is theirs: an immediate may use the bits of
    operands or of semaphores that the instruction does not have.
    """
    covered = {bit for f in insn.fields for bit in range(f.low, f.high + 1)}
    always = {"opcode", "queue", "roles"}
    result = []
    for f in format_.fields:
        semaphore = f.kind.base == "semref"
        bits = set(range(f.low, f.high + 1))
        if f.name in always or (semaphore and not bits & covered):
            result.append(f)
    return result


def _check_accesses(insn: Insn) -> None:
    """Directions and footprints must agree: what is written is `out`, what is read is `in`."""
    for op in insn.operands:
        modes = {access.mode for access in insn.accesses if access.operand == op.name}
        if op.spaces == ("iota",):
            _require(not modes, f"{insn.name}.{op.name}: `iota` is no memory")
            continue
        expected = {"in": {"read"}, "out": {"write"}, "inout": {"read", "write"}}[op.direction]
        _require(modes == expected, f"{insn.name}.{op.name}: {op.direction} but {sorted(modes)}")


def _letters(insn: Insn) -> set[str]:
    """Shape letters: the upper-case names in the operands' shapes, and the sample's names."""
    letters = {name for name in insn.sample if name.isupper()}
    for op in insn.operands:
        for shape in (op.kept, op.reduced):
            if shape is not None:
                letters |= {
                    e.name for e in ex.walk(shape) if isinstance(e, ex.Name) and e.name.isupper()
                }
    return letters


def _expressions(insn: Insn) -> Iterable[ex.Expr]:
    for op in insn.operands:
        yield op.kept
        if op.reduced is not None:
            yield op.reduced
        if op.when is not None:
            yield op.when
    for f in insn.fields:
        if f.when is not None:
            yield f.when
    for require in insn.requires:
        yield require.test
    for access in insn.accesses:
        if access.when is not None:
            yield access.when
    yield insn.occupancy
    yield insn.latency


def _check_expr(expr: ex.Expr, names: set[str], operands: set[str], spec: Spec, what: str) -> None:
    labels = {label.name for enum in spec.enums.values() for label in enum.labels}
    known = names | operands | labels | set(spec.dtypes) | set(spec.spaces)
    for node in ex.walk(expr):
        match node:
            case ex.Name(name):
                _require(name in known, f"{what}: unknown name {name}")
            case ex.Call(function, _):
                _require(function in FUNCTIONS, f"{what}: unknown function {function}")
            case ex.Member(_, members):
                _require(set(members) <= known, f"{what}: unknown name in {members}")
            case ex.Path(path):
                _check_path(path, operands, spec, what)
            case _:
                pass


def _check_path(path: str, operands: set[str], spec: Spec, what: str) -> None:
    head, rest = path.split(".", 1)
    if head == "m":
        _require(rest in spec.constants, f"{what}: no machine constant {rest}")
    elif head == "limit":
        _require(rest in spec.limits, f"{what}: no limit {rest}")
    else:
        _require(head in operands, f"{what}: {head} is no operand")
        _require(rest in ATTRIBUTES, f"{what}: operands have no attribute {rest}")
