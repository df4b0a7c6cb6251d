"""Instruction pages: one row of the table as a page with fixed headings."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from maiacc_isa import expr as ex
from maiacc_isa.asm import assemble
from maiacc_isa.errors import codes
from maiacc_isa.load import load
from maiacc_isa.machine import builtin_machine
from maiacc_isa.measure import WordMeasure
from maiacc_isa.program import Block
from maiacc_isa.spec import Insn, Operand
from maiacc_isa.synth import sample_word
from maiacc_isa.word import encode, word_layout

#: The machine of the worked numbers.
WORKED_ON = "maia200"


def page(insn: Insn) -> str:
    """The page of an instruction, in Markdown."""
    parts = [
        f"# {insn.name}",
        f"**{insn.summary}**",
        "## Summary",
        insn.prose,
        "## Syntax",
        f"```\n{syntax(insn)}\n```",
        "## Encoding",
        f"![bits of {insn.name}](../encoding/{insn.mnemonic}.svg)",
        _fields(insn),
        "## Operands and constraints",
        _operands(insn),
        _constraints(insn),
        "## Functional model",
        f"```\n{insn.model}\n```",
        "## Numerics",
        insn.numerics or "Moves bits or computes exactly; nothing is rounded.",
        "## Footprint",
        _footprint(insn),
        "## Traps",
        _traps(insn),
        "## Performance",
        _performance(insn),
        "## Example",
        example(insn),
        "## Since",
        f"MIST {insn.since}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def syntax(insn: Insn) -> str:
    """The assembly form of an instruction."""
    match insn.name:
        case "NOP":
            return "nop [on ROLES]"
        case "END":
            return "}                        (the closing brace of a block)"
        case "LOOP" | "ENDL":
            return "loop NAME < TRIP [on ROLES] {\n  ...\n}"
        case "SET":
            forms = "SUM | (SUM) mod M | (SUM) div M | min(SUM, M) | max(SUM, M) | TABLE[SUM]"
            return f"REG = {forms} [on ROLES]"
        case "PAR":
            return "REG = param NAME [on ROLES]"
        case "SLD":
            return "REG = sld VIEW [wait(SEM)] [post(SEM)] in LOW..HIGH [on ROLE]"
        case "MARK":
            return "mark NUMBER begin|end [on ROLES]"
    queues = [q.name for q in load().queues.values() if q.engine in insn.engines]
    queue = queues[0] if len(queues) == 1 else "QUEUE"
    operands = ", ".join(op.name if op.when is None else f"[{op.name}]" for op in insn.operands)
    text = f"{queue} {insn.mnemonic}" + (f" {operands}" if operands else "")
    for f in insn.fields:
        value = f"{f.name}=..."
        text += (
            f" [{value}]" if f.when is not None or f.kind.base in ("mask", "flag") else f" {value}"
        )
    if "wait0" in {f.name for f in word_layout(insn, load()).fields}:
        text += " [wait(SEM[:N], ...)] [post(SEM[:N], ...)]"
    if len(queues) > 1:
        text += f"\n\nQUEUE: {', '.join(queues)}"
    return text


def _fields(insn: Insn) -> str:
    spec = load()
    rows = ["| bits | field | kind | meaning |", "|---|---|---|---|"]
    own = {f.name: f for f in insn.fields}
    operands = insn.operand_by_name
    for f in sorted(word_layout(insn, spec).fields, key=lambda f: f.low):
        doc = own[f.name].doc if f.name in own else f.doc
        if f.name == "opcode":
            doc = f"0x{insn.opcode:02x}"
        elif f.name in operands:
            doc = operands[f.name].doc
        when = f.when if f.name in own else None
        when = operands[f.name].when if f.name in operands else when
        if when is not None:
            doc += f"; when {ex.to_text(when)}"
        if f.kind.base == "enum":
            labels = spec.enums[str(f.kind.table)].labels
            doc += ": " + ", ".join(f"{label.name} {label.code}" for label in labels)
        rows.append(f"| {f.high}:{f.low} | {f.name} | {f.kind} | {doc} |")
    return "\n".join(rows) + "\n\nAll other bits are zero."


def _shape(op: Operand) -> str:
    kept = ex.to_text(op.kept)
    return f"[{kept}]" if op.reduced is None else f"[{kept} \\| {ex.to_text(op.reduced)}]"


def _operands(insn: Insn) -> str:
    if not insn.operands:
        return ""
    rows = ["| operand | | memory | shape | types | |", "|---|---|---|---|---|---|"]
    for op in insn.operands:
        types = "any" if op.types is None else ", ".join(op.types)
        spaces = ", ".join(op.spaces)
        doc = op.doc if op.when is None else f"{op.doc}; when {ex.to_text(op.when)}"
        rows.append(f"| {op.name} | {op.direction} | {spaces} | {_shape(op)} | {types} | {doc} |")
    return "\n".join(rows)


def _constraints(insn: Insn) -> str:
    if not insn.requires:
        return "" if insn.operands else "None."
    lines = ["The word is refused unless:", ""]
    for require in insn.requires:
        lines.append(f"- `{ex.to_text(require.test)}`: {require.message} ({require.code})")
    return "\n".join(lines)


def _footprint(insn: Insn) -> str:
    if not insn.accesses:
        return "Touches no memory."
    lines = []
    for access in insn.accesses:
        verb = "Reads" if access.mode == "read" else "Writes"
        what = f"{verb} {access.operand}"
        if access.whole:
            what += ", all of its axis 0"
        if access.when is not None:
            what += f", when `{ex.to_text(access.when)}`"
        lines.append(f"- {what}.")
    lines.append("- Scales and metadata of an operand are touched with it.")
    return "\n".join(lines)


def _traps(insn: Insn) -> str:
    if not insn.traps:
        return "None."
    spec = load()
    lines = [f"- `{name}` ({spec.traps[name].code}): {spec.traps[name].doc}" for name in insn.traps]
    return "\n".join(lines)


def _performance(insn: Insn) -> str:
    lines = [
        f"- occupancy: `{ex.to_text(insn.occupancy)}` cycles",
        f"- latency: `{ex.to_text(insn.latency)}` cycles",
    ]
    machine = builtin_machine(WORKED_ON)
    word, block = sample_word(insn, machine)
    measure = WordMeasure(word, block, machine)
    sample = ", ".join(f"{name} = {value}" for name, value in insn.sample.items())
    where = f"On {WORKED_ON}" + (f" in {word.queue}" if word.queue else "")
    where += f" with {sample}" if sample else ""
    lines.append(f"\n{where}: occupancy {measure.occupancy}, latency {measure.latency}.")
    return "\n".join(lines)


@cache
def prelude() -> str:
    """What the examples refer to: a program that their text is put into."""
    return files("maiacc_isa").joinpath("manual", "prelude.mist").read_text("utf-8")


def example_block(insn: Insn) -> Block:
    """The block that an instruction's example makes, inside the prelude."""
    return assemble(f"{prelude()}{insn.example}\n}}\n", f"example of {insn.name}").blocks[0]


def example(insn: Insn) -> str:
    """The example as text and as the hexadecimal of its first word of the instruction."""
    block = example_block(insn)
    word = next(word for word in block.words if word.name == insn.name)
    bits = encode(word)
    words = " ".join(f"{bits >> shift & 0xFFFFFFFF:08x}" for shift in (96, 64, 32, 0))
    return (
        f"```\n{insn.example}\n```\n\n`{insn.name}` as a word, highest bits first: `{words}`\n\n"
        "The names are those of [the examples' prelude](../prelude.md)."
    )


def trap_codes() -> list[str]:
    """The error codes that traps have."""
    return [name for name in codes() if name.startswith("E11")]
