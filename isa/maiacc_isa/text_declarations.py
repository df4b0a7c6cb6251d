"""The text of what a block declares: names, sums, views, chains, semaphores."""

from __future__ import annotations

import re

from maiacc_isa.asm_views import START_LIMIT
from maiacc_isa.bits import to_bytes
from maiacc_isa.load import load
from maiacc_isa.names import AMBIGUOUS, default_name, is_word
from maiacc_isa.program import Block, Buffer, Program, tensor_buffer
from maiacc_isa.table_codec import encode_descriptor
from maiacc_isa.tables import Chain, Descriptor, Semaphore, Term
from maiacc_isa.text_plain import nests, plain_view
from maiacc_isa.text_values import fill_text, immediate_text, quoted, string


class DeclarationText:
    """Names and declarations of one block. With ``inline`` words show views without names in
    full, as messages do."""

    def __init__(self, block: Block, program: Program | None = None, inline: bool = False) -> None:
        self._block = block
        self._inline = inline
        self._loop_names = _loop_names(block)
        self._nests = nests(block)
        # Only loops that stand in the text give their names to sums.
        self._level_names = _level_names(block, self._loop_names) if self._nests or inline else {}
        self._around = _around(block, self._loop_names) if self._nests else {}
        self._dim_letter = _dim_letter(block, self._loop_names)
        parameters = program.parameters if program is not None else ()
        self._parameters = {i: p.name for i, p in enumerate(parameters)}
        buffers = list(block.buffers)
        if program is not None:
            own = {b.name for b in buffers}
            for t in program.tensors:
                if t.name not in own:
                    buffers.append(tensor_buffer(t, program.machine.chips))
        self._places: dict[tuple[object, ...], Buffer] = {}
        for b in buffers:
            if b.shape and len(b.shape) <= load().limit("axes"):
                axes = tuple(zip(b.shape, b.strides(), strict=True))
                self._places.setdefault((b.space, b.dtype, b.base, axes), b)

    # ---- names --------------------------------------------------------------------------
    def _name(self, names: dict[int, str], prefix: str, index: int) -> str:
        return quoted(names.get(index, default_name(prefix, index)))

    def register_name(self, reg: int) -> str:
        """What a register is called."""
        return self._block.symbols.registers.get(reg, f"s{reg}")

    def loop_name(self, word: int, level: int) -> str:
        """How a word calls the loop of a level around it: by name, where only one has that name."""
        around = self._around.get(word, ())
        if level < len(around) and around.count(around[level]) == 1:
            name = around[level]
            return name if name != default_name("L", level) else str(level)
        return str(level)

    def source(self, code: int) -> str:
        """The name of a source."""
        sources = load().sources
        if code < sources["s"].count:
            return self.register_name(code)
        if sources["L"].code <= code < sources["L"].code + sources["L"].count:
            level = code - sources["L"].code
            return self._level_names.get(level, f"L{level}")
        return next((s.name for s in sources.values() if s.code == code), f"source{code}")

    def semaphore_name(self, index: int) -> str:
        return self._name(self._block.symbols.semaphores, "q", index)

    # ---- declarations -------------------------------------------------------------------
    def _semaphore(self, index: int, sem: Semaphore) -> str:
        scope = sem.scope
        if scope == "remote":
            scope += f"({self._name(self._block.symbols.tables, 't', sem.origin)})"
        name = self.semaphore_name(index)
        return f"sem {name} : {sem.poster} -> {sem.waiter} {scope} = {sem.init}"

    def _chain(self, index: int, chain: Chain) -> str:
        steps = []
        for step in chain.steps:
            inputs = [
                immediate_text(step.imm, chain.dtype) if name == "imm" else name
                for name in step.inputs
            ]
            steps.append(f"{step.op}({', '.join(inputs)})")
        text = f"chain {self._name(self._block.symbols.chains, 'c', index)} : {chain.dtype} = "
        text += "; ".join(steps)
        text += f" stat {chain.stat}" if chain.stat != "none" else ""
        text += f" round {chain.round}" if chain.round != "rne" else ""
        text += " saturate" if chain.saturate else ""
        return text + (" zero_div" if chain.zero_div else "")

    def descriptor(self, index: int) -> str:
        """The declaration of a descriptor, as a view or, if no view can say it, as its bits."""
        name = self._name(self._block.symbols.descriptors, "v", index)
        d = self._block.descriptors[index]
        if plain_view(d, len(self._block.descriptors)):
            return f"desc {name} = {self.view(d)}"
        size = load().records["descriptor"].bits
        return f"desc {name} = bits {string(to_bytes(encode_descriptor(d), size).hex())}"

    def view(self, d: Descriptor) -> str:
        """A descriptor as a view, over its buffer where it is one's natural form."""
        axes = tuple((axis.extent, axis.stride) for axis in d.axes)
        buffer = self._places.get((d.space, d.dtype, d.base, axes))
        byte_terms = [t for t in d.terms if t.target == "bytes"]
        slot = self._slot(buffer, byte_terms)
        home = self._home(d)
        if buffer is not None and slot is not None:
            text = quoted(buffer.name) + slot + (f"@{home}" if home else "")
        else:
            buffer = None
            text = f"{d.dtype} @{d.space}{home} 0x{d.base:x}"
            offset = self._sum(0, [(t.coef, self.source(t.source)) for t in byte_terms])
            text += f" + {offset}" if byte_terms else ""
            text += " "
        names = [f"{self._dim_letter}{i}" for i in range(len(d.dims))]
        text += "{" + self._dims(d, names) + "}"
        axis_texts = [self._axis(d, i, names, buffer is not None) for i in range(len(d.axes))]
        text += "[" + ", ".join(axis_texts) + "]"
        return text + self._options(d)

    def _slot(self, buffer: Buffer | None, terms: list[Term]) -> str | None:
        """The slot expression of a buffer, "" for none, None if the terms are no slots."""
        if buffer is None or not terms:
            return "" if not terms else None
        if buffer.pitch == 0 or any(t.coef % buffer.pitch for t in terms):
            return None
        parts = [(t.coef // buffer.pitch, self.source(t.source)) for t in terms]
        return f"({self._sum(0, parts)})"

    def _home(self, d: Descriptor) -> str:
        if d.home == "own":
            return ""
        if d.home == "all":
            return "[all]"
        parts = [(t.coef, self.source(t.source)) for t in d.terms if t.target == "home"]
        constant = sum(coef for coef, name in parts if name == "one")
        return f"[{self._sum(constant, [p for p in parts if p[1] != 'one'])}]"

    def _dims(self, d: Descriptor, names: list[str]) -> str:
        items = []
        for i, dim in enumerate(d.dims):
            reg = d.size_reg(i)
            size = str(dim.size) if reg is None else f"{self.register_name(reg)} of {dim.size}"
            items.append(f"{names[i]}:{size}")
        kept, reduced = ", ".join(items[: d.split]), ", ".join(items[d.split :])
        if d.split == len(d.dims):
            return kept
        return f"{kept} | {reduced}".strip()

    def _axis(self, d: Descriptor, number: int, names: list[str], natural: bool) -> str:
        axis = d.axes[number]
        parts = [
            (dim.step, names[i])
            for i, dim in enumerate(d.dims)
            if dim.axis == number and dim.step != 0
        ]
        constant = axis.start
        for t in d.terms:
            if t.target == f"axis{number}":
                name = self.source(t.source)
                large = (
                    name == "one" and axis.start == 0 and not -START_LIMIT <= t.coef < START_LIMIT
                )
                if large:
                    constant += t.coef
                else:
                    parts.append((t.coef, name))
        text = self._sum(constant, parts)
        reg = d.extent_reg(number)
        if reg is not None:
            text += f" < {self.register_name(reg)} of {axis.extent}"
        elif not natural:
            text += f" < {axis.extent}"
        if not natural and not (axis.stride == 0 and d.space == "iota"):
            text += f" by {axis.stride}"
        return text

    def _options(self, d: Descriptor) -> str:
        symbols = self._block.symbols.descriptors
        text = fill_text(d)
        if d.scale is not None:
            text += " scale " + self._name(symbols, "v", d.scale)
        if d.meta is not None:
            text += " meta " + self._name(symbols, "v", d.meta)
        return text + (" drop" if d.drop else "")

    def _sum(self, constant: int, parts: list[tuple[int, str]]) -> str:
        """A linear expression: products first, the constant last."""
        text = ""
        for coef, name in parts:
            sign = " - " if coef < 0 else " + "
            sign = ("-" if coef < 0 else "") if not text else sign
            text += sign + (name if abs(coef) == 1 else f"{abs(coef)}*{name}")
        if constant or not text:
            if not text:
                return str(constant)
            text += f" - {-constant}" if constant < 0 else f" + {constant}"
        return text


def _loop_names(block: Block) -> dict[int, str]:
    """The names of the LOOP words. A loop whose own name stands for something else in sums is
    called by its level."""
    taken = {*block.symbols.registers.values(), *load().sources, *AMBIGUOUS}
    if not _reads_one(block):
        taken.remove("one")
    names = {}
    for index, word in enumerate(block.words):
        if word.name == "LOOP":
            default = default_name("L", word["level"])
            name = block.symbols.loops.get(index, default)
            good = name not in taken and is_word(name) and not re.fullmatch(r"[sL]\d+", name)
            names[index] = name if good else default
    return names


def _reads_one(block: Block) -> bool:
    """Whether the source `one` has to be named in the text."""
    one = load().sources["one"].code
    words = (w for w in block.words if w.name == "SET")
    return any(one in (w["x1"], w["x2"]) for w in words) or any(
        t.source == one for d in block.descriptors for t in d.terms
    )


def _around(block: Block, names: dict[int, str]) -> dict[int, tuple[str, ...]]:
    """The names of the loops around each word of a block whose loops nest, outermost first."""
    around = {}
    stack: list[str] = []
    for index, word in enumerate(block.words):
        if word.name == "ENDL":
            stack.pop()
        around[index] = tuple(stack)
        if word.name == "LOOP":
            stack.append(names[index])
    return around


def _level_names(block: Block, names: dict[int, str]) -> dict[int, str]:
    """Loop names that stand for one level, and one name for the level, in the whole block."""
    by_level: dict[int, set[str]] = {}
    for index, name in names.items():
        by_level.setdefault(block.words[index]["level"], set()).add(name)
    single = {level: next(iter(names)) for level, names in by_level.items() if len(names) == 1}
    return {
        level: name
        for level, name in single.items()
        if sum(name in names for names in by_level.values()) == 1 and name not in load().sources
    }


def _dim_letter(block: Block, names: dict[int, str]) -> str:
    """What the names of dims begin with: something that no other name in a sum does."""
    taken = {*block.symbols.registers.values(), *names.values()}
    letters = "d"
    while any(re.fullmatch(rf"{letters}\d", name) for name in taken):
        letters += "d"
    return letters
