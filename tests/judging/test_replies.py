"""Tests for parsing judge replies: a table of phrasings, and property-based tests."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from playground.judging.calls import reread_call
from playground.judging.parse.reply import read_reply
from playground.judging.parse.structured import find_objects, remove_thinking
from playground.rubrics.rubric import neutral
from playground.types import JudgeCall
from playground.types.text import fold
from tests.helpers.paths import TESTS
from tests.helpers.rubrics import FASTCHAT, RUBRICS

TABLE = [
    json.loads(line) for line in (TESTS / "data" / "judge_replies.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize(("kind", "text", "value"), TABLE)
def test_a_wording_is_read_as_in_the_table(kind: str, text: str, value: str | float | None) -> None:
    reading = read_reply(RUBRICS[kind], text)
    found = reading.letter if kind == "pairwise" else reading.score
    assert (found, reading.error is None) == (value, value is not None), reading.error
    if reading.error:
        assert reading.error.endswith(".")
        assert "\n" not in reading.error


def test_the_table_is_large_and_covers_all_outcomes() -> None:
    values = {(kind, value) for kind, _, value in TABLE if kind == "pairwise"}
    assert len(TABLE) >= 300
    assert len({text for _, text, _ in TABLE}) == len(TABLE)
    assert values == {("pairwise", value) for value in ("A", "B", "tie", None)}


# --- Properties -----------------------------------------------------------------------------------

PIECES = [
    "A", "B", "a tie", "Verdict", "Verdict:", "Verdict: A", "Verdict: B, because", "my score: 3",
    "Rating: 9/10", "A is better than B.", "[A]", "[8]", "[1, 2]", "{", "}", '{"a": 1}', '"', "'", "**", "`",
    "```json", "<b>", "<think>", "\n", "\n\n", " ", ": ", "/10", "-", "\u5e73\u5c40", "\uff1a",
    "unentschieden", "100%", "7-8", "\\",
]  # fmt: skip
FORMS = ("[[", "\uff3b\uff3b", "\u3010\u3010", "]]", '"verdict"', '"score"', "think>")
PROSE = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)).filter(
    lambda text: not any(form in text for form in FORMS)
)

# Text right after a form that makes it a range, a choice or a share: `[[8]]-9`, `[[A]]/B`, `[[8]]%`.
RANGE = re.compile(r"\W*[-/|&~\u2013-\u2015\u2026.]\W*(?:A|B|C|a tie|tie)|\W*(?:or|ou|and|et|vs)(?!\w)")
SCORE_RANGE = re.compile(
    r"(?!\s*/10(?![.,]?\d))"
    r"\W*?(?:[-/|&~\u2013-\u2015\u2026.,+%\u2030\u00b1\u00bc-\u00be]|1/2|to |or |ish|percent)"
)


@settings(max_examples=300, deadline=None)
@given(before=PROSE, after=PROSE, letter=st.sampled_from(["A", "B", "tie"]))
def test_a_candidate_in_the_rubrics_form_is_read_whatever_surrounds_it(
    before: str, after: str, letter: str
) -> None:
    assume(not RANGE.match(fold(after)))
    for text in (
        f"{before}\nVerdict: [[{letter}]]\n{after}",
        f"{before} Verdict: [[{letter}]] {after}",
        f"{before}[[{letter}]]{after}",
    ):
        assert read_reply(RUBRICS["pairwise"], text).letter == letter
        fastchat = "C" if letter == "tie" else letter
        text = text.replace(f"[[{letter}]]", f"[[{fastchat}]]")
        assert read_reply(FASTCHAT["pairwise"], text).letter == letter


@settings(max_examples=300, deadline=None)
@given(before=PROSE, after=PROSE, score=st.integers(1, 10))
def test_a_score_in_the_rubrics_form_is_read_whatever_surrounds_it(
    before: str, after: str, score: int
) -> None:
    assume(not SCORE_RANGE.match(fold(after)))
    for text in (f"{before}\nScore: [[{score}]]\n{after}", f"{before}Score: [[{score}]]{after}"):
        assert read_reply(RUBRICS["single"], text).score == score
        assert read_reply(FASTCHAT["single"], text.replace("Score", "Rating")).score == score


@settings(max_examples=200, deadline=None)
@given(before=PROSE, after=PROSE, letter=st.sampled_from(["A", "B", "tie"]), reasons=st.text(max_size=60))
def test_json_is_read_whatever_surrounds_it(before: str, after: str, letter: str, reasons: str) -> None:
    text = f"{before}\n{json.dumps({'reasons': reasons, 'verdict': letter})}\n{after}"
    assert read_reply(RUBRICS["pairwise"], text).letter == letter


@settings(max_examples=200, deadline=None)
@given(before=PROSE, between=PROSE, after=PROSE)
def test_two_different_candidates_in_one_line_are_never_guessed_at(
    before: str, between: str, after: str
) -> None:
    between = between.replace("\n", " ").replace(":", "").replace("\uff1a", "")
    for form in ("[[A]]{}[[B]]", "Verdict: [[A]]{}[[B]]", "Verdict: [[tie]]{}, no, [[A]]"):
        assert read_reply(RUBRICS["pairwise"], f"{before}{form.format(between)}{after}x").letter is None


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    for rubric in (*RUBRICS.values(), *FASTCHAT.values()):
        reading = read_reply(rubric, text or "x")
        assert (reading.error is None) == bool(reading.letter or reading.score or reading.aspects)


@pytest.mark.parametrize(("kind", "text", "value"), [row for row in TABLE if "think>" not in row[1]])
def test_a_wording_in_an_answer_is_not_read_as_the_judges(
    kind: str, text: str, value: str | float | None
) -> None:
    """A judge that quotes an answer in which some form of a verdict was rewritten."""
    quoted = f"The answer says: {neutral(text)}\nThat is all."
    reading = read_reply(RUBRICS[kind], quoted)
    assert (reading.letter, reading.score) == (None, None)
    letter, score = ("B", None) if kind == "pairwise" else (None, 7)
    form = "Verdict: [[B]]" if kind == "pairwise" else "Score: [[7]]"
    reading = read_reply(RUBRICS[kind], f"{quoted}\n\n{form}")
    assert (reading.letter, reading.score) == (letter, score)


# --- Forms ----------------------------------------------------------------------------------------


def test_fastchats_rubrics_have_their_own_form_only() -> None:
    pair, single = FASTCHAT["pairwise"], FASTCHAT["single"]
    assert read_reply(pair, "[[C]]").letter == "tie"
    assert read_reply(pair, 'As told, my verdict is "[[A]]".').letter == "A"
    assert read_reply(pair, "Verdict: A").letter is None
    assert read_reply(pair, '{"verdict": "A"}').letter is None
    assert read_reply(single, "Rating: [[5]]").score == 5
    assert read_reply(single, "Rating: [7.5]").score == 7.5
    assert read_reply(single, "It quotes [1] and [2].").score is None
    assert read_reply(single, "Rating: 5").score is None


def aspects(score: object) -> str:
    names = RUBRICS["aspects"].aspects
    return "\n".join(f"{name}: [[{score}]]" for name in names)


def test_aspects_follow_the_same_order() -> None:
    rubric = RUBRICS["aspects"]
    good = json.dumps({name: {"reason": "r", "score": 4} for name in rubric.aspects})
    for text in (
        f"<think>maybe {{4}}</think>\n{good}",
        f"{good}\nHope this helps.",
        f"```json\n{good}\n```\n{aspects(4)}",
        json.dumps({"scores": json.loads(good)}),
        json.dumps({name.upper(): 4 for name in rubric.aspects}),
        aspects(4),
        aspects("4/5"),
        f"{aspects(2)}\n\nOn reflection I was too strict.\n\n{aspects(4)}",
    ):
        assert {aspect.score for aspect in read_reply(rubric, text).aspects} == {4}, text
    for text in (
        f"{good} {good.replace('4', '3')}",
        f"```json\n{good}\n```\n{aspects(2)}",
        aspects(4).replace("depth: [[4]]", "depth: [[4]]-5"),
        aspects(4).replace("depth: [[4]]", "depth: [[4]] or 5"),
        aspects(4).replace("depth: [[4]]", "depth: ~[[4]]"),
        good.replace("4", "9"),
        aspects("3-4"),
        aspects("6"),
        aspects(4).replace("depth: [[4]]", "depth: [[4]] or [[3]]"),
        aspects(4).replace("depth: [[4]]", ""),
    ):
        assert read_reply(rubric, text).aspects == (), text
    mixed = read_reply(rubric, aspects(4).replace("depth: [[4]]", "**Depth:** [[N/A]]")).aspects
    assert [aspect.name for aspect in mixed if aspect.score is None] == ["depth"]


def test_the_reason_is_the_text_before_the_verdict_without_thinking() -> None:
    text = "<think>hidden</think>A is right.\n\nVerdict: [[A]]"
    assert read_reply(RUBRICS["pairwise"], text).reason == "A is right."
    assert read_reply(RUBRICS["pairwise"], '{"reasons": " r ", "verdict": "A"} bye').reason == "r"


def test_a_reply_that_is_all_thinking_says_so() -> None:
    reading = read_reply(RUBRICS["single"], "<think>It is an 8.")
    assert reading.error == "The reply contains only the judge's thinking and no verdict."


@pytest.mark.parametrize(
    "piece",
    ['{"a":', '{"a": "', '{"', "[[A]] ", "[[", "Score: 1. ", "Verdict: A\n", "<think>", "</think>",
     '\\"', ", ", "[[A]]\n", "<think></think>", '{"score": ', "\uff3b\uff3b"],
)  # fmt: skip
def test_a_long_reply_is_read_in_time(piece: str) -> None:
    text = (piece * 250_000)[:250_000]
    started = time.monotonic()
    for rubric in RUBRICS.values():
        read_reply(rubric, text)
    neutral(text)
    assert time.monotonic() - started < 10


def test_objects_are_found_in_order_and_not_inside_others() -> None:
    assert find_objects('x {"a": {"b": 1}} y {"c": 2}') == [{"a": {"b": 1}}, {"c": 2}]
    assert find_objects("{a}") == []
    assert remove_thinking("a<think>b<think>c</think>d") == "ad"


def test_a_recorded_reply_is_read_by_todays_rules() -> None:
    misread = JudgeCall(shown=(1, 0), outcome="win", winner=1, raw="My final verdict: a tie")
    reread = reread_call(RUBRICS["pairwise"], misread)
    assert reread is not None
    assert (reread.outcome, reread.winner) == ("tie", None)
    unclear = JudgeCall(shown=(0,), outcome="scored", score=7.0, raw="Score: [[7-8]]")
    assert reread_call(RUBRICS["single"], unclear) is None
    good = JudgeCall(shown=(1, 0), outcome="win", winner=1, reason="Yes.", raw="Yes.\nVerdict: [[A]]")
    assert reread_call(RUBRICS["pairwise"], good) == good
