"""Tests for scores from servers that return log-probabilities with ``echo`` and ``logprobs``.

The values themselves are compared with a local engine's in tests/integration/test_vllm_engine.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from transformers import AutoTokenizer

from playground.types import OutsideError, Reply, TokenScore
from tests.engine.remote.conftest import Connect, Serve, request
from tests.helpers.completions_server import Asked, Body, list_models
from tests.helpers.paths import POCKET

TEXT = "Three rivers"
ANSWER = " are long."
TOKENIZER = AutoTokenizer.from_pretrained(POCKET)
Change = Callable[[dict[str, Any]], object]


def echo(body: Body) -> dict[str, Any]:
    """Return log-probabilities as an OpenAI-compatible server does: each token is the second most likely."""
    ids = [*TOKENIZER(body["prompt"])["input_ids"], 5]
    texts = [TOKENIZER.convert_ids_to_tokens(id) for id in ids]
    likely = [{"x": -0.5, text: -1.0 - place} for place, text in enumerate(texts)]
    logprobs = [None, *(-1.0 - place for place in range(1, len(ids)))]
    return {"tokens": texts, "token_logprobs": logprobs, "top_logprobs": [None, *likely[1:]]}


def score(serve: Serve, connect: Connect, change: Change | None = None, **usage: int) -> list[TokenScore]:
    """Score `ANSWER` on an unknown server, after `change` has changed what it returns."""

    def answer(asked: Asked, body: Body) -> None:
        logprobs = echo(body) if body.get("echo") else None
        if logprobs is not None and change is not None:
            change(logprobs)
        # Without `usage`, requests that only count tokens find no count.
        counted = {"usage": usage} if usage and logprobs is not None else {}
        asked.send({"choices": [{"text": "", "logprobs": logprobs}], **counted})

    server = serve(answer, models=list_models("m", owner="system"))
    del server.pages["/tokenize"]
    engine = connect(server, tokenizer=str(POCKET))
    (found,) = engine.score([request(TEXT)], [Reply(raw_text=ANSWER)], top=2)
    assert {name: server.bodies[-1][name] for name in ("echo", "logprobs", "max_tokens", "prompt")} == {
        "echo": True,
        "logprobs": 2,
        "max_tokens": 1,
        "prompt": TEXT + ANSWER,
    }
    return found


def test_scores_are_read_from_the_answers_place(serve: Serve, connect: Connect) -> None:
    found = score(serve, connect)
    begin, whole = len(TOKENIZER(TEXT)["input_ids"]), TOKENIZER(TEXT + ANSWER)["input_ids"]
    assert [each.token for each in found] == whole[begin:]
    assert "".join(each.text for each in found) == ANSWER
    assert [each.logprob for each in found] == [-1.0 - place for place in range(begin, len(whole))]
    assert {each.rank for each in found} == {2}
    assert found[0].top[0] == ("x", -0.5)


def test_a_rank_beyond_the_returned_tokens_is_not_known(serve: Serve, connect: Connect) -> None:
    def add(logprobs: dict[str, Any]) -> None:
        for likely in logprobs["top_logprobs"][1:]:
            likely["y"] = -0.75

    assert {each.rank for each in score(serve, connect, add)} == {None}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda logprobs: [logprobs[name].__delitem__(slice(0, -1)) for name in logprobs], "with echo and"),
        (lambda logprobs: logprobs.pop("top_logprobs"), "with echo and logprobs"),
        (lambda logprobs: [logprobs[name].pop(1) for name in logprobs], "as other tokens than the tokenizer"),
        (lambda logprobs: logprobs["tokens"].__setitem__(2, "\u2581elsewhere"), "as other tokens than"),
        (
            lambda logprobs: logprobs["token_logprobs"].__setitem__(slice(1, None), ["?"] * 50),
            "with echo and",
        ),
        (lambda logprobs: logprobs["token_logprobs"].__setitem__(-2, "?"), "sent something that is not"),
        (
            lambda logprobs: logprobs["top_logprobs"].__setitem__(-2, {"x": None}),
            "sent something that is not",
        ),
    ],
    ids=["no echo", "no alternatives", "fewer tokens", "other tokens", "lengths", "no number", "no value"],
)
def test_what_is_not_an_echo_is_one_sentence(
    serve: Serve, connect: Connect, change: Change, sentence: str
) -> None:
    with pytest.raises(OutsideError, match=sentence):
        score(serve, connect, change)


def test_a_prompt_that_the_server_counts_differently_is_refused(serve: Serve, connect: Connect) -> None:
    with pytest.raises(OutsideError, match="as other tokens than the tokenizer"):
        score(serve, connect, prompt_tokens=9)
