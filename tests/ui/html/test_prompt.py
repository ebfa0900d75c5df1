"""Tests for the HTML of the context meter, prompt dialog and demonstration cards."""

from __future__ import annotations

import dataclasses
import html
import re

import pytest

from playground import context_fit
from playground.demonstrations.draft import Draft
from playground.demonstrations.families import FAMILIES
from playground.types import Demo, DemoSet, Exchange, LeftOut, Prompt, SelectedDemo, StopRule, Token
from playground.types.prompts import Piece
from playground.ui.html import demonstrations as html_demonstrations
from playground.ui.html import prompt as html_prompt
from tests.helpers.checked import group

NASTY = '\n<b onclick="x()">&amp; {{value}} ${1+1}</b>\r\n\ttab `'
PIECES: list[Piece] = [
    ("instruction", None, "Do.\n"),
    ("demonstration", 1, "one two\n"),
    ("demonstration", 2, "three\n"),
    ("message", None, NASTY),
    ("cue", None, "\n# Answer:\n"),
]


def asked() -> Prompt:
    return Prompt.of(PIECES)


def tokens(prompt: Prompt) -> list[Token]:
    words = re.finditer(r"\S+\s*|^\s+", prompt.text)
    found = [Token(id=n, piece=word[0].strip(), start=word.start()) for n, word in enumerate(words)]
    return [Token(id=99, piece="<s>", start=None), *found]


def text_of(pre: str) -> str:
    """What a browser shows of the inside of a <pre>: references read, no tags, no newline at its start."""
    return html.unescape(re.sub(r"<sub>.*?</sub>|<[^>]*>", "", pre)).removeprefix("\n").replace("\u21b5", "")


@pytest.mark.parametrize("cut", [False, True])
def test_the_prompt_dialog_shows_every_character_of_every_part(cut: bool) -> None:
    prompt = asked()
    drawn = html_prompt.render_prompt(prompt, tokens(prompt), cut)
    shown = [text_of(each) for each in re.findall(r"<pre>(.*?)</pre>", drawn, re.DOTALL)]
    assert "".join(shown) == prompt.text
    if not cut:  # a token may reach into the next part
        assert shown == [text for _, _, text in PIECES]
    assert "<b " not in drawn
    for opening in ("${", "{{"):
        assert opening not in drawn


def test_parts_are_named_with_their_tokens() -> None:
    prompt = asked()
    drawn = html_prompt.render_prompt(prompt, tokens(prompt), show_tokens=False)
    headings = re.findall(r"<h4>(.*?)</h4>", drawn)
    assert headings[:3] == [
        "instruction · 2 tokens",
        "demonstration 1 · 2 tokens",
        "demonstration 2 · 1 token",
    ]
    assert (
        re.findall(r"<h4>(.*?)</h4>", html_prompt.render_prompt(prompt, None, show_tokens=True))[0]
        == "instruction"
    )


def test_tokens_are_shown_with_their_ids_and_the_one_before_the_text_too() -> None:
    prompt = asked()
    drawn = html_prompt.render_prompt(prompt, tokens(prompt), show_tokens=True)
    assert "&lt;s&gt;<sub>99</sub>" in drawn
    assert drawn.count("<sub>") == len(tokens(prompt))


def test_chosen_demonstrations_say_which_they_are_and_why() -> None:
    prompt = asked()
    demo = Demo(query="q", answer="a")
    chosen = [
        SelectedDemo(number=17, demo=demo, score=1.234, words=("sea", "<poem>")),
        SelectedDemo(number=4, demo=demo, score=0.0, words=()),
    ]
    drawn = html_prompt.render_prompt(prompt, None, show_tokens=False, retrieved=chosen)
    assert "demonstration 1 · number 17 in the set, matches sea, &lt;poem&gt; (BM25 1.23)" in drawn
    assert "demonstration 2 · number 4 in the set, no shared words" in drawn


def test_what_was_left_out_is_reported_above_the_prompt() -> None:
    drawn = html_prompt.render_prompt(
        asked(), None, show_tokens=False, left_out=LeftOut(turns=2, tokens=5000)
    )
    assert "Sent without the oldest 2 turns: the full prompt of 5,000 tokens does not fit." in drawn


@pytest.mark.parametrize(
    ("stop", "ends"),
    [
        (StopRule(), "at <code>&lt;/s&gt;</code>"),
        (
            StopRule(headers=("User:", "Bot:")),
            "at <code>&lt;/s&gt;</code>, at the user header <code>User:</code>, whichever comes first",
        ),
        (
            StopRule(fence="```", headers=("# Query:",)),
            "at <code>&lt;/s&gt;</code>, at the user header <code># Query:</code>, "
            "at the fence that closes it, whichever comes first",
        ),
        (StopRule(name="paper", fence="```", headers=("# Query:",)), "at <code>&lt;/s&gt;</code>"),
    ],
)
def test_the_line_below_the_prompt_says_where_the_answer_ends(stop: StopRule, ends: str) -> None:
    drawn = html_prompt.render_prompt(Prompt(text="x", stop=stop), None, show_tokens=False, ends=["</s>"])
    assert drawn.endswith(f'<p class="notice ends">The answer ends {ends}</p>')


