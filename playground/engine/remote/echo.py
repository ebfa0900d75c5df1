"""Log-probabilities of a prompt's tokens from servers that return them with ``echo`` and ``logprobs``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.engine.remote.tokens import PromptTokens
from playground.engine.remote.transport import StreamDamagedError, post_json, read_choice
from playground.types import OutsideError, Prompt, TokenScore
from playground.words import format_number

SPACES = str.maketrans("\u2581\u0120", "  ")
"""Some servers echo the entries of the vocabulary, in which these characters stand for a space."""
UNREADABLE = ("\ufffd", "bytes:", "<0x")
"""What servers show for a token that is a part of a character."""


@dataclass(frozen=True, kw_only=True)
class Echo:
    """A prompt's tokens with their log-probabilities, as a server returns them."""

    texts: Sequence[str]
    logprobs: Sequence[Any]
    top: Sequence[Any]
    """For each token, the most likely tokens, as a mapping from text to log-probability."""

    def read_score(self, place: int, token: int, text: str, top: int) -> TokenScore:
        """Return the score of one token.

        Args:
            place: the token's position in the prompt.
            text: the text that the token adds.
            top: number of most likely alternatives.

        Raises:
            StreamDamagedError: the server's values are not log-probabilities.
        """
        own, likely = self.logprobs[place], self.top[place]
        if (
            not _is_number(own)
            or not isinstance(likely, Mapping)
            or not all(map(_is_number, likely.values()))
        ):
            raise StreamDamagedError
        # The token itself can be listed, too, even if it is not among the most likely ones.
        better = sum(value > own for other, value in likely.items() if other != self.texts[place])
        best = sorted(likely.items(), key=lambda item: -item[1])[:top]
        return TokenScore(
            token=token,
            text=text,
            logprob=float(own),
            rank=better + 1 if better < min(len(likely), max(top, 1)) else None,
            top=tuple((str(other), float(value)) for other, value in best),
        )


async def request_echo(
    tokens: PromptTokens, body: Mapping[str, Any], prompt: Prompt, text: str, top: int, timeout: float
) -> Echo:
    """Ask a server for the log-probabilities of a prompt's tokens.

    Args:
        body: the request, with the token ids of the prompt.
        prompt: a prompt whose text begins this one.
        text: the whole text, for a server that does not accept token ids.
        top: number of most likely alternatives per token, at least 1.
        timeout: seconds that the server may take.

    Raises:
        OutsideError: the server does not return log-probabilities with an echo, or reads other tokens.
        openai.APIError: the server cannot be reached, or reports an error.
    """
    ids: Sequence[int] = body["prompt"]
    server = tokens.server
    sent = {**body, "echo": True, "logprobs": top}
    if not server.kind.takes_token_ids:
        sent |= (await tokens.prepare(dataclasses.replace(prompt, text=text))).fields
    response = await post_json(tokens.client, "/completions", sent, timeout)
    found = read_choice(response).get("logprobs")
    names = ("tokens", "token_logprobs", "top_logprobs")
    lists = [found.get(name) if isinstance(found, dict) else None for name in names]
    texts, logprobs, likely = [entries if isinstance(entries, list) else [] for entries in lists]
    # One token is generated behind the prompt; a server without echo returns that token alone.
    if not len(texts) == len(logprobs) == len(likely) or len(texts) <= 1 < len(ids):
        raise OutsideError(
            f"Answers cannot be scored on {server.label}: it does not return the log-probabilities of a "
            "prompt with echo and logprobs."
        )
    texts = [str(text) for text in texts]
    usage = response.get("usage")
    read = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    own = [tokens.tokenizer.decode([id]) for id in ids] if tokens.tokenizer is not None else []
    is_same = (len(texts) - 1 if read is None else read) == len(ids) <= len(texts)
    if not is_same or not all(map(_are_alike, own, texts)):
        raise OutsideError(
            f"Answers cannot be scored on {server.label}: it reads the prompt and the answer as other tokens "
            f"than the tokenizer on this machine, which finds {format_number(len(ids))}. Check --tokenizer."
        )
    return Echo(texts=texts, logprobs=logprobs, top=likely)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not math.isnan(value)


def _are_alike(own: str, theirs: str) -> bool:
    """Return whether two texts can be of the same token, apart from how spaces and bytes are shown."""
    if not own or any(mark in text for mark in UNREADABLE for text in (own, theirs)):
        return True
    return own.strip() == theirs.translate(SPACES).strip()
