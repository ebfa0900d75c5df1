"""From a judge's reply to a verdict: read from the strict form outwards, without guessing.

After thinking is removed, the first of these forms that the reply has decides:

1. JSON with the rubric's keys, anywhere in the reply;
2. the rubric's bracketed form, such as ``Verdict: [[A]]`` or ``[[7]]``;
3. the last labelled line that names exactly one candidate or score, such as ``Verdict: A``, if no later label
   or correction says anything else; for scores also a last line that is a number.

Several different values, a range, an approximate score, or letters in prose are no verdict, and neither is a
score outside the scale. A bracketed form beside the JSON must not contradict it. One exception: where the
last bracketed form is on a line of its own, as the rubric asks, earlier ones are drafts, unless "or" connects
them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from playground.judging.fastchat import FastChatRubric
from playground.judging.parse.forms import (
    BEFORE_LABEL,
    BRACKETS,
    CORRECTION,
    EXPLANATION,
    LABEL,
    LONGEST,
    NONE,
    NOTED_LABEL,
    QUALIFIED_LABEL,
    REVISION,
    SCORE_LABELS,
    UNCLEAR,
    WINNER_LABELS,
    Value,
    fold,
    number_of,
    score_in,
    winner_in,
)
from playground.judging.parse.structured import Repeated, find_objects, plain_key, remove_thinking, walk
from playground.judging.rubrics import Rubric
from playground.types import Aspect, replace_surrogates

NEAR = 120
"""Characters before a form that are looked at."""
MOST_FORMS = 500
"""Bracketed forms and labelled lines that are looked at, from the end."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a reply says; exactly one of `letter`, `score`, `aspects` and `error` is set."""

    letter: str | None = None
    """"A", "B" or "tie"."""
    score: float | None = None
    aspects: tuple[Aspect, ...] = ()
    reason: str | None = None
    error: str | None = None
    """Why there is no verdict, in one sentence."""


def read_reply(rubric: Rubric, raw: str) -> Reading:
    """The verdict in a reply that is not empty and was not cut off.

    Args:
        rubric: what was asked for. A FastChat rubric has only its own bracketed form.
        raw: the whole reply.

    Returns:
        The verdict, or in `Reading.error` why there is none.
    """
    text = remove_thinking(raw)
    if not text.strip():
        return Reading(error="The reply holds only the judge's thinking, and no verdict.")
    objects = find_objects(text) if rubric.schema is not None else []
    if rubric.kind == "pairwise":
        reading = _winner_of(objects)
        return _checked(reading, text, rubric) if reading else _winner(text, rubric, objects)
    assert rubric.scale is not None
    if rubric.kind == "single":
        reading = _score_of(objects, rubric.scale)
        return _checked(reading, text, rubric) if reading else _score(text, rubric, objects)
    reading = _aspects_of(objects, rubric)
    return _checked(reading, text, rubric) if reading else _aspects(text, rubric)


# --- Text that is not part of a value -------------------------------------------------------------


def _codes(*ranges: tuple[int, int]) -> set[int]:
    return {code for first, last in ranges for code in range(first, last + 1)}


