"""Names and numbers as the disassembler prints them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from maiacc_isa import formats
from maiacc_isa.load import load
from maiacc_isa.names import is_word, keywords
from maiacc_isa.tables import Descriptor

#: Entries of a constant table on one line.
TABLE_WIDTH = 24


def quoted(name: str) -> str:
    """A name, in quotes where it is not a plain word."""
    return name if is_word(name) and name not in keywords() else string(name)


def string(text: str) -> str:
    """A text in quotes, on one line and without anything that paints a terminal."""
    return '"' + "".join(_character(c) for c in text) + '"'


def _character(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    return c if c.isprintable() else _ESCAPES.get(c, f"\\u{{{ord(c):x}}}")


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def type_text(dtype: str, shape: Iterable[int]) -> str:
    """A type with its shape."""
    return f"{dtype}[{', '.join(str(n) for n in shape)}]"


def runs(members: Iterable[int]) -> list[str]:
    """Numbers with runs of three and more shortened to a..b."""
    runs: list[list[int]] = []
    for n in sorted(members):
        if runs and runs[-1][-1] == n - 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    items = []
    for run in runs:
        items += [f"{run[0]}..{run[-1]}"] if len(run) > 2 else [str(n) for n in run]
    return items


def table_lines(name: str, entries: tuple[int, ...]) -> list[str]:
    texts = [str(n) for n in entries]
    rows = [", ".join(texts[i : i + TABLE_WIDTH]) for i in range(0, len(texts), TABLE_WIDTH)]
    if len(rows) == 1:
        return [f"table {name} = [{rows[0]}]"]
    rows = [f"  {row}," for row in rows[:-1]] + [f"  {rows[-1]}]"]
    return [f"table {name} = [", *rows]


def immediate_text(bits: int, dtype: str) -> str:
    if dtype != "fp32":
        return str(bits - (1 << 32) if bits >> 31 else bits)
    return float_text(bits, "fp32") or "nan"


def float_text(bits: int, dtype: str) -> str | None:
    """Decimal text of a float that reads back as the same bits, if there is one."""
    value = formats.decode(dtype, bits)
    if isinstance(value, float) and math.isnan(value):
        text = "nan"
    elif isinstance(value, float) and math.isinf(value):
        text = "inf" if value > 0 else "-inf"
    else:
        shortest = (f"{float(value):.{digits}g}" for digits in range(1, 17))
        text = next((t for t in shortest if formats.encode(dtype, float(t)) == bits), repr(value))
        text = text if "." in text or "e" in text else text + ".0"
    return text if formats.encode(dtype, float(text)) == bits else None


def fill_text(d: Descriptor) -> str:
    if d.fill == 0:
        return ""
    t = load().dtypes[d.dtype]
    if t.is_float and d.fill < 1 << t.bits:
        text = float_text(d.fill, d.dtype)
        if text is not None:
            return f" fill {text}"
    return f" bits 0x{d.fill:x}"
