"""Tests for judge models over a socket: server errors, answer order, caching, budgets and cancellation."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from playground.judging.client import without_key
from playground.judging.cost import JudgeBudget
from playground.secret import Secret
from playground.store import UNJUDGED
from playground.types import Conversation, InputError, Verdict
from tests.helpers.judge_models import (
    KEY,
    Serve,
    judged,
    model,
    put,
    says,
    sent_parameters,
    sentence,
    text_only,
)
from tests.helpers.judge_server import Asked, Behave, Body
from tests.helpers.judging import chat, judge, own_words, request, session
from tests.helpers.paths import ROOT
from tests.helpers.waiting import until

# --- Verdicts -------------------------------------------------------------------------------------


def test_a_comparison_is_asked_in_both_orders_and_both_are_kept(tmp_path: Path, serve: Serve) -> None:
    def say(asked: Asked, body: Body) -> None:
        first = body["messages"][1]["content"].index("mine")
        second = body["messages"][1]["content"].index("other")
        asked.say(f"The better one is clear.\n\nVerdict: [[{'A' if first < second else 'B'}]]")

    server = serve(text_only(say))
    verdict, *_ = judged(
        tmp_path, server, answer=lambda request: "mine" if request.prompt.adapter else "other"
    )
    assert (verdict.outcome, verdict.winner, verdict.error) == ("win", 1, None)
    assert [game.shown for game in verdict.calls] == [(0, 1), (1, 0)]
    assert [game.winner for game in verdict.calls] == [1, 1]
    assert [game.reason for game in verdict.calls] == ["The better one is clear."] * 2
    assert {(game.prompt_tokens, game.new_tokens, game.cached) for game in verdict.calls} == {
        (100, 20, False)
    }
    asked = [body for body in server.bodies if "response_format" not in body]
    for game in verdict.calls:
        said = [{"role": role, "content": text} for role, text in game.messages]
        assert game.parameters is not None
        assert {"model": "judge", "messages": said, **json.loads(game.parameters)} in asked
    assert asked[0]["temperature"] == 0
    assert asked[0]["seed"] == 0
    for name in ("base", "pocket-ift", "urial"):
        assert name not in json.dumps([game.messages for game in verdict.calls])


def test_a_judge_that_prefers_a_place_is_inconsistent_and_a_tie(tmp_path: Path, serve: Serve) -> None:
    verdict, *_ = judged(tmp_path, serve(says("Verdict: [[A]]")))
    assert (verdict.outcome, verdict.winner) == ("inconsistent", None)
    assert [game.winner for game in verdict.calls] == [0, 1]


def test_two_ties_are_a_tie(tmp_path: Path, serve: Serve) -> None:
    verdict, *_ = judged(tmp_path, serve(says("Both alike.\nVerdict: [[tie]]")))
    assert (verdict.outcome, verdict.winner) == ("tie", None)


def test_a_schema_is_kept_to_where_the_server_can(tmp_path: Path, serve: Serve) -> None:
    def behave(asked: Asked, body: Body) -> None:
        schema = body["response_format"]["json_schema"]
        assert schema["strict"] is True
        assert list(schema["schema"]["properties"]) == ["reasons", "score"]
        asked.say('{"reasons": "It says \\"[[1]]\\" and {x}.", "score": 8}')

    verdict, *_ = judged(tmp_path, serve(behave), "single")
    assert (verdict.outcome, verdict.scores, verdict.scale) == ("scored", (8.0, 8.0), (1.0, 10.0))
    assert verdict.calls[0].reason == 'It says "[[1]]" and {x}.'


def test_a_server_without_schemas_is_asked_for_a_last_line_and_remembered(
    tmp_path: Path, serve: Serve
) -> None:
    server = serve(says("Fine.\nScore: [[7]]"))
    verdict, talk, conversation = judged(tmp_path, server, "single", lanes=[0])
    assert verdict.scores == (7.0,)
    assert "response_format" in server.bodies[0]
    assert "Score: [[7]]" in server.bodies[1]["messages"][0]["content"]
    judge(talk, conversation, 0, "single", model(server), lanes=[1], samples=2).wait(20)
    assert ["response_format" in body for body in server.bodies[2:]] == [False, False]


def test_a_server_that_takes_less_is_asked_for_less_and_the_record_says_so(
    tmp_path: Path, serve: Serve
) -> None:
    """As models that reason: no temperature, no seed, and another name for the limit."""

    def behave(asked: Asked, body: Body) -> None:
        if "max_tokens" in body:
            asked.fail(400, "Unsupported parameter: 'max_tokens'; use 'max_completion_tokens'.")
        elif "temperature" in body:
            asked.fail(400, "Unsupported value: 'temperature' does not support 0.")
        else:
            asked.say('{"reasons": "r", "score": 5}')

    verdict, *_ = judged(tmp_path, serve(behave), "single", lanes=[0])
    assert verdict.scores == (5.0,)
    sent = sent_parameters(verdict)
    assert sent["max_completion_tokens"] == 2048
    assert not {"temperature", "max_tokens"} & set(sent)


ASPECTS = ("helpfulness", "clarity", "factuality", "depth", "engagement", "safety")


def test_aspects_are_scored_and_what_does_not_apply_has_no_score(tmp_path: Path, serve: Serve) -> None:
    lines = "\n".join(f"{name}: [[{'n/a' if name == 'depth' else 4}]]" for name in ASPECTS)
    verdict, *_ = judged(tmp_path, serve(says(f"Reasons.\n\n{lines}")), "aspects", lanes=[0])
    assert [aspect.name for aspect in verdict.aspects[0]] == list(ASPECTS)
    assert {aspect.name: aspect.score for aspect in verdict.aspects[0]}["depth"] is None
    assert verdict.scores == (4.0,)  # of five aspects, not of six with one at its best or worst


def test_aspects_by_schema(tmp_path: Path, serve: Serve) -> None:
    reply = {name: {"reason": f"{name}!", "score": None if name == "safety" else 3} for name in ASPECTS}
    verdict, *_ = judged(
        tmp_path, serve(lambda asked, body: asked.say(json.dumps(reply))), "aspects", lanes=[0]
    )
    assert verdict.aspects[0][0].reason == "helpfulness!"
    assert verdict.aspects[0][-1].score is None


def test_an_aspect_that_is_missing_is_no_score(tmp_path: Path, serve: Serve) -> None:
    lines = "\n".join(f"{name}: [[4]]" for name in ASPECTS[:-1])
    verdict, *_ = judged(tmp_path, serve(says(lines)), "aspects", lanes=[0])
    assert (verdict.outcome, verdict.scores, verdict.aspects) == ("unparsable", (None,), ((),))


def test_samples_are_drawn_with_one_seed_after_the_other_in_both_orders(tmp_path: Path, serve: Serve) -> None:
    def say(asked: Asked, body: Body) -> None:
        # One of three samples goes the other way.
        mine_first = body["messages"][1]["content"].index("mine") < body["messages"][1]["content"].index(
            "other"
        )
        asked.say(f"Verdict: [[{'A' if mine_first != (body['seed'] == 1) else 'B'}]]")

    server = serve(text_only(say))
    verdict, *_ = judged(
        tmp_path, server, answer=lambda r: "mine" if r.prompt.adapter else "other", samples=3
    )
    assert (verdict.outcome, verdict.winner) == ("win", 1)
    asked = [body for body in server.bodies if "response_format" not in body]
    assert sorted(body["seed"] for body in asked) == [0, 0, 1, 1, 2, 2]
    assert {body["temperature"] for body in asked} == {0.7}
    assert [game.shown for game in verdict.calls] == [(0, 1)] * 3 + [(1, 0)] * 3


def test_a_later_turn_is_seen_in_its_conversation(tmp_path: Path, serve: Serve) -> None:
    server = serve(says("Score: [[6]]"))
    verdict, talk, conversation = judged(
        tmp_path, server, "single", messages=("First?", "Second?", "Third?"), lanes=[0]
    )
    system, user = (text for _, text in verdict.calls[0].messages)
    assert "last answer alone" in system
    assert re.findall(r"BEGIN (QUESTION \d|ANSWER \d)", user) == [
        f"{what} {turn}" for turn in (1, 2, 3) for what in ("QUESTION", "ANSWER")
    ]
    whole = judge(talk, conversation, 2, "single", model(server), lanes=[0], scope="conversation").wait(20)
    assert "over the whole of it" in whole.calls[0].messages[0][1]


# --- Faults ---------------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Behave, str]] = {
    "401": (
        lambda a, b: a.fail(401, f"Incorrect API key provided: {KEY}"),
        "does not accept the API key (401)",
    ),
    "403": (
        lambda a, b: a.fail(403, f"Key {KEY} is not allowed"),
        "does not allow this API key to use judge (403)",
    ),
    "404": (lambda a, b: a.fail(404, "no such model"), "has no model 'judge' (404)"),
    "400": (lambda a, b: a.fail(400, f"too long for {KEY}"), "(400) (too long for (key)): shorten it"),
    "429": (lambda a, b: a.fail(429, "slow down"), "is rate-limiting requests (429) (slow down)"),
    "500": (lambda a, b: a.fail(500, "oops"), "reported a server error (500) (oops)"),
    "503": (lambda a, b: a.send(b"<html>busy</html>", 503), "reported a server error (503)"),
    "reset in mid-body": (lambda a, b: a.reset(), "cannot be reached or closed the connection"),
    "silence": (lambda a, b: a.silence(), "did not respond within 1 s"),
    "invalid JSON": (lambda a, b: a.send(b'{"choices": [{"mess'), "did not send a valid chat completion"),
    "no object": (lambda a, b: a.send([1, 2]), "did not send a valid chat completion"),
    "an object of another kind": (
        lambda a, b: a.send({"hello": KEY}),
        "did not send a valid chat completion",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_call_that_fails_is_a_failure_in_one_sentence(tmp_path: Path, serve: Serve, fault: str) -> None:
    behave, said = FAULTS[fault]
    silent: dict[str, Any] = {"timeout": 1, "retries": 0} if fault == "silence" else {}
    started = time.monotonic()
    verdict, talk, conversation = judged(tmp_path, serve(behave), **silent)
    assert time.monotonic() - started < 10
    assert said in sentence(verdict.error)
    assert (verdict.outcome, verdict.winner, verdict.scores) == ("failed", None, ())
    assert all(game.outcome == "failed" and game.raw is None for game in verdict.calls)
    # The conversation continues, and the judge can be asked again.
    *_, longer = talk.send(conversation, "And?")
    assert len(longer.turns) == 2


def test_a_server_that_is_not_there_is_a_failure_in_one_sentence(tmp_path: Path, serve: Serve) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    verdict, *_ = judged(tmp_path, f"http://127.0.0.1:{port}/v1")
    assert verdict.outcome == "failed"
    assert f"http://127.0.0.1:{port}/v1 cannot be reached" in sentence(verdict.error)


def test_a_server_that_is_busy_is_asked_again_when_it_said(tmp_path: Path, serve: Serve) -> None:
    times: list[float] = []

    def behave(asked: Asked, body: Body) -> None:
        times.append(time.monotonic())
        if asked.number == 1:
            asked.fail(429, "slow down", Retry_After="1")
        else:
            asked.say('{"reasons": "r", "score": 9}')

    verdict, *_ = judged(tmp_path, serve(behave), "single", lanes=[0])
    assert verdict.scores == (9.0,)
    assert times[1] - times[0] >= 1


def test_a_server_that_recovers_is_not_a_failure(tmp_path: Path, serve: Serve) -> None:
    def behave(asked: Asked, body: Body) -> None:
        if asked.number <= 2:
            asked.fail(503)
        else:
            asked.say('{"reasons": "r", "score": 9}')

    verdict, *_ = judged(tmp_path, serve(behave), "single", lanes=[0])
    assert verdict.scores == (9.0,)


UNUSUAL: dict[str, tuple[str | None, dict[str, Any], str, str]] = {
    "no verdict": ("Both are fine, I suppose.", {}, "unparsable", "contains no verdict"),
    "empty": ("", {}, "empty", "reply is empty"),
    "white space": (" \n ", {}, "empty", "reply is empty"),
    "null": (None, {}, "empty", "reply is empty"),
    "cut off": (
        "If A is better I say [[A]], and",
        {"finish_reason": "length"},
        "cut",
        "cut off at its token limit",
    ),
    "content filter": ("Verd", {"finish_reason": "content_filter"}, "refused", "content filter"),
    "refusal": (None, {"refusal": "I will not."}, "refused", "refused to give a verdict"),
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_an_unusual_reply_is_an_outcome_of_its_own_with_the_raw_text(
    tmp_path: Path, serve: Serve, case: str
) -> None:
    text, fields, outcome, said = UNUSUAL[case]
    verdict, *_ = judged(tmp_path, serve(says(text, **fields)))
    assert (verdict.outcome, verdict.winner) == (outcome, None)
    assert said in sentence(verdict.error)
    raw = fields.get("refusal") or text
    assert [game.raw for game in verdict.calls] == [raw, raw]
    assert all(game.prompt_tokens == 100 for game in verdict.calls)  # it was paid for all the same


def test_a_reply_without_choices_is_empty(tmp_path: Path, serve: Serve) -> None:
    verdict, *_ = judged(tmp_path, serve(lambda asked, body: asked.send({"choices": [], "usage": None})))
    assert verdict.outcome == "empty"
    assert "no choice" in sentence(verdict.error)


def test_one_lane_without_a_score_does_not_hide_the_other(tmp_path: Path, serve: Serve) -> None:
    def say(asked: Asked, body: Body) -> None:
        asked.say("Hm." if "mine" in body["messages"][1]["content"] else "Score: [[8]]")

    verdict, *_ = judged(
        tmp_path, serve(text_only(say)), "single", answer=lambda r: "mine" if r.prompt.adapter else "other"
    )
    assert verdict.scores == (8.0, None)
    assert verdict.outcome == "unparsable"
    assert [game.outcome for game in verdict.calls] == ["scored", "unparsable"]


def test_one_order_that_fails_leaves_no_winner(tmp_path: Path, serve: Serve) -> None:
    def say(asked: Asked, body: Body) -> None:
        content = body["messages"][1]["content"]
        if content.index("mine") < content.index("other"):
            asked.say("Verdict: [[A]]")
        else:
            asked.say("I cannot tell.")

    verdict, *_ = judged(
        tmp_path, serve(text_only(say)), answer=lambda r: "mine" if r.prompt.adapter else "other"
    )
    assert (verdict.outcome, verdict.winner) == ("unparsable", None)
    assert sorted(game.outcome for game in verdict.calls) == ["unparsable", "win"]


def test_an_answer_of_100_000_characters_is_sent_whole(tmp_path: Path, serve: Serve) -> None:
    server = serve(says("Score: [[2]]"))
    verdict, *_ = judged(tmp_path, server, "single", answer="word " * 20_000, lanes=[0])
    assert verdict.scores == (2.0,)
    assert "word " * 19_999 in server.bodies[-1]["messages"][1]["content"]


def test_the_key_goes_to_its_server_and_nowhere_else(
    tmp_path: Path, serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    server = serve(lambda asked, body: asked.say(f"Your header was Bearer {KEY}. Score: [[3]]"))
    verdict, talk, _ = judged(tmp_path, server, "single", lanes=[0])
    assert server.keys == [f"Bearer {KEY}"]
    assert verdict.calls[0].raw == "Your header was Bearer (key). Score: [[3]]"
    out, err = capfd.readouterr()
    assert KEY not in out + err
    assert KEY not in repr(vars(talk.judges)) + repr(model(server))


def test_what_the_environment_holds_of_openai_goes_to_openai_alone(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", f"env-{name}")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://nowhere.invalid")
    headers: list[dict[str, str]] = []

    def behave(asked: Asked, body: Body) -> None:
        headers.append(dict(asked.headers))
        asked.say('{"reasons": "r", "score": 4}')

    verdict, *_ = judged(tmp_path, serve(behave), "single", lanes=[0], key=None)
    assert verdict.scores == (4.0,)
    assert "env-" not in str(headers)


def test_a_key_does_not_follow_to_another_server(tmp_path: Path, serve: Serve) -> None:
    other = serve(lambda asked, body: asked.say('{"reasons": "r", "score": 4}'))
    there = {"Location": f"{other.url}/chat/completions"}
    judged(tmp_path, serve(lambda asked, body: asked.send({}, 307, there)), "single", lanes=[0])
    assert not any(key and KEY in key for key in other.keys)


def test_no_key_goes_to_an_address_that_was_typed(tmp_path: Path, serve: Serve) -> None:
    server = serve(says("Score: [[3]]"))
    talk = session(tmp_path, judge_key=Secret(KEY), judge_model="judge")
    typed = talk.judge_model(server=server.url)
    assert typed.key is None
    judge(talk, chat(talk, "One?"), 0, "single", typed, lanes=[0]).wait(20)
    assert not any(KEY in (key or "") for key in server.keys)
    assert talk.judge_model().key == Secret(KEY)


def test_without_a_key_it_says_what_is_missing_and_how_to_set_it(tmp_path: Path) -> None:
    talk = session(tmp_path)
    conversation = chat(talk, "One?")
    with pytest.raises(InputError, match=r"No API key is set for gpt-4o.*set OPENAI_API_KEY.*enter a key"):
        judge(talk, conversation, 0, "single", talk.judge_model("gpt-4o"))
    assert talk.verdicts(conversation) == ((),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"server": "ftp://x"}, "must begin with http:// or https://"),
        (
            {"server": "http://u:p@x/v1"},
            "Remove the user name and password from the judge's address http://x/v1",
        ),
        ({"model": " "}, "Enter a judge model, such as gpt-4o"),
    ],
)
def test_a_judge_that_cannot_be_is_refused_in_one_sentence(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        session(tmp_path).judge_model(**{"model": "m"} | changes)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("rubric", "options", "said"),
    [
        ("nothing", {}, "There is no rubric 'nothing': choose one of"),
        ("single-reference", {}, "needs a reference answer, but turn 1 has none"),
        ("pairwise", {"lanes": [0]}, "A comparison needs two lanes"),
        ("single", {"samples": 0}, "The number of samples must be between 1 and 20, not 0"),
        ("single", {"lanes": [4]}, "There is no lane E"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_and_nothing_recorded(
    tmp_path: Path, serve: Serve, rubric: str, options: dict[str, Any], said: str
) -> None:
    server = serve(says("Score: [[3]]"))
    talk = session(tmp_path)
    conversation = chat(talk, "One?")
    with pytest.raises(InputError) as caught:
        judge(talk, conversation, 0, rubric, model(server), **options)
    assert said in str(caught.value)
    assert talk.verdicts(conversation) == ((),)
    assert server.bodies == []


# --- Side by side ---------------------------------------------------------------------------------


def test_judging_does_not_block_chatting_and_continues_by_itself(tmp_path: Path, serve: Serve) -> None:
    go = threading.Event()

    def say(asked: Asked, body: Body) -> None:
        go.wait(20)
        asked.say("Score: [[4]]")

    talk = session(tmp_path)
    conversation = chat(talk, "One?")
    started = time.monotonic()
    judging = judge(talk, conversation, 0, "single", model(serve(text_only(say))))
    assert time.monotonic() - started < 1
    assert [v.outcome for v in talk.verdicts(conversation)[0]] == ["unfinished"]
    assert talk.verdicts(conversation)[0][0].error is None  # it is under way, not left over
    *_, longer = talk.send(conversation, "Two?")
    assert len(longer.turns) == 2
    id = judging.verdict.id
    del judging  # no reference remains
    go.set()
    until(lambda: not talk.judges.running(conversation.id))
    [verdict] = session(tmp_path).verdicts(longer)[0]
    assert (verdict.id, verdict.scores) == (id, (4.0, 4.0))


def test_two_people_judge_the_same_turn_at_once_and_one_pays(tmp_path: Path, serve: Serve) -> None:
    go = threading.Event()

    def say(asked: Asked, body: Body) -> None:
        go.wait(20)
        asked.say("Verdict: [[A]]")

    server = serve(text_only(say))
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?")
    judgings = [judge(talk, conversation, 0, "pairwise", model(server)) for _ in range(2)]
    until(lambda: len(put(server)) == 2)
    go.set()
    assert [judging.wait(20).outcome for judging in judgings] == ["inconsistent", "inconsistent"]
    assert len(put(server)) == 2
    costs = [talk.judge_cost(judging.verdict) for judging in judgings]
    assert (sum(cost.calls for cost in costs), sum(cost.cached for cost in costs)) == (2, 2)
    shown = session(tmp_path).verdicts(conversation)[0]
    assert {verdict.id for verdict in shown} == {judging.verdict.id for judging in judgings}


def test_a_caller_waiting_for_anothers_question_sends_it_when_that_one_stops(
    tmp_path: Path, serve: Serve
) -> None:
    go = threading.Event()
    server = serve(
        text_only(lambda asked, body: asked.say("Score: [[4]]") if go.is_set() else asked.silence())
    )
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?")
    first = judge(talk, conversation, 0, "single", model(server))
    until(lambda: len(put(server)) == 2)
    second, third = (judge(talk, conversation, 0, "single", model(server)) for _ in range(2))
    time.sleep(0.3)
    assert len(put(server)) == 2
    started = time.monotonic()
    third.cancel()
    assert third.wait(10).outcome == "cancelled"
    assert time.monotonic() - started < 1
    go.set()
    first.cancel()
    assert first.wait(10).outcome == "cancelled"
    assert second.wait(10).scores == (4.0, 4.0)
    assert talk.judge_cost(second.verdict).calls == 2


@pytest.mark.parametrize(
    ("reply", "outcome", "scores"),
    [("Score: [[4]]", "scored", (4.0, 4.0)), ("Hm.", "unparsable", (None, None))],
)
def test_answers_that_are_alike_are_asked_about_once(
    tmp_path: Path, serve: Serve, reply: str, outcome: str, scores: tuple[float | None, ...]
) -> None:
    server = serve(says(reply))
    talk = session(tmp_path, "Paris.")
    conversation = chat(talk, "One?")
    before = talk.estimate(request(talk, conversation, 0, "single", model(server)))
    assert (before.calls, before.cached) == (1, 1)
    verdict = judge(talk, conversation, 0, "single", model(server)).wait(20)
    assert (verdict.outcome, verdict.scores) == (outcome, scores)
    assert [(game.shown, game.raw, game.cached) for game in verdict.calls] == [
        ((0,), reply, False),
        ((1,), reply, True),
    ]
    assert len(put(server)) == 1
    cost = talk.judge_cost(verdict)
    assert (cost.calls, cost.cached, cost.prompt_tokens, cost.new_tokens) == (1, 1, 100, 20)


def test_of_answers_that_are_alike_none_is_the_better_one(tmp_path: Path, serve: Serve) -> None:
    server = serve(says("Verdict: [[A]]"))
    verdict, *_ = judged(tmp_path, server)
    assert (verdict.outcome, verdict.winner) == ("inconsistent", None)
    assert [game.winner for game in verdict.calls] == [0, 1]
    assert len(put(server)) == 1


def test_many_judgments_from_many_threads_are_each_recorded_whole(tmp_path: Path, serve: Serve) -> None:
    server = serve(says("Score: [[4]]"))
    talk = session(tmp_path)
    conversations = [chat(talk, f"Question {n}?") for n in range(6)]
    found: list[Verdict] = []

    def work(conversation: Conversation) -> None:
        found.append(judge(talk, conversation, 0, "single", model(server)).wait(30))

    threads = [threading.Thread(target=work, args=(c,)) for c in conversations for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [verdict.scores for verdict in found] == [(4.0, 4.0)] * 12
    assert all(len(session(tmp_path).verdicts(c)[0]) == 2 for c in conversations)


def test_a_judgment_is_cancelled_at_once_and_the_connection_ends(tmp_path: Path, serve: Serve) -> None:
    server = serve(lambda asked, body: asked.silence())
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?")
    judging = judge(talk, conversation, 0, "pairwise", model(server))
    until(lambda: len(server.bodies) == 2)
    started = time.monotonic()
    judging.cancel()
    verdict = judging.wait(10)
    assert time.monotonic() - started < 1
    assert verdict.outcome == "cancelled"
    assert "judge again" in sentence(verdict.error)
    until(lambda: server.left == 2)
    judging.cancel()  # and again, when there is nothing left to stop


def test_cancelling_at_any_moment_ends_it(tmp_path: Path, serve: Serve) -> None:
    server = serve(says("Verdict: [[A]]"))
    talk = session(tmp_path)
    conversation = chat(talk, "One?")
    for pause in (0, 0.001, 0.005, 0.02, 0.1, 0.3):
        judging = judge(talk, conversation, 0, "pairwise", model(server, seed=int(pause * 1000)))
        time.sleep(pause)
        judging.cancel()
        assert judging.wait(5).outcome in ("cancelled", "inconsistent")
        assert judging.done


def test_closing_the_session_stops_what_is_under_way(tmp_path: Path, serve: Serve) -> None:
    talk = session(tmp_path)
    conversation = chat(talk, "One?")
    judge(talk, conversation, 0, "single", model(serve(lambda asked, body: asked.silence())))
    started = time.monotonic()
    talk.close()
    assert time.monotonic() - started < 3
    assert session(tmp_path).verdicts(conversation)[0][0].outcome == "cancelled"


KILLED = """
import time
from tests.helpers.judge_models import model
from tests.helpers.judging import chat, judge, own_words, session
talk = session(__import__("pathlib").Path({folder!r}), own_words)
conversation = chat(talk, "One?")
judging = judge(talk, conversation, 0, "pairwise", model({url!r}))
print(conversation.id, flush=True)
time.sleep(60)
"""


def test_an_app_killed_while_a_judge_is_at_work_leaves_an_unfinished_verdict(
    tmp_path: Path, serve: Serve
) -> None:
    server = serve(lambda asked, body: asked.silence())
    code = KILLED.format(url=server.url, folder=str(tmp_path))
    app = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert app.stdout is not None
    id = app.stdout.readline().strip()
    until(lambda: len(server.bodies) == 2)
    os.kill(app.pid, signal.SIGKILL)
    app.wait(10)
    app.stdout.close()
    talk = session(tmp_path)
    conversation = talk.open(id)
    [left] = talk.verdicts(conversation)[0]
    assert (left.outcome, left.error, left.winner) == ("unfinished", UNJUDGED, None)
    server.behave = says("Verdict: [[tie]]")
    again = judge(talk, conversation, 0, "pairwise", model(server)).wait(20)
    assert again.outcome == "tie"
    assert [v.outcome for v in talk.verdicts(conversation)[0]] == ["unfinished", "tie"]


# --- Cost -----------------------------------------------------------------------------------------


def test_the_same_question_is_not_paid_for_twice_by_any_two_callers(tmp_path: Path, serve: Serve) -> None:
    server = serve(says("Verdict: [[A]]"))
    verdict, talk, conversation = judged(tmp_path, server, answer=own_words)
    asked = len(server.bodies)
    assert talk.estimate(request(talk, conversation, 0, "pairwise", model(server))).calls == 0
    swapped = chat(session(tmp_path, own_words), "One?", lanes=("pocket-ift", "base"))
    again = judge(session(tmp_path), swapped, 0, "pairwise", model(server)).wait(20)
    assert len(server.bodies) == asked
    assert (again.outcome, again.winner) == ("inconsistent", None)
    assert all(game.cached for game in again.calls)
    assert [game.raw for game in again.calls] == [game.raw for game in verdict.calls]
    for changes in ({"seed": 1}, {"model": "other"}, {"temperature": 0.5}, {"max_new_tokens": 99}):
        assert talk.estimate(request(talk, conversation, 0, "pairwise", model(server, **changes))).calls == 2
    assert talk.estimate(request(talk, conversation, 0, "single", model(server))).calls == 2


def test_a_reply_without_a_verdict_is_asked_for_again(tmp_path: Path, serve: Serve) -> None:
    server = serve(says("Hm."))
    verdict, talk, conversation = judged(tmp_path, server, "single", own_words)
    assert verdict.outcome == "unparsable"
    server.behave = says("Score: [[5]]")
    again = judge(talk, conversation, 0, "single", model(server)).wait(20)
    assert again.scores == (5.0, 5.0)
    assert not any(game.cached for game in again.calls)


def test_a_cached_reply_is_of_the_same_texts_in_their_places(tmp_path: Path, serve: Serve) -> None:
    """A winner on record is the same text's, in whatever lane that is now."""

    def say(asked: Asked, body: Body) -> None:
        content = body["messages"][1]["content"]
        asked.say(f"Verdict: [[{'A' if content.index('mine') < content.index('other') else 'B'}]]")

    server = serve(text_only(say))
    verdict, talk, _ = judged(
        tmp_path, server, answer=lambda request: "mine" if request.prompt.adapter else "other"
    )
    assert verdict.winner == 1
    swapped = chat(talk, "One?", lanes=("pocket-ift", "base"))
    again = judge(talk, swapped, 0, "pairwise", model(server)).wait(20)
    assert again.winner == 0
    assert [game.winner for game in again.calls] == [0, 0]
    assert all(game.cached for game in again.calls)


