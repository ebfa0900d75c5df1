"""Judging a whole conversation from the command line: which questions, and what came, as text and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, cast, get_args

from playground.judging.candidates import answered
from playground.judging.client import JudgeModel
from playground.judging.cost import Estimate
from playground.judging.panel import PanelJudging, check_judges, read_judge
from playground.judging.reference import PAIR_RUBRIC, REFERENCE
from playground.judging.reference import RUBRIC as REFERENCE_RUBRIC
from playground.judging.run import Judging
from playground.judging.service import Judges
from playground.scoreboard import build_board
from playground.scoreboard.rows import Panel
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
    judges: tuple[JudgeModel, ...]
    """Several are a panel, whose majority is a verdict too; none: the reference judge."""
    options: dict[str, Any]
    cost: Estimate


def questions(
    judges: Judges,
    named: Sequence[str],
    conversation: Conversation,
    rubric: str | None,
    turns: str | None,
    lanes: str | None,
    scope: str,
    samples: int,
) -> list[Question]:
    """What a command line asks for, checked before anything is asked.

    A comparison is of two lanes; with more, every two of them are compared.

    Args:
        named: the judges, each as ``MODEL`` or ``MODEL@http://SERVER``; none: the one in the settings.

    Raises:
        InputError: a turn, a lane, a rubric or a judge that there is not, or that cannot be judged.
    """
    if scope not in get_args(Scope):
        raise InputError(f"--scope must be turn or conversation, not {scope!r}.")
    asked_for = check_judges([read_judge(name) for name in named or [judges.settings.judge_model or ""]])
    reference = REFERENCE in [model for model, _ in asked_for]
    if reference and len(asked_for) > 1:
        raise InputError("The reference judge follows a rule and is in no panel: ask it by itself.")
    rubric = rubric or (REFERENCE_RUBRIC if reference else DEFAULT_RUBRIC)
    if reference and rubric not in (REFERENCE_RUBRIC, PAIR_RUBRIC):
        raise InputError(
            f"The reference judge has the rubrics {REFERENCE_RUBRIC} and {PAIR_RUBRIC}, not {rubric!r}."
        )
    pair = rubric == PAIR_RUBRIC if reference else judges.rubric(rubric).kind == "pairwise"
    models = () if reference else tuple(judges.model(model, server) for model, server in asked_for)
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
            cost = Estimate.total(
                judges.estimate(conversation, turn, rubric, model, lanes=some, **options) for model in models
            )
            asked.append(
                Question(
                    conversation=conversation,
                    turn=turn,
                    lanes=some,
                    rubric=rubric,
                    judges=models,
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
        if not part.strip().isdecimal() or len(part.strip()) > 9 or not 1 <= int(part) <= count:
            raise InputError(
                f"{flag} must list numbers from 1 to {count}, of a {thing} each, not {text!r:.60}."
            )
        found.append(int(part) - 1)
    return found


def ask(judges: Judges, asked: Sequence[Question]) -> list[tuple[int, Verdict]]:
    """Every question's turn and verdict, once all have ended.

    Raises:
        InputError: the key is missing, or the budget does not suffice.
    """
    budget = judges.new_budget()
    begun: list[tuple[int, Verdict, Judging | PanelJudging | None]] = []
    for question in asked:
        if not question.judges:
            verdict = judges.judge_by_reference(
                question.conversation,
                question.turn,
                lanes=question.lanes,
                pair=question.rubric == PAIR_RUBRIC,
            )
            begun.append((question.turn, verdict, None))
            continue
        under_way = judges.begin(
            question.conversation,
            question.turn,
            question.rubric,
            question.judges,
            lanes=question.lanes,
            budget=budget,
            **question.options,
        )
        begun += [(question.turn, each.verdict, each) for each in under_way]
    return [(turn, judging.wait() if judging else verdict) for turn, verdict, judging in begun]


# --- What is printed ------------------------------------------------------------------------------


def estimate_json(asked: Sequence[Question]) -> dict[str, Any]:
    """What all of it would cost, as `judge --estimate --json` prints it."""
    cost = Estimate.total(question.cost for question in asked)
    return {
        "calls": cost.calls,
        "cached": cost.cached,
        "prompt_tokens": cost.prompt_tokens,
        "most_new_tokens": cost.most_new_tokens,
        "most_price": cost.price[0] if cost.price else None,
        "currency": cost.price[1] if cost.price else None,
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


def family_warnings(judges: Judges, asked: Sequence[Question]) -> list[str]:
    """A sentence for each judge of the family of what it judges."""
    base = judges.settings.base
    found = [judges.family_warnings(each.judges, each.conversation, base) for each in asked]
    return list(dict.fromkeys(warning for warnings in found for warning in warnings))


def verdicts_json(conversation: Conversation, judged: Sequence[tuple[int, Verdict]]) -> dict[str, Any]:
    """The document that `judge --json` prints; turns are counted from 1.

    Args:
        conversation: with the verdicts on record.
    """
    paid = [game for _, verdict in judged for game in verdict.calls if not game.cached]
    panels = _panels(conversation, judged)
    return {
        "id": conversation.id,
        "prompt_tokens": sum(game.prompt_tokens or 0 for game in paid),
        "new_tokens": sum(game.new_tokens or 0 for game in paid),
        "verdicts": [{"turn": turn + 1, **to_json(verdict)} for turn, verdict in judged],
        "panels": [to_json(panel) for panel in panels],
    }


def _panels(conversation: Conversation, judged: Sequence[tuple[int, Verdict]]) -> list[Panel]:
    """How far the judges of each panel agree over the whole conversation, and what each tends to."""
    majorities = dict.fromkeys((verdict.judge, verdict.rubric) for _, verdict in judged if verdict.panel)
    boards = [build_board([conversation], judge, rubric) for judge, rubric in majorities]
    return [each.panel for each in boards if each.panel is not None]


def verdicts_text(conversation: Conversation, judged: Sequence[tuple[int, Verdict]]) -> str:
    """The verdicts for people."""
    lines = []
    for turn, verdict in judged:
        names = {lane: conversation.variants[lane].name for lane in verdict.lanes}
        lines.append(f"turn {turn + 1}, {verdict.rubric} by {verdict.judge}: {said(verdict, names)}")
        for game in verdict.calls:
            where = " then ".join(names[lane] for lane in game.shown)
            again = " (on record)" if game.cached else ""
            text = game.reason or game.raw or game.error or ""
            lines += [f"  [{where}]{again}", *(f"    {line}" for line in text.splitlines())]
    for panel in _panels(conversation, judged):
        lines += _panel_text(panel)
    return "\n".join(lines)


def _panel_text(panel: Panel) -> list[str]:
    lines = []
    if panel.agreement is not None:
        kappa = panel.agreement.kappa
        beyond = "cannot be told: all always say the same" if kappa is None else f"{kappa:.2f}"
        same = panel.agreement.same
        lines.append(f"all judges agree in {same.hits:g} of {same.count}; Fleiss' kappa {beyond}")
    for judge in panel.judges:
        habits = (
            ("with the majority", judge.with_majority),
            ("inconsistent", judge.inconsistent),
            ("the first shown wins", judge.first_place),
            ("the longer wins", judge.longer),
        )
        figures = [f"{what} {share.hits:g} of {share.count}" for what, share in habits if share.count]
        lines.append(f"  {judge.judge}: {', '.join(figures) or 'no verdict'}")
    return lines


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
