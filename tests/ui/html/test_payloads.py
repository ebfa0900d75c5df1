"""Tests that hostile Markdown and TeX are rendered without any active content, completely and quickly."""

from __future__ import annotations

import html
import re
import time
from html.parser import HTMLParser

import pytest

from playground.ui.html.markdown import render_markdown
from playground.ui.html.mathml import ATTRIBUTES, ELEMENTS
from playground.ui.html.text import reveal_raw

# fmt: off
TAGS = {
    "p", "br", "code", "pre", "ul", "ol", "li", "em", "strong", "s", "blockquote", "table", "thead", "tbody",
    "tr", "th", "td", "hr", "a", "span", "div", "button", "h1", "h2", "h3", "h4", "h5", "h6",
} | ELEMENTS
NAMES = {
    "class", "title", "tabindex", "href", "target", "rel", "start", "style", "type", "role", "aria-label",
    "data-act", "data-text",
} | set(ATTRIBUTES)
# fmt: on

TEX = (
    r"\href{javascript:window.bad=1}{x}",
    r"\href{data:text/html,<script>window.bad=1</script>}{x}",
    r"\url{http://foreign.example/}",
    r"\style{position:fixed;inset:0;background:url(http://foreign.example/a)}{x}",
    r"\class{dialog}{x}",
    r"\cssId{send}{x}",
    r"\color{white}{x}",
    r"\textcolor{white}{x}",
    r"\colorbox{red}{x}",
    r"\phantom{x}",
    r"\smash{x}",
    r"\hspace{-99em}x",
    r"\rule{999em}{999em}",
    r"\includegraphics{http://foreign.example/a.png}",
    r"\htmlData{act=retry}{x}",
    r"\htmlClass{dialog}{x}",
    r"\htmlId{send}{x}",
    r"\unicode{x202e}",
    r"\require{html}x",
    r"\def\a{\a\a}\a",
    r"\newcommand{\a}{\a}\a",
    r"\text{<img src=x onerror=window.bad=1>}",
    r"\text{</math><script>window.bad=1</script>}",
    r"\text{<annotation-xml encoding=text/html><img src=x onerror=window.bad=1></annotation-xml>}",
    r"\mathrm{<mglyph src=http://foreign.example/a.png>}",
    r"<annotation-xml encoding='text/html'><script>window.bad=1</script></annotation-xml>",
    r"x</math><img src=x onerror=window.bad=1>",
    r"\begin{array}{<img src=x>} a \end{array}",
    r"\begin{<script>}x\end{<script>}",
    "\\text{\u202eabc}",
    r"\left<img src=x\right>",
    r"\xrightarrow[<b>]{<script>}",
)
MARKDOWN = (
    "<script>window.bad=1</script>",
    "<img src=x onerror=window.bad=1>",
    "<svg/onload=window.bad=1>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.bad=1>",
    "<form action=http://foreign.example><input name=q><button>Go</button></form>",
    "<a href=javascript:window.bad=1>x</a>",
    "[x](javascript:window.bad=1)",
    "[x](JaVaScRiPt:window.bad=1)",
    "[x](java\tscript:window.bad=1)",
    "[x](&#106;avascript:window.bad=1)",
    "[x](<javascript:window.bad=1>)",
    "[x](vbscript:window.bad=1)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "<javascript:window.bad=1>",
    '[x](http://a.example "onmouseover=window.bad=1")',
    '[x](http://a.example/"onmouseover="window.bad=1)',
    "![x](http://foreign.example/a.png)",
    "[x]: javascript:window.bad=1\n\n[x]",
    '```"onmouseover="window.bad=1\ncode\n```',
    "```<script>\nwindow.bad=1\n```",
    "```html\n</code></pre><script>window.bad=1</script>\n```",
    "|<img src=x onerror=window.bad=1>|\n|:-:|\n|`<script>`|",
    "- [x] <img src=x onerror=window.bad=1>",
    "# <img src=x onerror=window.bad=1>",
    "~~<b>~~ **<i>** `<u>` _</p>_",
    "${window.bad=1} {{window.bad=1}} <%= 1 %>",
)
PAYLOADS = (*MARKDOWN, *(f"${tex}$" for tex in TEX), *(f"$$\n{tex}\n$$" for tex in TEX))


class Checked(HTMLParser):
    """Reads HTML and rejects every tag and attribute that the page does not write itself."""

    def __init__(self, written: str) -> None:
        super().__init__()
        self.seen = ""
        self.feed(written)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in NAMES, name
            if name == "style":
                assert re.fullmatch(r"text-align:(left|right|center)", value or "")
            elif name == "href":
                assert re.match(r"https?://|[^:]*$", value or ""), value
            elif name == "data-act":
                assert value == "copy"

    def handle_data(self, data: str) -> None:
        self.seen += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


@pytest.mark.parametrize("text", PAYLOADS)
def test_a_payload_has_no_effect_and_its_words_are_shown(text: str) -> None:
    written = render_markdown(text)
    seen = Checked(written).seen + "".join(map(html.unescape, re.findall(r' title="([^"]*)"', written)))
    for word in re.findall(r"[A-Za-z]{4,}", text):
        assert word in seen or word == "text", (word, seen)
    assert Checked(f"<pre>{reveal_raw(text)}</pre>").seen.strip("\n").startswith(text[:1].strip("\u202e"))


@pytest.mark.parametrize(
    "unit",
    ["\\[", "\\(", "$$", "$a$ ", "$\\frac{", "{", "$x^", "\\begin{", "$\\left(", "| ", "\t", " ", " a", "\n"],
)
def test_repetition_takes_no_time(unit: str) -> None:
    for text in (unit * (19_000 // len(unit)), unit * 5_000 + "a"):
        before = time.process_time()
        render_markdown(text)
        reveal_raw(text)
        assert time.process_time() - before < 5