# Pictographs that only decorate. Those that deny or doubt (a cross, a thumb down, a question mark), name a
# candidate or a number, compare, or can be one of several choices (an empty box, a coloured circle) stay in
# the text, which is then not read.
_PICTOGRAPHS = (
    _codes(
        (0x2022, 0x2023),  # bullets
        (0x2192, 0x2192),
        (0x21D2, 0x21D2),
        (0x231A, 0x231B),
        (0x25B6, 0x25B6),
        (0x25BA, 0x25BA),
        (0x2600, 0x2775),
        (0x2794, 0x27BF),
        (0x2B50, 0x2B50),
        (0x1F300, 0x1F64F),
        (0x1F680, 0x1F6FF),
        (0x1F900, 0x1FAFF),
    )
    - _codes(
        (0x2610, 0x2610),
        (0x2612, 0x2613),
        (0x26A0, 0x26A0),  # warning sign
        (0x26AA, 0x26AB),
        (0x26D4, 0x26D4),
        (0x2715, 0x2718),
        (0x274C, 0x274E),
        (0x2753, 0x2754),
        (0x2795, 0x2797),
        (0x1F44E, 0x1F44E),
        (0x1F494, 0x1F494),
        (0x1F4AF, 0x1F4AF),  # hundred points
        (0x1F4C8, 0x1F4C9),
        (0x1F518, 0x1F518),
        (0x1F51F, 0x1F51F),  # keycap ten
        (0x1F523, 0x1F524),
        (0x1F532, 0x1F535),
        (0x1F53A, 0x1F53D),
        (0x1F645, 0x1F645),
        (0x1F6AB, 0x1F6AB),
        (0x1F6D1, 0x1F6D1),
        (0x1F914, 0x1F914),
        (0x1F91D, 0x1F91D),
        (0x1F937, 0x1F937),
        (0x1F948, 0x1F949),  # second and third place
    )
) | {0x200D, 0x20E3, 0xFE0E, 0xFE0F}  # joiner, keycap and variation selectors
_DECORATION = re.compile(
    rf"(?:[{''.join(map(chr, sorted(_PICTOGRAPHS)))}]"
    r"|(?i:<\|(?:end_of_(?:turn|text|message)(?:_token)?|endoftext|eot_id|eom_id|eot|eos|im_end|end|return"
    r"|end\u2581of\u2581(?:sentence|turn))\|>|<(?:end_of_turn|eos)>))+"
)
"""Pictographs, and the tokens with which models end a turn."""


def _plain(text: str) -> str:
    """`text` folded, with spaces for pictographs and end-of-turn tokens, as long as before.

    Between a label and its value they stay: `rubrics.neutral` does not rewrite such a form in an answer, so
    it may be a quotation.
    """
    folded = fold(text)
    if folded.isascii() and "<" not in folded:
        return folded

    def blank(found: re.Match[str]) -> str:
        near = folded[max(0, found.start() - 40) : found.start()].rstrip(" \t\r\n\"'*_`~(")
        behind = near.endswith(":") or (not near and found.start() > 40)
        before = re.match(r"[\s\"'*_`~)]{0,20}:", folded[found.end() : found.end() + 21])
        return found[0] if behind or before else " " * len(found[0])

    return _DECORATION.sub(blank, folded)


_TILDE = re.compile(r"(?P<lead>[\s\"'*_`~\\\[\](){}$#|]*+)(?:[0-9.,/]++\s{0,5}(?P<after>~(?!~)))?")


def _score_in(text: str, high: float, *, whole: bool) -> Value:
    """`forms.score_in`, but an approximate score such as ``~8`` is unclear."""
    value = score_in(text, high, whole=whole)
    found = _TILDE.match(text)
    if value.kind == "one" and found and ("~" in found["lead"].replace("~~", "") or found["after"]):
        return UNCLEAR
    return value


# --- JSON beside a bracketed form -----------------------------------------------------------------

_OBJECT = re.compile(r'\{\s{0,200}"')
_STRING_OR_BRACE = re.compile(r'"(?:\\.|[^"\\])*+(?:"|$)|[{}]', re.DOTALL)


def _outside(text: str) -> str:
    """The text with a line break for each object. An object that is never closed extends to the end."""
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


def _checked(reading: Reading, text: str, rubric: Rubric) -> Reading:
    """The reading of the reply's JSON, unless a bracketed form outside it gives another value."""
    if reading.error:
        return reading
    plain = _plain(_outside(text))

    def contradicts(labels: str, classify: Callable[[str], Value], answer: Value, aspect: bool) -> bool:
        brackets = _brackets(plain, labels, classify, only_labelled=aspect)
        if any(
            one.labelled and one.value.kind == "one" and not _differs(one.value, answer) for one in brackets
        ):
            return False  # several forms, as where the instructions are repeated
        value, _ = _decide([one for one in brackets if one.begins])
        return value.kind == "one" and _differs(value, answer)

    if reading.letter:
        answer = Value(kind="one", winner=reading.letter)
        if contradicts(WINNER_LABELS, lambda content: winner_in(content, whole=True), answer, False):
            return Reading(error="The reply's JSON and its bracketed verdict name different winners.")
        return reading
    assert rubric.scale is not None
    if reading.score is not None:
        answer = Value(kind="one", number=str(reading.score))
        if contradicts(SCORE_LABELS, _score_classifier(rubric.scale[1]), answer, False):
            return Reading(error="The reply's JSON and its bracketed rating give different scores.")
    for one in reading.aspects:
        answer = Value(kind="one", number="n/a" if one.score is None else str(one.score))
        if contradicts(_aspect_label(one.name), _aspect_classifier(rubric.scale[1]), answer, True):
            return Reading(error=f"The reply's JSON and its bracketed form give {one.name} different scores.")
    return reading