def test_the_cost_is_estimated_before_and_known_after(tmp_path: Path, serve: Serve) -> None:
    server = serve(says("Score: [[5]]"))
    talk = session(tmp_path, own_words, judge_prices=(2.0, 8.0, "USD"))
    conversation = chat(talk, "One?")
    before = talk.estimate(request(talk, conversation, 0, "single", model(server)))
    assert (before.calls, before.cached, before.most_new_tokens) == (2, 0, 2 * 2048)
    verdict = judge(talk, conversation, 0, "single", model(server)).wait(20)
    characters = sum(len(text) for game in verdict.calls for _, text in game.messages)
    assert characters / 4 <= before.prompt_tokens <= characters / 4 * 1.2
    after = talk.judge_cost(verdict)
    assert (after.calls, after.prompt_tokens, after.new_tokens, after.unknown) == (2, 200, 40, 0)
    assert after.price is not None
    assert after.price[0] == pytest.approx((200 * 2 + 40 * 8) / 1e6)
    assert after.price[1] == "USD"
    again = judge(talk, conversation, 0, "single", model(server)).wait(20)
    assert talk.judge_cost(again).calls == 0
    assert talk.judge_cost(again).cached == 2
    assert [c.id for c in talk.list_judged()] == [conversation.id]
    assert before.price is not None
    amount, currency = before.price
    assert currency == "USD"
    assert amount == pytest.approx((before.prompt_tokens * 2 + before.most_new_tokens * 8) / 1e6)
    assert session(tmp_path / "x").judges.settings.judge_prices is None


