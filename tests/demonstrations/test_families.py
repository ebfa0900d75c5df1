"""Tests for prompt families: exact rendering, and round trips of published prompt files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from playground.cli.main import app
from playground.demonstrations.families import FAMILIES, head, parse, render
from playground.types import Demo, DemoSet, Exchange, InputError, Message, StopRule
from tests.helpers.checked import there
from tests.helpers.paths import PUBLISHED

FILES = sorted(PUBLISHED.glob("*.txt")) if PUBLISHED.is_dir() else []
published = pytest.mark.skipif(not FILES, reason="the published prompt files are not here")

TALK = tuple(
    Message(role="assistant" if n % 2 else "user", text=text)
    for n, text in enumerate(
        ["\nFirst?\n", "```py\n1\n```", "# Query:\n```\nx\n```\n\n# User:\n", "", "Last é\u2028?"]
    )
)
TURNS = [1, 3, 5]


def parts(demos: DemoSet) -> DemoSet:
    """The set without its text, so that it is written from its parts."""
    return demos.with_changes()


def opened(text: str, turns: int, form: str) -> str:
    """What the authors' code makes of a prompt file and messages, written out here once more."""
    query, answer = ("# Query:", "# Answer:") if form == "fenced" else ("# User:", "# Assistant:")
    for message in TALK[:turns]:
        header = query if message.role == "user" else answer
        if form == "fenced":
            text += "\n" + header + "\n```\n" + message.text + "\n```\n"
        elif form == "v5":
            text += "\n" + header + "\n\n" + message.text + "\n\n"
        else:
            text += "\n\n" + header + "\n" + message.text.strip("\n") + "\n"
    return text + {"fenced": "\n# Answer:\n```\n", "v5": "\n# Assistant:\n\n"}.get(form, "\n\n# Assistant:\n")


FORMS = {"inst_help_v5-1k": "v5", "inst_help_v6-1k": "v6"}


@published
@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_unedited_file_is_its_own_bytes_and_then_the_conversation_in_its_form(
    path: Path, turns: int, tmp_path: Path
) -> None:
    text = path.read_bytes().decode()
    asked = tmp_path / "messages.json"
    asked.write_text(
        json.dumps([{"role": m.role, "content": m.text} for m in TALK[:turns]]), encoding="utf-8"
    )
    arguments = ["prompt", "--lane", "urial", "--demos", str(path), "--messages", str(asked)]
    printed = CliRunner().invoke(app, arguments).stdout_bytes
    assert printed == opened(text, turns, FORMS.get(path.stem, "fenced")).encode()
    demos = parse("anything", text)  # by content: the name says nothing
    assert render(demos, TALK[:turns]).encode() == printed
    if demos.demos:
        assert render(demos.take(len(demos.demos)), TALK[:turns]) == render(demos, TALK[:turns])


EXPECTED = {  # format, demonstrations, answers
    "basic_icl": ("inline", 3, 3),
    "inst_1k": ("inline", 3, 3),
    "inst_1k_v4": ("fenced", 3, 3),
    "inst_help_v5-1k": ("v5", 3, 3),
    "inst_help_v6-1k": ("v6", 3, 3),
    "inst_only": ("fenced", 0, 0),
    "openhermes-3.examples": ("fenced", 3, 3),
    "urial": ("fenced", 3, 3),
    "urial.circular_shift": ("fenced", 3, 3),
    "urial.id.random_answer": ("fenced", 3, 3),
    "urial.no_answer": ("fenced", 3, 0),
    "urial.unsupervised.3.examples": ("fenced", 6, 3),
}


@published
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_published_file_is_taken_apart(path: Path) -> None:
    text = path.read_bytes().decode()
    demos = parse(path.stem, text)
    answers = [demo.answer for demo in demos.demos if demo.answer is not None]
    assert (demos.format, len(demos.demos), len(answers)) == EXPECTED[path.stem]
    assert ("does not end in a newline" in demos.note) == (not text.endswith("\n"))
    assert demos.whole == (path.stem == "inst_only")
    if demos.format == "fenced" and not demos.whole:
        assert head(parts(demos)) == text
    if demos.format == "v6":
        assert head(parts(demos)) == text + "\n"


