"""Extract winners, scores and aspects from the JSON objects in a reply."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from playground.judging.parse.brackets import NOT_APPLICABLE
from playground.judging.parse.decoration import strip_decoration
from playground.judging.parse.ranges import exact_score_in
from playground.judging.parse.reading import Reading, check_scale
from playground.judging.parse.structured import Repeated, plain_key, walk
from playground.rubrics.forms import NONE, winner_in
from playground.rubrics.rubric import Rubric
from playground.types import Aspect, replace_surrogates

_WINNER_KEYS = ("verdict", "finalverdict", "winner")
_SCORE_KEYS = ("score", "finalscore", "overallscore", "rating", "finalrating", "overallrating")
REASON_KEYS = ("reasons", "reason", "explanation", "reasoning")


def find_winner(objects: list[dict[str, Any]]) -> Reading | None:
    """Return the winner named in the JSON objects, or None if no object has a winner key."""
    values = find_values(objects, _WINNER_KEYS)
    if not values:
        return None
    letters = set()
    for value in values:
        named = winner_in(strip_decoration(value), whole=True) if isinstance(value, str) else NONE
        if named.kind != "one":
            return Reading(error=f"The verdict in the reply is {_quote(value)}, not A, B or tie.")
        letters.add(named.winner)
    if len(letters) > 1:
        return Reading(error=f"The reply contains several verdicts: {', '.join(sorted(letters))}.")
    return Reading(letter=letters.pop(), reason=_reason_of(objects))


def find_score(objects: list[dict[str, Any]], scale: tuple[float, float]) -> Reading | None:
    """Return the score in the JSON objects, or None if no object has a score key."""
    values = find_values(objects, _SCORE_KEYS)
    if not values:
        return None
    scores = set()
    for value in values:
        reading = _read_number(value, scale)
        if reading.score is None:
            return reading
        scores.add(reading.score)
    if len(scores) > 1:
        return Reading(
            error=f"The reply contains several scores: {', '.join(f'{s:g}' for s in sorted(scores))}."
        )
    return Reading(score=scores.pop(), reason=_reason_of(objects))


def find_values(objects: list[dict[str, Any]], keys: Iterable[str]) -> list[Any]:
    """Return the values of the given keys.

    In each object, only the outermost nesting level that contains at least one of the keys is used.
    """
    values = []
    for object in objects:
        for level in walk(object):
            found = [
                value
                for one in level
                for key, value in one.items()
                if plain_key(key) in keys and not _wraps(value)
            ]
            if found:
                values += found
                break
    return values


def _wraps(value: Any) -> bool:
    """Return whether a JSON value contains nested objects to search."""
    if isinstance(value, Repeated):
        return False
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(one, dict) for one in value)
    )


def _reason_of(objects: list[dict[str, Any]]) -> str | None:
    texts = find_values(objects, REASON_KEYS)
    return next((text for value in reversed(texts) if (text := _text(value))), None)


def find_aspects(objects: list[dict[str, Any]], rubric: Rubric) -> Reading | None:
    """Return the score for each of the rubric's aspects.

    Return None if none of the JSON objects has an aspect's name as a key.
    """
    assert rubric.scale is not None
    entries = _aspect_entries(objects, rubric)
    if not entries:
        return None
    aspects = []
    for name in rubric.aspects:
        if name not in entries:
            return Reading(error=f"The reply contains no score for {name}.")
        read = [_read_aspect(name, entry, rubric.scale) for entry in entries[name]]
        if problem := next((one for one in read if isinstance(one, str)), None):
            return Reading(error=problem)
        found = [one for one in read if isinstance(one, Aspect)]
        if len({one.score for one in found}) > 1:
            return Reading(error=f"The reply contains several scores for {name}.")
        aspects.append(found[-1])
    return Reading(aspects=tuple(aspects))


def _aspect_entries(objects: list[dict[str, Any]], rubric: Rubric) -> dict[str, list[Any]]:
    """Return each aspect's values in the JSON objects, keyed by aspect name."""
    names = {plain_key(name): name for name in rubric.aspects}
    entries: dict[str, list[Any]] = {}
    for object in objects:
        for level in walk(object):
            found = [(names[plain_key(key)], value) for one in level for key, value in one.items()
                     if plain_key(key) in names]  # fmt: skip
            for name, value in found:
                entries.setdefault(name, []).append(value)
            if found:
                break
    return entries


def _read_aspect(name: str, entry: Any, scale: tuple[float, float]) -> Aspect | str:
    """Return an aspect's score parsed from its JSON value, or an error sentence."""
    value, reason = entry, None
    if isinstance(entry, dict):
        scores = [found for key, found in entry.items() if plain_key(key) in _SCORE_KEYS]
        if not scores:
            return f"The reply contains no score for {name}."
        value = scores[0]
        if any(other != value for other in scores):
            return f"The reply contains several scores for {name}."
        plain = {plain_key(key): found for key, found in entry.items()}
        reason = next((text for key in REASON_KEYS if (text := _text(plain.get(key)))), None)
    if value is None or (isinstance(value, str) and NOT_APPLICABLE.fullmatch(value.strip())):
        return Aspect(name=name, score=None, reason=reason)
    reading = _read_number(value, scale)
    if reading.score is None:
        return f"{name.capitalize()}: {reading.error}"
    return Aspect(name=name, score=reading.score, reason=reason)


def _read_number(score: Any, scale: tuple[float, float]) -> Reading:
    usable = isinstance(score, str | int | float) and not isinstance(score, bool)
    # Python refuses to convert an integer with thousands of digits to a string.
    huge = isinstance(score, int) and abs(score) >= 10**9
    value = NONE
    if usable and not huge:
        value = exact_score_in(strip_decoration(str(score)), scale[1], whole=True)
    if value.kind != "one":
        quoted = "too large" if huge else _quote(score)
        return Reading(
            error=f"The score in the reply is {quoted}: expected a number from {scale[0]:g} to {scale[1]:g}."
        )
    return check_scale(value, scale, None)


def _text(value: Any) -> str | None:
    # JSON escapes can encode lone surrogates, which cannot be stored.
    return replace_surrogates(value).strip() or None if isinstance(value, str) else None


def _quote(value: Any) -> str:
    quoted = "missing" if value is None else repr(value)
    return quoted if len(quoted) <= 40 else f"{quoted[:40]}..."