# --- Objects --------------------------------------------------------------------------------------

_WINNER_KEYS = ("verdict", "finalverdict", "winner")
_SCORE_KEYS = ("score", "finalscore", "overallscore", "rating", "finalrating", "overallrating")
_REASONS = ("reasons", "reason", "explanation", "reasoning")


def _winner_of(objects: list[dict[str, Any]]) -> Reading | None:
    """The winner that the objects name; None if they have no key for one."""
    values = _values(objects, _WINNER_KEYS)
    if not values:
        return None
    letters = set()
    for value in values:
        read = winner_in(_plain(value), whole=True) if isinstance(value, str) else NONE
        if read.kind != "one":
            return Reading(error=f"The reply's verdict is {_quoted(value)}, not A, B or tie.")
        letters.add(read.winner)
    if len(letters) > 1:
        return Reading(error=f"The reply names several verdicts: {', '.join(sorted(letters))}.")
    return Reading(letter=letters.pop(), reason=_reason_of(objects))


def _score_of(objects: list[dict[str, Any]], scale: tuple[float, float]) -> Reading | None:
    values = _values(objects, _SCORE_KEYS)
    if not values:
        return None
    scores = set()
    for value in values:
        reading = _number(value, scale)
        if reading.score is None:
            return reading
        scores.add(reading.score)
    if len(scores) > 1:
        return Reading(
            error=f"The reply gives several scores: {', '.join(f'{s:g}' for s in sorted(scores))}."
        )
    return Reading(score=scores.pop(), reason=_reason_of(objects))


def _values(objects: list[dict[str, Any]], keys: Iterable[str]) -> list[Any]:
    """The values under these keys, of each object from the outermost level that has any."""
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
    if isinstance(value, Repeated):
        return False
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(one, dict) for one in value)
    )


def _reason_of(objects: list[dict[str, Any]]) -> str | None:
    texts = _values(objects, _REASONS)
    return next((text for value in reversed(texts) if (text := _text(value))), None)


def _aspects_of(objects: list[dict[str, Any]], rubric: Rubric) -> Reading | None:
    assert rubric.scale is not None
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
    if not entries:
        return None
    aspects = []
    for name in rubric.aspects:
        if name not in entries:
            return Reading(error=f"The reply holds no score for {name}.")
        read = [_aspect(name, entry, rubric.scale) for entry in entries[name]]
        if problem := next((one for one in read if isinstance(one, str)), None):
            return Reading(error=problem)
        found_aspects = [one for one in read if isinstance(one, Aspect)]
        if len({one.score for one in found_aspects}) > 1:
            return Reading(error=f"The reply gives several scores for {name}.")
        aspects.append(found_aspects[-1])
    return Reading(aspects=tuple(aspects))


def _aspect(name: str, entry: Any, scale: tuple[float, float]) -> Aspect | str:
    """An aspect's score from its entry, or why there is none."""
    said, reason = entry, None
    if isinstance(entry, dict):
        scores = [value for key, value in entry.items() if plain_key(key) in _SCORE_KEYS]
        if not scores:
            return f"The reply holds no score for {name}."
        said = scores[0]
        if any(other != said for other in scores):
            return f"The reply gives several scores for {name}."
        plain = {plain_key(key): value for key, value in entry.items()}
        reason = next((text for key in _REASONS if (text := _text(plain.get(key)))), None)
    if said is None or (isinstance(said, str) and _NOT_APPLICABLE.fullmatch(said.strip())):
        return Aspect(name=name, score=None, reason=reason)
    reading = _number(said, scale)
    if reading.score is None:
        return f"{name.capitalize()}: {reading.error}"
    return Aspect(name=name, score=reading.score, reason=reason)


