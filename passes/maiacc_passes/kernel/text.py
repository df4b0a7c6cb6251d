"""The kernel stage and the placed stage as text for people: a word a line, in the style of MIST.

    kernel k0: contract, 152,000 macs of 160,000 multiplied     !"/up/MatMul"
      tile x : fp32[64, 64] @tsram 0x0 slots 2 pitch 0x4000
      for i0 over gtile < 3 {
        LD0 copy %x <- "x"{64 | 64}[64*i0 < 200 by 64, 0 < 64] post(LD0.TTU.0.0)
      }

A view is its buffer; ``{...}``, the sizes of its window's dims, those before the bar being rows,
each with the number of its axis where they are not in order; and ``[...]``, for each axis the
origin, the extent that bounds it and the elements between two coordinates. Buffers of a tile have
``%``, those in HBM are named as the model names them. Without places there are no addresses, and
before the schedule nobody waits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from maiacc_passes.ir.words import quoted
from maiacc_passes.kernel.model import Buffer, Chain, Kernel, Loop, Node, Term, View, Word
from maiacc_passes.kernel.plan import Choice, Load, Plan, Repeat, Scalars, Step

if TYPE_CHECKING:
    from maiacc_passes.schedule.places import Places

#: Kinds of memory that are no part of a tile.
OUTSIDE = ("hbm", "csram")


def plan_text(
    plan: Plan,
    bases: Mapping[Buffer, int] | None = None,
    places: Mapping[str, Places] | None = None,
    near: Collection[Buffer] = (),
) -> str:
    """All kernels. ``bases`` are addresses of buffers in HBM, or in the memories of clusters for
    those that are ``near``; ``places`` are those of tiles by the name of the kernel."""
    lines = [f"kernels {len(plan.kernels)}"]
    for name, buffer in plan.inputs.items():
        lines.append(f"input {quoted(name)} : {_type(buffer)}{_base(buffer, bases)}")
    for buffer in plan.constants:
        lines.append(f"weight {_name(buffer)} : {_type(buffer)}{_base(buffer, bases)}")
    for name, output in plan.outputs.items():
        shape = ", ".join(map(str, output.shape))
        is_ = f"{output.buffer.dtype}[{shape}] = {_name(output.buffer)}"
        lines.append(f"output {quoted(name)} : {is_}{_base(output.buffer, bases)}")
    known = {*plan.inputs.values(), *plan.constants, *(o.buffer for o in plan.outputs.values())}
    for buffer in bases or ():
        if buffer not in known:
            space = " in csram" if buffer in near else ""
            lines.append(f"value {_name(buffer)} : {_type(buffer)}{_base(buffer, bases)}{space}")
    lines += _steps(plan.steps, places or {}, "")
    return "\n".join(lines) + "\n"


def _steps(steps: Sequence[Step], places: Mapping[str, Places], indent: str) -> Iterator[str]:
    """Kernels, and what decides which of them are executed how often."""
    for step in steps:
        yield ""
        if isinstance(step, Kernel):
            yield from (indent + line for line in kernel_lines(step, places.get(step.name)))
        elif isinstance(step, Scalars):
            yield from (indent + line for line in _scalars(step))
        elif isinstance(step, Choice):
            yield f"{indent}if {step.scalar.name} {{"
            yield from _steps(step.then, places, indent + "  ")
            yield f"{indent}}} else {{"
            yield from _steps(step.other, places, indent + "  ")
            yield f"{indent}}}"
        elif isinstance(step, Repeat):
            yield f"{indent}while {step.scalar.name} max {step.most} {{"
            yield from _steps(step.body, places, indent + "  ")
            yield f"{indent}}}"
        else:
            yield f"{indent}{step.count} times {step.variable} {{"
            yield from _steps(step.body, places, indent + "  ")
            yield f"{indent}}}"


def _scalars(step: Scalars) -> Iterator[str]:
    """Scalars that are set, and the intervals that they have to be in."""
    location = _location(step.location.nodes)
    for word in step.words:
        made = f"scalar {word.dest.name} = "
        if isinstance(word, Load):
            yield f"{made}load {view_text(word.view)}{location}"
        else:
            named = [(source.name, coef) for source, coef in word.terms]
            value = _sum(word.imm, named)
            value = value if word.function == "none" else f"{word.function}({value}, {word.m})"
            yield made + value + (" everywhere" if word.everywhere else "") + location
    for scalar in step.expected:
        yield f"expect {scalar.low} <= {scalar.name} <= {scalar.high}{location}"


def kernel_lines(kernel: Kernel, places: Places | None = None) -> Iterator[str]:
    """One kernel."""
    work = f", {kernel.macs:,} macs of {kernel.padded:,} multiplied" if kernel.padded else ""
    title = f": {kernel.title}" if kernel.title else ""
    yield f"kernel {kernel.name}{title}{work}{_location(kernel.location.nodes)}"
    yield from _buffers(kernel.buffers, places, "  ")
    yield from _nodes(kernel.body, places, "  ", kernel.location.nodes)


def _nodes(
    nodes: Sequence[Node], places: Places | None, indent: str, origin: tuple[str, ...]
) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Loop):
            spread = f" over {node.spread}" if node.spread else ""
            yield f"{indent}for {node.variable}{spread} < {node.trips} {{"
            yield from _buffers(node.buffers, places, indent + "  ")
            yield from _nodes(node.body, places, indent + "  ", origin)
            yield f"{indent}}}"
        else:
            nodes_of = node.location.nodes
            yield indent + word_text(node) + ("" if nodes_of == origin else _location(nodes_of))


def _buffers(buffers: Sequence[Buffer], places: Places | None, indent: str) -> Iterator[str]:
    for buffer in buffers:
        text = f"{indent}tile {_name(buffer)[1:]} : {_type(buffer)} @{buffer.space}"
        if places is not None and buffer in places.base:
            text += f" 0x{places.base[buffer]:x}"
            slots = places.slots[buffer]
            text += f" slots {slots} pitch 0x{places.pitch[buffer]:x}" if slots > 1 else ""
        yield text + (" shared" if buffer.shared else "")


# ---- words ----------------------------------------------------------------------------------
def word_text(word: Word) -> str:
    """A word: what it writes, an arrow, what it reads, and its options."""
    parts = [f"{word.queue} {word.kind}"]
    written = [view_text(word.views[name]) for name in "de" if name in word.views]
    read = [view_text(word.views[name]) for name in "abc" if name in word.views]
    if written:
        parts.append(", ".join(written))
    if read:
        parts.append(("<- " if written else "") + ", ".join(read))
    if word.chain is not None:
        parts.append(f"by {chain_text(word.chain)}")
    parts += [f"{name}={_field(value)}" for name, value in sorted(word.fields.items())]
    parts += ["weights"] if word.weights else []
    parts += [f"wait({', '.join(word.waits)})"] if word.waits else []
    parts += [f"post({', '.join(word.posts)})"] if word.posts else []
    return " ".join(parts)


def _field(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"({', '.join(map(str, value))})"
    return str(value)


def chain_text(chain: Chain) -> str:
    """The stages of a chain, as in MIST."""
    stages = [f"{s.op}({', '.join(map(_input, s.inputs))})" for s in chain.stages]
    text = f"{chain.dtype}: {'; '.join(stages) or 'as it is'}"
    text += f" stat {chain.stat}" if chain.stat != "none" else ""
    text += " saturate" if chain.saturate else ""
    text += f" round {chain.round}" if chain.round != "rne" else ""
    return f"{{{text}}}"


def _input(given: str | float) -> str:
    return given if isinstance(given, str) else f"{given:g}"


def view_text(view: View) -> str:
    """A view of a buffer."""
    plain = [dim.axis for dim in view.dims] == list(range(len(view.axes)))
    sizes = [str(dim.size) + ("" if plain else f"@{dim.axis}") for dim in view.dims]
    rows, columns = sizes[: view.split], sizes[view.split :]
    window = " | ".join(filter(None, [", ".join(rows), ", ".join(columns)]))
    window = f"{{{window}}}" if len(columns) == len(sizes) or columns else f"{{{window} |}}"
    axes = ", ".join(_axis(view, number) for number in range(len(view.axes)))
    text = f"{_name(view.buffer)}{window}[{axes}]"
    moved = _sum(view.offset, view.terms)
    text += f" + {moved}" if moved != "0" else ""
    text += f" as {view.dtype}" if view.dtype else ""
    text += f" fill {view.fill:g}" if view.fill else ""
    text += " drop" if view.drop else ""
    return text + (f" meta {view_text(view.meta)}" if view.meta is not None else "")


def _axis(view: View, number: int) -> str:
    """An axis: where the window begins on it, how far it goes, the distance of its elements, and
    the steps of dims that do not move by one."""
    axis = view.axes[number]
    steps = [dim for dim in view.dims if dim.axis == number]
    uneven = any(dim.step != 1 for dim in steps) or len(steps) > 1
    step = f" steps {', '.join(str(dim.step) for dim in steps)}" if uneven else ""
    stride = f" by {axis.stride}" if axis.stride != 1 else ""
    return f"{_sum(axis.start, axis.terms)} < {axis.extent}{stride}{step}"


def _sum(start: int, terms: Sequence[Term]) -> str:
    parts = [name if coef == 1 else f"{coef}*{name}" for name, coef in terms]
    if start or not parts:
        parts.append(str(start))
    return " + ".join(parts)


# ---- names ----------------------------------------------------------------------------------
def _name(buffer: Buffer) -> str:
    if buffer.of is not None:
        return f"{_name(buffer.of)}.part({_sum(buffer.offset, buffer.terms)})"
    if buffer.space not in OUTSIDE:
        return f"%{buffer.name}"
    if buffer.kind == "weight":
        return buffer.name if buffer.name.startswith("@") else f"@{buffer.name}"
    return quoted(buffer.name) if buffer.kind in ("input", "output") else buffer.name


def _type(buffer: Buffer) -> str:
    return f"{buffer.dtype}[{', '.join(map(str, buffer.shape))}]"


def _base(buffer: Buffer, bases: Mapping[Buffer, int] | None) -> str:
    return "" if bases is None or buffer not in bases else f" @ 0x{bases[buffer]:x}"


def _location(nodes: Sequence[str]) -> str:
    return f"  !{', '.join(map(quoted, nodes))}" if nodes else ""
