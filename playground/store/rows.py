"""Parse values from database rows. Damaged and missing answers are replaced with error messages."""

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
"""Error messages of answers that were unfinished when they were read from the database."""
DAMAGED = "This answer is damaged in the database: run `python -m playground doctor` to see how to repair it."
MISSING = "This answer is missing from the database: retry it."
UNUSABLE = (DAMAGED, MISSING)
"""Error messages of answers whose rows are unreadable or missing."""
MOST_LOST = 8
"""Maximum number of consecutive missing lane, turn or version numbers.

All numbers after a larger gap are ignored.
"""
GONE = -1
"""The number that represents a removed lane in a stored `Turn.histories`."""
UNREADABLE = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""Exceptions that can be raised when parsing a damaged row."""


def decode_text(data: bytes) -> str:
    """Decode text from the database, which can contain invalid UTF-8 if the file is damaged."""
    return data.decode("utf-8", "replace")


def plain_text(value: Any) -> Any:
    """Return the value of a text column as a string, even if it is stored as bytes in a damaged row."""
    return decode_text(value) if isinstance(value, bytes) else value


def usable_numbers(numbers: Iterable[Any]) -> list[int]:
    """Return the valid lane, turn or version numbers in a column, in ascending order.

    Values that are negative or not integers are dropped, and so is every number after a gap of more than
    `MOST_LOST` missing numbers.
    """
    usable: list[int] = []
    for number in sorted({number for number in numbers if type(number) is int and number >= 0}):
        if number > (usable[-1] if usable else -1) + 1 + MOST_LOST:
            break
        usable.append(number)
    return usable


def read_field(text: Any, name: str) -> Any:
    """Return a field from JSON text, or None if the text is not a JSON object with that field."""
    try:
        return json.loads(text)[name]
    except UNREADABLE:
        return None


def read_variants(text: str) -> tuple[Variant, ...]:
    """Parse a conversation's variants from its row. Raises one of the `UNREADABLE` exceptions if the row is
    damaged.
    """
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
    canonical(
        to_json(variant)
    ).encode()  # raises UnicodeEncodeError for a lone surrogate, which cannot be written
    return variant


def read_verdict(text: str) -> Verdict:
    """Parse a verdict from its row. Raises one of the `UNREADABLE` exceptions if the row is damaged."""
    return verdict_from_json(json.loads(text))


def read_judge_call(text: str) -> JudgeCall:
    """Parse a judge call from its row. Raises one of the `UNREADABLE` exceptions if the row is damaged."""
    return judge_call_from_json(json.loads(text))


def format_histories(histories: Sequence[int | None]) -> str | None:
    """Serialize `Turn.histories` for the database. Return None if `Turn.histories` is empty."""
    return canonical([GONE if lane is None else lane for lane in histories]) if histories else None


def read_histories(text: str | None) -> tuple[int | None, ...]:
    """Parse `Turn.histories` from a row. Raises one of the `UNREADABLE` exceptions if the row is damaged."""
    found = json.loads(text) if text is not None else []
    if not isinstance(found, list) or not all(type(lane) is int and GONE <= lane < 2**31 for lane in found):
        raise ValueError("not a list of lanes")
    return tuple(None if lane == GONE else lane for lane in found)


def read_usable_histories(text: str | None, lanes: int) -> tuple[int | None, ...]:
    """Parse `Turn.histories` for a turn with `lanes` lanes.

    Return () if the text is damaged or describes fewer lanes.
    """
    try:
        found = read_histories(text)
    except UNREADABLE:
        return ()
    return found if len(found) >= lanes else ()


def current_time() -> str:
    """Return the current time in the database's format, which is ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def read_time(text: str) -> datetime:
    """Parse a row's timestamp as UTC; return the Unix epoch if it is invalid."""
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return datetime.fromtimestamp(0, UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def read_lanes(
    rows: Iterable[tuple[Any, ...]], variants: Sequence[Variant]
) -> tuple[tuple[Answer, ...], tuple[tuple[Answer, ...], ...]]:
    """Build a turn's selected answers and its `Turn.versions` from the turn's rows.

    Missing lanes and versions are replaced with error messages, so that all other answers keep their
    positions.
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
    """Return a placeholder for an answer version whose row is missing."""
    return Answer(variant=variant, request=None, reply=Reply(finish="error", error=MISSING), version=version)


def _read_or_replace(variant: str, request: str | None, reply: str, version: int) -> Answer:
    """Parse an answer from its row, or return a placeholder if the row is damaged."""
    try:
        return read_answer(variant, request, reply, version)
    except UNREADABLE:
        return Answer(
            variant=variant, request=None, reply=Reply(finish="error", error=DAMAGED), version=version
        )


def read_answer(variant: str, request: str | None, reply: str, version: int) -> Answer:
    """Parse an answer from its row. Raises one of the `UNREADABLE` exceptions if the row is damaged."""
    data = json.loads(reply)
    if data["finish"] == "":
        data |= {"finish": "error", "error": INTERRUPTED}
    return answer_from_json(variant, None if request is None else json.loads(request), data, version)
