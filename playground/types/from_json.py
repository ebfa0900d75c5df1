"""Parse values from JSON written by `to_json` in this or an earlier version."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from playground.types.conversations import Answer
from playground.types.demonstrations import Demo, DemoSet, Exchange
from playground.types.errors import InputError
from playground.types.json import to_fields
from playground.types.judgments import Aspect, JudgeCall, Verdict
from playground.types.prompts import ChatModel, Part, Prompt, StopRule
from playground.types.replies import Reply
from playground.types.requests import LeftOut, Request
from playground.types.sampling import Sampling
from playground.types.text import HALF_CHARACTER


def request_from_json(data: Mapping[str, Any]) -> Request:
    """Parse a `Request` from the output of `to_json`, in this or an earlier version."""
    prompt = to_fields("Prompt", data["prompt"])
    parts = tuple(Part(**part) for part in prompt.pop("parts", ()))
    left_out = data.get("left_out")
    chat_model = prompt.pop("chat_model", None)
    stop = prompt.pop("stop")
    rule = StopRule(
        name=stop.get("name", ""),
        fence=stop["fence"],
        headers=tuple(stop["headers"]),
        tokens=tuple(stop["tokens"]),
        texts=tuple(stop.get("texts", ())),
        trim=stop["trim"],
    )
    return Request(
        prompt=Prompt(
            stop=rule,
            parts=parts,
            chat_model=None if chat_model is None else ChatModel(**chat_model),
            **prompt,
        ),
        sampling=Sampling(**data["sampling"]),
        left_out=None if left_out is None else LeftOut(**left_out),
    )


def reply_from_json(data: Mapping[str, Any]) -> Reply:
    """Parse a `Reply` from the output of `to_json`, in this or an earlier version."""
    lists = {"token_ids": tuple(data["token_ids"]), "notes": tuple(data.get("notes", ()))}
    return Reply(**{**data, **lists})


def demo_set_from_json(data: Mapping[str, Any]) -> DemoSet:
    """Parse a `DemoSet` from the output of `to_json`, in this or an earlier version."""
    demos = []
    for entry in data["demos"]:
        then = tuple(Exchange(**exchange) for exchange in entry.get("then", ()))
        demos.append(Demo(**{**entry, "then": then}))
    return DemoSet(**{**data, "demos": tuple(demos)})


def answer_from_json(variant: str, request: Mapping[str, Any] | None, reply: Any, version: int) -> Answer:
    """Parse an `Answer` from the JSON of its request and reply.

    Raises InputError if a field has an invalid value, and other exceptions, such as KeyError and TypeError,
    if the JSON does not describe an answer.
    """
    answer = Answer(
        variant=variant,
        request=None if request is None else request_from_json(request),
        reply=reply_from_json(reply),
        version=version,
    )
    check_fields(answer)
    return answer


def judge_call_from_json(data: Mapping[str, Any]) -> JudgeCall:
    """Parse a `JudgeCall` from the output of `to_json`.

    Raises:
        InputError: a field has an invalid value, or a lane is negative.
        Exception: the JSON does not describe a judge call (KeyError, TypeError and others).
    """
    call = JudgeCall(
        **{
            **data,
            "shown": tuple(data["shown"]),
            "aspects": tuple(Aspect(**aspect) for aspect in data["aspects"]),
            "messages": tuple((role, text) for role, text in data["messages"]),
        }
    )
    check_fields(call)
    _check_lanes(call.shown, call)
    return call


def verdict_from_json(data: Mapping[str, Any]) -> Verdict:
    """Parse a `Verdict` from the output of `to_json`.

    Raises:
        InputError: the verdict's fields are inconsistent.
        Exception: the JSON does not describe a verdict (KeyError, TypeError and others).
    """
    scale = data["scale"]
    verdict = Verdict(
        **{
            **to_fields("Verdict", data),
            "lanes": tuple(data["lanes"]),
            "judged": tuple(data["judged"]),
            "panel": tuple(data.get("panel", ())),
            "scores": tuple(data["scores"]),
            "scale": None if scale is None else (scale[0], scale[1]),
            "aspects": tuple(tuple(Aspect(**aspect) for aspect in lane) for lane in data["aspects"]),
            "calls": tuple(judge_call_from_json(call) for call in data["games"]),
        }
    )
    check_fields(verdict)
    _check_lanes(verdict.lanes, verdict)
    for values in (verdict.judged, verdict.scores or verdict.lanes, verdict.aspects or verdict.lanes):
        if len(values) != len(verdict.lanes):
            raise InputError("The verdict's hashes, scores or aspects do not match its list of lanes.")
    return verdict


def _check_lanes(lanes: tuple[int, ...], judged: JudgeCall | Verdict) -> None:
    """Raise InputError if a lane index is negative, or if the winner is missing or is not one of the
    lanes.
    """
    if any(lane < 0 for lane in lanes):
        raise InputError(f"{type(judged).__name__} has a negative lane index.")
    if judged.winner not in ((() if judged.outcome == "win" else (None,)) + lanes):
        raise InputError(f"{type(judged).__name__} has no valid winner among its lanes.")


@cache
def _hints(kind: Hashable) -> tuple[tuple[str, Any], ...]:
    """Return the names and type annotations of a dataclass's fields."""
    return tuple(get_type_hints(kind).items())


def check_fields(value: Any) -> None:
    """Check the fields of a dataclass against their type annotations, including nested dataclasses.

    Python does not enforce annotations, so an invalid value from a damaged file would otherwise cause an
    error only much later.

    Raises:
        InputError: a field has the wrong type, or contains a lone surrogate or a non-finite number.
    """
    for name, hint in _hints(cast(Hashable, type(value))):
        if not _fits(getattr(value, name), hint):
            raise InputError(f"{type(value).__name__}.{name} must have the type {hint}.")


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value, including its items and fields, matches a type annotation."""
    kinds = get_args(hint)
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, kind) for kind in kinds)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in kinds)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if kinds[-1] is not Ellipsis:
            return len(value) == len(kinds) and all(map(_fits, value, kinds))
        if kinds[0] is int:  # fast path, because answers contain many token ids
            return all(type(each) is int for each in value)
        return all(_fits(each, kinds[0]) for each in value)
    if hint is str:
        return isinstance(value, str) and (value.isascii() or not HALF_CHARACTER.search(value))
    if hint is int:
        return type(value) is int and abs(value) < 2**63
    if hint is float:
        return type(value) in (int, float) and abs(value) < 1e300  # NaN fails this comparison
    if hint in (bool, NoneType):
        return isinstance(value, hint)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, cast(type, hint)):
            return False
        check_fields(value)
    return True
