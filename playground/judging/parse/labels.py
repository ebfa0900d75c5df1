"""Parse labelled lines such as ``Verdict: A``, and detect later text that revises their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from playground.judging.parse.brackets import differs
from playground.judging.parse.ranges import OR_LINE
from playground.judging.parse.reading import MOST_FORMS, NEAR, line_start
from playground.rubrics.forms import (
    BEFORE_LABEL,
    EXPLANATION,
    LABEL,
    LONGEST,
    NONE,
    NOTED_LABEL,
    QUALIFIED_LABEL,
    REVISION,
    UNCLEAR,
    Value,
)

_KEY_VALUE = re.compile(r"\s*(?:\"([^\"\n]{0,100})\"|'([^'\n]{0,100})'|([^,}\n]{0,100}))")
_CLOSING_QUOTE = re.compile(r"[\"']\s*$")
_QUOTE = re.compile(r"\A(?:>\s+)+")
_ARTICLE = re.compile(r"[\s\"'*_`~]{0,20}an?\s+[a-z]", re.IGNORECASE)
_NO_WINNER = re.compile(
    r"\W{0,20}(?:neither|none|nobody|no one|undecided|unclear|keine?[rs]?|weder|aucune?|\u90fd\u4e0d)(?!\w)",
    re.IGNORECASE,
)


def find_labelled(folded: str, group: str, classify: Callable[[str, bool], Value]) -> tuple[Value, int]:
    """Return the value from the last labelled line that contains a value, and the position of that line's
    label.

    A label inside a sentence never provides the value. However, the value is unclear if a later label, even
    inside a sentence, states a different value or has no readable value.

    Args:
        folded: normalized text, as returned by `forms.fold`.
        group: the name of the regex group in `forms.LABEL`, "winner" or "score".
        classify: function that parses the text after a label. Its second argument specifies whether the value
            must be the entire text.
    """
    lines, later = _last_lines(folded, group, classify)
    if not lines:
        return NONE, 0
    value, start = lines[0]
    later += _revisions(folded, start, group, classify)
    if any(other.kind != "one" or differs(other, value) for other in later):
        return UNCLEAR, 0
    if len(lines) == 2 and value.kind == "one" and differs(lines[1][0], value):
        # Two adjacent labelled lines are a list of options, like the list in the instructions. Otherwise, the
        # earlier line is a draft.
        between = folded[line_start(folded, lines[1][1]) : line_start(folded, start)]
        filled = [one for one in between.split("\n") if one.strip()]
        if len(filled) <= 1 or any(OR_LINE.match(one) for one in (filled[1], filled[-1])):
            return UNCLEAR, 0
    return value, start


def _last_lines(
    folded: str, group: str, classify: Callable[[str, bool], Value]
) -> tuple[list[tuple[Value, int]], list[Value]]:
    """Return the last two (or fewer) labelled lines that contain a value, in reverse order.

    Also return the values of all labels after the last labelled line.
    """
    lines: list[tuple[Value, int]] = []
    later: list[Value] = []
    for found in reversed([one for one in LABEL.finditer(folded) if one[group]][-MOST_FORMS:]):
        if _is_key(folded, found):
            value = _key_value(folded, found, classify)
        else:
            rest = _rest(folded, found.end())
            value = classify(rest, False)
            if not _begins(folded, found.start()) or value.kind == "none":
                before = folded[line_start(folded, found.start()) : found.start()]
                comment = value.kind == "none" and _ARTICLE.match(rest)
                if not lines and not comment and not EXPLANATION.search(before):
                    later.append(value)
                continue
        if value.kind != "none":
            lines.append((value, found.start()))
        elif not lines:
            later.append(value)
        if len(lines) == 2 or value.kind == "unclear":
            break
    return lines, later


def _is_key(folded: str, label: re.Match[str]) -> bool:
    """Return whether a label is a quoted key, as in invalid JSON."""
    quoted = folded[label.start() - 1 : label.start()] in ("'", '"')
    return quoted and _CLOSING_QUOTE.search(label["between"]) is not None


def _key_value(folded: str, label: re.Match[str], classify: Callable[[str, bool], Value]) -> Value:
    found = _KEY_VALUE.match(folded[label.end() :][:200])
    if found is None:
        return NONE
    return classify(next((part for part in found.groups() if part is not None), ""), True)


def _revisions(
    folded: str, start: int, group: str, classify: Callable[[str, bool], Value]
) -> Iterable[Value]:
    """Yield the values in headings, longer labels and corrections after the label at position `start`."""
    found = [one for one in NOTED_LABEL.finditer(folded, start + 1) if one[group]]
    for one in found[-MOST_FORMS:]:
        yield classify(_rest(folded, one.end()), False)
    found = [one for one in QUALIFIED_LABEL.finditer(folded, start + 1) if one[group]]
    for one in found[-MOST_FORMS:]:
        if EXPLANATION.search(one["words"] or ""):
            continue
        if one["words"] is None and not _begins(folded, one.start()):
            continue
        rest = _rest(folded, one.end() - one[0].endswith("\n"))
        value = classify(rest, False)
        if value.kind == "one" or _NO_WINNER.match(rest):
            yield value
    for one in list(REVISION.finditer(folded, start + 1))[-MOST_FORMS:]:
        if not _begins(folded, one.start()):
            continue
        value = classify(_rest(folded, one.end()), False)
        strict, colon = one["strict"] or one["strict_zh"], one["colon"] or one["colon_zh"]
        if value.kind == "one" or (colon and (strict or value.kind == "unclear")):
            yield value


def _begins(folded: str, position: int) -> bool:
    """Return whether the label at `position` is at the beginning of a line or sentence."""
    line = line_start(folded, position)
    before = folded[line:position]
    *_, sentence = re.split(r"(?<=[.!?;\u3002\uff1f])(?:[\"'*_)\s]+|(?<=\u3002))", before)
    return BEFORE_LABEL.fullmatch(sentence) is not None and (position - line < NEAR or sentence != before)


def _rest(folded: str, position: int) -> str:
    """Return the text after the label on a labelled line, or the next non-blank line if there is no such
    text.
    """
    end = folded.find("\n", position, position + LONGEST)
    rest = folded[position : end if end >= 0 else position + LONGEST]
    if rest.strip(" \t\r\"'*_`~") or end < 0:
        return rest
    line = folded[end : end + LONGEST].lstrip().split("\n", 1)[0]
    return _QUOTE.sub("", line)