def _number(said: Any, scale: tuple[float, float]) -> Reading:
    usable = isinstance(said, str | int | float) and not isinstance(said, bool)
    # A whole number of thousands of digits cannot be written as text.
    huge = isinstance(said, int) and abs(said) >= 10**9
    value = _score_in(_plain(str(said)), scale[1], whole=True) if usable and not huge else NONE
    if value.kind != "one":
        shown = "a huge number" if huge else _quoted(said)
        return Reading(error=f"The reply's score is {shown}, not a number from {scale[0]:g} to {scale[1]:g}.")
    return _ranged(value, scale, None)


def _text(value: Any) -> str | None:
    # Escapes in JSON may hold lone surrogates, which cannot be stored.
    return replace_surrogates(value).strip() or None if isinstance(value, str) else None


def _quoted(value: Any) -> str:
    shown = "missing" if value is None else repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."


# --- Brackets -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Bracket:
    """One ``[[...]]`` of a reply."""

    start: int
    value: Value
    labelled: bool
    alone: bool
    """Whether its line holds nothing else but its label."""
    above: bool
    """Whether the line above it is such a line too, or a line with "or" connects it to an earlier form."""
    begins: bool
    """Whether its line begins with it or its label, and it has a label or is alone."""


_GAP = r"[\s\"'*_`~()]{0,20}"
_FORM_END = r"[\s\"'*_`~.!)]*"

# --- Ranges around brackets


def _compiled(*patterns: str, flags: int = 0) -> list[re.Pattern[str]]:
    return [re.compile(pattern, flags) for pattern in patterns]


_NUMBER = r"(?P<other>[0-9]{1,9}(?:[.,][0-9]{1,9})?)"
_CHOICE = r"(?P<other>[ABC]|[Tt]ie|[Dd]raw)(?![\w'])"
_NEAR = r"[ \t\"'*_`)]{0,20}"
_LEAD = r"[ \t\"'*_`(~\[]{0,20}"
_OR = (
    r"(?:(?:or|oder|ou)(?!\w)|\u6216\u8005?)"
    r"(?:\s{1,5}(?:maybe|perhaps|possibly|even|rather|vielleicht|eher))?"
)
_TO = r"(?:(?:to|bis|\u00e0|through|until)(?!\w)|[\u5230\u81f3])"
_AND = r"(?:(?:and|und|et|vs\.?|versus)(?!\w)|\u548c)"
_DASH = r"(?:[-\u2013-\u2015~|&\u2026]|\.{2,3})"
_ABOUT = (
    r"(?:(?<!\w)(?:about|around|approx\.?|approximately|roughly|nearly|almost|circa|ca\.|between|at least"
    r"|at most|more than|less than|up to|ungef\u00e4hr|etwa|zwischen|mindestens|h\u00f6chstens|environ|entre"
    r"|au moins)(?!\w)"
    r"|\u7ea6|\u5927\u6982|(?<!~)~(?!~)|[\u2248\u223c\u2243\u00b1])"
)
# "- 9" is a range where nothing or a unit follows; "- 3 facts are missing" is a reason.
_RANGE_END = (
    r"[\"'*_`)\]]{0,10}(?:\s{0,5}(?:/|\(|out of|points?(?!\w)|pts|stars?(?!\w)|punkte?(?!\w)|\u5206|\n|$)"
    r"|\s{0,20}$|[.,;:!](?:\s|$)|\s{1,5}(?:because|since|as|depending|overall|weil|car)(?!\w))"
)
_INEXACT = re.compile(
    rf"{_NEAR}(?:[%\u2030\u00b1\u00bc-\u00be]|(?:percent|prozent|and a half)(?!\w)|1/2)"
    r"|[*_`]{0,6}(?:\+|[.,][0-9]|-?ish(?!\w))",
    re.IGNORECASE,
)
_SCORE_RANGES = _compiled(
    rf"[\s\"'*_`),]{{0,20}}{_OR}{_LEAD}{_NUMBER}",
    rf"{_NEAR}{_TO}{_LEAD}{_NUMBER}",
    rf"[*_`]{{0,6}}[-\u2013~]{_NUMBER}",
    rf"{_NEAR}(?:{_DASH}|{_AND}){_LEAD}{_NUMBER}(?![.,]?[0-9]){_RANGE_END}",
    flags=re.IGNORECASE,
)
_SCORE_RANGES_BEFORE = _compiled(
    rf"(?<![\w.,]){_NUMBER}{_NEAR}(?:{_OR}|{_TO}){_LEAD}$",
    rf":{_LEAD}{_NUMBER}{_NEAR}(?:{_DASH}|{_AND}|/){_LEAD}$",
    rf"(?<!\w)(?:between|zwischen|entre){_LEAD}{_NUMBER}{_NEAR}{_AND}{_LEAD}$",
    flags=re.IGNORECASE,
)
_INEXACT_BEFORE = re.compile(
    rf"{_ABOUT}[ \t\"'*_`(]{{0,20}}$|:[ \t\"'*_`(]{{0,20}}[<>\u2264\u2265]=?[ \t\"'*_`(]{{0,20}}$",
    re.IGNORECASE,
)
_BRACKET_OUT_OF = re.compile(rf"{_NEAR}(?:/|out of){_LEAD}([0-9]{{1,9}})(?![.,]?[0-9])", re.IGNORECASE)
_CHOICES = _compiled(
    rf"[\s\"'*_`),]{{0,20}}{_OR}\s{{0,5}}(?:the\s|an?\s)?(?:[Aa]nswer\s|[Aa]ssistant\s)?{_LEAD}{_CHOICE}",
    rf"{_NEAR}(?:{_DASH}|{_AND}|/)\s{{0,5}}(?:an?\s)?{_LEAD}{_CHOICE}[\"'*_`)\].!]{{0,10}}\s{{0,20}}(?:\n|$)",
)
_CHOICES_BEFORE = _compiled(
    rf"(?<![\w'])(?:[Aa]nswer\s|[Aa]ssistant\s)?{_CHOICE}{_NEAR}{_OR}{_LEAD}$",
    rf":{_LEAD}{_CHOICE}{_NEAR}(?:/|{_AND}){_LEAD}$",
)
_OR_LINE = re.compile(
    r"\W{0,10}(?:(?:or|oder|ou|alternatively|alternativ|otherwise)(?!\w)|\u6216)"
    r"|\W{0,10}(?:and|und|et|to|bis|vs\.?|versus|/|\||&)\W{0,10}$",
    re.IGNORECASE,
)
"""A line between two forms that makes them alternatives."""


