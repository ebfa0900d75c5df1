"""Tests for judging with a small model on vLLM: structured output, both orders and position bias."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.servers import VLLM
from tests.helpers.commands import tandem
from tests.helpers.judging import chat, session
from tests.integration.real_model import Real

ANSWERS: dict[str | None, str] = {
    "wide": "The capital of France is Paris.",
    None: "Ask me tomorrow. Bananas are yellow, and so is the moon.",
}


@pytest.fixture(scope="module")
def server(real: Real, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VLLM]:
    server = VLLM(real.base, "smollm", tmp_path_factory.mktemp("vllm") / "log")
    yield server
    server.end()


def judge(server: VLLM, data_dir: Path, *flags: str) -> list[dict[str, Any]]:
    """The verdicts on a conversation of two turns."""
    talk = session(data_dir, lambda r: ANSWERS["wide" if r.prompt.adapter else None])
    conversation = chat(talk, "What is the capital of France?", "Say it once more.")
    asked = ("judge", conversation.id, "--judge", f"smollm@{server.url}", "--data-dir", data_dir, "--json")
    result = tandem(*asked, *flags, OPENAI_API_KEY="none is needed")
    assert result.returncode == 0, result.stderr.decode()
    verdicts: list[dict[str, Any]] = json.loads(result.stdout)["verdicts"]
    return verdicts


def test_both_orders_are_read_and_a_preference_for_a_place_is_shown(server: VLLM, tmp_path: Path) -> None:
    verdicts = judge(server, tmp_path, "--rubric", "pairwise")
    assert [verdict["turn"] for verdict in verdicts] == [1, 2]
    for verdict in verdicts:
        first, second = verdict["games"]
        assert (first["shown"], second["shown"]) == ([0, 1], [1, 0])
        for game in (first, second):
            assert game["error"] is None
            assert game["finish"] == "stop"
            # The server wrote by our schema: nothing had to be left out or guessed.
            assert json.loads(game["parameters"])["response_format"]["json_schema"]["strict"] is True
            reply = json.loads(game["raw"])
            assert list(reply) == ["reasons", "verdict"]
            named = {"A": game["shown"][0], "B": game["shown"][1], "tie": None}[reply["verdict"]]
            assert game["winner"] == named
            assert game["prompt_tokens"] > 300
            assert game["new_tokens"] > 5
        winners = [game["winner"] if game["outcome"] == "win" else "tie" for game in (first, second)]
        assert (verdict["outcome"] == "inconsistent") == (winners[0] != winners[1])
        if verdict["outcome"] == "inconsistent":
            assert verdict["winner"] is None


def test_one_answer_is_given_a_score_on_the_scale(server: VLLM, tmp_path: Path) -> None:
    verdicts = judge(server, tmp_path, "--rubric", "single", "--turns", "1")
    assert len(verdicts) == 1
    low, high = verdicts[0]["scale"]
    for game, score in zip(verdicts[0]["games"], verdicts[0]["scores"], strict=True):
        assert game["error"] is None
        assert low <= score <= high
        assert json.loads(game["raw"])["score"] == score
