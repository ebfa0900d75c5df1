"""Detect text that makes a value ambiguous: ranges, alternatives and estimates, as in ``[[7]] or 8``."""

from __future__ import annotations

import re
from dataclasses import replace

from playground.judging.parse.reading import line_start
from playground.rubrics.forms import UNCLEAR, Value, number_of, score_in

_TILDE = re.compile(r"(?P<lead>[\s\"'*_`~\\\[\](){}$#|]*+)(?:[0-9.,/]++\s{0,5}(?P<after>~(?!~)))?")


def exact_score_in(text: str, high: float, *, whole: bool) -> Value:
    """Parse a score in the same way as `forms.score_in`, but treat estimates such as ``~8`` as unclear."""
    value = score_in(text, high, whole=whole)
    found = _TILDE.match(text)
    if value.kind == "one" and found and ("~" in found["lead"].replace("~~", "") or found["after"]):
        return UNCLEAR
    return value


def _compile_patterns(*patterns: str, flags: int = 0) -> list[re.Pattern[str]]:
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
# "- 9" is the end of a range if followed by nothing or by a unit. "- 3 facts are missing" is a reason.
_RANGE_END = (
    r"[\"'*_`)\]]{0,10}(?:\s{0,5}(?:/|\(|out of|points?(?!\w)|pts|stars?(?!\w)|punkte?(?!\w)|\u5206|\n|$)"
    r"|\s{0,20}$|[.,;:!](?:\s|$)|\s{1,5}(?:because|since|as|depending|overall|weil|car)(?!\w))"
)
_INEXACT = re.compile(
    rf"{_NEAR}(?:[%\u2030\u00b1\u00bc-\u00be]|(?:percent|prozent|and a half)(?!\w)|1/2)"
    r"|[*_`]{0,6}(?:\+|[.,][0-9]|-?ish(?!\w))",
    re.IGNORECASE,
)
_SCORE_RANGES = _compile_patterns(
    rf"[\s\"'*_`),]{{0,20}}{_OR}{_LEAD}{_NUMBER}",
    rf"{_NEAR}{_TO}{_LEAD}{_NUMBER}",
    rf"[*_`]{{0,6}}[-\u2013~]{_NUMBER}",
    rf"{_NEAR}(?:{_DASH}|{_AND}){_LEAD}{_NUMBER}(?![.,]?[0-9]){_RANGE_END}",
    flags=re.IGNORECASE,
)
_SCORE_RANGES_BEFORE = _compile_patterns(
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
_CHOICES = _compile_patterns(
    rf"[\s\"'*_`),]{{0,20}}{_OR}\s{{0,5}}(?:the\s|an?\s)?(?:[Aa]nswer\s|[Aa]ssistant\s)?{_LEAD}{_CHOICE}",
    rf"{_NEAR}(?:{_DASH}|{_AND}|/)\s{{0,5}}(?:an?\s)?{_LEAD}{_CHOICE}[\"'*_`)\].!]{{0,10}}\s{{0,20}}(?:\n|$)",
)
_CHOICES_BEFORE = _compile_patterns(
    rf"(?<![\w'])(?:[Aa]nswer\s|[Aa]ssistant\s)?{_CHOICE}{_NEAR}{_OR}{_LEAD}$",
    rf":{_LEAD}{_CHOICE}{_NEAR}(?:/|{_AND}){_LEAD}$",
)
OR_LINE = re.compile(
    r"\W{0,10}(?:(?:or|oder|ou|alternatively|alternativ|otherwise)(?!\w)|\u6216)"
    r"|\W{0,10}(?:and|und|et|to|bis|vs\.?|versus|/|\||&)\W{0,10}$",
    re.IGNORECASE,
)
"""Matches a line that begins with "or" or consists only of a word such as "and" or "vs.", in several
languages.

The bracketed forms before and after such a line are alternatives.
"""


def qualify(folded: str, found: re.Match[str], value: Value) -> Value:
    """Return the value of a bracketed form.

    Return `UNCLEAR` if nearby text turns the value into a range, an alternative or an estimate.
    """
    before = folded[line_start(folded, found.start()) : found.start()]
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