def _qualify(folded: str, found: re.Match[str], value: Value) -> Value:
    """The value of a bracketed form, unclear if the text around it makes it a range, choice or estimate."""
    before = folded[_line(folded, found.start()) : found.start()]
    after = folded[found.end() : found.end() + 160]
    if value.winner:
        names = {"a": "A", "b": "B"}
        others = [one.search(before) for one in _CHOICES_BEFORE] + [one.match(after) for one in _CHOICES]
        if any(one and names.get(one["other"].lower(), "tie") != value.winner for one in others):
            return UNCLEAR
        return UNCLEAR if re.search(r":\s{0,5}(?:between|zwischen|entre)\s{1,5}$", before) else value
    if not value.number[:1].isdigit():
        return value
    if _INEXACT.match(after) or _INEXACT_BEFORE.search(before):
        return UNCLEAR
    ranges = [one.search(before) for one in _SCORE_RANGES_BEFORE] + [
        one.match(after) for one in _SCORE_RANGES
    ]
    if any(one and number_of(one["other"]) != number_of(value.number) for one in ranges):
        return UNCLEAR
    if value.out_of is None and (out_of := _BRACKET_OUT_OF.match(after)):
        return replace(value, out_of=out_of[1])
    return value


def _is_alternative(folded: str, line: int) -> bool:
    """Whether the last line with text before the line at `line` is "or", with another form above it."""
    near = folded[max(0, line - NEAR) : line].rstrip()
    above, _, last = near.rpartition("\n")
    return _OR_LINE.match(last) is not None and (
        BRACKETS.search(above) is not None or LABEL.search(above) is not None
    )


