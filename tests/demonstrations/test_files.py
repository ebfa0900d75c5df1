"""Tests for reading and writing demonstration set files, and for the user's own sets."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.config import Settings
from playground.demonstrations.families import FAMILIES, parse, render
from playground.demonstrations.files import read_demo_file, read_demo_set, read_prompt_file, write_demo_set
from playground.library import Library
from playground.start import open_library
from playground.types import Demo, DemoSet, Exchange, InputError, OutsideError

FENCED = "I\n\n# Query:\n```\nq\n```\n\n# Answer:\n```\na\n```\n"


def write(path: Path, data: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


# --- Prompt files ---------------------------------------------------------------------------------


def test_a_prompt_file_is_a_set_under_its_stem(tmp_path: Path) -> None:
    demos = read_prompt_file(write(tmp_path / "mine.v2.txt", FENCED))
    assert (demos.name, demos.instruction, demos.text, demos.note) == ("mine.v2", "I", FENCED, "")
    assert demos.demos == (Demo(query="q", answer="a"),)
    # Published names have characters that a lane's text cannot have.
    assert read_prompt_file(write(tmp_path / "best_4&5 copy.txt", FENCED)).name == "best_4-5-copy"


@pytest.mark.parametrize(
    "data",
    [
        FENCED.replace("\n", "\r\n").encode(),
        FENCED.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + FENCED.encode(),
        b"\xef\xbb\xbf" + FENCED.replace("\n", "\r\n").encode(),
    ],
    ids=["CRLF", "CR", "BOM", "both"],
)
def test_line_ends_and_a_byte_order_mark_are_no_part_of_the_text(tmp_path: Path, data: bytes) -> None:
    assert read_prompt_file(write(tmp_path / "x.txt", data)) == parse("x", FENCED)


def test_a_missing_newline_at_the_end_is_kept_and_said(tmp_path: Path) -> None:
    demos = read_prompt_file(write(tmp_path / "x.txt", FENCED.rstrip("\n")))
    assert render(demos, ()) == FENCED.rstrip("\n") + "\n# Answer:\n```\n"
    assert "does not end in a newline" in demos.note
    assert render(demos.take(1), ()) == render(demos, ())
    assert demos.take(0).note == ""


BAD_TEXT = {
    "NUL": (b"a\nb\0c", "x.txt, line 2: a text file cannot contain a NUL byte"),
    "not UTF-8": (b"a\n\nb\xff", "x.txt, line 3: not UTF-8 text (byte 4)"),
    "UTF-16": ("a".encode("utf-16"), "x.txt, line 1: not UTF-8 text (byte 0)"),
    "empty": (b"", "x.txt is empty"),
    "blank": (b" \n\n", "x.txt is empty"),
    "10 MB": (b"a" * 10**7, "x.txt is larger than 2 MB"),
}


@pytest.mark.parametrize("case", BAD_TEXT)
def test_a_file_that_is_no_prompt_is_named_in_one_sentence_and_the_rest_still_loads(
    tmp_path: Path, case: str
) -> None:
    data, said = BAD_TEXT[case]
    write(tmp_path / "prompts" / "demos" / "x.txt", data)
    write(tmp_path / "prompts" / "demos" / "y.txt", FENCED)
    library = Library.open("some/base", root=tmp_path)
    assert list(library.demo_sets) == ["y"]
    assert len(library.problems) == 1
    assert said in library.problems[0]
    assert len(library.problems[0].splitlines()) == 1


@pytest.mark.parametrize("name", ["...txt", "&.txt", "-.toml.txt"])
def test_a_file_name_that_is_no_name_is_rejected_or_converted(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, FENCED)
    if name == "-.toml.txt":
        assert read_prompt_file(path).name == "toml"
    else:
        with pytest.raises(InputError, match="not a usable name"):
            read_prompt_file(path)


def test_a_file_name_that_is_no_text_is_a_problem_that_can_be_printed(tmp_path: Path) -> None:
    (tmp_path / "demos").mkdir()
    name = os.fsencode(tmp_path / "demos") + b"/caf\xe9 .txt"
    try:
        Path(os.fsdecode(name)).write_bytes(b"\0")
    except OSError:
        pytest.skip("this file system takes no such name")
    (problem,) = open_library(Settings(data_dir=tmp_path)).problems
    assert "caf? .txt, line 1: a text file cannot contain a NUL byte" in problem


def test_a_path_may_lead_anywhere_but_a_name_may_not(tmp_path: Path) -> None:
    write(tmp_path / "x.txt", FENCED)
    (tmp_path / "in").mkdir()
    assert read_demo_file(tmp_path / "in" / ".." / "x.txt").name == "x"
    with pytest.raises(InputError, match=r"no demonstration set '\.\./x'"):
        Library.open("models/pocket").demo_set("../x")
    for missing in ("none.txt", "none.toml"):
        with pytest.raises(InputError, match=f"Cannot read .*{missing}: No such file"):
            read_demo_file(tmp_path / missing)
    with pytest.raises(InputError, match=r"Cannot read .*in: Is a directory"):
        read_demo_file(tmp_path / "in")


# --- The user's folder ----------------------------------------------------------------------------


def test_sets_in_the_users_folder_come_after_the_bundled_ones_and_take_no_name_from_them(
    tmp_path: Path,
) -> None:
    write(tmp_path / "demos" / "own.txt", FENCED)
    write(tmp_path / "demos" / "pocket-3.txt", FENCED)
    write(tmp_path / "demos" / "notes.md", "not a set")
    (tmp_path / "demos" / "folder.toml").mkdir()
    write_demo_set(tmp_path / "demos" / "mine.toml", DemoSet(name="mine", instruction="I", demos=()))
    library = open_library(Settings(data_dir=tmp_path))
    assert list(library.demo_sets)[-2:] == ["mine", "own"]
    assert library.demo_set("pocket-3").text is None
    assert len(library.problems) == 1
    taken = "pocket-3.txt: the name 'pocket-3' is already used by another demonstration set"
    assert taken in library.problems[0]
    assert library.default_demo_set().name == "pocket-3"
    assert "own" not in open_library(Settings(data_dir=tmp_path / "nowhere")).demo_sets


# --- TOML -----------------------------------------------------------------------------------------


def test_turns_missing_answers_and_free_text_are_read_from_toml(tmp_path: Path) -> None:
    demos = read_demo_set(
        write(
            tmp_path / "x.toml",
            'name = "x"\ninstruction = "I"\nformat = "v6"\n'
            '[[demos]]\nquery = "1"\nanswer = "2"\n[[demos.then]]\nquery = "3"\nanswer = "4"\n'
            '[[demos.then]]\nquery = "5"\nunanswered = true\n'
            '[[demos]]\nbefore = "Now:"\nquery = "6"\nunanswered = true\n',
        )
    )
    assert demos.format == "v6"
    assert demos.demos == (
        Demo(
            query="1",
            answer="2",
            then=(Exchange(query="3", answer="4"), Exchange(query="5", answer=None)),
        ),
        Demo(query="6", answer=None, before="Now:"),
    )
    assert demos.take(1).demos == demos.demos[:1]


def test_toml_with_a_byte_order_mark_and_other_line_ends_is_the_same_set(tmp_path: Path) -> None:
    text = 'name = "x"\ninstruction = """\na\nb"""\n'
    plain = read_demo_set(write(tmp_path / "a.toml", text))
    other_form = read_demo_set(
        write(tmp_path / "b.toml", b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    )
    assert plain == other_form


NASTY = [
    "", " ", "\n", "\n\n", "a\n", "\na", '"', '""', '"""', '""""""', 'a\n"', 'a\n""', 'a\n"""\nb', "'", "'''",
    "\\", "\\\n", 'a\n\\"', "\\n", "\t", "\r", "\r\n", "a\r\nb", "\0", "\x07\x0b\x1b", "\x7f", "\x85",
    "\u2028", "\ufeff", "é", "\U0001f600", "```\nx\n```", "# Query:", "[[demos]]", "answer = 3", "{x}", "%s",
    "#", "trailing  \n  ", "a \\\n  b",
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY, ids=repr)
def test_a_nasty_text_reads_back_as_it_was_written(tmp_path: Path, text: str) -> None:
    demos = DemoSet(
        name="x",
        instruction=f"{text}I",
        demos=(Demo(query=text, answer=text, then=(Exchange(query=text, answer=text),), before=text),),
        meant_for=text,
        description=text,
        note=text,
    )
    write_demo_set(tmp_path / "x.toml", demos)
    assert read_demo_set(tmp_path / "x.toml") == demos
    verbatim = parse("x", f"{text}x")
    write_demo_set(tmp_path / "x.toml", verbatim)
    assert read_demo_set(tmp_path / "x.toml") == verbatim


TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n\r`#'), max_size=12)
EXCHANGES = st.lists(st.builds(Exchange, query=TEXT, answer=st.none() | TEXT), max_size=2).map(tuple)
SETS = st.builds(
    DemoSet,
    name=st.just("x"),
    instruction=TEXT.filter(str.strip),
    demos=st.lists(
        st.builds(Demo, query=TEXT, answer=st.none() | TEXT, then=EXCHANGES, before=TEXT), max_size=3
    ).map(tuple),
    format=st.sampled_from(sorted(FAMILIES)),
    meant_for=TEXT,
    description=TEXT,
    note=TEXT,
)


@settings(max_examples=300, deadline=None)
@given(SETS)
def test_any_set_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, demos: DemoSet
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    write_demo_set(path, demos)
    assert read_demo_set(path) == demos


def test_an_imported_set_is_saved_with_its_text_and_a_changed_one_without(tmp_path: Path) -> None:
    other_form = FENCED.rstrip("\n") + "\n\n# Query:\n```\nr\n```"
    for text in (FENCED, other_form, "Only prose"):
        imported = parse("x", text)
        write_demo_set(tmp_path / "x.toml", imported)
        assert read_demo_set(tmp_path / "x.toml") == imported
    changed = parse("x", other_form).take(1)
    write_demo_set(tmp_path / "x.toml", changed)
    assert read_demo_set(tmp_path / "x.toml") == changed
    assert "text =" not in (tmp_path / "x.toml").read_text()


def test_the_bundled_sets_read_back_as_they_are(tmp_path: Path) -> None:
    for demos in Library.open("models/pocket").demo_sets.values():
        write_demo_set(tmp_path / f"{demos.name}.toml", demos)
        assert read_demo_set(tmp_path / f"{demos.name}.toml") == demos


GOOD = DemoSet(name="x", instruction="I", demos=())


@pytest.mark.parametrize(
    ("demos", "said"),
    [
        (dataclasses.replace(GOOD, name="../x"), "not a usable name"),
        (dataclasses.replace(GOOD, format="loud"), "the unknown format 'loud'"),
        (dataclasses.replace(GOOD, instruction=""), "neither an instruction nor demonstrations"),
        (dataclasses.replace(GOOD, text=" "), "neither an instruction nor demonstrations"),
        (dataclasses.replace(GOOD, instruction="\ud800"), "lone surrogate"),
        (dataclasses.replace(GOOD, instruction="a" * 2_000_000), "larger than 2 MB"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path: Path, demos: DemoSet, said: str) -> None:
    write_demo_set(tmp_path / "x.toml", GOOD)
    with pytest.raises(InputError, match=said):
        write_demo_set(tmp_path / "x.toml", demos)
    assert read_demo_set(tmp_path / "x.toml") == GOOD
    assert [path.name for path in tmp_path.iterdir()] == ["x.toml"]


def test_a_disk_that_refuses_is_one_sentence(tmp_path: Path) -> None:
    write(tmp_path / "file", "")
    with pytest.raises(OutsideError, match=r"Cannot write .*x\.toml: File exists"):
        write_demo_set(tmp_path / "file" / "x.toml", GOOD)
