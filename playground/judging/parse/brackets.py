"""Parse bracketed forms such as ``[[A]]`` or ``Score: [[7]]``, and decide which form counts if there are
several.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from playground.judging.parse.ranges import OR_LINE, exact_score_in, qualify
from playground.judging.parse.reading import MOST_FORMS, NEAR, line_start
from playground.rubrics.forms import (
    BEFORE_LABEL,
    BRACKETS,
    CORRECTION,
    LABEL,
    NONE,
    UNCLEAR,
    Value,
    number_of,
)
from playground.types.text import fold

_GAP = r"[\s\"'*_`~()]{0,20}"
_FORM_END = r"[\s\"'*_`~.!)]*"

NOT_APPLICABLE = re.compile(
    r"[\"'*_`\s]*(?:n\s*+(?:/\s*)?a|not applicable|none|null)[\"'*_`\s.]*", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """A parsed ``[[...]]`` form in a reply."""

    start: int
    value: Value
    labelled: bool
    alone: bool
    """Whether the line contains nothing but the bracketed form and its label, or the words before the form
    mark it as a correction.
    """
    above: bool
    """Whether this form and the form before it may be alternatives: each is alone on its line with no other
    text between them, or a line that says "or" connects them.
    """
    begins: bool
    """Whether the line begins with the bracketed form or its label.

    A form without a label must also be alone on its line.
    """


def _is_alternative(folded: str, line: int) -> bool:
    """Return whether the last non-blank line before position `line` says "or" and follows another bracketed
    form.
    """
    near = folded[max(0, line - NEAR) : line].rstrip()
    above, _, last = near.rpartition("\n")
    return OR_LINE.match(last) is not None and (
        BRACKETS.search(above) is not None or LABEL.search(above) is not None
    )


def find_brackets(
    folded: str, labels: str, classify: Callable[[str], Value], *, only_labelled: bool = False
) -> list[Bracket]:
    """Return the bracketed forms in the text, in order. Brackets that contain no valid value are ignored.

    Args:
        folded: normalized text, as returned by `forms.fold`.
        labels: a regular expression for the labels that can precede a form.
        classify: function that parses the content of the brackets.
        only_labelled: whether to ignore forms without a label.
    """
    label = rf"(?:{labels})(?:[ _]+(?:finale?s?|is|ist|est))?{_GAP}:{_GAP}"
    ends = re.compile(rf"{label}$", re.IGNORECASE)
    alone = re.compile(rf"(?:{BEFORE_LABEL.pattern}{label})?[\s\"'*_`~#>(-]*$", re.IGNORECASE)
    found: list[Bracket] = []
    last_alone = -1
    for one in list(BRACKETS.finditer(folded))[-MOST_FORMS:]:
        value = classify(one[1])
        line = line_start(folded, one.start())
        before = folded[line : one.start()]
        labelled = ends.search(folded[max(0, one.start() - 120) : one.start()]) is not None
        if value.kind == "none" or (not labelled and _is_other(one[1], before, value)):
            continue
        if only_labelled and not labelled:
            # An unlabelled form counts if a labelled form precedes it on its line: "depth: [[4]] or [[3]]".
            between = folded[found[-1].start : one.start()] if found else "\n"
            if len(between) > NEAR or "\n" in between or ":" in between:
                continue
        after = folded[one.end() : one.end() + 40].split("\n", 1)[0]
        first = alone.fullmatch(before) is not None
        own = re.fullmatch(_FORM_END, after) is not None and first
        above = own and last_alone >= 0 and not folded[last_alone:line].strip()
        value = qualify(folded, one, value)
        if first and _is_alternative(folded, line):
            if not found:
                value = UNCLEAR
            above = True
        if own:
            last_alone = one.end() + len(after)
        corrects = CORRECTION.search(before) is not None
        found.append(
            Bracket(
                start=one.start(),
                value=value,
                labelled=labelled,
                alone=own or corrects,
                above=above,
                begins=first and (own or labelled),
            )
        )
    return found


def _is_other(content: str, before: str, value: Value) -> bool:
    """Return whether unlabelled brackets contain an index, as in ``arr[[1]]``, or prose rather than a
    verdict.
    """
    if re.search(r"[A-Za-z0-9_\])]$", before) and content.strip()[:1].isdigit():
        return True
    return value.kind == "unclear" and not re.match(r"[\s<>=~]*(?:[0-9]|[ABab]\b)", content)


def decide(brackets: list[Bracket]) -> tuple[Value, int]:
    """Return the value and the position of the bracketed form that counts.

    The value is `NONE` if there are no forms, and `UNCLEAR` if the forms disagree and none of them takes
    precedence.
    """
    if not brackets:
        return NONE, 0
    last = brackets[-1]
    listed = last.above and len(brackets) > 1 and differs(brackets[-2].value, last.value)
    if last.value.kind == "one" and last.alone and not listed:
        return last.value, last.start
    labelled = [number for number, one in enumerate(brackets) if one.labelled]
    # Unlabelled brackets before the first labelled form are part of the reasoning. Later brackets count.
    pool = (
        [one for number, one in enumerate(brackets) if one.labelled or number > labelled[-1]]
        if labelled
        else brackets
    )
    if any(one.value.kind != "one" or differs(one.value, last.value) for one in pool):
        return UNCLEAR, 0
    return last.value, last.start


def differs(one: Value, other: Value) -> bool:
    """Return whether two values state different winners or scores."""
    if one.winner or other.winner:
        return one.winner != other.winner
    return one.number != other.number and (
        not one.number[:1].isdigit()
        or not other.number[:1].isdigit()
        or number_of(one.number) != number_of(other.number)
    )


def aspect_label(name: str) -> str:
    """Return the regular expression that matches an aspect's label."""
    return rf"(?<!\w){re.escape(fold(name))}"


def score_classifier(high: float) -> Callable[[str], Value]:
    """Return a `classify` function for `find_brackets` that parses scores up to `high`."""
    return lambda content: exact_score_in(content, high, whole=True)


def aspect_classifier(high: float) -> Callable[[str], Value]:
    """Return a `classify` function for `find_brackets` that parses aspect scores up to `high`, or ``n/a``."""

    def classify(content: str) -> Value:
        if NOT_APPLICABLE.fullmatch(content):
            return Value(kind="one", number="n/a")
        return exact_score_in(content, high, whole=True)

    return classify