def _brackets(
    folded: str, labels: str, classify: Callable[[str], Value], *, only_labelled: bool = False
) -> list[_Bracket]:
    """The bracketed forms in a text, in order, without those that hold something else."""
    label = rf"(?:{labels})(?:[ _]+(?:finale?s?|is|ist|est))?{_GAP}:{_GAP}"
    ends = re.compile(rf"{label}$", re.IGNORECASE)
    alone = re.compile(rf"(?:{BEFORE_LABEL.pattern}{label})?[\s\"'*_`~#>(-]*$", re.IGNORECASE)
    found: list[_Bracket] = []
    last_alone = -1
    for one in list(BRACKETS.finditer(folded))[-MOST_FORMS:]:
        value = classify(one[1])
        line = _line(folded, one.start())
        before = folded[line : one.start()]
        labelled = ends.search(folded[max(0, one.start() - 120) : one.start()]) is not None
        if value.kind == "none":
            continue
        if only_labelled and not labelled:
            # It counts if it follows a labelled form on the same line, as in "depth: [[4]] or [[3]]".
            between = folded[found[-1].start : one.start()] if found else "\n"
            if len(between) > NEAR or "\n" in between or ":" in between:
                continue
        if not labelled and re.search(r"[A-Za-z0-9_\])]$", before) and one[1].strip()[:1].isdigit():
            continue  # an index, as in arr[[1]]
        if not labelled and value.kind == "unclear" and not re.match(r"[\s<>=~]*(?:[0-9]|[ABab]\b)", one[1]):
            continue
        after = folded[one.end() : one.end() + 40].split("\n", 1)[0]
        first = alone.fullmatch(before) is not None
        own = re.fullmatch(_FORM_END, after) is not None and first
        above = own and last_alone >= 0 and not folded[last_alone:line].strip()
        value = _qualify(folded, one, value)
        if first and _is_alternative(folded, line):
            if not found:
                value = UNCLEAR
            above = True
        if own:
            last_alone = one.end() + len(after)
        corrects = CORRECTION.search(before) is not None
        found.append(
            _Bracket(
                start=one.start(),
                value=value,
                labelled=labelled,
                alone=own or corrects,
                above=above,
                begins=first and (own or labelled),
            )
        )
    return found


def _decide(brackets: list[_Bracket]) -> tuple[Value, int]:
    """The value that the bracketed forms give together, and where the form that gave it begins."""
    if not brackets:
        return NONE, 0
    last = brackets[-1]
    listed = last.above and len(brackets) > 1 and _differs(brackets[-2].value, last.value)
    if last.value.kind == "one" and last.alone and not listed:
        return last.value, last.start
    labelled = [number for number, one in enumerate(brackets) if one.labelled]
    # Bare brackets before a labelled one are talk; those after it count.
    pool = (
        [one for number, one in enumerate(brackets) if one.labelled or number > labelled[-1]]
        if labelled
        else brackets
    )
    if any(one.value.kind != "one" or _differs(one.value, last.value) for one in pool):
        return UNCLEAR, 0
    return last.value, last.start


def _differs(one: Value, other: Value) -> bool:
    if one.winner or other.winner:
        return one.winner != other.winner
    return one.number != other.number and (
        not one.number[:1].isdigit()
        or not other.number[:1].isdigit()
        or number_of(one.number) != number_of(other.number)
    )


# --- Text -----------------------------------------------------------------------------------------


def _winner(text: str, rubric: Rubric, objects: list[dict[str, Any]]) -> Reading:
    folded = _plain(text)
    value, start = _decide(_brackets(folded, WINNER_LABELS, lambda content: winner_in(content, whole=True)))
    if value.kind == "none" and not isinstance(rubric, FastChatRubric):
        value, start = _labelled(folded, "winner", lambda rest, whole: winner_in(rest, whole=whole))
    if value.kind == "one":
        return Reading(letter=value.winner, reason=_before(text, start))
    if value.kind == "unclear":
        return Reading(error="The reply names no verdict clearly: it must be exactly one of A, B and tie.")
    if _values(objects, _REASONS):
        return Reading(error="The reply's verdict is missing.")
    return Reading(error="The reply holds no verdict.")


_BARE = re.compile(
    r"(?:[\s*_`#]|[>-]+\s)*(?P<number>[0-9]+(?:[.,][0-9]+)?)[*_`\s]*(?:/\s*(?P<out_of>[0-9]+)[*_`\s]*\.?)?"
)
_SINGLE = re.compile(r"(?<![\w\]\[])\[([0-9]+(?:\.[0-9]*)?)\](?!\])")


