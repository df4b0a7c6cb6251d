"""The program file: the same bytes every time, complete or not there, and read without trust."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from isa.repack import members_of, packed, signed
from isa.wrong_files import TEXT, WRONG_FILES, WrongFile
from maiacc_isa.archive import Reader, Writer
from maiacc_isa.asm import assemble
from maiacc_isa.atomic import AtomicFile
from maiacc_isa.container import check_weights, map_weights, open_program, save
from maiacc_isa.errors import MaiaccError, codes
from maiacc_isa.program import Weights
from maiacc_isa.text import disassemble
from maiacc_isa.zip_layout import ALIGNMENT, LARGE, Member, directory
from support import PATHS, run


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "good.maia"
    save(assemble(TEXT), str(path))
    return path.read_bytes()


def refused(path: Path, data: bytes) -> MaiaccError:
    """The refusal of a file with these bytes."""
    path.write_bytes(data)
    with pytest.raises(MaiaccError) as caught:
        _open_and_hash(str(path))
    assert caught.value.code in codes()
    assert str(caught.value)
    return caught.value


def _open_and_hash(path: str) -> None:
    open_program(path)
    check_weights(path)


# ---- writing ----------------------------------------------------------------------------------


def test_the_same_program_gives_the_same_bytes(tmp_path: Path, good: bytes) -> None:
    text = tmp_path / "x.mist"
    text.write_text(TEXT)
    code = (
        "import sys\nfrom maiacc_isa.asm import assemble\nfrom maiacc_isa.container import save\n"
        "save(assemble(open(sys.argv[1]).read()), sys.argv[2])"
    )
    for seed in ("0", "1", "4242"):
        out = tmp_path / f"{seed}.maia"
        environment = {
            **os.environ,
            "PYTHONPATH": PATHS,
            "PYTHONHASHSEED": seed,
            "TZ": f"UTC-{seed[0]}",
        }
        command = [sys.executable, "-c", code, str(text), str(out)]
        subprocess.run(command, env=environment, check=True)
        assert out.read_bytes() == good


def test_any_unzip_can_read_it(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "x.maia"
    path.write_bytes(good)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
    with Reader(str(path)) as reader:
        assert all(member.offset % ALIGNMENT == 0 for member in reader.members.values())


def test_program_weights_and_names_come_back(tmp_path: Path, good: bytes) -> None:
    path = tmp_path / "x.maia"
    path.write_bytes(good)
    program = open_program(str(path))
    assert disassemble(program).splitlines()[6:] == disassemble(assemble(TEXT)).splitlines()[6:]
    assert bytes(map_weights(program.weights["W"])) == bytes(range(256)) * 4
    check_weights(str(path))
    save(program, str(tmp_path / "again.maia"))
    assert (tmp_path / "again.maia").read_bytes() == good
    save(program, str(path), symbols=False)
    assert "symbols.json" not in members_of(path.read_bytes())
    assert [b.words for b in open_program(str(path)).blocks] == [b.words for b in program.blocks]


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "x.maia"
    path.write_bytes(b"what was there before")

    def chunks() -> Iterator[bytes]:
        yield b"some"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Writer(str(path)) as writer:
        writer.add("a.bin", chunks(), 100)
    with pytest.raises(MaiaccError) as caught, Writer(str(path)) as writer:
        writer.add("a.bin", [b"short"], 100)
    assert caught.value.code == "E0603"
    for bad in (tmp_path, tmp_path / "none" / "x.maia", "a\0b"):
        with pytest.raises(MaiaccError) as caught:
            save(assemble(TEXT), str(bad))
        assert caught.value.code == "E0003"
    assert [p.name for p in tmp_path.iterdir()] == ["x.maia"]
    assert path.read_bytes() == b"what was there before"


@pytest.mark.parametrize("limit", [0, 100, 5000, 40_000])
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, limit: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(MaiaccError) as caught:
            save(assemble(TEXT), str(tmp_path / "x.maia"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "E0003"
    assert not list(tmp_path.iterdir())


def test_links_and_devices_stay_what_they_are(tmp_path: Path) -> None:
    target, link = tmp_path / "real.bin", tmp_path / "link.bin"
    link.symlink_to(target)
    for path in (link, Path("/dev/null")):
        with AtomicFile(str(path)) as file:
            file.write(b"contents")
    assert link.is_symlink()
    assert target.read_bytes() == b"contents"
    assert Path("/dev/null").is_char_device()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.bin", "real.bin"]


# ---- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", WRONG_FILES, ids=lambda wrong: wrong.name)
def test_a_wrong_file_is_refused(tmp_path: Path, good: bytes, wrong: WrongFile) -> None:
    data = wrong.change(good)
    assert data != good
    path = tmp_path / "x.maia"
    problem = refused(path, data)
    assert problem.code == wrong.code
    assert problem.place is not None
    assert problem.place.file == str(path)


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, good: bytes) -> None:
    cuts = {*range(64), *range(0, len(good), 331), *range(len(good) - 1200, len(good))}
    for length in sorted(cuts):
        assert refused(tmp_path / "x.maia", good[:length]).code in ("E0601", "E0605")


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_flipped_bit_is_noticed(tmp_path: Path, good: bytes) -> None:
    """Every byte that is not padding has its turn in the directory; elsewhere a sample."""
    chosen = random.Random(7).sample(range(8 * len(good)), 500)
    start = directory_start(good)
    chosen += [8 * at + at % 8 for at in range(start, len(good), 7)]
    for bit in chosen:
        refused(tmp_path / "x.maia", _flip(good, bit))


@pytest.mark.nightly
def test_every_flipped_bit_is_noticed(tmp_path: Path, good: bytes) -> None:
    for bit in range(8 * len(good)):
        refused(tmp_path / "x.maia", _flip(good, bit))


def directory_start(data: bytes) -> int:
    return int.from_bytes(data[-6:-2], "little")


def test_changed_weights_are_noticed_when_they_are_hashed(tmp_path: Path, good: bytes) -> None:
    """Opening does not read weights; `lint` does. Also a forger who knows about checksums."""
    members = members_of(good)
    forged = packed({**members, "weights.bin": bytes(len(members["weights.bin"]))})
    path = tmp_path / "x.maia"
    path.write_bytes(forged)
    open_program(str(path))
    with pytest.raises(MaiaccError) as caught:
        check_weights(str(path))
    assert caught.value.code == "E0604"
    path.write_bytes(signed(members_of(forged)))
    check_weights(str(path))


def test_a_weight_file_that_has_shrunk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(bytes(10))
    with pytest.raises(MaiaccError) as caught:
        map_weights(Weights(None, str(path), 4, 100))
    assert caught.value.code == "E0603"
    assert bytes(map_weights(Weights(None, str(path), 4, 0))) == b""


# ---- large files ------------------------------------------------------------------------------


def _with_sparse_weights(path: Path, size: int) -> None:
    """A program file whose weights are a hole of ``size`` bytes."""
    small = 'mist 1.0\ntarget maia200\nweight W : uint8[1] @ 0x0 = hex "00"\nblock b {\n nop\n}\n'
    save(assemble(small), str(path))
    members = members_of(path.read_bytes())
    manifest = json.loads(members["manifest.json"])
    manifest["tensors"][0]["shape"] = [size]
    manifest["members"]["weights.bin"]["size"] = size
    members |= {"weights.bin": b"", "manifest.json": json.dumps(manifest).encode()}
    at = 0
    placed: list[Member] = []
    with path.open("wb") as file:
        for name, content in members.items():
            length, crc = len(content), zlib.crc32(content)
            member = Member(name, at, size if name == "weights.bin" else length, crc)
            file.seek(at)
            file.write(member.local() + content)
            placed.append(member)
            at = member.end
        file.seek(at)
        file.write(directory(placed))


@pytest.mark.parametrize("size", [2_000_000_000, LARGE - 1, LARGE, 6_000_000_000])
def test_large_weights_are_opened_without_being_read(tmp_path: Path, size: int) -> None:
    path = tmp_path / "large.maia"
    _with_sparse_weights(path, size)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("weights.bin").file_size == size
    code = (
        "import sys, time, resource\n"
        "from maiacc_isa.container import open_program, map_weights\n"
        "from maiacc_isa.machine import builtin_machine\nbuiltin_machine('maia200')\n"
        "start = time.process_time()\n"
        "program = open_program(sys.argv[1])\n"
        "view = map_weights(program.weights['W'])\n"
        "assert len(view) == int(sys.argv[2]) and view[-1] == view[len(view) // 2] == 0\n"
        "print(time.process_time() - start)\n"
    )
    done = run([sys.executable, "-c", code, str(path), str(size)])
    assert done.code == 0, done.err
    assert float(done.out) < 0.2
    assert done.peak_bytes < 200 << 20
