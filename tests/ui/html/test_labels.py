"""Tests for labels, status texts and numbers in the UI."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from playground.aligners import urial
from playground.lanes.names import abbreviate_spec, describe_lane, name_lane, offer_lanes
from playground.types import (
    AdapterCard,
    Aligner,
    Demo,
    DemoSet,
    Reply,
    Sampling,
    Status,
    Variant,
)
from playground.types.replies import Finish
from playground.ui.html import labels as html_labels
from playground.words import format_large

CARD = AdapterCard(name="tuned", source="adapters/tuned", base_model="models/pocket", label="Tuned <b>")
CARDS = {"tuned": CARD}
DEMOS = DemoSet(name="two", instruction="", demos=(Demo(query="q", answer="a"),) * 2)


def variant(name: str, aligner: Aligner, **sampling: Any) -> Variant:
    return Variant(name=name, aligner=aligner, sampling=Sampling(**sampling))


@pytest.mark.parametrize(
    ("finish", "words"),
    [("stop", "done"), ("length", "cut at the limit"), ("cancelled", "stopped"), ("error", "error")],
)
def test_finish_in_words(finish: Finish, words: str) -> None:
    reply = Reply(finish=finish, new_tokens=31, ttft=0.5, seconds=2.0, prompt_tokens=300, cached_tokens=280)
    line = re.sub("<[^>]*>", "|", html_labels.status_line(reply))
    for part in (
        words,
        "31 tokens",
        "20.0 tokens/s",
        "first token after 0.50 s",
        "prompt 300 tokens, 280 cached",
    ):
        assert f"|{part}|" in line


def test_status_while_nothing_has_come() -> None:
    assert "processing the prompt" in html_labels.status_line(Reply())
    assert "Loading… &lt;x&gt;" in html_labels.status_line(Reply(), "Loading… <x>")
    assert "writing" in html_labels.status_line(Reply(new_tokens=1, ttft=0.1, seconds=0.1))
    assert "tokens/s" not in html_labels.status_line(Reply(new_tokens=1, ttft=0.1, seconds=0.1))
    assert "token" not in html_labels.status_line(None)
    assert "data-ended" not in html_labels.status_line(Reply(), ended="x")
    assert ' data-ended="x &quot;1&quot;"' in html_labels.status_line(Reply(finish="stop"), ended='x "1"')
    assert "data-ended" not in html_labels.status_line(Reply(finish="stop"))


def test_an_answer_carries_a_mark_of_the_weights_it_ran_on() -> None:
    assert ">base</span>" in html_labels.status_line(Reply(weights="a/b (float32)", finish="stop"))
    line = html_labels.status_line(Reply(weights='a/b (4-bit NF4) + <x"', finish="stop"))
    assert ">base + &lt;x&quot;</span>" in line
    assert 'title="Weights used: a/b (4-bit NF4) + &lt;x&quot;"' in line
    assert "weights" not in html_labels.status_line(Reply(finish="error", error="x"))


def test_lanes_and_what_they_are() -> None:
    assert [lane for _, lane in offer_lanes([CARD])] == [
        "base",
        "urial",
        "chat",
        "few-shot-chat",
        "tuned",
        "urial:adapter=tuned",
        "chat:adapter=tuned",
        "few-shot-chat:adapter=tuned",
    ]
    shots = urial.Aligner(demos=DEMOS)
    assert name_lane(variant("urial", shots), CARDS) == "Base + URIAL"
    assert name_lane(variant("urial:k=2", shots), CARDS) == "Base + URIAL (K 2)"
    long = name_lane(variant('urial:adapter=tuned,demos="a, b",k=1', shots), CARDS)
    assert long == f"IFT + URIAL · {CARD.label} (a, b, K 1)"
    system = 'chat:system="' + "You are a pirate, " * 20 + '"'
    assert abbreviate_spec(system, {}) == "chat (system “You are a pirate, You are a pir…”)"
    options = "urial:demos=my-set,k=20,pick=nearest,ablation=other,other=my-set-2,overflow=drop-turns"
    assert abbreviate_spec(options, {"urial": "Base + URIAL"}) == (
        "Base + URIAL (my-set, K 20, nearest to message 1, ablation other, answers of my-set-2, "
        "drops the oldest turns)"
    )
    assert abbreviate_spec('chat:system="', {}) == 'chat:system="'
    shown = "The base model, shown 2 sample questions with answers before your message. The model itself is "
    assert describe_lane(shots, CARDS) == f"{shown}not changed."
    assert "1 sample question with its answer before" in describe_lane(
        replace(shots, demos=DEMOS.take(1)), CARDS
    )
    assert "shown only an instruction before" in describe_lane(replace(shots, demos=DEMOS.take(0)), CARDS)
    for changes, words in (
        ({"ablation": "shifted"}, "2 sample questions with answers (shifted) before"),
        (
            {"k": 1, "pick": "nearest-turn"},
            "1 sample question with its answer nearest to each message before",
        ),
        ({"demos": replace(DEMOS, demos=(), text="x\n")}, f"the whole text of {DEMOS.name} before"),
    ):
        assert words in describe_lane(replace(shots, **changes), CARDS)
    both = describe_lane(replace(shots, adapter="tuned"), CARDS)
    assert "Tuned <b>" in both
    assert "&lt;b&gt;" in html_labels.placeholder("x", both)


def test_the_model_chip() -> None:
    loading = Status(state="loading", note="Reading <w>", base="a<b", progress=0.25)
    assert 'value="0.250"' in html_labels.model_chip(loading)
    assert "<w>" not in html_labels.model_chip(loading)
    ready = replace(
        loading, state="ready", parameters=2_600_000, device="CPU", precision="float32", context=2048
    )
    chip = re.sub("<[^>]*>", "|", html_labels.model_chip(ready))
    for part in ("a&lt;b", "2.6M parameters", "CPU, float32", "context 2,048"):
        assert f"|{part}|" in chip
    assert "Reading" in html_labels.model_chip(replace(loading, state="failed"))


@pytest.mark.parametrize(
    ("number", "words"),
    [(7, "7"), (635_000, "635k"), (999_600, "1.0M"), (2_600_000, "2.6M"), (7_241_000_000, "7.2B")],
)
def test_large_numbers(number: int, words: str) -> None:
    assert format_large(number) == words


def test_a_continued_answer_counts_the_added_tokens_and_all() -> None:
    reply = Reply(text="more", finish="stop", new_tokens=19, prompt_tokens=1099)
    assert ">19 tokens<" in html_labels.status_line(reply)
    line = html_labels.status_line(reply, before=1029)
    assert ">done</span><span>19 more tokens (1,048 in all)<" in line
    assert ">prompt 1,099 tokens<" in line
    one = replace(reply, new_tokens=1)
    assert "1 more token (30 in all)" in html_labels.pace_words(one, before=29)