def _score(text: str, rubric: Rubric, objects: list[dict[str, Any]]) -> Reading:
    assert rubric.scale is not None
    folded, high = _plain(text), rubric.scale[1]
    value, start = _decide(_brackets(folded, SCORE_LABELS, _score_classifier(high)))
    if value.kind == "none" and isinstance(rubric, FastChatRubric):
        # FastChat's second pattern.
        numbers = list(_SINGLE.finditer(folded))
        if len({number_of(one[1]) for one in numbers}) == 1:
            values = [
                _qualify(folded, one, Value(kind="one", number=one[1])) for one in numbers[-MOST_FORMS:]
            ]
            unclear = any(one.kind != "one" for one in values)
            value, start = UNCLEAR if unclear else values[-1], numbers[-1].start()
    elif value.kind == "none":
        value, start = _labelled(folded, "score", lambda rest, whole: _score_in(rest, high, whole=whole))
        if value.kind == "none":
            *_, line = folded.rstrip().split("\n")
            if len(line) < 40 and (bare := _BARE.fullmatch(line)):
                value = Value(kind="one", number=bare["number"], out_of=bare["out_of"])
                start = len(folded.rstrip()) - len(line)
    if value.kind == "one":
        return _ranged(value, rubric.scale, _before(text, start))
    if value.kind == "unclear":
        return Reading(error="The reply gives no score clearly: it must be exactly one number.")
    if _values(objects, _REASONS):
        return Reading(error="The reply's score is missing.")
    return Reading(error="The reply holds no score.")


_NOT_APPLICABLE = re.compile(
    r"[\"'*_`\s]*(?:n\s*+(?:/\s*)?a|not applicable|none|null)[\"'*_`\s.]*", re.IGNORECASE
)


def _aspect_label(name: str) -> str:
    return rf"(?<!\w){re.escape(fold(name))}"


def _score_classifier(high: float) -> Callable[[str], Value]:
    return lambda content: _score_in(content, high, whole=True)


def _aspect_classifier(high: float) -> Callable[[str], Value]:
    def classify(content: str) -> Value:
        if _NOT_APPLICABLE.fullmatch(content):
            return Value(kind="one", number="n/a")
        return _score_in(content, high, whole=True)

    return classify


def _aspects(text: str, rubric: Rubric) -> Reading:
    assert rubric.scale is not None
    folded, scale = _plain(text), rubric.scale
    aspects, starts = [], []
    for name in rubric.aspects:
        value, start = _decide(
            _brackets(folded, _aspect_label(name), _aspect_classifier(scale[1]), only_labelled=True)
        )
        if value.kind == "none":
            return Reading(error=f"The reply holds no score for {name}.")
        if value.kind == "unclear":
            return Reading(
                error=f"The reply gives no score for {name} clearly: it must be exactly one number."
            )
        starts.append(start)
        if value.number == "n/a":
            aspects.append(Aspect(name=name, score=None))
            continue
        reading = _ranged(value, scale, None)
        if reading.error:
            return Reading(error=f"{name.capitalize()}: {reading.error}")
        aspects.append(Aspect(name=name, score=reading.score))
    return Reading(aspects=tuple(aspects), reason=_before(text, min(starts)))


def _labelled(folded: str, group: str, classify: Callable[[str, bool], Value]) -> tuple[Value, int]:
    """The value of the last labelled line that has one, and where its label is.

    A label inside a sentence gives no value, but after the last line it takes that line's value back unless
    it repeats it; so does a later label without a readable value.
    """
    lines: list[tuple[Value, int]] = []
    later: list[Value] = []
    for found in reversed([one for one in LABEL.finditer(folded) if one[group]][-MOST_FORMS:]):
        key = folded[found.start() - 1 : found.start()] in ("'", '"') and re.search(
            r"[\"']\s*$", found["between"]
        )
        if key:
            # As in JSON that could not be decoded.
            rest = re.match(
                r"\s*(?:\"([^\"\n]{0,100})\"|'([^'\n]{0,100})'|([^,}\n]{0,100}))", folded[found.end() :][:200]
            )
            value = (
                classify(next((part for part in rest.groups() if part is not None), ""), True)
                if rest
                else NONE
            )
        else:
            said = _rest(folded, found.end())
            value = classify(said, False)
            begins = _begins(folded, found.start())
            if not begins or value.kind == "none":
                before = folded[_line(folded, found.start()) : found.start()]
                comment = value.kind == "none" and _ARTICLE.match(said)
                if not lines and not comment and not EXPLANATION.search(before):
                    later.append(value)
                continue
        if value.kind != "none":
            lines.append((value, found.start()))
        elif not lines:
            later.append(value)
        if len(lines) == 2 or value.kind == "unclear":
            break
    if not lines:
        return NONE, 0
    value, start = lines[0]
    later += _revisions(folded, start, group, classify)
    if any(other.kind != "one" or _differs(other, value) for other in later):
        return UNCLEAR, 0
    if len(lines) == 2 and value.kind == "one" and _differs(lines[1][0], value):
        # Two forms one under the other are a list, such as the instruction's; apart, the earlier is a draft.
        between = folded[_line(folded, lines[1][1]) : _line(folded, start)]
        filled = [one for one in between.split("\n") if one.strip()]
        if len(filled) <= 1 or any(_OR_LINE.match(one) for one in (filled[1], filled[-1])):
            return UNCLEAR, 0
    return value, start


