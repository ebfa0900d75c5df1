"""Tests for incremental decoding: multi-token characters, stop detection and independence of chunking."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.demonstrations.families import FAMILIES
from playground.engine.text import Cutter, Writer
from playground.types import StopRule

STOP = FAMILIES["fenced"].stop


def cut(raw: str, rule: StopRule = STOP, sizes: list[int] | None = None) -> tuple[str, bool]:
    """The answer in `raw`, fed in pieces of the given sizes (then characters), and whether it closed."""
    cutter = Cutter(rule)
    shown, at = "", 0
    for size in sizes or [len(raw)]:
        shown += cutter.feed(raw[at : at + size])
        at += size
    for character in raw[at:]:
        shown += cutter.feed(character)
    assert cutter.stopped or cutter.raw == raw
    return shown + cutter.finish(), cutter.closed


CASES = {
    "closed by fence, blank line and header": ("Paris.\n```\n\n# Query:\n```\nNext", "Paris.", True),
    "closed by the answer header too": ("Paris.\n```\n\n# Answer:\n", "Paris.", True),
    "closed by fence and end of text": ("Paris.\n```", "Paris.", True),
    "closed by fence, newlines and end of text": ("Paris.\n```\n\n", "Paris.", True),
    "cut off within the header": ("Paris.\n```\n\n# Qu", "Paris.", True),
    "spaces after the fence": ("Paris.\n```  \n \n# Query:\n", "Paris.", True),
    "never closed": ("Paris and", "Paris and", False),
    "an empty answer": ("```\n\n# Query:\n", "", True),
    "trailing white space is trimmed": ("  Paris. \n\n", "Paris.", False),
    "indentation of later lines is kept": ("a\n    b\n```", "a\n    b", True),
    # What the reference implementation cuts or damages (stop on "# Query" anywhere, all fences deleted):
    "a comment in code": (
        "```python\n# Query: all rows\nx = 1\n```\nDone.\n```\n\n# Query:\n",
        "```python\n# Query: all rows\nx = 1\n```\nDone.",
        True,
    ),
    # What models write that never close the fence, or close it in another way:
    "never closed, next header": ("Paris.\n\n# Query:\n```\nNext", "Paris.", True),
    "no blank line before the header": ("Paris.\n# Query:\nNext", "Paris.", True),
    "text on the header's line": ("Paris.\n\n# Query: And of Spain?\n", "Paris.", True),
    "another number of #": ("Paris.\n\n## Query:\nNext", "Paris.", True),
    "another number of #, with text": ("Paris.\n```\n\n### Query: Next\n", "Paris.", True),
    "no space after the #": ("Paris.\n\n#Query: Next\n", "Paris.", True),
    "a header at the end of the text": ("Paris.\n\n# Query:", "Paris.", True),
    "a header and nothing else": ("# Query:\n```\nNext", "", True),
    "carriage returns": ("Paris.\r\n```\r\n\r\n# Query:\r\n```\r\nNext", "Paris.", True),
    "carriage returns, never closed": ("Paris.\r\n\r\n# Query: Next\r\n", "Paris.", True),
    "header after the fence": ("Paris.\n```\n# Query:\n```\nNext?\n```\n", "Paris.", True),
    "header with text after the fence": ("Paris.\n```\n# Query: Next?\n\n# Answer:\n", "Paris.", True),
    "answer header after the fence": ("Paris.\n```\n# Answer:\n```\nLyon.", "Paris.", True),
    "header after the fence, inline": ("Paris.\n```\n# Query:\n```Next?```\n", "Paris.", True),
    "header after the fence, cut off": ("Paris.\n```\n# Query:", "Paris.", True),
    "header after the fence, cut off within": ("Paris.\n```\n# Que", "Paris.", True),
    "header after a code block's fence": (
        "Try:\n```python\nprint(1)\n```\n# Query:\n```\nNext",
        "Try:\n```python\nprint(1)\n```",
        True,
    ),
    "closed, then prose, then a header": (
        "Paris.\n```\nI hope that this helps you.\n\n# Query:\n```\nNext",
        "Paris.\n```\nI hope that this helps you.",
        True,
    ),
    "four backticks close as well": ("Paris.\n````\n\n# Query:\n", "Paris.", True),
    "a fence with prose names no language": (
        "```So here is the list\none\n\n# Query:\n",
        "```So here is the list\none",
        True,
    ),
    "code block at the end": (
        "Try:\n```python\nprint(1)\n```\n```\n\n# Query:\n",
        "Try:\n```python\nprint(1)\n```",
        True,
    ),
    "code block at the end, own fence forgotten": (
        "Try:\n```python\nprint(1)\n```\n\n# Query:\n",
        "Try:\n```python\nprint(1)\n```",
        True,
    ),
    "code block at the end, nothing after": (
        "Try:\n```python\nprint(1)\n```",
        "Try:\n```python\nprint(1)\n```",
        False,
    ),
    "code block without a language": (
        "Try:\n```\nprint(1)\n```\nDone.\n```\n\n# Query:\n",
        "Try:\n```\nprint(1)\n```\nDone.",
        True,
    ),
    "fence within a line": ("Use ``` for code.\n```\n\n# Query:\n", "Use ``` for code.", True),
    "header without a blank line": ("a\n```\n# Query:\nb", "a", True),
    "another header after a fence": ("a\n```\n\n# Queries:\nb", "a\n```\n\n# Queries:\nb", False),
    "two blank lines": ("a\n```\n\n\n# Query:\n", "a", True),
    "what follows the stop is dropped": ("a\n```\n\n# Query:\n```\nb\n```\n\n# Answer:\n```\nc", "a", True),
}


KEPT = {
    "in prose": 'It stands under "# Query:" and\n`# Query:` begins the next one.',
    "within a line": "The line # Query: marks a message, as does ## Query: too.",
    "in a list": "Blocks:\n\n- # Query: a question\n* # Query:\n1. # Query: x\n  # Query:\n> # Query:",
    "in a table": "| # Query: | # Answer: |\n|---|---|\n| a | b |",
    "in bold": "**# Query:** comes first, then **# Answer:**.",
    "in a code block": "```sql\n# Query: all rows\n\n# Query:\nselect 1;\n```\nThat is all.",
    "first in a code block without a language": "See:\n```\n# Query:\nselect 1\n```\nDone.",
    "first in one, with text": "Run this.\n```\n# Query: users\nSELECT * FROM users\n```\nDone.",
    "first in one that stands apart": "The format uses\n\n```\n# Query:\n```\n\nas a header.",
    "in one with code": "Like so.\n```\nx = db.all()\n# Query: one\n\n# Query:\ny = 2\n```\nDone.",
    "in one that opens with a comment": "Like so:\n```\n# Load it\n# Query:\nload it\n```\nDone.",
    "in one with more backticks": "Write:\n````\n# Query:\n```\nHi\n```\n\n# Answer:\n```\n````\nDone.",
    "in one with a language and more backticks": "````text\n\n# Query:\n```\nHi\n```\n````\nDone.",
    "in one with tildes": "Write\n~~~\n# Query:\n```\nHi\n```\n~~~\nDone.",
    "an explanation of the format": (
        "A URIAL prompt looks like this:\n```\n# Query:\nYour question\n\n# Answer:\nThe answer\n```\n"
        "The header `# Query:` stands on its own line."
    ),
    "a comment about a query": "```python\n# Query the database\nx = 1\n```\nDone.",
    "other comments and headings": "# Query the database\n\n# User model\n\n# Queries\n\n# Query\n\n#",
    "another header": "# User: someone\n\n# Question:\n\nQuery: x",
    "its own header once more": "# Answer:\n\nParis is the capital.",
}


@pytest.mark.parametrize("case", KEPT)
def test_a_header_in_code_or_quoted_does_not_end_an_answer(case: str) -> None:
    for end in ("\n```\n\n# Query:\n", "\n\n# Query: next\n"):
        raw = KEPT[case] + end
        assert cut(raw) == (KEPT[case], True)
        assert cut(raw, sizes=[1] * len(raw)) == (KEPT[case], True)


@pytest.mark.parametrize("case", CASES)
def test_an_answer_ends_where_its_own_block_closes(case: str) -> None:
    raw, text, closed = CASES[case]
    assert cut(raw) == (text, closed)
    assert cut(raw, sizes=[1] * len(raw)) == (text, closed)


@pytest.mark.parametrize("text", ["The answer is true", "Use C#", "I love Chess", "a # Query b", "user"])
def test_no_character_of_an_answer_is_taken_for_the_stop(text: str) -> None:
    """The reference implementation strips a character set: "true" became "t", "C#" became "C"."""
    assert cut(f"{text}\n```\n\n# Query:\n") == (text, True)


OPEN = FAMILIES["v5"].stop
OPEN_CASES = {
    "a header after a blank line": ("Paris.\n\n\n# User:\n\nNext", "Paris.", True),
    "the answer's own header": ("Paris.\n\n# Assistant:\n", "Paris.", True),
    "a header at once": ("# User:\n", "", True),
    "a header after blank lines at the start": ("\n \n# User:\nx", "", True),
    "a header at the end of the text": ("Paris.\n\n# User:", "Paris.", True),
    "spaces around": ("Paris.\n \t\n# User:  \nx", "Paris.", True),
    "a part of a header at the end": ("Paris.\n\n# Us", "Paris.\n\n# Us", False),
    "no blank line before": ("Paris.\n# User:\nx", "Paris.", True),
    "more on the line": ("Paris.\n\n# User: you\nx", "Paris.", True),
    "more on the line, no blank line before": ("Paris.\n# User: you\nx", "Paris.", True),
    "another number of #": ("Paris.\n\n### User:\nx", "Paris.", True),
    "carriage returns": ("Paris.\r\n\r\n# User:\r\nx", "Paris.", True),
    "the answer's own header, no blank line before": (
        "Paris.\n# Assistant:\nx",
        "Paris.\n# Assistant:\nx",
        False,
    ),
    "in a code block": ("```py\n\n# User: x\n```\n\n# User:\n", "```py\n\n# User: x\n```", True),
    "in a code block without a language": (
        "```\nx = 1\n\n# User:\n```\nb",
        "```\nx = 1\n\n# User:\n```\nb",
        False,
    ),
    "first in a code block": ("So\n```\n# User:\nhello\n```\nb", "So\n```\n# User:\nhello\n```\nb", False),
    "in a code block that has no code": ("```\nhello you\n# User:\n", "```\nhello you", True),
    "in a list": ("- # User: x\n1. # User:", "- # User: x\n1. # User:", False),
    "within a line": ("Write # User:\n\n or # User: x", "Write # User:\n\n or # User: x", False),
    "indented": ("x\n\n # User:\n", "x\n\n # User:", False),
    "headings": ("# Users\n\n# User\n\ntext\n\n#", "# Users\n\n# User\n\ntext\n\n#", False),
    "a fence is text": ("```\nx\n```\n\n```\n\n# User:\n", "```\nx\n```\n\n```", True),
    "never closed": ("Paris and\n\n", "Paris and", False),
}


@pytest.mark.parametrize("case", OPEN_CASES)
def test_without_a_fence_an_answer_ends_before_a_header_line(case: str) -> None:
    raw, text, closed = OPEN_CASES[case]
    assert cut(raw, OPEN) == (text, closed)
    assert cut(raw, OPEN, sizes=[1] * len(raw)) == (text, closed)


SPEAKER = FAMILIES["v4"].stop
SPEAKER_CASES = {
    "a header after a blank line": ("Paris.\n\nUser:\n\nNext", "Paris.", True),
    "no blank line before": ("Paris.\nUser:\nNext", "Paris.", True),
    "a form": ("Paris.\n\nUser: alice\nHost: b", "Paris.\n\nUser: alice\nHost: b", False),
    "with #": ("Paris.\n\n# User: Next", "Paris.", True),
    "the answer's own header": ("Paris.\n\nAssistant:\n", "Paris.", True),
    "within a line": ("The User: he asks.\nUsers: two", "The User: he asks.\nUsers: two", False),
    "a dialogue": (
        "Like this:\n\nUser: Hello\n\nDone.",
        "Like this:\n\nUser: Hello\n\nDone.",
        False,
    ),
    "alone on its line": ("Like this:\n\nUser:\nx", "Like this:", True),
    "cut off within": ("Like this:\n\nUse", "Like this:\n\nUse", False),
}


@pytest.mark.parametrize("case", SPEAKER_CASES)
def test_a_header_like_a_speakers_name_ends_an_answer_alone_on_its_line(case: str) -> None:
    raw, text, closed = SPEAKER_CASES[case]
    assert cut(raw, SPEAKER) == (text, closed)
    assert cut(raw, SPEAKER, sizes=[1] * len(raw)) == (text, closed)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rest", ["{}\n", "# {}\nNext\n", "#{} Next\n", "{}\r\nNext"])
@pytest.mark.parametrize("before", ["\n", "\n\n", "\r\n", "\n \n\n"])
def test_every_family_ends_at_its_own_user_header(family: str, rest: str, before: str) -> None:
    header = FAMILIES[family].query
    rest = rest.replace("# {}", "#{}" if header.startswith("#") else "# {}")
    raw = "One.\n\nTwo." + before + rest.format(header)
    assert cut(raw, FAMILIES[family].stop) == ("One.\n\nTwo.", True)
    if FAMILIES[family].fence:
        raw = "One.\n\nTwo.\n```" + before + rest.format(header)
        assert cut(raw, FAMILIES[family].stop) == ("One.\n\nTwo.", True)


PAPER = FAMILIES["fenced"].stop_rule("paper")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Paris.\n```\n\n# Query:\n", "Paris.\n```"),
        ("```python\n# Query the database\nx = 1\n```", "```python"),
        ("A `# User` heading", "A `"),
        ("Paris.\n\n# Answer:\n", "Paris.\n\n# Answer:"),
        ("Paris.\n# Que", "Paris.\n# Que"),
    ],
)
def test_the_papers_rule_cuts_at_its_texts_and_nowhere_else(raw: str, text: str) -> None:
    for sizes in (None, [1] * len(raw)):
        assert cut(raw, PAPER, sizes) == (text, raw.strip() != text)


def test_a_fence_that_may_be_the_end_is_held_back_until_the_line_after_the_header() -> None:
    cutter = Cutter(STOP)
    assert cutter.feed("Run this.\n```\n# Query: all\nSELECT 1 FRO") == "Run this."
    assert cutter.feed("M t\n") == "\n```\n# Query: all\nSELECT 1 FROM t"
    cutter = Cutter(STOP)
    assert cutter.feed("Paris.\n```\n# Query: all\nWhat") == "Paris."
    assert not cutter.stopped
    assert cutter.feed(" now?\n") == ""
    assert cutter.stopped


def test_a_header_ends_an_answer_before_its_line_is_complete() -> None:
    cutter = Cutter(STOP)
    assert cutter.feed("Paris.\n\n# Query") == "Paris."
    assert cutter.feed(":") == ""
    assert cutter.stopped


def test_what_comes_after_a_header_line_stays_in_the_raw_text_only() -> None:
    cutter = Cutter(OPEN)
    assert cutter.feed("Paris.\n\n# User:\nMore") == "Paris."
    assert cutter.stopped
    assert cutter.feed(" text") + cutter.finish() == ""
    assert cutter.raw == "Paris.\n\n# User:\nMore text"


def test_without_a_fence_only_white_space_at_the_ends_goes() -> None:
    """With no stop strings the reference implementation stopped after one token."""
    raw = " a\n```\n\n# Query:\nb\n"
    assert cut(raw, rule=StopRule()) == (raw.strip(), False)
    assert cut(raw, rule=StopRule(trim=False)) == (raw, False)
    assert cut(raw, rule=StopRule(trim=False), sizes=[1] * len(raw)) == (raw, False)


PIECES = ["```", "`", "\n", "\n\n", "# Query:", "# Answer:", "# Qu", " ", "word", "```python", "\t", "é", "#"]
LINES = [
    *("```", "````", "~~~", "```python", "```So it is", "``", ""),
    *(
        "# Query:",
        "## Query: next",
        "# Query",
        "#",
        "# Answer:",
        "User:",
        "User: next",
        "Assistant:",
        "# Que",
    ),
    *("Paris.", "See:", "three more words", "- item", "x = 1", "select 1", "    x", "# Query: all"),
]
"""Whole lines, so that a text of a few of them has every kind of block."""
TEXTS = ("wordword", "\n\n# Qu", "`` ", "é")
_RULES = {
    "fence": STOP,
    "headers": FAMILIES["v2"].stop,
    "speakers": FAMILIES["v4"].stop,
    "paper": PAPER,
    "fence and texts": dataclasses.replace(STOP, texts=TEXTS),
    "headers and texts": dataclasses.replace(FAMILIES["v2"].stop, texts=TEXTS),
    "texts": StopRule(texts=TEXTS),
}
RULES = pytest.mark.parametrize("rule", _RULES.values(), ids=_RULES.keys())


def _text(lines: list[str], ends: list[str], complete: bool) -> str:
    raw = "".join(line + end for line, end in zip(lines, ends, strict=False))
    return raw if complete else raw[:-1]


RAWS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join),
    st.builds(
        _text,
        st.lists(st.sampled_from(LINES), max_size=9),
        st.lists(st.sampled_from(["\n", "\n", "\n\n", "\r\n", " \n"]), min_size=9, max_size=9),
        st.booleans(),
    ),
)


@RULES
@settings(max_examples=400, deadline=None)
@given(raw=RAWS, sizes=st.lists(st.integers(1, 9), max_size=12))
def test_the_result_does_not_depend_on_the_chunking(rule: StopRule, raw: str, sizes: list[int]) -> None:
    whole, closed = cut(raw, rule)
    assert cut(raw, rule, sizes=sizes) == (whole, closed)
    assert whole == whole.strip()
    assert whole in raw


@RULES
@settings(max_examples=400, deadline=None)
@given(raw=RAWS)
def test_what_was_shown_is_never_taken_back(rule: StopRule, raw: str) -> None:
    """At every point, the text shown so far begins the answer, whatever comes next."""
    cutter, shown = Cutter(rule), ""
    for at, character in enumerate(raw):
        shown += cutter.feed(character)
        assert cut(raw, rule)[0].startswith(shown)
        assert cut(raw[: at + 1], rule)[0].startswith(shown)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14))
def test_texts_alone_cut_at_the_first_of_them(pieces: list[str]) -> None:
    """Against a plain search: the one that is complete first, and of those the longest."""
    rule, raw = _RULES["texts"], "".join(pieces)
    found = [(raw.index(text) + len(text), raw.index(text)) for text in TEXTS if text in raw]
    want = raw[: min(found)[1]] if found else raw
    assert cut(raw, rule) == (want.strip(), bool(found))


def test_a_text_ends_an_answer_wherever_it_stands() -> None:
    rule = dataclasses.replace(STOP, texts=("END", "\n\n"))
    for sizes in (None, [1] * 40):
        assert cut("one END two", rule, sizes) == ("one", True)
        assert cut("one\n\ntwo END", rule, sizes) == ("one", True)
        assert cut("one EN", rule, sizes) == ("one EN", False)
        assert cut("END", rule, sizes) == ("", True)


def prefilled(start: str, raw: str, rule: StopRule = STOP) -> tuple[str, str]:
    """What is given out of an answer that begins with `start`, and its raw text."""
    cutter = Cutter(rule, start)
    return "".join(map(cutter.feed, raw)) + cutter.finish(), cutter.raw


def test_only_the_rest_of_a_prefilled_answer_is_emitted() -> None:
    assert prefilled("The capital", " is Paris.\n```\n") == (" is Paris.", " is Paris.\n```\n")
    # The fence that closes a code block of the beginning's is not the answer's end.
    assert prefilled("```py\nx", "\n```\n\nDone.\n```\n\n# Query:\n")[0] == "\n```\n\nDone."
    # A text that stands in the beginning ends nothing.
    rule = dataclasses.replace(STOP, texts=("END",))
    assert prefilled("END of", " it END.", rule)[0] == " it"


@settings(max_examples=300, deadline=None)
@given(raw=RAWS.map(lambda raw: re.sub("[`~]", "", raw)))
def test_without_any_fences_an_answer_ends_at_the_first_header(raw: str) -> None:
    """Against a plain search over the whole text."""
    user = re.compile(r"(?m)^#{1,6}[ \t]*Query:")
    fenced = user.search(raw)
    assert cut(raw) == (raw[: fenced.start() if fenced else None].strip(), bool(fenced))
    lines = raw.split("\n")
    ends = [
        at
        for at, line in enumerate(lines)
        if user.match(line) or (line.rstrip() == "# Answer:" and (at == 0 or not lines[at - 1].strip()))
    ]
    want = "\n".join(lines[: ends[0]]) if ends else raw
    assert cut(raw, FAMILIES["v2"].stop) == (want.strip(), bool(ends))


def decode_bytes(ids: Sequence[int]) -> str:
    """A tokenizer whose every token is one byte."""
    return bytes(ids).decode("utf-8", errors="replace")


def test_a_writer_holds_back_a_fence_and_gives_out_every_character_once() -> None:
    rng = random.Random(0)
    raw = "Paris. \U0001f600\n```python\nx\n```\n\n```\n\n# Query:\nmore"
    for _ in range(20):
        writer = Writer(decode_bytes, list(b"# Answer:\n```\n"), STOP)
        shown = ""
        for byte in raw.encode():
            shown += writer.feed(byte)
            assert not shown.endswith("`") or "python" in shown
            if rng.random() < 0.01 or writer.stopped:
                break
        shown += writer.finish()
        assert shown == writer.text
        assert raw.startswith(writer.raw_text.rstrip("\ufffd"))  # cut off within a character
