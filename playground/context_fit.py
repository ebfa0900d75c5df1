"""How a prompt's tokens are spent, and what happens where they are more than the context holds."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from playground.types import Aligner, InputError, LeftOut, Message, Prompt, Request, Token, Variant


def describe_left_out(left_out: LeftOut) -> str:
    """What was left out of a prompt and why, in a sentence for people."""
    if left_out.demos:
        what = _count(left_out.demos, "demonstration", "last")
    else:
        what = _count(left_out.turns, "turn", "oldest")
    return f"Sent without the {what}: the whole prompt of {left_out.tokens} tokens does not fit."


def _count(number: int, thing: str, which: str) -> str:
    return f"{which} {thing}" if number == 1 else f"{which} {number} {thing}s"


def by_part(prompt: Prompt, tokens: Sequence[Token]) -> list[int]:
    """How many tokens each of `prompt.parts` takes; a token belongs to the part that it begins in."""
    ends = [part.end for part in prompt.parts]
    counts = [0] * len(ends)
    part = 0
    for token in tokens:
        if token.start is not None:  # one without a place goes with the token before it
            part = min(bisect_right(ends, token.start), len(ends) - 1)
        counts[part] += 1
    return counts


def room(variant: Variant, context: int) -> int:
    """Tokens that a lane wants free for its answer: what that may take, at most a quarter of the context."""
    return max(1, min(variant.sampling.max_new_tokens, context // 4))


def fit(
    variant: Variant,
    messages: Sequence[Message],
    count: Callable[[Prompt], int],
    context: int,
    start: str = "",
) -> Request:
    """The request for the next answer to `messages`, brought into the context as the variant says.

    A lane that refuses asks as long as one token is free for the answer. One that leaves something out does
    so until `room` is free, as far as leaving out goes.

    Args:
        count: the tokens of a prompt.
        context: the tokens that prompt and answer may have together.
        start: words that the answer is to begin with.

    Raises:
        InputError: it does not fit; the sentence has the numbers, and the largest k that would.
    """
    if start:
        request = fit(variant, messages, lambda prompt: count(prompt.with_prefill(start)), context)
        return _begun(request, start)
    prompt = variant.aligner(messages)
    tokens = count(prompt)
    wanted = context - room(variant, context)
    if tokens <= wanted or (variant.overflow == "refuse" and tokens < context):
        return Request(prompt=prompt, sampling=variant.sampling)

    # From the most to the least; the n-th is without n turns or demonstrations.
    smaller: list[Callable[[], Prompt]] = []
    if variant.overflow == "drop-turns":
        turns = len(messages) // 2
        smaller = [lambda n=n: variant.aligner(messages[2 * n :]) for n in range(turns + 1)]  # type: ignore[misc]
    elif variant.overflow == "drop-demos":
        smaller = _with_fewer(variant.aligner, messages)
    if smaller:
        n = min(_first(smaller, lambda each: count(each()) <= wanted), len(smaller) - 1)
        prompt = smaller[n]()
        if count(prompt) < context:
            left_out = LeftOut(tokens=tokens, **{variant.overflow.removeprefix("drop-"): n})
            return Request(prompt=prompt, sampling=variant.sampling, left_out=left_out)
    raise InputError(
        f"The prompt has {tokens} tokens, and the context of {context} must hold it and the answer: "
        f"{_advice(variant, messages, count, wanted)}."
    )


def _begun(request: Request, start: str) -> Request:
    return dataclasses.replace(request, prompt=request.prompt.with_prefill(start))


def _advice(
    variant: Variant, messages: Sequence[Message], count: Callable[[Prompt], int], wanted: int
) -> str:
    fewer = _with_fewer(variant.aligner, messages)
    n = _first(fewer, lambda each: count(each()) <= wanted)
    if n < len(fewer):
        most = len(fewer) - 1 - n
        return f"k={most} is the largest that fits, or have the lane leave out what does not"
    if len(messages) > 1:
        return "start a new conversation, or have the lane leave out the oldest turns"
    return "send a shorter message"


def _with_fewer(aligner: Aligner, messages: Sequence[Message]) -> list[Callable[[], Prompt]]:
    """The prompt with all of an aligner's demonstrations, with one fewer, and so on; none if it has none."""
    most = aligner.demonstration_count
    if not most:
        return []

    def write_prompt(k: int) -> Prompt:
        return aligner.with_fewer_demonstrations(k)(messages)

    return [partial(write_prompt, k) for k in range(most, -1, -1)]


def _first(items: Sequence[Any], holds: Callable[[Any], bool]) -> int:
    """The index of the first item for which `holds`, as it does for all after it; else their number."""
    return bisect_left(items, True, key=holds)
