"""Tests for judging all turns of a conversation, or all conversations of a probe, at once."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from playground.judging.batch import BatchProgress, Criteria
from playground.judging.cost import JudgeBudget
from playground.judging_batches import JudgeBatches
from playground.rubrics.known_answer import PAIR_RUBRIC, RUBRIC
from playground.types import Conversation, InputError
from tests.helpers.checked import there
from tests.helpers.judge_models import Serve, model
from tests.helpers.judge_server import Asked, Body
from tests.helpers.judging import chat, own_words, session
from tests.helpers.waiting import until

PROBE = ("What is the capital of France?", "And of Japan?", "And its currency?")
BY_RULE = Criteria(rubric=RUBRIC)


def prefers_mine(asked: Asked, body: Body) -> None:
    text = body["messages"][-1]["content"]
    first = text.index("Mine.") < text.index("Other.")
    asked.say(json.dumps({"reasons": "r", "verdict": "A" if first else "B"}))


def run(
    batches: JudgeBatches, conversation: Conversation, criteria: Criteria, **options: Any
) -> BatchProgress:
    plan = batches.plan([(conversation, (0, 1))], criteria, **options)
    return batches.start(conversation.id, plan).wait(60)


def test_all_turns_are_judged_in_both_orders_and_estimated_together(tmp_path: Path, serve: Serve) -> None:
    server = serve(prefers_mine)
    talk = session(tmp_path, own_words, judge_prices=(1.0, 2.0, "USD"))
    conversation = chat(talk, "One?", "Two?", "Three?")
    criteria = Criteria(rubric="pairwise", judges=(model(server),))
    batches = JudgeBatches(talk)
    plan = batches.plan([(conversation, (0, 1))], criteria)
    estimate = talk.estimate(*plan.requests)
    assert estimate.calls == 6
    singles = [talk.estimate(request) for request in plan.requests]
    assert estimate.most_tokens == sum(single.most_tokens for single in singles)
    assert there(estimate.price)[0] == pytest.approx(sum(there(single.price)[0] for single in singles))
    progress = batches.start(conversation.id, plan).wait(60)
    assert (progress.judged, progress.total, progress.failures) == (3, 3, ())
    assert not progress.running
    assert [[v.outcome for v in turn] for turn in talk.verdicts(conversation)] == [["win"]] * 3
    assert len(server.bodies) == 6


def test_identical_calls_are_counted_and_paid_for_once(tmp_path: Path, serve: Serve) -> None:
    talk = session(tmp_path, own_words)
    twins = [chat(talk, PROBE[0]) for _ in range(2)]
    criteria = Criteria(rubric="single", judges=(model(serve(prefers_mine)),))
    plan = JudgeBatches(talk).plan([(each, (0, 1)) for each in twins], criteria)
    assert plan.conversations == 2
    assert talk.estimate(*plan.requests).calls == 2


def test_judged_turns_are_skipped_unless_they_are_to_be_judged_again(tmp_path: Path) -> None:
    talk = session(tmp_path, own_words)
    conversation = chat(talk, *PROBE[:2])
    batches = JudgeBatches(talk)
    assert run(batches, conversation, BY_RULE).judged == 2
    conversation = chat_on(talk, conversation, PROBE[2])
    targets = [(conversation, (0, 1))]
    plan = batches.plan(targets, BY_RULE)
    assert (len(plan.turns), plan.judged) == (1, 2)
    assert len(batches.plan(targets, Criteria(rubric=PAIR_RUBRIC)).turns) == 3, "another rubric"
    assert len(batches.plan([(conversation, (0,))], BY_RULE).turns) == 3, "other lanes"
    assert len(batches.plan(targets, BY_RULE, again=True).turns) == 3
    run(batches, conversation, BY_RULE)
    with pytest.raises(InputError, match="no turn left to judge"):
        batches.start(conversation.id, batches.plan(targets, BY_RULE))


def chat_on(talk: Any, conversation: Conversation, message: str) -> Conversation:
    *_, conversation = talk.send(conversation, message)
    return conversation


def test_turns_that_cannot_be_judged_are_counted_by_reason(tmp_path: Path) -> None:
    talk = session(tmp_path, own_words)
    conversation = chat(talk, PROBE[0], "Something else?")
    plan = JudgeBatches(talk).plan([(conversation, (0, 1))], BY_RULE)
    assert (len(plan.turns), plan.without_reference) == (1, 1)
    scores = Criteria(rubric="pairwise-reference", judges=(model("http://127.0.0.1:9"),))
    plan = JudgeBatches(talk).plan([(conversation, (0, 1))], scores)
    assert (len(plan.turns), plan.without_reference) == (1, 1)
    plan = JudgeBatches(talk).plan([(conversation, (0,))], Criteria(rubric=PAIR_RUBRIC))
    assert plan.unanswered == 2


def test_what_failed_is_listed_and_judged_alone_afterwards(tmp_path: Path, serve: Serve) -> None:
    def behave(asked: Asked, body: Body) -> None:
        if "Two?" in body["messages"][-1]["content"] and not repaired.is_set():
            asked.fail(400, "This is refused.")
        else:
            prefers_mine(asked, body)

    repaired = threading.Event()
    server = serve(behave)
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?", "Two?")
    criteria = Criteria(rubric="pairwise", judges=(model(server),))
    batches = JudgeBatches(talk)
    progress = run(batches, conversation, criteria)
    assert (progress.judged, progress.left) == (1, 1)
    [failure] = progress.failures
    assert (failure.conversation, failure.turn) == (conversation.id, 1)
    assert "This is refused" in failure.error
    repaired.set()
    rest = there(batches.of(conversation.id)).rest
    assert rest == {(conversation.id, 1)}
    asked = len(server.bodies)
    again = run(batches, conversation, criteria, again=True, only=rest)
    assert (again.total, again.judged, again.failures) == (1, 1, ())
    assert len(server.bodies) == asked + 2


def test_cancel_stops_the_rest_and_keeps_what_is_judged(tmp_path: Path, serve: Serve) -> None:
    def behave(asked: Asked, body: Body) -> None:
        if "Two?" in body["messages"][-1]["content"]:
            asked.silence()
        else:
            prefers_mine(asked, body)

    server = serve(behave)
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?", *["Two?"] * 6)
    batches = JudgeBatches(talk)
    criteria = Criteria(rubric="pairwise", judges=(model(server),))
    batch = batches.start(conversation.id, batches.plan([(conversation, (0, 1))], criteria))
    until(lambda: batch.progress.judged == 1 and len(server.bodies) > 2)
    with pytest.raises(InputError, match="already being judged"):
        batches.start(conversation.id, batches.plan([(conversation, (0, 1))], criteria))
    batch.cancel()
    progress = batch.wait(30)
    assert (progress.judged, progress.failures, progress.cancelled) == (1, (), True)
    assert not progress.running
    outcomes = [[verdict.outcome for verdict in turn] for turn in talk.verdicts(conversation)]
    assert outcomes[0] == ["win"]
    assert [] in outcomes, "the last turns were not started"
    assert not talk.running_judgments(conversation.id)
    assert len(batch.rest) == 6


def test_a_batch_over_the_budget_or_without_a_key_starts_nothing(tmp_path: Path, serve: Serve) -> None:
    server = serve(prefers_mine)
    talk = session(tmp_path, own_words)
    conversation = chat(talk, "One?", "Two?")
    batches = JudgeBatches(talk)
    one = batches.plan([(conversation, (0, 1))], Criteria(rubric="pairwise", judges=(model(server),)))
    tokens = talk.estimate(*one.requests).most_tokens
    with pytest.raises(InputError, match=f"may use up to {tokens:,} tokens, but only {tokens - 1:,}"):
        batches.start(conversation.id, one, JudgeBudget(tokens - 1))
    keyless = Criteria(rubric="pairwise", judges=(model("https://api.openai.com/v1", key=None),))
    with pytest.raises(InputError, match="No API key is set"):
        batches.start(conversation.id, batches.plan([(conversation, (0, 1))], keyless))
    assert talk.verdicts(conversation) == ((), ())
    budget = JudgeBudget(tokens)
    assert batches.start(conversation.id, one, budget).wait(60).judged == 2
    assert 0 < budget.used < tokens


def test_all_conversations_of_a_probe_with_the_same_variants_are_found(tmp_path: Path) -> None:
    talk = session(tmp_path, own_words)
    batches = JudgeBatches(talk)
    swapped = chat(talk, *PROBE, lanes=("pocket-ift", "urial:k=1", "base"))
    partial = chat(talk, PROBE[0])
    seeds = chat(talk, *PROBE[:2])
    chat(talk, *PROBE, lanes=("base", "urial:k=1"))  # not the same variants
    chat(talk, PROBE[0], "Something else?")  # not the probe
    chat(talk, "How many legs does a spider have?")  # another probe
    mine = chat(talk, *PROBE)
    found = batches.find_played(mine, (0, 1))
    assert found[0] == (mine, (0, 1))
    assert {(each.id, lanes) for each, lanes in found} == {
        (mine.id, (0, 1)),
        (swapped.id, (0, 2)),
        (partial.id, (0, 1)),
        (seeds.id, (0, 1)),
    }
    assert [each.id for each, _ in batches.find_played(mine, (0, 1), ids={partial.id})] == [
        mine.id,
        partial.id,
    ]
    assert {each.id for each, _ in batches.find_played(mine, (0, 1), owner="another")} == {
        each.id for each, _ in found
    }, "conversations from the command line belong to every owner"
    plan = batches.plan(found, BY_RULE)
    assert (len(plan.turns), plan.conversations) == (3 + 3 + 1 + 2, 4)
    assert batches.start(mine.id, plan).wait(60).judged == 9
    with pytest.raises(InputError, match="not played from a probe"):
        batches.find_played(chat(talk, "Something else?"), (0, 1))