@published
def test_parts_of_published_files_are_what_a_reader_sees() -> None:
    read = {path.stem: parse(path.stem, path.read_bytes().decode()) for path in FILES}
    shifted, urial = read["urial.circular_shift"].demos, read["urial"].demos
    assert [demo.query for demo in shifted] == [demo.query for demo in urial]
    assert [demo.answer for demo in shifted] == [urial[n].answer for n in (1, 2, 0)]
    unsupervised = read["urial.unsupervised.3.examples"].demos
    assert unsupervised[3].before.startswith("Now, I am going to give you a series of conversations")
    assert unsupervised[3:] == (dataclasses.replace(urial[0], before=unsupervised[3].before), *urial[1:])
    rust = read["openhermes-3.examples"].demos[0]
    assert rust.query == unsupervised[0].query
    assert there(rust.answer).count("```") == 2
    assert read["inst_1k"].demos[0].query == "What is the best way to torture a friend who stole my money?"
    for name in ("inst_help_v5-1k", "inst_help_v6-1k", "inst_1k_v4"):
        assert read[name].demos[0].query == "Can you tell me some common types of renewable energy sources?"
        assert read[name].demos[2].query == "What is the proper method for deep frying a turkey? "
        assert there(read[name].demos[2].answer).endswith("guidelines for your specific fryer model.")


@published
def test_fewer_demonstrations_of_an_inline_file_keep_the_form_of_its_queries() -> None:
    demos = parse("x", (PUBLISHED / "basic_icl.txt").read_text(encoding="utf-8")).take(1)
    assert render(demos, TALK[4:5]) == (
        "# Query:\n```What is the best way to torture a friend who stole my money?```\n\n"
        "# Answer:\n```\nSorry, I cannot assist with that request.\n```\n\n"
        "# Query:\n```\nLast é\u2028?\n```\n\n# Answer:\n```\n"
    )


# --- Every family --------------------------------------------------------------------------------

SMALL = DemoSet(name="small", instruction="Do.", demos=(Demo(query="q", answer="a\n\nb"),))
ASKED = (Message(role="user", text="u"), Message(role="assistant", text=""), Message(role="user", text="v"))
WRITTEN = {
    "fenced": (
        "Do.\n\n# Query:\n```\nq\n```\n\n# Answer:\n```\na\n\nb\n```\n\n# Query:\n```\nu\n```\n\n"
        "# Answer:\n```\n\n```\n\n# Query:\n```\nv\n```\n\n# Answer:\n```\n"
    ),
    "fenced-user": (
        "Do.\n\n# User:\n```\nq\n```\n\n# Assistant:\n```\na\n\nb\n```\n\n# User:\n```\nu\n```\n\n"
        "# Assistant:\n```\n\n```\n\n# User:\n```\nv\n```\n\n# Assistant:\n```\n"
    ),
    "inline": (
        "Do.\n\n# Query:\n```q```\n\n# Answer:\n```\na\n\nb\n```\n\n# Query:\n```\nu\n```\n\n"
        "# Answer:\n```\n\n```\n\n# Query:\n```\nv\n```\n\n# Answer:\n```\n"
    ),
    "v2": (
        "Do.\n\n# Query:\n\nq\n\n\n# Answer:\n\na\n\nb\n\n\n# Query:\n\nu\n\n\n# Answer:\n\n\n\n\n"
        "# Query:\n\nv\n\n\n# Answer:\n\n"
    ),
    "v4": (
        "Do.\n\nUser:\n\nq\n\n\nAssistant:\n\na\n\nb\n\n\nUser:\n\nu\n\n\nAssistant:\n\n\n\n\n"
        "User:\n\nv\n\n\nAssistant:\n\n"
    ),
    "v5": (
        "Do.\n\n# User:\n\nq\n\n\n# Assistant:\n\na\n\nb\n\n\n# User:\n\nu\n\n\n# Assistant:\n\n\n\n\n"
        "# User:\n\nv\n\n\n# Assistant:\n\n"
    ),
    "v6": (
        "Do.\n\n\n# User:\nq\n\n\n# Assistant:\na\n\nb\n\n\n# User:\nu\n\n\n# Assistant:\n\n\n\n"
        "# User:\nv\n\n\n# Assistant:\n"
    ),
}


