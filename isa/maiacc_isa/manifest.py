"""The JSON members of a ``.maia`` file: the manifest and the symbols."""

from __future__ import annotations

import msgspec

from maiacc_isa import program as pr
from maiacc_isa.errors import MaiaccError
from maiacc_isa.load import load
from maiacc_isa.names import TURN_LIMIT
from maiacc_isa.version import FORMAT_VERSION, ISA_VERSION, TIMING_VERSION, __version__


class Piece(msgspec.Struct, forbid_unknown_fields=True):
    size: int
    sha256: str


class TensorRow(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    name: str
    kind: str
    dtype: str
    shape: list[int]
    base: int
    split: bool = False
    result: str | None = None
    offset: int | None = None


class ParameterRow(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    low: int
    high: int
    step: int


class BufferRow(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    dtype: str
    shape: list[int]
    space: str
    base: int
    slots: int
    pitch: int


class BlockRow(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    name: str
    live_in: list[tuple[int, int, int]] = []


class MachineRow(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    title: str
    sha256: str
    values: dict[str, int | float | str]


class NodeRow(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    call: str | None = None
    reg: int | None = None
    most: int | None = None
    then: list[NodeRow] = []
    other: list[NodeRow] = []


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    format: tuple[int, int]
    isa: tuple[int, int]
    timing: int
    tool: str
    machine: MachineRow
    tensors: list[TensorRow]
    parameters: list[ParameterRow]
    blocks: list[BlockRow]
    control: list[NodeRow]
    members: dict[str, Piece]
    options: dict[str, str] = {}


class BlockNames(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Symbols of a block: everything that only people need."""

    buffers: list[BufferRow] = []
    descriptors: dict[int, str] = {}
    chains: dict[int, str] = {}
    semaphores: dict[int, str] = {}
    masks: dict[int, str] = {}
    tables: dict[int, str] = {}
    registers: dict[int, str] = {}
    loops: dict[int, str] = {}
    origins: list[list[str]] = []
    runs: list[tuple[int, int]] = []


class Versions(msgspec.Struct):
    format: tuple[int, int]
    isa: tuple[int, int]


# ---- from a program ---------------------------------------------------------------------


def block_names(block: pr.Block) -> BlockNames:
    buffers = [
        BufferRow(b.name, b.dtype, list(b.shape), b.space, b.base, b.slots, b.pitch)
        for b in block.buffers
    ]
    origins: list[list[str]] = []
    runs: list[tuple[int, int]] = []
    last: tuple[str, ...] | None = None
    for origin in block.origins:
        if origin != last:
            origins.append(list(origin))
            runs.append((len(origins) - 1, 0))
            last = origin
        runs[-1] = (runs[-1][0], runs[-1][1] + 1)
    return BlockNames(buffers=buffers, origins=origins, runs=runs, **vars(block.symbols))


def manifest_of(
    program: pr.Program, offsets: dict[str, int], digests: dict[str, tuple[int, str]]
) -> Manifest:
    m = program.machine
    return Manifest(
        format=FORMAT_VERSION,
        isa=ISA_VERSION,
        timing=TIMING_VERSION,
        tool=f"maiacc {__version__}",
        machine=MachineRow(m.name, m.title, m.digest, m.values),
        tensors=[
            TensorRow(
                t.name,
                t.kind,
                t.dtype,
                list(t.shape),
                t.base,
                t.split,
                t.result,
                offsets.get(t.name),
            )
            for t in program.tensors
        ],
        parameters=[ParameterRow(p.name, p.low, p.high, p.step) for p in program.parameters],
        blocks=[
            BlockRow(b.name, [(x.reg, x.low, x.high) for x in b.live_in]) for b in program.blocks
        ],
        control=[_node_row(node) for node in program.control],
        members={name: Piece(size, sha) for name, (size, sha) in digests.items()},
        options=program.options,
    )


def _node_row(node: pr.Node) -> NodeRow:
    if isinstance(node, pr.Call):
        return NodeRow(call=node.block)
    if isinstance(node, pr.If):
        then, other = [_node_row(n) for n in node.then], [_node_row(n) for n in node.other]
        return NodeRow(reg=node.reg, then=then, other=other)
    return NodeRow(reg=node.reg, most=node.most, then=[_node_row(n) for n in node.body])


# ---- to a program -----------------------------------------------------------------------


def origins_of(names: BlockNames, words: int) -> tuple[tuple[str, ...], ...]:
    result: list[tuple[str, ...]] = []
    for index, count in names.runs:
        if not 0 <= index < len(names.origins) or not 0 < count <= words - len(result):
            raise MaiaccError("E0606", "the source map is damaged")
        result += [tuple(names.origins[index])] * count
    if not any(result):
        return ()
    return (*result, *[()] * (words - len(result)))


def control_of(rows: list[NodeRow], names: set[str], depth: int) -> tuple[pr.Node, ...]:
    """The control graph of its rows. Raises ``MaiaccError`` E0606."""
    if depth == 0:
        raise MaiaccError("E0606", "the control graph nests too deep")
    nodes: list[pr.Node] = []
    for row in rows:
        if row.call is not None:
            plain = row.reg is None and row.most is None and not row.then and not row.other
            if row.call not in names or not plain:
                raise MaiaccError("E0606", "the control graph calls what does not exist")
            nodes.append(pr.Call(row.call))
            continue
        then = control_of(row.then, names, depth - 1)
        other = control_of(row.other, names, depth - 1)
        if row.reg is None or not 0 <= row.reg < load().limit("scalars"):
            raise MaiaccError("E0606", "a condition of the control graph has no register")
        if row.most is None:
            nodes.append(pr.If(row.reg, then, other))
        elif not 0 <= row.most < TURN_LIMIT or other:
            raise MaiaccError("E0606", "a loop of the control graph is not valid")
        else:
            nodes.append(pr.While(row.reg, row.most, then))
    return tuple(nodes)
