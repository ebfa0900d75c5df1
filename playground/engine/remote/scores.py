"""Score the tokens of a reply with the log-probabilities that a server returns for a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.engine.detokenizer import Detokenizer
from playground.engine.remote.echo import request_echo
from playground.engine.remote.tokens import PromptTokens
from playground.engine.remote.transport import StreamDamagedError, post_json, read_choice
from playground.types import InputError, OutsideError, Prompt, Reply, Request, TokenScore
from playground.words import count_things, format_number

TIMEOUT = 300.0
"""Seconds that a server may take to score one reply."""


async def score_reply(
    tokens: PromptTokens, model: str, request: Request, reply: Reply, top: int
) -> list[TokenScore]:
    """Compute the log-probability of every token in a reply; see `Engine.score`.

    The prompt and the reply are sent as one prompt, of which the server returns the log-probabilities.

    Args:
        model: the name of the model on the server.
        top: number of most likely alternatives per token.

    Raises:
        OutsideError: the server does not return these log-probabilities, or the tokenizer is missing.
        openai.APIError: the server cannot be reached, or reports an error.
    """
    kind, tokenizer = tokens.server.kind, tokens.tokenizer
    if not kind.scores_prompts:
        raise OutsideError(
            f"Answers cannot be scored on {tokens.server.label}: it does not return the log-probabilities of "
            "a prompt."
        )
    if tokenizer is None:
        raise OutsideError(
            "Scoring answers on a server needs the model's tokenizer on this machine: name it with "
            "--tokenizer."
        )
    prompt = tokenizer.encode(request.prompt)
    answer = list(reply.token_ids) or tokenizer.encode(Prompt(text=reply.raw_text, bos=False))
    if not answer:
        return []
    context = tokens.server.base.context
    if not prompt or (context is not None and len(prompt) + len(answer) >= context):
        raise InputError(
            f"The prompt has {count_things(len(prompt), 'token')}, the reply {format_number(len(answer))}: "
            "scoring on a server needs at least one prompt token, and room for one more in the context of "
            f"{format_number(context or 0)}."
        )
    texts = _split_text(Detokenizer(tokenizer.decode, prompt), answer)
    body = {"model": model, "prompt": prompt + answer, "max_tokens": 1, "temperature": 0}
    if kind.scores_prompts == "echo":
        whole = request.prompt.text + reply.raw_text
        echo = await request_echo(tokens, body, request.prompt, whole, max(top, 1), TIMEOUT)
        entries = enumerate(zip(answer, texts, strict=True), start=len(prompt))
        return [echo.read_score(place, token, text, top) for place, (token, text) in entries]
    response = await post_json(tokens.client, "/completions", body | {"prompt_logprobs": top}, TIMEOUT)
    lines = _read_lines(response, len(prompt) + len(answer))[len(prompt) :]
    return [
        _read_score(line, token, text, top, tokenizer.decode)
        for line, token, text in zip(lines, answer, texts, strict=True)
    ]


def _split_text(detokenizer: Detokenizer, answer: Sequence[int]) -> list[str]:
    """Return the text that each token adds to the reply."""
    texts = []
    for token, following in zip(answer, [*answer[1:], None], strict=True):
        text = detokenizer.feed(token, following)
        texts.append(text if following is not None else text + detokenizer.finish())
    return texts


def _read_lines(response: Any, length: int) -> list[Any]:
    lines = read_choice(response).get("prompt_logprobs")
    if not isinstance(lines, list) or len(lines) != length:
        raise StreamDamagedError
    return lines


def _read_score(line: Any, token: int, text: str, top: int, decode: Any) -> TokenScore:
    """Read a token's score from a table of log-probabilities, keyed by token id.

    The table contains the token itself and the most likely tokens.
    """
    if not isinstance(line, dict) or str(token) not in line:
        raise StreamDamagedError
    own = line[str(token)]
    best = sorted(line.items(), key=lambda item: item[1].get("rank") or 0)[:top]
    return TokenScore(
        token=token,
        text=text,
        logprob=float(own["logprob"]),
        rank=int(own["rank"]),
        top=tuple((decode([int(id)]), float(entry["logprob"])) for id, entry in best),
    )
