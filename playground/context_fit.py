"""Fit prompts into the model's context, and count the tokens of each prompt part."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from playground.types import Aligner, InputError, LeftOut, Message, Prompt, Request, Token, Variant
from playground.types.prompts import PartKind
from playground.words import count_things, format_number


def describe_left_out(left_out: LeftOut) -> str:
    """Describe in one sentence what was omitted from a prompt and why."""
    if left_out.demos:
        what = _describe_last(left_out.demos, "demonstration", "last")
    else:
        what = _describe_last(left_out.turns, "turn", "oldest")
    tokens = format_number(left_out.tokens)
    return f"Sent without the {what}: the full prompt of {tokens} tokens does not fit."


def _describe_last(number: int, thing: str, which: str) -> str:
    return f"{which} {thing}" if number == 1 else f"{which} {count_things(number, thing)}"


BYTES_PER_TOKEN = 4
"""Typical number of UTF-8 bytes per token of English text, for estimates."""


def estimate_tokens(prompt: Prompt) -> int:
    """Estimate the number of tokens in a prompt, for servers that do not tokenise text."""
    return -(-len(prompt.text.encode()) // BYTES_PER_TOKEN) + prompt.bos


def by_part(prompt: Prompt, tokens: Sequence[Token]) -> list[int]:
    """Return the number of tokens in each of `prompt.parts`.

    A token belongs to the part in which it begins.
    """
    ends = [part.end for part in prompt.parts]
    counts = [0] * len(ends)
    part = 0
    for token in tokens:
        if token.start is not None:  # a token without an offset belongs to the previous token's part
            part = min(bisect_right(ends, token.start), len(ends) - 1)
        counts[part] += 1
    return counts


def by_kind(prompt: Prompt, tokens: Sequence[Token]) -> dict[PartKind, int]:
    """Return the number of tokens of each kind of prompt part, in order of first occurrence.

    The numbers add up to the number of tokens.
    """
    if not prompt.parts:
        return {"text": len(tokens)}
    kinds: dict[PartKind, int] = {}
    for part, count in zip(prompt.parts, by_part(prompt, tokens), strict=True):
        kinds[part.kind] = kinds.get(part.kind, 0) + count
    return kinds


def room(variant: Variant, context: int) -> int:
    """Return the number of tokens to reserve for an answer: the answer's maximum length, but at most a
    quarter of the context.
    """
    return max(1, min(variant.sampling.max_new_tokens, context // 4))


def build_request(
    variant: Variant,
    messages: Sequence[Message],
    tokenize: Callable[[Prompt], Sequence[Token] | None],
    context: int | None,
    start: str = "",
) -> Request:
    """Build the request for the next answer to `messages`, fitted to the context if its length is known.

    Args:
        tokenize: function that returns a prompt's tokens, or None if they are not known. Their number is then
            estimated.
        context: context length in tokens; None while the model is loading, or if only a server knows it.
        start: the prefill of the answer.

    Raises:
        InputError: the prompt cannot be rendered, or does not fit.
    """

    def count(prompt: Prompt) -> int:
        tokens = tokenize(prompt)
        return estimate_tokens(prompt) if tokens is None else len(tokens)

    prompt = variant.aligner(messages)
    if context is None or prompt.chat_model is not None:
        return Request(prompt=prompt.with_prefill(start), sampling=variant.sampling)
    return fit(variant, messages, count, context, start)


def fit(
    variant: Variant,
    messages: Sequence[Message],
    count: Callable[[Prompt], int],
    context: int,
    start: str = "",
) -> Request:
    """Build the request for the next answer to `messages`, applying the variant's overflow rule.

    Under the rule "refuse", a prompt is accepted if the context has room for at least one token of the
    answer. The other rules drop turns or demonstrations until there is room for as many tokens as `room`
    returns, or until nothing is left to drop.

    Args:
        count: function that returns the number of tokens in a prompt.
        context: context length in tokens, shared by prompt and answer.
        start: the prefill of the answer.

    Raises:
        InputError: the prompt does not fit. The message states the token counts and what would make it fit.
    """
    if start:
        request = fit(variant, messages, lambda prompt: count(prompt.with_prefill(start)), context)
        return _with_prefill(request, start)
    prompt = variant.aligner(messages)
    tokens = count(prompt)
    wanted = context - room(variant, context)
    if tokens <= wanted or (variant.overflow == "refuse" and tokens < context):
        return Request(prompt=prompt, sampling=variant.sampling)

    # Candidates from the longest to the shortest prompt. The n-th drops n turns or demonstrations.
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
        f"The prompt has {count_things(tokens, 'token')}, but prompt and answer must fit in a context of "
        f"{format_number(context)}: {_advice(variant, messages, count, context)}."
    )


def _with_prefill(request: Request, start: str) -> Request:
    return dataclasses.replace(request, prompt=request.prompt.with_prefill(start))


def _advice(
    variant: Variant, messages: Sequence[Message], count: Callable[[Prompt], int], context: int
) -> str:
    """Return what makes the prompt fit. It depends on which part is too long: the message, the demonstrations
    or the history.
    """
    aligner, wanted, message = variant.aligner, context - room(variant, context), messages[-1:]
    shortest = count((_with_fewer(aligner, message) or [lambda: aligner(message)])[-1]())
    if shortest >= context:
        alone = "" if len(messages) == 1 and not aligner.demonstration_count else "the message alone has "
        alone += f"{format_number(shortest)} of them, so " if alone else ""
        return f"{alone}shorten the message by about {count_things(shortest - wanted, 'token')}"
    ways, drops = [], []
    if len(messages) == 1:
        ways.append("shorten the message")
    elif count(aligner(message)) <= wanted:
        ways.append("start a new conversation")
        drops += ["the oldest turns (Set up, or overflow=drop-turns)"]
    fewer = _with_fewer(aligner, messages)
    n = _first(fewer, lambda each: count(each()) <= wanted)
    if n < len(fewer):
        ways.append(f"set k to at most {len(fewer) - 1 - n}")
        drops += ["the last demonstrations (Set up, or overflow=drop-demos)"]
    if variant.overflow == "refuse" and drops:
        ways.append(f"let the lane drop {' or '.join(drops)}")
    if not ways:
        few = " with fewer demonstrations" if fewer else " and shorten the message"
        return f"start a new conversation{few}"
    return " or ".join(filter(None, (", ".join(ways[:-1]), ways[-1])))


def _with_fewer(aligner: Aligner, messages: Sequence[Message]) -> list[Callable[[], Prompt]]:
    """Return functions that render the prompt with all demonstrations, with one fewer, and so on.

    Returns [] if there are no demonstrations.
    """
    most = aligner.demonstration_count
    if not most:
        return []

    def write_prompt(k: int) -> Prompt:
        return aligner.with_fewer_demonstrations(k)(messages)

    return [partial(write_prompt, k) for k in range(most, -1, -1)]


def _first(items: Sequence[Any], holds: Callable[[Any], bool]) -> int:
    """Return the index of the first item for which `holds` is true, or the number of items if there is none.

    Uses binary search, so `holds` must also be true for all later items.
    """
    return bisect_left(items, True, key=holds)
