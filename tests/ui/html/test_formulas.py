"""Tests for TeX formulas in Markdown: each of the four delimiters works, and nothing is lost or hidden."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.ui.html.markdown import render_markdown
from playground.ui.html.mathml import LONGEST_FORMULA, convert_formula
from tests.helpers.checked import there

ESCAPED = re.compile(r"<[^>]*>")


def sources(written: str) -> list[str]:
    """The TeX sources of all formulas in the rendered text."""
    return [html.unescape(each) for each in re.findall(r'<code class="tex">(.*?)</code>', written, re.DOTALL)]


@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("$a^2$", "inline"),
        (r"\(a^2\)", "inline"),
        ("$$a^2$$", "block"),
        (r"\[a^2\]", "block"),
        ("$$\na^2\n$$", "block"),
        ("\\[\na^2\n- 1\n= 2\n\\]", "block"),
    ],
)
def test_every_kind_of_delimiter_makes_a_formula(text: str, display: str) -> None:
    for written in map(render_markdown, (text, f"Text\n{text}\nand more", "- " + text.replace("\n", "\n  "))):
        assert f'<math display="{display}">' in written
        assert "<msup><mi>a</mi><mn>2</mn></msup>" in written
        assert [each.replace(" ", "") for each in sources(written)] == [text.replace(" ", "")]


@pytest.mark.parametrize("operator", ["lim", "max", "limsup", "Pr"])
def test_the_limit_of_an_operator_stands_below_it(operator: str) -> None:
    written = there(convert_formula(rf"\{operator}_{{a}} b", display=True))
    assert re.search(r'<munder><mo movablelimits="true">[^<]*</mo>(<mrow>)?<mi>a</mi>', written)
    assert "<munder>" not in there(convert_formula(r"\log_a b", display=True))


@pytest.mark.parametrize("text", [r"\(a\) and \[b\] to c", "a $$x$$ b", "\\[a\\] tail\nnext"])
def test_text_beside_a_formula_is_kept(text: str) -> None:
    left = re.sub(r"<math.*?</math>", "", render_markdown(text))
    assert html.unescape(ESCAPED.sub("", left)).split() == text.split()


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and then $6.",
        "$HOME:$PATH",
        "${A}${B}",
        "a$b$c",
        "$ a $",
        r"\$5 and \$6",
        "$$\nnever closed",
        r"\(never closed",
        r"\[never closed",
        "\\[\nan empty line\n\nends it\\]",
        "`$a$` and `\\(b\\)`",
        "    $a$",
    ],
)
def test_what_is_no_formula_stays_text(text: str) -> None:
    written = render_markdown(text)
    assert "<math" not in written
    shown = html.unescape(ESCAPED.sub("", written.replace("Copy", "")))
    assert shown.split() == text.replace("`", "").replace(r"\$", "$").split()


@given(st.text(alphabet="\\\\()[]{},;:! ab", max_size=30))
def test_no_backslash_of_tex_is_lost(text: str) -> None:
    text = f"word {text}"
    left = re.sub(r"<math.*?</math>", "", render_markdown(text))
    shown = html.unescape(ESCAPED.sub("", left))
    assert shown.count("\\") >= text.count("\\") - len(re.findall(r"\\$", text))


TEX = [r"\frac{1}{2}", "$", "$$", r"\(", r"\)", r"\[", r"\]", r"\alpha", r"\unknown{x}", r"\\", "{", "}"]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*TEX, "x", "1", " ", "\n", "^", "&", ",", "<", "a_b"]), max_size=30).map(
        "".join
    )
)
def test_all_of_a_text_with_formulas_can_be_read(text: str) -> None:
    left = re.sub(r"<math.*?</math>|<button.*?</button>", "", render_markdown(text), flags=re.DOTALL)
    assert "".join(html.unescape(ESCAPED.sub("", left)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("tex", "kept"),
    [
        (r"\href{javascript:alert(1)}{x}", "<mi>x</mi>"),
        (r"\style{position:fixed;background:url(http://x)}{x}", "<mi>x</mi>"),
        (r"\class{chip}{x}", "<mi>x</mi>"),
        (r"\color{white}{x}", "<mi>x</mi>"),
        (r"\phantom{x}", "<mi>x</mi>"),
        (r"\hspace{9999em}x", "<mi>x</mi>"),
        (r"\hspace{-50em}x", "<mi>x</mi>"),
        (r"\mathrlap{x}", "<mi>x</mi>"),
    ],
)
def test_commands_with_effects_beyond_the_formula_keep_their_content_only(tex: str, kept: str) -> None:
    written = there(convert_formula(tex, display=True))
    assert kept in written
    assert not re.search(r"href|style=|class|url\(|mphantom|9999|-50|<img|mathcolor|mpadded", written)


@pytest.mark.parametrize(
    "tex",
    [
        "",
        " ",
        r"\frac{1",
        r"\frac",
        "x^",
        "a_b_c",
        r"\left( a",
        "{" * 3000,
        "x" * (LONGEST_FORMULA + 1),
        "\x01",
        r"\text{<img src=x>}",
        r"\unknown{a}{b}",
        r"a + \unknown",
    ],
)
def test_what_cannot_be_converted_is_shown_as_tex(tex: str) -> None:
    assert convert_formula(tex, display=False) is None


def test_the_usual_commands_are_converted() -> None:
    for tex in (
        r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
        r"\begin{cases} a & x > 0 \\ b & x \le 0 \end{cases}",
        r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
        r"\operatorname{softmax}(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}}",
        r"\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}",
        r"\mathbb{E}_{x \sim p}[\log q(x)] \leq \lVert x \rVert_2",
    ):
        written = there(convert_formula(tex, display=True))
        assert "\\" not in written
        assert "&amp;" not in written
