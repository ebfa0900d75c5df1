"""What each kind of server accepts: the mapping from our decoding parameters to request fields.

Sources: the request classes of vLLM 0.32 (`entrypoints/openai/completion/protocol.py`), SGLang
(`srt/entrypoints/openai/protocol.py`) and `transformers serve` 5.23 (`cli/serving/completion.py`), the README
of llama.cpp's server, TGI's OpenAPI description, and OpenAI's API reference.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from playground.types import InputError, Sampling


@dataclass(frozen=True, kw_only=True)
class Field:
    """The request field for one decoding parameter."""

    name: str
    off: Any = None
    """Value that turns the parameter off. It is sent explicitly, because servers have other defaults and some
    read defaults from the model's generation_config.json. None if the field is to be left out.
    """


@dataclass(frozen=True, kw_only=True)
class ServerKind:
    """What one kind of server accepts in a request for a completion."""

    name: str
    """The server's name, for display."""
    fields: Mapping[str, Field]
    """Request fields of the decoding parameters, keyed by the names in `Sampling`. A parameter that is not
    listed is not supported.
    """
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Fields that are sent in every request."""
    penalises: Mapping[str, Any] = field(default_factory=dict)
    """Fields that are sent with a repetition penalty, so that it covers the prompt and the whole answer."""
    takes_token_ids: bool = False
    """Whether a prompt can be a list of token ids."""
    adds_special_tokens: bool = False
    """Whether ``add_special_tokens`` determines if the server prepends tokens such as BOS."""
    returns_token_ids: bool = False
    """Whether ``return_token_ids`` makes the server return the ids of the prompt and the answer."""
    takes_stop_ids: bool = False
    """Whether ``stop_token_ids`` ends an answer."""
    keeps_stops: str = ""
    """Field that makes the server return a stop sequence as part of the text; "" if there is none.

    Only then can the server be given stop sequences: otherwise the text would not show which of the answer's
    stop rules has ended it.
    """
    tokenizes: Literal["", "vllm", "llama.cpp"] = ""
    """Form of the server's ``/tokenize`` endpoint; "" if it has none that is used."""
    counts_while_streaming: bool = False
    """Whether ``continuous_usage_stats`` adds token counts to every chunk."""
    scores_prompts: Literal["", "prompt_logprobs", "echo"] = ""
    """How the server returns the log-probabilities of a prompt's tokens: in the field ``prompt_logprobs``, or
    with ``echo`` and ``logprobs``; "" if it does not. With "echo", servers of an unknown kind may refuse.
    """
    generation_config: bool = False
    """Whether decoding parameters are sent as JSON in the field ``generation_config``."""
    shares_noise: bool = False
    """Whether requests with the same seed are sampled with the same random numbers."""
    answers_in_turn: bool = False
    """Whether the server answers one request after the other, all with one random number generator, which
    each request with a seed resets.
    """


def _same_names(*names: str, **off: Any) -> dict[str, Field]:
    return {name: Field(name=name, off=off.get(name)) for name in names}


VLLM = ServerKind(
    name="vLLM",
    fields=_same_names(
        *("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed"),
        temperature=0.0,
        top_p=1.0,
        top_k=-1,
        min_p=0.0,
        repetition_penalty=1.0,
    ),
    takes_token_ids=True,
    adds_special_tokens=True,
    returns_token_ids=True,
    takes_stop_ids=True,
    keeps_stops="include_stop_str_in_output",
    tokenizes="vllm",
    counts_while_streaming=True,
    scores_prompts="prompt_logprobs",
    shares_noise=True,
)
SGLANG = ServerKind(
    name="SGLang",
    fields=VLLM.fields,
    takes_token_ids=True,
    returns_token_ids=True,
    takes_stop_ids=True,
    keeps_stops="no_stop_trim",
    tokenizes="vllm",
    counts_while_streaming=True,
    scores_prompts="echo",
)
LLAMA_CPP = ServerKind(
    name="llama.cpp",
    fields={
        "temperature": Field(name="temperature", off=0.0),
        "top_p": Field(name="top_p", off=1.0),
        "top_k": Field(name="top_k", off=0),
        "min_p": Field(name="min_p", off=0.0),
        "repetition_penalty": Field(name="repeat_penalty", off=1.0),
        "seed": Field(name="seed"),
    },
    # The temperature comes first, as in `generate`; by default, this server applies it last.
    fixed={"cache_prompt": True, "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"]},
    penalises={"repeat_last_n": -1},
    takes_token_ids=True,
    tokenizes="llama.cpp",
)
TGI = ServerKind(
    name="TGI",
    fields=_same_names("temperature", "top_p", "repetition_penalty", "seed", temperature=0.0),
)
TRANSFORMERS = ServerKind(
    name="transformers serve",
    fields=_same_names(
        *("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed"),
        temperature=0.0,
        top_p=1.0,
        top_k=0,
        min_p=0.0,
        repetition_penalty=1.0,
    ),
    fixed={"num_beams": 1, "no_repeat_ngram_size": 0},
    generation_config=True,
    answers_in_turn=True,
)
OPENAI = ServerKind(
    name="OpenAI", fields=_same_names("temperature", "top_p", "seed", temperature=0.0, top_p=1.0)
)
OTHER = ServerKind(
    name="this server",
    fields=_same_names("temperature", "top_p", "seed", temperature=0.0, top_p=1.0),
    scores_prompts="echo",
)
"""A server that is none of the above: only fields that are part of OpenAI's API are sent."""

