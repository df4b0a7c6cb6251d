"""Program files with one thing wrong in each, and the code that says so."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isa.repack import members_of, packed, signed, with_json, with_member
from maiacc_isa.bits import to_bytes
from maiacc_isa.table_codec import encode_semaphore
from maiacc_isa.tables import Semaphore
from maiacc_isa.zip_layout import CENTRAL, CENTRAL_MARK, END

TEXT = f"""mist 1.0
target mini
param n : 0..8
input X : bf16[8, 64] @ 0x0
weight W : bf16[8, 64] @ 0x400 = hex "{bytes(range(256)).hex() * 4}"
state K : bf16[8, 64] @ 0x800 in "K" out "K next"
weight S : fp32[2] @ 0xc00 = [1.5, -2.0]
block first {{
  reg slot = s3
  buffer t : bf16[8, 64] @tsram 0x0 slots 2 pitch 0x400
  sem full : LD0 -> TVP tile
  sem arrived : NET0 -> LD0 remote(chips)
  mask some = {{0, 1}}
  table chips = [0]
  chain relu : fp32 = relu(a)
  desc v = t(slot){{i:8, j:64}}[i, j]
  at "MatMul_0"
  slot = 1 on tile
  loop k < 2 on tile {{
    LD0 copy v, W{{i:8, j:64}}[i, j] post(full)
    TVP vmap v, v chain=relu wait(full)
  }}
}}
block second {{
  in s3 : 0..8
  nop
}}
control {{
  call first
  if s3 {{ call second }}
}}
"""


@dataclass(frozen=True)
class WrongFile:
    """What is wrong, the code of the refusal, and how a good file is made wrong."""

    name: str
    code: str
    change: Callable[[bytes], bytes]


def _manifest(name: str, code: str, change: Callable[[Any], Any]) -> WrongFile:
    return WrongFile(name, code, with_json("manifest.json", change))


def _symbols(name: str, change: Callable[[Any], Any]) -> WrongFile:
    return WrongFile(name, "E0606", with_json("symbols.json", lambda rows: change(rows[0])))


def _table(name: str, code: str, kind: str, at: int, value: bytes, block: int = 0) -> WrongFile:
    """Other bytes in a table of a block."""

    def change(content: bytes) -> bytes:
        return content[:at] + value + content[at + len(value) :]

    return WrongFile(name, code, with_member(f"blocks/{block}.{kind}", change))


def _renamed(new: str) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        members = members_of(data)
        return packed({new if key == "weights.bin" else key: members[key] for key in members})

    return change


def _directory_field(offset: int, value: int, format_: str = "<H") -> Callable[[bytes], bytes]:
    """Another value in the first entry of the directory."""

    def change(data: bytes) -> bytes:
        at = data.index(CENTRAL_MARK) + offset
        size = struct.calcsize(format_)
        return data[:at] + struct.pack(format_, value) + data[at + size :]

    return change


def _local_field(offset: int, value: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:offset] + struct.pack("<H", value) + data[offset + 2 :]


def _twice(data: bytes) -> bytes:
    """The first entry of the directory stands in it twice."""
    at = data.index(CENTRAL_MARK)
    fields = CENTRAL.unpack_from(data, at)
    entry = data[at : at + CENTRAL.size + fields[10]]
    end = list(END.unpack(data[-END.size :]))
    end[3:6] = [end[3] + 1, end[4] + 1, end[5] + len(entry)]
    return data[:at] + entry + data[at : -END.size] + END.pack(*end)


def _unsigned(data: bytes) -> bytes:
    members = members_of(data)
    code = members["blocks/1.code"]
    return packed({**members, "blocks/1.code": code[:16] + code})


def _same_size(data: bytes) -> bytes:
    members = members_of(data)
    code = members["blocks/1.code"]
    return packed({**members, "blocks/1.code": code[16:] + code[:16]})


def _without(name: str) -> Callable[[bytes], bytes]:
    return lambda data: packed({k: v for k, v in members_of(data).items() if k != name})


def _set(*path: Any) -> Callable[[Any], None]:
    """Puts the last of the arguments where the others lead."""
    *keys, last, value = path

    def change(document: Any) -> None:
        for key in keys:
            document = document[key]
        document[last] = value

    return change


def _del(*path: Any) -> Callable[[Any], None]:
    *keys, last = path

    def change(document: Any) -> None:
        for key in keys:
            document = document[key]
        del document[last]

    return change


def _repeat(key: str) -> Callable[[Any], None]:
    return lambda document: document[key].append(document[key][0])


#: A semaphore that names a table its block does not have.
_REMOTE = to_bytes(encode_semaphore(Semaphore("NET0", "LD0", "remote", 0, 9)), 64)

WRONG_FILES = [
    # ---- no archive --------------------------------------------------------------------------
    WrongFile("empty", "E0601", lambda _: b""),
    WrongFile("text", "E0601", lambda _: b"hello, this is not a program file at all"),
    WrongFile("gzip", "E0601", lambda _: b"\x1f\x8b" + bytes(100)),
    WrongFile("one byte short", "E0605", lambda data: data[:-1]),
    WrongFile("something behind", "E0605", lambda data: data + b"\0"),
    WrongFile("comment", "E0605", lambda data: data[:-2] + b"\5\0hello"),
    WrongFile("something in front", "E0605", lambda data: data[:4] + data),
    WrongFile("compressed", "E0605", _directory_field(10, 8)),
    WrongFile("compressed in front only", "E0605", _local_field(8, 8)),
    WrongFile("encrypted", "E0605", _directory_field(8, 1)),
    WrongFile("encrypted in front only", "E0605", _local_field(6, 1)),
    WrongFile("other checksum", "E0605", _directory_field(16, 1234, "<I")),
    WrongFile("two sizes", "E0605", _directory_field(20, 1, "<I")),
    WrongFile("wide size without its field", "E0605", _directory_field(24, 0xFFFFFFFF, "<I")),
    WrongFile("overlapping", "E0605", _directory_field(42, 8192, "<I")),
    WrongFile("another disk", "E0605", _directory_field(34, 1)),
    WrongFile("other attributes", "E0605", _directory_field(38, 0o120777 << 16, "<I")),
    WrongFile("other time", "E0605", _local_field(10, 7)),
    WrongFile("a member twice", "E0605", _twice),
    WrongFile("name with ..", "E0605", _renamed("../weights.bin")),
    WrongFile("absolute name", "E0605", _renamed("/etc/weights.bin")),
    WrongFile("name with a drive", "E0605", _renamed("c:weights.bin")),
    WrongFile("name with a backslash", "E0605", _renamed("..\\weights.bin")),
    WrongFile("name in upper case", "E0605", _renamed("WEIGHTS.BIN")),
    # ---- members and manifest -----------------------------------------------------------------
    WrongFile("unknown member", "E0603", lambda data: packed({**members_of(data), "x.bin": b"x"})),
    WrongFile("no manifest", "E0603", _without("manifest.json")),
    WrongFile("no code", "E0603", _without("blocks/0.code")),
    _manifest("member of no block", "E0603", lambda m: m["members"].update({"blocks/7.code": m["members"]["blocks/0.code"]})),
    WrongFile("longer than the manifest says", "E0604", _unsigned),
    WrongFile("other bytes of the same size", "E0604", _same_size),
    _manifest("format of the future", "E0602", _set("format", [2, 0])),
    _manifest("minor format of the future", "E0602", _set("format", [1, 9])),
    _manifest("instruction set of the future", "E0602", _set("isa", [1, 99])),
    _manifest("instruction set of the past", "E0602", _set("isa", [0, 9])),
    _manifest("time of the future", "E1208", _set("timing", 99)),
    _manifest("no version of time", "E0606", _del("timing")),
    WrongFile("manifest is no JSON", "E0606", lambda data: packed({**members_of(data), "manifest.json": b"{"})),
    WrongFile("manifest nests deep", "E0606", lambda data: packed({**members_of(data), "manifest.json": b"[" * 500_000})),
    WrongFile("manifest of NUL bytes", "E0606", lambda data: packed({**members_of(data), "manifest.json": bytes(100)})),
    _manifest("missing key", "E0606", _del("tensors")),
    _manifest("unknown key", "E0606", _set("extra", 1)),
    _manifest("wrong type", "E0606", _set("parameters", 0, "low", "zero")),
    _manifest("huge number", "E0606", _set("parameters", 0, "low", -(10**30))),
    _manifest("empty interval", "E0606", _set("parameters", 0, "low", 9)),
    _manifest("two tensors of a name", "E0606", _repeat("tensors")),
    _manifest("two parameters of a name", "E0606", _repeat("parameters")),
    _manifest("two blocks of a name", "E0606", _set("blocks", 1, "name", "first")),
    _manifest("no blocks", "E0603", _set("blocks", [])),
    _manifest("negative shape", "E0606", _set("tensors", 0, "shape", [-1])),
    _manifest("huge shape", "E0606", _set("tensors", 0, "shape", [1 << 40, 1 << 40])),
    _manifest("many axes", "E0606", _set("tensors", 0, "shape", [1] * 1000)),
    _manifest("unknown type", "E0606", _set("tensors", 0, "dtype", "fp99")),
    _manifest("state without a result", "E0606", _del("tensors", 2, "result")),
    _manifest("weight without an offset", "E0606", _del("tensors", 1, "offset")),
    _manifest("weight outside", "E0605", _set("tensors", 1, "offset", 64)),
    _manifest("live-in register", "E0606", _set("blocks", 1, "live_in", [[32, 0, 1]])),
    _manifest("live-in twice", "E0606", _set("blocks", 1, "live_in", [[3, 0, 1], [3, 0, 1]])),
    _manifest("call of nothing", "E0606", _set("control", 0, "call", "third")),
    _manifest("control nests deep", "E0606", lambda m: m.update(control=_nested(20))),
    _manifest("control nests very deep", "E0606", lambda m: m.update(control=_nested(400))),
    _manifest("condition without a register", "E0606", _set("control", 1, "reg", 40)),
    _manifest("negative turns", "E0606", _set("control", 1, "most", -1)),
    _manifest("machine digest", "E0607", _set("machine", "sha256", "0" * 64)),
    _manifest("machine value", "E0607", _set("machine", "values", "ttu.block", 16)),
    _manifest("machine without a value", "E0607", _del("machine", "values", "ttu.block")),
    _manifest("machine of NUL bytes", "E0607", _set("machine", "name", "\0")),
    # ---- symbols -------------------------------------------------------------------------------
    WrongFile("symbols are no JSON", "E0606", with_member("symbols.json", lambda _: b"nothing")),
    WrongFile("symbols of another program", "E0606", with_json("symbols.json", lambda rows: rows[:1])),
    _symbols("name of nothing", _set("descriptors", {"99": "x"})),
    _symbols("two of a name", _set("descriptors", {"0": "v1"})),
    _symbols("register called like a word", _set("registers", {"3": "loop"})),
    _symbols("register called like an id", _set("registers", {"3": "tile"})),
    _symbols("register called like another", _set("registers", {"3": "s4"})),
    _symbols("register with a space", _set("registers", {"3": "a b"})),
    _symbols("loop that is none", _set("loops", {"0": "k"})),
    _symbols("loop with a space", _set("loops", {"1": "k k"})),
    _symbols("source map too long", _set("runs", [[0, 1000]])),
    _symbols("source map of nothing", _set("runs", [[5, 1]])),
    _symbols("buffer of no type", _set("buffers", 0, "dtype", "fp99")),
    _symbols("buffer without slots", _set("buffers", 0, "slots", 0)),
    # ---- words and tables ------------------------------------------------------------------------
    WrongFile("no END", "E0606", with_member("blocks/1.code", lambda code: code[:16])),
    WrongFile("END twice", "E0606", with_member("blocks/1.code", lambda code: code + code[-16:])),
    WrongFile("no words", "E0606", with_member("blocks/1.code", lambda _: b"")),
    WrongFile("half a word", "E0605", with_member("blocks/0.code", lambda code: code[:-8])),
    _table("unknown opcode", "E0401", "code", 0, b"\xff"),
    _table("reserved bits", "E0402", "code", 8, b"\xff", block=1),
    _table("no role", "E0408", "code", 0, bytes(2), block=1),
    _table("wrong queue", "E0406", "code", 33, b"\x00"),
    _table("type of no code", "E0404", "desc", 0, b"\xfa"),
    _table("unused axis not zero", "E0409", "desc", 50, b"\xff"),
    _table("chain without stages", "E0410", "chain", 0, b"\x00"),
    _table("table of a semaphore", "E0405", "sem", 8, _REMOTE),
    _table("length of a table", "E0605", "table", 0, b"\xff"),
    WrongFile("second program", "E0605", lambda data: data + signed(members_of(data))),
]  # fmt: skip


def _nested(depth: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"call": "first"}]
    for _ in range(depth):
        rows = [{"reg": 1, "then": rows}]
    return rows
