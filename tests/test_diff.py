"""Tests for text diffs: completeness, correctness and bounded running time."""

from __future__ import annotations

import random
from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import diff as module
from playground.diff import diff, is_word, tokens

wordy = st.lists(
    st.sampled_from(
        ["the", "The", "cat", "dog", "don't", "3.14", " ", " ", "  ", "\n", ".", ",", "?!", "好", "ไ\u0e49"]
    )
).map("".join)
texts = wordy | st.text(max_size=60)


def joined(stretches: Iterable[tuple[str, str]], *marks: str) -> str:
    return "".join(text for text, mark in stretches if mark in marks)


def only(stretches: Iterable[tuple[str, str]]) -> list[str]:
    return [text for text, mark in stretches if mark == "only"]


@given(texts, texts)
def test_stretches_make_the_texts_and_what_is_the_same_is_the_same(left: str, right: str) -> None:
    found = diff(left, right)
    for side, text in ((found.left, left), (found.right, right)):
        assert joined(side, "same", "only") == text
        assert all(stretch for stretch, _ in side)
        assert all(before[1] != after[1] for before, after in pairwise(side))
    assert joined(found.left, "same") == joined(found.right, "same")
    assert 0 <= found.similarity <= 1


@given(texts)
def test_a_text_equals_itself(text: str) -> None:
    found = diff(text, text)
    assert only(found.left) == only(found.right) == []
    assert found.similarity == 1


@given(texts, texts)
def test_the_share_is_that_of_the_words_in_what_is_the_same(left: str, right: str) -> None:
    found = diff(left, right)
    words = sum(is_word(token) for text in (left, right) for token in tokens(text))
    shared = sum(is_word(token) for token in tokens(left))
    shared -= sum(is_word(token) for stretch in only(found.left) for token in tokens(stretch))
    if words:
        assert found.similarity == 2 * shared / words


@given(texts)
def test_tokens_make_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text
    assert all(tokens(text))


def test_words() -> None:
    found = tokens("Don't say 1,000.5 or rock 'n' roll, naïve e\u0301! 你好 \u0e19\u0e49\u0e33")
    assert [token for token in found if is_word(token)] == [
        *("Don't", "say", "1,000.5", "or", "rock", "n", "roll", "naïve", "e\u0301", "你", "好"),
        *("\u0e19\u0e49", "\u0e33"),
    ]


PAIRS = {
    "a word": ("The red cat sleeps.", "The black cat sleeps.", ["red"], ["black"]),
    "a word more": ("I like tea.", "I like green tea.", [], ["green "]),
    "case": ("The cat", "the cat", ["The"], ["the"]),
    "a sign": ("Paris.", "Paris!", ["."], ["!"]),
    "a line": ("one two", "one\ntwo", [" "], ["\n"]),
    "code": ("x = 1", "x == 1", [], ["="]),
    "a list's end": ("museums and cafes.", "museums, cafes, and cafes.", [], [", cafes,"]),
    "nothing in common": ("Yes", "No way", ["Yes"], ["No way"]),
    "nothing": ("", "Paris", [], ["Paris"]),
    "both nothing": ("", "", [], []),
    "another order": ("The capital of France is Paris", "Paris is the capital of France",
                      ["The", " is Paris"], ["Paris is the"]),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_what_differs_is_marked(name: str) -> None:
    left, right, only_left, only_right = PAIRS[name]
    found = diff(left, right)
    assert (only(found.left), only(found.right)) == (only_left, only_right)


def test_a_phrase_is_found_before_a_single_word() -> None:
    left = "Paris, which lies on the Seine, is the capital of France and its largest city."
    right = "The capital of France and its largest city, Paris, has two airports."
    found = diff(left, right)
    assert (" capital of France and its largest city.", "same") in found.left
    assert found.similarity > 0.5


def test_long_texts_are_compared_by_sentences_first_and_by_words_between_them() -> None:
    dice = random.Random(0)
    lines = [" ".join(f"w{dice.randrange(400)}" for _ in range(12)) + "." for _ in range(600)]
    changed = list(lines)
    changed[100] = changed[100].replace("w", "v", 1)
    del changed[300]
    found = diff(" ".join(lines), " ".join(changed))
    assert [len(text.split()) for text in only(found.left)] == [1, 12]
    assert [len(text.split()) for text in only(found.right)] == [1]
    assert found.similarity > 0.99


HOSTILE = {
    "one word": ("b " + "a " * 50_000 + "c", "d " + "a " * 40_000 + "e"),
    "two words": ("a b " * 30_000 + "x", "b a " * 30_000 + "y"),
    "lines": ("a\nb\n" * 30_000 + "x", "b\na\n" * 30_000 + "y"),
    "signs": ("!?" * 50_000, "?!" * 50_000),
    "white space": ("\n " * 50_000, " \n" * 50_000),
    "marks": ("\u0301" * 50_000, "a\u0301" * 50_000),
    "apostrophes": ("a'" * 50_000, "'a" * 50_000),
    "reversed": (" ".join(map(str, range(20_000))), " ".join(map(str, range(20_000, 0, -1)))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_take_no_more_than_the_budget(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts what difflib is really asked for: places of one text by equal places of the other."""
    steps = []
    whole = SequenceMatcher.find_longest_match

    def counted(self: Any, i_low: int, i_high: int, j_low: int, j_high: int) -> Any:
        steps.append(sum(1 + len(self.b2j.get(item, ())) for item in self.a[i_low:i_high]))
        return whole(self, i_low, i_high, j_low, j_high)

    monkeypatch.setattr(SequenceMatcher, "find_longest_match", counted)
    left, right = HOSTILE[name]
    found = diff(left, right)
    assert sum(steps) <= module.WORK
    assert joined(found.left, "same", "only") == left
    assert joined(found.right, "same", "only") == right
    assert joined(found.left, "same") == joined(found.right, "same")


def test_what_both_begin_and_end_with_needs_no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORK", 0)
    found = diff("one two red three four", "one two blue three four")
    assert (only(found.left), only(found.right)) == (["red"], ["blue"])
    assert only(diff("a b c d", "c x a y").left) == ["a b c d"]
