"""Tests for the core data types: validation and JSON serialization."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from playground.types import (
    Answer,
    Conversation,
    Demo,
    DemoSet,
    Exchange,
    Finish,
    InputError,
    Message,
    Prompt,
    Reply,
    Request,
    Sampling,
    StopRule,
    Turn,
    canonical,
    check_name,
    request_from_json,
    to_json,
    verdict_from_json,
)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("temperature", -0.1, "Temperature must be 0 (greedy) or more"),
        ("temperature", float("nan"), "Temperature must be a number"),
        ("temperature", "hot", "Temperature must be a number"),
        ("top_p", 0, "Top-p must be above 0 and at most 1"),
        ("top_p", 1.01, "Top-p must be above 0 and at most 1"),
        ("top_k", 1.5, "Top-k must be a whole number"),
        ("min_p", 1, "Min-p must be at least 0"),
        ("repetition_penalty", 0, "Repetition penalty must be above 0"),
        ("max_new_tokens", -1, "Max new tokens must be 0 or more"),
        ("seed", True, "Seed must be a whole number"),
        ("penalty_scope", "prompt", "Penalty scope must be 'all' or 'answer'"),
    ],
)
def test_sampling_refuses_what_is_out_of_range_in_one_sentence(name: str, value: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Sampling(**{name: value})
    assert str(caught.value).startswith(said)
    assert repr(value) in str(caught.value)


def test_a_misspelt_parameter_is_an_error_and_never_ignored() -> None:
    """The reference implementation passed "repitition_penalty" and decoded with 1.0 for years."""
    with pytest.raises(TypeError):
        Sampling(repitition_penalty=1.1)  # type: ignore[call-arg]


def test_sampling_reads_text_and_says_which_text_was_no_number() -> None:
    assert Sampling.parse({"temperature": "0.7", "top_k": "40"}) == Sampling(temperature=0.7, top_k=40)
    with pytest.raises(InputError, match="Top-p must be a number, not 'most'"):
        Sampling.parse({"top_p": "most"})
    with pytest.raises(InputError, match=r"Seed must be a whole number, not '1\.5'"):
        Sampling.parse({"seed": "1.5"})


def test_equal_recipes_have_equal_json_however_the_numbers_were_written() -> None:
    assert canonical(to_json(Sampling(temperature=1))) == canonical(to_json(Sampling(temperature=1.0)))
    whole = Sampling(max_new_tokens=8.0)  # type: ignore[arg-type]
    assert canonical(to_json(whole)) == canonical(to_json(Sampling(max_new_tokens=8)))


def test_k_shot_sets_are_nested() -> None:
    demos = tuple(Demo(query=str(n), answer=str(n)) for n in range(4))
    whole = DemoSet(name="x", instruction="", demos=demos)
    assert whole.take(0).demos == ()
    assert whole.take(2).demos == demos[:2]
    assert whole.take(4) == whole
    for k in (-1, 5):
        with pytest.raises(InputError, match="choose k from 0 to 4"):
            whole.take(k)


def test_a_set_keeps_its_text_until_something_in_it_is_changed() -> None:
    demos = (
        Demo(query="1", answer="1", then=(Exchange(query="2", answer="2"),)),
        Demo(query="3", answer=None),
    )
    taken = DemoSet(name="x", instruction="I", demos=demos, text="as it was", note="a note")
    assert taken.take(2) is taken
    one = taken.take(1)  # a demonstration of two turns is one
    assert (one.demos, one.text, one.note) == (demos[:1], None, "")
    assert demos[0].exchanges == (Exchange(query="1", answer="1"), Exchange(query="2", answer="2"))
    assert not taken.whole
    assert not taken.take(0).whole
    assert DemoSet(name="x", instruction="", demos=(), text="t").whole


def test_the_content_hash_is_of_what_shapes_a_prompt() -> None:
    one = DemoSet(name="x", instruction="I", demos=(Demo(query="q", answer="a"),))
    named = dataclasses.replace(one, name="y", description="d", meant_for="m", note="n")
    assert one.content_hash == named.content_hash
    for change in (
        {"instruction": "J"},
        {"demos": (Demo(query="q", answer=None),)},
        {"format": "v6"},
        {"text": "t"},
    ):
        assert dataclasses.replace(one, **change).content_hash != one.content_hash


def test_a_request_survives_json() -> None:
    request = Request(
        prompt=Prompt(
            text='a\n"b" \u2028 \U0001f600',
            stop=StopRule(fence="```", headers=("# Query:",), tokens=("</s>",)),
            adapter="x",
            bos=False,
            control_tokens=True,
        ),
        sampling=Sampling(temperature=0.3, seed=9, penalty_scope="answer"),
    )
    assert request_from_json(json.loads(canonical(to_json(request)))) == request


def test_a_request_from_before_stop_rules_had_names_says_so() -> None:
    rule = StopRule(name="paper", fence="```", headers=("# Query:",), texts=("# Query",))
    request = Request(prompt=Prompt(text="x", stop=rule), sampling=Sampling())
    data = json.loads(canonical(to_json(request)))
    assert request_from_json(data).prompt.stop == rule
    for later in ("name", "texts"):
        del data["prompt"]["stop"][later]
    assert request_from_json(data).prompt.stop == StopRule(name="", fence="```", headers=("# Query:",))


STORED_REQUEST = """
{"left_out":null,"prompt":{"adapter":null,"bos":true,"control_tokens":false,"parts":[{"end":3,"kind":"text",
"number":null},{"end":8,"kind":"start","number":null}],"start":"Well,","stop":{"fence":"","headers":[],
"name":"own","texts":[],"tokens":[],"trim":true},"text":"Hi\\nWell,"},"sampling":{"max_new_tokens":256,
"min_p":0.0,"penalty_scope":"all","repetition_penalty":1.0,"seed":0,"stop":[],"temperature":0.0,"top_k":0,
"top_p":1.0}}"""
STORED_VERDICT = """
{"aspects":[],"blind":true,"by":"v","error":null,"games":[{"aspects":[],"cached":false,"error":null,
"finish":null,"messages":[],"new_tokens":null,"outcome":"win","parameters":null,"prompt_tokens":null,
"raw":null,"reason":null,"score":null,"seconds":null,"shown":[1,0],"winner":1}],"id":"i","judge":"human",
"judged":["a","b"],"lanes":[0,1],"outcome":"win","panel":[],"rubric":"preference","scale":null,
"scope":"turn","scores":[],"server":null,"winner":1}"""


def test_documents_from_before_fields_were_renamed_are_read_and_written_as_they_were() -> None:
    request = request_from_json(json.loads(STORED_REQUEST))
    assert (request.prompt.prefill, request.prompt.text) == ("Well,", "Hi\nWell,")
    assert canonical(to_json(request)) == STORED_REQUEST.replace("\n", "")
    verdict = verdict_from_json(json.loads(STORED_VERDICT))
    assert [call.shown for call in verdict.calls] == [(1, 0)]
    assert canonical(to_json(verdict)) == STORED_VERDICT.replace("\n", "")


def test_a_history_whose_lane_is_left_out_is_none() -> None:
    turn = Turn(user="x", answers=(answer("A"), answer("B"), answer("C")), histories=(2, 0, 1))
    assert turn.rearrange([1, 0]).histories == (1, None)
    assert turn.rearrange([1, 0]).rearrange([1, 0]).histories == (None, 0)


def test_values_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sampling().temperature = 1.0  # type: ignore[misc]


def answer(text: str, finish: Finish = "stop") -> Answer:
    return Answer(variant="x", request=None, reply=Reply(text=text, finish=finish))


def test_history_is_the_lanes_own_and_leaves_out_turns_that_came_to_nothing() -> None:
    turns = (
        Turn(user="one", answers=(answer("A1"), answer("B1"))),
        Turn(user="two", answers=(answer("", "error"), answer("", "stop"))),
        Turn(user="three", answers=(answer("half", "cancelled"), answer("", "cancelled"))),
    )
    conversation = Conversation(id="c", variants=(), turns=turns)
    user, assistant = "user", "assistant"
    assert [(m.role, m.text) for m in conversation.history(0)] == [
        (user, "one"),
        (assistant, "A1"),
        (user, "three"),
        (assistant, "half"),
    ]
    # An answer that is empty because the model ended at once is something it said.
    assert conversation.history(1) == (
        Message(role="user", text="one"),
        Message(role="assistant", text="B1"),
        Message(role="user", text="two"),
        Message(role="assistant", text=""),
    )


@pytest.mark.parametrize("name", ["", "../up", "a b", "-x", "a/b", "a\n"])
def test_names_that_could_leave_their_folder_or_break_a_command_line_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="not a usable name"):
        check_name(name, "The name")