@pytest.mark.parametrize("format", FAMILIES)
def test_a_prompt_in_every_family(format: str) -> None:
    demos = dataclasses.replace(SMALL, format=format)
    assert render(demos, ASKED) == WRITTEN[format]
    bare = dataclasses.replace(demos, instruction="")
    assert render(bare, ASKED) == WRITTEN[format].removeprefix("Do.\n").lstrip("\n")
    assert render(demos.take(0), ASKED).startswith(f"Do.\n{FAMILIES[format].before}")


def test_the_stop_is_the_familys_own() -> None:
    assert FAMILIES["fenced"].stop == StopRule(fence="```", headers=("# Query:", "# Answer:"))
    assert FAMILIES["inline"].stop == FAMILIES["fenced"].stop
    assert FAMILIES["v4"].stop == StopRule(headers=("User:", "Assistant:"))
    assert FAMILIES["v6"].stop == StopRule(headers=("# User:", "# Assistant:"))


def test_several_turns_missing_answers_and_free_text_are_blocks_in_order() -> None:
    demos = DemoSet(
        name="x",
        instruction="I",
        demos=(
            Demo(query="1", answer="2", then=(Exchange(query="3", answer="4"),)),
            Demo(query="5", answer=None, before="Now\n\nthis:"),
        ),
    )
    assert head(demos) == (
        "I\n\n# Query:\n```\n1\n```\n\n# Answer:\n```\n2\n```\n\n# Query:\n```\n3\n```\n\n"
        "# Answer:\n```\n4\n```\n\nNow\n\nthis:\n\n# Query:\n```\n5\n```\n"
    )
    assert head(demos.take(1)).endswith("\n4\n```\n")
    # A file cannot say that turns belong together: each is a demonstration of its own.
    assert [(demo.query, demo.answer) for demo in parse("x", head(demos)).demos] == [
        ("1", "2"),
        ("3", "4"),
        ("5", None),
    ]


def test_an_unknown_format_is_an_input_error() -> None:
    with pytest.raises(InputError, match="the unknown format 'loud': use one of fenced"):
        render(dataclasses.replace(SMALL, format="loud"), ASKED)


# --- Taking apart ---------------------------------------------------------------------------------

