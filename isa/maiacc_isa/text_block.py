"""The text of one block: its declarations, and its words one a line."""

from __future__ import annotations

from maiacc_isa.expr import evaluate
from maiacc_isa.load import load
from maiacc_isa.names import default_name
from maiacc_isa.operands import WordScope, present_operands
from maiacc_isa.text_declarations import DeclarationText
from maiacc_isa.text_plain import plain_word
from maiacc_isa.text_values import quoted, runs, string, table_lines, type_text
from maiacc_isa.word import Token, Word, encode_bytes


class BlockText(DeclarationText):
    """The text of one block; also prints single words for messages."""

    def lines(self) -> list[str]:
        block, symbols = self._block, self._block.symbols
        lines = [f"block {quoted(block.name)} {{"]
        out = [f"in {self.register_name(x.reg)} : {x.low}..{x.high}" for x in block.live_in]
        out = [f"reg {name} = s{reg}" for reg, name in sorted(symbols.registers.items())] + out
        for b in block.buffers:
            slots = f" slots {b.slots} pitch 0x{b.pitch:x}" if b.slots > 1 or b.pitch else ""
            place = f"@{b.space} 0x{b.base:x}{slots}"
            out.append(f"buffer {quoted(b.name)} : {type_text(b.dtype, b.shape)} {place}")
        for i, table in enumerate(block.tables):
            out += table_lines(self._name(symbols.tables, "t", i), table)
        for i, mask in enumerate(block.masks):
            members = ", ".join(runs(mask.members))
            out.append(f"mask {self._name(symbols.masks, 'm', i)} = {{{members}}}")
        out += [self._semaphore(i, sem) for i, sem in enumerate(block.semaphores)]
        out += [self._chain(i, chain) for i, chain in enumerate(block.chains)]
        out += [self.descriptor(i) for i in range(len(block.descriptors))]
        lines += [f"  {line}" for line in out]
        lines += self._words()
        return [*lines, "}"]

    # ---- words --------------------------------------------------------------------------
    def _words(self) -> list[str]:
        lines: list[str] = []
        indent = "  "
        roles: list[tuple[str, ...]] = [tuple(load().roles)]
        origin: tuple[str, ...] = ()
        words = self._block.words
        frames = self._nests
        for index, word in enumerate(words):
            if self._block.origin(index) != origin:
                origin = self._block.origin(index)
                lines.append((f"{indent}at " + ", ".join(string(n) for n in origin)).rstrip())
            if word.name == "END" and index == len(words) - 1:
                break
            if word.name == "ENDL" and frames:
                indent = indent[:-2]
                roles.pop()
                lines.append(indent + "}")
            elif word.name == "LOOP" and frames:
                lines.append(indent + self.word(index, roles[-1]))
                indent += "  "
                roles.append(word.roles)
            elif plain_word(word, self._block, len(self._parameters)):
                lines.append(indent + self.word(index, roles[-1]))
            else:
                lines.append(f"{indent}bits {string(encode_bytes(word).hex())}")
        return lines

    def word(self, index: int, around: tuple[str, ...] | None = None) -> str:
        """The text of a word; its roles are left out where the loop around says them."""
        word = self._block.words[index]
        on = "" if word.roles == around else f" on {', '.join(word.roles)}"
        match word.name:
            case "LOOP":
                trip = word["trip"] if word["kind"] == "imm" else self.register_name(word["reg"])
                return f"loop {self._loop_names[index]} < {trip}{on} {{"
            case "ENDL":
                return "}"
            case "END":
                return "end"
            case "NOP":
                return f"nop{on}"
            case "MARK":
                return f"mark {word['id']} {word['what']}{on}"
            case "SET":
                return f"{self.register_name(word['dest'])} = {self._scalar(word)}{on}"
            case "PAR":
                return f"{self.register_name(word['dest'])} = param {self._parameter(word)}{on}"
            case "SLD":
                view = self._view_name(word["a"])
                interval = f"in {word['low']}..{word['high']}"
                head = f"{self.register_name(word['dest'])} = sld {view}"
                return f"{head}{self._syncs(word)} {interval}{on}"
        return self._engine_word(index, word)

    def _view_name(self, number: int) -> str:
        """The name of a descriptor; in messages, the view itself if it has no name."""
        names = self._block.symbols.descriptors
        if self._inline and number not in names and number < len(self._block.descriptors):
            return self.view(self._block.descriptors[number])
        return self._name(names, "v", number)

    def _parameter(self, word: Word) -> str:
        number = word["param"]
        return quoted(self._parameters.get(number, default_name("p", number)))

    def _scalar(self, word: Word) -> str:
        parts = [(word[f"c{i}"], self.source(word[f"x{i}"])) for i in (1, 2) if word[f"c{i}"] != 0]
        match word["fn"]:
            case "min" | "max":
                return f"{word['fn']}({self._sum(word['m'], parts)}, {word['imm']})"
            case "min2" | "max2":
                one, two = self._sum(word["imm"], parts[:-1]), self._sum(word["m"], parts[-1:])
                return f"{word['fn'][:3]}({one}, {two})"
        text = self._sum(word["imm"], parts)
        match word["fn"]:
            case "none":
                return text
            case "table":
                return f"{self._name(self._block.symbols.tables, 't', word['m'])}[{text}]"
        return f"({text}) {word['fn']} {word['m']}"

    def _engine_word(self, index: int, word: Word) -> str:
        row = word.row
        present = present_operands(word, self._block.chains)
        names = [self._view_name(word[op.name]) for op in present]
        text = f"{word.queue} {row.mnemonic}"
        if names:
            text += " " + ", ".join(names)
        for f in row.fields:
            value = self._field(f.kind.base, word[f.name], f.when is not None)
            if f.kind.base == "level":
                scope = WordScope(word, self._block.chains)
                used = f.when is None or evaluate(f.when, scope)
                value = self.loop_name(index, word[f.name]) if used else value
            if value is not None:
                text += f" {f.name}={value}"
        return text + self._syncs(word)

    def _field(self, kind: str, value: object, optional: bool) -> str | None:
        symbols = self._block.symbols
        match kind:
            case "chain":
                assert isinstance(value, int)
                return self._name(symbols.chains, "c", value)
            case "mask":
                assert isinstance(value, int)
                return None if value == 0 else self._name(symbols.masks, "m", value - 1)
            case "sreg":
                assert isinstance(value, int)
                return self.register_name(value)
            case "flag":
                return str(int(bool(value)))
        return None if optional and value == 0 else str(value)

    def _syncs(self, word: Word) -> str:
        return self._sync("wait", word.waits) + self._sync("post", word.posts)

    def _sync(self, kind: str, tokens: tuple[Token, ...]) -> str:
        if not tokens:
            return ""
        items = [
            self.semaphore_name(sem) + (f":{count}" if count != 1 else "") for sem, count in tokens
        ]
        return f" {kind}({', '.join(items)})"
