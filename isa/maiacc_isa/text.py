"""The disassembler: ``Program`` to assembly text that assembles to the same program."""

from __future__ import annotations

import json
from collections.abc import Iterable

from maiacc_isa.container import map_weights
from maiacc_isa.machine import Machine
from maiacc_isa.machine_text import machine_file_name
from maiacc_isa.program import Call, If, Node, Program, Tensor, While
from maiacc_isa.text_block import BlockText
from maiacc_isa.text_values import quoted, string, type_text
from maiacc_isa.version import ISA_VERSION
from maiacc_isa.word import encode_bytes

#: Weights of at most this many bytes are printed into the text.
INLINE_LIMIT = 256


def disassemble(program: Program, weights_file: str = "weights.bin") -> str:
    """The text of a program.

    Weights of more than ``INLINE_LIMIT`` bytes are referred to as pieces of ``weights_file``,
    at the offsets ``weight_layout`` gives. A machine that does not come with maiacc is referred
    to by the file that ``machine_file_name`` gives.
    """
    lines = [f"mist {ISA_VERSION[0]}.{ISA_VERSION[1]}", f"target {_target(program.machine)}"]
    for p in program.parameters:
        step = f" step {p.step}" if p.step != 1 else ""
        lines.append(f"param {quoted(p.name)} : {p.low}..{p.high}{step}")
    offsets = weight_layout(program)
    lines += [_tensor(t, program, offsets, weights_file) for t in program.tensors]
    for block in program.blocks:
        lines += ["", *BlockText(block, program).lines()]
    if len(program.blocks) != 1 or program.control != (Call(program.blocks[0].name),):
        lines += ["", "control {", *_control(program.control, "  "), "}"]
    return "\n".join(lines) + "\n"


def _target(machine: Machine) -> str:
    """How a text names its machine: by name, or by the machine file that goes with the text."""
    file = machine_file_name(machine)
    return quoted(machine.name) if file is None else file


def weight_layout(program: Program) -> dict[str, int]:
    """Offset of each large weight in the file of weights that goes with a text."""
    offsets, at = {}, 0
    for tensor in program.tensors:
        weights = program.weights.get(tensor.name)
        if weights is not None and weights.size > INLINE_LIMIT:
            offsets[tensor.name] = at
            at += weights.size
    return offsets


def _tensor(t: Tensor, program: Program, offsets: dict[str, int], weights_file: str) -> str:
    text = f"{t.kind} {quoted(t.name)} : {type_text(t.dtype, t.shape)} @ 0x{t.base:x}"
    if t.split:
        text += " split"
    if t.name in program.weights:
        weights = program.weights[t.name]
        if t.name in offsets:
            text += f" = file {string(weights_file)} at {offsets[t.name]} size {weights.size}"
        else:
            text += f" = hex {string(bytes(map_weights(weights)).hex())}"
    if t.kind == "state":
        text += f" in {string(t.name)} out {string(t.result or '')}"
    return text


def _control(nodes: Iterable[Node], indent: str) -> list[str]:
    lines: list[str] = []
    for node in nodes:
        if isinstance(node, Call):
            lines.append(f"{indent}call {quoted(node.block)}")
        elif isinstance(node, If):
            lines += [f"{indent}if s{node.reg} {{", *_control(node.then, indent + "  ")]
            if node.other:
                lines += [f"{indent}}} else {{", *_control(node.other, indent + "  ")]
            lines.append(f"{indent}}}")
        elif isinstance(node, While):
            head = f"{indent}while s{node.reg} max {node.most} {{"
            lines += [head, *_control(node.body, indent + "  "), f"{indent}}}"]
    return lines


def json_program(program: Program) -> str:
    """The program as one JSON document: its text by block, with every word and its bits."""
    blocks = []
    for block in program.blocks:
        text = BlockText(block, program)
        blocks.append(
            {
                "name": block.name,
                "words": [
                    {
                        "index": i,
                        "text": text.word(i),
                        "bits": encode_bytes(word).hex(),
                        "origin": list(block.origin(i)),
                    }
                    for i, word in enumerate(block.words)
                ],
            }
        )
    return json.dumps({"schema": 1, "target": program.machine.name, "blocks": blocks})