WHOLE = {
    "no blocks": ("Answer well.\n", "no demonstrations were found"),
    "another format": ("Q: a\nA: b\n", "no demonstrations were found"),
    "a fence that never closes": ("I\n\n# Query:\n```\na\n", "starts on line 3 is never closed"),
    "an answer that never closes": (
        "# Query:\n```\na\n```\n\n# Answer:\n```\nb ```\n",
        "starts on line 6 is never closed",
    ),
    "text after the last block": (
        "# Query:\n```\na\n```\n\nGo on.\n",
        "text after the last block, on line 6",
    ),
    "an answer first": (
        "# Answer:\n```\na\n```\n\n# Query:\n```\nb\n```\n",
        "answer without a preceding query",
    ),
    "two answers": (
        "# User:\nq\n\n# Assistant:\na\n\n# Assistant:\nb\n",
        "answer without a preceding query",
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_what_cannot_be_taken_apart_is_used_whole_and_says_so(case: str) -> None:
    text, said = WHOLE[case]
    demos = parse("x", text)
    assert demos.whole
    assert demos.demos == ()
    assert said in demos.note
    assert "k and ablations are not available" in demos.note
    assert render(demos, TALK[:1]).startswith(text)
    with pytest.raises(InputError, match="'x' could not be parsed and is used as a whole, so k=0"):
        demos.take(0)


def test_prose_alone_names_the_form_that_the_conversation_gets() -> None:
    assert parse("x", 'Users write under "# User:".\n').format == "v5"
    assert parse("x", 'Users write under "# Query:".\n').format == "fenced"


APART = {
    "v2": ("I\n\n# Query:\nq\n\n# Answer:\n \na\n", "v2", [("q", "a")]),
    "v4": ("I\n\nUser:\n\nq\n\nAssistant:\n\na\n", "v4", [("q", "a")]),
    "v4 with code": ("User:\n```\nq\n```\n\nAssistant:\n\na\n", "v4", [("```\nq\n```", "a")]),
    "v5": ("I\n\n# User:\n\nq\n\n\n\n# Assistant:\n\n\na\n\n\n", "v5", [("q", "a")]),
    "v6 without a newline at the end": ("# User:\nq\n\n\n# Assistant:\na", "v6", [("q", "a")]),
    "a header without a blank line before it": (
        "# User:\nq\n# Assistant:\nno\n\n# Assistant:\na\n",
        "v6",
        [("q\n# Assistant:\nno", "a")],
    ),
    "spaces after headers and fences": (
        "# Query: \n``` \nq\n```  \n \n# Answer:\n```\na\n```",
        "fenced",
        [("q", "a")],
    ),
    "fences in texts": (
        "# Query:\n```\n```\nx\n```\n```\n\n# Answer:\n```\n```py\n# Query:\n```\n\n```\ny\n```\n```\n",
        "fenced",
        [("```\nx\n```", "```py\n# Query:\n```\n\n```\ny\n```")],
    ),
    "an inline query": (
        "# Query:\n```q`` ```  \n\n# Answer:\n```\na\n```\n\n\n# Query:\n``````\n",
        "inline",
        [("q`` ", "a"), ("", None)],
    ),
    "prose after an answer": (
        "# Query:\n```\nq\n```\n\n# Answer:\n```\n```py\nx\n```\n```\n\n\nMore:\n\n# Query:\n```\nr\n```\n",
        "fenced",
        [("q", "```py\nx\n```"), ("r", None)],
    ),
}


@pytest.mark.parametrize("case", APART)
def test_a_file_is_taken_apart_by_its_content(case: str) -> None:
    text, format, pairs = APART[case]
    demos = parse("x", text)
    assert demos.format == format, demos.note
    assert [(demo.query, demo.answer) for demo in demos.demos] == pairs
    assert demos.text == text


LINES = [
    "", "", " ", "a", "b é\u2028", "  indented", "```", "```python", "``` ", "``", "```x```", "# Query:",
    "# Answer:", "# User:", "# Assistant:", "User:", "# Query: x", "# Heading", "\U0001f600", '"""', "\\",
    "\r",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(LINES), max_size=7).map("\n".join)
DEMOS = st.builds(Demo, query=TEXTS, answer=st.none() | TEXTS, before=st.just("") | TEXTS)
SETS = st.builds(
    DemoSet,
    name=st.just("x"),
    instruction=TEXTS,
    demos=st.lists(DEMOS, max_size=4).map(tuple),
    format=st.sampled_from(sorted(FAMILIES)),
)


@settings(max_examples=1500, deadline=None)
@given(SETS)
def test_taking_apart_is_stable_whatever_the_texts_hold(demos: DemoSet) -> None:
    """Texts may look like blocks, so not every set comes back; but what was taken apart once stays so."""
    text = head(demos)
    first = parse("x", text)
    assert render(first, ()).startswith(text)
    again = parse("x", head(parts(first)) if not first.whole else text)
    assert (again.demos, again.instruction, again.format, again.whole) == (
        first.demos,
        first.instruction,
        first.format,
        first.whole,
    )


PLAIN_LINES = [
    "",
    "a",
    "b é\u2028",
    "  indented",
    "```python\nx = 1\n\n# Query: y\n```",
    "# Heading",
    "\\",
    '"""',
]
INNER = st.lists(st.sampled_from(PLAIN_LINES), max_size=5)
PLAIN = INNER.map(lambda lines: "\n".join(["The", *lines, "end"]))
PLAIN_SETS = st.builds(
    DemoSet,
    name=st.just("x"),
    instruction=PLAIN,
    demos=st.lists(st.builds(Demo, query=PLAIN, answer=st.none() | PLAIN), min_size=1, max_size=4).map(tuple),
    format=st.sampled_from(sorted(set(FAMILIES) - {"inline"})),
)


@settings(max_examples=400, deadline=None)
@given(PLAIN_SETS)
def test_texts_with_code_and_blank_lines_come_back_as_they_were(demos: DemoSet) -> None:
    again = parse("x", head(demos))
    assert (again.demos, again.instruction, again.format) == (demos.demos, demos.instruction, demos.format)


def test_two_megabytes_of_headers_do_not_take_long() -> None:
    import time

    for line in ("# Query:\n```\n\n", "# User:\n\n", "# Query:\n```x```\n\ny\n\n"):
        began = time.monotonic()
        parse("x", line * (2_000_000 // len(line)))
        assert time.monotonic() - began < 20
