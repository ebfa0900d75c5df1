"""Score the tokens of a reply with the log-probabilities that a server returns for a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.engine.detokenizer import Detokenizer
from playground.engine.remote.tokens import PromptTokens
from playground.engine.remote.transport import StreamDamagedError, post_json
from playground.types import InputError, OutsideError, Prompt, Reply, Request, TokenScore
from playground.words import count_things, format_number

TIMEOUT = 300.0
"""Seconds that a server may take to score one reply."""


async def score_reply(
    tokens: PromptTokens, model: str, request: Request, reply: Reply, top: int
) -> list[TokenScore]:
    """Compute the log-probability of every token in a reply; see `Engine.score`.

    The prompt and the reply are sent as one prompt, of which the server returns ``prompt_logprobs``.

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
            f"Answers cannot be scored on {tokens.server.label}: it does not return prompt_logprobs."
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
    body = {
        "model": model,
        "prompt": prompt + answer,
        "max_tokens": 1,
        "temperature": 0,
        "prompt_logprobs": top,
    }
    response = await post_json(tokens.client, "/completions", body, TIMEOUT)
    lines = _read_lines(response, len(prompt) + len(answer))[len(prompt) :]
    detokenizer = Detokenizer(tokenizer.decode, prompt)
    texts = _split_text(detokenizer, answer)
    return [
        _read_score(line, token, text, top, tokenizer.decode)
        for line, token, text in zip(lines, answer, texts, strict=True)
    ]


def _read_lines(response: Any, length: int) -> list[Any]:
    choices = response.get("choices") if isinstance(response, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else {}
    lines = choice.get("prompt_logprobs") if isinstance(choice, dict) else None
    if not isinstance(lines, list) or len(lines) != length:
        raise StreamDamagedError
    return lines


def _split_text(detokenizer: Detokenizer, answer: Sequence[int]) -> list[str]:
    """Return the text that each token adds to the reply."""
    texts = []
    for token, following in zip(answer, [*answer[1:], None], strict=True):
        text = detokenizer.feed(token, following)
        texts.append(text if following is not None else text + detokenizer.finish())
    return texts


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
