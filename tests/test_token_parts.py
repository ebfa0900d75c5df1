"""Tests that the token counts of a prompt's parts add up to its total, in every lane and every view."""

from __future__ import annotations

import re
from itertools import product

import pytest
from transformers import AutoTokenizer

from playground import context_fit
from playground.engine.tokenizer import Tokenizer
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.types import Message, Prompt, Token
from playground.ui.html import prompt as html_prompt
from tests.helpers.paths import POCKET

LIBRARY = Library.open(str(POCKET))
TOKENIZER = Tokenizer(AutoTokenizer.from_pretrained(POCKET))
LANES = (
    *("base", "pocket-ift", "pocket-ift:think=keep"),
    *("urial", "urial:k=0", "urial:demos=pocket-50,k=20", "urial:demos=pocket-50,k=5,pick=nearest"),
    *("urial:adapter=pocket-ift", "urial:stop=paper", "urial:k=2,ablation=shifted"),
    *("few-shot-chat:adapter=pocket-ift", "few-shot-chat:adapter=pocket-ift,k=1"),
)
TALKS = (
    [""],
    ["hi"],
    ["What is dusk?", "The end of the day.", "And dawn?"],
    ["one", "", "two", "```\n# Query:\n```", "\u00e9\U0001f600\u200b\n\n three"],
)


def ask(spec: str, talk: list[str], prefill: str = "") -> tuple[Prompt, list[Token]]:
    messages = [Message(role="assistant" if at % 2 else "user", text=text) for at, text in enumerate(talk)]
    prompt = parse_lane(spec, LIBRARY).aligner(messages).with_prefill(prefill)
    return prompt, TOKENIZER.tokens(prompt)


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize("spec", LANES)
def test_the_parts_add_up_to_the_total(spec: str) -> None:
    for talk, prefill in product(TALKS, ("", "Well, \u00e9")):
        prompt, tokens = ask(spec, talk, prefill)
        kinds = context_fit.by_kind(prompt, tokens)
        assert sum(kinds.values()) == len(tokens), (talk, prefill)
        assert set(kinds) == {part.kind for part in prompt.parts}

        meter = html_prompt.render_meter(prompt, tokens, 4096, 100, names=html_prompt.EMPTY)
        found = re.search(r"<p><b>([\d,]+)</b> of 4,096 tokens: (.*); ", meter)
        assert found is not None
        assert number(found[1]) == len(tokens)
        parts = dict(re.findall(r"(?:^|, )([a-z ]+) (\d+(?:,\d{3})*)", found[2]))
        assert len(parts) == len(kinds)
        assert sum(map(number, parts.values())) == len(tokens)

        dialog = html_prompt.render_prompt(prompt, tokens, show_tokens=False)
        labels = re.findall(r"<h4>[^<]* · ([\d,]+) tokens?</h4>", dialog)
        assert len(labels) == len(prompt.parts)
        assert sum(map(number, labels)) == len(tokens)


def test_a_prompt_without_parts_is_counted_as_text() -> None:
    prompt = Prompt(text="saved by an earlier version")
    tokens = TOKENIZER.tokens(prompt)
    assert context_fit.by_kind(prompt, tokens) == {"text": len(tokens)}
    assert f"text {len(tokens)}; " in html_prompt.render_meter(prompt, tokens, 4096, 100)


def test_an_empty_message_is_not_counted_as_a_message() -> None:
    prompt, tokens = ask("urial", [""])
    drawn = html_prompt.render_meter(prompt, tokens, 4096, 100, names=html_prompt.EMPTY)
    assert ", empty message 11, cue 7; " in drawn
