"""From a judge's reply to a verdict: the last one counts, within its range, and nothing is guessed.

A reply that holds no verdict, or one out of range, is a reply without a verdict; it is never a score of 0.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from playground.judging.rubrics import Rubric
from playground.types import Aspect


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a reply says; exactly one of `letter`, `score`, `aspects` and `error` is there."""

    letter: str | None = None
    """"A", "B" or "tie"."""
    score: float | None = None
    aspects: tuple[Aspect, ...] = ()
    reason: str | None = None
    error: str | None = None
    """Why there is no verdict, in one sentence."""


_NUMBER = r"([-+]?\d+(?:[.,]\d+)?)(?:\s*/\s*(\d+))?"
_SCORE = re.compile(
    rf"\[\[\s*{_NUMBER}\s*\]\]|\b(?:rating|score)\b[\"'*_`\s]*[:\uff1a][\"'*_`\s\[]*{_NUMBER}", re.I
)
_BARE = re.compile(rf"[*_`]*{_NUMBER}[*_`]*\.?", re.I)
_LETTER = re.compile(
    r"\[\[\s*(?P<brackets>a|b|c|tie)\s*\]\]|\bverdict\b[\"'*_`\s]*[:\uff1a][\"'*_`\s\[]*(?:(?:assistant|answer)\s+)?(?P<label>a|b|c|tie)\b",
    re.I,
)


def read_reply(rubric: Rubric, raw: str) -> Reading:
    """The verdict in a reply, which is not empty and was not cut off."""
    data = _json(raw) if rubric.schema is not None else None
    if rubric.kind == "pairwise":
        return _letter(raw) if data is None else _letter_of(data)
    assert rubric.scale is not None
    if rubric.kind == "single":
        return _score(raw, rubric.scale) if data is None else _score_of(data, rubric.scale)
    return _aspects(raw, rubric) if data is None else _aspects_of(data, rubric)


def _json(raw: str) -> dict[str, Any] | None:
    """The object that a reply is, or ends with, or has in a code fence; None if it is free text."""
    start, end = raw.find("{"), raw.rfind("}") + 1
    if start < 0 or raw[end:].strip(" \n\r\t`"):
        return None
    try:
        data = json.loads(raw[start:end])
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


# --- Free text ------------------------------------------------------------------------------------


def _letter(raw: str) -> Reading:
    found = list(_LETTER.finditer(raw))
    if not found:
        return Reading(error="The reply holds no verdict.")
    said = (found[-1]["brackets"] or found[-1]["label"]).lower()
    return Reading(letter=_LETTERS[said], reason=_before(raw, found[-1].start()))


_LETTERS = {"a": "A", "b": "B", "c": "tie", "tie": "tie"}


def _score(raw: str, scale: tuple[float, float]) -> Reading:
    found = list(_SCORE.finditer(raw))
    if found:
        last = found[-1]
        number, out_of = (last[1], last[2]) if last[1] else (last[3], last[4])
        return _ranged(number, out_of, scale, _before(raw, last.start()))
    *_, line = raw.strip().splitlines()
    if bare := _BARE.fullmatch(line.strip()):
        return _ranged(bare[1], bare[2], scale, _before(raw, raw.rindex(line)))
    return Reading(error="The reply holds no score.")


def _aspects(raw: str, rubric: Rubric) -> Reading:
    assert rubric.scale is not None
    aspects = []
    starts = []
    for name in rubric.aspects:
        pattern = rf"\b{re.escape(name)}\b[\"'*_`\s]*[:\uff1a][\"'*_`\s]*\[\[\s*(?:(n/?a)|{_NUMBER})\s*\]\]"
        found = list(re.finditer(pattern, raw, re.I))
        if not found:
            return Reading(error=f"The reply holds no score for {name}.")
        last = found[-1]
        starts.append(last.start())
        if last[1]:
            aspects.append(Aspect(name=name, score=None))
            continue
        reading = _ranged(last[2], last[3], rubric.scale, None)
        if reading.error:
            return Reading(error=f"{name.capitalize()}: {reading.error}")
        aspects.append(Aspect(name=name, score=reading.score))
    return Reading(aspects=tuple(aspects), reason=_before(raw, min(starts)))


def _before(raw: str, end: int) -> str | None:
    """What was said before the line on which the verdict stands."""
    return raw[: raw.rfind("\n", 0, end) + 1].strip() or None


def _ranged(number: str, out_of: str | None, scale: tuple[float, float], reason: str | None) -> Reading:
    low, high = scale
    score = float(number.replace(",", "."))
    if out_of is not None and float(out_of) != high:
        return Reading(error=f"The reply's score {number}/{out_of} is not out of {high:g}.")
    if not low <= score <= high:
        return Reading(error=f"The reply's score {number} is not from {low:g} to {high:g}.")
    return Reading(score=score, reason=reason)


# --- Objects --------------------------------------------------------------------------------------


def _letter_of(data: dict[str, Any]) -> Reading:
    said = data.get("verdict")
    letter = _LETTERS.get(said.strip().strip("[]").lower()) if isinstance(said, str) else None
    if letter is None:
        return Reading(error=f"The reply's verdict is {_shown(said)}, not A, B or tie.")
    return Reading(letter=letter, reason=_text(data.get("reasons")))


def _score_of(data: dict[str, Any], scale: tuple[float, float]) -> Reading:
    reading = _number(data.get("score"), scale)
    return reading if reading.error else Reading(score=reading.score, reason=_text(data.get("reasons")))


def _aspects_of(data: dict[str, Any], rubric: Rubric) -> Reading:
    assert rubric.scale is not None
    aspects = []
    for name in rubric.aspects:
        entry = data.get(name)
        if not isinstance(entry, dict) or "score" not in entry:
            return Reading(error=f"The reply holds no score for {name}.")
        said, reason = entry["score"], _text(entry.get("reason"))
        if said is None or (isinstance(said, str) and said.strip().lower() in ("n/a", "na")):
            aspects.append(Aspect(name=name, score=None, reason=reason))
            continue
        reading = _number(said, rubric.scale)
        if reading.error:
            return Reading(error=f"{name.capitalize()}: {reading.error}")
        aspects.append(Aspect(name=name, score=reading.score, reason=reason))
    return Reading(aspects=tuple(aspects))


def _number(said: Any, scale: tuple[float, float]) -> Reading:
    text = said.strip().strip("[]").strip() if isinstance(said, str) else str(said)
    found = re.fullmatch(_NUMBER, text) if isinstance(said, str | int | float) else None
    if found is None or isinstance(said, bool):
        return Reading(error=f"The reply's score is {_shown(said)}, not a number.")
    return _ranged(found[1], found[2], scale, None)


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _shown(value: Any) -> str:
    shown = "missing" if value is None else repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."
