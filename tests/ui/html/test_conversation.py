"""Tests for the HTML of a lane's conversation: messages, buttons and blind mode."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

from playground.aligners import raw
from playground.types import (
    AdapterCard,
    Answer,
    Conversation,
    Prompt,
    Reply,
    Request,
    Sampling,
    Turn,
    Variant,
)
from playground.types.replies import Finish
from playground.ui.html.conversation import WORDS, render_turns
from playground.ui.html.diff import render_marked
from tests.helpers.checked import group

CARD = AdapterCard(name="tuned", source="adapters/tuned", base_model="models/pocket", label="Tuned <b>")
CARDS = {"tuned": CARD}
BASE = Variant(name="base", aligner=raw.Aligner(), sampling=Sampling())
DONE = Reply(text="a", finish="stop")


def answer(reply: Reply, name: str = "base", start: str = "", version: int = 0, **sampling: Any) -> Answer:
    prompt = Prompt(text="p").with_prefill(start)
    request = Request(prompt=prompt, sampling=Sampling(**sampling))
    return Answer(variant=name, request=request, reply=reply, version=version)


def conversation(*answers: Answer) -> Conversation:
    turns = tuple(Turn(user=f"q{number}", answers=(answer,)) for number, answer in enumerate(answers))
    return Conversation(id="c", variants=(BASE,), turns=turns)


def drawn(conversation: Conversation, lane: int = 0, **rest: Any) -> str:
    return render_turns(conversation, lane, range(len(conversation.turns)), CARDS, **rest)


def acts(written: str, turn: int = 0) -> list[str]:
    article = group(rf'<article class="turn" data-turn="{turn}"[^>]*>(.*?)</article>', written)
    return re.findall(r'data-act="(\w+)"', article)


def labels(written: str) -> list[str]:
    return [html.unescape(text) for text in re.findall(r'<div class="by">(.*?)</div>', written)]


def test_messages_of_a_lane() -> None:
    shown = drawn(
        conversation(
            answer(DONE),
            answer(Reply(text="half", finish="error", error="It <broke>.")),
            answer(Reply()),
        ),
        note="Loading\u2026 40%",
    )
    assert re.findall(r"<p>(.*?)</p>", shown) == ["q0", "a", "q1", "half", "q2"]
    assert '<div class="notice error">It &lt;broke&gt;.</div>' in shown
    assert '<div class="waiting">Loading\u2026 40%</div>' in shown
    assert 'class="bot-row"' not in drawn(conversation(answer(DONE)), lane=1), "a lane that was added later"


def test_an_empty_answer_says_why_it_is_empty() -> None:
    expected: dict[Finish, str] = {"stop": "ended", "cancelled": "Stopped", "length": "Cut"}
    for finish, words in expected.items():
        assert words in drawn(conversation(answer(Reply(finish=finish))))


def test_a_change_of_recipe_is_reported_where_it_happens() -> None:
    shown = drawn(
        conversation(
            answer(DONE),
            answer(DONE),
            answer(DONE, name="tuned"),
            answer(DONE, name="tuned", temperature=0.7, seed=1),
            answer(DONE, name="tuned", temperature=0.7, seed=2),
        )
    )
    assert labels(shown) == [
        "Base, greedy, at most 256 tokens",
        "IFT \u00b7 Tuned <b>, greedy, at most 256 tokens",
        "IFT \u00b7 Tuned <b>, temperature 0.7, at most 256 tokens",
    ]
    assert labels(drawn(conversation(answer(DONE), answer(DONE)))) == []


def test_every_answer_knows_its_recipe_for_when_the_lane_is_set_up_differently() -> None:
    turns = conversation(answer(DONE), answer(DONE), answer(DONE, name="tuned"))
    shown = drawn(turns)
    assert re.findall(r'data-by="([^"]*)"', shown) == ["Base, greedy, at most 256 tokens"], "the first two"
    assert len(labels(shown)) == 2
    assert "data-by" not in drawn(turns, blind=True)


def test_what_can_be_done_with_an_answer() -> None:
    shown = drawn(conversation(answer(DONE), answer(Reply(text="b", finish="length", new_tokens=9))))
    assert acts(shown, 0) == ["edit", "branch", "copy", "judge", "prompt", "raw", "after"]
    more = ["branch", "copy", "judge", "prompt", "raw", "after"]
    assert acts(shown, 1) == ["edit", "retry", "extend", *more]
    assert "Cut off" in shown
    failed = drawn(conversation(answer(Reply(finish="error", error="It broke."))))
    assert acts(failed) == ["edit", "retry", "branch", "prompt"]
    assert acts(drawn(conversation(answer(Reply(text="b"))))) == [], "not while it is being written"


def test_a_word_beside_an_icon_is_part_of_the_buttons_name() -> None:
    shown = drawn(conversation(answer(DONE), answer(Reply(text="b", finish="length", new_tokens=9))))
    words = re.findall(r'aria-label="([^"]*)"[^>]*><svg.*?</svg><span>([^<]*)</span>', shown)
    assert {word for _, word in words} == set(WORDS.values())
    assert all(word.lower() in label.lower() for label, word in words)


def test_versions_are_walked_through_in_the_last_turn_only() -> None:
    turn = Turn(user="q", answers=(answer(DONE),)).select(answer(replace(DONE, text="b"), version=1), 0)
    one = Conversation(id="c", variants=(BASE,), turns=(turn,))
    assert acts(drawn(one))[:4] == ["edit", "earlier", "later", "retry"]
    assert "2/2" in drawn(one)
    two = replace(one, turns=(turn, Turn(user="r", answers=(answer(DONE),))))
    assert "earlier" not in acts(drawn(two), 0)
    assert "2/2" in drawn(two)


def test_the_prefill_of_an_answer_is_part_of_it_and_named() -> None:
    shown = drawn(conversation(answer(Reply(text=" of France", finish="stop"), start="The <capital>")))
    assert "The &lt;capital&gt; of France" in shown
    assert "Prefilled with \u201cThe &lt;capital&gt;\u201d." in shown


def test_the_copied_text_is_the_answer_to_the_character() -> None:
    text = 'a\n\tb <c> "d" & ${e} {{f}}'
    shown = drawn(conversation(answer(Reply(text=text, finish="stop"))))
    assert html.unescape(group(r'data-text="([^"]*)"', shown)) == text


def test_the_raw_text_is_the_answer_to_the_character() -> None:
    text = "\n# <b>a</b> &amp;  \n\t${e} {{f}} **g** \u200b "
    turns = conversation(answer(Reply(text=text, finish="stop")), answer(DONE))
    shown = drawn(turns, raw=[0])
    pre = group(r'<pre class="raw" dir="auto">\n(.*?)</pre>', shown)
    assert html.unescape(re.sub(r"<[^>]*>", "", pre)) == text.replace("\u200b", "U+200B")
    assert re.findall(r'<span class="blank">([^<]*)</span>', pre) == ["  ", "\t", " "]
    assert "<h3" not in shown
    assert re.findall(r'data-act="raw"[^>]*aria-pressed="(\w+)"', shown) == ["true", "false"]
    assert "<h3" in drawn(turns)


def test_marked_differences_replace_the_rendered_answer() -> None:
    one, other = render_marked(("a red cat", "a blue cat"), (0, 2))
    shown = drawn(conversation(answer(DONE)), marked={0: one})
    assert '<pre class="marked" dir="auto">\na <del class="only">' in shown
    assert "[only in lane A: </span>red" in shown
    assert "[only in lane C: </span>blue" in other
    assert 'data-act="copy"' in shown


def test_in_the_blind_nothing_tells_which_lane_it_is() -> None:
    answers = (answer(DONE), answer(DONE, name="tuned", temperature=0.7))
    shown = drawn(conversation(*answers), blind=True)
    assert labels(shown) == []
    assert "prompt" not in acts(shown)
    for word in ("tuned", "Tuned", "base", "temperature"):
        assert word not in shown


def test_a_lane_added_later_has_a_cell_for_each_earlier_turn() -> None:
    first = Turn(user="q0", answers=(answer(DONE),))
    second = Turn(user="q1", answers=(answer(DONE), answer(DONE)))
    both = Conversation(id="c", variants=(BASE, BASE), turns=(first, second))
    shown = drawn(both, lane=1)
    assert re.findall(r'<article class="([\w ]+)" data-turn="(\d)" style="--turn:(\d)">', shown) == [
        ("turn absent", "0", "0"),
        ("turn", "1", "1"),
    ]
    assert "No answer: this lane was added later." in shown
    assert shown.count('class="user-row"') == 1
