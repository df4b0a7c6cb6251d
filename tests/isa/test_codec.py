"""Encoding and decoding are one mapping, both ways; everything illegal is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Golden
from isa.strategies import chains, descriptors, masks, semaphores, words
from maiacc_isa.errors import MaiaccError, codes
from maiacc_isa.load import load
from maiacc_isa.manual.pages import example_block
from maiacc_isa.table_codec import (
    decode_chain,
    decode_descriptor,
    decode_mask,
    decode_semaphore,
    encode_chain,
    encode_descriptor,
    encode_mask,
    encode_semaphore,
)
from maiacc_isa.tables import Axis, Chain, Descriptor, Dim, Mask, Semaphore, Step, Term
from maiacc_isa.word import Word, complete, decode, encode, encode_bytes

MANY = settings(max_examples=6_000, deadline=None)
SOME = settings(max_examples=2_000, deadline=None)


@MANY
@given(words())
def test_decoding_gives_back_what_was_encoded(word: Word) -> None:
    bits = encode(word)
    assert decode(bits) == word
    assert encode(decode(bits)) == bits
    assert encode_bytes(word) == bits.to_bytes(16, "little")


@MANY
@given(words(), st.integers(0, 127))
def test_a_flipped_bit_is_another_word_or_is_refused(word: Word, bit: int) -> None:
    bits = encode(word) ^ 1 << bit
    try:
        other = decode(bits)
    except MaiaccError as problem:
        assert problem.code in codes()
        return
    assert other != word
    assert encode(other) == bits


@MANY
@given(st.integers(0, (1 << 128) - 1))
def test_any_128_bits_are_a_word_or_are_refused(bits: int) -> None:
    # Most random words have no opcode: try with one, too.
    opcodes = sorted(load().by_opcode)
    for candidate in (bits, bits & ~0xFF | opcodes[bits % len(opcodes)]):
        try:
            word = decode(candidate)
        except MaiaccError as problem:
            assert problem.code in codes()
        else:
            assert encode(word) == candidate


@SOME
@given(descriptors())
def test_descriptors_both_ways(d: Descriptor) -> None:
    bits = encode_descriptor(d)
    assert bits < 1 << 1024
    assert decode_descriptor(bits) == d
    assert encode_descriptor(decode_descriptor(bits)) == bits


@SOME
@given(descriptors(), st.integers(0, 1023))
def test_flipped_descriptor(d: Descriptor, bit: int) -> None:
    bits = encode_descriptor(d) ^ 1 << bit
    try:
        other = decode_descriptor(bits)
    except MaiaccError as problem:
        assert problem.code in codes()
        return
    assert other != d
    assert encode_descriptor(other) == bits


@SOME
@given(chains())
def test_chains_both_ways(chain: Chain) -> None:
    bits = encode_chain(chain)
    assert decode_chain(bits) == chain
    assert encode_chain(decode_chain(bits)) == bits


@SOME
@given(chains(), st.integers(0, 255))
def test_flipped_chain(chain: Chain, bit: int) -> None:
    bits = encode_chain(chain) ^ 1 << bit
    try:
        other = decode_chain(bits)
    except MaiaccError as problem:
        assert problem.code in codes()
        return
    assert encode_chain(other) == bits


@SOME
@given(semaphores(), masks())
def test_semaphores_and_masks_both_ways(sem: Semaphore, mask: Mask) -> None:
    assert decode_semaphore(encode_semaphore(sem)) == sem
    assert decode_mask(encode_mask(mask)) == mask


@pytest.mark.parametrize(
    ("bits", "code"),
    [
        (0, "E0408"),
        (0x0C, "E0401"),
        (0x20 | 1 << 70, "E0402"),
        (0x20 | 2 << 8, "E0406"),
        (0x20 | 3 << 12, "E0404"),
        (0x20 | 1 << 14, "E0407"),
        (0x06 | 3 << 8, "E0408"),
        (0x01 | 1 << 8, "E0408"),
        (0x10 | 2 << 8 | 5 << 80, "E0402"),
        (0x10 | 2 << 8 | 1 << (92 + 8), "E0402"),
    ],
)
def test_illegal_words_are_refused_with_the_field_named(bits: int, code: str) -> None:
    with pytest.raises(MaiaccError) as caught:
        decode(bits)
    assert caught.value.code == code


def test_values_out_of_range_are_refused() -> None:
    word = complete(Word("MM", "TTU", fields={"d": 4096}))
    with pytest.raises(MaiaccError, match=r"mm\.d") as caught:
        encode(word)
    assert caught.value.code == "E0403"
    with pytest.raises(MaiaccError) as caught:
        encode(Word("MM", "TTU", fields={"mode": "twice"}))
    assert caught.value.code == "E0404"
    with pytest.raises(MaiaccError) as caught:
        encode(Word("MM", "TTU", fields={"speed": 1}))
    assert caught.value.code == "E0407"


@pytest.mark.parametrize(
    "d",
    [
        Descriptor("tsram", "bf16", 0, (), (), 0),
        Descriptor("tsram", "bf16", 0, (Axis(1, 2),) * 5, (), 0),
        Descriptor("tsram", "bf16", 0, (Axis(1, 2),), (Dim(1, 0),) * 7, 0),
        Descriptor("tsram", "bf16", 0, (Axis(1, 2),), (Dim(1, 1),), 0),
        Descriptor("tsram", "bf16", 0, (Axis(1, 2),), (Dim(1, 0),), 2),
        Descriptor("tsram", "bf16", 0, (Axis(1, 2),), (), 0, (Term(40, "axis1", 1),)),
        Descriptor("tsram", "bf16", 0, (Axis(1, 2),), (), 0, (Term(40, "bytes", 0),)),
    ],
)
def test_impossible_descriptors(d: Descriptor) -> None:
    with pytest.raises(MaiaccError) as caught:
        encode_descriptor(d)
    assert caught.value.code == "E0409"


@pytest.mark.parametrize(
    "chain",
    [
        Chain("fp32", ()),
        Chain("bf16", (Step("mov", ("a",)),)),
        Chain("int4", (Step("mov", ("a",)),)),
        Chain("fp32", (Step("shl", ("a", "b")),)),
        Chain("int32", (Step("exp", ("a",)),)),
        Chain("fp32", (Step("add", ("a",)),)),
        Chain("fp32", (Step("mov", ("r0",)),)),
        Chain("fp32", (Step("add", ("a", "c")),)),
        Chain("fp32", (Step("mov", ("a",)), Step("mov", ("a",)))),
        Chain("fp32", (Step("mov", ("a",), 1),)),
        Chain("fp32", (Step("add", ("a", "imm"), 0x7F800001),)),
        Chain("int32", (Step("mov", ("a",)),), stat="sum"),
        Chain("fp32", (Step("mov", ("a",)),), zero_div=True),
    ],
)
def test_impossible_chains(chain: Chain) -> None:
    with pytest.raises(MaiaccError) as caught:
        encode_chain(chain)
    assert caught.value.code == "E0410"


def test_golden_encodings(golden: Golden) -> None:
    """The words of every instruction's example: a change of encoding is seen here."""
    lines = []
    for insn in load().insns.values():
        block = example_block(insn)
        word = next(word for word in block.words if word.name == insn.name)
        lines.append(f"{insn.name:<9} {encode(word):032x}")
    for name in ("causal", "tLoad", "hA", "tQ", "rPart"):
        block = example_block(load().insns["NOP"])
        number = next(i for i, n in block.symbols.descriptors.items() if n == name)
        lines.append(f"view {name} {encode_descriptor(block.descriptors[number]):0256x}")
    golden("isa/encodings.txt", "\n".join(lines) + "\n")
