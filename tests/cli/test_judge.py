"""Tests for `python -m playground judge` against a judge server on a local socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from playground.store import UNJUDGED
from playground.types import Conversation
from tests.helpers.commands import failed, tandem
from tests.helpers.judge_server import JudgeServer
from tests.helpers.judging import chat, session
from tests.helpers.paths import ROOT
from tests.helpers.waiting import until

KEY = "sk-test-0123456789abcdef"
Judge = Callable[..., CompletedProcess[bytes]]
"""The command on a record, with its arguments and environment."""


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    server = JudgeServer(lambda asked, body: asked.say('{"reasons": "It says so.", "score": 7}'))
    yield server
    server.end()


@pytest.fixture
def judge(tmp_path: Path, server: JudgeServer) -> Judge:
    """Run the command on the record in `tmp_path`."""

    def run(*arguments: str, **environment: str) -> CompletedProcess[bytes]:
        environment = {"TANDEM_JUDGE_URL": server.url, "OPENAI_API_KEY": KEY} | environment
        result = tandem("judge", *arguments, "--data-dir", tmp_path, **environment)
        assert KEY.encode() not in result.stdout + result.stderr
        return result

    return run


@pytest.fixture
def conversation(tmp_path: Path) -> Conversation:
    talk = session(tmp_path, lambda r: "Paris" if r.prompt.adapter else "Rome")
    return chat(talk, "What is the capital of France?", "And of Japan?")


def test_every_turn_is_judged_and_printed_as_one_document(
    judge: Judge, server: JudgeServer, conversation: Conversation, tmp_path: Path
) -> None:
    result = judge(conversation.id, "--rubric", "single", "--judge", "gpt-4o", "--json")
    assert result.returncode == 0, result.stderr.decode()
    assert result.stderr == b""
    document = json.loads(result.stdout)
    assert document["id"] == conversation.id
    assert (document["prompt_tokens"], document["new_tokens"]) == (400, 80)
    assert [(entry["turn"], entry["scores"]) for entry in document["verdicts"]] == [
        (1, [7.0, 7.0]),
        (2, [7.0, 7.0]),
    ]
    assert {body["model"] for body in server.bodies} == {"gpt-4o"}
    assert len(session(tmp_path).verdicts(conversation)[1]) == 1
    again = json.loads(judge(conversation.id, "--judge", "gpt-4o", "--json").stdout)
    assert again["prompt_tokens"] == 0
    assert len(server.bodies) == 4


def test_for_people_it_says_who_what_and_why(judge: Judge, conversation: Conversation) -> None:
    result = judge(conversation.id, "--rubric", "single", "--judge", "gpt-4o", "--turns", "2")
    text = result.stdout.decode()
    assert text.startswith("turn 2, single by gpt-4o: base 7/10, pocket-ift 7/10\n")
    assert "    It says so.\n" in text


def test_the_reference_judge_needs_no_key_and_no_server(
    judge: Judge, server: JudgeServer, conversation: Conversation
) -> None:
    result = judge(
        conversation.id, "--judge", "reference", "--rubric", "known-answer-pair", "--turns", "1",
        OPENAI_API_KEY="", TANDEM_JUDGE_URL="",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr.decode()
    assert result.stdout.decode().startswith(
        "turn 1, known-answer-pair by reference: pocket-ift wins\n  [base then pocket-ift]\n"
    )
    document = json.loads(judge(conversation.id, "--judge", "reference", "--json").stdout)
    assert [entry["scores"] for entry in document["verdicts"]] == [[0.0, 1.0], [0.0, 0.0]]
    assert server.bodies == []


def test_the_cost_is_reported_before_anything_is_asked(
    judge: Judge, server: JudgeServer, conversation: Conversation
) -> None:
    arguments = (conversation.id, "--rubric", "pairwise", "--judge", "gpt-4o", "--estimate")
    text = judge(*arguments, TANDEM_JUDGE_PRICES="2.5,10,USD").stdout.decode()
    assert text.startswith("4 calls (0 more from the cache, at no cost): about ")
    assert text.endswith(" USD\n")
    cost = json.loads(judge(*arguments, "--json").stdout)
    assert cost["most_new_tokens"] == 4 * 2048
    assert cost["most_price"] is None
    assert server.bodies == []


def test_a_verdict_whose_app_was_killed_is_unfinished_and_can_be_asked_for_again(
    judge: Judge, server: JudgeServer, conversation: Conversation, tmp_path: Path
) -> None:
    answer, server.behave = server.behave, lambda asked, body: asked.silence()
    command = ["judge", conversation.id, "--judge", "gpt-4o", "--turns", "1", "--data-dir", str(tmp_path)]
    environment = os.environ | {"TANDEM_JUDGE_URL": server.url, "OPENAI_API_KEY": KEY}
    process = subprocess.Popen([sys.executable, "-m", "playground", *command], cwd=ROOT, env=environment)
    until(lambda: server.bodies)
    process.kill()
    process.wait()
    [left] = session(tmp_path).verdicts(conversation)[0]
    assert (left.outcome, left.error) == ("unfinished", UNJUDGED)
    server.behave = answer
    result = judge(conversation.id, "--judge", "gpt-4o", "--turns", "1", "--json")
    assert [entry["scores"] for entry in json.loads(result.stdout)["verdicts"]] == [[7.0, 7.0]]
    outcomes = [verdict.outcome for verdict in session(tmp_path).verdicts(conversation)[0]]
    assert sorted(outcomes) == ["scored", "unfinished"], outcomes


def test_a_judge_that_fails_is_one_sentence_and_status_1(
    judge: Judge, server: JudgeServer, conversation: Conversation
) -> None:
    server.behave = lambda asked, body: asked.fail(401, f"bad key {KEY}")
    result = judge(conversation.id, "--judge", "gpt-4o", "--turns", "1", "--json")
    assert result.returncode == 1
    assert "does not accept the API key (401)" in result.stderr.decode()
    assert len(result.stderr.decode().strip().splitlines()) == 1
    [verdict] = json.loads(result.stdout)["verdicts"]
    assert (verdict["outcome"], verdict["scores"]) == ("failed", [None, None])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Enter a judge model, such as gpt-4o"),
        (("--judge", "m", "--rubric", "best"), "There is no rubric 'best': choose one of"),
        (
            ("--judge", "m", "--turns", "3"),
            "--turns must be a comma-separated list of turn numbers from 1 to 2, not '3'",
        ),
        (
            ("--judge", "m", "--lanes", "x"),
            "--lanes must be a comma-separated list of lane letters from A to B, or of lane numbers from 1 "
            "to 2, not 'x'",
        ),
        (("--judge", "m", "--lanes", "A,C"), "not 'A,C'"),
        (("--judge", "m", "--scope", "all"), "--scope must be turn or conversation, not 'all'"),
        (("--judge", "m", "--judge-url", "x"), "The judge's address must begin with http"),
        (("--judge", "m", "--judge-budget", "many"), "--judge-budget must be an integer number of tokens"),
        (("--judge", "m", "--judge-budget", "100"), "judging tokens are left: raise --judge-budget, or"),
        (
            ("--judge", "reference", "--rubric", "single"),
            "has the rubrics known-answer and known-answer-pair",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    judge: Judge, server: JudgeServer, conversation: Conversation, arguments: tuple[str, ...], said: str
) -> None:
    failed(judge(conversation.id, *arguments), 2, said)
    assert server.bodies == []


def test_without_a_key_and_an_address_it_says_how_to_set_them(
    judge: Judge, conversation: Conversation
) -> None:
    result = judge(conversation.id, "--judge", "gpt-4o", OPENAI_API_KEY="", TANDEM_JUDGE_URL="")
    failed(result, 2, "No API key is set for gpt-4o at https://api.openai.com/v1: set OPENAI_API_KEY")
    assert "for this session" not in result.stderr.decode()


@pytest.mark.parametrize("lanes", ["B", "b", " 2 "])
def test_a_lane_to_judge_is_a_letter_or_a_number(
    judge: Judge, conversation: Conversation, lanes: str
) -> None:
    arguments = ("--judge", "reference", "--turns", "1", "--lanes", lanes, "--json")
    [verdict] = json.loads(judge(conversation.id, *arguments).stdout)["verdicts"]
    assert verdict["lanes"] == [1]


def test_an_unknown_conversation_is_reported(judge: Judge) -> None:
    failed(judge("nope", "--judge", "m"), 2, "There is no conversation 'nope'")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["judge", "ID", "--judge", "a@http://[::1"], "is not valid: enter one such as http"),
        (
            ["judge", "ID", "--judge", "a", "--judge-url", "http://[::1"],
            "is not valid: enter one such as http",
        ),
        (["judge", "ID", "--judge", b"a\xff@http://x"], "--judge contains"),
        (["judge", b"\xff"], "ID contains"),
        (["history", b"\xff"], "QUERY contains"),
        (["chat", "hi", "--start", b"\xff"], "--start contains"),
        (["chat", b"\xff"], "MESSAGES contains"),
        (["bench", "--device", "tpu"], "must be auto, cpu or cuda"),
    ],
)
def test_what_no_text_or_address_is_gives_one_sentence(
    tmp_path: Path, conversation: Conversation, arguments: list[str | bytes], said: str
) -> None:
    given = [conversation.id if each == "ID" else each for each in arguments]
    data = [] if given[0] == "bench" else ["--data-dir", str(tmp_path)]
    environment = os.environ | {"OPENAI_API_KEY": KEY}
    result = subprocess.run(
        [sys.executable, "-m", "playground", *given, *data], cwd=ROOT, env=environment, capture_output=True
    )
    assert result.returncode == 2, result.stderr
    (sentence,) = result.stderr.decode().splitlines()
    assert said in sentence


def test_a_folder_whose_name_is_no_text_is_taken(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    command: list[str | bytes] = [sys.executable, "-m", "playground", "history", "--data-dir", folder]
    result = subprocess.run(command, cwd=ROOT, capture_output=True)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize("name", ["a@ftp://x", "a@", "@http://x", "a@http://x#y"])
def test_a_mistyped_server_ends_the_command_with_one_sentence(
    judge: Judge, server: JudgeServer, conversation: Conversation, name: str
) -> None:
    failed(judge(conversation.id, "--judge", name), 2, "Invalid judge", "write MODEL, MODEL@http://SERVER")
    assert server.bodies == []


@pytest.mark.parametrize("flag", ["--turns", "--lanes", "--judge-budget"])
def test_a_number_of_thousands_of_digits_is_one_short_sentence(
    judge: Judge, conversation: Conversation, flag: str
) -> None:
    result = judge(conversation.id, "--judge", "a", flag, "9" * 5_000)
    failed(result, 2, f"{flag} must")
    assert len(result.stderr) < 300
