"""Tests for the few-shot-chat aligner: rendered prompts, lane options and rejected demonstration sets."""

from __future__ import annotations

import json
import re

import pytest

from playground.aligners import aligner_from_json
from playground.context_fit import fit
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.types import (
    ChatFormat,
    Demo,
    DemoSet,
    Exchange,
    InputError,
    Message,
    canonical,
    to_json,
)

FORMAT = ChatFormat(
    template=(
        "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    ),
    bos_token="<s>",
    eos_token="</s>",
)
SETS = {
    "general-3": DemoSet(
        name="general-3",
        instruction="Answer well.",
        demos=(
            Demo(query="What is 1 + 1?", answer="2"),
            Demo(
                query="Capital of Italy?", answer="Rome", then=(Exchange(query="Of Japan?", answer="Tokyo"),)
            ),
            Demo(query="Name a river.", answer="The Rhine."),
        ),
    ),
    "open": DemoSet(name="open", instruction="", demos=(Demo(query="Why?", answer=None),)),
    "whole": DemoSet(name="whole", instruction="", demos=(), text="Some text.\n"),
}
ASKED = (Message(role="user", text="Capital of Spain?"),)


@pytest.fixture
def library() -> Library:
    return Library(base="x", demo_sets=dict(SETS), base_format=FORMAT)


def text(library: Library, spec: str) -> str:
    return parse_lane(spec, library).aligner(ASKED).text


def test_demonstrations_are_earlier_turns(library: Library) -> None:
    assert text(library, "few-shot-chat:k=2") == (
        "<s><user>What is 1 + 1?</s><assistant>2</s>"
        "<user>Capital of Italy?</s><assistant>Rome</s><user>Of Japan?</s><assistant>Tokyo</s>"
        "<user>Capital of Spain?</s><assistant>"
    )
    assert text(library, "few-shot-chat:k=0") == text(library, "chat")


def test_the_prompt_says_which_demonstration_is_where(library: Library) -> None:
    prompt = parse_lane("few-shot-chat:instruction=general-3,k=2", library).aligner(ASKED)
    assert [(part.kind, part.number) for part in prompt.parts] == [
        ("instruction", None),
        ("demonstration", 1),
        ("demonstration", 2),
        ("message", None),
        ("cue", None),
    ]
    assert prompt.adapter is None
    assert prompt.stop.tokens == ("</s>",)
    later = (*ASKED, Message(role="assistant", text="Madrid"), *ASKED)
    prompt = parse_lane("few-shot-chat:k=1", library).aligner(later)
    assert [part.kind for part in prompt.parts] == ["demonstration", "history", "message", "cue"]


def test_demonstrations_are_selected_and_changed(library: Library) -> None:
    lane = parse_lane("few-shot-chat:k=1,pick=nearest", library).aligner
    assert [selected.number for selected in lane.select_demonstrations(ASKED)] == [2]
    shifted = text(library, "few-shot-chat:demos=general-3,k=2,ablation=shifted")
    assert re.findall("<assistant>(.*?)</s>", shifted) == ["Rome", "Tokyo", "2"]
    assert "1 sample question with its answer nearest to the first message as earlier turns" in lane.describe(
        ""
    )


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("few-shot-chat:ablation=no-answers", "need an answer to every user message"),
        ("few-shot-chat:ablation=no-instruction", "do not include the set's instruction"),
        ("few-shot-chat:demos=open", "Demonstration 1 of 'open' has a query without an answer"),
        ("few-shot-chat:demos=whole", "could not be parsed into turns"),
        ("few-shot-chat:colour=red", "options are demos, k, ablation, seed, other, pick, adapter, system"),
        ("few-shot-chat:stop=paper", "does not support stop rules"),
        ("few-shot-chat:adapter=x", "There is no adapter 'x'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(library: Library, spec: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        parse_lane(spec, library)
    assert "\n" not in str(caught.value)


def test_without_a_chat_template_the_sentence_says_how_to_borrow_one() -> None:
    library = Library(base="x", demo_sets=dict(SETS))
    with pytest.raises(InputError, match="for example few-shot-chat:adapter=NAME"):
        parse_lane("few-shot-chat", library)


def test_it_survives_json(library: Library) -> None:
    aligner = parse_lane('few-shot-chat:k=2,pick=nearest-turn,system="Be brief."', library).aligner
    assert aligner_from_json(json.loads(canonical(to_json(aligner)))) == aligner


def test_demonstrations_that_do_not_fit_are_left_out(library: Library) -> None:
    variant = parse_lane("few-shot-chat:overflow=drop-demos,max_new_tokens=8", library)
    request = fit(variant, ASKED, lambda prompt: len(prompt.text), 110)
    assert request.left_out is not None
    assert request.left_out.demos == 2
    assert request.prompt.text == text(library, "few-shot-chat:k=1")
