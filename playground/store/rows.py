"""Read values from the database's rows, with an error in place of each one that is damaged or missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from playground.aligners import aligner_from_json
from playground.types import (
    Answer,
    JudgeCall,
    Reply,
    Sampling,
    Variant,
    Verdict,
    answer_from_json,
    canonical,
    check_fields,
    judge_call_from_json,
    to_json,
    verdict_from_json,
)

INTERRUPTED = "Interrupted: the app stopped while this answer was being written."
STREAMING = "This answer is still being written, on another page: open the conversation again in a moment."
UNFINISHED = (INTERRUPTED, STREAMING)
"""The errors of answers that were read from the database before they were finished."""
DAMAGED = "This answer is damaged in the database: run `python -m playground doctor`, which offers a repair."
MISSING = "This answer is missing from the database: retry it."
UNUSABLE = (DAMAGED, MISSING)
"""The errors of answers whose rows cannot be read, or are not there."""
MOST_LOST = 8
"""Lanes, turns or versions that may be missing in a row; a number further away than that is damaged."""
GONE = -1
"""A lane that is no longer there, in the stored form of `Turn.histories`."""
UNREADABLE = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading a damaged row can raise."""


def decode_text(data: bytes) -> str:
    """A text of the database, which a damaged file may hold in another encoding."""
    return data.decode("utf-8", "replace")


def plain_text(value: Any) -> Any:
    """A value of a text column, which a damaged row may hold as bytes."""
    return decode_text(value) if isinstance(value, bytes) else value


def usable_numbers(numbers: Iterable[Any]) -> list[int]:
    """Those of a column's numbers (lanes, turns, versions) that can be used, in order.

    The others are no whole numbers from 0, or more than `MOST_LOST` are missing before them.
    """
    usable: list[int] = []
    for number in sorted({number for number in numbers if type(number) is int and number >= 0}):
        if number > (usable[-1] if usable else -1) + 1 + MOST_LOST:
            break
        usable.append(number)
    return usable


def read_field(text: Any, name: str) -> Any:
    """A field of a JSON object; None where the text is no such object, or has no such field."""
    try:
        return json.loads(text)[name]
    except UNREADABLE:
        return None


def read_variants(text: str) -> tuple[Variant, ...]:
    """A conversation's variants from its row; raises one of `UNREADABLE` for a damaged one."""
    variants = tuple(_read_variant(data) for data in json.loads(text))
    if not variants:
        raise ValueError("no variants")
    return variants


def _read_variant(data: dict[str, Any]) -> Variant:
    variant = Variant(
        name=data["name"],
        aligner=aligner_from_json(data["aligner"]),
        sampling=Sampling(**data["sampling"]),
        overflow=data.get("overflow", "refuse"),
    )
    check_fields(variant)
    check_fields(variant.aligner)
    canonical(to_json(variant)).encode()  # UnicodeEncodeError: half a character, which no file holds
    return variant


def read_verdict(text: str) -> Verdict:
    """A verdict from its row; raises one of `UNREADABLE` for a damaged one."""
    return verdict_from_json(json.loads(text))


def read_judge_call(text: str) -> JudgeCall:
    """A judge's reply from its row; raises one of `UNREADABLE` for a damaged one."""
    return judge_call_from_json(json.loads(text))


def format_histories(histories: Sequence[int | None]) -> str | None:
    """`Turn.histories` for its row."""
    return canonical([GONE if lane is None else lane for lane in histories]) if histories else None


def read_histories(text: str | None) -> tuple[int | None, ...]:
    """`Turn.histories` from its row; raises one of `UNREADABLE` for a damaged one."""
    found = json.loads(text) if text is not None else []
    if not isinstance(found, list) or not all(type(lane) is int and GONE <= lane < 2**31 for lane in found):
        raise ValueError("no list of lanes")
    return tuple(None if lane == GONE else lane for lane in found)


def read_usable_histories(text: str | None, lanes: int) -> tuple[int | None, ...]:
    """`Turn.histories` of a turn with that many lanes; () where its row is damaged."""
    try:
        found = read_histories(text)
    except UNREADABLE:
        return ()
    return found if len(found) >= lanes else ()


def current_time() -> str:
    """The time now as the database has it: UTC, ISO 8601, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def read_time(text: str) -> datetime:
    """A time of a row, in UTC; the year 1970 where the row is damaged."""
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return datetime.fromtimestamp(0, UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def read_lanes(
    rows: Iterable[tuple[Any, ...]], variants: Sequence[Variant]
) -> tuple[tuple[Answer, ...], tuple[tuple[Answer, ...], ...]]:
    """The shown answers of a turn's rows, and its `Turn.versions`.

    What is missing, be it a lane or a version, is there as an error, so that every other keeps its place.
    """
    found: dict[int, dict[int, tuple[Answer, Any]]] = {}
    for lane, shown, variant, request, reply, version in rows:
        if type(version) is int and version >= 0:
            answer = _read_or_replace(plain_text(variant), request, reply, version)
            found.setdefault(lane, {})[version] = answer, shown
    lanes = usable_numbers(found)
    answers, versions = [], []
    for lane in range(lanes[-1] + 1 if lanes else 0):
        held = found.get(lane, {})
        known = usable_numbers(held)
        name = variants[lane].name if lane < len(variants) else ""
        several = [
            held[version][0] if version in known else _missing_answer(name, version)
            for version in range(known[-1] + 1 if known else 1)
        ]
        marked = [version for version in known if held[version][1]]
        readable = [answer.version for answer in several if answer.reply.error not in UNUSABLE]
        answers.append(several[(marked or readable or [-1])[-1]])
        versions.append(tuple(several))
    return tuple(answers), tuple(versions) if any(len(each) > 1 for each in versions) else ()


def _missing_answer(variant: str, version: int) -> Answer:
    """The answer in place of a version that has no row."""
    return Answer(variant=variant, request=None, reply=Reply(finish="error", error=MISSING), version=version)


def _read_or_replace(variant: str, request: str | None, reply: str, version: int) -> Answer:
    """An answer from its row, or the one in place of a damaged row."""
    try:
        return read_answer(variant, request, reply, version)
    except UNREADABLE:
        return Answer(
            variant=variant, request=None, reply=Reply(finish="error", error=DAMAGED), version=version
        )


def read_answer(variant: str, request: str | None, reply: str, version: int) -> Answer:
    """An answer from its row; raises one of `UNREADABLE` for a damaged one."""
    data = json.loads(reply)
    if data["finish"] == "":
        data |= {"finish": "error", "error": INTERRUPTED}
    return answer_from_json(variant, None if request is None else json.loads(request), data, version)
