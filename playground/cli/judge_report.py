"""Format the estimates and verdicts printed by the `judge` command, as text or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playground.judging.cost import Estimate
from playground.scoreboard import build_board
from playground.scoreboard.rows import Panel
from playground.types import Conversation, Verdict, to_json
from playground.words import count_things, format_number, format_price


def estimate_json(cost: Estimate) -> dict[str, Any]:
    """Return the document that `judge --estimate --json` prints."""
    return {
        "calls": cost.calls,
        "cached": cost.cached,
        "prompt_tokens": cost.prompt_tokens,
        "most_new_tokens": cost.most_new_tokens,
        "most_price": cost.price[0] if cost.price else None,
        "currency": cost.price[1] if cost.price else None,
    }


def estimate_text(cost: dict[str, Any]) -> str:
    """Format the document from `estimate_json` as text."""
    price = ""
    if cost["most_price"] is not None:
        price = f", at most {format_price(cost['most_price'], cost['currency'])}"
    return (
        f"{count_things(cost['calls'], 'call')} ({format_number(cost['cached'])} more from the cache, at "
        f"no cost): about {format_number(cost['prompt_tokens'])} tokens in, at most "
        f"{format_number(cost['most_new_tokens'])} out{price}"
    )


def verdicts_json(conversation: Conversation, judged: Sequence[tuple[int, Verdict]]) -> dict[str, Any]:
    """Return the document that `judge --json` prints. Turns are numbered from 1.

    Args:
        conversation: the conversation including its recorded verdicts.
    """
    paid = [call for _, verdict in judged for call in verdict.calls if not call.cached]
    panels = _panels(conversation, judged)
    return {
        "id": conversation.id,
        "prompt_tokens": sum(call.prompt_tokens or 0 for call in paid),
        "new_tokens": sum(call.new_tokens or 0 for call in paid),
        "verdicts": [{"turn": turn + 1, **to_json(verdict)} for turn, verdict in judged],
        "panels": [to_json(panel) for panel in panels],
    }


def _panels(conversation: Conversation, judged: Sequence[tuple[int, Verdict]]) -> list[Panel]:
    """Return, for each panel of judges, the agreement between its judges and each judge's biases, measured
    over the whole conversation.
    """
    majorities = dict.fromkeys((verdict.judge, verdict.rubric) for _, verdict in judged if verdict.panel)
    boards = [build_board([conversation], judge, rubric) for judge, rubric in majorities]
    return [each.panel for each in boards if each.panel is not None]


def verdicts_text(conversation: Conversation, judged: Sequence[tuple[int, Verdict]], own_server: str) -> str:
    """Format the verdicts as text.

    Args:
        conversation: the conversation including its recorded verdicts.
        own_server: the judge URL in the settings. Judges on any other server are printed with the server's
            address.
    """
    lines = []
    for turn, verdict in judged:
        names = {lane: conversation.variants[lane].name for lane in verdict.lanes}
        judge = verdict.judge
        if verdict.server not in (None, own_server):
            judge = f"{judge} at {verdict.server}"
        lines.append(f"turn {turn + 1}, {verdict.rubric} by {judge}: {describe_verdict(verdict, names)}")
        for call in verdict.calls:
            where = " then ".join(names[lane] for lane in call.shown)
            again = " (from the cache)" if call.cached else ""
            text = call.reason or call.raw or call.error or ""
            lines += [f"  [{where}]{again}", *(f"    {line}" for line in text.splitlines())]
    for panel in _panels(conversation, judged):
        lines += _panel_text(panel)
    return "\n".join(lines)


def _panel_text(panel: Panel) -> list[str]:
    lines = []
    if panel.agreement is not None:
        kappa = panel.agreement.kappa
        beyond = "undefined: all ratings are the same" if kappa is None else f"{kappa:.2f}"
        same = panel.agreement.same
        lines.append(
            f"all judges agree in {same.hits:,g} of {format_number(same.count)} comparisons; Fleiss' kappa "
            f"{beyond}"
        )
    for judge in panel.judges:
        habits = (
            ("with the majority", judge.with_majority),
            ("inconsistent", judge.inconsistent),
            ("answer shown first wins", judge.first_place),
            ("longer wins", judge.longer),
        )
        figures = [f"{what} {share.hits:g} of {share.count}" for what, share in habits if share.count]
        lines.append(f"  {judge.judge}: {', '.join(figures) or 'no verdict'}")
    return lines


def describe_verdict(verdict: Verdict, names: dict[int, str]) -> str:
    """Describe a verdict's outcome in a few words, using the lane names in `names`."""
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
        "inconsistent": "a tie, because the two orders disagree",
    }
    return words.get(verdict.outcome, verdict.outcome)
