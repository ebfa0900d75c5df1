"""Reference judge that uses a fixed rule, not a model, to decide whether an answer is correct.

It only supports questions with a known answer, such as those in probes, and only compares words and numbers.
A `Check` lists the values that an answer must contain; `rule` describes the check in one sentence.
Explanations in an answer do not affect its score.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence

from playground.judging.verdicts import conclude
from playground.rubrics.candidates import Candidate
from playground.rubrics.known_answer import REFERENCE, Check, KnownAnswer
from playground.types import JudgeCall, Outcome, Verdict


def occurs(value: str, text: str) -> bool:
    """Return whether text contains a value as a whole word, ignoring case and a leading "the" in the value.

    A number never matches part of another number: 8 matches neither 18 nor 8.5, and 10080 does not match
    10,080.
    """
    pattern = rf"(?<!\w)(?<!\d[.,]){re.escape(value.removeprefix('the '))}(?!\w)(?![.,]\d)"
    return re.search(pattern, text, re.IGNORECASE) is not None


def find_named(members: Sequence[str], text: str, flags: re.RegexFlag = re.NOFLAG) -> list[str]:
    """Return the given values that occur in the text, in order of first occurrence."""
    found = {
        member: match.start()
        for member in members
        if (match := re.search(rf"(?<!\w){re.escape(member)}(?!\w)", text, flags))
    }
    return sorted(found, key=found.__getitem__)


def is_right(check: Check, candidate: Candidate) -> bool:
    """Return whether a lane's last answer passes the check."""
    answer = candidate.answer
    if check.kind == "any":
        return any(occurs(value, answer) for value in check.values)
    if check.kind == "all":
        return all(occurs(value, answer) for value in check.values)
    if check.kind == "some":
        return len(find_named(check.values, answer, re.IGNORECASE)) >= check.count
    if len(candidate.exchanges) < 2:
        return False
    before = find_named(check.values, candidate.exchanges[-2][1], re.IGNORECASE)
    after = find_named(check.values, answer, re.IGNORECASE)
    return len(before) > check.count and after == before[: check.count]


def rule(check: Check) -> str:
    """Describe the check in one sentence."""
    shown = ", ".join(repr(value) for value in check.values[:6]) + (", ..." if len(check.values) > 6 else "")
    if check.kind == "any":
        return f"Correct if the answer contains {'any of ' if len(check.values) > 1 else ''}{shown}."
    if check.kind == "all":
        return f"Correct if the answer contains each of {shown}."
    if check.kind == "some":
        return f"Correct if the answer contains at least {check.count} of {shown}."
    return (
        f"Correct if the answer repeats the first {check.count} items that the previous answer named, in the "
        f"same order, and names no other item from the list {shown}."
    )


def judge_known_answer(known: KnownAnswer, candidates: Mapping[int, Candidate]) -> Verdict:
    """Return the reference judge's verdict.

    Args:
        known: the rubric with the known answer.
        candidates: the conversations to judge, keyed by lane. A comparison requires exactly two.
    """
    lanes = tuple(candidates)
    right = {lane: is_right(known.check, candidates[lane]) for lane in lanes}
    verdict = Verdict(
        id=secrets.token_hex(8),
        judge=REFERENCE,
        rubric=known.name,
        lanes=lanes,
        judged=tuple(candidates[lane].hash for lane in lanes),
        outcome="unfinished",
        scale=known.scale,
    )
    calls = _compare(known.check, lanes, right) if known.compares else _score(known.check, right)
    return conclude(verdict, known.kind, calls)


def _score(check: Check, right: Mapping[int, bool]) -> list[JudgeCall]:
    return [
        JudgeCall(
            shown=(lane,),
            outcome="scored",
            score=float(is_right),
            reason=f"{rule(check)} The answer is {'correct' if is_right else 'incorrect'}.",
        )
        for lane, is_right in right.items()
    ]


def _compare(check: Check, lanes: tuple[int, ...], right: Mapping[int, bool]) -> list[JudgeCall]:
    """Return the result of a comparison as two judge calls, one for each order of the answers."""
    winners = [lane for lane in lanes if right[lane]]
    outcome: Outcome = "win" if len(winners) == 1 else "tie" if winners else "both-bad"
    calls = []
    for shown in (lanes, lanes[::-1]):
        marks = [
            f"{letter} is {'correct' if right[lane] else 'incorrect'}."
            for letter, lane in zip("AB", shown, strict=True)
        ]
        calls.append(
            JudgeCall(
                shown=shown,
                outcome=outcome,
                winner=winners[0] if outcome == "win" else None,
                reason=" ".join([rule(check), *marks]),
            )
        )
    return calls
