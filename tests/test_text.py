"""From ids to text: characters over several tokens, where answers end, and independence of chunking."""

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.aligners.urial import STOP
from playground.demos import FAMILIES
from playground.engine.text import Cutter, Detokenizer, Writer
from playground.types import StopRule


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
    "a header-like line in prose": ("See\n\n# Query:\nbelow", "See\n\n# Query:\nbelow", False),
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
    "header without a blank line": ("a\n```\n# Query:\nb", "a\n```\n# Query:\nb", False),
    "another header after a fence": ("a\n```\n\n# Queries:\nb", "a\n```\n\n# Queries:\nb", False),
    "two blank lines": ("a\n```\n\n\n# Query:\n", "a", True),
    "what follows the stop is dropped": ("a\n```\n\n# Query:\n```\nb\n```\n\n# Answer:\n```\nc", "a", True),
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_ends_where_its_own_block_closes(case):
    raw, text, closed = CASES[case]
    assert cut(raw) == (text, closed)
    assert cut(raw, sizes=[1] * len(raw)) == (text, closed)


@pytest.mark.parametrize("text", ["The answer is true", "Use C#", "I love Chess", "a # Query b", "user"])
def test_no_character_of_an_answer_is_taken_for_the_stop(text):
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
    "no blank line before": ("Paris.\n# User:\nx", "Paris.\n# User:\nx", False),
    "more on the line": ("Paris.\n\n# User: you\nx", "Paris.\n\n# User: you\nx", False),
    "within a line": ("Write # User:\n\n or # User: x", "Write # User:\n\n or # User: x", False),
    "indented": ("x\n\n # User:\n", "x\n\n # User:", False),
    "headings": ("# Users\n\n# User\n\ntext\n\n#", "# Users\n\n# User\n\ntext\n\n#", False),
    "a fence is text": ("```\nx\n```\n\n```\n\n# User:\n", "```\nx\n```\n\n```", True),
    "never closed": ("Paris and\n\n", "Paris and", False),
}


@pytest.mark.parametrize("case", OPEN_CASES)
def test_without_a_fence_an_answer_ends_before_a_header_line(case):
    raw, text, closed = OPEN_CASES[case]
    assert cut(raw, OPEN) == (text, closed)
    assert cut(raw, OPEN, sizes=[1] * len(raw)) == (text, closed)


def test_what_comes_after_a_header_line_stays_in_the_raw_text_only():
    cutter = Cutter(OPEN)
    assert cutter.feed("Paris.\n\n# User:\nMore") == "Paris."
    assert cutter.stopped
    assert cutter.feed(" text") + cutter.finish() == ""
    assert cutter.raw == "Paris.\n\n# User:\nMore text"


def test_without_a_fence_only_white_space_at_the_ends_goes():
    """With no stop strings the reference implementation stopped after one token."""
    raw = " a\n```\n\n# Query:\nb\n"
    assert cut(raw, rule=StopRule()) == (raw.strip(), False)
    assert cut(raw, rule=StopRule(trim=False)) == (raw, False)
    assert cut(raw, rule=StopRule(trim=False), sizes=[1] * len(raw)) == (raw, False)


PIECES = ["```", "`", "\n", "\n\n", "# Query:", "# Answer:", "# Qu", " ", "word", "```python", "\t", "é", "#"]
TEXTS = ("wordword", "\n\n# Qu", "`` ", "é")
_RULES = {
    "fence": STOP,
    "headers": FAMILIES["v2"].stop,
    "fence and texts": dataclasses.replace(STOP, texts=TEXTS),
    "headers and texts": dataclasses.replace(FAMILIES["v2"].stop, texts=TEXTS),
    "texts": StopRule(texts=TEXTS),
}
RULES = pytest.mark.parametrize("rule", _RULES.values(), ids=_RULES.keys())


@RULES
@settings(max_examples=400, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14), sizes=st.lists(st.integers(1, 9), max_size=12))
def test_the_result_does_not_depend_on_the_chunking(rule, pieces, sizes):
    raw = "".join(pieces)
    whole, closed = cut(raw, rule)
    assert cut(raw, rule, sizes=sizes) == (whole, closed)
    assert whole == whole.strip()
    assert whole in raw


