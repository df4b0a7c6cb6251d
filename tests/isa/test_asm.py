"""The assembler and the disassembler: each undoes the other, and refusals can be acted on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import GOLDEN, Golden
from isa.strategies import chains, descriptors, masks, semaphores, words
from isa.test_machines import BAD as WRONG_MACHINES
from isa.wrong_files import WRONG_FILES
from isa.wrong_texts import DECLARATIONS, HEAD, WRONG_TEXTS, WrongText
from maiacc_isa.asm import assemble
from maiacc_isa.container import open_program, save
from maiacc_isa.errors import MaiaccError, codes
from maiacc_isa.load import load
from maiacc_isa.machine import builtin_machine, parse_machine
from maiacc_isa.machine_text import machine_file_name, machine_text
from maiacc_isa.names import keywords
from maiacc_isa.program import Block, Call, Parameter, Program, Symbols
from maiacc_isa.tables import Chain, Descriptor, Mask, Semaphore
from maiacc_isa.text import disassemble
from maiacc_isa.text_block import BlockText
from maiacc_isa.word import Word, complete

CORPUS = sorted((GOLDEN / "lint").glob("*/*.mist"))
MINI = builtin_machine("mini")


def refusal(text: str) -> MaiaccError:
    """What the assembler says against a text."""
    with pytest.raises(MaiaccError) as caught:
        assemble(text, "wrong.mist")
    return caught.value


# ---- round trips ----------------------------------------------------------------------------


def test_text_of_a_program_assembles_to_the_same_program_and_bytes(tmp_path: Path) -> None:
    assert len(CORPUS) > 80
    first, second = tmp_path / "first.maia", tmp_path / "second.maia"
    for path in CORPUS:
        program = assemble(path.read_text("utf-8"), str(path))
        text = disassemble(program)
        again = assemble(text, str(path))
        assert disassemble(again) == text, path
        save(program, str(first))
        loaded = open_program(str(first))
        assert disassemble(loaded) == text, path
        save(assemble(disassemble(loaded), str(path)), str(second))
        assert first.read_bytes() == second.read_bytes(), path


def _program(block: Block, parameters: int = 0) -> Program:
    names = tuple(Parameter(f"p {i}", 0, i) for i in range(parameters))
    return Program(MINI, (), names, (block,), (Call(block.name),))


def _same(program: Program) -> None:
    """Holds a program to its text: blocks mean the same, and the text does not change again."""
    text = disassemble(program)
    again = assemble(text)
    for old, new in zip(program.blocks, again.blocks, strict=True):
        assert new.words == old.words, text
        assert new.descriptors == old.descriptors, text
        assert (new.chains, new.semaphores) == (old.chains, old.semaphores), text
        assert (new.masks, new.tables) == (old.masks, old.tables), text
        assert [new.origin(i) for i in range(len(new.words))] == [
            old.origin(i) for i in range(len(old.words))
        ]
    assert disassemble(again) == text


END = complete(Word("END", roles=tuple(load().roles)))


@settings(max_examples=120, deadline=None)
@given(st.lists(descriptors(), min_size=1, max_size=4))
def test_every_descriptor_has_a_text(table: list[Descriptor]) -> None:
    _same(_program(Block("main", (END,), tuple(table))))


@settings(max_examples=120, deadline=None)
@given(
    st.lists(words().filter(lambda word: word.name != "END"), min_size=1, max_size=5),
    st.lists(descriptors(), max_size=3),
    st.lists(chains(), max_size=3),
    st.lists(semaphores().filter(lambda sem: sem.scope != "remote"), max_size=4),
    st.lists(masks(), max_size=3),
)
def test_every_word_has_a_text(
    body: list[Word],
    table: list[Descriptor],
    some_chains: list[Chain],
    sems: list[Semaphore],
    some_masks: list[Mask],
) -> None:
    """Also words that mean nothing, such as loops that do not nest or indices behind tables."""
    small = [_with_small_indices(word) for word in body]
    for candidates in (body, small):
        block = Block(
            "main",
            (*candidates, END),
            tuple(table),
            tuple(some_chains),
            tuple(sems),
            tuple(some_masks),
        )
        _same(_program(block, parameters=2))


def _with_small_indices(word: Word) -> Word:
    """The word with operands, tokens and tables that a small block has."""
    fields = dict(word.fields)
    for op in word.row.operands:
        fields[op.name] = fields[op.name] % 3 if fields[op.name] else 0
    for f in word.row.fields:
        if f.kind.base in ("chain", "param", "mask"):
            fields[f.name] %= 2
    tokens = [tuple((sem % 4, count) for sem, count in x) for x in (word.waits, word.posts)]
    return Word(word.name, word.queue, word.roles, fields, tokens[0], tokens[1])


NAMES = ["x y", 'quo"te', "back\\slash", "new\nline", "\x1b[31m", "\u2028", "é", "loop", "", "名"]


def test_any_name_survives() -> None:
    names = dict(enumerate(NAMES))
    count = len(NAMES)
    masks_ = tuple(Mask(frozenset({i})) for i in range(count))
    block = Block(
        'bl"ock\n',
        (complete(Word("NOP", roles=("tile",))), END),
        masks=masks_,
        symbols=Symbols(masks=names),
        origins=(tuple(NAMES), ("\n", "at")),
    )
    program = _program(block)
    text = disassemble(program)
    assert "\x1b" not in text
    assert all(line.isprintable() for line in text.split("\n"))
    again = assemble(text)
    assert again.blocks[0].name == block.name
    assert again.blocks[0].symbols.masks == names
    assert again.blocks[0].origins == block.origins


def test_registers_and_loops_called_like_something_else_keep_their_meaning() -> None:
    """A loop may be called like a dim, and names of loops may be missing or misleading."""
    text = (
        f"{HEAD}block main {{\n{DECLARATIONS}  reg d0 = s7\n"
        "  loop d1 < 4 on tile {\n    loop one < 2 {\n"
        "      LD0 copy t(slot){i:8, j:64}[i, j], X{i:8, j:64}[i + d0, j + 2*d1 + one]\n    }\n  }\n}\n"
    )
    _same(assemble(text))
    program = assemble(text)
    block = program.blocks[0]
    loops = [i for i, word in enumerate(block.words) if word.name == "LOOP"]
    for wrong in ({loops[0]: "tile", loops[1]: "param"}, {loops[0]: "L1", loops[1]: "slot"}, {}):
        named = Block(**{**vars(block), "symbols": Symbols(registers={7: "d0"}, loops=wrong)})
        _same(Program(MINI, program.tensors, (), (named,), (Call("main"),)))


def test_a_machine_of_ones_own_goes_with_the_text() -> None:
    values = dict(MINI.values)
    own = parse_machine(
        machine_text(MINI).replace("value = 65536", "value = 131072", 1), "own.toml"
    )
    assert own.values != values
    assert machine_file_name(MINI) is None
    assert machine_file_name(own) == "mini.toml"
    assert parse_machine(machine_text(own), "again.toml").digest == own.digest
    program = Program(own, (), (), (Block("b", (END,)),), (Call("b"),))
    assert "\ntarget mini.toml\n" in disassemble(program)


# ---- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", WRONG_TEXTS, ids=lambda wrong: wrong.name)
def test_a_refusal_says_where_and_what(wrong: WrongText) -> None:
    problem = refusal(wrong.text)
    assert problem.code == wrong.code
    assert problem.place is not None
    assert problem.place.file == "wrong.mist"
    line = problem.place.line
    assert line is not None
    lines = wrong.text.split("\n")
    assert problem.place.text == lines[line - 1]
    assert problem.place.column is None or problem.place.column <= len(lines[line - 1]) + 1
    # What the encoders say about roles and chains is the whole of it.
    said = problem.expected or problem.found or problem.hint
    assert said or problem.code in ("E0408", "E0410")


def test_messages(golden: Golden) -> None:
    parts = []
    for wrong in WRONG_TEXTS:
        parts += [f"==== {wrong.name}", str(refusal(wrong.text)), ""]
    golden("asm/errors.txt", "\n".join(parts))


def test_every_code_of_texts_files_and_machines_is_raised() -> None:
    families = {code for code in codes() if code[:3] in ("E03", "E04", "E05", "E06")}
    raised = {wrong.code for wrong in WRONG_TEXTS}
    raised |= {wrong.code for wrong in WRONG_FILES}
    raised |= {code for _, code in WRONG_MACHINES}
    assert families - raised == set()


SLIPS = [
    ("LD0 cpoy v, x", "copy"),
    ("TVP vmap v, v chian=relu", "chain"),
    ("LD0 copy v, x wait(fre)", "free"),
    ("LD0 copy v x wait(free)", "comma"),
    ("LD0 copy v, x post", "post(NAME)"),
    ("buffer b : bf17[8] @tsram 0x0", "bf16"),
    ("bufer b : bf16[8] @tsram 0x0", "buffer"),
    ("sem s : LD0 -> TVP tiel", "tile"),
    ("sem s : LDO -> TVP tile", "LD0"),
    ("TVP vred one_d{r:8}[r], v op=sun", "sum"),
    ("LOOP k < 4 {", "loop"),
    ("Ld0 copy v, x", "LD0"),
    ("LD0 COPY v, x", "copy"),
    ("slot = 4*gtil on tile", "gtile"),
    ("slot = param N on tile", "n"),
    ("nop on title", "tile"),
    ("k = 3 on tile", "reg k"),
    ("loop k < m on tile {\n}", "reg m"),
]


@pytest.mark.parametrize(("line", "meant"), SLIPS)
def test_a_slip_is_answered_with_what_was_meant(line: str, meant: str) -> None:
    problem = refusal(f"{HEAD}block main {{\n{DECLARATIONS}  {line}\n}}\n")
    assert problem.hint is not None, str(problem)
    assert meant in problem.hint, str(problem)


@pytest.mark.parametrize("word", sorted(keywords()))
def test_a_word_of_the_language_as_a_register_is_pointed_out(word: str) -> None:
    problem = refusal(f"{HEAD}block main {{\n  {word} = 3 on tile\n}}\n")
    assert f"{word} is a word of the language" in f"{problem.message} {problem.hint}", str(problem)


def test_the_unclosed_brace_is_named() -> None:
    text = f"{HEAD}block main {{\n  loop k < 4 on tile {{\n    nop\n  }}\n  loop n < 2 {{ # {{\n"
    problem = refusal(text)
    assert "line 10" in str(problem.hint)
    assert "loop n < 2" in str(problem.hint)


def test_messages_do_not_paint_the_terminal_or_fill_it() -> None:
    evil = "\\u{1b}[31m" + "x" * 5000
    for text in (
        f'{HEAD}block main {{\n  mask "{evil}" = {{1}}\n  mask "{evil}" = {{2}}\n}}\n',
        f'{HEAD}block main {{\n  TTU mm "{evil}"\n}}\n',
        f'{HEAD}control {{\n  call "{evil}"\n}}\nblock main {{\n}}\n',
        f"{HEAD}block main {{\n  \x1b[31m\n}}\n",
    ):
        shown = str(refusal(text))
        assert "\x1b" not in shown
        assert len(shown) < 2000


def test_brackets_in_comments_and_names_do_not_nest() -> None:
    text = f"{HEAD}block main {{\n" + "  # (((\n" * 60 + '  at "(((((", "]"\n' * 20 + "  nop\n}\n"
    assert len(assemble(text).blocks[0].words) == 2


def test_lines_are_counted_as_editors_count_them() -> None:
    text = f"{HEAD}# form feed \x0c, line separator \u2028\nblock main {{\n  oops\n}}\n"
    problem = refusal(text)
    assert problem.place is not None
    assert (problem.place.line, problem.place.text) == (8, "  oops")


def test_words_print_in_messages_even_if_they_mean_nothing() -> None:
    word = complete(Word("SET", roles=("tile",), fields={"fn": "table", "m": 9}))
    block = Block("b", (word, complete(Word("ENDL", roles=("tile",))), END))
    text = BlockText(block, _program(block), inline=True)
    assert [text.word(i) for i in range(3)] == ["s0 = t9[0] on tile", "}", "end"]