def test_a_visit_keeps_within_its_budget(tmp_path: Path, serve: Serve) -> None:
    server = serve(says("Score: [[5]]"))
    talk = session(tmp_path, own_words, judge_budget=6000)
    budget = talk.judge_budget()
    conversation = chat(talk, "One?", "Two?")
    judge(talk, conversation, 0, "single", model(server), budget=budget).wait(20)
    assert (budget.used, budget.left) == (240, 5760)  # what the server counted, not what was set aside
    asked = len(server.bodies)
    with pytest.raises(InputError, match="only 5,760 of this session's 6,000 judging tokens are left"):
        judge(talk, conversation, 1, "single", model(server), samples=3, budget=budget)
    assert len(server.bodies) == asked
    assert budget.used == 240
    own = model(server, own_key=True)
    assert judge(talk, conversation, 1, "single", own, samples=3, budget=budget).wait(20).scores
    assert budget.used == 240
    cached = judge(talk, conversation, 0, "single", model(server), budget=budget).wait(20)
    assert cached.calls[0].cached
    assert budget.used == 240


def test_two_at_once_cannot_overspend_a_budget(tmp_path: Path, serve: Serve) -> None:
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?")
    server = serve(lambda asked, body: asked.silence())
    most = talk.estimate(request(talk, conversation, 0, "single", model(server))).most_tokens
    budget = JudgeBudget(most + 10)
    judging = judge(talk, conversation, 0, "single", model(server), budget=budget)
    with pytest.raises(InputError, match="are left"):
        judge(talk, conversation, 0, "single", model(server), budget=budget)
    until(lambda: len(server.bodies) == 2)
    judging.cancel()
    judging.wait(5)
    until(lambda: budget.used == most)  # what was asked and stopped may have been paid for all the same


def test_a_public_page_spends_nothing_of_its_own_and_calls_nowhere_else(tmp_path: Path) -> None:
    talk = session(tmp_path, public=True, judge_key=Secret(KEY), judge_model="judge")
    assert talk.judge_budget().left == 0
    with pytest.raises(
        InputError, match="only 0 of this session's 0 judging tokens are left: enter your own API key"
    ):
        judge(talk, chat(talk, "One?"), 0, "single", talk.judge_model(), budget=talk.judge_budget())
    own = talk.judge_model(key=Secret("sk-visitor"))
    assert without_key(own) is None
    with pytest.raises(InputError, match="address cannot be changed in public mode"):
        talk.judge_model(server="http://169.254.169.254/v1")
    assert session(tmp_path / "x", public=True, judge_budget=500).judge_budget().left == 500
