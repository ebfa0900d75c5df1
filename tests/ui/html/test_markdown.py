"""Tests for Markdown rendering: formatting is kept, and hostile text is harmless and fully visible."""

from __future__ import annotations

import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.ui.html.markdown import LONGEST, render_markdown

OURS = re.compile(
    r"</?(?:p|br|code|pre|ul|ol|li|em|strong|s|blockquote|table|thead|tbody|tr|t[hd]|hr|h[1-6]|a|span)"
    r'(?: (?:tabindex|data-info|class|title|href|target|rel|start|style)="[^"<>]*")*(?: /)?>'
)

markdownish = st.lists(
    st.sampled_from(
        [
            "<u>",
            "</u>",
            "<",
            "&",
            "&lt;",
            "&#60;",
            "![a](b)",
            "`",
            "``",
            "```",
            "\n",
            "\n\n",
            "    ",
            "\t",
            "- ",
            "1. ",
            "> ",
            "|",
            "~~~",
            "~~",
            "[a]: b",
            "]:",
            "\\",
            "$$",
            "%%%LATEX_BLOCK_0%%%",
            "word",
            " ",
            "\r",
            "\0",
        ]
    ),
    max_size=40,
).map("".join)


def shown(written: str) -> str:
    """What a browser shows of it, white space aside."""
    return "".join(html.unescape(re.sub(r"<[^>]*>", "", written)).split())


@given(markdownish | st.text())
def test_no_tag_of_the_text_is_left_and_no_template_of_the_page_is_fed(text: str) -> None:
    written = render_markdown(text)
    assert "<" not in OURS.sub("", written)
    for fed in ("${", "{{", "{%"):
        assert fed not in written
    assert not re.search(r"<img|src=|srcset=|on\w+=\"", OURS.sub("", written))


@given(markdownish | st.text())
def test_only_addresses_that_load_nothing_by_themselves_are_linked(text: str) -> None:
    for address in re.findall(r'href="([^"]*)"', render_markdown(text)):
        assert not re.match(r"(?i)\s*(?:javascript|vbscript|data|file):", html.unescape(address))


@given(
    st.lists(
        st.sampled_from(["a<b>c", "&lt;", "word", " ", "\n", "x & y", "![a](b)", "</s>", "{{x}}", "${1}"])
    ).map("".join)
)
def test_plain_text_comes_back_whole(text: str) -> None:
    assert shown(render_markdown(text)) == "".join(text.split())


@given(st.text(alphabet=st.characters(categories=("L", "N")), max_size=40), markdownish)
def test_no_word_vanishes(word: str, around: str) -> None:
    assert "".join(word.split()) in shown(render_markdown(f"{around}\n\n{word}"))


def test_code_is_kept_as_it_was_written() -> None:
    written = render_markdown("so:\n```html\n<p>\n  &amp;\n```\nend `a<b>`")
    assert '<pre tabindex="0" data-info="html"><code>' in written
    code = re.findall(r"<code>(.*?)</code>", written, re.DOTALL)
    assert [html.unescape(text) for text in code] == ["<p>\n  &amp;\n", "a<b>"]
    assert render_markdown("`plain` **bold**") == "<p><code>plain</code> <strong>bold</strong></p>\n"


def test_an_open_fence_is_code_while_it_streams() -> None:
    assert html.unescape(render_markdown("```py\nif a < b:\n    c")).count("if a < b:\n    c") == 1


def test_what_stands_beside_a_fence_is_named() -> None:
    assert 'data-info="p learn &quot;x"' in render_markdown('```p learn "x\ncode')


def test_pictures_and_definitions_stay_text_and_links_name_their_address() -> None:
    assert shown(render_markdown("![a](http://x.example/a.png)")) == "![a](http://x.example/a.png)"
    assert shown(render_markdown("[a]: http://x.example/a")) == "[a]:http://x.example/a"
    link = render_markdown("[a](http://x.example/?a=1&b=2)")
    assert 'href="http://x.example/?a=1&amp;b=2" title="http://x.example/?a=1&amp;b=2"' in link
    assert 'target="_blank" rel="noopener noreferrer"' in link
    assert "<a" not in render_markdown("[a](javascript:alert(1)) [b](data:text/html,x)")


def test_characters_that_show_nothing_are_named() -> None:
    written = render_markdown("a\x00b\u202ec\u200bd")
    for code in ("U+202E", "U+200B"):
        assert f">{code}</span>" in written
    assert "\x00" not in written


def test_a_long_text_is_shown_plain_and_whole() -> None:
    text = "**word** " * (LONGEST // 9 + 1)
    assert html.unescape(render_markdown(text)) == f'<p class="plain">{text}</p>'


def test_deep_levels_are_shown_plain_and_whole() -> None:
    text = "> " * 200 + "deep"
    assert shown(render_markdown(text)) == "".join(text.split())


@pytest.mark.parametrize(
    "unit", ["\\", "`", "` `` ``` ", "    \n", "[", "> 1. ", "]:", "~~~ <\n", "<", "*a_", "|a\n|-"]
)
def test_hostile_text_takes_no_time(unit: str) -> None:
    for size in (LONGEST - 10, 100_000):
        text = (unit * size)[:size] + "<"
        before = time.process_time()  # of this process: a busy machine does not count
        render_markdown(text)
        assert time.process_time() - before < 5