KINDS = {kind.name: kind for kind in (VLLM, SGLANG, LLAMA_CPP, TGI, TRANSFORMERS, OPENAI, OTHER)}
LABELS = {
    "temperature": "temperature",
    "top_p": "top-p",
    "top_k": "top-k",
    "min_p": "min-p",
    "repetition_penalty": "repetition penalty",
    "seed": "seed",
}
OFF = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
FILTERS = ("top_p", "top_k", "min_p", "seed")
"""Parameters that have no effect on greedy decoding."""


def write_parameters(kind: ServerKind, sampling: Sampling) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Write decoding parameters as request fields.

    Returns:
        The fields, and a sentence for each parameter that the server does not support.

    Raises:
        InputError: a parameter changes what the lane measures, and the server does not support it.
    """
    if sampling.repetition_penalty != 1 and sampling.penalty_scope == "answer":
        raise InputError(
            f"penalty_scope=answer is not supported by {kind.name}, whose repetition penalty also covers the "
            "prompt: set it to all, or the repetition penalty to 1."
        )
    fields: dict[str, Any] = dict(kind.fixed)
    notes = []
    for name, label in LABELS.items():
        value = getattr(sampling, name)
        is_off = value == OFF.get(name) or (sampling.temperature == 0 and name in FILTERS)
        known = kind.fields.get(name)
        if known is None:
            if not is_off:
                notes.append(f"{label} is not supported by {kind.name}: ignored.")
        elif not is_off:
            fields[known.name] = value
        elif known.off is not None:
            fields[known.name] = known.off
    if sampling.repetition_penalty != 1:
        fields |= kind.penalises
    return (_as_generation_config(fields) if kind.generation_config else fields), tuple(notes)


def _as_generation_config(fields: dict[str, Any]) -> dict[str, Any]:
    """Move decoding parameters into the JSON of a generation configuration, except the seed.

    The server adds what is missing from the model's own configuration: its EOS tokens, which are needed, and
    the defaults of parameters that are not sent.
    """
    fields = dict(fields)
    outside = {"seed": fields.pop("seed")} if "seed" in fields else {}
    if fields.get("temperature") == 0:
        kept = _only(fields, "repetition_penalty", "num_beams", "no_repeat_ngram_size")
        config: dict[str, Any] = {"do_sample": False, **kept}
    else:
        config = {"do_sample": True, **fields}
    return outside | {"generation_config": json.dumps(config)}


def _only(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}


def write_stops(kind: ServerKind, texts: Sequence[str], stop_ids: Collection[int]) -> dict[str, Any]:
    """Write the parts of a stop rule that the server applies exactly as request fields.

    They only save the server work: the whole rule is applied to the streamed text as well.

    Args:
        texts: the rule's stop sequences.
        stop_ids: the ids of the rule's tokens.
    """
    fields: dict[str, Any] = {}
    if texts and kind.keeps_stops:
        fields = {"stop": list(texts), kind.keeps_stops: True}
    if stop_ids and kind.takes_stop_ids:
        fields["stop_token_ids"] = sorted(stop_ids)
    return fields


def write_streaming(kind: ServerKind) -> dict[str, Any]:
    """Write the request fields that make a server report token ids or counts in a stream."""
    if kind.generation_config:
        return {}  # counts come without being requested, and unknown fields are rejected
    options = {"include_usage": True}
    if kind.counts_while_streaming:
        options["continuous_usage_stats"] = True
    return {"stream_options": options, **({"return_token_ids": True} if kind.returns_token_ids else {})}


def list_gaps(kind: ServerKind, is_exact: bool) -> tuple[str, ...]:
    """Return what a kind of server lacks compared with a local model, one phrase each.

    Args:
        is_exact: whether the tokens of prompts are known.
    """
    gaps = [f"{label} is ignored" for name, label in LABELS.items() if name not in kind.fields]
    gaps.append("a repetition penalty on the answer alone is refused")
    if not is_exact:
        gaps.append("token counts are estimated")
    if kind.answers_in_turn:
        gaps.append("lanes are answered one after the other")
    if not kind.shares_noise:
        gaps.append("lanes with the same seed do not share their random numbers")
    if not kind.scores_prompts:
        gaps.append("answers cannot be scored")
    if not kind.takes_stop_ids:
        gaps.append("control tokens end an answer only if the server itself ends it there")
    return tuple(gaps)