@RULES
@settings(max_examples=400, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14))
def test_what_was_shown_is_never_taken_back(rule, pieces):
    """At every point, the text shown so far begins the answer, whatever comes next."""
    raw = "".join(pieces)
    cutter, shown = Cutter(rule), ""
    for at, character in enumerate(raw):
        shown += cutter.feed(character)
        assert cut(raw, rule)[0].startswith(shown)
        assert cut(raw[: at + 1], rule)[0].startswith(shown)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14))
def test_texts_alone_cut_at_the_first_of_them(pieces):
    """Against a plain search: the one that is complete first, and of those the longest."""
    rule, raw = _RULES["texts"], "".join(pieces)
    found = [(raw.index(text) + len(text), raw.index(text)) for text in TEXTS if text in raw]
    want = raw[: min(found)[1]] if found else raw
    assert cut(raw, rule) == (want.strip(), bool(found))


def test_a_text_ends_an_answer_wherever_it_stands():
    rule = dataclasses.replace(STOP, texts=("END", "\n\n"))
    for sizes in (None, [1] * 40):
        assert cut("one END two", rule, sizes) == ("one", True)
        assert cut("one\n\ntwo END", rule, sizes) == ("one", True)
        assert cut("one EN", rule, sizes) == ("one EN", False)
        assert cut("END", rule, sizes) == ("", True)


def begun(start: str, raw: str, rule: StopRule = STOP) -> tuple[str, str]:
    """What is given out of an answer that begins with `start`, and its raw text."""
    cutter = Cutter(rule, start)
    return "".join(map(cutter.feed, raw)) + cutter.finish(), cutter.raw


def test_of_an_answer_that_was_begun_only_the_rest_is_given_out():
    assert begun("The capital", " is Paris.\n```\n") == (" is Paris.", " is Paris.\n```\n")
    # The fence that closes a code block of the beginning's is not the answer's end.
    assert begun("```py\nx", "\n```\n\nDone.\n```\n\n# Query:\n")[0] == "\n```\n\nDone."
    # A text that stands in the beginning ends nothing.
    rule = dataclasses.replace(STOP, texts=("END",))
    assert begun("END of", " it END.", rule)[0] == " it"


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14))
def test_a_header_rule_cuts_at_the_first_header_line_after_a_blank_one(pieces):
    """Against a plain search over the whole text."""
    rule, raw = FAMILIES["v2"].stop, "".join(pieces)
    lines = raw.split("\n")
    ends = [
        at
        for at, line in enumerate(lines)
        if line.rstrip() in rule.headers and (at == 0 or not lines[at - 1].strip())
    ]
    want = "\n".join(lines[: ends[0]]) if ends else raw
    assert cut(raw, rule) == (want.strip(), bool(ends))


def decode_bytes(ids):
    """A tokenizer whose every token is one byte."""
    return bytes(ids).decode("utf-8", errors="replace")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.text(max_size=5))
def test_characters_spread_over_tokens_come_out_whole(text, before):
    detokenizer = Detokenizer(decode_bytes, list(before.encode()))
    parts = [detokenizer.feed(byte) for byte in text.encode()]
    assert "".join(parts) + detokenizer.finish() == text
    assert all("\ufffd" not in part for part in parts) or "\ufffd" in text


def test_bytes_that_are_no_character_come_out_marked_and_hold_nothing_back():
    detokenizer = Detokenizer(decode_bytes, [])
    text = "".join(detokenizer.feed(byte) for byte in b"a\xff\xff\xff\xff\xff b") + detokenizer.finish()
    assert text.startswith("a\ufffd")
    assert text.endswith(" b")


def test_the_first_word_keeps_its_space_after_the_prompt():
    """A SentencePiece decoder drops the leading space of the first id it is given."""
    words = {1: "The", 2: " cat", 3: " sat"}

    def decode(ids):
        return "".join(words[i] for i in ids).lstrip()

    detokenizer = Detokenizer(decode, [1])
    assert [detokenizer.feed(2), detokenizer.feed(3)] == [" cat", " sat"]


def test_a_writer_holds_back_a_fence_and_gives_out_every_character_once():
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
