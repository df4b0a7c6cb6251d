"""Program files taken apart and put together again, so that one thing in them can be wrong."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

from maiacc_isa.zip_layout import Member, directory

Members = dict[str, bytes]


def members_of(data: bytes) -> Members:
    """The members of a program file, read by the standard library."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: Members) -> bytes:
    """A file with these members, whatever they hold and are called."""
    data = bytearray()
    placed: list[Member] = []
    for name, content in members.items():
        member = Member(name, len(data), len(content), zlib.crc32(content))
        data += member.local() + content
        placed.append(member)
    return bytes(data) + directory(placed)


def signed(members: Members) -> bytes:
    """A file whose manifest gives sizes and digests of the members as they are now."""
    manifest = json.loads(members["manifest.json"])
    for name in manifest["members"]:
        if name in members:
            content = members[name]
            digest = hashlib.sha256(content).hexdigest()
            manifest["members"][name] = {"size": len(content), "sha256": digest}
    return packed({**members, "manifest.json": json.dumps(manifest).encode()})


def with_member(name: str, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Changes a member and signs the file again."""

    def apply(data: bytes) -> bytes:
        members = members_of(data)
        return signed({**members, name: change(members[name])})

    return apply


def with_json(name: str, change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    """Changes the document in a member, in place or by what ``change`` returns."""

    def edit(content: bytes) -> bytes:
        document = json.loads(content)
        changed = change(document)
        return json.dumps(document if changed is None else changed).encode()

    return with_member(name, edit)