def test_several_ends_are_separated() -> None:
    drawn = html_prompt.render_prompt(Prompt(text="x"), None, show_tokens=False, ends=["</s>", "# Query"])
    ends = "at <code>&lt;/s&gt;</code>, <code># Query</code>, whichever comes first"
    assert drawn.endswith(f'<p class="notice ends">The answer ends {ends}</p>')


def test_an_old_prompt_without_parts_is_shown_whole() -> None:
    drawn = html_prompt.render_prompt(Prompt(text=NASTY), None, show_tokens=False)
    assert text_of(group(r"<pre>(.*?)</pre>", drawn)) == NASTY


def test_the_meter_adds_up() -> None:
    prompt = asked()
    drawn = html_prompt.render_meter(prompt, tokens(prompt), context=2000, room=100)
    kinds = context_fit.by_kind(prompt, tokens(prompt))
    assert sum(kinds.values()) == len(tokens(prompt))
    assert f"<b>{len(tokens(prompt))}</b> of 2,000 tokens: instruction 2, demonstrations 3" in drawn
    assert "; 100 for the answer" in drawn
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", drawn)]
    assert sum(widths) == pytest.approx(100 * (len(tokens(prompt)) + 100) / 2000, abs=0.01)


def test_the_meter_of_a_prompt_that_does_not_fit_or_cannot_be_counted() -> None:
    prompt = asked()
    over = html_prompt.render_meter(prompt, tokens(prompt), context=5, room=100)
    assert 'class="meter over"' in over
    assert "no room for an answer" in over
    assert "once the model is ready" in html_prompt.render_meter(prompt, None, context=None, room=100)
    left_out = LeftOut(demos=1, tokens=7)
    assert "without the last demonstration" in html_prompt.render_meter(
        prompt, tokens(prompt), context=2000, room=1, left_out=left_out
    )


DEMOS = DemoSet(
    name="two",
    instruction="",
    demos=(
        Demo(query=NASTY, answer=None, before="Prose."),
        Demo(query="q", answer="a", then=(Exchange(query="more", answer="less"),)),
    ),
)


def test_cards_show_queries_answers_turns_costs_and_switches() -> None:
    drawn = html_demonstrations.render_cards(Draft.of(DEMOS).toggle(1), [1234, 5])
    assert html.unescape(group(r'<p class="query">(.*?)</p>', drawn)) == NASTY
    for text in ("no answer", "Prose.", "more", "less", "1,234 tokens"):
        assert text in drawn
    assert re.findall(r'aria-checked="(\w+)"', drawn) == ["true", "false"]
    assert drawn.count('data-act="up" data-at="0"') == 1
    assert re.search(r'data-act="up" data-at="0"[^>]* disabled', drawn)
    assert "{{" not in drawn


def test_two_sets_side_by_side_mark_what_is_the_same() -> None:
    other = DemoSet(name="<other>", instruction="", demos=(DEMOS.demos[1], Demo(query="mine", answer="x")))
    drawn = html_demonstrations.render_cards(Draft.of(DEMOS), None, other)
    assert drawn.count('class="pair same"') == 1
    assert drawn.count('class="pair"') == 2
    assert "&lt;other&gt;" in drawn


def test_a_text_used_whole_is_shown_as_it_is_with_the_reason() -> None:
    whole = DemoSet(name="w", instruction="", demos=(), text=f"Prose {NASTY}", note="It is used whole.")
    drawn = html_demonstrations.render_cards(Draft.of(whole), None)
    assert "It is used whole." in drawn
    assert text_of(group(r"<pre[^>]*>(.*?)</pre>", drawn)) == f"Prose {NASTY}"


def test_the_prompt_dialog_names_the_stop_rule_that_a_format_has() -> None:
    family = FAMILIES["fenced"]
    for rule, label in (
        (family.stop, "Own header and fence"),
        (family.stop_rule("paper"), "Paper (substring)"),
        (dataclasses.replace(family.stop, name=""), "not recorded"),
    ):
        assert html_prompt.describe_stop_rule(Prompt(text="x", stop=rule)).endswith(f"Stop rule: {label}")
    assert html_prompt.describe_stop_rule(Prompt(text="x")) == ""


def test_the_meter_reserves_its_later_height_while_the_model_is_loading() -> None:
    drawn = html_prompt.render_meter(asked(), None, context=None, room=1256)
    assert "<span>Tokens are counted once the model is ready</span>" in drawn
    assert (
        '<span class="reserved" aria-hidden="true">000 of 0,000 tokens: instruction 000, demonstrations 000, '
        "message 000, cue 000; 1,256 for the answer</span>"
    ) in drawn
