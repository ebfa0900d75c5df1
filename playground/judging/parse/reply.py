"""Parse a judge's reply into a verdict. Stricter formats take precedence, and ambiguous replies are rejected.

Thinking is removed first. The verdict is then taken from the first of these forms found in the reply:

1. JSON with the rubric's keys, anywhere in the reply;
2. the rubric's bracketed form, such as ``Verdict: [[A]]`` or ``[[7]]``;
3. the last labelled line that names exactly one candidate or score, such as ``Verdict: A``, unless a later
   label or correction contradicts it; for scores, also a last line consisting only of a number.

A reply has no verdict if it gives several different values, a range, an approximate score, a score outside
the scale, or letters only in prose, or if a bracketed form contradicts the JSON. One exception: if the last
bracketed form is on its own line, as the rubric requires, earlier forms are treated as drafts, unless "or"
connects them to the last form.
"""

from __future__ import annotations

import re
from typing import Any

from playground.judging.parse.brackets import (
    aspect_classifier,
    aspect_label,
    decide,
    find_brackets,
    score_classifier,
)
from playground.judging.parse.contradictions import check_contradiction
from playground.judging.parse.decoration import strip_decoration
from playground.judging.parse.labels import find_labelled
from playground.judging.parse.objects import REASON_KEYS, find_aspects, find_score, find_values, find_winner
from playground.judging.parse.ranges import exact_score_in, qualify
from playground.judging.parse.reading import MOST_FORMS, Reading, check_scale, text_before
from playground.judging.parse.structured import find_objects, remove_thinking
from playground.rubrics.fastchat import FastChatRubric
from playground.rubrics.forms import (
    NONE,
    SCORE_LABELS,
    UNCLEAR,
    WINNER_LABELS,
    Value,
    number_of,
    winner_in,
)
from playground.rubrics.rubric import Rubric
from playground.types import Aspect

_BARE = re.compile(
    r"(?:[\s*_`#]|[>-]+\s)*(?P<number>[0-9]+(?:[.,][0-9]+)?)[*_`\s]*(?:/\s*(?P<out_of>[0-9]+)[*_`\s]*\.?)?"
)
_SINGLE = re.compile(r"(?<![\w\]\[])\[([0-9]+(?:\.[0-9]*)?)\](?!\])")


def read_reply(rubric: Rubric, raw: str) -> Reading:
    """Parse the verdict from a complete, non-empty reply.

    Args:
        rubric: the rubric used in the request. FastChat rubrics only accept their own bracketed form.
        raw: the complete reply.

    Returns:
        The verdict. If the reply contains none, `error` gives the reason.
    """
    text = remove_thinking(raw)
    if not text.strip():
        return Reading(error="The reply contains only the judge's thinking and no verdict.")
    objects = find_objects(text) if rubric.schema is not None else []
    if rubric.kind == "pairwise":
        reading = find_winner(objects)
        return check_contradiction(reading, text, rubric) if reading else _read_winner(text, rubric, objects)
    assert rubric.scale is not None
    if rubric.kind == "single":
        reading = find_score(objects, rubric.scale)
        return check_contradiction(reading, text, rubric) if reading else _read_score(text, rubric, objects)
    reading = find_aspects(objects, rubric)
    return check_contradiction(reading, text, rubric) if reading else _read_aspects(text, rubric)


def _read_winner(text: str, rubric: Rubric, objects: list[dict[str, Any]]) -> Reading:
    folded = strip_decoration(text)
    value, start = decide(
        find_brackets(folded, WINNER_LABELS, lambda content: winner_in(content, whole=True))
    )
    if value.kind == "none" and not isinstance(rubric, FastChatRubric):
        value, start = find_labelled(folded, "winner", lambda rest, whole: winner_in(rest, whole=whole))
    if value.kind == "one":
        return Reading(letter=value.winner, reason=text_before(text, start))
    if value.kind == "unclear":
        return Reading(error="The verdict in the reply is unclear: it must be exactly one of A, B and tie.")
    if find_values(objects, REASON_KEYS):
        return Reading(error="The verdict is missing from the reply.")
    return Reading(error="The reply contains no verdict.")


def _read_score(text: str, rubric: Rubric, objects: list[dict[str, Any]]) -> Reading:
    assert rubric.scale is not None
    folded, high = strip_decoration(text), rubric.scale[1]
    value, start = decide(find_brackets(folded, SCORE_LABELS, score_classifier(high)))
    if value.kind == "none" and isinstance(rubric, FastChatRubric):
        value, start = _find_single_brackets(folded)
    elif value.kind == "none":
        value, start = find_labelled(
            folded, "score", lambda rest, whole: exact_score_in(rest, high, whole=whole)
        )
        if value.kind == "none":
            value, start = _find_bare_number(folded)
    if value.kind == "one":
        return check_scale(value, rubric.scale, text_before(text, start))
    if value.kind == "unclear":
        return Reading(error="The score in the reply is unclear: it must be exactly one number.")
    if find_values(objects, REASON_KEYS):
        return Reading(error="The score is missing from the reply.")
    return Reading(error="The reply contains no score.")


def _find_single_brackets(folded: str) -> tuple[Value, int]:
    """Return the score given in FastChat's fallback form, ``[7]``, and the position of the form."""
    numbers = list(_SINGLE.finditer(folded))
    if len({number_of(one[1]) for one in numbers}) != 1:
        return NONE, 0
    values = [qualify(folded, one, Value(kind="one", number=one[1])) for one in numbers[-MOST_FORMS:]]
    unclear = any(one.kind != "one" for one in values)
    return UNCLEAR if unclear else values[-1], numbers[-1].start()


def _find_bare_number(folded: str) -> tuple[Value, int]:
    """If the last line consists only of a number, return the number as the score, and the line's position."""
    *_, line = folded.rstrip().split("\n")
    if len(line) >= 40 or (bare := _BARE.fullmatch(line)) is None:
        return NONE, 0
    return Value(kind="one", number=bare["number"], out_of=bare["out_of"]), len(folded.rstrip()) - len(line)


def _read_aspects(text: str, rubric: Rubric) -> Reading:
    assert rubric.scale is not None
    folded, scale = strip_decoration(text), rubric.scale
    aspects, starts = [], []
    for name in rubric.aspects:
        value, start = decide(
            find_brackets(folded, aspect_label(name), aspect_classifier(scale[1]), only_labelled=True)
        )
        if value.kind == "none":
            return Reading(error=f"The reply contains no score for {name}.")
        if value.kind == "unclear":
            return Reading(
                error=f"The score for {name} in the reply is unclear: it must be exactly one number."
            )
        starts.append(start)
        if value.number == "n/a":
            aspects.append(Aspect(name=name, score=None))
            continue
        reading = check_scale(value, scale, None)
        if reading.error:
            return Reading(error=f"{name.capitalize()}: {reading.error}")
        aspects.append(Aspect(name=name, score=reading.score))
    return Reading(aspects=tuple(aspects), reason=text_before(text, min(starts)))
