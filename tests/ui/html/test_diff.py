"""Tests for the HTML of diffs and warnings: every character is visible and escaped."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.checks import Finding
from playground.diff import Diff, Stretch, diff
from playground.types import Reply
from playground.ui.html import diff as html_diff
from playground.ui.html.text import reveal, reveal_plain

OURS = {
    *("section", "h4", "pre", "p", "ul", "li"),
    *("span", "ins", "del"),
}
NASTY = "<img src=x onerror=x()></pre><script>x()</script>&lt;&#60;{{v}}${1+1}\"'`\u202egnp\u200b\r\0"
PAIR = ("Base <b>", 'IFT "tuned"')
texts = st.lists(
    st.sampled_from(
        ["<b>", "</pre>", "</ins>", "&amp;", "&#60;", '"', "'", "${x}", "{{x}}", "\n", "  ", "\t", "word"]
    )
    | st.characters()
).map("".join)


class Reader(HTMLParser):
    """Reads a piece of the page as a browser does, and puts it back into the text that was drawn.

    Attributes:
        shown: what stands in each <pre>, codes as the characters that they stand for.
        attributes: all values of attributes.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.shown: list[str] = []
        self.attributes: list[str | None] = []
        self.open: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in OURS
        assert {name for name, _ in attributes} <= {"class", "title", "aria-label", "aria-hidden", "dir"}
        self.attributes += [value for _, value in attributes]
        self.open.append((tag, dict(attributes).get("class")))
        if tag == "pre":
            self.shown.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_comment(self, data: str) -> Never:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> Never:
        raise AssertionError(decl)

    unknown_decl = handle_pi = handle_comment

    def handle_data(self, data: str) -> None:
        if not any(tag == "pre" for tag, _ in self.open) or self.open[-1] == ("span", "unseen"):
            return
        if self.open[-1] == ("span", "codepoint"):
            data = chr(int(data.removeprefix("U+"), 16))
        self.shown[-1] += data


def shown(page: str) -> str:
    """The text of the one <pre> of a piece of the page; a newline right after the tag is not shown."""
    (text,) = Reader(page).shown
    return text.removeprefix("\n")


def as_found(*stretches: Stretch) -> Diff:
    return Diff(left=stretches, right=(), similarity=0.5)


@given(texts)
def test_every_character_is_shown_and_none_acts(text: str) -> None:
    page = reveal(text)
    assert shown(f"<pre>\n{page}</pre>") == text
    assert "${" not in page
    assert "{{" not in page
    Reader(f'<p title="{reveal_plain(text)}"></p>')


@given(texts, texts)
def test_two_sides_hold_their_texts(left: str, right: str) -> None:
    found = diff(left, right)
    for page, text, stretches in zip(
        html_diff.render_sides(found, PAIR, (0, 1)), (left, right), (found.left, found.right), strict=True
    ):
        if not text:
            assert "No text." in page
        elif not any(mark == "only" and stretch.isspace() for stretch, mark in stretches):
            assert shown(page) == text
        else:
            Reader(page)


def test_what_only_one_side_has_is_marked_on_it_and_in_words() -> None:
    left, right = html_diff.render_sides(diff("a red cat", "a blue cat"), PAIR, (0, 1))
    assert '<del class="only"><span class="unseen">[only left: </span>red<span' in left
    assert '<ins class="only"><span class="unseen">[only right: </span>blue<span' in right
    assert 'Base <b>, marked where it differs from IFT "tuned"' in Reader(left).attributes
    assert 'IFT "tuned", marked where it differs from Base <b>' in Reader(right).attributes


def test_white_space_that_differs_can_be_seen() -> None:
    left, right = html_diff.render_sides(diff("one two", "one\n\ttwo"), PAIR, (0, 1))
    assert "\u2423" in left
    assert "\u21b5\n\u21e5\t" in right
    assert "[U+00A0]" in html_diff.render_sides(diff("a\u00a0b", "a b"), PAIR, (0, 1))[0]


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("a\u202eb", 'a<span class="codepoint" title="RIGHT-TO-LEFT OVERRIDE">U+202E</span>b'),
        ("\x1b", '<span class="codepoint" title="control character">U+001B</span>'),
        ("\ud800", '<span class="codepoint" title="control character">U+D800</span>'),
        ("a\u200db", 'a<span class="codepoint" title="ZERO WIDTH JOINER">U+200D</span>b'),
        ("\U0001f469\u200d\U0001f4bb\u2764\ufe0f", "\U0001f469\u200d\U0001f4bb\u2764\ufe0f"),
        ("\u0646\u06cc\u200c\u062e\u0648", "\u0646\u06cc\u200c\u062e\u0648"),
        ("a\tb\nc d", "a\tb\nc d"),
    ],
)  # fmt: skip
def test_what_a_browser_would_hide_stands_as_its_code(text: str, page: str) -> None:
    assert reveal(text) == page


def test_the_share_of_equal_words() -> None:
    assert "are identical" in html_diff.render_similarity(diff("a b", "a b"))
    assert ">66% of the words appear in both.<" in html_diff.render_similarity(diff("a b c", "a b d"))
    # Equal words are not equal texts.
    assert ">99% of the words appear in both.<" in html_diff.render_similarity(diff("a b", "a b!"))
    assert ">0% of the words appear in both.<" in html_diff.render_similarity(diff("a", "b"))


def test_findings_are_badges_with_their_sentences() -> None:
    assert html_diff.render_findings([]) == ""
    finding = Finding(kind="loop", label="Repeats itself", sentence=f"Twice: \u201c{NASTY}\u201d.")
    page = html_diff.render_findings([finding, finding])
    reader = Reader(page)
    assert page.count("<li ") == 2
    assert "Repeats itself" in page
    (title,) = {value for value in reader.attributes if value and value.startswith("Twice")}
    assert "<script>x()</script>&lt;" in title
    assert "[U+202E]" in title


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(text="Par", raw_text="Par"), "still being written"),
        (Reply(text="Paris", raw_text="", finish="stop"), "Unknown"),
        (Reply(text="Paris", raw_text="Paris", finish="stop"), "Nothing"),
    ],
)
def test_what_came_after_the_stop_may_be_nothing(reply: Reply, words: str) -> None:
    page = html_diff.render_after_stop(reply)
    assert words in page
    assert Reader(page).shown == []


def test_what_came_after_the_stop_is_shown_whole() -> None:
    reply = Reply(text="Paris", raw_text=f" Paris\n\n{NASTY}", finish="stop")
    assert shown(html_diff.render_after_stop(reply)) == f"\n\n{NASTY}"
    assert "\u21b5\n" in html_diff.render_after_stop(Reply(text="Paris", raw_text="Paris\n", finish="stop"))
