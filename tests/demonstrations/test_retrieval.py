"""Tests for selecting the demonstrations nearest to a message with BM25."""

from __future__ import annotations

import re

import pytest

from playground.aligners import urial
from playground.aligners.urial import Aligner
from playground.demonstrations.families import head
from playground.demonstrations.retrieval import nearest
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.types import Demo, DemoSet, InputError, Message, to_json

QUERIES = (
    "What is the capital of Italy?",
    "How many legs does a spider have?",
    "What is the opposite of hot?",
    "Which city is the capital of Japan?",
    "Name three colours.",
)
DEMOS = DemoSet(
    name="x",
    instruction="Answer.",
    demos=tuple(Demo(query=query, answer=f"{number}") for number, query in enumerate(QUERIES, 1)),
)


def user(*texts: str) -> list[Message]:
    """A conversation of these questions, each but the last answered with "Yes."."""
    messages = [m for text in texts for m in (Message(role="user", text=text), YES)]
    return messages[:-1]


YES = Message(role="assistant", text="Yes.")


def test_the_nearest_comes_last_and_says_why() -> None:
    choices = nearest(DEMOS, "What is the capital city of Spain?", 3)
    assert [choice.number for choice in choices] == [2, 1, 4], "without a shared word, the set's order"
    assert [choice.words for choice in choices] == [(), ("capital",), ("capital", "city")]
    assert choices[0].score == 0
    assert [c.score for c in choices] == sorted(c.score for c in choices)


@pytest.mark.parametrize("message", ["", "???", "the of and", "zzz unknown"])
def test_a_message_that_shares_nothing_takes_the_first(message: str) -> None:
    assert [choice.number for choice in nearest(DEMOS, message, 2)] == [2, 1]


def test_queries_without_words_are_no_error() -> None:
    empty = DemoSet(
        name="x", instruction="", demos=(Demo(query="the", answer="a"), Demo(query="", answer="b"))
    )
    assert [choice.number for choice in nearest(empty, "capital", 2)] == [2, 1]


def test_a_lane_chooses_once_or_at_every_turn() -> None:
    first, second = "What is the capital of Spain?", "How many legs does a dog have?"
    once = Aligner(demos=DEMOS, k=1, pick="nearest")
    each = Aligner(demos=DEMOS, k=1, pick="nearest-turn")
    for aligner, number in ((once, 1), (each, 2)):
        text = aligner(user(first, second)).text
        chosen = DEMOS.with_changes(demos=(DEMOS.demos[number - 1],))
        assert text.startswith(head(chosen))
        assert [choice.number for choice in aligner.select_demonstrations(user(first, second))] == [number]
    assert once(user(first)).text == each(user(first)).text


def test_the_record_gives_the_same_lane_back() -> None:
    aligner = Aligner(demos=DEMOS, k=2, pick="nearest")
    again = Aligner.from_json(to_json(aligner))
    assert again == aligner
    assert again(user("Which city is it?")) == aligner(user("Which city is it?"))


def test_lanes_from_the_command_line() -> None:
    library = Library(base="x", demo_sets={"x": DEMOS, "general-3": DEMOS})
    lane = parse_lane("urial:demos=x,k=2,pick=nearest,ablation=shifted", library).aligner
    prompt = lane(user("What is the capital of Spain?")).text
    # The two about capitals, the nearest last, each with the other's answer.
    assert re.findall("(?:capital of )?(Italy|Japan|[14])\\b", prompt) == ["Japan", "1", "Italy", "4"]
    assert isinstance(lane, urial.Aligner)
    assert lane.summary == "2 sample questions with answers nearest to the first message (shifted)"
    for spec, part in (
        ("urial:demos=x,pick=nearest", "set k to at least 1"),
        ("urial:demos=x,k=2,pick=best", "choose one of first, nearest, nearest-turn"),
        ("urial:demos=x,k=2,pick=nearest,ablation=other,other=x", "only works with pick=first"),
    ):
        with pytest.raises(InputError, match=part):
            parse_lane(spec, library)