_ARTICLE = re.compile(r"[\s\"'*_`~]{0,20}an?\s+[a-z]", re.IGNORECASE)
_NO_WINNER = re.compile(
    r"\W{0,20}(?:neither|none|nobody|no one|undecided|unclear|keine?[rs]?|weder|aucune?|\u90fd\u4e0d)(?!\w)",
    re.IGNORECASE,
)


def _revisions(
    folded: str, start: int, group: str, classify: Callable[[str, bool], Value]
) -> Iterable[Value]:
    """The values that headings, longer labels and corrections give after the label at `start`."""
    found = [one for one in NOTED_LABEL.finditer(folded, start + 1) if one[group]]
    for one in found[-MOST_FORMS:]:
        yield classify(_rest(folded, one.end()), False)
    found = [one for one in QUALIFIED_LABEL.finditer(folded, start + 1) if one[group]]
    for one in found[-MOST_FORMS:]:
        if EXPLANATION.search(one["words"] or ""):
            continue
        if one["words"] is None and not _begins(folded, one.start()):
            continue
        said = _rest(folded, one.end() - one[0].endswith("\n"))
        value = classify(said, False)
        if value.kind == "one" or _NO_WINNER.match(said):
            yield value
    for one in list(REVISION.finditer(folded, start + 1))[-MOST_FORMS:]:
        if not _begins(folded, one.start()):
            continue
        value = classify(_rest(folded, one.end()), False)
        strict, colon = one["strict"] or one["strict_zh"], one["colon"] or one["colon_zh"]
        if value.kind == "one" or (colon and (strict or value.kind == "unclear")):
            yield value


def _begins(folded: str, position: int) -> bool:
    """Whether a label there begins its line or sentence."""
    line = _line(folded, position)
    before = folded[line:position]
    *_, sentence = re.split(r"(?<=[.!?;\u3002\uff1f])(?:[\"'*_)\s]+|(?<=\u3002))", before)
    return BEFORE_LABEL.fullmatch(sentence) is not None and (position - line < NEAR or sentence != before)


_QUOTE = re.compile(r"\A(?:>\s+)+")


def _rest(folded: str, position: int) -> str:
    """The rest of a labelled line, or the next line with text if there is nothing more on it."""
    end = folded.find("\n", position, position + LONGEST)
    rest = folded[position : end if end >= 0 else position + LONGEST]
    if rest.strip(" \t\r\"'*_`~") or end < 0:
        return rest
    line = folded[end : end + LONGEST].lstrip().split("\n", 1)[0]
    return _QUOTE.sub("", line)


def _line(folded: str, position: int) -> int:
    """Where the line of a position begins; at most `NEAR` characters before it."""
    near = max(0, position - NEAR)
    return max(near, folded.rfind("\n", near, position) + 1)


def _before(text: str, end: int) -> str | None:
    """The text before the line that the verdict is on."""
    return text[: text.rfind("\n", 0, end) + 1].strip() or None


def _ranged(value: Value, scale: tuple[float, float], reason: str | None) -> Reading:
    low, high = scale
    score = number_of(value.number)
    if value.out_of is not None and float(value.out_of) != high:
        return Reading(error=f"The reply's score {value.number}/{value.out_of} is not out of {high:g}.")
    if not low <= score <= high:
        return Reading(error=f"The reply's score {value.number} is not from {low:g} to {high:g}.")
    return Reading(score=score, reason=reason)
