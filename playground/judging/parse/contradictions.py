"""Check that bracketed forms such as ``[[A]]`` do not contradict the JSON in the same reply."""

from __future__ import annotations

import re
from collections.abc import Callable

from playground.judging.parse.brackets import (
    aspect_classifier,
    aspect_label,
    decide,
    differs,
    find_brackets,
    score_classifier,
)
from playground.judging.parse.decoration import strip_decoration
from playground.judging.parse.reading import Reading
from playground.rubrics.forms import SCORE_LABELS, WINNER_LABELS, Value, winner_in
from playground.rubrics.rubric import Rubric

_OBJECT = re.compile(r'\{\s{0,200}"')
_STRING_OR_BRACE = re.compile(r'"(?:\\.|[^"\\])*+(?:"|$)|[{}]', re.DOTALL)


def _outside_objects(text: str) -> str:
    """Replace each JSON object in the text with a newline.

    An unclosed object extends to the end of the text.
    """
    kept, position = [], 0
    while start := _OBJECT.search(text, position):
        kept.append(text[position : start.start()])
        depth = 0
        for piece in _STRING_OR_BRACE.finditer(text, start.start()):
            depth += (piece[0] == "{") - (piece[0] == "}")
            if depth == 0:
                position = piece.end()
                break
        else:
            return "\n".join(kept)
    return "\n".join([*kept, text[position:]])


def check_contradiction(reading: Reading, text: str, rubric: Rubric) -> Reading:
    """Return the verdict from the reply's JSON, or an error if a bracketed form such as ``[[A]]`` outside the
    JSON contradicts that verdict.
    """
    if reading.error:
        return reading
    plain = strip_decoration(_outside_objects(text))

    def contradicts(labels: str, classify: Callable[[str], Value], answer: Value, aspect: bool) -> bool:
        brackets = find_brackets(plain, labels, classify, only_labelled=aspect)
        if any(
            one.labelled and one.value.kind == "one" and not differs(one.value, answer) for one in brackets
        ):
            # other bracketed forms may differ, for example if the reply repeats the instructions
            return False
        value, _ = decide([one for one in brackets if one.begins])
        return value.kind == "one" and differs(value, answer)

    if reading.letter:
        answer = Value(kind="one", winner=reading.letter)
        if contradicts(WINNER_LABELS, lambda content: winner_in(content, whole=True), answer, False):
            return Reading(error="The JSON and the bracketed verdict in the reply name different winners.")
        return reading
    assert rubric.scale is not None
    if reading.score is not None:
        answer = Value(kind="one", number=str(reading.score))
        if contradicts(SCORE_LABELS, score_classifier(rubric.scale[1]), answer, False):
            return Reading(error="The JSON and the bracketed rating in the reply give different scores.")
    for one in reading.aspects:
        answer = Value(kind="one", number="n/a" if one.score is None else str(one.score))
        if contradicts(aspect_label(one.name), aspect_classifier(rubric.scale[1]), answer, True):
            return Reading(
                error=f"The JSON and the bracketed form in the reply give different scores for {one.name}."
            )
    return reading
