"""Tests for Markdown rendering: formatting is kept, and hostile text is harmless and fully visible."""

from __future__ import annotations

import html
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from playground.ui.html.code import LONGEST_CODE, render_code
from playground.ui.html.markdown import LONGEST, render_markdown
from playground.ui.html.mathml import ATTRIBUTES, ELEMENTS
from playground.ui.html.text import reveal
from tests.helpers.checked import there

OURS = re.compile(
    r"</?(?:p|br|code|pre|ul|ol|li|em|strong|s|blockquote|table|thead|tbody|tr|t[hd]|hr|h[1-6]|a|span|div|button"
    rf"|{'|'.join(sorted(ELEMENTS))})"
    r"(?: (?:tabindex|class|title|href|target|rel|start|style|type|role|aria-label|data-act|data-text"
    rf"|{'|'.join(ATTRIBUTES)})="
    r'"[^"<>]*")*(?: /)?>'
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
            "$",
            "$$",
            "\\(",
            "\\)",
            "\\[",
            "\\]",
            r"\frac{1}{2}",
            r"\href{javascript:x}{y}",
            r"\text{<b>}",
            r"\phantom{p}",
            "```py\n",
            "- [ ] ",
            "# ",
            "|a|\n|-|\n",
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
    """What a browser shows of it, white space and the page's own buttons aside."""
    text = re.sub(r"<button[^>]*>[^<]*</button>", "", written)
    return "".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())


@settings(deadline=None)  # the first use of a lexer imports it
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
@example("    a<b>c")
def test_plain_text_comes_back_whole(text: str) -> None:
    assert shown(render_markdown(text)) == "".join(text.split())


@given(st.text(alphabet=st.characters(categories=("L", "N")), max_size=40), markdownish)
def test_no_word_vanishes(word: str, around: str) -> None:
    assert "".join(word.split()) in shown(render_markdown(f"{around}\n\n{word}"))


def test_code_is_kept_as_it_was_written() -> None:
    written = render_markdown("so:\n```html\n<p>\n  &amp;\n```\nend `a<b>`")
    assert '<span class="language">html</span>' in written
    code = [re.sub(r"<[^>]*>", "", text) for text in re.findall(r"<code>(.*?)</code>", written, re.DOTALL)]
    assert [html.unescape(text) for text in code] == ["<p>\n  &amp;\n", "a<b>"]
    assert render_markdown("`plain` **bold**") == "<p><code>plain</code> <strong>bold</strong></p>\n"


def test_an_open_fence_is_code_while_it_streams() -> None:
    assert html.unescape(render_markdown("```py\nif a < b:\n    c")).count("if a < b:\n    c") == 1


def test_the_info_string_of_a_code_block_is_shown() -> None:
    assert '<span class="language">p learn &quot;x</span>' in render_markdown('```p learn "x\ncode')


@settings(deadline=None)  # the first use of a lexer imports it
@given(st.sampled_from(["python", "JSON", "html", "bash", "unknown", "c++"]), markdownish | st.text())
def test_colored_code_is_the_code_as_written(language: str, code: str) -> None:
    code = code.replace("~", "-").replace("\0", "").replace("\r", "")
    written = render_markdown(f"~~~~~ {language}\n{code}\n~~~~~")
    inside = there(re.search(r"<code>(.*)</code>", written, re.DOTALL))[1]
    assert html.unescape(re.sub(r"<[^>]*>", "", inside)) == html.unescape(reveal_text(code + "\n"))


def reveal_text(text: str) -> str:
    return re.sub(r"<[^>]*>", "", reveal(text))


def test_code_has_colors_in_known_languages_only() -> None:
    assert '<span class="k">def</span>' in render_markdown("```python\ndef f(): pass\n```")
    assert "<span" not in render_markdown("```klingon\ndef f(): pass\n```").partition("<pre")[2]
    long = "x = 1\n" * LONGEST_CODE
    assert "<span" not in render_code(long, "python")


def test_the_copy_button_of_a_code_block_copies_the_code() -> None:
    written = render_markdown('```\na "b"\n\tc\n```')
    assert html.unescape(there(re.search(r'data-text="([^"]*)"', written))[1]) == 'a "b"\n\tc\n'


def test_a_table_scrolls_inside_its_own_frame() -> None:
    written = render_markdown("|a|b|\n|-|-|\n|1|2|")
    assert written.startswith('<div class="table" tabindex="0"><table>')
    assert written.rstrip().endswith("</table></div>")


def test_task_lists_have_named_boxes() -> None:
    written = render_markdown("- [ ] open\n- [x] closed\n- [y] text\n- [ ]")
    assert re.findall(r'aria-label="([^"]*)"', written) == ["not done", "done"]
    assert shown(written) == "\u2610open\u2611closed[y]text[]"


def test_headings_of_an_answer_are_below_those_of_the_page() -> None:
    written = render_markdown("# a\n###### b")
    assert written == '<h3 class="level-1">a</h3>\n<h6 class="level-6">b</h6>\n'


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
    "unit",
    [
        *["\\", "`", "` `` ``` ", "    \n", "[", "> 1. ", "]:", "~~~ <\n", "<", "*a_", "|a\n|-", "```py\n'"],
        *[
            "$",
            "$ a",
            "$a$",
            "$$\n",
            "$$a",
            "\\(",
            "\\(a\\)",
            "\\[\n",
            "\\[a\\]\n",
            "\\{",
            "- [ ] x\n",
            r"$\sqrt",
        ],
    ],
)
def test_hostile_text_takes_no_time(unit: str) -> None:
    for size in (LONGEST - 10, 100_000):
        text = (unit * size)[:size] + "<"
        before = time.process_time()  # of this process: a busy machine does not count
        render_markdown(text)
        assert time.process_time() - before < 5
