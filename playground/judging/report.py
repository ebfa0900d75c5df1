"""Judging a whole conversation from the command line: which questions, and what came, as text and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, cast, get_args

from playground.judging.budget import Estimate
from playground.judging.candidates import answered
from playground.judging.client import JudgeModel
from playground.judging.judges import Judges
from playground.judging.judging import Judging
from playground.judging.reference import PAIR_RUBRIC, REFERENCE
from playground.judging.reference import RUBRIC as REFERENCE_RUBRIC
from playground.types import Conversation, InputError, Scope, Verdict, to_json

DEFAULT_RUBRIC = "single"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One judgment to be asked for."""

    conversation: Conversation
    turn: int
    """From 0."""
    lanes: tuple[int, ...]
    rubric: str
    judge: JudgeModel | None
    """None: the reference judge."""
    options: dict[str, Any]
    cost: Estimate


def questions(
    judges: Judges,
    conversation: Conversation,
    rubric: str | None,
    turns: str | None,
    lanes: str | None,
    scope: str,
    samples: int,
) -> list[Question]:
    """What a command line asks for, checked before anything is asked.

    A comparison is of two lanes; with more, every two of them are compared.

    Raises:
        InputError: a turn, a lane or a rubric that there is not, or that cannot be judged.
    """
    if scope not in get_args(Scope):
        raise InputError(f"--scope must be turn or conversation, not {scope!r}.")
    reference = judges.settings.judge_model == REFERENCE
    rubric = rubric or (REFERENCE_RUBRIC if reference else DEFAULT_RUBRIC)
    if reference and rubric not in (REFERENCE_RUBRIC, PAIR_RUBRIC):
        raise InputError(
            f"The reference judge has the rubrics {REFERENCE_RUBRIC} and {PAIR_RUBRIC}, not {rubric!r}."
        )
    pair = rubric == PAIR_RUBRIC if reference else judges.rubric(rubric).kind == "pairwise"
    judge = None if reference else judges.model()
    options: dict[str, Any] = {} if reference else {"scope": cast(Scope, scope), "samples": samples}
    asked = []
    for turn in _numbers(turns, "--turns", len(conversation.turns), "turn"):
        there = _numbers(lanes, "--lanes", len(conversation.variants), "lane")
        chosen = (
            tuple(there) if lanes else tuple(lane for lane in there if lane in answered(conversation, turn))
        )
        if turns is None and not chosen:
            continue  # nobody answered
        for some in combinations(chosen, 2) if pair and len(chosen) > 2 else [chosen]:
            if judge is None:
                cost = Estimate(calls=0, cached=0, prompt_tokens=0, most_new_tokens=0)
            else:
                cost = judges.estimate(conversation, turn, rubric, judge, lanes=some, **options)
            asked.append(
                Question(
                    conversation=conversation,
                    turn=turn,
                    lanes=some,
                    rubric=rubric,
                    judge=judge,
                    options=options,
                    cost=cost,
                )
            )
    if not asked:
        raise InputError(f"Conversation {conversation.id} has no answer to judge.")
    return asked


def _numbers(text: str | None, flag: str, count: int, thing: str) -> list[int]:
    """Numbers from 1 as a person lists them, as numbers from 0; all there are, if there is no list."""
    if text is None:
        return list(range(count))
    found = []
    for part in text.split(","):
        if not part.strip().isdecimal() or not 1 <= int(part) <= count:
            raise InputError(f"{flag} must list numbers from 1 to {count}, of a {thing} each, not {text!r}.")
        found.append(int(part) - 1)
    return found


def ask(judges: Judges, asked: Sequence[Question]) -> list[tuple[int, Verdict]]:
    """Every question's turn and verdict, once all have ended.

    Raises:
        InputError: the key is missing, or the budget does not suffice.
    """
    budget = judges.new_budget()
    begun: list[tuple[int, Verdict, Judging | None]] = []
    for question in asked:
        if question.judge is None:
            verdict = judges.judge_by_reference(
                question.conversation,
                question.turn,
                lanes=question.lanes,
                pair=question.rubric == PAIR_RUBRIC,
            )
            begun.append((question.turn, verdict, None))
            continue
        judging = judges.judge(
            question.conversation,
            question.turn,
            question.rubric,
            question.judge,
            lanes=question.lanes,
            budget=budget,
            **question.options,
        )
        begun.append((question.turn, judging.verdict, judging))
    return [(turn, judging.wait() if judging else verdict) for turn, verdict, judging in begun]


# --- What is printed ------------------------------------------------------------------------------


def estimate_json(asked: Sequence[Question]) -> dict[str, Any]:
    """What all of it would cost, as `judge --estimate --json` prints it."""
    costs = [question.cost for question in asked]
    prices = [cost.price for cost in costs if cost.price is not None]
    return {
        "calls": sum(cost.calls for cost in costs),
        "cached": sum(cost.cached for cost in costs),
        "prompt_tokens": sum(cost.prompt_tokens for cost in costs),
        "most_new_tokens": sum(cost.most_new_tokens for cost in costs),
        "most_price": sum(amount for amount, _ in prices) if prices else None,
        "currency": prices[0][1] if prices else None,
    }


def estimate_text(cost: dict[str, Any]) -> str:
    """The same for people."""
    price = ""
    if cost["most_price"] is not None:
        price = f", at most {cost['most_price']:.4f} {cost['currency']}"
    return (
        f"{cost['calls']} calls ({cost['cached']} more cost nothing): about {cost['prompt_tokens']} "
        f"tokens in, at most {cost['most_new_tokens']} out{price}"
    )


def verdicts_json(id: str, judged: Sequence[tuple[int, Verdict]]) -> dict[str, Any]:
    """The document that `judge --json` prints; turns are counted from 1."""
    paid = [game for _, verdict in judged for game in verdict.games if not game.cached]
    return {
        "id": id,
        "prompt_tokens": sum(game.prompt_tokens or 0 for game in paid),
        "new_tokens": sum(game.new_tokens or 0 for game in paid),
        "verdicts": [{"turn": turn + 1, **to_json(verdict)} for turn, verdict in judged],
    }


def verdicts_text(conversation: Conversation, judged: Sequence[tuple[int, Verdict]]) -> str:
    """The verdicts for people."""
    lines = []
    for turn, verdict in judged:
        names = {lane: conversation.variants[lane].name for lane in verdict.lanes}
        lines.append(f"turn {turn + 1}, {verdict.rubric} by {verdict.judge}: {said(verdict, names)}")
        for game in verdict.games:
            where = " then ".join(names[lane] for lane in game.shown)
            again = " (on record)" if game.cached else ""
            text = game.reason or game.raw or game.error or ""
            lines += [f"  [{where}]{again}", *(f"    {line}" for line in text.splitlines())]
    return "\n".join(lines)


def said(verdict: Verdict, names: dict[int, str]) -> str:
    """What a verdict says, in a few words; `names` are those of its lanes."""
    if verdict.outcome == "win" and verdict.winner is not None:
        return f"{names[verdict.winner]} wins"
    if verdict.scores and verdict.scale:
        top = f"{verdict.scale[1]:g}"
        scores = zip(verdict.lanes, verdict.scores, strict=True)
        return ", ".join(
            f"{names[lane]} {'no score' if score is None else f'{score:g}/{top}'}" for lane, score in scores
        )
    words = {
        "tie": "a tie",
        "both-bad": "both bad",
        "inconsistent": "a tie: inconsistent, the two orders disagree",
    }
    return words.get(verdict.outcome, verdict.outcome)
