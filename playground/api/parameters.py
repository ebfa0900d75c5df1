"""The parameters that chat completions and completions share: which are supported, and what they do.

A parameter that this server cannot follow is rejected by name. It is never ignored, because the answer would
not be the one that the client asked for. Only values that change nothing are accepted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from playground.api.errors import ApiError, convert_error
from playground.types import InputError, Sampling, check_characters
from playground.words import shorten

DECODING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "repetition_penalty": "repetition_penalty",
    "penalty_scope": "penalty_scope",
    "max_tokens": "max_new_tokens",
    "max_completion_tokens": "max_new_tokens",
    "seed": "seed",
    "stop": "stop",
}
"""Fields of `Sampling`, keyed by the parameter that sets them."""
WITHOUT_EFFECT = frozenset(
    ("user", "metadata", "safety_identifier", "prompt_cache_key", "parallel_tool_calls")
)
"""Parameters that do not concern the answer, whatever their value."""
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "suffix": ("",),
}
"""The values that change nothing, for parameters that are otherwise not supported."""
STREAMING = ("stream", "stream_options")


def check_parameters(body: Mapping[str, Any], own: Collection[str]) -> None:
    """Check that a request has only parameters that are supported or change nothing.

    Args:
        body: the request.
        own: the names of the endpoint's own parameters.

    Raises:
        ApiError: a parameter is not supported. The message names it.
    """
    supported = {"model", *own, *DECODING, *STREAMING, *WITHOUT_EFFECT}
    for name, value in body.items():
        if name in supported:
            continue
        if name not in NEUTRAL:
            raise ApiError(
                400, f"The parameter {shorten(name)!r} is not supported: remove it.", param=shorten(name)
            )
        if not any(_is_same(value, each) for each in NEUTRAL[name]):
            values = " or ".join(repr(each) for each in NEUTRAL[name])
            raise ApiError(
                400,
                f"The parameter {name!r} is not supported with the value {shorten(repr(value))}: remove it, "
                f"or set it to {values}.",
                param=name,
            )


def _is_same(value: Any, neutral: Any) -> bool:
    """Return whether two JSON values are equal. In Python, True equals 1."""
    return isinstance(value, bool) == isinstance(neutral, bool) and bool(value == neutral)


def override_sampling(sampling: Sampling, body: Mapping[str, Any]) -> Sampling:
    """Return a lane's decoding parameters, overridden by those of a request.

    Raises:
        ApiError: a value is invalid, or a parameter is given twice under two names.
    """
    if body.get("max_tokens", object()) == body.get("max_completion_tokens"):
        body = {name: value for name, value in body.items() if name != "max_completion_tokens"}
    if "max_tokens" in body and "max_completion_tokens" in body:
        raise ApiError(
            400, "max_tokens and max_completion_tokens differ: set one of them.", param="max_tokens"
        )
    for name, field in DECODING.items():
        if name not in body:
            continue
        value = body[name]
        if name == "stop" and isinstance(value, str):
            value = [value]
        if name == "top_k" and value == -1:  # how other servers write that it is off
            value = 0
        try:
            sampling = dataclasses.replace(sampling, **{field: value})
            for text in sampling.stop:
                check_characters(text, "stop")
        except InputError as error:
            raise convert_error(error, name) from None
    return sampling


def read_switch(body: Mapping[str, Any], name: str) -> bool:
    """Return a parameter that is true or false; false if it is not given.

    Raises:
        ApiError: the value is neither.
    """
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise ApiError(400, f"{name} must be true or false, not {shorten(repr(value))}.", param=name)
    return value


def includes_usage(body: Mapping[str, Any]) -> bool:
    """Return whether the stream ends with the numbers of tokens (`stream_options.include_usage`).

    Raises:
        ApiError: `stream_options` is invalid, or the answer is not streamed.
    """
    options = body.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict) or not options.keys() <= {"include_usage", "include_obfuscation"}:
        raise ApiError(
            400, 'stream_options must be {"include_usage": true} or be left out.', param="stream_options"
        )
    if not read_switch(body, "stream"):
        raise ApiError(
            400, "stream_options is for streams only: remove it, or set stream.", param="stream_options"
        )
    if read_switch(options, "include_obfuscation"):
        raise ApiError(
            400, "The parameter 'include_obfuscation' is not supported: remove it.", param="stream_options"
        )
    return read_switch(options, "include_usage")
